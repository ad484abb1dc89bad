//! A limiter that looks ahead: it turns down before a peak comes, so that nothing is cut off.
//!
//! For each sample the gain that would bring it to the ceiling is known 2.5 ms before it leaves. The least of the gains within that
//! time, averaged over the same time, is at or below what the leaving sample needs: all gains that are averaged include its own.

use super::blend::Blend;

/// How late its output is, in samples: 2.5 ms.
const AHEAD: usize = 120;
const WINDOW: usize = AHEAD + 1;
/// 1 dB below full scale: room for what a codec adds.
const CEILING: f32 = 0.891;
/// How fast the gain comes back: 1 - exp(-1 / (80 ms at 48 kHz)).
const RELEASE: f32 = 0.000_26;

#[derive(Debug, Clone)]
pub(super) struct Limiter {
    /// The place of the sample that comes next, in all three rings.
    at: usize,
    delayed: [f32; WINDOW],
    least: SlidingLeast,
    released: f32,
    averaged: [f32; WINDOW],
    sum: f64,
    blend: Blend,
}

impl Limiter {
    /// How late its output is, in samples.
    pub(super) const DELAY: usize = AHEAD;

    pub(super) fn new(on: bool) -> Self {
        Self {
            at: 0,
            delayed: [0.0; WINDOW],
            least: SlidingLeast::new(),
            released: 1.0,
            averaged: [1.0; WINDOW],
            sum: WINDOW as f64,
            blend: Blend::new(on),
        }
    }

    /// Delays the samples, and limits them if the stage is `on`.
    pub(super) fn process(&mut self, hop: &mut [f32], on: bool) {
        for sample in hop {
            let gain = self.next_gain(sample.abs());
            self.delayed[self.at] = *sample;
            self.at = if self.at + 1 == WINDOW { 0 } else { self.at + 1 };
            // The ring is as long as the window, so the next place holds the oldest sample.
            let share = self.blend.next(on);
            *sample = self.delayed[self.at] * (1.0 + share * (gain - 1.0));
        }
    }

    fn next_gain(&mut self, height: f32) -> f32 {
        let needed = if height > CEILING { CEILING / height } else { 1.0 };
        let least = self.least.next(needed);
        self.released = least.min(self.released + (1.0 - self.released) * RELEASE);
        let oldest = std::mem::replace(&mut self.averaged[self.at], self.released);
        self.sum += f64::from(self.released) - f64::from(oldest);
        (self.sum / WINDOW as f64) as f32
    }
}

/// The least of the last [`WINDOW`] values: a queue of those that still may become it, rising, each with its time.
#[derive(Debug, Clone)]
struct SlidingLeast {
    values: [(f32, u32); WINDOW],
    first: usize,
    len: usize,
    now: u32,
}

impl SlidingLeast {
    fn new() -> Self {
        Self { values: [(1.0, 0); WINDOW], first: 0, len: 0, now: 0 }
    }

    fn next(&mut self, value: f32) -> f32 {
        // Only ages are looked at, and they are small: a wrap of the time is harmless.
        self.now = self.now.wrapping_add(1);
        while self.len > 0 && self.values[self.place(self.len - 1)].0 >= value {
            self.len -= 1;
        }
        if self.len > 0 && self.now.wrapping_sub(self.values[self.first].1) >= WINDOW as u32 {
            self.first = self.place(1);
            self.len -= 1;
        }
        let end = self.place(self.len);
        self.values[end] = (value, self.now);
        self.len += 1;
        self.values[self.first].0
    }

    fn place(&self, n: usize) -> usize {
        let at = self.first + n;
        if at < WINDOW { at } else { at - WINDOW }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limited(pcm: &[f32]) -> Vec<f32> {
        let mut out = pcm.to_vec();
        Limiter::new(true).process(&mut out, true);
        out
    }

    #[test]
    fn quiet_sound_is_only_delayed() {
        let pcm: Vec<f32> = (0..2_000).map(|n| (n as f32 * 0.05).sin() * 0.8).collect();
        let out = limited(&pcm);
        assert!(out[..AHEAD].iter().all(|&sample| sample == 0.0));
        assert!(out[AHEAD..].iter().zip(&pcm).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn the_gain_comes_back_after_a_peak() {
        let mut pcm = vec![0.5; 48_000];
        pcm[1_000] = 4.0;
        let out = limited(&pcm);
        assert!(out[1_000 + AHEAD] <= CEILING + 1e-4);
        assert!(out[2_000] < 0.4, "{}", out[2_000]);
        assert!((out[47_000] - 0.5).abs() < 0.001, "{}", out[47_000]);
        let step = out[200..].windows(2).filter(|pair| pair[0] < 0.6 && pair[1] < 0.6);
        assert!(step.map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max) < 0.01);
    }

    proptest! {
        #[test]
        fn nothing_passes_the_ceiling(pcm in prop::collection::vec(-4.0f32..4.0, 1..2_000)) {
            for sample in limited(&pcm) {
                prop_assert!(sample.abs() <= CEILING * 1.000_1);
            }
        }

        #[test]
        fn the_sliding_least_is_the_least_of_its_window(values in prop::collection::vec(0.0f32..1.0, 1..600)) {
            let mut sliding = SlidingLeast::new();
            for n in 0..values.len() {
                let window = &values[(n + 1).saturating_sub(WINDOW)..=n];
                let least = window.iter().copied().fold(1.0, f32::min);
                prop_assert_eq!(sliding.next(values[n]), least);
            }
        }
    }
}
