//! Sealed datagrams: AES-128-GCM with the full tag, under keys from the TLS exporter (RFC 8446, 7.5), one secret for each direction.
//!
//! A datagram is `10id0000`, the link's media id if `i` is set (4 B), the low half of its number (2 B), and the sealed packets. The first byte
//! tells it from QUIC (RFC 9443, 3); `d`, always with `i`, that it goes straight from client to client. What is before the sealed part is
//! authenticated with it.
//!
//! Numbers are 64 bit, rise by one, and are never used twice: the sealer alone hands them out, and ends with the link. The nonce is
//! the key's own start value xor the number, as in QUIC (RFC 9001, 5.3). After 2^20 datagrams a key is replaced by one made from it; which
//! key it is follows from the number, so nothing has to be negotiated. 2^23 would be the limit (RFC 9001, 6.6).

use aws_lc_rs::{
    aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Prk},
};
use zeroize::Zeroizing;

/// Bytes of the tag.
pub(crate) const TAG: usize = 16;
/// A key lasts for so many datagrams, as a power of two.
const KEY_SPAN_BITS: u32 = 20;
/// Numbers that are told from replays.
const WINDOW: u64 = 1_024;
const NONCE: usize = 12;
const KIND: u8 = 0x80;
const KIND_MASK: u8 = 0xC0;
const WITH_ID: u8 = 0x20;
const RESERVED: u8 = 0x1F;
/// The first byte of what goes straight from client to client.
const STRAIGHT: u8 = KIND | WITH_ID | 0x10;

/// What both ends of a direction derive its keys from.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<[u8; 32]>);

struct Len(usize);

impl KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

impl Secret {
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn expand<const N: usize>(&self, label: &[u8]) -> Zeroizing<[u8; N]> {
        let mut out = Zeroizing::new([0; N]);
        let prk = Prk::new_less_safe(HKDF_SHA256, &*self.0);
        let info = [b"consonance media ", label];
        prk.expand(&info, Len(N)).and_then(|okm| okm.fill(&mut *out)).expect("HKDF gives up to 8,160 bytes");
        out
    }

    fn next(&self) -> Self {
        Self(self.expand(b"next"))
    }

    fn keys(&self) -> Keys {
        let key = self.expand::<16>(b"key");
        let key = UnboundKey::new(&AES_128_GCM, &*key).expect("a key of 16 bytes");
        Keys { key: LessSafeKey::new(key), iv: *self.expand(b"iv") }
    }
}

struct Keys {
    key: LessSafeKey,
    iv: [u8; NONCE],
}

impl Keys {
    fn nonce(&self, number: u64) -> Nonce {
        let mut nonce = self.iv;
        nonce[NONCE - 8..].iter_mut().zip(number.to_be_bytes()).for_each(|(byte, with)| *byte ^= with);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// The sending half of one direction.
pub(crate) struct Sealer {
    secret: Secret,
    keys: Keys,
    next: u64,
}

impl Sealer {
    pub(crate) fn new(secret: Secret) -> Self {
        let keys = secret.keys();
        Self { secret, keys, next: 0 }
    }

    /// Bytes that a datagram takes besides its packets.
    pub(crate) const fn overhead(id: Option<u32>) -> usize {
        header_len(id.is_some()) + TAG
    }

    /// Appends a datagram to `out`. `None` when all numbers have been used, after 2^48.
    pub(crate) fn seal(&mut self, id: Option<u32>, plain: &[u8], out: &mut Vec<u8>) -> Option<()> {
        self.seal_after(KIND | if id.is_some() { WITH_ID } else { 0 }, id, plain, out)
    }

    /// As [`Sealer::seal`], for what goes straight from client to client.
    pub(crate) fn seal_straight(&mut self, id: u32, plain: &[u8], out: &mut Vec<u8>) -> Option<()> {
        self.seal_after(STRAIGHT, Some(id), plain, out)
    }

    fn seal_after(&mut self, first: u8, id: Option<u32>, plain: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let number = self.next;
        self.next = number.checked_add(1).filter(|next| *next < 1 << 48)?;
        if number > 0 && number.trailing_zeros() >= KEY_SPAN_BITS {
            self.secret = self.secret.next();
            self.keys = self.secret.keys();
        }
        let start = out.len();
        out.push(first);
        out.extend(id.iter().flat_map(|id| id.to_be_bytes()));
        out.extend((number as u16).to_be_bytes());
        let body = out.len();
        out.extend_from_slice(plain);
        let (header, sealed) = out[start..].split_at_mut(body - start);
        let nonce = self.keys.nonce(number);
        let tag = self.keys.key.seal_in_place_separate_tag(nonce, Aad::from(&*header), sealed).ok()?;
        out.extend_from_slice(tag.as_ref());
        Some(())
    }
}

#[cfg(feature = "fuzzing")]
impl Sealer {
    pub(crate) const fn number(&self) -> u64 {
        self.next
    }

    /// Goes on as if so many datagrams had been sealed.
    pub(crate) fn skip(&mut self, numbers: u16) {
        // At the first number of a span the key is still the one of before.
        let span = |number: u64| number.saturating_sub(1) >> KEY_SPAN_BITS;
        let to = self.next + u64::from(numbers);
        for _ in span(self.next)..span(to) {
            self.secret = self.secret.next();
            self.keys = self.secret.keys();
        }
        self.next = to;
    }
}

/// The start of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) id: Option<u32>,
    low: u16,
}

const fn header_len(with_id: bool) -> usize {
    if with_id { 7 } else { 3 }
}

/// Whether a datagram is one of these and none of QUIC.
pub(crate) fn is_media(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| first & KIND_MASK == KIND)
}

/// Whether a datagram comes straight from another client.
pub(crate) fn is_straight(datagram: &[u8]) -> bool {
    datagram.first() == Some(&STRAIGHT)
}

impl Header {
    /// Reads the start; `None` if it is too short or has a reserved bit set, that of direct paths included.
    pub(crate) fn read(datagram: &[u8]) -> Option<Self> {
        let flags = *datagram.first()?;
        if flags & KIND_MASK != KIND || flags & RESERVED != 0 {
            return None;
        }
        Self::read_after(datagram, header_len(flags & WITH_ID != 0))
    }

    /// Reads the start of what comes straight from another client, and the id that it begins with; `None` if it is too short or something else.
    pub(crate) fn read_straight(datagram: &[u8]) -> Option<(Self, u32)> {
        let header = Self::read_after(datagram, header_len(true)).filter(|_| is_straight(datagram))?;
        Some((header, header.id?))
    }

    fn read_after(datagram: &[u8], len: usize) -> Option<Self> {
        if datagram.len() < len + TAG {
            return None;
        }
        let id = (len == 7).then(|| u32::from_be_bytes([datagram[1], datagram[2], datagram[3], datagram[4]]));
        Some(Self { id, low: u16::from_be_bytes([datagram[len - 2], datagram[len - 1]]) })
    }

    const fn len(self) -> usize {
        header_len(self.id.is_some())
    }
}

/// Why a datagram isn't opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Seen already, or too old to tell.
    Replayed,
    /// Not sealed by the other end, or changed since.
    Forged,
}

/// The receiving half of one direction.
pub(crate) struct Opener {
    /// Of `generation`.
    secret: Secret,
    generation: u64,
    before: Option<Keys>,
    keys: Keys,
    after: Keys,
    /// The highest number opened.
    highest: Option<u64>,
    /// Bit `number % 1,024` for the last 1,024 numbers.
    seen: [u64; WINDOW as usize / 64],
}

impl Opener {
    pub(crate) fn new(secret: Secret) -> Self {
        let (keys, after) = (secret.keys(), secret.next().keys());
        Self { secret, generation: 0, before: None, keys, after, highest: None, seen: [0; WINDOW as usize / 64] }
    }

    /// Opens a datagram in place; gives its packets, and whether no later one came before.
    pub(crate) fn open<'d>(&mut self, header: Header, datagram: &'d mut [u8]) -> Result<(&'d mut [u8], bool), Refused> {
        let (number, plain) = self.decrypt(header, datagram)?;
        let newest = self.highest.is_none_or(|highest| number > highest);
        self.note(number);
        if number >> KEY_SPAN_BITS > self.generation {
            self.turn();
        }
        Ok((plain, newest))
    }

    /// Whether a datagram would be opened. What it holds is lost.
    pub(crate) fn opens(&self, header: Header, datagram: &mut [u8]) -> bool {
        self.decrypt(header, datagram).is_ok()
    }

    fn decrypt<'d>(&self, header: Header, datagram: &'d mut [u8]) -> Result<(u64, &'d mut [u8]), Refused> {
        let number = self.expand(header.low);
        if self.is_seen(number) {
            return Err(Refused::Replayed);
        }
        let keys = match (number >> KEY_SPAN_BITS).checked_sub(self.generation) {
            Some(0) => &self.keys,
            Some(1) => &self.after,
            None => self.before.as_ref().ok_or(Refused::Replayed)?,
            Some(_) => return Err(Refused::Forged),
        };
        let (start, sealed) = datagram.split_at_mut(header.len());
        let plain = keys.key.open_in_place(keys.nonce(number), Aad::from(&*start), sealed);
        plain.map(|plain| (number, plain)).map_err(|_| Refused::Forged)
    }

    /// RFC 9000, A.3: the number nearest to the next one expected.
    fn expand(&self, low: u16) -> u64 {
        let expected = self.highest.map_or(0, |highest| highest + 1);
        let candidate = (expected & !0xFFFF) | u64::from(low);
        if candidate + 0x8000 <= expected {
            candidate + 0x1_0000
        } else if candidate > expected + 0x8000 && candidate >= 0x1_0000 {
            candidate - 0x1_0000
        } else {
            candidate
        }
    }

    fn is_seen(&self, number: u64) -> bool {
        let Some(highest) = self.highest else { return false };
        match highest.checked_sub(number) {
            None => false,
            Some(behind) if behind >= WINDOW => true,
            Some(_) => self.seen[word(number)] >> (number % 64) & 1 != 0,
        }
    }

    /// Only a datagram that was opened moves the window: a forged number can't.
    fn note(&mut self, number: u64) {
        let from = self.highest.map_or(0, |highest| highest + 1);
        if number >= from {
            for skipped in from.max(number.saturating_sub(WINDOW - 1))..=number {
                self.seen[word(skipped)] &= !(1 << (skipped % 64));
            }
            self.highest = Some(number);
        }
        self.seen[word(number)] |= 1 << (number % 64);
    }

    fn turn(&mut self) {
        self.secret = self.secret.next();
        self.generation += 1;
        let after = self.secret.next().keys();
        let current = std::mem::replace(&mut self.after, after);
        self.before = Some(std::mem::replace(&mut self.keys, current));
    }
}

const fn word(number: u64) -> usize {
    (number % WINDOW / 64) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn pair() -> (Sealer, Opener) {
        let secret = || Secret::new([7; 32]);
        (Sealer::new(secret()), Opener::new(secret()))
    }

    fn sealed(sealer: &mut Sealer, id: Option<u32>, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        sealer.seal(id, plain, &mut out).unwrap();
        assert_eq!(out.len(), plain.len() + Sealer::overhead(id));
        out
    }

    fn opened(opener: &mut Opener, datagram: &[u8]) -> Result<Vec<u8>, Refused> {
        let mut datagram = datagram.to_vec();
        let header = Header::read(&datagram).ok_or(Refused::Forged)?;
        opener.open(header, &mut datagram).map(|(plain, _)| plain.to_vec())
    }

    #[test]
    fn what_is_sealed_is_opened_once() {
        let (mut sealer, mut opener) = pair();
        for id in [None, Some(0xDEAD_BEEF)] {
            let datagram = sealed(&mut sealer, id, b"some voice");
            assert!(is_media(&datagram));
            assert_eq!(Header::read(&datagram).unwrap().id, id);
            assert_eq!(opened(&mut opener, &datagram).unwrap(), b"some voice");
            assert_eq!(opened(&mut opener, &datagram), Err(Refused::Replayed));
        }
    }

    #[test]
    fn a_datagram_with_any_bit_turned_over_or_cut_short_is_refused_and_does_no_harm() {
        let (mut sealer, mut opener) = pair();
        let datagram = sealed(&mut sealer, Some(5), b"some voice");
        for bit in 0..datagram.len() * 8 {
            let mut changed = datagram.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(opened(&mut opener, &changed).is_err(), "bit {bit}");
        }
        for len in 0..datagram.len() {
            assert!(opened(&mut opener, &datagram[..len]).is_err(), "{len} bytes");
        }
        assert!(opened(&mut opener, &datagram).is_ok());
    }

    #[test]
    fn what_goes_straight_to_a_client_is_taken_for_nothing_else() {
        let (mut sealer, mut opener) = pair();
        let mut out = Vec::new();
        sealer.seal_straight(0xDEAD_BEEF, b"some voice", &mut out).unwrap();
        assert!(is_media(&out) && is_straight(&out));
        assert_eq!(Header::read(&out), None, "no server takes it");
        let (header, id) = Header::read_straight(&out).unwrap();
        assert_eq!(id, 0xDEAD_BEEF);
        assert_eq!(opener.open(header, &mut out).unwrap().0, b"some voice");
        let to_server = sealed(&mut sealer, Some(5), b"some voice");
        assert!(!is_straight(&to_server) && Header::read_straight(&to_server).is_none());
    }

    #[test]
    fn the_other_directions_key_opens_nothing() {
        let (mut sealer, _) = pair();
        let mut other = Opener::new(Secret::new([8; 32]));
        assert_eq!(opened(&mut other, &sealed(&mut sealer, None, b"voice")), Err(Refused::Forged));
    }

    #[test]
    fn keys_change_on_the_way_and_late_datagrams_of_the_old_key_are_opened() {
        let (mut sealer, mut opener) = pair();
        let secret = sealer.secret.0.clone();
        let edge = 1 << KEY_SPAN_BITS;
        (sealer.next, opener.highest) = (edge - 4, Some(edge - 5));
        let datagrams: Vec<_> = (0..8).map(|_| sealed(&mut sealer, None, b"x")).collect();
        for at in [0, 1, 4, 5, 2, 7, 3, 6] {
            assert_eq!(opened(&mut opener, &datagrams[at]).unwrap(), b"x", "{at}");
        }
        assert_ne!(*sealer.secret.0, *secret, "the old secret is gone");
        assert_eq!(opener.generation, 1);
    }

    #[test]
    fn no_number_is_used_twice_whatever_is_sealed_and_the_last_one_ends_it() {
        let (mut sealer, _) = pair();
        let mut numbers = BTreeSet::new();
        for _ in 0..5_000 {
            assert!(numbers.insert(sealer.next));
            sealed(&mut sealer, None, &[]);
        }
        sealer.next = (1 << 48) - 1;
        assert!(sealer.seal(None, &[], &mut Vec::new()).is_none());
        assert!(sealer.seal(None, &[], &mut Vec::new()).is_none(), "and nothing after it");
    }

    proptest! {
        #[test]
        fn each_number_is_taken_once_and_none_that_is_1024_behind(order in prop::collection::vec(0_u64..4_000, 1..400)) {
            let (mut sealer, mut opener) = pair();
            let datagrams: Vec<_> = (0..4_000_u64).map(|at| sealed(&mut sealer, None, &at.to_be_bytes())).collect();
            let mut taken = BTreeSet::new();
            for number in order {
                let fresh = taken.last().is_none_or(|highest| number + WINDOW > *highest) && !taken.contains(&number);
                let result = opened(&mut opener, &datagrams[number as usize]);
                prop_assert_eq!(result.is_ok(), fresh, "{}", number);
                if fresh {
                    prop_assert_eq!(result.unwrap(), number.to_be_bytes());
                    taken.insert(number);
                }
            }
        }

        #[test]
        fn the_low_half_of_a_number_is_enough_within_32_thousand(highest in 0_u64..1 << 40, ahead in -32_000_i64..32_000) {
            let (_, mut opener) = pair();
            opener.highest = Some(highest);
            let number = highest.saturating_add_signed(ahead);
            prop_assert_eq!(opener.expand(number as u16), number);
        }
    }
}
