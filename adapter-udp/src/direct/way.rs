//! A way to another client: the keys of one exchange, and the addresses that it is tried at.
//!
//! An address *works* when a question sent there has come back from there: both directions do, and whoever is there has the keys. Voice goes to
//! the best that works, in the order of the other's list: its own networks before the internet. A datagram that opens and comes from an unknown
//! address tells one more that may be tried: so a NAT that draws a new port for each destination can be met, and a client that moves is followed.
//!
//! While nothing works, all are asked at once, five times every 200 ms, so that both ends' NATs are open at the same time, and twice more slowly.
//! While one works, it is asked when nothing has come from there for 1 s; after 2 s all are asked again, and after 5 s the way is gone.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{
    budget::Budget,
    candidates::{MOST_CANDIDATES, Sieve},
    exchange::{Keys, random},
};
use adapter_kit::{Item, Word};

use crate::media::{Header, Opener, Refused, Sealer};

/// From one round of questions to the next, while no address works.
const ROUNDS: [Duration; 7] = [
    Duration::from_millis(200),
    Duration::from_millis(200),
    Duration::from_millis(200),
    Duration::from_millis(200),
    Duration::from_secs(2),
    Duration::from_secs(4),
    // After the last, so long for the answer.
    Duration::from_secs(2),
];
/// Silence of the address in use, after which it is asked.
const QUIET: Duration = Duration::from_secs(1);
/// After which all are asked.
const SILENT: Duration = Duration::from_secs(2);
/// After which the way is gone.
const GONE: Duration = Duration::from_secs(5);
/// Between questions in a silence.
const AGAIN: Duration = Duration::from_millis(500);
/// Addresses besides those of the list, learnt from datagrams that opened.
const MOST_LEARNT: usize = 4;
/// Words that may wait to be sent: a round of questions, and as many answers.
const MOST_WORDS: usize = 2 * (MOST_CANDIDATES + MOST_LEARNT);

/// What has become of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// No address works yet.
    Trying,
    /// One works.
    Works,
    /// None does, and no more is tried.
    Over,
}

/// An address that is tried. Its number in the list is its rank.
struct Place {
    to: SocketAddr,
    /// What was asked there, until it is answered.
    question: [u8; 8],
    /// When it was last asked.
    asked_at: Instant,
    /// When something last came from there, if it works.
    heard_at: Option<Instant>,
}

pub(crate) struct Way {
    /// What datagrams to this end begin with.
    pub(crate) id: u32,
    their_id: u32,
    sealer: Sealer,
    opener: Opener,
    sieve: Sieve,
    places: Vec<Place>,
    listed: usize,
    /// The place in use.
    chosen: Option<usize>,
    pub(crate) state: State,
    /// When it began to work.
    pub(crate) works_since: Option<Instant>,
    round: usize,
    due: Instant,
    words: VecDeque<(SocketAddr, Word)>,
}

impl Way {
    pub(crate) fn new(
        now: Instant,
        (id, their_id): (u32, u32),
        keys: Keys,
        sieve: Sieve,
        candidates: &[SocketAddr],
    ) -> Self {
        let places: Vec<Place> =
            sieve.sift(candidates.iter().copied()).into_iter().map(|to| Place::new(now, to)).collect();
        Self {
            id,
            their_id,
            sealer: keys.sealer,
            opener: keys.opener,
            sieve,
            listed: places.len(),
            places,
            chosen: None,
            state: State::Trying,
            works_since: None,
            round: 0,
            due: now,
            words: VecDeque::new(),
        }
    }

    /// Where voice goes; `None` while no address works.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.chosen.filter(|_| self.state == State::Works).map(|at| self.places[at].to)
    }

    /// When [`Way::handle_timeout`] has something to do.
    pub(crate) const fn poll_timeout(&self) -> Instant {
        self.due
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, budget: &mut Budget) {
        if self.due > now {
            return;
        }
        match self.state {
            State::Trying => self.try_all(now, budget),
            State::Works => self.look_after(now, budget),
            State::Over => {}
        }
    }

    /// One more round, or none any more.
    fn try_all(&mut self, now: Instant, budget: &mut Budget) {
        let Some(wait) = ROUNDS.get(self.round) else {
            self.state = State::Over;
            return;
        };
        self.round += 1;
        self.due = now + *wait;
        (0..self.places.len()).for_each(|at| self.ask(now, at, budget));
    }

    fn look_after(&mut self, now: Instant, budget: &mut Budget) {
        let Some(at) = self.chosen else { return };
        let heard = self.places[at].heard_at.unwrap_or(now);
        let silence = now.saturating_duration_since(heard);
        if silence >= GONE {
            self.state = State::Over;
        } else if silence >= SILENT {
            self.due = (now + AGAIN).min(heard + GONE);
            (0..self.places.len()).for_each(|at| self.ask(now, at, budget));
        } else if silence >= QUIET {
            self.due = now + AGAIN;
            self.ask(now, at, budget);
        } else {
            self.due = heard + QUIET;
        }
    }

    fn ask(&mut self, now: Instant, at: usize, budget: &mut Budget) {
        let place = &mut self.places[at];
        if budget.take(now, place.to.ip()) {
            place.asked_at = now;
            let (to, word) = (place.to, Word::Challenge(place.question));
            self.say(to, word);
        }
    }

    fn say(&mut self, to: SocketAddr, word: Word) {
        if self.words.len() < MOST_WORDS {
            self.words.push_back((to, word));
        }
    }

    /// Opens a datagram and deals with its words; its packets are in what it gives.
    pub(crate) fn open<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        header: Header,
        datagram: &'d mut [u8],
        budget: &mut Budget,
    ) -> Result<&'d [u8], Refused> {
        let (plain, newest) = self.opener.open(header, datagram)?;
        self.on_heard(now, from, newest, budget);
        let mut answered = false;
        for item in adapter_kit::unpack(plain) {
            match item {
                // One answer a datagram: never more than came.
                Item::Word(Word::Challenge(question)) if !std::mem::replace(&mut answered, true) => {
                    self.say(from, Word::Response(question));
                }
                Item::Word(Word::Response(answer)) => self.on_answer(now, from, answer, budget),
                _ => {}
            }
        }
        Ok(plain)
    }

    fn on_heard(&mut self, now: Instant, from: SocketAddr, newest: bool, budget: &mut Budget) {
        let Some(at) = self.places.iter().position(|place| place.to == from) else {
            if newest {
                self.learn(now, from, budget);
            }
            return;
        };
        let place = &mut self.places[at];
        // What never answered isn't believed in because something comes from there: the other way has to work, too.
        place.heard_at = place.heard_at.map(|_| now);
        // The other end may have moved there.
        if newest && self.chosen.is_some_and(|chosen| chosen != at) && now >= place.asked_at + AGAIN {
            self.ask(now, at, budget);
        }
    }

    /// One more address to try, if there is room for it and it can be one.
    fn learn(&mut self, now: Instant, from: SocketAddr, budget: &mut Budget) {
        if !self.sieve.lets_through(from) {
            return;
        }
        if self.places.len() >= self.listed + MOST_LEARNT {
            // The oldest that isn't in use makes room: a client may move more than four times.
            let Some(oldest) = (self.listed..self.places.len()).find(|at| Some(*at) != self.chosen) else { return };
            self.places.remove(oldest);
            self.chosen = self.chosen.map(|at| at - usize::from(at > oldest));
        }
        self.places.push(Place::new(now, from));
        self.ask(now, self.places.len() - 1, budget);
    }

    fn on_answer(&mut self, now: Instant, from: SocketAddr, answer: [u8; 8], budget: &mut Budget) {
        let Some(at) = self.places.iter().position(|place| place.to == from && place.question == answer) else {
            return;
        };
        budget.answered(from.ip());
        let place = &mut self.places[at];
        (place.heard_at, place.question) = (Some(now), random());
        let asked_at = place.asked_at;
        // A lower rank goes before only if nothing has come from the one in use since this one was asked.
        let better =
            self.chosen.is_none_or(|chosen| at < chosen || self.places[chosen].heard_at.is_none_or(|at| at < asked_at));
        if better {
            self.chosen = Some(at);
        }
        if self.state == State::Trying {
            (self.state, self.works_since) = (State::Works, Some(now));
        }
        if self.state == State::Works {
            self.due = self.due.min(now + QUIET);
        }
    }

    /// The next datagram of a word, appended to `out`, and where it goes.
    pub(crate) fn poll_word(&mut self, out: &mut Vec<u8>) -> Option<SocketAddr> {
        let (to, word) = self.words.pop_front()?;
        let mut plain = Vec::new();
        adapter_kit::pack_word(word, &mut plain);
        self.seal(&plain, out).map(|()| to)
    }

    /// Seals packets for the address in use; appended to `out`.
    pub(crate) fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let sealed = self.sealer.seal_straight(self.their_id, plain, out);
        if sealed.is_none() {
            // All numbers have been used: a new exchange makes new keys.
            self.state = State::Over;
        }
        sealed
    }
}

impl Place {
    fn new(now: Instant, to: SocketAddr) -> Self {
        Self { to, question: random(), asked_at: now, heard_at: None }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any time will do, and the standard library has no other beginning")]
mod tests {
    use super::*;
    use crate::{direct::candidates::Families, media::Secret};

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn secret(byte: u8) -> Secret {
        Secret::new([byte; 32])
    }

    /// A way with these candidates, and what seals for it: the other end, whatever it may want.
    fn way(now: Instant, candidates: &[SocketAddr]) -> (Way, Sealer) {
        let sieve = Sieve { families: Families::V4, loopback: false };
        let keys = Keys { sealer: Sealer::new(secret(1)), opener: Opener::new(secret(2)) };
        (Way::new(now, (7, 8), keys, sieve, candidates), Sealer::new(secret(2)))
    }

    /// The questions that are asked now.
    fn asked(way: &mut Way, now: Instant) -> Vec<(SocketAddr, [u8; 8])> {
        way.handle_timeout(now, &mut Budget::default());
        let words = way.words.drain(..);
        words
            .filter_map(|(to, word)| if let Word::Challenge(bytes) = word { Some((to, bytes)) } else { None })
            .collect()
    }

    fn answer(way: &mut Way, sealer: &mut Sealer, now: Instant, from: SocketAddr, bytes: [u8; 8]) {
        let (mut plain, mut out) = (Vec::new(), Vec::new());
        adapter_kit::pack_word(Word::Response(bytes), &mut plain);
        sealer.seal_straight(7, &plain, &mut out).unwrap();
        let (header, _) = Header::read_straight(&out).unwrap();
        way.open(now, from, header, &mut out, &mut Budget::default()).unwrap();
    }

    #[test]
    fn an_address_works_only_by_the_answer_to_its_own_question_from_just_there() {
        let now = Instant::now();
        let (mut way, mut sealer) = way(now, &[at(5_000), at(6_000)]);
        let questions = asked(&mut way, now);
        let [(_, first), (_, second)] = questions[..] else { panic!("{questions:?}") };
        answer(&mut way, &mut sealer, now, at(5_000), [0; 8]);
        answer(&mut way, &mut sealer, now, at(5_000), second);
        answer(&mut way, &mut sealer, now, at(7_000), first);
        assert!(way.address().is_none() && way.state == State::Trying);
        answer(&mut way, &mut sealer, now, at(6_000), second);
        assert_eq!(way.address(), Some(at(6_000)));
    }

    #[test]
    fn the_first_of_the_list_goes_before_the_others_and_gives_way_when_it_falls_silent() {
        let now = Instant::now();
        let (mut way, mut sealer) = way(now, &[at(5_000), at(6_000)]);
        let questions = asked(&mut way, now);
        answer(&mut way, &mut sealer, now, at(6_000), questions[1].1);
        answer(&mut way, &mut sealer, now, at(5_000), questions[0].1);
        assert_eq!(way.address(), Some(at(5_000)));
        let later = now + QUIET;
        assert_eq!(asked(&mut way, later).len(), 1, "the one in use");
        let later = now + SILENT;
        let questions = asked(&mut way, later);
        assert_eq!(questions.len(), 2);
        answer(&mut way, &mut sealer, later, at(6_000), questions[1].1);
        assert_eq!(way.address(), Some(at(6_000)));
    }

    #[test]
    fn a_question_that_was_answered_is_not_asked_again() {
        let now = Instant::now();
        let (mut way, mut sealer) = way(now, &[at(5_000)]);
        let before = asked(&mut way, now)[0].1;
        answer(&mut way, &mut sealer, now, at(5_000), before);
        assert_ne!(asked(&mut way, now + QUIET)[0].1, before);
    }
}
