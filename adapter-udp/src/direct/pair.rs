//! This client and another one: their exchanges, and the ways that came of them.
//!
//! The client with the lower number offers; the other answers, or asks for an offer when it wants one. What fails is tried again, more and more
//! seldom. A new exchange doesn't end the way of before: voice goes there until the new one works, and is taken from there a little longer, so that
//! no frame is lost by a change.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use voice_core::{ClientId, PathId};

use super::{
    budget::Budget,
    candidates::Sieve,
    exchange::{Half, Message, Parties, Terms, random},
    way::{State, Way},
};
use crate::{link::DATAGRAM, media::Sealer};

/// Until the next exchange after one that came to nothing; twice as long each time.
const WAIT: Duration = Duration::from_secs(2);
/// At most.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Who answers waits so much longer for an offer before it asks for one.
const ASK_AFTER: Duration = Duration::from_millis(1_500);
/// Between two exchanges at least, whoever wants them.
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// After a new way has begun to work, the one of before is kept for what is still under way.
const OLD: Duration = Duration::from_secs(5);

/// What an exchange needs to know of this end.
pub(crate) struct Own<'a> {
    pub(crate) parties: Parties,
    pub(crate) sieve: Sieve,
    pub(crate) candidates: &'a [SocketAddr],
    /// For a new way: used by no other.
    pub(crate) id: u32,
}

/// An offer that waits for its answer.
struct Offered {
    half: Half,
    exchange: [u8; 8],
    id: u32,
    message: Vec<u8>,
}

pub(crate) struct Pair {
    pub(crate) client: ClientId,
    /// The same for all ways: to the core it is one path.
    pub(crate) path: PathId,
    offers: bool,
    offered: Option<Offered>,
    /// The newest last; at most two.
    ways: Vec<Way>,
    /// Whether the path was told to be there.
    told: bool,
    /// Packets for the next datagram.
    waiting: Vec<u8>,
    /// When an exchange is to begin, since none has led to anything.
    next: Option<Instant>,
    /// When one is to begin, since something has changed that the last one didn't say.
    renew: Option<Instant>,
    /// When the last one began.
    last: Option<Instant>,
    /// When an offer was last answered.
    answered: Option<Instant>,
    /// Exchanges since a way last began to work.
    tries: u32,
}

impl Pair {
    pub(crate) fn new(now: Instant, client: ClientId, path: PathId, offers: bool) -> Self {
        let wait = if offers { Duration::ZERO } else { ASK_AFTER };
        Self {
            client,
            path,
            offers,
            offered: None,
            ways: Vec::new(),
            told: false,
            waiting: Vec::new(),
            next: Some(now + wait),
            renew: None,
            last: None,
            answered: None,
            tries: 0,
        }
    }

    /// The way that begins with this id.
    pub(crate) fn way(&mut self, id: u32) -> Option<&mut Way> {
        self.ways.iter_mut().find(|way| way.id == id)
    }

    /// Whether datagrams to this end may begin with this id.
    pub(crate) fn uses(&self, id: u32) -> bool {
        self.ways.iter().any(|way| way.id == id) || self.offered.as_ref().is_some_and(|offered| offered.id == id)
    }

    /// Where voice goes; `None` while no way works.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.ways.iter().rev().find_map(Way::address)
    }

    /// When an exchange is to begin.
    pub(crate) fn next_exchange(&self) -> Option<Instant> {
        self.next.into_iter().chain(self.renew).min()
    }

    /// When [`Pair::handle_timeout`] has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let ways = self.ways.iter().map(Way::poll_timeout);
        ways.chain(self.old_until()).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, budget: &mut Budget) {
        self.ways.iter_mut().for_each(|way| way.handle_timeout(now, budget));
        if self.old_until().is_some_and(|until| until <= now) {
            self.ways.remove(0);
        }
        let worked = self.ways.iter().any(|way| way.state == State::Over && way.works_since.is_some());
        self.ways.retain(|way| way.state != State::Over);
        if worked {
            self.tries = 0;
        }
        if self.ways.is_empty() && self.next.is_none() {
            self.next = Some(now + self.wait());
        }
    }

    /// Until when the way of before is kept.
    fn old_until(&self) -> Option<Instant> {
        let [_, newest] = &*self.ways else { return None };
        newest.works_since.map(|since| since + OLD)
    }

    fn wait(&self) -> Duration {
        let wait = WAIT.saturating_mul(1 << self.tries.min(16)).min(LONGEST_WAIT);
        if self.offers { wait } else { wait + ASK_AFTER }
    }

    /// Something has changed at this end: a new exchange, soon.
    pub(crate) fn renew(&mut self, now: Instant) {
        if self.last.or(self.answered).is_none() {
            // The first is still to come.
            return;
        }
        self.begin_soon(now);
        self.tries = 0;
    }

    fn begin_soon(&mut self, now: Instant) {
        self.renew = Some(self.last.map_or(now, |last| now.max(last + LEAST_WAIT)));
    }

    /// Begins an exchange: what to say to the other end.
    pub(crate) fn begin(&mut self, now: Instant, own: &Own<'_>) -> Message {
        self.tries = self.tries.saturating_add(1);
        (self.last, self.next, self.renew) = (Some(now), Some(now + self.wait()), None);
        if !self.offers {
            return Message::Ask;
        }
        let (half, exchange) = (Half::new(), random());
        let message = Message::Offer(half.terms(exchange, own.id, own.candidates.to_vec()));
        self.offered = Some(Offered { half, exchange, id: own.id, message: message.encode() });
        message
    }

    /// Takes what the other end says, and gives what to answer; `Err` if it can't be said now.
    pub(crate) fn handle_message(
        &mut self,
        now: Instant,
        own: &Own<'_>,
        message: &Message,
        bytes: &[u8],
    ) -> Result<Option<Message>, Unexpected> {
        match message {
            Message::Offer(terms) if !self.offers => self.on_offer(now, own, terms, bytes).map(Some),
            Message::Answer(terms) if self.offers => self.on_answer(now, own, terms, bytes).map(|()| None),
            // The answer to the offer under way will say what is new.
            Message::Ask if self.offered.is_some() && self.last.is_some_and(|last| now < last + LEAST_WAIT) => Ok(None),
            Message::Ask if self.offers => {
                self.begin_soon(now);
                Ok(None)
            }
            _ => Err(Unexpected),
        }
    }

    fn on_offer(&mut self, now: Instant, own: &Own<'_>, terms: &Terms, bytes: &[u8]) -> Result<Message, Unexpected> {
        if self.answered.is_some_and(|last| now < last + LEAST_WAIT) {
            return Err(Unexpected);
        }
        let half = Half::new();
        let answer = Message::Answer(half.terms(terms.exchange, own.id, own.candidates.to_vec()));
        let keys = half.agree(own.parties, false, terms, bytes, &answer.encode()).ok_or(Unexpected)?;
        self.tries = self.tries.saturating_add(1);
        (self.answered, self.renew) = (Some(now), None);
        self.add(Way::new(now, (own.id, terms.id), keys, own.sieve, &terms.candidates));
        Ok(answer)
    }

    fn on_answer(&mut self, now: Instant, own: &Own<'_>, terms: &Terms, bytes: &[u8]) -> Result<(), Unexpected> {
        let offered = self.offered.take_if(|offered| offered.exchange == terms.exchange).ok_or(Unexpected)?;
        let keys = offered.half.agree(own.parties, true, terms, &offered.message, bytes).ok_or(Unexpected)?;
        self.add(Way::new(now, (offered.id, terms.id), keys, own.sieve, &terms.candidates));
        Ok(())
    }

    /// One more way. Of those of before only one is kept: the newest that works.
    fn add(&mut self, way: Way) {
        self.next = None;
        let works = self.ways.iter().rposition(|way| way.state == State::Works);
        self.ways = works.map(|at| self.ways.swap_remove(at)).into_iter().collect();
        self.ways.push(way);
    }

    /// Whether the path has come (`true`) or gone since this was last asked.
    pub(crate) fn poll_change(&mut self) -> Option<bool> {
        let works = self.address().is_some();
        if self.ways.last().is_some_and(|way| way.state == State::Works) {
            self.tries = 0;
        }
        if !works {
            self.waiting.clear();
        }
        (std::mem::replace(&mut self.told, works) != works).then_some(works)
    }

    /// Puts a packet by for the next datagram; false if it can't leave.
    pub(crate) fn send(&mut self, packet: &[u8]) -> bool {
        let room = DATAGRAM - Sealer::overhead(Some(0));
        let fits = !packet.is_empty() && self.waiting.len() + adapter_kit::packed_len(packet.len()) <= room;
        let taken = fits && self.address().is_some();
        if taken {
            adapter_kit::pack(packet, &mut self.waiting);
        }
        taken
    }

    /// The next datagram, appended to `out`, where it goes, and whether it holds packets.
    pub(crate) fn poll_transmit(&mut self, out: &mut Vec<u8>) -> Option<(SocketAddr, bool)> {
        if let Some(to) = self.ways.iter_mut().find_map(|way| way.poll_word(out)) {
            return Some((to, false));
        }
        if self.waiting.is_empty() {
            return None;
        }
        let way = self.ways.iter_mut().rev().find(|way| way.address().is_some())?;
        let to = way.address()?;
        let sealed = way.seal(&self.waiting, out);
        self.waiting.clear();
        sealed.map(|()| (to, true))
    }
}

/// What is said doesn't fit to what was said before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unexpected;
