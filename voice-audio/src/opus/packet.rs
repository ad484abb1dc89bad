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
    #[cfg(feature = "encode")]
    use crate::{backend::parsed, opus::RATE};

    #[test]
    fn frame_lengths_are_what_libopus_says() {
        for config in 0..32u8 {
            let packet = [config << 3, 1, 2, 3];
            assert_eq!(packet_samples(&packet), Ok(frame_samples(&packet)), "{config}");
        }
    }

    #[cfg(feature = "encode")]
    #[test]
    fn packets_are_divided_as_libopus_divides_them() {
        let whole = |packet: &[u8]| {
            let samples = parsed::packet_samples(packet, RATE).ok().filter(|&samples| samples > 0);
            let first = parsed::first_frame(packet).ok();
            assert_eq!(packet_samples(packet).ok(), samples, "{packet:?}");
            assert_eq!(first_frame(packet), first, "{packet:?}");
            samples.is_some() && first.is_some()
        };
        let mut random = 1_u64;
        let mut next = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % below
        };
        let mut taken = [0; 4];
        for _ in 0..300_000 {
            let len = 1 + [next(6), next(40), next(1_600)][next(3)];
            // Few of the packets with random bytes would be whole.
            let low = next(3) == 0;
            let mut packet: Vec<u8> = (0..len).map(|_| next(if low { 4 } else { 256 }) as u8).collect();
            packet[0] = next(256) as u8;
            taken[usize::from(packet[0] & 3)] += u32::from(whole(&packet));
        }
        assert!(taken.iter().all(|&taken| taken > 2_000), "{taken:?}");
        for toc in 0..=u8::MAX {
            (0..=u8::MAX).for_each(|count| _ = whole(&[toc, count, 255, 254, 3, 2, 1, 0]));
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
