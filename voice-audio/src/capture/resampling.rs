//! From a device's rate to 48 kHz, 10 ms at a time.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, FixedAsync, Resampler, SincInterpolationParameters, WindowFunction};

use super::config::CaptureError;
use super::ring::Ring;
use super::{HOP, Hop};
use crate::SAMPLE_RATE;

/// Length of the filter, in samples of the lower of both rates: a transition band of about 1/20 of the band.
const TAPS: usize = 128;
/// Where the filter starts to fall, as a share of the lower of both bands.
const CUTOFF: f32 = 0.94;

pub(super) struct Resampling {
    resampler: Async<f32>,
    delay: usize,
    input: Box<[f32]>,
}

impl Resampling {
    pub(super) fn new(rate: u32) -> Result<Self, CaptureError> {
        let ratio = f64::from(SAMPLE_RATE) / f64::from(rate);
        // From high rates the filter must reach over as much time as from 48 kHz: else what lies above 24 kHz folds down.
        let taps = (TAPS * rate.max(SAMPLE_RATE) as usize / SAMPLE_RATE as usize).next_multiple_of(8);
        let filter = SincInterpolationParameters::new(taps, WindowFunction::Blackman2).f_cutoff(CUTOFF);
        let resampler =
            Async::new_sinc(ratio, 1.0, &filter, HOP, 1, FixedAsync::Output).map_err(|_| CaptureError::Rate(rate))?;
        let input = vec![0.0; resampler.input_frames_max()].into_boxed_slice();
        // Half of the filter; and the first output already is the place after the first input.
        let delay = (taps as f64 * ratio / 2.0 - 1.0).round() as usize;
        Ok(Self { resampler, delay, input })
    }

    /// The most samples that a hop is made of.
    pub(super) fn most_input(&self) -> usize {
        self.resampler.input_frames_max()
    }

    /// The samples that the next hop is made of.
    pub(super) fn next_input(&self) -> usize {
        self.resampler.input_frames_next()
    }

    /// By how much the filter delays, in samples at 48 kHz.
    pub(super) fn delay(&self) -> usize {
        self.delay
    }

    /// Fills the next 10 ms from what is `waiting` and says so, or says that there isn't enough yet.
    pub(super) fn next_hop(&mut self, waiting: &mut Ring, hop: &mut Hop) -> bool {
        let needed = self.next_input();
        let input = &mut self.input[..needed];
        if !waiting.pop(input) {
            return false;
        }
        // Both buffers have the lengths that the resampler itself asks for, so neither can be refused.
        let done = InterleavedSlice::new(&*input, 1, needed).ok().and_then(|from| {
            let mut to = InterleavedSlice::new_mut(&mut hop[..], 1, HOP).ok()?;
            self.resampler.process_into_buffer(&from, &mut to, None).ok()
        });
        if done.is_none() {
            hop.fill(0.0);
        }
        true
    }
}
