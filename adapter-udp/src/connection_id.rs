//! What QUIC calls the connections of a port: ids that don't come again, and that whoever has the same key knows as the port's own.
//!
//! The reset token of an id (RFC 9000, 10.3.2) follows from the id and a key that stays, so an id that came again would have a token that somebody else may
//! have been told: with 80 random bits none does. The rest of an id proves that it was made here. A server that has started anew needs that: it answers ids
//! of its own that it doesn't know with a reset, and what others made up with nothing.

use aws_lc_rs::{constant_time, hmac, rand};
use quinn_proto::{ConnectionId, ConnectionIdGenerator, InvalidCid};

/// Random bytes of an id.
const RANDOM: usize = 10;
/// The first bytes of the HMAC of those: who guesses is right once in 2^48 times, and gets a reset for it.
const TAG: usize = 6;

/// Makes connection ids, and knows them again.
pub(crate) struct ConnectionIds(hmac::Key);

impl ConnectionIds {
    pub(crate) const fn new(key: hmac::Key) -> Self {
        Self(key)
    }

    fn tag(&self, random: &[u8]) -> [u8; TAG] {
        let tag = hmac::sign(&self.0, random);
        *tag.as_ref().first_chunk().expect("SHA-256 has 32 bytes")
    }
}

impl ConnectionIdGenerator for ConnectionIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut bytes = [0; RANDOM + TAG];
        let (random, tag) = bytes.split_at_mut(RANDOM);
        rand::fill(random).expect("the operating system has random numbers");
        tag.copy_from_slice(&self.tag(random));
        ConnectionId::new(&bytes)
    }

    fn validate(&self, id: &ConnectionId) -> Result<(), InvalidCid> {
        let (random, tag) = id.split_at_checked(RANDOM).ok_or(InvalidCid)?;
        constant_time::verify_slices_are_equal(&self.tag(random), tag).map_err(|_| InvalidCid)
    }

    fn cid_len(&self) -> usize {
        RANDOM + TAG
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Identity;

    fn ids_of(identity: &Identity) -> ConnectionIds {
        ConnectionIds::new(identity.derived_key("connection ids"))
    }

    #[test]
    fn who_has_started_anew_knows_the_ids_of_before_and_nobody_else_does() {
        let (own, other) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        let id = ids_of(&own).generate_cid();
        assert!(ids_of(&own).validate(&id).is_ok());
        assert!(ids_of(&other).validate(&id).is_err());
        for at in 0..id.len() {
            let mut changed = id.to_vec();
            changed[at] ^= 1;
            assert!(ids_of(&own).validate(&ConnectionId::new(&changed)).is_err(), "byte {at}");
            assert!(ids_of(&own).validate(&ConnectionId::new(&id[..at])).is_err(), "{at} bytes");
        }
    }

    #[test]
    fn of_twenty_thousand_ids_none_comes_again() {
        let mut ids = ids_of(&Identity::generate().unwrap());
        let different: BTreeSet<Vec<u8>> = (0..20_000).map(|_| ids.generate_cid().to_vec()).collect();
        assert_eq!(different.len(), 20_000);
    }
}
