//! The one place that talks to libopus in C; everything above it is safe Rust.
//!
//! The rule it keeps: a handle is created whole or not at all, owns its state alone, and every length that C sees comes from a slice.
//! Both versions have the same symbols; what only libopus 1.6 has is in `dred.rs`.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};
use std::ptr::{self, NonNull};

#[cfg(feature = "opus16")]
use opusic_sys as sys;

#[cfg(not(feature = "opus16"))]
use audiopus_sys as sys;

#[cfg(feature = "opus16")]
mod dred;
#[cfg(test)]
pub(crate) mod parsed;

#[cfg(feature = "opus16")]
pub(crate) use dred::RawDred;

use super::Refusal;

/// Not in the bindings of 1.3, which answers that it doesn't know the request.
const OPUS_SET_DRED_DURATION_REQUEST: c_int = 4050;

/// What the encoder is tuned for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tuning {
    Voice,
    Audio,
}

impl Tuning {
    fn application(self) -> c_int {
        match self {
            Tuning::Voice => sys::OPUS_APPLICATION_VOIP,
            Tuning::Audio => sys::OPUS_APPLICATION_AUDIO,
        }
    }
}

/// The encoder settings that take one integer; libopus checks their range.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Setting {
    Bitrate,
    Complexity,
    InbandFec,
    PacketLossPercent,
    Dtx,
    DredDuration,
}

impl Setting {
    fn request(self) -> c_int {
        match self {
            Setting::Bitrate => sys::OPUS_SET_BITRATE_REQUEST,
            Setting::Complexity => sys::OPUS_SET_COMPLEXITY_REQUEST,
            Setting::InbandFec => sys::OPUS_SET_INBAND_FEC_REQUEST,
            Setting::PacketLossPercent => sys::OPUS_SET_PACKET_LOSS_PERC_REQUEST,
            Setting::Dtx => sys::OPUS_SET_DTX_REQUEST,
            Setting::DredDuration => OPUS_SET_DRED_DURATION_REQUEST,
        }
    }
}

/// An owned libopus encoder.
#[derive(Debug)]
pub(crate) struct RawEncoder {
    state: NonNull<sys::OpusEncoder>,
    channels: usize,
}

// SAFETY: the state is plain heap memory without ties to a thread, and only this handle points to it.
unsafe impl Send for RawEncoder {}

impl RawEncoder {
    /// For 1 or 2 channels; libopus refuses any other number.
    pub(crate) fn new(sample_rate: i32, channels: usize, tuning: Tuning) -> Result<Self, Refusal> {
        let mut code = sys::OPUS_OK;
        // SAFETY: `code` is a live `int`; the answer is null or a fresh state, which this handle then owns.
        let state =
            unsafe { sys::opus_encoder_create(sample_rate, clamped(channels), tuning.application(), &mut code) };
        NonNull::new(state).map(|state| Self { state, channels }).ok_or_else(|| refusal(code))
    }

    pub(crate) fn set(&mut self, setting: Setting, value: i32) -> Result<(), Refusal> {
        // SAFETY: the state is live; every request of `Setting` reads exactly one 32-bit integer argument.
        let code = unsafe { sys::opus_encoder_ctl(self.state.as_ptr(), setting.request(), value) };
        length(code).map(drop)
    }

    pub(crate) fn lookahead(&mut self) -> Result<i32, Refusal> {
        let mut samples = 0i32;
        // SAFETY: the state is live; this request writes one 32-bit integer through the pointer, which is valid for it.
        let code =
            unsafe { sys::opus_encoder_ctl(self.state.as_ptr(), sys::OPUS_GET_LOOKAHEAD_REQUEST, &raw mut samples) };
        length(code).map(|_| samples)
    }

    pub(crate) fn reset(&mut self) {
        // SAFETY: the state is live; this request takes no argument.
        unsafe { sys::opus_encoder_ctl(self.state.as_ptr(), sys::OPUS_RESET_STATE) };
    }

    /// Encodes interleaved samples; a length that no frame has is refused.
    pub(crate) fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, Refusal> {
        let samples = clamped(pcm.len() / self.channels);
        // SAFETY: the state is live and has `channels` channels, so libopus reads `samples * channels` samples, which `pcm` has,
        // and writes at most `out.len()` bytes.
        length(unsafe {
            sys::opus_encode(self.state.as_ptr(), pcm.as_ptr(), samples, out.as_mut_ptr(), clamped(out.len()))
        })
    }
}

impl Drop for RawEncoder {
    fn drop(&mut self) {
        // SAFETY: the state came from `opus_encoder_create` and is freed only here.
        unsafe { sys::opus_encoder_destroy(self.state.as_ptr()) }
    }
}

/// An owned libopus decoder.
#[derive(Debug)]
pub(crate) struct RawDecoder {
    state: NonNull<sys::OpusDecoder>,
    channels: usize,
}

// SAFETY: the state is plain heap memory without ties to a thread, and only this handle points to it.
unsafe impl Send for RawDecoder {}

impl RawDecoder {
    /// For 1 or 2 channels; libopus refuses any other number.
    pub(crate) fn new(sample_rate: i32, channels: usize) -> Result<Self, Refusal> {
        let mut code = sys::OPUS_OK;
        // SAFETY: `code` is a live `int`; the answer is null or a fresh state, which this handle then owns.
        let state = unsafe { sys::opus_decoder_create(sample_rate, clamped(channels), &mut code) };
        NonNull::new(state).map(|state| Self { state, channels }).ok_or_else(|| refusal(code))
    }

    /// Sets how hard the decoder works; libopus 1.3 doesn't know the request.
    pub(crate) fn set_complexity(&mut self, complexity: i32) -> Result<(), Refusal> {
        // SAFETY: the state is live; this request reads exactly one 32-bit integer argument.
        let code = unsafe { sys::opus_decoder_ctl(self.state.as_ptr(), sys::OPUS_SET_COMPLEXITY_REQUEST, complexity) };
        length(code).map(drop)
    }

    pub(crate) fn reset(&mut self) {
        // SAFETY: the state is live; this request takes no argument.
        unsafe { sys::opus_decoder_ctl(self.state.as_ptr(), sys::OPUS_RESET_STATE) };
    }

    /// Decodes `packet` to interleaved samples, or with `fec` the redundant copy of the frame before it; `None` conceals a lost frame.
    /// Returns the samples per channel.
    pub(crate) fn decode(&mut self, packet: Option<&[u8]>, out: &mut [i16], fec: bool) -> Result<usize, Refusal> {
        let (data, bytes) = packet.map_or((ptr::null(), 0), |p| (p.as_ptr(), clamped(p.len())));
        let room = clamped(out.len() / self.channels);
        // SAFETY: the state is live and has `channels` channels; `data` is null with length 0, or readable for `bytes`; libopus writes
        // at most `room * channels` samples, which `out` has.
        length(unsafe { sys::opus_decode(self.state.as_ptr(), data, bytes, out.as_mut_ptr(), room, c_int::from(fec)) })
    }
}

impl Drop for RawDecoder {
    fn drop(&mut self) {
        // SAFETY: the state came from `opus_decoder_create` and is freed only here.
        unsafe { sys::opus_decoder_destroy(self.state.as_ptr()) }
    }
}

/// What the linked library calls itself.
pub(crate) fn version() -> &'static str {
    // SAFETY: the answer is a string literal inside the library.
    unsafe { CStr::from_ptr(sys::opus_get_version_string()) }.to_str().unwrap_or("unknown")
}

fn length(answer: c_int) -> Result<usize, Refusal> {
    usize::try_from(answer).map_err(|_| refusal(answer))
}

fn refusal(code: c_int) -> Refusal {
    match code {
        sys::OPUS_BAD_ARG => Refusal::BadArgument,
        sys::OPUS_BUFFER_TOO_SMALL => Refusal::BufferTooSmall,
        sys::OPUS_INVALID_PACKET => Refusal::InvalidPacket,
        sys::OPUS_UNIMPLEMENTED => Refusal::Unimplemented,
        _ => Refusal::Other,
    }
}

/// A slice's length as C sees it: never longer than the slice, so that a huge one is used in part.
fn clamped(len: usize) -> c_int {
    c_int::try_from(len).unwrap_or(c_int::MAX)
}
