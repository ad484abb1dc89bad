//! From packets that come when they like to frames that the audio clock pulls.
//!
//! Each speaker has a timeline of frame lengths. The first packet of a talkspurt lays it down: that frame is played a fixed
//! delay after it came. Every pull moves one frame length on, and what lies there decides: a frame is played; a sequence number
//! that is missing is concealed; where media time jumped and no number is missing, the speaker was silent.
//! A frame that comes after its place has passed is late and dropped. When the clocks of speaker and listener drift
//! apart, the timeline is laid anew: at the next talkspurt, or at once when a bound is passed.
//!
//! An adaptive delay fits in where the timeline is laid: nothing else knows the delay.

mod merge;
mod reception;
mod slots;
#[cfg(test)]
mod tests;

use core::time::Duration;

use heapless::Vec;

use crate::types::{ChannelOptions, DropReason, FrameLength, Instant, Priority, Target};

pub(crate) use merge::Merged;
use reception::{Placed, Reception};
pub use slots::playout_bytes;
use slots::{Slots, Waiting};

/// Without a packet for this long, a talkspurt has ended; section 8 of the protocol.
const TALKSPURT_TIMEOUT: Duration = Duration::from_millis(400);
/// Frames concealed in a row at most: more than that sounds worse than silence.
const CONCEAL_LIMIT: u8 = 5;
/// Frames in a row that may be late before the timeline is laid anew.
const LATE_LIMIT: u8 = 3;
/// How much longer than the delay a frame may wait before the timeline is moved on, in microseconds.
const SLACK_US: u64 = 100_000;
/// From this loss on (1/255), a place where nothing has come yet is taken for loss and not for silence.
const ROUGH_LOSS: u8 = 3;
/// Channels of one packet at most.
const MAX_CHANNELS: usize = 8;

/// How frames are kept and delayed: the same for all speakers of a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// From the arrival of a talkspurt's first frame until it is played.
    pub(crate) delay: Duration,
    /// Bytes of the longest payload that is taken.
    pub(crate) frame_bytes: usize,
}

/// The parts of a voice packet that the playout needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incoming<'a> {
    /// Sequence number.
    pub(crate) sequence: u16,
    /// Media time in frame lengths, modulo 256.
    pub(crate) media_time: u8,
    /// First frame of a talkspurt.
    pub(crate) mark: bool,
    /// Last frame of a talkspurt.
    pub(crate) end: bool,
    /// Payload; may be empty at an end.
    pub(crate) payload: &'a [u8],
}

/// What a packet did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Inserted {
    /// The speaker has started to speak.
    pub(crate) started: bool,
    /// The speaker has stopped speaking.
    pub(crate) stopped: bool,
    /// Why the frame will not be played, to be counted. It may have started or stopped the talkspurt all the same.
    pub(crate) dropped: Option<DropReason>,
}

/// What is to be heard of a speaker for one frame length. May grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sound<'a> {
    /// Decode and play this payload.
    Play(&'a [u8]),
    /// A frame is missing: let the decoder conceal it.
    Conceal,
    /// The speaker is silent.
    Silence,
}

/// Statistics of one speaker since its slot was taken, as its listener sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpeakerStats {
    /// Packets received, each counted once.
    pub received: u32,
    /// Packets that never came; falls again when one comes late.
    pub lost: u32,
    /// Packets that came when their time had passed.
    pub late: u32,
    /// Packets that came twice.
    pub duplicates: u32,
    /// Frames concealed.
    pub concealed: u32,
    /// Frames that were received but skipped, because the buffer was full or the clocks had drifted apart.
    pub skipped: u32,
    /// Interarrival jitter by RFC 3550, µs.
    pub jitter_us: u32,
    /// Loss of the last second, in 1/255.
    pub loss: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No timeline.
    Idle,
    /// The timeline begins at the first pull from then on.
    Starting(Instant),
    /// Every pull moves on.
    Running,
}

/// The playout of one speaker. Its waiting frames are in a slice of [`playout_bytes`] that is handed to each call.
#[derive(Debug, Clone)]
pub(crate) struct Speaker {
    frame_length: FrameLength,
    reception: Reception,
    slots: Slots,
    phase: Phase,
    /// The number that is played next; lower ones have been played or given up.
    next: u64,
    /// No number below this one may be played any more, not even while a timeline starts.
    floor: u64,
    /// The highest number put in a slot.
    highest: u64,
    /// Media time of the next pull; wraps.
    position: u32,
    talking: bool,
    concealed_in_a_row: u8,
    late_in_a_row: u8,
    late: u32,
    duplicates: u32,
    concealed: u32,
    skipped: u32,
    channels: Vec<(Target, ChannelOptions), MAX_CHANNELS>,
    /// What channels without a priority have.
    own_default: Priority,
    /// The channels as one voice: asked for at every pull, and seldom another.
    merged: Merged,
}

impl Speaker {
    /// A speaker of whom nothing was heard, with frames of the usual length.
    pub(crate) const EMPTY: Self = Self {
        frame_length: FrameLength::Ms20,
        reception: Reception::EMPTY,
        slots: Slots::EMPTY,
        phase: Phase::Idle,
        next: 0,
        floor: 0,
        highest: 0,
        position: 0,
        talking: false,
        concealed_in_a_row: 0,
        late_in_a_row: 0,
        late: 0,
        duplicates: 0,
        concealed: 0,
        skipped: 0,
        channels: Vec::new(),
        own_default: Priority::None,
        merged: Merged::NOTHING,
    };

    /// The length of the speaker's frames.
    pub(crate) const fn frame_length(&self) -> FrameLength {
        self.frame_length
    }

    /// Sets the length of the speaker's frames.
    pub(crate) fn set_frame_length(&mut self, frame_length: FrameLength) {
        self.frame_length = frame_length;
    }

    /// Whether a talkspurt is going on, as packets tell.
    pub(crate) fn is_talking(&self) -> bool {
        self.talking
    }

    /// Whether there is something to pull, now or soon.
    pub(crate) fn is_active(&self) -> bool {
        self.phase != Phase::Idle
    }

    /// When the newest packet came in.
    pub(crate) fn heard_at(&self) -> Option<Instant> {
        self.reception.heard_at()
    }

    /// The number of the newest packet.
    pub(crate) fn newest(&self) -> Option<u16> {
        self.reception.newest()
    }

    /// The channels of the newest packet.
    pub(crate) fn channels(&self) -> &[(Target, ChannelOptions)] {
        &self.channels
    }

    /// The channels of the newest packet as one voice.
    pub(crate) const fn merged(&self) -> Merged {
        self.merged
    }

    /// Sets the priority of channels that have none.
    pub(crate) fn set_own_default(&mut self, own_default: Priority) {
        if self.own_default != own_default {
            self.own_default = own_default;
            self.merged = Merged::of(&self.channels, own_default);
        }
    }

    fn set_channels(&mut self, channels: &[(Target, ChannelOptions)]) {
        if self.channels != channels {
            self.channels = channels.iter().copied().take(MAX_CHANNELS).collect();
            self.merged = Merged::of(&self.channels, self.own_default);
        }
    }

    /// Statistics since the slot was taken.
    pub(crate) fn stats(&self) -> SpeakerStats {
        SpeakerStats {
            received: self.reception.received(),
            lost: self.reception.lost(),
            late: self.late,
            duplicates: self.duplicates,
            concealed: self.concealed,
            skipped: self.skipped,
            jitter_us: self.reception.jitter_us(),
            loss: self.reception.loss(),
        }
    }

    /// Takes a packet of this speaker, from whichever way it came. The same packet by two ways counts once.
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        settings: Settings,
        memory: &mut [u8],
        packet: &Incoming<'_>,
        channels: &[(Target, ChannelOptions)],
    ) -> Inserted {
        if packet.payload.len() > settings.frame_bytes || self.slots(settings, memory) == 0 {
            return Inserted::dropped(DropReason::TableFull);
        }
        let place = (packet.sequence, packet.media_time);
        let accepted = self.reception.accept(now, self.frame_length, packet.mark, place);
        let placed = match accepted {
            Ok(placed) => placed,
            Err(reason) => return self.refuse(reason),
        };
        let mut inserted = Inserted::default();
        if placed.newest {
            self.set_channels(channels);
            inserted = self.follow_talkspurt(packet);
        }
        if self.queue(now, settings, memory, placed, packet).is_none() {
            self.late = self.late.saturating_add(1);
            inserted.dropped = Some(DropReason::Late);
        }
        inserted
    }

    /// What is to be heard for the next frame length. Every call moves one frame length on, whenever it comes.
    pub(crate) fn next_frame<'m>(&mut self, now: Instant, settings: Settings, memory: &'m [u8]) -> Sound<'m> {
        let waiting = match self.phase {
            Phase::Idle => true,
            Phase::Starting(at) => now < at,
            Phase::Running => false,
        };
        if waiting {
            self.concealed_in_a_row = 0;
            return Sound::Silence;
        }
        self.phase = Phase::Running;
        let sound = match self.first(settings, memory) {
            None => self.pull_nothing(now, settings),
            Some(first) if self.lead(first.media) <= 0 => self.pull_frame(settings, memory, first),
            Some(first) => self.pull_gap(first),
        };
        self.position = self.position.wrapping_add(1);
        self.count(sound);
        sound
    }

    /// Ends everything that goes on and gives up what waits; packets up to the newest one are too late from now on. `true` if a
    /// talkspurt ended.
    pub(crate) fn silence(&mut self) -> bool {
        self.phase = Phase::Idle;
        self.slots = Slots::EMPTY;
        self.next = self.highest.wrapping_add(1);
        self.floor = self.next;
        core::mem::replace(&mut self.talking, false)
    }

    /// Ends a talkspurt of which nothing was heard for too long; `true` if it ended now.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let over = self.poll_timeout().is_some_and(|at| now >= at);
        if over {
            self.talking = false;
        }
        over
    }

    /// When the talkspurt ends if nothing more comes.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let at = self.reception.heard_at()?;
        self.talking.then(|| at.after(TALKSPURT_TIMEOUT))
    }

    fn refuse(&mut self, reason: DropReason) -> Inserted {
        let count = match reason {
            DropReason::Duplicate => &mut self.duplicates,
            _ => &mut self.late,
        };
        *count = count.saturating_add(1);
        Inserted::dropped(reason)
    }

    fn follow_talkspurt(&mut self, packet: &Incoming<'_>) -> Inserted {
        let was_talking = self.talking;
        self.talking = !packet.end;
        let started = !was_talking && !packet.payload.is_empty();
        Inserted { started, stopped: packet.end && (was_talking || started), dropped: None }
    }

    /// Finds a place on the timeline; `None` if it has passed.
    fn queue(
        &mut self,
        now: Instant,
        settings: Settings,
        memory: &mut [u8],
        placed: Placed,
        packet: &Incoming<'_>,
    ) -> Option<()> {
        if placed.sequence < self.floor {
            return None;
        }
        let empty = packet.payload.is_empty();
        match self.phase {
            Phase::Idle if empty => {
                self.next = placed.sequence.wrapping_add(1);
                self.floor = self.next;
                return Some(());
            }
            Phase::Idle => self.start(now, settings, placed, packet.mark),
            Phase::Running if packet.mark && self.slots.is_empty() && !empty => {
                self.start(now, settings, placed, true);
            }
            Phase::Running => self.fit_running(now, settings, placed, packet)?,
            Phase::Starting(at) => {
                let slots = self.slots(settings, memory);
                self.fit_starting(now, settings, slots, placed, at)?;
            }
        }
        self.limit_wait(settings, memory, placed);
        self.make_room(settings, memory, placed.sequence)?;
        self.highest = self.highest.max(placed.sequence);
        let frame = Waiting { sequence: placed.sequence, media: placed.media, mark: packet.mark, end: packet.end };
        self.late_in_a_row = 0;
        self.slots.put(memory, settings.frame_bytes, frame, packet.payload)
    }

    /// Lays a timeline: this frame is played after the delay. Nothing before a marked frame belongs to it.
    fn start(&mut self, now: Instant, settings: Settings, placed: Placed, mark: bool) {
        self.phase = Phase::Starting(now.after(settings.delay));
        self.next = placed.sequence;
        self.position = placed.media;
        if mark {
            self.floor = self.next;
        }
    }

    fn fit_running(&mut self, now: Instant, settings: Settings, placed: Placed, packet: &Incoming<'_>) -> Option<()> {
        if placed.sequence < self.next {
            return None;
        }
        if self.lead(placed.media) >= 0 || packet.payload.is_empty() {
            return Some(());
        }
        self.late_in_a_row = self.late_in_a_row.saturating_add(1);
        if !self.slots.is_empty() {
            return None;
        }
        if self.late_in_a_row < LATE_LIMIT {
            self.next = placed.sequence.wrapping_add(1);
            self.floor = self.next;
            return None;
        }
        self.start(now, settings, placed, packet.mark);
        Some(())
    }

    /// A frame from before the first one moves the beginning of the timeline, if it isn't too old for that.
    fn fit_starting(
        &mut self,
        now: Instant,
        settings: Settings,
        slots: u64,
        placed: Placed,
        at: Instant,
    ) -> Option<()> {
        if placed.sequence >= self.next {
            return Some(());
        }
        let back = u64::from(self.position.wrapping_sub(placed.media));
        let earlier = Duration::from_micros(back.saturating_mul(self.frame_length.us()));
        if earlier > settings.delay || self.highest.wrapping_sub(placed.sequence) >= slots {
            return None;
        }
        self.next = placed.sequence;
        self.position = placed.media;
        self.phase = Phase::Starting(at.before(earlier).max(now));
        Some(())
    }

    /// Moves the timeline on when a frame would wait much longer than the delay: pulls come too slowly, or have stopped.
    fn limit_wait(&mut self, settings: Settings, memory: &[u8], placed: Placed) {
        let delay_us = u64::try_from(settings.delay.as_micros()).unwrap_or(u64::MAX);
        let longest = self.frames_in(delay_us.saturating_add(SLACK_US));
        if self.lead(placed.media) <= longest {
            return;
        }
        let ahead = u32::try_from(self.frames_in(delay_us)).unwrap_or(0);
        self.position = placed.media.wrapping_sub(ahead);
        while let Some(first) = self.first(settings, memory)
            && first.sequence < placed.sequence
            && self.lead(first.media) < 0
        {
            self.skip(settings, memory, first.sequence);
        }
    }

    /// Gives the oldest frame up if there is no slot free; `None` if this one is older than all that wait.
    fn make_room(&mut self, settings: Settings, memory: &[u8], sequence: u64) -> Option<()> {
        if !self.slots.is_full(memory, settings.frame_bytes) {
            return Some(());
        }
        let Some(first) = self.first(settings, memory) else {
            // Full of what has passed already.
            self.slots = Slots::EMPTY;
            return Some(());
        };
        if first.sequence > sequence {
            return None;
        }
        self.skip(settings, memory, first.sequence);
        Some(())
    }

    fn skip(&mut self, settings: Settings, memory: &[u8], sequence: u64) {
        self.slots.take(memory, settings.frame_bytes, sequence);
        self.skipped = self.skipped.saturating_add(1);
        self.pass(sequence);
    }

    fn pull_frame<'m>(&mut self, settings: Settings, memory: &'m [u8], frame: Waiting) -> Sound<'m> {
        self.pass(frame.sequence);
        self.concealed_in_a_row = 0;
        let payload = self.slots.take(memory, settings.frame_bytes, frame.sequence);
        if frame.end && self.slots.is_empty() {
            self.phase = Phase::Idle;
        }
        match payload {
            Some(payload) if !payload.is_empty() => Sound::Play(payload),
            _ => Sound::Silence,
        }
    }

    /// Before `first`, something is missing or was never said. What is missing is taken to be the earlier part of the gap;
    /// but before a marked frame silence is certain, and the missing numbers may have been for others.
    fn pull_gap<'m>(&mut self, first: Waiting) -> Sound<'m> {
        let missing = first.sequence.wrapping_sub(self.next);
        let lead = u64::from(self.lead(first.media).unsigned_abs());
        if missing == 0 || (first.mark && lead > missing) {
            self.next = first.sequence;
            self.floor = self.next;
            self.concealed_in_a_row = 0;
            return Sound::Silence;
        }
        self.pass(self.next);
        self.conceal()
    }

    /// Nothing has come for this place or any later one: a pause, or the network failed for longer than the delay.
    /// A network that loses or shakes much gets the benefit of the doubt: a pause that is concealed is hardly heard, a hole in a word is.
    fn pull_nothing<'m>(&mut self, now: Instant, settings: Settings) -> Sound<'m> {
        let silent_for = self.heard_at().map(|at| now.since(at));
        if !self.talking || silent_for.is_none_or(|span| span >= TALKSPURT_TIMEOUT) {
            self.phase = Phase::Idle;
            return Sound::Silence;
        }
        let jitter = Duration::from_micros(u64::from(self.reception.jitter_us()) * 4);
        if self.reception.loss() >= ROUGH_LOSS || jitter > settings.delay {
            return self.conceal();
        }
        Sound::Silence
    }

    fn conceal<'m>(&mut self) -> Sound<'m> {
        if self.concealed_in_a_row >= CONCEAL_LIMIT {
            return Sound::Silence;
        }
        self.concealed_in_a_row += 1;
        Sound::Conceal
    }

    fn count(&mut self, sound: Sound<'_>) {
        if sound == Sound::Conceal {
            self.concealed = self.concealed.saturating_add(1);
        }
    }

    fn pass(&mut self, sequence: u64) {
        self.next = sequence.wrapping_add(1);
        self.floor = self.next;
    }

    fn first(&self, settings: Settings, memory: &[u8]) -> Option<Waiting> {
        self.slots.first(memory, settings.frame_bytes, self.next)
    }

    fn slots(&self, settings: Settings, memory: &[u8]) -> u64 {
        u64::try_from(slots::count(memory, settings.frame_bytes)).unwrap_or(0)
    }

    /// How many frame lengths this media time is ahead of the next pull.
    fn lead(&self, media: u32) -> i32 {
        let ahead = media.wrapping_sub(self.position);
        i32::from_ne_bytes(ahead.to_ne_bytes())
    }

    fn frames_in(&self, us: u64) -> i32 {
        i32::try_from(us / self.frame_length.us()).unwrap_or(i32::MAX)
    }
}

impl Inserted {
    fn dropped(reason: DropReason) -> Self {
        Self { dropped: Some(reason), ..Self::default() }
    }
}
