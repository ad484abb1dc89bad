//! What libopus says of a packet without decoding it, for comparison.

use std::ptr;

use super::{Refusal, clamped, length, sys};

/// The most frames that a packet can hold (RFC 6716, section 3.2.5).
const MAX_FRAMES: usize = 48;

/// The samples a packet stands for at `sample_rate`.
pub(crate) fn packet_samples(packet: &[u8], sample_rate: i32) -> Result<usize, Refusal> {
    // SAFETY: libopus reads at most `packet.len()` bytes, and answers `OPUS_BAD_ARG` for none.
    length(unsafe { sys::opus_packet_get_nb_samples(packet.as_ptr(), clamped(packet.len()), sample_rate) })
}

/// The first frame inside a packet, which may be empty, or an error where the packet is malformed.
pub(crate) fn first_frame(packet: &[u8]) -> Result<&[u8], Refusal> {
    let mut frames = [ptr::null(); MAX_FRAMES];
    let mut sizes = [0; MAX_FRAMES];
    let mut offset = 0;
    // SAFETY: libopus reads at most `packet.len()` bytes, and writes at most 48 pointers, 48 sizes and one integer; the pointer to the
    // first byte of the packet may be null.
    length(unsafe {
        sys::opus_packet_parse(
            packet.as_ptr(),
            clamped(packet.len()),
            ptr::null_mut(),
            frames.as_mut_ptr(),
            sizes.as_mut_ptr(),
            &mut offset,
        )
    })?;
    let range = usize::try_from(offset).ok().zip(usize::try_from(sizes[0]).ok());
    range.and_then(|(start, size)| packet.get(start..start.checked_add(size)?)).ok_or(Refusal::InvalidPacket)
}
