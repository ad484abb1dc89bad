use super::{FaultCounts, LinkProfile, Rng};

/// Fraction bits of times on a link: a packet on a fast link takes less than a microsecond.
const FRACTION: u32 = 20;
/// Least span by which a reordered packet may be late, and most by which a duplicate is, µs.
const REORDER_LEAST: u64 = 5_000;
const DUPLICATE_MOST: u64 = 20_000;

/// A profile, reckoned up for many packets.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    profile: LinkProfile,
    /// Time that a byte takes, and that a full queue does, in µs with `FRACTION` bits; 0 is no limit.
    per_byte: u64,
    full: u64,
    /// Whether it does nothing but delay: a server's usual link, and half of the work of all packets.
    plain: bool,
}

/// The terms of all links, each kind once: a thousand links of a few kinds have them at hand.
#[derive(Debug, Default)]
pub(super) struct AllTerms(Vec<Terms>);

/// One direction of an access link: what it remembers between packets.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// When the last byte that waits for bandwidth has left, in µs with `FRACTION` bits.
    busy_until: u64,
    /// No packet arrives before the one sent ahead of it, unless reordered, µs.
    last_arrival: u64,
    /// The number of its terms.
    terms: u32,
    in_burst: bool,
}

/// What a link does with a packet that it doesn't lose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passage {
    pub(super) arrives: u64,
    pub(super) again: Option<u64>,
    pub(super) corrupted: bool,
}

impl AllTerms {
    fn number(&mut self, profile: LinkProfile) -> u32 {
        let known = self.0.iter().position(|terms| terms.profile == profile);
        let number = known.unwrap_or_else(|| {
            self.0.push(Terms::new(profile));
            self.0.len() - 1
        });
        u32::try_from(number).expect("fewer than 2^32 kinds of links")
    }
}

impl Terms {
    fn new(profile: LinkProfile) -> Self {
        let mut per_byte = (8_000_000 << FRACTION) / profile.bits_per_second.clamp(1, 8_000_000 << FRACTION);
        if profile.bits_per_second == 0 {
            per_byte = 0;
        }
        let full = profile.queue_bytes.saturating_mul(per_byte);
        let plain = profile == LinkProfile { delay_us: profile.delay_us, ..LinkProfile::PERFECT };
        Self { profile, per_byte, full, plain }
    }
}

impl Link {
    pub(super) fn new(profile: LinkProfile, all: &mut AllTerms) -> Self {
        Self { busy_until: 0, last_arrival: 0, terms: all.number(profile), in_burst: false }
    }

    pub(super) fn set_profile(&mut self, profile: LinkProfile, all: &mut AllTerms) {
        self.terms = all.number(profile);
        // A profile without bursts never ends one.
        self.in_burst &= profile.burst_begin_ppm > 0;
    }

    /// When a packet of now arrives, if the link does nothing but delay.
    pub(super) fn pass_plainly(&mut self, now: u64, all: &AllTerms) -> Option<u64> {
        let terms = &all.0[self.terms as usize];
        if !terms.plain {
            return None;
        }
        self.last_arrival = self.last_arrival.max(now + terms.profile.delay_us);
        Some(self.last_arrival)
    }

    /// Lets a packet of `bytes` (with those of IP and UDP) through at `now`; `None` if it is lost.
    pub(super) fn pass(
        &mut self,
        now: u64,
        bytes: u64,
        all: &AllTerms,
        rng: &mut Rng,
        faults: &mut FaultCounts,
    ) -> Option<Passage> {
        if let Some(arrives) = self.pass_plainly(now, all) {
            return Some(Passage { arrives, again: None, corrupted: false });
        }
        let terms = &all.0[self.terms as usize];
        let profile = &terms.profile;
        let sent = self.queue(now, bytes, terms, faults)?;
        self.survives(profile, rng, faults).then_some(())?;
        let mut arrives = sent + profile.delay_us + rng.mostly_small(profile.jitter_us);
        if rng.chance(profile.reorder_ppm) {
            faults.reordered += 1;
            arrives += rng.below((3 * profile.jitter_us).max(REORDER_LEAST));
        } else {
            arrives = arrives.max(self.last_arrival);
            self.last_arrival = arrives;
        }
        let again = rng.chance(profile.duplicate_ppm).then(|| {
            faults.duplicated += 1;
            arrives + rng.below(DUPLICATE_MOST)
        });
        let corrupted = rng.chance(profile.corrupt_ppm);
        faults.corrupted += u64::from(corrupted);
        Some(Passage { arrives, again, corrupted })
    }

    /// When the packet has left, having waited for those before it; `None` if too many wait.
    fn queue(&mut self, now: u64, bytes: u64, terms: &Terms, faults: &mut FaultCounts) -> Option<u64> {
        if terms.per_byte == 0 {
            return Some(now);
        }
        let begin = now << FRACTION;
        let waiting = self.busy_until.saturating_sub(begin);
        let takes = bytes.saturating_mul(terms.per_byte);
        if waiting > 0 && waiting.saturating_add(takes) > terms.full {
            faults.queue_full += 1;
            return None;
        }
        self.busy_until = begin + waiting + takes;
        Some(self.busy_until >> FRACTION)
    }

    fn survives(&mut self, profile: &LinkProfile, rng: &mut Rng, faults: &mut FaultCounts) -> bool {
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
