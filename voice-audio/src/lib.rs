//! The sound side of voice chat: PCM to Opus frames and back, WAV, resampling, mixing and voice activity.
//!
//! Everything works on **mono 16-bit PCM at 48 kHz** in slices that the caller owns. The crate opens no file and no device, knows no
//! clock and no network: bytes and samples in, bytes and samples out. Of the protocol it knows only what a client gives to be heard: `voice_core::Frame`.
//!
//! Start with [`OpusEncoder`] for a mouth and [`listen::Listener`] for ears; [`OpusDecoder`] and [`Mixer`] are for who wants to put the parts
//! together otherwise.
//!
//! 1. [`read_wav`] (or a microphone) gives samples; cut them into frames of [`FrameLength::samples`].
//! 2. [`ActivityDetector::update`] tells speech from silence, so that silent frames need not be sent.
//! 3. [`OpusEncoder::encode`] gives the payload of one voice packet.
//! 4. For each frame due, the listener calls [`OpusDecoder::decode`], [`OpusDecoder::decode_fec`] or [`OpusDecoder::conceal`].
//! 5. [`Mixer::add`] takes each speaker's frame, [`Mixer::finish`] gives what is heard.
//!
//! ```
//! use voice_audio::{EncoderConfig, Gain, Mixer, OpusDecoder, OpusEncoder, MAX_FRAME_BYTES};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = EncoderConfig::default();
//! let mut encoder = OpusEncoder::new(config)?;
//! let mut decoder = OpusDecoder::new()?;
//!
//! let spoken = vec![0i16; config.frame_length.samples()];
//! let mut payload = [0u8; MAX_FRAME_BYTES];
//! let bytes = encoder.encode(&spoken, &mut payload)?;
//!
//! let mut heard = vec![0i16; config.frame_length.samples()];
//! let samples = decoder.decode(&payload[..bytes], &mut heard)?;
//! assert_eq!(samples, heard.len());
//!
//! let mut mixer = Mixer::new();
//! mixer.add(&heard, Gain::from_percent(100).combined(Gain::from_percent(80)));
//! mixer.finish(&mut heard);
//! # Ok(())
//! # }
//! ```
//!
//! # Determinism
//!
//! [`Mixer`] and activity are integer arithmetic and give the same samples everywhere. A listener at 48 kHz adds and multiplies floats in a fixed order; at other rates
//! its samples may depend on the processor's vector units in the last bits. Resampling of clips runs in double precision and rounds
//! once at the end. The codec is the bundled libopus in floating point: one build gives the same bytes in every run, but builds for
//! different processor architectures may differ in the last bit.

#![deny(unsafe_code)]

#[cfg(not(any(feature = "opus13", feature = "opus16")))]
compile_error!("voice-audio needs a codec: turn on its feature `opus13` (the default) or `opus16`");

mod activity;
mod capture;
mod ffi;
pub mod listen;
mod mixer;
mod opus;
mod resample;
mod wav;

pub use activity::{Activity, ActivityConfig, ActivityDetector, rms, talkspurts};
pub use capture::{
    Activation, CAPTURE_RATES, Capture, CaptureConfig, CaptureError, CaptureFrame, Detection, FrameKind, GainControl,
    InputFormat, Level, MAX_CAPTURE_CHANNELS, MAX_CAPTURE_WAIT, Stages,
};
pub use mixer::{Gain, Mixer};
pub use opus::{
    Application, Channels, CpuBudget, DecodeError, EncodeError, EncoderConfig, FrameLength, MAX_DRED_MS,
    MAX_FRAME_BYTES, MAX_PACKET_SAMPLES, OpusDecoder, OpusEncoder, Quality, Recovery, SetupError, codec_version,
    has_fec, is_dtx, packet_samples,
};
pub use resample::{RATES, ResampleError, resample};
pub use wav::{MAX_WAV_SECONDS, WavReadError, WavWriteError, read_wav, write_wav};

/// The sample rate of all PCM in this crate, in hertz.
pub const SAMPLE_RATE: u32 = 48_000;
