//! Whatever a device gives, made into 10 ms of mono at 48 kHz at a time.
//!
//! Pushing is cheap, since all it does is mix down and store: it may happen in a device's own call. The rate is changed when samples
//! are taken.

use std::time::Duration;

use super::config::{CaptureError, InputFormat};
use super::resampling::Resampling;
use super::ring::Ring;
use super::{HOP, Hop};
use crate::SAMPLE_RATE;

/// Louder than any device, and harmless to all that follows.
const LOUDEST: f32 = 4.0;

/// Input of one stream: a microphone, or what the loudspeaker plays.
pub(super) struct Intake {
    rate: u32,
    channels: u16,
    /// Samples of all channels that are still to be left out.
    left_out: usize,
    sum: f32,
    summed: u16,
    waiting: Ring,
    /// `None` at 48 kHz.
    resampling: Option<Resampling>,
}

impl Intake {
    /// Makes an intake that keeps at most `backlog` waiting.
    pub(super) fn new(format: InputFormat, backlog: Duration) -> Result<Self, CaptureError> {
        format.check()?;
        let InputFormat { rate, channels } = format;
        let resampling = if rate == SAMPLE_RATE { None } else { Some(Resampling::new(rate)?) };
        // A part of a hop may wait without being late.
        let hop = resampling.as_ref().map_or(HOP, Resampling::most_input);
        let kept = backlog.as_millis() as usize * rate as usize / 1_000 + hop;
        Ok(Self { rate, channels, left_out: 0, sum: 0.0, summed: 0, waiting: Ring::new(kept, rate), resampling })
    }

    /// Takes interleaved samples of full scale 1.0. A push may end within a sample of all channels; the next one goes on there.
    pub(super) fn push(&mut self, samples: impl Iterator<Item = f32>) {
        for sample in samples {
            // Not a number, or infinite: the device is at fault, and silence is what harms least.
            self.sum += if sample.is_finite() { sample.clamp(-LOUDEST, LOUDEST) } else { 0.0 };
            self.summed += 1;
            if self.summed == self.channels {
                self.waiting.push(self.sum / f32::from(self.channels));
                (self.sum, self.summed) = (0.0, 0);
            }
        }
    }

    /// Leaves out so much of what is taken next.
    pub(super) fn leave_out(&mut self, span: Duration) {
        self.left_out = (span.as_micros() as u64 * u64::from(self.rate) / 1_000_000) as usize;
    }

    /// Fills the next 10 ms and says so, or says that there isn't enough yet.
    pub(super) fn next_hop(&mut self, hop: &mut Hop) -> bool {
        self.left_out -= self.waiting.skip(self.left_out);
        match &mut self.resampling {
            None => self.waiting.pop(hop),
            Some(resampling) => resampling.next_hop(&mut self.waiting, hop),
        }
    }

    /// How many whole hops wait, about.
    pub(super) fn hops_waiting(&self) -> usize {
        match &self.resampling {
            None => self.waiting.len() / HOP,
            Some(resampling) => self.waiting.len() / resampling.next_input().max(1),
        }
    }

    /// How much waits that is not to be left out, in samples at 48 kHz, about.
    pub(super) fn waiting(&self) -> usize {
        let samples = self.waiting.len().saturating_sub(self.left_out);
        (samples as u64 * u64::from(SAMPLE_RATE) / u64::from(self.rate)) as usize
    }

    /// Samples of all channels that were pushed out because nobody took them.
    pub(super) fn dropped(&self) -> u64 {
        self.waiting.dropped()
    }

    /// By how much the filter delays, in samples at 48 kHz.
    pub(super) fn delay(&self) -> usize {
        self.resampling.as_ref().map_or(0, Resampling::delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(rate: u32, channels: u16, pcm: &[f32], block: usize) -> Vec<f32> {
        let mut intake = Intake::new(InputFormat { rate, channels }, Duration::from_millis(200)).unwrap();
        let (mut heard, mut hop) = (Vec::new(), [0.0; HOP]);
        for block in pcm.chunks(block) {
            intake.push(block.iter().copied());
            while intake.next_hop(&mut hop) {
                heard.extend_from_slice(&hop);
            }
        }
        assert_eq!(intake.dropped(), 0);
        heard
    }

    #[cfg(feature = "resample")]
    fn tone(rate: u32, hertz: f32, seconds: f32) -> Vec<f32> {
        let step = f64::from(hertz) / f64::from(rate) * std::f64::consts::TAU;
        (0..(rate as f32 * seconds) as usize).map(|n| (step * n as f64).sin() as f32 * 0.5).collect()
    }

    #[cfg(feature = "resample")]
    #[test]
    fn a_tone_comes_out_at_its_place_from_every_rate_less_the_stated_delay() {
        let wanted = tone(48_000, 440.0, 1.0);
        for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 47_999, 96_000, 192_000] {
            let delay = Intake::new(InputFormat { rate, channels: 1 }, Duration::ZERO).unwrap().delay();
            let heard = heard(rate, 1, &tone(rate, 440.0, 1.0), 333);
            let error = (4_800..40_000).map(|n| (heard[n + delay] - wanted[n]).abs()).fold(0.0, f32::max);
            // A sample of shift is an error of 0.03; the filter's delay is rounded to one.
            assert!(error < 0.018, "{rate} Hz: {error}");
        }
    }

    #[cfg(feature = "resample")]
    #[test]
    fn sound_above_the_new_band_is_removed() {
        for rate in [96_000, 192_000] {
            let heard = heard(rate, 1, &tone(rate, 30_000.0, 0.5), 480);
            assert!(heard[4_800..].iter().all(|sample| sample.abs() < 0.001), "{rate}");
        }
    }

    #[cfg(feature = "resample")]
    #[test]
    fn the_size_of_blocks_does_not_matter() {
        let pcm = tone(44_100, 1_000.0, 0.2);
        let whole = heard(44_100, 1, &pcm, 4_410);
        for block in [1, 7, 480, 1_023] {
            assert_eq!(heard(44_100, 1, &pcm, block), whole);
        }
    }

    #[test]
    fn channels_are_averaged_even_when_a_block_ends_between_them() {
        let pcm: Vec<f32> = (0..2_880).map(|n| [0.9, -0.3, 0.0][n % 3]).collect();
        for block in [1, 4, 1_441] {
            assert!(heard(48_000, 3, &pcm, block).iter().all(|&sample| (sample - 0.2).abs() < 1e-6));
        }
    }

    #[test]
    fn what_is_no_number_is_silence_and_what_is_huge_is_bounded() {
        let pcm = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 0.5].repeat(80);
        let heard = heard(48_000, 1, &pcm, 100);
        assert_eq!(heard[..6], [0.0, 0.0, 0.0, LOUDEST, -LOUDEST, 0.5]);
    }
}
