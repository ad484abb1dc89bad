//! Payloads that tell their own story: who spoke them, when, and to whom. Checkers read them where they come out, so that
//! they need nothing from the core to judge it.

use arrayvec::ArrayVec;

use crate::net::PacketBytes;

/// Whom a person in the simulation speaks to: numbers of the scenario, not ids of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// All in the scenario's room of this number.
    Room(u16),
    /// The scenario's person of this number.
    Person(u16),
}

/// The story of one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The scenario's number of the speaker.
    pub speaker: u16,
    /// +1 for every frame that this person spoke in the whole scenario.
    pub serial: u32,
    /// True time of speaking, µs.
    pub spoken_at: u64,
    /// Whom it was meant for.
    pub audience: ArrayVec<Audience, 8>,
}

const MAGIC: [u8; 4] = *b"FRAM";
const FIXED: usize = 4 + 2 + 4 + 8 + 1;
const CHECK: usize = 4;
/// A voice packet's header with one channel, bytes.
const USUAL_HEADER: usize = 12;
/// How many stamps a reader keeps, and of at most how long payloads, bytes.
const KEPT: usize = 2_048;
const KEPT_BYTES: usize = 64;

impl Stamp {
    /// The stamp as a payload of at least `len` bytes; the rest is filled with bytes that depend on the stamp.
    pub fn to_payload(&self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len.max(FIXED + 3 * self.audience.len() + CHECK));
        bytes.extend(MAGIC);
        bytes.extend(self.speaker.to_be_bytes());
        bytes.extend(self.serial.to_be_bytes());
        bytes.extend(self.spoken_at.to_be_bytes());
        bytes.push(u8::try_from(self.audience.len()).expect("at most 8 channels"));
        for audience in &self.audience {
            let (kind, number) = match audience {
                Audience::Room(number) => (0, number),
                Audience::Person(number) => (1, number),
            };
            bytes.push(kind);
            bytes.extend(number.to_be_bytes());
        }
        let filler = self.serial.to_be_bytes();
        while bytes.len() + CHECK < len {
            bytes.push(filler[bytes.len() % 4] ^ 0x5A);
        }
        bytes.extend(checksum(&bytes).to_be_bytes());
        bytes
    }

    /// Reads a stamp; `None` if the bytes aren't one or were changed on their way.
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        let (body, check) = payload.split_at_checked(payload.len().checked_sub(CHECK)?)?;
        if checksum(body).to_be_bytes() != check || body.len() < FIXED || body[..4] != MAGIC {
            return None;
        }
        let count = usize::from(body[FIXED - 1]);
        let audience = body.get(FIXED..FIXED + 3 * count)?.chunks_exact(3).take(8).map(|entry| {
            let number = u16::from_be_bytes([entry[1], entry[2]]);
            if entry[0] == 0 { Audience::Room(number) } else { Audience::Person(number) }
        });
        Some(Self {
            speaker: u16::from_be_bytes([body[4], body[5]]),
            serial: u32::from_be_bytes(body[6..10].try_into().ok()?),
            spoken_at: u64::from_be_bytes(body[10..18].try_into().ok()?),
            audience: audience.collect(),
        })
    }

    /// Finds a stamp at the end of a voice packet of whatever header: a stamp's payload runs to the packet's last byte.
    pub fn find(packet: &[u8]) -> Option<Self> {
        Self::from_payload(payload(packet)?)
    }
}

/// From where on a packet is a stamp's payload. It is looked for first behind the header that nearly all packets have.
fn payload(packet: &[u8]) -> Option<&[u8]> {
    let usual = packet.get(USUAL_HEADER..).filter(|rest| rest.starts_with(&MAGIC));
    usual.or_else(|| {
        let start = packet.windows(MAGIC.len()).position(|window| window == MAGIC)?;
        packet.get(start..)
    })
}

/// Reads stamps as [`Stamp::from_payload`] and [`Stamp::find`] do, and keeps the last ones: a frame reaches many, and the checkers read it wherever
/// it comes out. What is kept is given again only for the very same bytes.
#[derive(Debug)]
pub struct StampReader {
    kept: Vec<(ArrayVec<u8, KEPT_BYTES>, Stamp)>,
    /// For payloads that are too long to be kept.
    long: Stamp,
    /// Packets: what is kept is given again for the very same copy.
    packets: Vec<Option<(PacketBytes, Stamp)>>,
}

impl Default for StampReader {
    fn default() -> Self {
        let none = Stamp { speaker: 0, serial: 0, spoken_at: 0, audience: ArrayVec::new() };
        Self { kept: vec![(ArrayVec::new(), none.clone()); KEPT], long: none, packets: vec![None; KEPT] }
    }
}

impl StampReader {
    /// Reads a stamp; `None` if the bytes aren't one or were changed on their way.
    pub fn read(&mut self, payload: &[u8]) -> Option<&Stamp> {
        let [.., speaker, _, _, _, serial] = *payload.first_chunk::<10>()?;
        let place = (usize::from(speaker) * 97 + usize::from(serial)) % KEPT;
        if self.kept[place].0[..] == *payload {
            return Some(&self.kept[place].1);
        }
        let stamp = Stamp::from_payload(payload)?;
        let Ok(bytes) = ArrayVec::try_from(payload) else {
            self.long = stamp;
            return Some(&self.long);
        };
        self.kept[place] = (bytes, stamp);
        Some(&self.kept[place].1)
    }

    /// Finds a stamp at the end of a voice packet.
    pub fn find(&mut self, packet: &PacketBytes) -> Option<&Stamp> {
        let place = packet.fingerprint() as usize % KEPT;
        if !matches!(&self.packets[place], Some((kept, _)) if kept.is(packet)) {
            let stamp = Stamp::find(packet)?;
            self.packets[place] = Some((packet.clone(), stamp));
        }
        self.packets[place].as_ref().map(|(_, stamp)| stamp)
    }
}

/// Multiplies and folds, eight bytes at a time: every frame is summed at least three times.
fn checksum(bytes: &[u8]) -> u32 {
    let mut words = bytes.chunks_exact(8);
    let sum = words
        .by_ref()
        .fold(bytes.len() as u64, |sum, word| mix(sum, u64::from_le_bytes(word.try_into().expect("eight bytes"))));
    let rest = words.remainder().iter().fold(0, |rest, byte| rest << 8 | u64::from(*byte));
    let sum = mix(sum, rest);
    (sum ^ sum >> 32) as u32
}

fn mix(sum: u64, word: u64) -> u64 {
    ((sum ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15)).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_gives_what_the_bytes_say_whatever_it_read_before() {
        let mut reader = StampReader::default();
        let audience: ArrayVec<Audience, 8> = [Audience::Room(3)].into_iter().collect();
        for len in [0, 60, 64, 65, 200] {
            for round in 0..3 {
                let stamp = Stamp { speaker: 7, serial: 9, spoken_at: round, audience: audience.clone() };
                let payload = stamp.to_payload(len);
                assert_eq!(reader.read(&payload), Some(&stamp));
                assert_eq!(reader.read(&payload), Some(&stamp));
                for at in 0..payload.len() {
                    let mut changed = payload.clone();
                    changed[at] ^= 1;
                    assert_eq!(reader.read(&changed), None, "{len}, {round}, {at}");
                }
                assert_eq!(reader.read(&payload[..payload.len() - 1]), None);
            }
        }
        assert_eq!(reader.read(&[]), None);
    }

    #[test]
    fn a_stamp_survives_and_a_changed_one_is_noticed() {
        let stamp = Stamp {
            speaker: 7,
            serial: 123_456,
            spoken_at: 9_876_543_210,
            audience: [Audience::Room(3), Audience::Person(9)].into_iter().collect(),
        };
        let payload = stamp.to_payload(60);
        assert_eq!(payload.len(), 60);
        assert_eq!(Stamp::from_payload(&payload), Some(stamp.clone()));
        let mut packet = vec![0x80, 1, 2, 3];
        packet.extend(&payload);
        assert_eq!(Stamp::find(&packet), Some(stamp));
        for at in 0..payload.len() {
            let mut changed = payload.clone();
            changed[at] ^= 1;
            assert_eq!(Stamp::from_payload(&changed), None);
        }
    }
}
