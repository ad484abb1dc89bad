//! A reliable lane over the bad network: numbered messages, cumulative acknowledgements, repeats with back-off, a window that
//! follows loss. It is what a transport like QUIC or TCP would give, and can be told to break its promise.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

/// Longest message, bytes: with the headers of lane, UDP and IP it stays below 1,400.
pub const LANE_MESSAGE_BYTES: usize = 1_300;
/// Most messages that an end may have waiting or unacknowledged.
pub const LANE_QUEUE_MESSAGES: usize = 4_096;

/// Waits for an acknowledgement, µs: the first, then by what was measured (RFC 6298), between the bounds. Shorter than the
/// RFC's, which thinks of bulk transfers: control messages of a voice session are few, and wanted soon.
const RTO_FIRST: u64 = 500_000;
const RTO_LEAST: u64 = 100_000;
const RTO_MOST: u64 = 1_000_000;
/// What jitter is taken to be at least, µs.
const VARIANCE_LEAST: u64 = 5_000;
/// Window in messages: the first (RFC 6928), after a loss at least, and at most.
const WINDOW_FIRST: usize = 10;
const WINDOW_LEAST: usize = 2;
const WINDOW_MOST: usize = 64;
/// A third acknowledgement of the same number sends the next one again at once (RFC 5681, 3.2).
const FAST_AFTER: u8 = 3;

/// How a lane breaks its promise, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// The next message is never delivered.
    Skip,
    /// The next message is delivered twice.
    Repeat,
}

/// A lane that made no progress for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dead;

#[derive(Debug, Clone)]
struct Flying {
    bytes: Bytes,
    sent: u64,
    again: bool,
}

/// The sending half of one direction.
#[derive(Debug, Default)]
pub(super) struct LaneOut {
    first: u64,
    flying: VecDeque<Flying>,
    waiting: VecDeque<Bytes>,
    window: Window,
    rto: Rto,
    /// When the oldest message is sent again.
    pub(super) deadline: Option<u64>,
    /// When something was last acknowledged, or first sent.
    progress: u64,
    repeats: u8,
    /// Gaps before this number belong to a loss already noticed.
    recover: u64,
}

impl LaneOut {
    /// False if the queue is full or the message too long.
    pub(super) fn push(&mut self, bytes: Bytes) -> bool {
        let fits = bytes.len() <= LANE_MESSAGE_BYTES && self.queued() < LANE_QUEUE_MESSAGES;
        if fits {
            self.waiting.push_back(bytes);
        }
        fits
    }

    pub(super) fn queued(&self) -> usize {
        self.flying.len() + self.waiting.len()
    }

    /// A message to send now for the first time, with its number, if the window has room.
    pub(super) fn fresh(&mut self, now: u64) -> Option<(u64, Bytes)> {
        if self.flying.len() >= self.window.size {
            return None;
        }
        let bytes = self.waiting.pop_front()?;
        if self.flying.is_empty() {
            self.progress = now;
        }
        let number = self.end();
        self.flying.push_back(Flying { bytes: bytes.clone(), sent: now, again: false });
        self.arm(now);
        Some((number, bytes))
    }

    /// Takes an acknowledgement of all before `next`; a message to send again at once, if it tells of a gap.
    pub(super) fn acknowledged(&mut self, now: u64, next: u64) -> Option<(u64, Bytes)> {
        if next > self.first {
            self.advance(now, next.min(self.end()));
            // What follows an acknowledgement within a loss already noticed is lost too (RFC 6582).
            return (self.first < self.recover).then(|| self.again(now)).flatten();
        }
        if self.flying.is_empty() || next < self.first {
            return None;
        }
        self.repeats = self.repeats.saturating_add(1);
        if self.repeats != FAST_AFTER || self.first < self.recover {
            return None;
        }
        self.window.halve(self.flying.len());
        self.recover = self.end();
        self.again(now)
    }

    /// The time-out: the oldest message again with a doubled wait.
    pub(super) fn timed_out(&mut self, now: u64, dead_after: u64) -> Result<Option<(u64, Bytes)>, Dead> {
        if self.flying.is_empty() {
            self.deadline = None;
            return Ok(None);
        }
        if now >= self.progress + dead_after {
            return Err(Dead);
        }
        self.rto.back_off();
        self.window.collapse(self.flying.len());
        self.recover = self.end();
        Ok(self.again(now))
    }

    fn advance(&mut self, now: u64, next: u64) {
        while self.first < next
            && let Some(done) = self.flying.pop_front()
        {
            self.first += 1;
            // Only the newest tells the round trip: the others may have waited for one that was lost. Nor one sent twice (Karn).
            if self.first == next && !done.again {
                self.rto.measure(now - done.sent);
            }
            if next > self.recover {
                self.window.grow();
            }
        }
        self.rto.doublings = 0;
        self.progress = now;
        self.repeats = 0;
        self.deadline = None;
        self.arm(now);
    }

    /// The number that the next new message gets.
    fn end(&self) -> u64 {
        self.first + self.flying.len() as u64
    }

    fn again(&mut self, now: u64) -> Option<(u64, Bytes)> {
        let oldest = self.flying.front_mut()?;
        oldest.again = true;
        let bytes = oldest.bytes.clone();
        self.deadline = Some(now + self.rto.wait());
        Some((self.first, bytes))
    }

    fn arm(&mut self, now: u64) {
        if self.deadline.is_none() && !self.flying.is_empty() {
            self.deadline = Some(now + self.rto.wait());
        }
    }
}

/// How many messages may be under way: slow start, then one more per window, and back on loss (RFC 5681).
#[derive(Debug)]
struct Window {
    size: usize,
    threshold: usize,
    credit: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self { size: WINDOW_FIRST, threshold: WINDOW_MOST, credit: 0 }
    }
}

impl Window {
    fn grow(&mut self) {
        self.credit += 1;
        if self.size < self.threshold || self.credit >= self.size {
            self.credit = 0;
            self.size = (self.size + 1).min(WINDOW_MOST);
        }
    }

    fn halve(&mut self, flying: usize) {
        self.threshold = (flying / 2).max(WINDOW_LEAST);
        self.size = self.threshold;
    }

    fn collapse(&mut self, flying: usize) {
        self.halve(flying);
        self.size = WINDOW_LEAST;
    }
}

/// How long an acknowledgement is waited for.
#[derive(Debug, Default)]
struct Rto {
    smoothed: u64,
    variance: u64,
    doublings: u8,
}

impl Rto {
    fn measure(&mut self, rtt: u64) {
        if self.smoothed == 0 {
            (self.smoothed, self.variance) = (rtt.max(1), rtt / 2);
            return;
        }
        self.variance = (3 * self.variance + self.smoothed.abs_diff(rtt)) / 4;
        self.smoothed = ((7 * self.smoothed + rtt) / 8).max(1);
    }

    fn wait(&self) -> u64 {
        let measured = self.smoothed + 4 * self.variance.max(VARIANCE_LEAST);
        let once = if self.smoothed == 0 { RTO_FIRST } else { measured.max(RTO_LEAST) };
        (once << self.doublings).min(RTO_MOST)
    }

    fn back_off(&mut self) {
        self.doublings = (self.doublings + 1).min(8);
    }
}

/// The receiving half of one direction.
#[derive(Debug, Default)]
pub(super) struct LaneIn {
    next: u64,
    early: BTreeMap<u64, Bytes>,
    broken: Option<Break>,
}

impl LaneIn {
    pub(super) const fn break_next(&mut self, how: Break) {
        self.broken = Some(how);
    }

    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Takes a message in whatever order; gives those now due to `deliver`. True if a promise was broken.
    pub(super) fn take(&mut self, number: u64, bytes: Bytes, mut deliver: impl FnMut(Bytes)) -> bool {
        if number < self.next || number > self.next + WINDOW_MOST as u64 {
            return false;
        }
        self.early.insert(number, bytes);
        let mut broke = false;
        while let Some(bytes) = self.early.remove(&self.next) {
            self.next += 1;
            let broken = self.broken.take();
            broke |= broken.is_some();
            if broken == Some(Break::Repeat) {
                deliver(bytes.clone());
            }
            if broken != Some(Break::Skip) {
                deliver(bytes);
            }
        }
        broke
    }
}
