/// Most that a clock may run fast or slow, in millionths.
const DRIFT_MOST: i64 = 100_000;
const MILLION: u64 = 1_000_000;

/// A machine's own clock: it runs fast or slow, and never jumps.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Clock {
    ppm: i64,
    /// True and own time of the last change of drift, µs.
    since: u64,
    showed: u64,
}

impl Clock {
    pub(super) fn set_drift(&mut self, now: u64, ppm: i32) {
        let showed = self.local(now);
        *self = Self { ppm: i64::from(ppm).clamp(-DRIFT_MOST, DRIFT_MOST), since: now, showed };
    }

    /// What it shows at true time `at`.
    pub(super) const fn local(&self, at: u64) -> u64 {
        let passed = at.saturating_sub(self.since);
        if self.ppm == 0 {
            return self.showed + passed;
        }
        // Whole seconds and the rest apart: no product comes near 2^63.
        let seconds = (passed / MILLION) as i64 * self.ppm;
        let rest = ((passed % MILLION) as i64 * self.ppm).div_euclid(MILLION as i64);
        (self.showed + passed).saturating_add_signed(seconds + rest)
    }

    /// The first true time, from the last change of drift on, at which it shows `local` or more.
    #[inline]
    pub(super) const fn true_time(&self, local: u64) -> u64 {
        let passed = local.saturating_sub(self.showed);
        if self.ppm == 0 { self.since + passed } else { self.true_time_drifting(local, passed) }
    }

    const fn true_time_drifting(&self, local: u64, passed: u64) -> u64 {
        let second = MILLION.saturating_add_signed(self.ppm);
        let mut at = self.since + passed / second * MILLION + passed % second * MILLION / second;
        while self.local(at) < local {
            at += 1;
        }
        while at > self.since && self.local(at - 1) >= local {
            at -= 1;
        }
        at
    }
}
