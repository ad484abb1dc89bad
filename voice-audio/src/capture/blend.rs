use super::HOP;

/// Where a stage stands between off (0.0) and on (1.0): it moves all the way within one hop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blend {
    share: f32,
}

#[cfg_attr(
    not(any(feature = "denoise", feature = "echo")),
    allow(dead_code, reason = "the limiter needs only the share")
)]
impl Blend {
    const STEP: f32 = 1.0 / HOP as f32;

    pub(super) fn new(on: bool) -> Self {
        Self { share: if on { 1.0 } else { 0.0 } }
    }

    /// Says whether the stage isn't heard at all.
    pub(super) fn is_off(self) -> bool {
        self.share == 0.0
    }

    /// The share of the next sample.
    pub(super) fn next(&mut self, on: bool) -> f32 {
        self.share = if on { (self.share + Self::STEP).min(1.0) } else { (self.share - Self::STEP).max(0.0) };
        self.share
    }

    /// Mixes into `dry` what the stage made of it. At either end it is one of the two, exactly.
    pub(super) fn mix(&mut self, on: bool, dry: &mut [f32], wet: &[f32]) {
        for (dry, &wet) in dry.iter_mut().zip(wet) {
            let share = self.next(on);
            *dry = if share == 1.0 { wet } else { *dry + share * (wet - *dry) };
        }
    }
}
