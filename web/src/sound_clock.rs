//! When a block will sound, by a clock of one millisecond and calls that come in bunches.

use std::time::Duration;

/// How long lateness is gathered, samples: 2 s.
const WINDOW: u64 = 96_000;
/// A block that comes so much later than expected was not late: sound was suspended, or another device began. µs.
const BREAK_US: i64 = 200_000;
/// No bunch is longer, µs: a single late call must not weigh more.
const BUNCH_US: i64 = 40_000;
/// By so much the sound's clock may slide in a window without having lacked sound, µs: the clocks of sound and machine drift by some 0.1 ms in it, and the
/// machine's is told in whole milliseconds.
const SLIDE_US: i64 = 3_000;

/// How much ahead of its sound a block is asked for.
///
/// A browser asks for several blocks of 2.7 ms at once when the device wants its next buffer. All of them are made at one instant, but sound one after the
/// other. The core is told of each how much later it will sound, so that its delays don't swing by the length of a buffer. The device's clock is found from
/// the calls: none is ever early, so the least lateness of two seconds shows where it stands, and the mean one how long the bunches are.
#[derive(Debug, Default)]
pub(crate) struct SoundClock {
    /// Time less sound's time of the calls that were least late, in this window and the one before.
    least: Option<i64>,
    least_before: Option<i64>,
    /// Lateness above the least: sum of this window, and how many.
    sum: i64,
    count: i64,
    bunch_us: i64,
    window_end: u64,
    next_sample: u64,
    underruns: u64,
}

impl SoundClock {
    /// Notes that the block which begins with this sample is asked for now; returns how much later it sounds than the earliest that it could.
    pub(crate) fn ahead(&mut self, now_us: u64, sample: u64, samples: u64) -> Duration {
        let sound_us = sample.saturating_mul(125) / 6;
        let offset = signed(now_us) - signed(sound_us);
        let away = self.reference().is_some_and(|least| (offset - least).abs() > BREAK_US);
        if away || sample < self.next_sample {
            *self = Self { underruns: self.underruns, ..Self::default() };
        }
        self.next_sample = sample.saturating_add(samples);
        if sample >= self.window_end {
            self.begin_window(sample, samples);
        }
        self.least = Some(self.least.map_or(offset, |least| least.min(offset)));
        let late = offset - self.reference().unwrap_or(offset);
        self.sum += late.min(BUNCH_US);
        self.count += 1;
        // Blocks of a bunch are late by nothing to its whole length.
        Duration::from_micros((self.bunch_us - late).max(0).unsigned_abs())
    }

    /// Blocks that the device wanted and did not get in time: since then, everything sounds later by so much.
    pub(crate) const fn underruns(&self) -> u64 {
        self.underruns
    }

    fn begin_window(&mut self, sample: u64, samples: u64) {
        if let (Some(before), Some(least)) = (self.least_before, self.least) {
            let slid = least - before;
            let block_us = signed(samples.max(1).saturating_mul(125) / 6).max(1);
            if slid > SLIDE_US {
                self.underruns += (slid / block_us).max(1).unsigned_abs();
            }
        }
        self.bunch_us = if self.count > 0 { (2 * self.sum / self.count).min(BUNCH_US) } else { 0 };
        (self.sum, self.count) = (0, 0);
        self.least_before = self.least.take();
        self.window_end = sample.saturating_add(WINDOW);
    }

    /// The device's time, as far as it is known.
    fn reference(&self) -> Option<i64> {
        match (self.least, self.least_before) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, None) | (None, one) => one,
        }
    }
}

/// Times of a page are far below the limit; what is beyond counts as it.
fn signed(us: u64) -> i64 {
    us.min(1 << 60).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of 128 samples in bunches of four, asked for on a clock of 1 ms.
    fn run(clock: &mut SoundClock, from: u64, bunches: u64, late_ms: impl Fn(u64) -> u64) -> Vec<u64> {
        let mut ahead = Vec::new();
        for bunch in from..from + bunches {
            let now_us = (1_000_000 + bunch * 512 * 125 / 6) / 1_000 * 1_000 + 1_000 * late_ms(bunch);
            for block in 0..4 {
                let sample = bunch * 512 + block * 128;
                ahead.push(clock.ahead(now_us, sample, 128).as_micros() as u64);
            }
        }
        ahead
    }

    #[test]
    fn the_blocks_of_a_bunch_are_ahead_by_what_comes_before_them() {
        let mut clock = SoundClock::default();
        let ahead = run(&mut clock, 0, 600, |_| 0);
        for bunch in ahead[4 * 400..].chunks(4) {
            let steps: Vec<u64> = bunch.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(steps.iter().all(|step| (2_600..2_800).contains(step)), "{bunch:?}");
            assert!(bunch[0] < 1_500 && bunch[3] < 10_000, "{bunch:?}");
        }
        assert_eq!(clock.underruns(), 0);
    }

    #[test]
    fn a_late_call_is_ahead_by_less_and_changes_nothing_for_the_next() {
        let mut clock = SoundClock::default();
        let ahead = run(&mut clock, 0, 600, |bunch| if bunch == 500 { 5 } else { 0 });
        assert!(ahead[4 * 500] == 0 && ahead[4 * 500 + 3] < 5_000, "{:?}", &ahead[2_000..2_004]);
        assert!(ahead[4 * 501 + 3] > 7_000);
        assert_eq!(clock.underruns(), 0);
    }

    #[test]
    fn sound_that_stays_late_was_missing_and_is_counted() {
        let mut clock = SoundClock::default();
        run(&mut clock, 0, 1_200, |bunch| if bunch < 500 { 0 } else { 20 });
        assert_eq!(clock.underruns(), 7, "20 ms in blocks of 2.7 ms");
    }

    #[test]
    fn after_a_suspension_it_begins_anew() {
        let mut clock = SoundClock::default();
        run(&mut clock, 0, 600, |_| 0);
        let ahead = run(&mut clock, 600, 600, |_| 60_000);
        assert!(ahead[4 * 500 + 3] > 7_000);
        assert_eq!(clock.underruns(), 0);
    }
}
