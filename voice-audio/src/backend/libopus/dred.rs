//! DRED (deep redundancy) of libopus 1.6: a packet's coarse picture of up to a second of sound before it.

use std::ffi::c_int;
use std::ptr::NonNull;

use super::{RawDecoder, Refusal, clamped, length, refusal, sys};

/// An owned DRED decoder, and the redundancy of the packet that it read last.
#[derive(Debug)]
pub(crate) struct RawDred {
    decoder: NonNull<sys::OpusDREDDecoder>,
    redundancy: NonNull<sys::OpusDRED>,
}

// SAFETY: both states are plain heap memory without ties to a thread, and only this handle points to them.
unsafe impl Send for RawDred {}

impl RawDred {
    pub(crate) fn new() -> Result<Self, Refusal> {
        let mut code = sys::OPUS_OK;
        // SAFETY: `code` is a live `int`; the answer is null or a fresh state, owned here.
        let decoder = NonNull::new(unsafe { sys::opus_dred_decoder_create(&mut code) }).ok_or_else(|| refusal(code))?;
        // SAFETY: as above.
        let Some(redundancy) = NonNull::new(unsafe { sys::opus_dred_alloc(&mut code) }) else {
            // SAFETY: the decoder came from `opus_dred_decoder_create`, and nobody has it.
            unsafe { sys::opus_dred_decoder_destroy(decoder.as_ptr()) };
            return Err(refusal(code));
        };
        Ok(Self { decoder, redundancy })
    }

    /// Reads a packet's redundancy, no more of it than the last `samples` before the packet, and returns how many samples it reaches
    /// back: 0 if there is none. What [`RawDecoder::decode_dred`] needs is only made with `ready`, and costs a neural network's time.
    pub(crate) fn parse(
        &mut self,
        packet: &[u8],
        samples: usize,
        sample_rate: i32,
        ready: bool,
    ) -> Result<usize, Refusal> {
        let mut silence = 0;
        // SAFETY: both states are live; libopus reads at most `packet.len()` bytes, and writes one integer to `silence`.
        length(unsafe {
            sys::opus_dred_parse(
                self.decoder.as_ptr(),
                self.redundancy.as_ptr(),
                packet.as_ptr(),
                clamped(packet.len()),
                clamped(samples),
                sample_rate,
                &mut silence,
                c_int::from(!ready),
            )
        })
    }
}

impl Drop for RawDred {
    fn drop(&mut self) {
        // SAFETY: both came from the matching constructors and are freed only here.
        unsafe {
            sys::opus_dred_free(self.redundancy.as_ptr());
            sys::opus_dred_decoder_destroy(self.decoder.as_ptr());
        }
    }
}

impl RawDecoder {
    /// Fills `out` with the sound that began `offset` samples before the packet whose redundancy was read with `ready`. Where nothing
    /// was read for that time, it is concealed.
    pub(crate) fn decode_dred(&mut self, dred: &RawDred, offset: usize, out: &mut [i16]) -> Result<usize, Refusal> {
        let room = clamped(out.len() / self.channels);
        // SAFETY: both states are live, and this one has `channels` channels; libopus writes at most `room * channels` samples, which
        // `out` has.
        length(unsafe {
            sys::opus_decoder_dred_decode(
                self.state.as_ptr(),
                dred.redundancy.as_ptr(),
                clamped(offset),
                out.as_mut_ptr(),
                room,
            )
        })
    }
}
