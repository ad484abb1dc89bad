//! The decoder of `opus-rs`: Rust alone, for where there is no C, such as WebAssembly. Its encoder isn't used.
//!
//! It takes packets that libopus refuses, so it must be given checked ones. It allocates nothing at work: a decoder is one piece of about 175 KB, which
//! is on the stack for a moment when it is made and when it is reset.

use std::fmt;

use opus_rs::OpusDecoder;

use super::Refusal;
use crate::MAX_PACKET_SAMPLES;

/// An owned decoder.
pub(crate) struct RawDecoder {
    state: Box<OpusDecoder>,
    sample_rate: i32,
    channels: usize,
    /// What it decoded, before it is rounded.
    sound: Box<[f32]>,
}

impl RawDecoder {
    /// For 1 or 2 channels; any other number is refused.
    pub(crate) fn new(sample_rate: i32, channels: usize) -> Result<Self, Refusal> {
        let state = Box::new(OpusDecoder::new(sample_rate, channels).map_err(|_| Refusal::BadArgument)?);
        Ok(Self { state, sample_rate, channels, sound: vec![0.0; MAX_PACKET_SAMPLES * channels].into() })
    }

    /// There is only one way to conceal.
    #[expect(clippy::unused_self, reason = "libopus 1.6 has several")]
    pub(crate) fn set_complexity(&mut self, _: i32) -> Result<(), Refusal> {
        Err(Refusal::Unimplemented)
    }

    pub(crate) fn reset(&mut self) {
        // The same arguments were taken before.
        if let Ok(fresh) = OpusDecoder::new(self.sample_rate, self.channels) {
            *self.state = fresh;
        }
    }

    /// Decodes `packet` to interleaved samples, or with `fec` the redundant copy of the frame before it; `None` conceals a lost frame.
    /// Returns the samples per channel.
    pub(crate) fn decode(&mut self, packet: Option<&[u8]>, out: &mut [i16], fec: bool) -> Result<usize, Refusal> {
        let room = (out.len() / self.channels).min(MAX_PACKET_SAMPLES);
        let sound = &mut self.sound[..room * self.channels];
        let decoded = match packet {
            Some(packet) if fec => self.state.decode_fec(packet, room, sound),
            Some(packet) => self.state.decode(packet, room, sound),
            None => self.state.decode(&[], room, sound),
        };
        let decoded = decoded.map_err(|_| Refusal::InvalidPacket)?.min(room);
        for (out, &sample) in out.iter_mut().zip(&sound[..decoded * self.channels]) {
            // A float-to-integer `as` saturates.
            *out = (sample * 32_768.0).round_ties_even() as i16;
        }
        Ok(decoded)
    }
}

impl fmt::Debug for RawDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawDecoder").field("channels", &self.channels).finish_non_exhaustive()
    }
}

/// What the library is called.
#[cfg(any(feature = "prefer-opus-rs", not(feature = "encode")))]
pub(crate) fn version() -> &'static str {
    "opus-rs"
}
