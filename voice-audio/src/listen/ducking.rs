//! Others step back while one speaks oneself.

use std::time::Duration;

use super::{
    STEP_US,
    ramp::{Ramp, Slope},
};

/// By how much others are lowered while the listener speaks, and how fast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ducking {
    /// By how many decibels, 0 to 60. Below counts as 0, above as 60, and what is no number as 0.
    pub depth_db: f32,
    /// How long it takes to go down; up to 10 s.
    pub attack: Duration,
    /// How long it takes to come back; up to 10 s.
    pub release: Duration,
}

impl Default for Ducking {
    /// By 12 dB, down in 50 ms, back in 300 ms.
    fn default() -> Self {
        Self { depth_db: 12.0, attack: Duration::from_millis(50), release: Duration::from_millis(300) }
    }
}

impl Ducking {
    fn gain(self) -> f32 {
        let depth_db = if self.depth_db.is_nan() { 0.0 } else { self.depth_db.clamp(0.0, 60.0) };
        10.0_f32.powf(-depth_db / 20.0)
    }
}

/// The gain that all voices have in common.
#[derive(Debug)]
pub(super) struct Ducker {
    pub(super) config: Option<Ducking>,
    pub(super) speaking: bool,
    gain: Ramp,
}

impl Ducker {
    pub(super) fn new(config: Option<Ducking>) -> Self {
        Self { config, speaking: false, gain: Ramp::at(1.0) }
    }

    pub(super) fn step(&mut self) -> Slope {
        let ducking = self.config.unwrap_or_default();
        match self.config {
            Some(ducking) if self.speaking => self.gain.to(ducking.gain(), steps(ducking.attack)),
            _ => self.gain.to(1.0, steps(ducking.release)),
        }
        self.gain.step()
    }
}

fn steps(span: Duration) -> u16 {
    let steps = span.as_micros() / u128::from(STEP_US);
    u16::try_from(steps.min(4_000)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_out_of_range_are_bounded() {
        let gain = |depth_db| Ducking { depth_db, ..Ducking::default() }.gain();
        assert_eq!((gain(f32::NAN), gain(-20.0), gain(0.0)), (1.0, 1.0, 1.0));
        assert!((gain(f32::INFINITY) - 0.001).abs() < 1e-6);
        assert!((gain(20.0) - 0.1).abs() < 1e-6);
    }
}
