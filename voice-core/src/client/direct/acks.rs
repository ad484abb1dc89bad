//! Which voice packets of a path have arrived: what the speaker still waits for, and what the listener has to acknowledge.
//!
//! Sets of sequence numbers are bits of a word: bit i stands for the newest number minus i.

use core::time::Duration;

use crate::types::{DropReason, Instant};

/// Numbers that a set reaches back.
const REACH: u16 = 32;

/// When the last voice packets were sent, whichever way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    newest: u16,
    at: [Instant; REACH as usize],
}

impl Sent {
    pub(super) const NOTHING: Self = Self { newest: 0, at: [Instant::ORIGIN; REACH as usize] };

    pub(super) fn note(&mut self, now: Instant, sequence: u16) {
        self.newest = sequence;
        if let Some(at) = self.at.get_mut(usize::from(sequence % REACH)) {
            *at = now;
        }
    }

    fn at(&self, sequence: u16) -> Option<Instant> {
        let age = self.newest.wrapping_sub(sequence);
        self.at.get(usize::from(sequence % REACH)).copied().filter(|_| age < REACH)
    }
}

/// A speaker's side of a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outgoing {
    newest: u16,
    /// Sent to the path alone, and neither acknowledged nor given up.
    open: u32,
    /// Given up, and not yet handed to the relay.
    overdue: u32,
    /// The newest number that was acknowledged.
    acked: Option<u16>,
    /// In doubt, until this number or a later one is acknowledged.
    doubt: Option<u16>,
    /// Smoothed round-trip time and its variation, RFC 6298, µs.
    rtt_us: u32,
    variation_us: u32,
}

impl Outgoing {
    pub(super) const NOTHING: Self =
        Self { newest: 0, open: 0, overdue: 0, acked: None, doubt: None, rtt_us: 0, variation_us: 0 };

    pub(super) const fn is_doubted(&self) -> bool {
        self.doubt.is_some()
    }

    pub(super) const fn has_overdue(&self) -> bool {
        self.overdue != 0
    }

    /// Takes note of a packet to the path; `alone` if the listener gets it by no other way.
    pub(super) fn note_sent(&mut self, sequence: u16, alone: bool) {
        let ahead = u32::from(sequence.wrapping_sub(self.newest));
        self.open = self.open.checked_shl(ahead).unwrap_or(0) | u32::from(alone);
        self.overdue = self.overdue.checked_shl(ahead).unwrap_or(0);
        self.newest = sequence;
    }

    /// Takes a measured round trip.
    pub(super) fn note_round_trip(&mut self, span: Duration) {
        let us = u32::try_from(span.as_micros()).unwrap_or(u32::MAX).min(1 << 24);
        if self.rtt_us == 0 {
            (self.rtt_us, self.variation_us) = (us.max(1), us / 2);
            return;
        }
        let off = self.rtt_us.abs_diff(us);
        self.variation_us = self.variation_us - self.variation_us / 4 + off / 4;
        self.rtt_us = (self.rtt_us - self.rtt_us / 8 + us / 8).max(1);
    }

    /// `sequence` came in at the other end, and of those before it the ones in `received`. On a long way the packets may be out of the
    /// window by then; that the path carries voice is told all the same.
    pub(super) fn handle_ack(
        &mut self,
        now: Instant,
        sent: &Sent,
        sequence: u16,
        received: u32,
    ) -> Result<(), DropReason> {
        let age = self.newest.wrapping_sub(sequence);
        if is_newer(sequence, self.newest) {
            return Err(DropReason::StaleAnswer);
        }
        let covered = low((u64::from(received) << 1 | 1).checked_shl(age.into()).unwrap_or(0));
        self.open &= !covered;
        self.overdue &= !covered;
        if self.acked.is_none_or(|acked| is_newer(sequence, acked)) {
            self.acked = Some(sequence);
            if let Some(at) = sent.at(sequence) {
                self.note_round_trip(now.since(at));
            }
        }
        self.doubt = self.doubt.filter(|doubt| is_newer(*doubt, sequence));
        Ok(())
    }

    /// When the oldest packet that isn't acknowledged is given up.
    pub(super) fn due(&self, sent: &Sent, frame: Duration) -> Option<Instant> {
        let oldest = self.oldest(self.open)?;
        // One that has no time any more was sent long ago.
        let at = sent.at(oldest).unwrap_or(Instant::ORIGIN);
        let patience = self.rtt_us.saturating_add(self.variation_us.saturating_mul(4));
        Some(at.after(frame).after(Duration::from_micros(patience.into())))
    }

    /// Gives up what wasn't acknowledged in time; when nothing later was either, the path is in doubt.
    pub(super) fn give_up_late(&mut self, now: Instant, sent: &Sent, frame: Duration) {
        while let Some(oldest) = self.oldest(self.open)
            && self.due(sent, frame).is_some_and(|due| due <= now)
        {
            if self.acked.is_none_or(|acked| !is_newer(acked, oldest)) {
                return self.doubt();
            }
            let bit = bit(self.newest.wrapping_sub(oldest));
            self.open &= !bit;
            self.overdue |= bit;
        }
    }

    /// Gives up all that isn't acknowledged. From now on it takes an acknowledgement to trust the path again.
    pub(super) fn doubt(&mut self) {
        self.overdue |= self.open;
        self.open = 0;
        self.doubt = Some(self.newest.wrapping_add(1));
    }

    /// Begins anew, on a path that has just been proven. What was given up on another is still to be handed over.
    pub(super) fn trust(&mut self) {
        (self.acked, self.doubt) = (None, None);
    }

    /// The packet has been handed to the relay in another way.
    pub(super) fn forget(&mut self, sequence: u16) {
        let bit = bit(self.newest.wrapping_sub(sequence));
        self.open &= !bit;
        self.overdue &= !bit;
    }

    /// The oldest packet that was given up.
    pub(super) fn oldest_overdue(&self) -> Option<u16> {
        self.oldest(self.overdue)
    }

    /// Whether this packet was given up; asked once.
    pub(super) fn take_overdue(&mut self, sequence: u16) -> bool {
        let bit = bit(self.newest.wrapping_sub(sequence));
        let was = self.overdue & bit != 0;
        self.overdue &= !bit;
        was
    }

    fn oldest(&self, set: u32) -> Option<u16> {
        let age = u16::try_from(set.checked_ilog2()?).ok()?;
        Some(self.newest.wrapping_sub(age))
    }
}

/// A listener's side of a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Incoming {
    newest: Option<u16>,
    /// Bit i: the newest minus 1 + i was received.
    before: u32,
    /// Whether an acknowledgement is due.
    pub(super) due: bool,
}

impl Incoming {
    pub(super) const NOTHING: Self = Self { newest: None, before: 0, due: false };

    pub(super) fn note(&mut self, sequence: u16) {
        self.due = true;
        let Some(newest) = self.newest else {
            self.newest = Some(sequence);
            return;
        };
        if is_newer(sequence, newest) {
            let ahead = sequence.wrapping_sub(newest).min(REACH + 1);
            self.before = low(((u64::from(self.before) << 1) | 1) << (ahead - 1));
            self.newest = Some(sequence);
        } else if let Some(behind) = newest.wrapping_sub(sequence).checked_sub(1) {
            self.before |= bit(behind);
        }
    }

    /// The acknowledgement that is due: the newest number and those before it.
    pub(super) fn take(&mut self) -> Option<(u16, u32)> {
        if !core::mem::take(&mut self.due) {
            return None;
        }
        Some((self.newest?, self.before))
    }
}

fn bit(age: u16) -> u32 {
    1_u32.checked_shl(age.into()).unwrap_or(0)
}

fn is_newer(a: u16, b: u16) -> bool {
    (1..0x8000).contains(&a.wrapping_sub(b))
}

fn low(set: u64) -> u32 {
    let [.., a, b, c, d] = set.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
