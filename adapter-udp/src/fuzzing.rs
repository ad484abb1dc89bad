//! Both ends of one direction of sealed datagrams, for the fuzz targets: what is private is reached here, and nowhere else.

use adapter_kit::Item;

use crate::media::{Header, Opener, Sealer, Secret};

/// A sealer and the opener at its other end.
pub struct OneWay {
    sealer: Sealer,
    opener: Opener,
}

impl OneWay {
    /// A direction with this secret, at its first number.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { sealer: Sealer::new(Secret::new(secret)), opener: Opener::new(Secret::new(secret)) }
    }

    /// Seals: the datagram and its number. `None` when all numbers have been used.
    pub fn seal(&mut self, id: Option<u32>, plain: &[u8]) -> Option<(u64, Vec<u8>)> {
        let (number, mut out) = (self.sealer.number(), Vec::new());
        self.sealer.seal(id, plain, &mut out)?;
        Some((number, out))
    }

    /// So many datagrams are sealed and lost.
    pub fn skip(&mut self, numbers: u16) {
        self.sealer.skip(numbers);
    }

    /// Opens a datagram, which is changed by that: what was sealed; `None` if it is refused.
    pub fn open<'d>(&mut self, datagram: &'d mut [u8]) -> Option<&'d [u8]> {
        let header = Header::read(datagram)?;
        self.opener.open(header, datagram).ok().map(|(plain, _)| &*plain)
    }
}

/// Takes plain text apart and packs it again: the packets, and what they and the transport's own words take when they are packed.
pub fn repacked(plain: &[u8]) -> (Vec<&[u8]>, Vec<u8>) {
    let (mut packets, mut again) = (Vec::new(), Vec::new());
    for item in adapter_kit::unpack(plain) {
        match item {
            Item::Packet(packet) => {
                packets.push(packet);
                adapter_kit::pack(packet, &mut again);
            }
            Item::Word(word) => adapter_kit::pack_word(word, &mut again),
        }
    }
    (packets, again)
}
