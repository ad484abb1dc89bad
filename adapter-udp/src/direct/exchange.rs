//! What two clients say to each other through the server to find a direct path, and the keys that come of it.
//!
//! An offer and its answer carry a fresh X25519 share each (RFC 7748), the id that datagrams to its sender begin with, and where it may be
//! reached. From the shared secret follow by HKDF with SHA-256 (RFC 5869) the secrets of both directions, bound to the session, both clients and
//! every byte of the two messages: who changes one of them, a candidate even, gets a path on which nothing can be opened.

use std::net::SocketAddr;

use aws_lc_rs::{
    agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral},
    digest::{SHA256, digest},
    hkdf::{HKDF_SHA256, KeyType, Salt},
    rand::{SecureRandom, SystemRandom},
};
use voice_core::{ClientId, SessionId};
use zeroize::Zeroizing;

use super::candidates::MOST_CANDIDATES;
use adapter_kit::address::{ADDRESS, read_address, write_address};

use crate::media::{Opener, Sealer, Secret};

const OFFER: u8 = 0x11;
const ANSWER: u8 = 0x12;
const ASK: u8 = 0x13;
const SHARE: usize = 32;
/// Kind, number, share and id.
const HEAD: usize = 1 + 8 + SHARE + 4;

/// A message between two clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// From the client with the lower number.
    Offer(Terms),
    /// To an offer.
    Answer(Terms),
    /// To the client with the lower number: offer anew.
    Ask,
}

/// What an end of a path says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Which exchange: random, chosen by who offers.
    pub(crate) exchange: [u8; 8],
    share: [u8; SHARE],
    /// What datagrams to it begin with.
    pub(crate) id: u32,
    /// Where it may be reached, the best first; at most 8.
    pub(crate) candidates: Vec<SocketAddr>,
}

impl Message {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (kind, terms) = match self {
            Self::Offer(terms) => (OFFER, terms),
            Self::Answer(terms) => (ANSWER, terms),
            Self::Ask => return vec![ASK],
        };
        let mut out = Vec::with_capacity(HEAD + ADDRESS * terms.candidates.len());
        out.push(kind);
        out.extend(terms.exchange);
        out.extend(terms.share);
        out.extend(terms.id.to_be_bytes());
        terms.candidates.iter().for_each(|address| out.extend(write_address(*address)));
        out
    }

    /// Reads a message of another client's; `None` if it is none.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&kind, rest) = bytes.split_first()?;
        if kind == ASK {
            return rest.is_empty().then_some(Self::Ask);
        }
        let (exchange, rest) = rest.split_first_chunk()?;
        let (share, rest) = rest.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        let (candidates, []) = rest.as_chunks::<ADDRESS>() else { return None };
        if candidates.len() > MOST_CANDIDATES {
            return None;
        }
        let candidates = candidates.iter().map(read_address).collect();
        let terms = Terms { exchange: *exchange, share: *share, id: u32::from_be_bytes(*id), candidates };
        match kind {
            OFFER => Some(Self::Offer(terms)),
            ANSWER => Some(Self::Answer(terms)),
            _ => None,
        }
    }
}

/// Whose path it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parties {
    pub(crate) session: SessionId,
    pub(crate) offers: ClientId,
    pub(crate) answers: ClientId,
}

impl Parties {
    /// The client with the lower number offers, so that two offers never cross.
    pub(crate) fn of(session: SessionId, one: ClientId, other: ClientId) -> Self {
        Self { session, offers: one.min(other), answers: one.max(other) }
    }
}

/// The own half of an exchange: a key that is used once.
pub(crate) struct Half {
    key: EphemeralPrivateKey,
    share: [u8; SHARE],
}

/// Both directions of a path.
pub(crate) struct Keys {
    pub(crate) sealer: Sealer,
    pub(crate) opener: Opener,
}

struct SecretLen;

impl KeyType for SecretLen {
    fn len(&self) -> usize {
        32
    }
}

impl Half {
    pub(crate) fn new() -> Self {
        let make = || {
            let key = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).ok()?;
            let share = key.compute_public_key().ok()?.as_ref().try_into().ok()?;
            Some(Self { key, share })
        };
        make().expect("the operating system has random numbers, and X25519 shares have 32 bytes")
    }

    pub(crate) fn terms(&self, exchange: [u8; 8], id: u32, candidates: Vec<SocketAddr>) -> Terms {
        Terms { exchange, share: self.share, id, candidates }
    }

    /// Both directions' keys, for who offered or for who answered. `None` if the other's share is none (RFC 7748, 6.1).
    pub(crate) fn agree(
        self,
        parties: Parties,
        i_offer: bool,
        other: &Terms,
        offer: &[u8],
        answer: &[u8],
    ) -> Option<Keys> {
        let (offer, answer) = (digest(&SHA256, offer), digest(&SHA256, answer));
        let share = UnparsedPublicKey::new(&X25519, other.share);
        agree_ephemeral(self.key, share, (), |shared| {
            let prk = Salt::new(HKDF_SHA256, b"consonance direct").extract(shared);
            let direction = |from: ClientId, to: ClientId| {
                let (session, from, to) =
                    (parties.session.get().to_be_bytes(), from.get().to_be_bytes(), to.get().to_be_bytes());
                let info: [&[u8]; 5] = [&session, &from, &to, offer.as_ref(), answer.as_ref()];
                let mut secret = Zeroizing::new([0; 32]);
                prk.expand(&info, SecretLen).and_then(|okm| okm.fill(&mut *secret)).map_err(drop)?;
                Ok::<Secret, ()>(Secret::new(*secret))
            };
            let to_answerer = direction(parties.offers, parties.answers)?;
            let to_offerer = direction(parties.answers, parties.offers)?;
            let (out, into) = if i_offer { (to_answerer, to_offerer) } else { (to_offerer, to_answerer) };
            Ok(Keys { sealer: Sealer::new(out), opener: Opener::new(into) })
        })
        .ok()
    }
}

/// Random bytes: numbers of exchanges, ids and questions.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the operating system has random numbers");
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::Header;

    fn parties() -> Parties {
        let client = |number| ClientId::new(number).unwrap();
        Parties::of(SessionId::new(7).unwrap(), client(9), client(3))
    }

    /// Two halves, and the messages as the other end gets them.
    fn exchanged(change: impl Fn(&mut Vec<u8>)) -> Option<(Keys, Keys)> {
        let (one, other) = (Half::new(), Half::new());
        let at = |port| vec![SocketAddr::from(([192, 0, 2, 1], port))];
        let offer = one.terms([1; 8], 11, at(5_000));
        let answer = other.terms([1; 8], 22, at(6_000));
        let (sent_offer, sent_answer) = (Message::Offer(offer).encode(), Message::Answer(answer).encode());
        let (mut got_offer, got_answer) = (sent_offer.clone(), sent_answer.clone());
        change(&mut got_offer);
        let terms = |bytes: &[u8]| match Message::decode(bytes) {
            Some(Message::Offer(terms) | Message::Answer(terms)) => Some(terms),
            _ => None,
        };
        let there = other.agree(parties(), false, &terms(&got_offer)?, &got_offer, &sent_answer)?;
        let here = one.agree(parties(), true, &terms(&got_answer)?, &sent_offer, &got_answer)?;
        Some((here, there))
    }

    fn passes(from: &mut Keys, to: &mut Keys) -> bool {
        let mut out = Vec::new();
        from.sealer.seal_straight(1, b"voice", &mut out).unwrap();
        let (header, _) = Header::read_straight(&out).unwrap();
        to.opener.open(header, &mut out).is_ok_and(|(plain, _)| plain == b"voice")
    }

    #[test]
    fn both_ends_come_to_the_same_keys_and_each_direction_has_its_own() {
        let (mut here, mut there) = exchanged(|_| {}).unwrap();
        assert!(passes(&mut here, &mut there) && passes(&mut there, &mut here));
        let mut out = Vec::new();
        here.sealer.seal_straight(1, b"voice", &mut out).unwrap();
        let (header, _) = Header::read_straight(&out).unwrap();
        assert!(here.opener.open(header, &mut out).is_err(), "what one sends, one can't be sent back");
    }

    #[test]
    fn whoever_changes_any_bit_of_an_offer_gets_a_path_on_which_nothing_opens() {
        let len = HEAD + ADDRESS;
        for bit in 0..len * 8 {
            let Some((mut here, mut there)) = exchanged(|offer| offer[bit / 8] ^= 1 << (bit % 8)) else { continue };
            assert!(!passes(&mut here, &mut there) && !passes(&mut there, &mut here), "bit {bit}");
        }
    }

    #[test]
    fn a_share_that_gives_everybody_the_same_secret_is_refused() {
        assert!(exchanged(|offer| offer[9..9 + SHARE].fill(0)).is_none());
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_what_is_written(bytes in prop::collection::vec(any::<u8>(), 0..220), kind in 0x10_u8..0x15) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = kind;
            }
            if let Some(message) = Message::decode(&bytes) {
                // An address that is written in two ways is read as the same one.
                prop_assert_eq!(Message::decode(&message.encode()), Some(message));
            }
        }

        #[test]
        fn messages_come_back(ports in prop::collection::vec(1_024_u16.., 0..MOST_CANDIDATES)) {
            let candidates = ports.iter().map(|port| SocketAddr::from(([192, 0, 2, 1], *port))).collect();
            let message = Message::Offer(Half::new().terms([9; 8], 77, candidates));
            let bytes = message.encode();
            prop_assert_eq!(bytes.len(), HEAD + ADDRESS * ports.len());
            prop_assert_eq!(Message::decode(&bytes), Some(message));
            prop_assert_eq!(Message::decode(&bytes[..bytes.len() - 1]), None);
        }
    }
}
