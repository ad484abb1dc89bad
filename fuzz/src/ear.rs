//! An ear that judges a playout by a naive list of frames: what came, what was heard, what can't be heard any more.
//!
//! It knows nothing of delays and targets, so it can't tell *when* a frame should sound. It says what may: every frame at most once, in rising
//! order, as it was sent, never after it was given up; and that the playout's counts are the true ones.

use std::time::Duration;

use voice_core::{
    DropReason, FrameLength, Instant,
    playout::{Incoming, Inserted, Pace, Playout, PlayoutConfig, Pulled, Sound, playout_bytes},
};

/// Concealed in a row at most, µs.
const CONCEAL_LIMIT_US: u32 = 100_000;
/// Without a packet for so long, a talkspurt has ended.
const TALKSPURT: Duration = Duration::from_millis(400);

/// A packet to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Packet {
    /// Sequence number.
    pub sequence: u16,
    /// Media time.
    pub media: u8,
    /// Frame length.
    pub length: FrameLength,
    /// First frame of a talkspurt.
    pub mark: bool,
    /// Last frame of a talkspurt.
    pub end: bool,
    /// Bytes of the payload; of one byte there is none.
    pub bytes: usize,
}

/// What a pull brought, without what it borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The frame of this extended number.
    Played(i64),
    /// The lost frame of this extended number.
    Recovered(i64),
    /// Something invented.
    Concealed,
    /// Nothing.
    Silent,
}

/// A pull's answer.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// What was heard.
    pub heard: Heard,
    /// How long it is, µs.
    pub length_us: u32,
    /// Whether it is to be stretched or shortened.
    pub pace: Pace,
}

#[derive(Debug)]
struct Frame {
    number: i64,
    length: FrameLength,
    payload: Vec<u8>,
}

/// What the ear believes of the counts.
#[derive(Debug, Default)]
struct Counts {
    received: u32,
    expected: u32,
    late: u32,
    duplicates: u32,
    played: u32,
    recovered: u32,
    concealed_us: u64,
    /// Frames that were kept and never heard although later ones were, and empty ones of which nobody can know.
    passed_over: u32,
    passed_over_empty: u32,
}

/// A playout, its memory, and what it may do.
#[derive(Debug)]
pub struct Ear {
    /// What is judged.
    pub playout: Playout,
    /// May be changed at any time, but for the size of a frame.
    pub config: PlayoutConfig,
    /// The time of the next call.
    pub now: Instant,
    memory: Vec<u8>,
    slots: usize,
    /// All that came and was no copy; a payload begins with its index.
    frames: Vec<Frame>,
    /// Which of them may still be heard, by rising number.
    waiting: Vec<usize>,
    /// Numbers that came, at least those of which a copy can still be told.
    came: Vec<i64>,
    /// Those of them that weren't kept: too late, or older than all that fill the memory. A later packet's copy of them may be heard.
    refused: Vec<i64>,
    newest: Option<(i64, Instant)>,
    /// Numbers that the newest talkspurt has left out before it.
    pause: std::ops::Range<i64>,
    /// No number up to this one may be heard any more.
    past: i64,
    talking: bool,
    concealed_in_a_row_us: u32,
    counts: Counts,
}

/// What the ear expects of a packet by its number alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Newest { number: i64, steps: u16, begins: bool },
    Older(i64),
    Copy,
    TooOld,
}

impl Ear {
    /// Makes a playout with room for so many frames.
    #[must_use]
    pub fn new(config: PlayoutConfig, slots: usize) -> Self {
        Self {
            playout: Playout::NEW,
            config,
            now: Instant::from_ms(1),
            memory: vec![0xEE; playout_bytes(config.frame_bytes.into(), slots)],
            slots: slots.min(64),
            frames: Vec::new(),
            waiting: Vec::new(),
            came: Vec::new(),
            refused: Vec::new(),
            newest: None,
            pause: 0..0,
            past: i64::MIN,
            talking: false,
            concealed_in_a_row_us: 0,
            counts: Counts::default(),
        }
    }

    /// Time passes.
    pub fn wait(&mut self, span: Duration) {
        self.now = self.now.after(span);
    }

    /// A packet comes.
    pub fn insert(&mut self, packet: Packet) -> Inserted {
        let place = self.place(packet);
        let payload = self.payload(packet.bytes);
        let incoming = Incoming {
            sequence: packet.sequence,
            media_time: packet.media,
            frame_length: packet.length,
            mark: packet.mark,
            end: packet.end,
            payload: &payload,
        };
        let inserted = self.playout.insert(self.now, &self.config, &mut self.memory, &incoming);
        if payload.len() > self.config.frame_bytes.into() || self.slots == 0 {
            assert_eq!(inserted, Inserted { dropped: Some(DropReason::TableFull), ..Inserted::default() });
            return inserted;
        }
        match place {
            Place::Copy => {
                self.counts.duplicates += 1;
                assert_eq!(inserted, Inserted { dropped: Some(DropReason::Duplicate), ..Inserted::default() });
            }
            Place::TooOld => {
                self.counts.late += 1;
                assert_eq!(inserted, Inserted { dropped: Some(DropReason::Late), ..Inserted::default() });
            }
            Place::Newest { number, .. } | Place::Older(number) => {
                self.accept(place, number);
                self.follow_talk(packet, inserted);
                self.keep(Frame { number, length: packet.length, payload }, inserted);
            }
        }
        self.check_counts();
        inserted
    }

    /// Sound is needed, heard after what is `queued`.
    pub fn pull(&mut self, queued: Duration) -> Answer {
        let pulled = self.playout.next_frame(self.now, queued, &self.config, &self.memory);
        let answer = Answer {
            heard: judge(&self.frames, &pulled, self.config.redundancy),
            length_us: pulled.length_us,
            pace: pulled.pace,
        };
        assert!((1_000..=60_000).contains(&answer.length_us), "{answer:?}");
        match answer.heard {
            Heard::Played(number) => self.on_played(number, answer),
            Heard::Recovered(number) => self.on_recovered(number, pulled_back(&pulled)),
            Heard::Concealed => self.on_concealed(answer.length_us),
            Heard::Silent => {}
        }
        if !matches!(answer.heard, Heard::Played(_)) {
            assert_eq!(answer.pace, Pace::Steady, "only what was said can be stretched");
        }
        if !self.playout.is_active() {
            self.concealed_in_a_row_us = 0;
            self.pass_over(i64::MAX);
            self.check_skipped();
        }
        self.check_target();
        self.check_counts();
        answer
    }

    /// The talkspurt may have ended.
    pub fn timeout(&mut self) {
        let over = self.talking && self.newest.is_some_and(|(_, at)| self.now >= at.after(TALKSPURT));
        assert_eq!(self.playout.handle_timeout(self.now), over, "a talkspurt ends 400 ms after its newest packet");
        self.talking &= !over;
        self.check_counts();
    }

    /// Nothing that came until now may be heard.
    pub fn silence(&mut self) {
        assert_eq!(self.playout.silence(), self.talking);
        assert!(!self.playout.is_active());
        self.talking = false;
        self.settle_skipped();
        self.waiting.clear();
        if let Some((newest, _)) = self.newest {
            self.past = self.past.max(newest);
        }
        self.concealed_in_a_row_us = 0;
        self.check_counts();
    }

    /// The number that a packet of the same speaker has next.
    #[must_use]
    pub fn next_number(&self) -> u16 {
        self.newest.map_or(0, |(number, _)| low16(number + 1))
    }

    /// Whether frames wait that can be heard.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.waiting.iter().any(|index| !self.frames[*index].payload.is_empty())
    }

    fn payload(&self, bytes: usize) -> Vec<u8> {
        if bytes < 2 {
            return Vec::new();
        }
        let index = u16::try_from(self.frames.len()).expect("a short run").to_be_bytes();
        (0..bytes).map(|at| if at < 2 { index[at] } else { index[1].wrapping_mul(31) ^ at.to_le_bytes()[0] }).collect()
    }

    fn place(&self, packet: Packet) -> Place {
        let other_length = packet.length != self.playout.frame_length();
        let Some((newest, at)) = self.newest else {
            return Place::Newest { number: packet.sequence.into(), steps: 1, begins: true };
        };
        let pause = self.now.since(at);
        let steps = packet.sequence.wrapping_sub(low16(newest));
        let ahead = i64::from(steps.cast_signed());
        let forgotten = pause >= Duration::from_secs(30);
        if ahead > 0 {
            let begins = packet.mark || other_length || pause >= TALKSPURT;
            return Place::Newest { number: newest + ahead, steps, begins };
        }
        match ahead {
            ..=-64 if forgotten => Place::Newest { number: newest + i64::from(steps), steps, begins: true },
            ..=-64 => Place::TooOld,
            _ if self.came.contains(&(newest + ahead)) => Place::Copy,
            _ => Place::Older(newest + ahead),
        }
    }

    fn accept(&mut self, place: Place, number: i64) {
        self.counts.received += 1;
        self.came.push(number);
        if let Place::Older(number) = place {
            // What comes out of a pause was not lost there.
            self.counts.expected += u32::from(self.pause.contains(&number));
        }
        if let Place::Newest { steps, begins, .. } = place {
            if begins {
                self.pause = self.newest.map_or(number - 64, |(newest, _)| newest + 1)..number;
            }
            self.newest = Some((number, self.now));
            self.counts.expected += if begins { 1 } else { u32::from(steps) };
            // Not every time: under a fuzzer each comparison is a call.
            if self.came.len() > 1_000 {
                self.came.retain(|came| *came > number - 64);
            }
        }
    }

    fn follow_talk(&mut self, packet: Packet, inserted: Inserted) {
        let newest = self.newest.is_some_and(|(number, _)| low16(number) == packet.sequence);
        assert_eq!(inserted.newest, newest);
        if !newest {
            assert!(!inserted.started && !inserted.stopped, "an older packet says nothing of now");
            return;
        }
        let started = !self.talking && packet.bytes >= 2;
        assert_eq!(inserted.started, started, "{packet:?}");
        assert_eq!(inserted.stopped, packet.end && (self.talking || started), "{packet:?}");
        self.talking = !packet.end && (self.talking || started);
    }

    fn keep(&mut self, frame: Frame, inserted: Inserted) {
        let number = frame.number;
        let lowest = self.lowest_sure();
        if let Some(reason) = inserted.dropped {
            assert_eq!(reason, DropReason::Late);
            assert!(!inserted.newest, "the newest packet is never late");
            assert!(lowest.is_none_or(|lowest| number < lowest), "{number} is between those that wait");
            self.counts.late += 1;
            self.refused.push(number);
            return;
        }
        assert!(number > self.past, "{number} is kept, but {} has passed", self.past);
        let index = self.frames.len();
        self.frames.push(frame);
        let at = self.waiting.partition_point(|index| self.frames[*index].number < number);
        self.waiting.insert(at, index);
    }

    fn on_played(&mut self, number: i64, answer: Answer) {
        let frame = self.frame_of(number);
        assert_eq!(answer.length_us, frame_us(frame.length), "a frame is as long as it was sent");
        assert!(number > self.past, "{number} is heard, but {} has passed", self.past);
        self.pass_over(number);
        self.check_skipped();
        self.waiting.remove(0);
        self.past = number;
        self.concealed_in_a_row_us = 0;
        self.counts.played += 1;
    }

    fn on_recovered(&mut self, number: i64, back: i64) {
        assert!(number > self.past, "{number} is recovered, but {} has passed", self.past);
        self.pass_over(number + back);
        let packet = self.frame_of(number + back);
        assert!(!packet.payload.is_empty(), "an end holds no copy");
        assert!(!self.came.contains(&number) || self.refused.contains(&number), "{number} had come");
        self.past = number;
        self.concealed_in_a_row_us = 0;
        self.counts.recovered += 1;
    }

    fn on_concealed(&mut self, length_us: u32) {
        self.concealed_in_a_row_us += length_us;
        assert!(self.concealed_in_a_row_us <= CONCEAL_LIMIT_US, "{} us in a row", self.concealed_in_a_row_us);
        self.counts.concealed_us += u64::from(length_us);
    }

    /// The lowest number of which it is sure that it waits.
    fn lowest_sure(&self) -> Option<i64> {
        let skipped = self.playout.stats().skipped.saturating_sub(self.counts.passed_over);
        let waiting = self.waiting.iter().map(|index| &self.frames[*index]);
        waiting.filter(|frame| !frame.payload.is_empty()).nth(skipped as usize).map(|frame| frame.number)
    }

    /// The waiting frame of a number; what doesn't wait mustn't sound.
    fn frame_of(&self, number: i64) -> &Frame {
        let waiting = self.waiting.iter().map(|index| &self.frames[*index]);
        waiting.into_iter().find(|frame| frame.number == number).expect("what is heard has waited")
    }

    /// What waits below this number will never be heard.
    fn pass_over(&mut self, below: i64) {
        let passed = self.waiting.partition_point(|index| self.frames[*index].number < below);
        for index in self.waiting.drain(..passed) {
            let frame = &self.frames[index];
            self.past = self.past.max(frame.number);
            let empty = frame.payload.is_empty();
            let count = if empty { &mut self.counts.passed_over_empty } else { &mut self.counts.passed_over };
            *count += 1;
        }
    }

    /// What was skipped were the lowest of those that waited.
    fn settle_skipped(&mut self) {
        let skipped = self.playout.stats().skipped.saturating_sub(self.counts.passed_over);
        let passed = self.waiting.len().min(skipped as usize);
        if let Some(last) = passed.checked_sub(1) {
            self.pass_over(self.frames[self.waiting[last]].number + 1);
        }
    }

    /// Every frame that waited below one that is heard was counted as skipped, and no other.
    fn check_skipped(&self) {
        let (skipped, counts) = (self.playout.stats().skipped, &self.counts);
        let most = counts.passed_over + counts.passed_over_empty;
        assert!((counts.passed_over..=most).contains(&skipped), "{skipped} skipped: {counts:?}");
    }

    fn check_target(&self) {
        let bound = Duration::from_secs(1);
        let least = self.config.min_delay.min(bound);
        let most = self.config.max_delay.min(bound).max(least) + Duration::from_millis(100);
        let target = Duration::from_micros(self.playout.stats().target_us.into());
        assert!(target <= most, "{target:?} of at most {most:?}");
    }

    fn check_counts(&self) {
        let (stats, counts) = (self.playout.stats(), &self.counts);
        assert_eq!(stats.received, counts.received);
        assert_eq!(stats.lost, counts.expected.saturating_sub(counts.received));
        assert_eq!((stats.late, stats.duplicates), (counts.late, counts.duplicates));
        assert_eq!((stats.played, stats.recovered), (counts.played, counts.recovered));
        assert_eq!(u64::from(stats.concealed_ms), counts.concealed_us / 1_000);
        assert_eq!(self.playout.is_talking(), self.talking);
        let due = self.newest.filter(|_| self.talking).map(|(_, at)| at.after(TALKSPURT));
        assert_eq!(self.playout.poll_timeout(), due);
        assert_eq!(self.playout.newest(), self.newest.map(|(number, _)| low16(number)));
        let kept = self.waiting.iter().filter(|index| !self.frames[**index].payload.is_empty()).count();
        let skipped = stats.skipped.saturating_sub(counts.passed_over) as usize;
        assert!(kept <= self.slots + skipped, "{kept} wait in {} slots", self.slots);
    }
}

/// Which frame it is that sounds, if it is one that was sent.
fn judge(frames: &[Frame], pulled: &Pulled<'_>, redundancy: u8) -> Heard {
    let number_of = |payload: &[u8]| {
        let index = payload.first_chunk().map(|index| u16::from_be_bytes(*index)).expect("a payload that was sent");
        let frame = frames.get(usize::from(index)).expect("a frame that was sent");
        assert_eq!(frame.payload, payload, "other bytes than were sent");
        frame.number
    };
    match pulled.sound {
        Sound::Play(payload) => Heard::Played(number_of(payload)),
        Sound::Recover { packet, back } => {
            assert!((1..=redundancy).contains(&back), "{back} frames back");
            Heard::Recovered(number_of(packet) - i64::from(back))
        }
        Sound::Conceal => Heard::Concealed,
        _ => Heard::Silent,
    }
}

fn pulled_back(pulled: &Pulled<'_>) -> i64 {
    match pulled.sound {
        Sound::Recover { back, .. } => back.into(),
        _ => 0,
    }
}

fn frame_us(length: FrameLength) -> u32 {
    u32::from(length.ms()) * 1_000
}

fn low16(number: i64) -> u16 {
    let [.., high, low] = number.to_be_bytes();
    u16::from_be_bytes([high, low])
}
