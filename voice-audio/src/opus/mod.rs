//! Opus (RFC 6716) for one speaker, at 48 kHz.
//!
//! One encoder per speaker, one decoder per speaker heard; both keep state from frame to frame, so frames go through them in order.
//! A decoder takes any bytes: what is not Opus is an error, never a crash. Encoding and decoding allocate nothing.
//!
//! The library behind it is chosen by a Cargo feature: `opus13` (the default); `opus16`, whose decoders fill gaps with a neural
//! network and whose packets can carry a second of the past (DRED); or `opus-rs`, which is a decoder alone and needs no C. Calls and packets are the same with
//! all, and each decodes what the others encoded; where one lacks something, it does without. What either costs and gives is in docs/CODEC.md.

mod advice;
mod budget;
mod config;
mod decoder;
mod dred_share;
#[cfg(feature = "encode")]
mod encoder;
mod error;
mod frames;
mod packet;
mod redundancy;

pub use budget::CpuBudget;
pub use config::{Application, Channels, EncoderConfig, FrameLength, MAX_DRED_MS, Quality};
pub use decoder::{OpusDecoder, Recovery};
#[cfg(feature = "encode")]
pub use encoder::OpusEncoder;
pub use error::{DecodeError, EncodeError, SetupError};
pub use packet::{has_fec, is_dtx, packet_samples};

use crate::{SAMPLE_RATE, backend};

/// The most samples per channel that one Opus packet can hold: 120 ms.
pub const MAX_PACKET_SAMPLES: usize = 5_760;

/// The largest payload that a voice packet carries, in bytes: a buffer of this size holds every frame that may be sent.
pub const MAX_FRAME_BYTES: usize = 1_000;

const RATE: i32 = SAMPLE_RATE as i32;

/// Returns what the linked decoder calls itself, such as `libopus 1.6.1` or `opus-rs`; the copy of `opus13` doesn't know its number.
pub fn codec_version() -> &'static str {
    backend::version()
}
