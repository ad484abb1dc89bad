//! Packets that share a datagram: each with its length before it, 1 B below 128 and else 2 B with the highest bit set. A length of 0 begins
//! a word of the transport's own: its kind and 8 B, or an address.

use std::net::SocketAddr;

use crate::address::{ADDRESS, read_address, write_address};

/// A packet, or a word of the transport's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// 1 to 32,767 bytes.
    Packet(&'a [u8]),
    /// Of the two ends to each other.
    Word(Word),
}

/// What the two ends of a link say to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// To a new address: does the other end get what is sent there?
    Challenge([u8; 8]),
    /// The same 8 B back.
    Response([u8; 8]),
    /// From a client: which address do its datagrams come from?
    AskAddress([u8; 8]),
    /// From a server: from this one.
    Address(SocketAddr),
}

const CHALLENGE: u8 = 1;
const RESPONSE: u8 = 2;
const ASK_ADDRESS: u8 = 3;
const IS_ADDRESS: u8 = 4;
/// Longest packet that has a length.
pub const LONGEST: usize = 0x7FFF;

/// Bytes that a packet takes in a datagram.
pub const fn packed_len(packet: usize) -> usize {
    packet + if packet < 0x80 { 1 } else { 2 }
}

/// Appends a packet of 1 to 32,767 bytes.
pub fn pack(packet: &[u8], out: &mut Vec<u8>) {
    debug_assert!((1..=LONGEST).contains(&packet.len()));
    if packet.len() < 0x80 {
        out.push(packet.len() as u8);
    } else {
        out.extend((packet.len() as u16 | 0x8000).to_be_bytes());
    }
    out.extend_from_slice(packet);
}

/// Appends a word.
pub fn pack_word(word: Word, out: &mut Vec<u8>) {
    let (kind, bytes) = match word {
        Word::Challenge(bytes) => (CHALLENGE, bytes),
        Word::Response(bytes) => (RESPONSE, bytes),
        Word::AskAddress(bytes) => (ASK_ADDRESS, bytes),
        Word::Address(address) => {
            out.extend([0, IS_ADDRESS]);
            return out.extend(write_address(address));
        }
    };
    out.extend([0, kind]);
    out.extend(bytes);
}

/// What is in a datagram, in its order. Ends where something is cut short.
pub fn unpack(plain: &[u8]) -> impl Iterator<Item = Item<'_>> {
    let mut rest = plain;
    std::iter::from_fn(move || {
        let (item, len) = unpack_first(rest)?;
        rest = &rest[len..];
        Some(item)
    })
}

/// The packets of a message of a transport without words: it ends at one, as at anything else that is none.
pub fn packets(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    unpack(message).map_while(|item| if let Item::Packet(packet) = item { Some(packet) } else { None })
}

/// The packets of a datagram, in their order, which may be changed where they stand.
#[derive(Debug, Default)]
pub struct Packets<'d>(&'d mut [u8]);

impl<'d> Packets<'d> {
    /// Those in these bytes.
    pub const fn new(plain: &'d mut [u8]) -> Self {
        Self(plain)
    }
}

impl<'d> Iterator for Packets<'d> {
    type Item = &'d mut [u8];

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = std::mem::take(&mut self.0);
            let (item, len) = unpack_first(rest)?;
            let packet = if let Item::Packet(packet) = item { Some(packet.len()) } else { None };
            let (one, rest) = rest.split_at_mut(len);
            self.0 = rest;
            if let Some(packet) = packet {
                return Some(&mut one[len - packet..]);
            }
        }
    }
}

/// The first item, and how many bytes it takes with its length.
pub fn unpack_first(bytes: &[u8]) -> Option<(Item<'_>, usize)> {
    let (&first, rest) = bytes.split_first()?;
    if first == 0 {
        return first_word(rest).map(|(word, len)| (Item::Word(word), 1 + len));
    }
    let (len, head) = if first < 0x80 {
        (usize::from(first), 1)
    } else {
        // A short length in the long form would be a second encoding of the same.
        let len = usize::from(u16::from_be_bytes([first & 0x7F, *rest.first()?]));
        if len < 0x80 {
            return None;
        }
        (len, 2)
    };
    bytes.get(head..head + len).map(|packet| (Item::Packet(packet), head + len))
}

/// The word after its 0, and how many bytes it takes.
fn first_word(bytes: &[u8]) -> Option<(Word, usize)> {
    let (&kind, rest) = bytes.split_first()?;
    if kind == IS_ADDRESS {
        return Some((Word::Address(read_address(rest.first_chunk::<ADDRESS>()?)), 1 + ADDRESS));
    }
    let word = *rest.first_chunk::<8>()?;
    let word = match kind {
        CHALLENGE => Word::Challenge(word),
        RESPONSE => Word::Response(word),
        ASK_ADDRESS => Word::AskAddress(word),
        _ => return None,
    };
    Some((word, 9))
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
            let address = Word::Address(SocketAddr::from(([192, 0, 2, 1], 7_757)));
            pack_word(address, &mut plain);
            pack_word(Word::AskAddress([5; 8]), &mut plain);
            let items: Vec<_> = unpack(&plain).collect();
            let mut again = plain.clone();
            prop_assert!(Packets::new(&mut again).map(|packet| &*packet).eq(packets.iter()), "and so do those that may be changed");
            prop_assert_eq!(items.len(), packets.len() + 4);
            prop_assert_eq!(items[0], Item::Word(Word::Challenge([3; 8])));
            let last = [Word::Response([4; 8]), address, Word::AskAddress([5; 8])].map(Item::Word);
            prop_assert_eq!(&items[packets.len() + 1..], last);
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

    #[test]
    fn packets_come_out_as_they_were_put_in() {
        let message = |lens: &[usize]| {
            let mut bytes = Vec::new();
            lens.iter().for_each(|len| pack(&vec![7; *len], &mut bytes));
            bytes
        };
        for lens in [&[1][..], &[127, 128, 1], &[1_200], &[92, 300, 300, 300]] {
            assert_eq!(packets(&message(lens)).map(<[u8]>::len).collect::<Vec<_>>(), lens);
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
