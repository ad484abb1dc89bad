use super::{FaultCounts, LinkProfile, Rng};

/// One direction of an access link, with what it remembers between packets.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) profile: LinkProfile,
    in_burst: bool,
    /// When the last byte that waits for bandwidth has left, µs.
    busy_until: u64,
    /// No packet arrives before the one sent ahead of it, unless reordered.
    last_arrival: u64,
}

/// What a link does with a packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passage {
    pub(super) arrives: u64,
    pub(super) again: Option<u64>,
    /// Others may arrive before it.
    pub(super) overtaken: bool,
    pub(super) corrupted: bool,
}

impl Link {
    pub(super) const fn new(profile: LinkProfile) -> Self {
        Self { profile, in_burst: false, busy_until: 0, last_arrival: 0 }
    }

    /// Lets a packet of `bytes` (with those of IP and UDP) through at `now`; `None` if it is lost.
    /// `overtaken` packets keep no order.
    pub(super) fn pass(
        &mut self,
        now: u64,
        bytes: u64,
        overtaken: bool,
        rng: &mut Rng,
        faults: &mut FaultCounts,
    ) -> Option<Passage> {
        let sent = self.queue(now, bytes, faults)?;
        self.survives(rng, faults).then_some(())?;
        let profile = &self.profile;
        let mut arrives = sent + profile.delay_us + small(rng, profile.jitter_us);
        let reordered = rng.chance(profile.reorder_ppm);
        if reordered {
            faults.reordered += 1;
            arrives += rng.below((3 * profile.jitter_us).max(5_000));
        } else if !overtaken {
            arrives = arrives.max(self.last_arrival);
            self.last_arrival = arrives;
        }
        let again = rng.chance(self.profile.duplicate_ppm).then(|| {
            faults.duplicated += 1;
            arrives + rng.below(20_000)
        });
        let corrupted = rng.chance(self.profile.corrupt_ppm);
        faults.corrupted += u64::from(corrupted);
        Some(Passage { arrives, again, overtaken: overtaken || reordered, corrupted })
    }

    fn queue(&mut self, now: u64, bytes: u64, faults: &mut FaultCounts) -> Option<u64> {
        let rate = self.profile.bits_per_second;
        if rate == 0 {
            return Some(now);
        }
        let start = self.busy_until.max(now);
        let waiting = (start - now) * rate / 8_000_000;
        if waiting + bytes > self.profile.queue_bytes.max(bytes) {
            faults.queue_full += 1;
            return None;
        }
        self.busy_until = start + bytes * 8_000_000 / rate;
        Some(self.busy_until)
    }

    fn survives(&mut self, rng: &mut Rng, faults: &mut FaultCounts) -> bool {
        let profile = &self.profile;
        let turn = if self.in_burst { profile.burst_end_ppm } else { profile.burst_begin_ppm };
        if rng.chance(turn) {
            self.in_burst = !self.in_burst;
        }
        if self.in_burst && rng.chance(profile.burst_loss_ppm) {
            faults.lost_in_burst += 1;
            return false;
        }
        if rng.chance(profile.loss_ppm) {
            faults.lost += 1;
            return false;
        }
        true
    }
}

fn small(rng: &mut Rng, most: u64) -> u64 {
    if most == 0 { 0 } else { rng.below(most + 1).min(rng.below(most + 1)) }
}
