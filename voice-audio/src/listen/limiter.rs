//! Keeps the mix below full scale without bending its waves.
//!
//! Each step waits for the next one, so that the gain is down before a peak comes: it moves in a straight line from edge to edge of the
//! steps, and at an edge no step on either side of it needs less. A knee for single samples, without a look ahead, would distort 32 voices at once beyond
//! recognition; this one only lowers them.

use super::{STEP, meter, ramp::Slope};

/// What no sample exceeds: 1 dB under full scale. What lies above is for the overshoot of a change of rate.
const CEILING: f32 = 29_204.0;
/// What an edge regains of what is missing to the full gain: 100 ms of time constant.
const RECOVERY: f32 = 0.0247;
/// As good as the full gain: 0.01 dB.
const FULL: f32 = 0.999;

/// The limiter of one mix, all its channels alike.
#[derive(Debug)]
pub(super) struct Limiter {
    /// The step that waits, a channel after the other.
    waiting: Vec<f32>,
    /// The gain that the waiting step needs.
    needed: f32,
    /// The gain at its first sample.
    edge: f32,
}

impl Limiter {
    pub(super) fn new(channels: usize) -> Self {
        Self { waiting: vec![0.0; channels * STEP], needed: 1.0, edge: 1.0 }
    }

    /// Takes a step, and puts the one before in its place.
    pub(super) fn exchange(&mut self, step: &mut [f32]) {
        let needed = gain_for(step);
        let recovered = self.edge + (1.0 - self.edge) * RECOVERY;
        let recovered = if recovered > FULL { 1.0 } else { recovered };
        let next = recovered.min(self.needed).min(needed);
        self.waiting.swap_with_slice(step);
        if self.edge < 1.0 || next < 1.0 {
            let slope = Slope { from: self.edge, to: next };
            step.chunks_exact_mut(STEP).for_each(|channel| slope.scale(channel));
        }
        (self.needed, self.edge) = (needed, next);
    }
}

fn gain_for(step: &[f32]) -> f32 {
    let peak = meter::peak(step);
    if peak > CEILING { CEILING / peak } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limited(sound: &[f32]) -> Vec<f32> {
        let mut limiter = Limiter::new(1);
        let mut out = Vec::new();
        for step in sound.chunks_exact(STEP).chain([&[0.0; STEP][..]]) {
            let mut step = step.to_vec();
            limiter.exchange(&mut step);
            out.extend(step);
        }
        out.split_off(STEP)
    }

    #[test]
    fn sound_below_the_ceiling_passes_untouched() {
        let sound: Vec<f32> = (0..10 * STEP).map(|n| (n as f32 * 0.1).sin() * CEILING).collect();
        assert_eq!(limited(&sound), sound);
    }

    #[test]
    fn a_peak_lowers_what_comes_before_it_and_the_gain_comes_back() {
        let mut sound = vec![10_000.0; 400 * STEP];
        sound[20 * STEP + 60] = 100_000.0;
        let heard = limited(&sound);
        assert!(heard[20 * STEP + 60] <= CEILING);
        assert_eq!(heard[18 * STEP], 10_000.0);
        assert!(heard[20 * STEP] < 3_000.0);
        assert!(heard[60 * STEP] > 7_000.0 && heard[60 * STEP] < 8_000.0, "{}", heard[60 * STEP]);
        assert_eq!(heard[399 * STEP], 10_000.0);
    }

    proptest! {
        #[test]
        fn nothing_exceeds_the_ceiling(peaks in prop::collection::vec((0usize..20 * STEP, -3e6f32..3e6), 0..40)) {
            let mut sound = vec![0.0; 20 * STEP];
            peaks.iter().for_each(|(at, level)| sound[*at] = *level);
            for (heard, sound) in limited(&sound).into_iter().zip(sound) {
                prop_assert!(heard.abs() <= CEILING * 1.000_01);
                prop_assert!(heard.abs() <= sound.abs() && heard * sound >= 0.0);
            }
        }
    }
}
