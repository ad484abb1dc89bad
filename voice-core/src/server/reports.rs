//! What listeners report of a speaker, condensed to one summary: docs/PROTOCOL.md, section 5.1.
//!
//! Nothing is kept per listener. A speaker's seat counts how many listeners are at most how badly off, by eight steps for each measure; a
//! listener counts once between two summaries, which one bit of 64 remembers. Of a larger audience 64 are a sample that changes each time.

use super::{
    engine::{Engine, REPORT_RATE},
    memory::has_bit,
};
use crate::{
    storage::rate::Bucket,
    types::{ConnectionId, DropReason, Instant},
    wire::{FEATURE_REPORTS, Hearing, Packet, Report, ReportEntry, Summary, limits::SUMMARY_INTERVAL},
};

const STEPS: usize = 8;
/// The steps of loss and late, in 1/255: none, 1, 2, 5, 10, 20, 40 and 100 %.
const LOSS_STEPS: [u8; STEPS] = [0, 3, 5, 13, 26, 51, 102, 255];
/// In ms.
const JITTER_STEPS: [u8; STEPS] = [1, 2, 5, 10, 20, 50, 100, 255];
/// In 4 ms: 40 ms to over a second.
const DELAY_STEPS: [u8; STEPS] = [10, 15, 20, 30, 45, 70, 120, 255];
/// In 4 ms: 12 ms, below which drift and noise are, to over a second.
const GROWTH_STEPS: [u8; STEPS] = [3, 6, 9, 12, 18, 36, 90, 255];
/// Votes older than so many summary intervals say nothing any more.
const STALE_INTERVALS: u32 = 3;
/// From so many reports on, at least one listener is passed over.
const A_TENTH_IS_ONE: u8 = 10;

/// How many listeners are at each step of one measure.
#[derive(Debug, Clone, Copy)]
struct Histogram([u8; STEPS]);

impl Histogram {
    const EMPTY: Self = Self([0; STEPS]);

    fn add(&mut self, steps: &[u8; STEPS], value: u8) {
        let step = steps.iter().position(|step| value <= *step).unwrap_or(STEPS - 1);
        if let Some(count) = self.0.get_mut(step) {
            *count = count.saturating_add(1);
        }
    }

    /// The highest step that is reached when the `passed_over` worst are left out.
    fn worst(&self, steps: &[u8; STEPS], passed_over: u8) -> u8 {
        let mut left = passed_over;
        for (count, step) in self.0.iter().zip(steps).rev() {
            if *count > left {
                return *step;
            }
            left -= *count;
        }
        0
    }
}

/// Reports of a speaker since its last summary, and that summary until it is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reports {
    /// Of the reports that this client itself sends.
    pub(super) rate: Bucket,
    /// The last summary, or the first report after a while.
    since: Instant,
    /// Bit i: the listener of that bit has counted.
    counted: u64,
    loss: Histogram,
    late: Histogram,
    jitter: Histogram,
    delay: Histogram,
    growth: Histogram,
    /// Reports, those that didn't count once more included; saturates.
    came: u8,
    /// Changes which listeners share a bit.
    turn: u8,
    /// Number of listeners, and what the worst tenth of them has.
    tell: Option<(u8, Hearing)>,
}

impl Reports {
    pub(super) const NONE: Self = Self {
        rate: Bucket::FULL,
        since: Instant::ORIGIN,
        counted: 0,
        loss: Histogram::EMPTY,
        late: Histogram::EMPTY,
        jitter: Histogram::EMPTY,
        delay: Histogram::EMPTY,
        growth: Histogram::EMPTY,
        came: 0,
        turn: 0,
        tell: None,
    };

    /// Takes a report of the listener in this seat; true if it completes a summary.
    fn take(&mut self, now: Instant, listener: u16, hearing: &Hearing) -> bool {
        let age = now.since(self.since);
        if age > SUMMARY_INTERVAL * STALE_INTERVALS {
            self.begin(now);
        }
        self.came = self.came.saturating_add(1);
        self.count(listener, hearing);
        let complete = age >= SUMMARY_INTERVAL && age <= SUMMARY_INTERVAL * STALE_INTERVALS;
        if complete {
            self.tell = Some(self.summary());
            self.begin(now);
        }
        complete
    }

    fn begin(&mut self, now: Instant) {
        *self = Self { rate: self.rate, since: now, turn: self.turn.wrapping_add(1), tell: self.tell, ..Self::NONE };
    }

    fn count(&mut self, listener: u16, hearing: &Hearing) {
        let row = u32::from(listener / 64);
        let bit = (u32::from(listener) + row * u32::from(self.turn)) % 64;
        if self.counted >> bit & 1 != 0 {
            return;
        }
        self.counted |= 1 << bit;
        self.loss.add(&LOSS_STEPS, hearing.loss);
        self.late.add(&LOSS_STEPS, hearing.late);
        self.jitter.add(&JITTER_STEPS, hearing.jitter_ms);
        self.delay.add(&DELAY_STEPS, hearing.delay);
        self.growth.add(&GROWTH_STEPS, hearing.growth);
    }

    fn summary(&self) -> (u8, Hearing) {
        let listeners = u8::try_from(self.counted.count_ones()).unwrap_or(0);
        // Ten may have shared bits.
        let passed_over = (listeners / 10).max(u8::from(self.came >= A_TENTH_IS_ONE));
        let passed_over = passed_over.min(listeners.saturating_sub(1));
        let loss = self.loss.worst(&LOSS_STEPS, passed_over);
        let hearing = Hearing {
            loss,
            // Rounded up, both together may be more than all.
            late: self.late.worst(&LOSS_STEPS, passed_over).min(u8::MAX - loss),
            jitter_ms: self.jitter.worst(&JITTER_STEPS, passed_over),
            delay: self.delay.worst(&DELAY_STEPS, passed_over),
            growth: self.growth.worst(&GROWTH_STEPS, passed_over),
        };
        (listeners, hearing)
    }
}

impl Engine<'_> {
    pub(super) fn on_report(&mut self, now: Instant, from: ConnectionId, report: &Report<'_>, len: usize) {
        if report.session != self.session() {
            self.drop(DropReason::WrongSession);
            return self.answer_wrong_session(now, from, report.session.get(), len);
        }
        let Some(listener) = self.connection(from).and_then(|connection| connection.seat) else {
            return self.drop(DropReason::NotJoined);
        };
        self.keep_alive(now, from);
        if self.seat(listener).is_none_or(|seat| !seat.reports.rate.take(now, REPORT_RATE)) {
            return self.drop(DropReason::RateLimited);
        }
        let mut refused = None;
        for entry in report.entries() {
            if let Err(reason) = self.take_entry(now, listener, &entry) {
                refused = refused.or(Some(reason));
            }
        }
        if let Some(reason) = refused {
            self.drop(reason);
        }
    }

    fn take_entry(&mut self, now: Instant, listener: u16, entry: &ReportEntry) -> Result<(), DropReason> {
        let speaker = self.seat_of(entry.speaker).ok_or(DropReason::UnknownClient)?;
        if !self.could_hear(speaker, listener) {
            return Err(DropReason::NotPermitted);
        }
        let Some(seat) = self.seat(speaker).filter(|seat| seat.features & FEATURE_REPORTS != 0) else { return Ok(()) };
        if seat.reports.take(now, listener, &entry.hearing) {
            self.wake_seat(speaker);
        }
        Ok(())
    }

    /// By the channels of the last packet, or by a room: voice on a direct path never came by here.
    fn could_hear(&mut self, speaker: u16, listener: u16) -> bool {
        if self.reaches(speaker, listener) {
            return true;
        }
        let (from, to) = (usize::from(speaker), usize::from(listener));
        if speaker == listener || !has_bit(self.t.bits.hears, to) || has_bit(self.t.bits.blockers_of(from), to) {
            return false;
        }
        let Some(seat) = self.t.seats.get(from) else { return false };
        let (rooms, bits) = (self.t.rooms.len().max(1), &mut self.t.bits);
        let spoken_to = seat.rooms.iter().filter(|entry| entry.room_use.speaks());
        spoken_to.map(|entry| usize::from(entry.room.get()) % rooms).any(|place| has_bit(bits.room(place), to))
    }

    /// Writes the summary that a client has to be told.
    pub(super) fn write_summary(&mut self, at: u16, out: &mut [u8]) -> Option<usize> {
        let session = self.session();
        let seat = self.seat(at)?;
        let (listeners, hearing) = seat.reports.tell.take()?;
        Packet::Summary(Summary { session, listeners, hearing }).encode(out)
    }
}
