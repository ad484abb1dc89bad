//! Messages of the data channels, and the packets in them: docs/WEBRTC.md, section 3.

/// Bytes of the longest message that either end sends.
pub const MAX_MESSAGE: usize = 2_048;

/// The packets of a message of the voice channel.
pub(crate) fn packets(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = message;
    std::iter::from_fn(move || {
        let (len, body) = match *rest {
            [len @ 1..=127, ref body @ ..] => (usize::from(len), body),
            [high @ 128..=255, low, ref body @ ..] => (usize::from(u16::from_be_bytes([high & 0x7F, low])), body),
            _ => return None,
        };
        let long = rest.first().is_some_and(|first| *first >= 128);
        if long && len < 128 {
            return None;
        }
        let (packet, after) = body.split_at_checked(len)?;
        rest = after;
        Some(packet)
    })
}

/// Bytes before a packet in a message of the voice channel.
pub(crate) const fn prefix_len(packet: usize) -> usize {
    if packet < 128 { 1 } else { 2 }
}

/// Writes the length of the packet that follows; `out` has room for [`prefix_len`].
pub(crate) fn write_prefix(packet: usize, out: &mut [u8]) {
    match (u16::try_from(packet).unwrap_or(0).to_be_bytes(), out) {
        ([0, low], [only, ..]) if low < 128 => *only = low,
        ([high, low], [first, second, ..]) => (*first, *second) = (high | 0x80, low),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(packets: &[usize]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for &len in packets {
            let mut prefix = [0; 2];
            write_prefix(len, &mut prefix);
            bytes.extend_from_slice(&prefix[..prefix_len(len)]);
            bytes.extend(std::iter::repeat_n(7, len));
        }
        bytes
    }

    #[test]
    fn packets_come_out_as_they_were_put_in() {
        for lens in [&[1][..], &[127, 128, 1], &[1_200], &[92, 300, 300, 300]] {
            let message = message(lens);
            assert_eq!(packets(&message).map(<[u8]>::len).collect::<Vec<_>>(), lens);
        }
        assert_eq!(message(&[92])[..1], [0x5C]);
        assert_eq!(message(&[300])[..2], [0x81, 0x2C]);
    }

    #[test]
    fn what_stands_before_a_bad_length_counts() {
        let good = [2, 9, 9];
        for bad in [&[][..], &[0, 1], &[0x80, 5, 1, 1, 1, 1, 1], &[4, 1], &[0x81], &[0xFF, 0xFF, 1]] {
            let message = [&good[..], bad].concat();
            assert_eq!(packets(&message).collect::<Vec<_>>(), [&[9, 9]], "{bad:?}");
        }
    }
}
