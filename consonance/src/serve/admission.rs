//! Who is let in: those who know the password, or everybody. Guessing is slow, for each address.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use crate::fail::Fail;

/// Most bytes of a password: those of a credential.
const LONGEST: usize = 512;
/// So many wrong passwords of an address in a minute, and the next aren't looked at.
const TRIES: u8 = 5;
const MEMORY: Duration = Duration::from_secs(60);
/// Addresses that are remembered.
const MOST: usize = 10_000;

/// Reasons of this program's own for refusing somebody; from 128 on they are the embedder's.
pub(crate) const WRONG_PASSWORD: u8 = 128;
pub(crate) const TOO_MANY_TRIES: u8 = 129;

pub(crate) struct Admission {
    password: Option<Vec<u8>>,
    wrong: BTreeMap<IpAddr, (u8, voice_core::Instant)>,
}

impl Admission {
    pub(crate) fn new(password: Option<&str>) -> Result<Self, Fail> {
        let password = password.map(|password| password.as_bytes().to_vec());
        if password.as_ref().is_some_and(|password| password.is_empty() || password.len() > LONGEST) {
            return Err(Fail::new(
                "--password: must have 1 to 512 bytes",
                "choose another, or leave it out to let everybody in",
            ));
        }
        Ok(Self { password, wrong: BTreeMap::new() })
    }

    /// In words, for the start of the log.
    pub(crate) const fn about(&self) -> &'static str {
        if self.password.is_some() { "a password is needed to join" } else { "everybody who reaches it may join" }
    }

    /// Whether somebody may come in; if not, why.
    pub(crate) fn admit(&mut self, now: voice_core::Instant, from: IpAddr, credential: &[u8]) -> Result<(), u8> {
        let Some(password) = &self.password else { return Ok(()) };
        let (tries, since) = self.wrong.get(&from).copied().unwrap_or((0, now));
        let tries = if now.since(since) >= MEMORY { 0 } else { tries };
        if tries >= TRIES {
            return Err(TOO_MANY_TRIES);
        }
        if aws_lc_rs::constant_time::verify_slices_are_equal(password, credential).is_ok() {
            self.wrong.remove(&from);
            return Ok(());
        }
        if self.wrong.len() >= MOST {
            self.wrong.retain(|_, (_, since)| now.since(*since) < MEMORY);
        }
        if self.wrong.len() < MOST || self.wrong.contains_key(&from) {
            self.wrong.insert(from, (tries + 1, if tries == 0 { now } else { since }));
        }
        Err(WRONG_PASSWORD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_five_wrong_passwords_an_address_waits_a_minute_and_others_do_not() {
        let mut admission = Admission { password: Some(b"sesame".to_vec()), wrong: BTreeMap::new() };
        let (one, two) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let at = voice_core::Instant::from_ms;
        for ms in 0..5 {
            assert_eq!(admission.admit(at(ms), one, b"open"), Err(WRONG_PASSWORD));
        }
        assert_eq!(admission.admit(at(5), one, b"sesame"), Err(TOO_MANY_TRIES));
        assert_eq!(admission.admit(at(6), two, b"sesame"), Ok(()));
        assert_eq!(admission.admit(at(60_000), one, b"sesame"), Ok(()));
    }
}
