//! From packets that come when they like to sound without holes: one speaker's playout.
//!
//! [`Playout::insert`] takes packets as they come; [`Playout::next_frame`] is asked for sound whenever the listener needs some, with the time
//! at which it will be heard. The answer is a frame to play, one to recover from a later packet's redundancy, a frame to conceal or silence; and
//! whether the sound should be stretched or shortened on the way, by which the delay moves towards its target without waiting for a
//! pause. A listener that can't change the pace may ignore it: then the delay moves in pauses, and by skipping when it is far too long.
//!
//! Nothing is counted in pulls: where a frame belongs follows from its media time, the time at which it would be heard, and the smallest transit
//! time seen lately (`delay.rs`, which also learns the target). So a pull may come early, late or not at all.
//!
//! * Nothing has come for the next place: 10 ms are concealed, and the place is kept. A frame that was late is still played then, later.
//! * A number is missing, and a later one has come: it is lost. The last frames of the hole are recovered from the later packet, as far as it may reach, and what is before
//!   them is concealed, less what was concealed already while nothing was there: speech goes on in its time. Only if the delay is far from its target, the
//!   hole is made longer or shorter than what is missing.
//! * Media time jumped and no number is missing: the speaker was silent, and the delay moves freely.
//!
//! All is O(1) in time, and fixed in memory.

mod config;
mod delay;
mod hole;
mod reception;
mod slots;
#[cfg(test)]
mod tests;

use core::time::Duration;

pub use config::PlayoutConfig;
use delay::{Arrival, Delay};
use reception::{Placed, Reception};
pub use slots::playout_bytes;
use slots::{Slots, TIMELINES, Waiting};

use crate::types::{DropReason, FrameLength, Instant};

/// Without a packet for this long, a talkspurt has ended; section 8 of the protocol.
const TALKSPURT_TIMEOUT: Duration = Duration::from_millis(400);
/// What is concealed or silent at a time while waiting, µs.
const STEP_US: u32 = 10_000;
/// A beginning that is due within this time is due, µs: no answer is shorter.
const SOON_US: i32 = 2_500;
/// Off the target by less than this, the delay is left alone, µs.
const TOLERANCE_US: i32 = 10_000;
/// A hole is made longer, so that the delay reaches its target, up to this length, µs.
const HOLD_LIMIT_US: u32 = 60_000;
/// More than this isn't queued by who plays what it pulls; it counts as this much.
const LONGEST_QUEUE: Duration = Duration::from_millis(100);
/// Behind the target by more than this, frames are skipped, µs.
const SKIP_US: i32 = 300_000;

/// The parts of a voice packet that the playout needs.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// Sequence number.
    pub sequence: u16,
    /// Media time in frame lengths, modulo 256.
    pub media_time: u8,
    /// How much sound it is. Changes with a marked frame.
    pub frame_length: FrameLength,
    /// First frame of a talkspurt.
    pub mark: bool,
    /// Last frame of a talkspurt.
    pub end: bool,
    /// Payload; may be empty at an end.
    pub payload: &'a [u8],
}

/// What a packet did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inserted {
    /// The speaker has started to speak.
    pub started: bool,
    /// The speaker has stopped speaking.
    pub stopped: bool,
    /// No packet with a higher number came before.
    pub newest: bool,
    /// Why the frame will not be played, to be counted. It may have started or stopped the talkspurt all the same.
    pub dropped: Option<DropReason>,
}

/// What is to be heard of a speaker. May grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sound<'a> {
    /// Decode and play this payload.
    Play(&'a [u8]),
    /// A frame is missing, and a later packet has come that may hold a copy of it: recover it from there, or conceal it. The
    /// packet itself is played later.
    Recover {
        /// The later packet's payload.
        packet: &'a [u8],
        /// How many frames before the packet's own the missing one is: 1 is in the reach of Opus' in-band FEC.
        back: u8,
    },
    /// Nothing is there: let the decoder conceal this much.
    Conceal,
    /// The speaker is silent.
    Silence,
}

/// How the sound should be changed in time so that the delay nears its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As it is.
    Steady,
    /// Longer by at most so many microseconds.
    Stretch(u32),
    /// Shorter by at most so many microseconds.
    Shorten(u32),
}

/// What is to be heard next of one speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulled<'a> {
    /// Play, recover, conceal or be silent.
    pub sound: Sound<'a>,
    /// How much sound this is, µs: from 1 ms to one frame length.
    pub length_us: u32,
    /// Whether to stretch or shorten it.
    pub pace: Pace,
}

/// Statistics of one speaker since its slot was taken, as its listener sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpeakerStats {
    /// Packets received, each counted once.
    pub received: u32,
    /// Packets that never came; falls again when one comes late.
    pub lost: u32,
    /// Packets that came when something else had been played in their place.
    pub late: u32,
    /// Packets that came twice.
    pub duplicates: u32,
    /// Frames played.
    pub played: u32,
    /// Frames recovered from a later packet, as far as it held a copy.
    pub recovered: u32,
    /// Time concealed, ms.
    pub concealed_ms: u32,
    /// Frames that were received but skipped, because the buffer was full or the delay far too long.
    pub skipped: u32,
    /// By how much the listener has stretched sound when it was asked to, ms.
    pub stretched_ms: u32,
    /// By how much it has shortened sound, ms.
    pub shortened_ms: u32,
    /// The delay above the smallest transit time with which the last frame was played, µs.
    pub delay_us: u32,
    /// The delay aimed at, µs.
    pub target_us: u32,
    /// Interarrival jitter by RFC 3550, µs.
    pub jitter_us: u32,
    /// Loss of the last second, in 1/255.
    pub loss: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing to play.
    Idle,
    /// A talkspurt waits to be begun.
    Beginning,
    /// Being played.
    Running,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    late: u32,
    duplicates: u32,
    played: u32,
    recovered: u32,
    concealed_us: u64,
    skipped: u32,
    stretched_us: u32,
    shortened_us: u32,
}

/// The first frame that waits, and how much later than the smallest transit it would be played now, µs.
#[derive(Debug, Clone, Copy)]
struct Next<'m> {
    frame: Waiting,
    payload: &'m [u8],
    lateness: i32,
}

/// The playout of one speaker. Its waiting frames are in memory of [`playout_bytes`] that is handed to each call, always the same.
#[derive(Debug, Clone)]
pub struct Playout {
    frame_length: FrameLength,
    reception: Reception,
    delay: Delay,
    slots: Slots,
    phase: Phase,
    /// The number that is played next; lower ones have been played or given up.
    next: u64,
    /// No number below this one may be played any more, not even while a talkspurt waits to begin.
    floor: u64,
    /// The highest number put in a slot.
    highest: u64,
    /// Its media time; wraps.
    highest_media: u32,
    /// Media time of the next frame; wraps.
    media: u32,
    talking: bool,
    /// Counts the changes of the frame length, modulo 4: which timeline packets belong to, and which is heard.
    timeline: u8,
    playing: u8,
    /// The delay is on its way to the target.
    moving: bool,
    /// The hole at whose end the playout is: what has been concealed in it, and silent after 100 ms of that, µs, and how many lost frames have been left out for it.
    filled_us: u32,
    left_out: u16,
    delay_us: u32,
    target_us: u32,
    /// The most that was lately queued when a frame was pulled, µs.
    ahead_us: u32,
    /// When the sound of the last frame ends, µs, the low half, and by how much it was to be stretched, or, below 0, shortened.
    ends_us: u32,
    asked_us: i32,
    counts: Counts,
}

impl Playout {
    /// A speaker of whom nothing was heard, with frames of the usual length.
    pub const NEW: Self = Self {
        frame_length: FrameLength::Ms20,
        reception: Reception::EMPTY,
        delay: Delay::NEW,
        slots: Slots::EMPTY,
        phase: Phase::Idle,
        next: 0,
        floor: 0,
        highest: 0,
        highest_media: 0,
        media: 0,
        talking: false,
        timeline: 0,
        playing: 0,
        moving: false,
        filled_us: 0,
        left_out: 0,
        delay_us: 0,
        target_us: 0,
        ahead_us: 0,
        ends_us: 0,
        asked_us: 0,
        counts: Counts {
            late: 0,
            duplicates: 0,
            played: 0,
            recovered: 0,
            concealed_us: 0,
            skipped: 0,
            stretched_us: 0,
            shortened_us: 0,
        },
    };

    /// How long its frames are, by the newest packet.
    pub const fn frame_length(&self) -> FrameLength {
        self.frame_length
    }

    /// Whether a talkspurt is going on, as packets tell.
    pub fn is_talking(&self) -> bool {
        self.talking
    }

    /// Whether there is something to pull, now or soon.
    pub fn is_active(&self) -> bool {
        self.phase != Phase::Idle
    }

    /// When the newest packet came in.
    pub fn heard_at(&self) -> Option<Instant> {
        self.reception.heard_at()
    }

    /// The number of the newest packet.
    pub fn newest(&self) -> Option<u16> {
        self.reception.newest()
    }

    /// Statistics since the beginning.
    pub fn stats(&self) -> SpeakerStats {
        let ms = |us: u64| u32::try_from(us / 1_000).unwrap_or(u32::MAX);
        SpeakerStats {
            received: self.reception.received(),
            lost: self.reception.lost(),
            late: self.counts.late,
            duplicates: self.counts.duplicates,
            played: self.counts.played,
            recovered: self.counts.recovered,
            concealed_ms: ms(self.counts.concealed_us),
            skipped: self.counts.skipped,
            stretched_ms: self.counts.stretched_us / 1_000,
            shortened_ms: self.counts.shortened_us / 1_000,
            delay_us: self.delay_us,
            target_us: self.target_us,
            jitter_us: self.reception.jitter_us(),
            loss: self.reception.loss(),
        }
    }

    /// Takes a packet of this speaker, from whichever way it came. The same packet by two ways counts once.
    ///
    /// A payload longer than [`PlayoutConfig::frame_bytes`] is dropped.
    pub fn insert(
        &mut self,
        now: Instant,
        config: &PlayoutConfig,
        memory: &mut [u8],
        packet: &Incoming<'_>,
    ) -> Inserted {
        let frame_bytes = config.frame_bytes.into();
        if packet.payload.len() > frame_bytes || memory.len() < playout_bytes(frame_bytes, 1) {
            return Inserted::dropped(DropReason::TableFull);
        }
        let place = (packet.sequence, packet.media_time);
        let other_length = packet.frame_length != self.frame_length;
        let placed = match self.reception.accept(now, packet.frame_length, packet.mark || other_length, place) {
            Ok(placed) => placed,
            Err(reason) => return self.refuse(reason),
        };
        if other_length && placed.newest {
            self.change_length(packet.frame_length);
        }
        if packet.frame_length == self.frame_length {
            self.learn(now, config, placed, packet);
        }
        let mut inserted = if placed.newest { self.follow_talkspurt(packet) } else { Inserted::default() };
        if self.queue(memory, frame_bytes, placed, packet).is_none() {
            self.counts.late = self.counts.late.saturating_add(1);
            inserted.dropped = Some(DropReason::Late);
        }
        inserted
    }

    /// What is to be heard next of this speaker, of whom the listener has so much `queued` already: its first sample is heard that much
    /// after `now`.
    pub fn next_frame<'m>(
        &mut self,
        now: Instant,
        queued: Duration,
        config: &PlayoutConfig,
        memory: &'m [u8],
    ) -> Pulled<'m> {
        let queued = queued.min(LONGEST_QUEUE);
        let at = now.after(queued);
        self.follow_queue(queued);
        if self.asked_us != 0 {
            self.count_change(at);
        }
        let frame_bytes = config.frame_bytes.into();
        let target_us = self.delay.target_us(config).min(self.longest_delay_us(memory, frame_bytes));
        self.target_us = target_us.saturating_add(self.ahead_us);
        if self.phase == Phase::Idle {
            return self.silence_for(STEP_US);
        }
        match self.next_to_play(at, memory, frame_bytes) {
            None => self.pull_nothing(at),
            Some(next) => {
                let next = self.skip_old(at, memory, frame_bytes, next);
                self.pull(at, config, next)
            }
        }
    }

    /// Ends everything that goes on and gives up what waits; packets up to the newest one are too late from now on. `true` if a
    /// talkspurt ended.
    pub fn silence(&mut self) -> bool {
        self.phase = Phase::Idle;
        self.slots.clear();
        self.next = self.floor.max(self.highest.wrapping_add(1));
        self.floor = self.next;
        core::mem::replace(&mut self.talking, false)
    }

    /// Ends a talkspurt of which nothing was heard for too long; `true` if it ended now.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        let over = self.poll_timeout().is_some_and(|at| now >= at);
        if over {
            self.talking = false;
        }
        over
    }

    /// When the talkspurt ends if nothing more comes.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let at = self.reception.heard_at()?;
        self.talking.then(|| at.after(TALKSPURT_TIMEOUT))
    }

    /// A packet is needed when it is pulled, and not when it is heard: what is usually queued then comes on top of the delay.
    fn follow_queue(&mut self, queued: Duration) {
        let queued_us = u32::try_from(queued.as_micros()).unwrap_or(0);
        self.ahead_us = queued_us.max(self.ahead_us - self.ahead_us / 64);
    }

    /// Whoever plays without a hole needs the next sound when the last ends: what comes between is stretched or shortened.
    fn count_change(&mut self, at: Instant) {
        let change = low32(at.as_us()).wrapping_sub(self.ends_us).cast_signed();
        let (count, asked) = if self.asked_us > 0 {
            (&mut self.counts.stretched_us, self.asked_us)
        } else {
            (&mut self.counts.shortened_us, self.asked_us.saturating_neg())
        };
        let change = if self.asked_us > 0 { change } else { change.saturating_neg() };
        *count = count.saturating_add(change.clamp(0, asked).unsigned_abs());
        self.asked_us = 0;
    }

    fn refuse(&mut self, reason: DropReason) -> Inserted {
        let count = match reason {
            DropReason::Duplicate => &mut self.counts.duplicates,
            _ => &mut self.counts.late,
        };
        *count = count.saturating_add(1);
        Inserted::dropped(reason)
    }

    /// Media time is counted in frame lengths: it begins anew.
    fn change_length(&mut self, frame_length: FrameLength) {
        self.frame_length = frame_length;
        self.timeline = (self.timeline + 1) % TIMELINES;
        self.delay.restart();
    }

    fn learn(&mut self, now: Instant, config: &PlayoutConfig, placed: Placed, packet: &Incoming<'_>) {
        if packet.payload.is_empty() {
            return;
        }
        let arrival = match placed {
            Placed { newest: false, .. } => Arrival::Overtaken,
            Placed { pause: true, .. } => Arrival::Begin,
            Placed { missing, .. } => Arrival::Next { missing },
        };
        self.delay.learn(now, self.frame_length, placed.media, arrival, config);
    }

    fn follow_talkspurt(&mut self, packet: &Incoming<'_>) -> Inserted {
        let was_talking = self.talking;
        let started = !was_talking && !packet.payload.is_empty();
        self.talking = !packet.end && (was_talking || started);
        Inserted { started, stopped: packet.end && (was_talking || started), newest: true, dropped: None }
    }

    /// Keeps a frame for its time; `None` if that has passed.
    fn queue(&mut self, memory: &mut [u8], frame_bytes: usize, placed: Placed, packet: &Incoming<'_>) -> Option<()> {
        if placed.sequence < self.floor {
            return None;
        }
        if self.phase == Phase::Idle {
            if packet.payload.is_empty() {
                self.pass(placed.sequence);
                return Some(());
            }
            self.begin(placed, packet.mark);
        }
        if placed.sequence < self.next {
            // The first to come of a talkspurt need not be the first of it.
            if self.phase != Phase::Beginning {
                return None;
            }
            self.begin(placed, packet.mark);
        }
        self.make_room(memory, frame_bytes, placed.sequence)?;
        if placed.sequence > self.highest {
            (self.highest, self.highest_media) = (placed.sequence, placed.media);
        }
        let frame = Waiting {
            sequence: placed.sequence,
            media: placed.media,
            mark: packet.mark,
            end: packet.end,
            length: packet.frame_length,
            timeline: if packet.frame_length == self.frame_length { self.timeline } else { before(self.timeline) },
        };
        self.slots.put(memory, frame_bytes, frame, packet.payload)
    }

    /// A talkspurt is to begin with this frame. Nothing before a marked one belongs to it.
    fn begin(&mut self, placed: Placed, mark: bool) {
        self.phase = Phase::Beginning;
        self.next = placed.sequence;
        self.media = placed.media;
        (self.filled_us, self.left_out) = (0, 0);
        self.moving = false;
        if mark {
            self.floor = self.next;
        }
    }

    /// Gives up the oldest frames until there is a slot for this one; `None` if it is older than all that wait.
    fn make_room(&mut self, memory: &[u8], frame_bytes: usize, sequence: u64) -> Option<()> {
        while !self.slots.has_room(memory, frame_bytes, sequence) {
            let (first, _) = self.slots.first(memory, frame_bytes)?;
            if first.sequence > sequence {
                return None;
            }
            self.skip(first);
        }
        Some(())
    }

    /// Gives up the first frame that waits.
    fn skip(&mut self, first: Waiting) {
        self.slots.drop_first();
        self.counts.skipped = self.counts.skipped.saturating_add(1);
        self.pass(first.sequence);
        self.media = first.media.wrapping_add(1);
    }

    fn next_to_play<'m>(&self, at: Instant, memory: &'m [u8], frame_bytes: usize) -> Option<Next<'m>> {
        let (frame, payload) = self.slots.first(memory, frame_bytes)?;
        Some(Next { frame, payload, lateness: self.lateness(at, frame) })
    }

    /// When the delay is much too long, what makes it so is given up, as far as newer frames wait. Where a talkspurt begins nothing is.
    fn skip_old<'m>(&mut self, at: Instant, memory: &'m [u8], frame_bytes: usize, first: Next<'m>) -> Next<'m> {
        let mut first = first;
        let half = (self.frame_us() / 2).cast_signed();
        let concealed = self.filled_us > 0;
        if self.excess(&first) <= if concealed { half } else { SKIP_US } {
            return first;
        }
        while self.excess(&first) > half && self.slots.count() > 1 {
            self.skip(first.frame);
            let Some(next) = self.next_to_play(at, memory, frame_bytes) else { break };
            first = next;
        }
        first
    }

    fn pull<'m>(&mut self, at: Instant, config: &PlayoutConfig, next: Next<'m>) -> Pulled<'m> {
        let first = next.frame;
        let early = self.target().saturating_sub(next.lateness);
        let missing = first.sequence.wrapping_sub(self.next);
        let ahead = first.media.wrapping_sub(self.media).cast_signed();
        let silent = i64::from(ahead) > i64::try_from(missing).unwrap_or(i64::MAX);
        let other_timeline = first.timeline != self.playing;
        let begins = self.phase == Phase::Beginning || other_timeline || (silent && (missing == 0 || first.mark));
        if begins {
            if early >= SOON_US {
                return self.silence_for(early.unsigned_abs().min(STEP_US));
            }
        } else if missing > 0 {
            let hole_us = self.hole_us(ahead, early);
            if hole_us >= SOON_US {
                return self.fill(config, missing, hole_us.unsigned_abs(), next.payload);
            }
        } else if early >= TOLERANCE_US && (1..HOLD_LIMIT_US).contains(&self.filled_us) {
            // One longer hole now is heard less than another one soon.
            return self.conceal_for(early.unsigned_abs().min(STEP_US));
        }
        self.play(at, next)
    }

    fn play<'m>(&mut self, at: Instant, next: Next<'m>) -> Pulled<'m> {
        let Next { frame, payload, lateness } = next;
        let excess = self.excess(&next);
        let short_by = self.target().saturating_sub(lateness);
        self.delay_us = u32::try_from(lateness).unwrap_or(0);
        self.phase = Phase::Running;
        self.playing = frame.timeline;
        self.pass(frame.sequence);
        self.media = frame.media.wrapping_add(1);
        self.slots.drop_first();
        if frame.end && self.slots.is_empty() {
            self.phase = Phase::Idle;
        }
        if payload.is_empty() {
            return self.silence_for(STEP_US);
        }
        (self.filled_us, self.left_out) = (0, 0);
        self.counts.played = self.counts.played.saturating_add(1);
        let pace = self.pace(excess, short_by);
        let length_us = frame.length.us_u32();
        self.asked_us = match pace {
            Pace::Steady => 0,
            Pace::Stretch(us) => us.cast_signed(),
            Pace::Shorten(us) => us.cast_signed().saturating_neg(),
        };
        self.ends_us = low32(at.as_us()).wrapping_add(length_us);
        Pulled { sound: Sound::Play(payload), length_us, pace }
    }

    /// A small difference isn't worth a change; once it is made, it is made wholly.
    fn pace(&mut self, excess: i32, short_by: i32) -> Pace {
        let tolerance = if self.moving { SOON_US } else { TOLERANCE_US };
        self.moving = true;
        if excess > tolerance + if tolerance == SOON_US { 0 } else { self.target() / 8 } {
            return Pace::Shorten(excess.unsigned_abs());
        }
        if short_by > tolerance {
            return Pace::Stretch(short_by.unsigned_abs());
        }
        self.moving = false;
        Pace::Steady
    }

    /// Nothing has come for this place or any later one: a pause, or the network failed for longer than the delay. What is
    /// heard is the same at first: a concealment that fades out.
    fn pull_nothing<'m>(&mut self, at: Instant) -> Pulled<'m> {
        let silent_for = self.heard_at().map(|heard_at| at.since(heard_at));
        if !self.talking || silent_for.is_none_or(|span| span >= TALKSPURT_TIMEOUT) {
            self.phase = Phase::Idle;
            return self.silence_for(STEP_US);
        }
        self.conceal_for(STEP_US)
    }

    fn silence_for<'m>(&self, length_us: u32) -> Pulled<'m> {
        Pulled { sound: Sound::Silence, length_us, pace: Pace::Steady }
    }

    /// By how much a frame of this lateness would be played later than aimed at, as far as newer frames wait to catch up with, µs.
    fn excess(&self, next: &Next<'_>) -> i32 {
        let newer = self.highest_media.wrapping_sub(next.frame.media).cast_signed();
        let waiting = newer.saturating_mul(self.frame_us().cast_signed());
        next.lateness.saturating_sub(self.target()).min(waiting.max(0))
    }

    /// A frame of a timeline before this one, or of one in which no sound has come, is neither early nor late.
    fn lateness(&self, at: Instant, frame: Waiting) -> i32 {
        if frame.timeline != self.timeline || !self.delay.has_begun() {
            return self.target();
        }
        self.delay.lateness(at, self.frame_length, frame.media)
    }

    /// With a longer delay the memory would be full before a frame is due: all would be skipped.
    fn longest_delay_us(&self, memory: &[u8], frame_bytes: usize) -> u32 {
        let frames = slots::count(memory, frame_bytes).saturating_sub(1);
        u32::try_from(frames).unwrap_or(u32::MAX).saturating_mul(self.frame_us())
    }

    fn target(&self) -> i32 {
        i32::try_from(self.target_us).unwrap_or(i32::MAX)
    }

    fn frame_us(&self) -> u32 {
        self.frame_length.us_u32()
    }

    fn pass(&mut self, sequence: u64) {
        self.next = sequence.wrapping_add(1);
        self.floor = self.next;
    }
}

/// The timeline before.
const fn before(timeline: u8) -> u8 {
    (timeline + TIMELINES - 1) % TIMELINES
}

fn low32(us: u64) -> u32 {
    let [.., a, b, c, d] = us.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

impl Inserted {
    fn dropped(reason: DropReason) -> Self {
        Self { dropped: Some(reason), ..Self::default() }
    }
}
