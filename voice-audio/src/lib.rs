//! The sound side of voice chat: PCM to Opus frames and back, WAV, resampling, mixing and voice activity.
//!
//! Everything works on **mono 16-bit PCM at 48 kHz** in slices that the caller owns. The crate opens no file and no device, knows no
//! clock and no network: bytes and samples in, bytes and samples out. Of the protocol it knows only what a client gives to be heard: `voice_core::Frame`.
//!
//! Start with [`Capture`] and [`OpusEncoder`] for a mouth and [`listen::Listener`] for ears; [`OpusDecoder`] is for who wants to put the parts
//! together otherwise.
//!
//! 1. [`Capture`] turns a microphone into frames and tells speech from silence, so that silent frames need not be sent. For clean recordings
//!    [`read_wav`], [`FrameLength::samples`] and [`ActivityDetector::update`] are enough.
//! 2. [`OpusEncoder::encode`] gives the payload of one voice packet; its setters follow `voice_core::Client::encoder_advice`.
//! 3. For each block that the loudspeaker wants, [`listen::Listener::attend`] is told who speaks, and [`listen::Listener::render`] asks for their frames and
//!    gives what is heard.
//!
#![cfg_attr(feature = "encode", doc = "```")]
#![cfg_attr(not(feature = "encode"), doc = "```ignore")]
//! use voice_audio::{listen::{Listener, ListenerConfig, Presence}, EncoderConfig, OpusEncoder, MAX_FRAME_BYTES};
//! use voice_core::{ClientId, Frame, Pace, Sound};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = EncoderConfig::default();
//! let mut encoder = OpusEncoder::new(config)?;
//! let mut listener = Listener::new(ListenerConfig::default())?;
//!
//! let spoken = vec![0i16; config.frame_length.samples()];
//! let mut payload = [0u8; MAX_FRAME_BYTES];
//! let bytes = encoder.encode(&spoken, &mut payload)?;
//!
//! let speaker = ClientId::new(1).ok_or("an id")?;
//! listener.attend(speaker, Presence::default())?;
//! let mut heard = [0i16; 960]; // 10 ms of stereo
//! listener.render(&mut heard, |pull| {
//!     // With a client: `client.next_frame(now, pull.queued(), pull.speaker())`.
//!     let sound = Sound::Play(&payload[..bytes]);
//!     let pace = Pace::Steady;
//!     pull.give(Frame { sound, length_us: 20_000, pace, volume_percent: 80, positional: false, audible: true });
//! });
//! # Ok(())
//! # }
//! ```
//!
//! # Determinism
//!
//! Activity is integer arithmetic and judges alike everywhere. A listener at 48 kHz adds and multiplies floats in a fixed order; at other rates
//! its samples may depend on the processor's vector units in the last bits. Resampling of clips runs in double precision and rounds
//! once at the end. The codec, a bundled libopus or `opus-rs`, works in floating point: one build gives the same bytes in every run, but builds for
//! different processor architectures may differ in the last bit.
//!
//! # Features
//!
//! The codec is the first of `opus16`, `opus13` (the default) and `opus-rs` that is on. `opus-rs` needs no C and can't encode: with it alone there is no `OpusEncoder`.
//! `denoise`, `resample` and `wav`, on by default, bring noise suppression, other rates than 48 kHz, and WAV; `echo` brings echo cancellation.

#![deny(unsafe_code)]

#[cfg(not(any(feature = "opus13", feature = "opus16", feature = "opus-rs")))]
compile_error!(
    "voice-audio needs a codec: turn on its feature `opus13` (the default), `opus16` or, to decode only, `opus-rs`"
);

mod activity;
mod backend;
mod capture;
pub mod listen;
mod opus;
#[cfg(feature = "resample")]
mod resample;
#[cfg(feature = "wav")]
mod wav;

pub use activity::{Activity, ActivityConfig, ActivityDetector, rms, talkspurts};
pub use capture::{
    Activation, CAPTURE_RATES, Capture, CaptureConfig, CaptureError, CaptureFrame, Detection, FrameKind, GainControl,
    InputFormat, Level, MAX_CAPTURE_CHANNELS, MAX_CAPTURE_WAIT, Stages,
};
#[cfg(feature = "encode")]
pub use opus::OpusEncoder;
pub use opus::{
    Application, Channels, CpuBudget, DecodeError, EncodeError, EncoderConfig, FrameLength, MAX_DRED_MS,
    MAX_FRAME_BYTES, MAX_PACKET_SAMPLES, OpusDecoder, Quality, Recovery, SetupError, codec_version, has_fec, is_dtx,
    packet_samples,
};
#[cfg(feature = "resample")]
pub use resample::{RATES, ResampleError, resample};
#[cfg(feature = "wav")]
pub use wav::{MAX_WAV_SECONDS, WavReadError, WavWriteError, read_wav, write_wav};

/// The sample rate of all PCM in this crate, in hertz.
pub const SAMPLE_RATE: u32 = 48_000;
