//! The one file that talks to libopus in C; everything above it is safe Rust.
//!
//! The rule it keeps: a handle is created whole or not at all, owns its state alone, and every length that C sees comes from a slice.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use audiopus_sys as sys;

/// A negative answer of libopus, one of its `OPUS_*` error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) c_int);

impl Code {
    pub(crate) const BAD_ARG: Code = Code(sys::OPUS_BAD_ARG);
    pub(crate) const BUFFER_TOO_SMALL: Code = Code(sys::OPUS_BUFFER_TOO_SMALL);
    pub(crate) const INVALID_PACKET: Code = Code(sys::OPUS_INVALID_PACKET);
}

/// The encoder settings that take one integer; libopus checks their range.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Setting {
    Bitrate,
    Complexity,
    InbandFec,
    PacketLossPercent,
    Dtx,
}

impl Setting {
    fn request(self) -> c_int {
        match self {
            Setting::Bitrate => sys::OPUS_SET_BITRATE_REQUEST,
            Setting::Complexity => sys::OPUS_SET_COMPLEXITY_REQUEST,
            Setting::InbandFec => sys::OPUS_SET_INBAND_FEC_REQUEST,
            Setting::PacketLossPercent => sys::OPUS_SET_PACKET_LOSS_PERC_REQUEST,
            Setting::Dtx => sys::OPUS_SET_DTX_REQUEST,
        }
    }
}

/// An owned libopus encoder: mono, for voice.
#[derive(Debug)]
pub(crate) struct RawEncoder(NonNull<sys::OpusEncoder>);

// SAFETY: the state is plain heap memory without ties to a thread, and only this handle points to it.
unsafe impl Send for RawEncoder {}

impl RawEncoder {
    pub(crate) fn new(sample_rate: i32) -> Result<Self, Code> {
        let mut code = sys::OPUS_OK;
        // SAFETY: `code` is a live `int`; the answer is null or a fresh state, which this handle then owns.
        let state = unsafe { sys::opus_encoder_create(sample_rate, 1, sys::OPUS_APPLICATION_VOIP, &mut code) };
        NonNull::new(state).map(Self).ok_or(Code(code))
    }

    pub(crate) fn set(&mut self, setting: Setting, value: i32) -> Result<(), Code> {
        // SAFETY: the state is live; every request of `Setting` reads exactly one 32-bit integer argument.
        let code = unsafe { sys::opus_encoder_ctl(self.0.as_ptr(), setting.request(), value) };
        length(code).map(drop)
    }

    pub(crate) fn lookahead(&mut self) -> Result<i32, Code> {
        let mut samples = 0i32;
        // SAFETY: the state is live; this request writes one 32-bit integer through the pointer, which is valid for it.
        let code = unsafe { sys::opus_encoder_ctl(self.0.as_ptr(), sys::OPUS_GET_LOOKAHEAD_REQUEST, &raw mut samples) };
        length(code).map(|_| samples)
    }

    pub(crate) fn reset(&mut self) {
        // SAFETY: the state is live; this request takes no argument.
        unsafe { sys::opus_encoder_ctl(self.0.as_ptr(), sys::OPUS_RESET_STATE) };
    }

    pub(crate) fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, Code> {
        // SAFETY: the state is live and mono, so libopus reads `pcm.len()` samples and writes at most `out.len()` bytes.
        length(unsafe {
            sys::opus_encode(self.0.as_ptr(), pcm.as_ptr(), clamped(pcm.len()), out.as_mut_ptr(), clamped(out.len()))
        })
    }
}

impl Drop for RawEncoder {
    fn drop(&mut self) {
        // SAFETY: the state came from `opus_encoder_create` and is freed only here.
        unsafe { sys::opus_encoder_destroy(self.0.as_ptr()) }
    }
}

/// An owned libopus decoder: mono.
#[derive(Debug)]
pub(crate) struct RawDecoder(NonNull<sys::OpusDecoder>);

// SAFETY: the state is plain heap memory without ties to a thread, and only this handle points to it.
unsafe impl Send for RawDecoder {}

impl RawDecoder {
    pub(crate) fn new(sample_rate: i32) -> Result<Self, Code> {
        let mut code = sys::OPUS_OK;
        // SAFETY: `code` is a live `int`; the answer is null or a fresh state, which this handle then owns.
        let state = unsafe { sys::opus_decoder_create(sample_rate, 1, &mut code) };
        NonNull::new(state).map(Self).ok_or(Code(code))
    }

    pub(crate) fn reset(&mut self) {
        // SAFETY: the state is live; this request takes no argument.
        unsafe { sys::opus_decoder_ctl(self.0.as_ptr(), sys::OPUS_RESET_STATE) };
    }

    /// Decodes `packet`, or with `fec` the redundant copy of the frame before it; `None` conceals a lost frame.
    pub(crate) fn decode(&mut self, packet: Option<&[u8]>, out: &mut [i16], fec: bool) -> Result<usize, Code> {
        let (data, bytes) = packet.map_or((ptr::null(), 0), |p| (p.as_ptr(), clamped(p.len())));
        // SAFETY: the state is live and mono; `data` is null with length 0, or readable for `bytes`; libopus writes at most
        // `out.len()` samples.
        length(unsafe {
            sys::opus_decode(self.0.as_ptr(), data, bytes, out.as_mut_ptr(), clamped(out.len()), c_int::from(fec))
        })
    }
}

impl Drop for RawDecoder {
    fn drop(&mut self) {
        // SAFETY: the state came from `opus_decoder_create` and is freed only here.
        unsafe { sys::opus_decoder_destroy(self.0.as_ptr()) }
    }
}

/// The samples a packet stands for at `sample_rate`.
pub(crate) fn packet_samples(packet: &[u8], sample_rate: i32) -> Result<usize, Code> {
    // SAFETY: libopus reads at most `packet.len()` bytes, and answers `OPUS_BAD_ARG` for none.
    length(unsafe { sys::opus_packet_get_nb_samples(packet.as_ptr(), clamped(packet.len()), sample_rate) })
}

fn length(answer: c_int) -> Result<usize, Code> {
    usize::try_from(answer).map_err(|_| Code(answer))
}

/// A slice's length as C sees it: never longer than the slice, so that a huge one is used in part.
fn clamped(len: usize) -> c_int {
    c_int::try_from(len).unwrap_or(c_int::MAX)
}
