//! What is said: recordings that become Opus frames, as the client advises.

use voice_audio::{EncoderConfig, OpusEncoder};
use voice_core::EncoderAdvice;

/// Most bytes of a frame: those that a listener takes.
const MAX_BYTES: usize = 240;
/// No sample of a quiet frame is louder: 40 dB below full scale.
const QUIET: u16 = 327;
/// A pause has begun after so much quiet, µs: longer than the stop before a plosive.
const PAUSE_US: u64 = 200_000;

pub(crate) struct Mouth {
    pcm: Vec<i16>,
    at: usize,
    encoder: OpusEncoder,
    frame: [u8; MAX_BYTES],
    advice: Option<EncoderAdvice>,
    /// How long it has been quiet, µs.
    quiet_us: u64,
}

impl Mouth {
    /// 48 kHz mono; may be empty.
    pub(crate) fn new(pcm: Vec<i16>) -> Self {
        let encoder = OpusEncoder::new(EncoderConfig::default()).expect("the default settings are in range");
        Self { pcm, at: 0, encoder, frame: [0; MAX_BYTES], advice: None, quiet_us: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.pcm.len()
    }

    /// How much sound the next frame holds, µs.
    pub(crate) fn frame_us(&self) -> u64 {
        u64::from(self.encoder.config().frame_length.millis()) * 1_000
    }

    /// Takes advice, to be followed before a frame.
    pub(crate) fn advise(&mut self, advice: EncoderAdvice) {
        self.advice = Some(advice);
    }

    /// Follows the advice that has come since the last call: how long frames are from now on.
    pub(crate) fn follow(&mut self) -> Option<voice_core::FrameLength> {
        let advice = self.advice.take()?;
        self.encoder.reconfigure(self.encoder.config().advised(&advice)).ok()?;
        Some(advice.frame_length)
    }

    /// The next frame; `None` when all is said.
    pub(crate) fn next_frame(&mut self) -> Option<&[u8]> {
        if self.is_empty() {
            return None;
        }
        let samples = self.encoder.config().frame_samples();
        let end = (self.at + samples).min(self.pcm.len());
        let mut pcm = self.pcm[self.at..end].to_vec();
        pcm.resize(samples, 0);
        self.at = end;
        let is_quiet = pcm.iter().all(|sample| sample.unsigned_abs() <= QUIET);
        self.quiet_us = if is_quiet { self.quiet_us + self.frame_us() } else { 0 };
        Some(self.encode(&pcm))
    }

    /// Whether a pause has begun with the last frame.
    pub(crate) fn pauses(&self) -> bool {
        (PAUSE_US..PAUSE_US + self.frame_us()).contains(&self.quiet_us)
    }

    /// A frame of this sound, which has to be of a frame's length.
    pub(crate) fn encode(&mut self, pcm: &[i16]) -> &[u8] {
        let len = self.encoder.encode(pcm, &mut self.frame).expect("a whole frame and room for a payload");
        &self.frame[..len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frames, counted from 0, at which a pause begins.
    fn pauses(pcm: Vec<i16>) -> Vec<usize> {
        let mut mouth = Mouth::new(pcm);
        let mut frame = 0;
        let mut found = Vec::new();
        while mouth.next_frame().is_some() {
            found.extend(mouth.pauses().then_some(frame));
            frame += 1;
        }
        found
    }

    #[test]
    fn a_pause_begins_once_after_a_fifth_of_a_second_of_quiet() {
        let (loud, quiet) = (vec![5_000; 9_600], vec![-300; 14_400]);
        assert_eq!(pauses([&loud[..], &quiet, &loud, &quiet].concat()), [19, 44]);
        assert_eq!(pauses([&loud[..], &quiet[..8_000], &loud].concat()), [0; 0], "a short one is a part of speech");
    }
}
