//! A microphone that hears what it is told to, and what came of it.

use voice_audio::{Capture, CaptureConfig, FrameKind, Stages};

use crate::common::clip;

/// One frame that was pulled.
pub(crate) struct Pulled {
    pub(crate) samples: Vec<i16>,
    pub(crate) kind: FrameKind,
    pub(crate) waiting: usize,
}

/// Pushes all in blocks of 10 ms, pulling after each.
pub(crate) fn capture_all(capture: &mut Capture, pcm: &[f32]) -> Vec<Pulled> {
    let mut pulled = Vec::new();
    for block in pcm.chunks(480) {
        capture.push_f32(block);
        pull_all(capture, &mut pulled);
    }
    pulled
}

pub(crate) fn pull_all(capture: &mut Capture, pulled: &mut Vec<Pulled>) {
    while let Some(frame) = capture.pull() {
        pulled.push(Pulled { samples: frame.samples.to_vec(), kind: frame.kind, waiting: frame.waiting });
    }
}

/// Everything in a row, silence included: the own voice as a record of it.
pub(crate) fn voice(pulled: &[Pulled]) -> Vec<i16> {
    pulled.iter().flat_map(|frame| frame.samples.iter().copied()).collect()
}

/// A pipeline with only these stages, else with the defaults.
pub(crate) fn with_stages(stages: Stages) -> CaptureConfig {
    CaptureConfig { stages, ..CaptureConfig::default() }
}

/// A clip, with its peak at `height` of full scale.
pub(crate) fn speech(number: usize, height: f32) -> Vec<f32> {
    let pcm = clip(number);
    let peak = pcm.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
    pcm.iter().map(|&sample| f32::from(sample) / f32::from(peak) * height).collect()
}

pub(crate) fn silence(ms: usize) -> Vec<f32> {
    vec![0.0; ms * 48]
}

/// White noise of a stated root mean square, always the same.
pub(crate) fn noise(samples: usize, rms: f32) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..samples).map(|_| next() * rms * 3f32.sqrt()).collect()
}

/// Noise as of a fan or a room: falling by 6 dB an octave above 400 Hz.
pub(crate) fn room_noise(samples: usize, rms: f32) -> Vec<f32> {
    let mut dull = 0.0;
    let mut pcm = noise(samples, 1.0);
    for sample in &mut pcm {
        dull += 0.05 * (*sample - dull);
        *sample = dull;
    }
    let factor = rms / power(&pcm).sqrt() as f32;
    pcm.iter().map(|sample| sample * factor).collect()
}

/// A sine that goes on without a step when it is repeated, every 10 ms.
pub(crate) fn tone(ms: usize, height: f32) -> Vec<f32> {
    (0..ms * 48).map(|n| ((n % 160) as f32 * std::f32::consts::TAU / 160.0).sin() * height).collect()
}

/// The largest step that [`tone`] makes from one sample to the next.
pub(crate) const TONE_STEP: f32 = std::f32::consts::TAU / 160.0;

pub(crate) fn power(pcm: &[f32]) -> f64 {
    pcm.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / pcm.len() as f64
}

pub(crate) fn decibels(ratio: f64) -> f64 {
    10.0 * ratio.max(1e-20).log10()
}

pub(crate) fn to_float(pcm: &[i16]) -> Vec<f32> {
    pcm.iter().map(|&sample| f32::from(sample) / 32_768.0).collect()
}
