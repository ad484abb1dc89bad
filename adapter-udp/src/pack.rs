//! Packets that share a datagram: each with its length before it, 1 B below 128 and else 2 B with the highest bit set. A length of 0 begins
//! a word of the transport's own: its kind and 8 B.

/// A packet, or a word of the transport's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    Packet(&'a [u8]),
    Word(Word),
}

/// What the two ends of a link say to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// To a new address: does the other end get what is sent there?
    Challenge([u8; 8]),
    /// The same 8 B back.
    Response([u8; 8]),
}

const CHALLENGE: u8 = 1;
const RESPONSE: u8 = 2;
/// Longest packet that has a length.
pub(crate) const LONGEST: usize = 0x7FFF;

/// Bytes that a packet takes in a datagram.
pub(crate) const fn packed_len(packet: usize) -> usize {
    packet + if packet < 0x80 { 1 } else { 2 }
}

/// Appends a packet of 1 to 32,767 bytes.
pub(crate) fn pack(packet: &[u8], out: &mut Vec<u8>) {
    debug_assert!((1..=LONGEST).contains(&packet.len()));
    if packet.len() < 0x80 {
        out.push(packet.len() as u8);
    } else {
        out.extend((packet.len() as u16 | 0x8000).to_be_bytes());
    }
    out.extend_from_slice(packet);
}

/// Appends a word.
pub(crate) fn pack_word(word: Word, out: &mut Vec<u8>) {
    let (kind, bytes) = match word {
        Word::Challenge(bytes) => (CHALLENGE, bytes),
        Word::Response(bytes) => (RESPONSE, bytes),
    };
    out.extend([0, kind]);
    out.extend(bytes);
}

/// What is in a datagram, in its order. Ends where something is cut short.
pub(crate) fn unpack(plain: &[u8]) -> impl Iterator<Item = Item<'_>> {
    let mut rest = plain;
    std::iter::from_fn(move || {
        let (item, after) = split(rest)?;
        rest = after;
        Some(item)
    })
}

/// Bytes of the first item with its length; `None` if nothing whole is there.
pub(crate) fn first_len(plain: &[u8]) -> Option<usize> {
    split(plain).map(|(_, rest)| plain.len() - rest.len())
}

fn split(bytes: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first == 0 {
        let (&[kind, ref word @ ..], after) = rest.split_first_chunk::<9>()?;
        let word = match kind {
            CHALLENGE => Word::Challenge(*word),
            RESPONSE => Word::Response(*word),
            _ => return None,
        };
        return Some((Item::Word(word), after));
    }
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (&low, rest) = rest.split_first()?;
        // A short length in the long form would be a second encoding of the same.
        let len = usize::from(u16::from_be_bytes([first & 0x7F, low]));
        if len < 0x80 {
            return None;
        }
        (len, rest)
    };
    let (packet, after) = rest.split_at_checked(len)?;
    Some((Item::Packet(packet), after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_comes_out_in_its_order(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..400), 0..9)) {
            let mut plain = Vec::new();
            pack_word(Word::Challenge([3; 8]), &mut plain);
            for packet in &packets {
                let before = plain.len();
                pack(packet, &mut plain);
                prop_assert_eq!(plain.len() - before, packed_len(packet.len()));
            }
            pack_word(Word::Response([4; 8]), &mut plain);
            let items: Vec<_> = unpack(&plain).collect();
            prop_assert_eq!(items.len(), packets.len() + 2);
            prop_assert_eq!(items[0], Item::Word(Word::Challenge([3; 8])));
            for (item, packet) in items[1..].iter().zip(&packets) {
                prop_assert_eq!(*item, Item::Packet(packet));
            }
        }

        #[test]
        fn a_short_length_in_the_long_form_ends_the_datagram(len in 0_u8..0x80, rest in prop::collection::vec(any::<u8>(), 128)) {
            prop_assert_eq!(unpack(&[&[0x80, len], &*rest].concat()).count(), 0);
        }

        #[test]
        fn any_bytes_are_taken_apart_within_their_bounds(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let packets = unpack(&bytes).map(|item| if let Item::Packet(packet) = item { packet.len() } else { 0 });
            prop_assert!(packets.sum::<usize>() <= bytes.len());
        }
    }
}
