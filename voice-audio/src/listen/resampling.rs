//! From 48 kHz to the output's rate, a step at a time.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Async, FixedAsync, Resampler, SincInterpolationParameters, SincInterpolationType, WindowFunction};

use super::STEP;
use crate::SAMPLE_RATE;

/// The length of the filter in samples at 48 kHz; half of it is its delay.
const TAPS: usize = 128;
/// Where the filter begins to fall, as a share of the lower of the two bands.
const CUTOFF: f32 = 0.94;

pub(super) struct Resampling {
    resampler: Async<f32>,
    channels: usize,
}

impl Resampling {
    /// By how much the filter delays, in samples at 48 kHz.
    pub(super) const DELAY: u64 = TAPS as u64 / 2;

    /// `None` if the rate can't be made.
    pub(super) fn new(rate: u32, channels: usize) -> Option<Self> {
        let filter = SincInterpolationParameters::new(TAPS, WindowFunction::Blackman2)
            .f_cutoff(CUTOFF)
            .oversampling_factor(256)
            .interpolation(SincInterpolationType::Linear);
        let ratio = f64::from(rate) / f64::from(SAMPLE_RATE);
        let resampler = Async::new_sinc(ratio, 1.0, &filter, STEP, channels, FixedAsync::Input).ok()?;
        Some(Self { resampler, channels })
    }

    /// The most samples of a channel that become of a step.
    pub(super) fn most_output(&self) -> usize {
        self.resampler.output_frames_max()
    }

    /// Makes of a step what is written to `out`, whose channels are `stride` samples apart; returns how many samples of each there are.
    pub(super) fn convert(&mut self, step: &[f32], out: &mut [f32], stride: usize) -> Option<usize> {
        let source = SequentialSlice::new(step, self.channels, STEP).ok()?;
        let mut target = SequentialSlice::new_mut(out, self.channels, stride).ok()?;
        let (_, frames) = self.resampler.process_into_buffer(&source, &mut target, None).ok()?;
        Some(frames.min(stride))
    }
}
