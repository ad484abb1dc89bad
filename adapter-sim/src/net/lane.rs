//! A reliable lane over the bad network: numbered messages, cumulative and selective acknowledgements, repeats with back-off, a window
//! that follows loss. It is what a transport like QUIC or TCP would give, and can be told to break its promise.

use std::collections::{BTreeMap, VecDeque};

use super::PacketBytes;

/// Longest message, bytes: with the headers of lane, UDP and IP it stays below 1,400.
pub const LANE_MESSAGE_BYTES: usize = 1_300;
/// Most messages that an end may have waiting or unacknowledged.
pub const LANE_QUEUE_MESSAGES: usize = 4_096;

/// Waits for an acknowledgement, µs: the first, then by what was measured (RFC 6298), between the bounds. These are shorter than the
/// RFC's, which thinks of bulk transfers: control messages of a voice session are few, and wanted soon.
const RTO_FIRST: u64 = 1_000_000;
const RTO_LEAST: u64 = 100_000;
const RTO_MOST: u64 = 2_000_000;
/// Window in messages: the first (RFC 6928), after a loss at least, and at most.
const WINDOW_FIRST: usize = 10;
const WINDOW_LEAST: usize = 2;
const WINDOW_MOST: usize = 64;
/// A message is lost when so many later ones arrived (RFC 9002, 6.1.1).
const OVERTAKEN_BY: usize = 3;

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

/// What the receiver has: all before `next`, and `next + 1 + i` for every bit `i` that is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ack {
    next: u64,
    early: u64,
}

#[derive(Debug, Clone)]
struct Flying {
    bytes: PacketBytes,
    sent: u64,
    again: bool,
    arrived: bool,
}

/// The sending half of one direction.
#[derive(Debug, Default)]
pub(super) struct LaneOut {
    first: u64,
    flying: VecDeque<Flying>,
    waiting: VecDeque<PacketBytes>,
    window: Window,
    rto: Rto,
    /// When the oldest message is taken for lost.
    pub(super) deadline: Option<u64>,
    /// When something was last acknowledged, or first sent.
    progress: u64,
    /// Losses before this number belong to one that the window has already answered.
    recover: u64,
    /// What was sent before and has not arrived is lost.
    lost_before: u64,
}

impl LaneOut {
    /// False if the queue is full or the message too long.
    pub(super) fn push(&mut self, bytes: PacketBytes) -> bool {
        let fits = bytes.len() <= LANE_MESSAGE_BYTES && self.queued() < LANE_QUEUE_MESSAGES;
        if fits {
            self.waiting.push_back(bytes);
        }
        fits
    }

    pub(super) fn queued(&self) -> usize {
        self.flying.len() + self.waiting.len()
    }

    /// A message to send now, again or for the first time, with its number.
    pub(super) fn next_to_send(&mut self, now: u64) -> Option<(u64, PacketBytes)> {
        match self.lost(now) {
            Some(index) => Some(self.again(now, index)),
            None => self.fresh(now),
        }
    }

    pub(super) fn acknowledged(&mut self, now: u64, ack: Ack) {
        if ack.next > self.first {
            self.advance(now, ack.next);
        }
        for bit in (0..64).filter(|bit| ack.early >> bit & 1 == 1) {
            let index = (ack.next + 1 + bit).checked_sub(self.first);
            let flying = index.and_then(|index| self.flying.get_mut(index as usize));
            if let Some(flying) = flying.filter(|flying| !flying.arrived) {
                flying.arrived = true;
                self.progress = now;
            }
        }
    }

    /// The time-out: all that is under way is lost, and the next wait is doubled.
    pub(super) fn timed_out(&mut self, now: u64, dead_after: u64) -> Result<(), Dead> {
        self.deadline = None;
        if self.flying.is_empty() {
            return Ok(());
        }
        if now >= self.progress + dead_after {
            return Err(Dead);
        }
        self.rto.back_off();
        self.window.collapse(self.flying.len());
        self.recover = self.end();
        self.lost_before = now;
        Ok(())
    }

    /// The index of a message that is lost: sent before the last time-out, or three later ones arrived.
    fn lost(&mut self, now: u64) -> Option<usize> {
        let timed_out = |flying: &Flying| !flying.arrived && flying.sent < self.lost_before;
        if self.under_way() < self.window.size
            && let Some(index) = self.flying.iter().position(timed_out)
        {
            return Some(index);
        }
        let newest = self.flying.iter().rposition(|flying| flying.arrived)?;
        let overtaken = self.flying.iter().take((newest + 1).saturating_sub(OVERTAKEN_BY));
        let passed = |flying: &Flying| !flying.again || now - flying.sent >= self.rto.round_trip();
        let index = overtaken.into_iter().position(|flying| !flying.arrived && passed(flying))?;
        if self.first + index as u64 >= self.recover {
            self.window.halve(self.flying.len());
            self.recover = self.end();
        }
        Some(index)
    }

    fn again(&mut self, now: u64, index: usize) -> (u64, PacketBytes) {
        let flying = &mut self.flying[index];
        (flying.again, flying.sent) = (true, now);
        let bytes = flying.bytes.clone();
        if index == 0 {
            self.deadline = None;
        }
        self.arm(now);
        (self.first + index as u64, bytes)
    }

    fn fresh(&mut self, now: u64) -> Option<(u64, PacketBytes)> {
        if self.flying.len() >= WINDOW_MOST || self.under_way() >= self.window.size {
            return None;
        }
        let bytes = self.waiting.pop_front()?;
        if self.flying.is_empty() {
            self.progress = now;
        }
        let number = self.end();
        self.flying.push_back(Flying { bytes: bytes.clone(), sent: now, again: false, arrived: false });
        self.arm(now);
        Some((number, bytes))
    }

    fn advance(&mut self, now: u64, next: u64) {
        while self.first < next
            && let Some(done) = self.flying.pop_front()
        {
            self.first += 1;
            // Only the newest tells the round trip: the others may have waited for one that was lost. Nor one sent twice (Karn).
            if self.first == next && !done.again && !done.arrived {
                self.rto.measure(now - done.sent);
            }
            if self.first > self.recover {
                self.window.grow();
            }
        }
        self.progress = now;
        self.deadline = None;
        self.arm(now);
    }

    /// Messages that are neither lost nor known to have arrived.
    fn under_way(&self) -> usize {
        self.flying.iter().filter(|flying| !flying.arrived && flying.sent >= self.lost_before).count()
    }

    /// The number that the next new message gets.
    fn end(&self) -> u64 {
        self.first + self.flying.len() as u64
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
    /// Takes a round trip. Only this ends the doublings: else a first wait that is too short would never be measured (RFC 6298, 5.7).
    fn measure(&mut self, rtt: u64) {
        self.doublings = 0;
        if self.smoothed == 0 {
            (self.smoothed, self.variance) = (rtt.max(1), rtt / 2);
            return;
        }
        self.variance = (3 * self.variance + self.smoothed.abs_diff(rtt)) / 4;
        self.smoothed = ((7 * self.smoothed + rtt) / 8).max(1);
    }

    /// At least 1 µs.
    const fn round_trip(&self) -> u64 {
        if self.smoothed == 0 { RTO_FIRST } else { self.smoothed }
    }

    fn wait(&self) -> u64 {
        // Half a round trip at least: else a long path with little jitter times out at every hiccup.
        let measured = self.smoothed + (4 * self.variance).max(self.smoothed / 2);
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
    early: BTreeMap<u64, PacketBytes>,
    broken: Option<Break>,
}

impl LaneIn {
    pub(super) const fn break_next(&mut self, how: Break) {
        self.broken = Some(how);
    }

    pub(super) const fn mend(&mut self) {
        self.broken = None;
    }

    pub(super) fn ack(&self) -> Ack {
        let early = self.early.keys().fold(0, |bits, number| bits | 1 << (number - self.next - 1));
        Ack { next: self.next, early }
    }

    /// Takes a message in whatever order; gives those now due to `deliver`. True if a promise was broken.
    pub(super) fn take(&mut self, number: u64, bytes: PacketBytes, mut deliver: impl FnMut(PacketBytes)) -> bool {
        // As many as an acknowledgement has bits for, which is as many as a window has.
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
