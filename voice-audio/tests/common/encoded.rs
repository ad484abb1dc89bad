//! Clips as Opus frames, for the tests of what a decoder makes of them.

use voice_audio::{EncoderConfig, MAX_FRAME_BYTES, OpusEncoder};

use crate::common::clip;

/// The next frame of an encoder.
pub(crate) fn encode_one(encoder: &mut OpusEncoder, pcm: &[i16]) -> Vec<u8> {
    let mut out = [0; MAX_FRAME_BYTES];
    let len = encoder.encode(pcm, &mut out).unwrap();
    out[..len].to_vec()
}

/// The first clip in frames; in stereo the same on both sides.
pub(crate) fn encode(config: EncoderConfig) -> Vec<Vec<u8>> {
    let spoken: Vec<i16> = clip(1).iter().flat_map(|&sample| vec![sample; config.channels.count()]).collect();
    let mut encoder = OpusEncoder::new(config).unwrap();
    spoken.chunks_exact(config.frame_samples()).map(|pcm| encode_one(&mut encoder, pcm)).collect()
}
