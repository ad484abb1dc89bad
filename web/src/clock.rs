//! Time as the core wants it, out of a clock that people can set.

use voice_core::Instant;

/// A clock that goes back by more than this was set; by less, two threads have told their times in the wrong order.
const SET_BACK_US: u64 = 500_000;

/// Time that never goes back.
///
/// An AudioWorklet has no `performance.now()`, so page and worklet both tell `Date.now()`: the one clock that they share, whole milliseconds, which is
/// little beside frames of 20 ms. It goes on while the machine sleeps, so that a client knows at once that it was away. What it lacks is that people,
/// and time servers, set it: forward is taken for sleep, backward is left out here.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last_us: u64,
    left_out_us: u64,
}

impl Clock {
    /// The instant of a time in microseconds; what is no time counts as the last one.
    pub(crate) fn at(&mut self, time_us: f64) -> Instant {
        if time_us.is_finite() && time_us >= 0.0 {
            // Saturates, far beyond what counts as a time.
            let now_us = (time_us as u64).saturating_add(self.left_out_us);
            let back = self.last_us.saturating_sub(now_us);
            if back > SET_BACK_US {
                self.left_out_us = self.left_out_us.saturating_add(back);
            }
            self.last_us = self.last_us.max(now_us);
        }
        Instant::from_us(self.last_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_when_the_clock_is_set_back() {
        let mut clock = Clock::default();
        let times: Vec<u64> =
            [5e6, 4.999e6, 6e6, 2e6, 2.5e6, f64::NAN, -1.0, 3e6].map(|time| clock.at(time).as_us()).to_vec();
        assert_eq!(times, [5_000_000, 5_000_000, 6_000_000, 6_000_000, 6_500_000, 6_500_000, 6_500_000, 7_000_000]);
    }
}
