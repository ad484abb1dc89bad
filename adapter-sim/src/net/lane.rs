//! A reliable lane over the bad network: numbered messages, cumulative acknowledgements, retransmission with back-off. It is what a
//! transport like QUIC or TCP would give, and can be told to break its promise.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

/// First and longest wait for an acknowledgement, µs; then by what was measured, as in RFC 6298.
const RTO_FIRST: u64 = 500_000;
const RTO_LEAST: u64 = 100_000;
const RTO_MOST: u64 = 1_000_000;
/// A lane that gets nothing acknowledged for this long is down, µs.
pub(super) const DEAD_AFTER: u64 = 12_000_000;
const IN_FLIGHT: usize = 64;
/// A third acknowledgement of the same number sends the next one again at once (RFC 5681 3.2).
const FAST_AFTER: u8 = 3;

/// How a lane breaks its promise, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// The next message is never delivered.
    Skip,
    /// The next message is delivered twice.
    Repeat,
}

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
    rto: u64,
    doublings: u8,
    srtt: u64,
    pub(super) deadline: Option<u64>,
    progress: u64,
    repeats: u8,
}

impl LaneOut {
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.waiting.push_back(bytes);
    }

    pub(super) fn queued(&self) -> usize {
        self.flying.len() + self.waiting.len()
    }

    /// Messages to send now for the first time, with their numbers.
    pub(super) fn fresh(&mut self, now: u64) -> Option<(u64, Bytes)> {
        if self.flying.len() >= IN_FLIGHT {
            return None;
        }
        let bytes = self.waiting.pop_front()?;
        if self.flying.is_empty() {
            self.progress = now;
        }
        let number = self.first + self.flying.len() as u64;
        self.flying.push_back(Flying { bytes: bytes.clone(), sent: now, again: false });
        self.arm(now);
        Some((number, bytes))
    }

    /// Takes an acknowledgement of all before `next`; a message to send again at once, if it tells of a gap.
    pub(super) fn acknowledged(&mut self, now: u64, next: u64) -> Option<(u64, Bytes)> {
        if next > self.first {
            while self.first < next
                && let Some(done) = self.flying.pop_front()
            {
                self.first += 1;
                // Only the newest tells the round trip: the others may have waited for one that was lost.
                if self.first == next && !done.again {
                    self.measure(now - done.sent);
                }
            }
            self.doublings = 0;
            self.progress = now;
            self.repeats = 0;
            self.deadline = None;
            self.arm(now);
            return None;
        }
        self.repeats = self.repeats.saturating_add(1);
        (self.repeats == FAST_AFTER).then(|| self.again(now)).flatten()
    }

    /// The time-out: the oldest message again with a doubled wait, or `Err` when the lane is dead.
    pub(super) fn timed_out(&mut self, now: u64) -> Result<Option<(u64, Bytes)>, ()> {
        if self.flying.is_empty() {
            self.deadline = None;
            return Ok(None);
        }
        if now >= self.progress + DEAD_AFTER {
            return Err(());
        }
        self.doublings += 1;
        Ok(self.again(now))
    }

    fn again(&mut self, now: u64) -> Option<(u64, Bytes)> {
        let oldest = self.flying.front_mut()?;
        oldest.again = true;
        let bytes = oldest.bytes.clone();
        self.deadline = Some(now + self.current_rto());
        Some((self.first, bytes))
    }

    fn arm(&mut self, now: u64) {
        if self.deadline.is_none() && !self.flying.is_empty() {
            self.deadline = Some(now + self.current_rto());
        }
    }

    fn current_rto(&self) -> u64 {
        let rto = if self.rto == 0 { RTO_FIRST } else { self.rto };
        (rto << self.doublings.min(8)).min(RTO_MOST)
    }

    fn measure(&mut self, rtt: u64) {
        self.srtt = if self.srtt == 0 { rtt } else { (7 * self.srtt + rtt) / 8 };
        self.rto = (2 * self.srtt + 20_000).clamp(RTO_LEAST, RTO_MOST);
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
    pub(super) fn break_next(&mut self, how: Break) {
        self.broken = Some(how);
    }

    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Takes a message in whatever order; gives those now due to `deliver`.
    pub(super) fn take(&mut self, number: u64, bytes: Bytes, mut deliver: impl FnMut(Bytes)) {
        if number < self.next || number > self.next + 2 * IN_FLIGHT as u64 {
            return;
        }
        self.early.insert(number, bytes);
        while let Some(bytes) = self.early.remove(&self.next) {
            self.next += 1;
            match self.broken.take() {
                Some(Break::Skip) => {}
                Some(Break::Repeat) => {
                    deliver(bytes.clone());
                    deliver(bytes);
                }
                None => deliver(bytes),
            }
        }
    }
}
