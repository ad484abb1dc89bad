//! What a packet's bytes say without decoding them.

use super::{DecodeError, MAX_PACKET_SAMPLES, frames::first_frame};

/// Opus sends at most this many bytes for a frame that DTX leaves out.
const DTX_BYTES: usize = 2;

/// Configurations below this one have a SILK part (RFC 6716, table 2).
const FIRST_CELT_CONFIG: u8 = 16;

/// SILK works in frames of up to 20 ms.
const SILK_FRAME_SAMPLES: usize = 960;

/// Says whether an encoded frame only stands for silence: with DTX on it need not be sent.
pub fn is_dtx(frame: &[u8]) -> bool {
    frame.len() <= DTX_BYTES
}

/// Returns how many samples per channel `packet` stands for, from its header alone, or an error if that can't be.
pub fn packet_samples(packet: &[u8]) -> Result<usize, DecodeError> {
    let &toc = packet.first().ok_or(DecodeError::Empty)?;
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => usize::from(packet.get(1).ok_or(DecodeError::Malformed)? & 0x3F),
    };
    let samples = frames * frame_samples(packet);
    if (1..=MAX_PACKET_SAMPLES).contains(&samples) { Ok(samples) } else { Err(DecodeError::Malformed) }
}

/// Says whether `packet` carries in-band FEC: a coarse copy of the frame before it. What is not Opus has none.
pub fn has_fec(packet: &[u8]) -> bool {
    if is_celt(packet) {
        return false;
    }
    let Some(&[flags, ..]) = first_frame(packet) else { return false };
    // RFC 6716, section 4.2.3: for each channel one VAD bit per SILK frame, then the LBRR bit.
    let frames = frame_samples(packet).div_ceil(SILK_FRAME_SAMPLES);
    let stereo = packet.first().is_some_and(|toc| toc & 4 != 0);
    let lbrr = |channel: usize| flags >> (7 - frames - channel * (frames + 1)) & 1 != 0;
    lbrr(0) || stereo && lbrr(1)
}

/// Returns [`packet_samples`], and refuses what is no whole packet: that looks at its header alone.
pub(super) fn check_packet(packet: &[u8]) -> Result<usize, DecodeError> {
    let samples = packet_samples(packet)?;
    first_frame(packet).map(|_| samples).ok_or(DecodeError::Malformed)
}

/// Whether the packet has no SILK part; an empty one is taken for such.
pub(super) fn is_celt(packet: &[u8]) -> bool {
    packet.first().is_none_or(|toc| toc >> 3 >= FIRST_CELT_CONFIG)
}

/// The samples of each frame in a packet with a SILK part: 10 to 60 ms (RFC 6716, table 2).
pub(super) fn frame_samples(packet: &[u8]) -> usize {
    let config = packet.first().map_or(0, |toc| toc >> 3);
    match config {
        0..12 => [480, 960, 1_920, 2_880][usize::from(config % 4)],
        12..16 => [480, 960][usize::from(config % 2)],
        _ => [120, 240, 480, 960][usize::from(config % 4)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_lengths_are_what_libopus_says() {
        for config in 0..32u8 {
            let packet = [config << 3, 1, 2, 3];
            assert_eq!(packet_samples(&packet), Ok(frame_samples(&packet)), "{config}");
        }
    }

    #[test]
    fn any_two_bytes_have_an_answer() {
        for toc in 0..=u8::MAX {
            for next in 0..=u8::MAX {
                has_fec(&[toc, next, next, next]);
                has_fec(&[toc, next]);
            }
        }
    }
}
