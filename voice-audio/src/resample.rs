//! Changing the rate of a whole clip.
//!
//! The work is done in double precision and rounded once, so that the order in which a processor's vector units add up can't reach
//! the result; the filter's cut-off is a constant for the same reason.

use std::error::Error;
use std::fmt;
use std::ops::RangeInclusive;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, FixedAsync, Resampler, SincInterpolationParameters, WindowFunction};

use crate::SAMPLE_RATE;

/// The rates that are taken, in hertz.
pub const RATES: RangeInclusive<u32> = 8_000..=96_000;

/// The length of the filter in input samples: enough for speech, and its transition band is about 1/20 of the band.
const TAPS: usize = 128;
/// Where the filter starts to fall, as a share of the lower of the two bands.
const CUTOFF: f32 = 0.94;
const CHUNK: usize = 1_024;

/// Returns `pcm`, recorded at `rate` hertz, at 48 kHz: aligned with the input to within one
/// sample, and of the same duration rounded up to a sample.
pub fn resample(pcm: &[i16], rate: u32) -> Result<Vec<i16>, ResampleError> {
    let pcm: Vec<f64> = pcm.iter().copied().map(f64::from).collect();
    to_48k(&pcm, rate)
}

/// The same for samples that are not rounded yet, on the scale of 16 bit.
pub(crate) fn to_48k(pcm: &[f64], rate: u32) -> Result<Vec<i16>, ResampleError> {
    if !RATES.contains(&rate) {
        return Err(ResampleError { rate });
    }
    if rate == SAMPLE_RATE || pcm.is_empty() {
        return Ok(pcm.iter().copied().map(to_sample).collect());
    }
    convert(pcm, rate).ok_or(ResampleError { rate })
}

/// A rate outside [`RATES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResampleError {
    /// The rate that was given, in hertz.
    pub rate: u32,
}

impl fmt::Display for ResampleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a sample rate of {} Hz is not supported; use {} to {} Hz", self.rate, RATES.start(), RATES.end())
    }
}

impl Error for ResampleError {}

fn convert(input: &[f64], rate: u32) -> Option<Vec<i16>> {
    let ratio = f64::from(SAMPLE_RATE) / f64::from(rate);
    let filter = SincInterpolationParameters::new(TAPS, WindowFunction::Blackman2).f_cutoff(CUTOFF);
    let mut resampler = Async::<f64>::new_sinc(ratio, 1.0, &filter, CHUNK, 1, FixedAsync::Input).ok()?;
    let source = InterleavedSlice::new(input, 1, input.len()).ok()?;
    let output = resampler.process_all(&source, input.len(), None).ok()?.take_data();
    Some(output.into_iter().take(output_samples(input.len(), rate)).map(to_sample).collect())
}

fn output_samples(input_samples: usize, rate: u32) -> usize {
    let samples = (input_samples as u64 * u64::from(SAMPLE_RATE)).div_ceil(u64::from(rate));
    usize::try_from(samples).unwrap_or(usize::MAX)
}

/// The nearest sample; a float-to-integer `as` saturates.
fn to_sample(value: f64) -> i16 {
    value.round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f64, rate: u32, samples: usize) -> Vec<i16> {
        let step = std::f64::consts::TAU * hertz / f64::from(rate);
        (0..samples).map(|n| (8_000.0 * (step * n as f64).sin()) as i16).collect()
    }

    #[test]
    fn a_tone_keeps_its_place_and_loudness_from_every_usual_rate() {
        for rate in [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 96_000] {
            let heard = resample(&tone(440.0, rate, rate as usize / 4), rate).unwrap();
            let wanted = tone(440.0, SAMPLE_RATE, 12_000);
            assert!(heard.len().abs_diff(wanted.len()) <= 6, "{rate} Hz gave {} samples", heard.len());
            let (heard, wanted) = (&heard[2_000..10_000], &wanted[2_000..10_000]);
            let products =
                |a: &[i16], b: &[i16]| -> f64 { a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum() };
            let (dot, power) = (products(heard, wanted), products(wanted, wanted));
            // A shift by two samples would give 0.993.
            assert!((0.998..1.002).contains(&(dot / power)), "{rate} Hz: {}", dot / power);
            let loudness = products(heard, heard) / power;
            assert!((0.998..1.002).contains(&loudness), "{rate} Hz: {loudness}");
        }
    }

    #[test]
    fn sound_above_the_new_band_is_removed() {
        let heard = resample(&tone(30_000.0, 96_000, 48_000), 96_000).unwrap();
        assert!(heard[1_000..20_000].iter().all(|sample| sample.abs() < 20));
    }

    #[test]
    fn the_rate_of_this_crate_passes_untouched() {
        assert_eq!(resample(&[1, -2, i16::MAX], SAMPLE_RATE), Ok(vec![1, -2, i16::MAX]));
    }

    #[test]
    fn a_rate_outside_the_range_is_refused() {
        assert_eq!(resample(&[0], 7_999), Err(ResampleError { rate: 7_999 }));
        assert_eq!(resample(&[0], 192_000), Err(ResampleError { rate: 192_000 }));
    }

    #[test]
    fn one_sample_is_enough() {
        assert_eq!(resample(&[1_000], 16_000).map(|pcm| pcm.len()), Ok(3));
    }
}
