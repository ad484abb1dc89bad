//! From steps of the mix to blocks of any size at any rate.

use super::{STEP, resampling::Resampling};
use crate::SAMPLE_RATE;

/// A sample as loudspeakers take it: `i16`, or `f32` from -1 to 1.
pub trait OutputSample: Copy + sealed::Sealed {
    /// Silence.
    const SILENT: Self;

    /// Makes one of a sample on the scale of 16 bit; what is louder than full scale becomes full scale.
    fn from_mix(value: f32) -> Self;
}

impl OutputSample for i16 {
    const SILENT: Self = 0;

    fn from_mix(value: f32) -> Self {
        to_i16(value)
    }
}

impl OutputSample for f32 {
    const SILENT: Self = 0.0;

    fn from_mix(value: f32) -> Self {
        (value / 32_768.0).clamp(-1.0, 1.0)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for i16 {}
    impl Sealed for f32 {}
}

/// The nearest sample; `round` would be a call of a function on many processors.
pub(super) fn to_i16(value: f32) -> i16 {
    let value = value.clamp(-32_768.0, 32_767.0);
    (value + 0.5_f32.copysign(value)) as i32 as i16
}

/// Sound that is ready to be handed out, a channel after the other.
pub(super) struct Output {
    channels: usize,
    rate: u32,
    /// None at 48 kHz.
    resampling: Option<Resampling>,
    ready: Vec<f32>,
    /// Samples of a channel that fit.
    stride: usize,
    start: usize,
    end: usize,
}

impl Output {
    /// `None` if the rate can't be made.
    pub(super) fn new(rate: u32, channels: usize) -> Option<Self> {
        let resampling = match rate {
            SAMPLE_RATE => None,
            _ => Some(Resampling::new(rate, channels)?),
        };
        let stride = resampling.as_ref().map_or(STEP, Resampling::most_output).max(STEP);
        Some(Self { channels, rate, resampling, ready: vec![0.0; stride * channels], stride, start: 0, end: 0 })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Microseconds that so many samples of all channels together last.
    pub(super) fn us(&self, samples: usize) -> u64 {
        (samples / self.channels) as u64 * 1_000_000 / u64::from(self.rate)
    }

    /// The filter's delay, µs.
    pub(super) fn delay_us(&self) -> u64 {
        self.resampling.as_ref().map_or(0, |_| Resampling::DELAY * 1_000_000 / u64::from(SAMPLE_RATE))
    }

    /// Takes a step of the mix in place of what was ready. In the beginning nothing may come of it: the filter has to be filled.
    pub(super) fn take(&mut self, step: &[f32]) {
        (self.start, self.end) = match &mut self.resampling {
            None => {
                self.ready.copy_from_slice(step);
                (0, STEP)
            }
            Some(resampling) => (0, resampling.convert(step, &mut self.ready, self.stride).unwrap_or(0)),
        };
    }

    /// Moves what is ready to the front of `out`, whole samples of all channels; returns how many samples that were.
    pub(super) fn read<S: OutputSample>(&mut self, out: &mut [S]) -> usize {
        let count = (self.end - self.start).min(out.len() / self.channels);
        for channel in 0..self.channels {
            let from = &self.ready[channel * self.stride + self.start..][..count];
            let to = out.iter_mut().skip(channel).step_by(self.channels);
            to.zip(from).for_each(|(out, &sample)| *out = S::from_mix(sample));
        }
        self.start += count;
        count * self.channels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_rounded_to_the_nearest_and_never_wrap() {
        let rounded: Vec<i16> = [0.4, 0.6, -0.4, -0.6, 1e9, -1e9, 32_767.4].map(i16::from_mix).to_vec();
        assert_eq!(rounded, [0, 1, 0, -1, i16::MAX, i16::MIN, i16::MAX]);
        assert_eq!([16_384.0, 1e9, -1e9].map(f32::from_mix), [0.5, 1.0, -1.0]);
    }

    #[test]
    fn channels_are_interleaved() {
        let mut output = Output::new(SAMPLE_RATE, 2).unwrap();
        let step: Vec<f32> = (0..2 * STEP).map(|n| n as f32).collect();
        output.take(&step);
        let mut out = [0_i16; 5];
        assert_eq!(output.read(&mut out), 4);
        assert_eq!(out, [0, 120, 1, 121, 0]);
    }
}
