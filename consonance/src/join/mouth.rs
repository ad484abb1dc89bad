//! What is said: recordings that become Opus frames, as the client advises.

use voice_audio::{EncoderConfig, OpusEncoder};
use voice_core::EncoderAdvice;

/// Most bytes of a frame: those that a listener takes.
const MAX_BYTES: usize = 240;

pub(crate) struct Mouth {
    pcm: Vec<i16>,
    at: usize,
    encoder: OpusEncoder,
    frame: [u8; MAX_BYTES],
    advice: Option<EncoderAdvice>,
}

impl Mouth {
    /// 48 kHz mono; may be empty.
    pub(crate) fn new(pcm: Vec<i16>) -> Self {
        let encoder = OpusEncoder::new(EncoderConfig::default()).expect("the default settings are in range");
        Self { pcm, at: 0, encoder, frame: [0; MAX_BYTES], advice: None }
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
        Some(self.encode(&pcm))
    }

    /// A frame of this sound, which has to be of a frame's length.
    pub(crate) fn encode(&mut self, pcm: &[i16]) -> &[u8] {
        let len = self.encoder.encode(pcm, &mut self.frame).expect("a whole frame and room for a payload");
        &self.frame[..len]
    }
}
