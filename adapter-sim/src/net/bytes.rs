use std::{ops::Deref, rc::Rc};

use super::trace::fingerprint;

/// Bytes of the fingerprint, ahead of the packet's own.
const SUM: usize = 8;
/// Most of a usual packet, bytes.
const USUAL: usize = 1_500;

/// A packet's bytes, of which all who get the packet share one copy, with their fingerprint, which is reckoned once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketBytes(Rc<[u8]>);

impl PacketBytes {
    /// The fingerprint of the bytes and their number.
    pub fn fingerprint(&self) -> u64 {
        self.0.first_chunk().map_or(0, |sum| u64::from_le_bytes(*sum))
    }

    /// Whether both are one copy.
    pub fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl<B: AsRef<[u8]>> From<B> for PacketBytes {
    fn from(bytes: B) -> Self {
        let bytes = bytes.as_ref();
        let sum = fingerprint(bytes).to_le_bytes();
        let mut whole = arrayvec::ArrayVec::<u8, { SUM + USUAL }>::from_iter(sum);
        if whole.try_extend_from_slice(bytes).is_ok() {
            return Self(Rc::from(&whole[..]));
        }
        Self(sum.iter().chain(bytes).copied().collect())
    }
}

impl Deref for PacketBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0[SUM..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_any_number_are_kept_with_a_fingerprint_of_their_own() {
        let all: Vec<u8> = (0..3_000u32).map(|byte| (byte * 7) as u8).collect();
        let mut fingerprints: Vec<u64> = [0, 1, 7, 8, 9, 1_500, 1_501, 3_000]
            .into_iter()
            .map(|len| {
                let packet = PacketBytes::from(&all[..len]);
                assert_eq!(packet[..], all[..len]);
                assert_eq!(packet, PacketBytes::from(&all[..len]));
                assert!(packet.is(&packet.clone()) && !packet.is(&PacketBytes::from(&all[..len])));
                packet.fingerprint()
            })
            .collect();
        fingerprints.dedup();
        assert_eq!(fingerprints.len(), 8);
    }
}
