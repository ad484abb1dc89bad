//! Who is let in: those who know the password, or everybody. Guessing is slow, for each address, and for all those together that can't be told apart any more.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use adapter_kit::Source;

use crate::fail::Fail;

/// Most bytes of a password: those of a credential.
const LONGEST: usize = 512;
/// So many wrong passwords of an address in a minute, and the next aren't looked at.
const TRIES: u8 = 5;
const MEMORY: Duration = Duration::from_secs(60);
/// Addresses that are remembered. Those beyond count as one.
const MOST: usize = 10_000;
/// So many wrong passwords in a minute are worth a warning each: a log isn't others' to fill.
const WARNINGS: u8 = 20;

/// Reasons of this program's own for refusing somebody; from 128 on they are the embedder's.
pub(crate) const WRONG_PASSWORD: u8 = 128;
pub(crate) const TOO_MANY_TRIES: u8 = 129;

pub(crate) struct Admission {
    password: Option<Vec<u8>>,
    wrong: BTreeMap<Option<Source>, Tries>,
    /// Warnings so far.
    warned: Tries,
}

/// How many there were since when; after a minute they are forgotten.
#[derive(Debug, Clone, Copy)]
struct Tries {
    count: u8,
    since: voice_core::Instant,
}

impl Tries {
    const NONE: Self = Self { count: 0, since: voice_core::Instant::ORIGIN };

    fn at(self, now: voice_core::Instant) -> Self {
        if self.count == 0 || now.since(self.since) >= MEMORY { Self { count: 0, since: now } } else { self }
    }

    const fn and_one(self) -> Self {
        Self { count: self.count.saturating_add(1), ..self }
    }
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
        Ok(Self { password, wrong: BTreeMap::new(), warned: Tries::NONE })
    }

    /// In words, for the start of the log.
    pub(crate) const fn about(&self) -> &'static str {
        if self.password.is_some() { "a password is needed to join" } else { "everybody who reaches it may join" }
    }

    /// Whether somebody may come in; if not, why.
    pub(crate) fn admit(&mut self, now: voice_core::Instant, from: IpAddr, credential: &[u8]) -> Result<(), u8> {
        let Some(password) = &self.password else { return Ok(()) };
        let known = Some(Source::of(from));
        if self.wrong.len() >= MOST && !self.wrong.contains_key(&known) {
            self.wrong.retain(|_, tries| tries.at(now).count > 0);
        }
        let whose = known.filter(|_| self.wrong.len() < MOST || self.wrong.contains_key(&known));
        let tries = self.wrong.get(&whose).copied().unwrap_or(Tries::NONE).at(now);
        if tries.count >= TRIES {
            return Err(TOO_MANY_TRIES);
        }
        if aws_lc_rs::constant_time::verify_slices_are_equal(password, credential).is_ok() {
            self.wrong.remove(&known);
            return Ok(());
        }
        self.wrong.insert(whose, tries.and_one());
        Err(WRONG_PASSWORD)
    }

    /// Whether a wrong password is to be warned of, now.
    pub(crate) fn is_worth_a_warning(&mut self, now: voice_core::Instant) -> bool {
        self.warned = self.warned.at(now).and_one();
        self.warned.count <= WARNINGS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded() -> Admission {
        Admission::new(Some("sesame")).unwrap_or_else(|fail| panic!("{fail}"))
    }

    fn at(ms: u64) -> voice_core::Instant {
        voice_core::Instant::from_ms(ms)
    }

    #[test]
    fn after_five_wrong_passwords_an_address_waits_a_minute_and_others_do_not() {
        let mut admission = guarded();
        let (one, two) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for ms in 0..5 {
            assert_eq!(admission.admit(at(ms), one, b"open"), Err(WRONG_PASSWORD));
        }
        assert_eq!(admission.admit(at(5), one, b"sesame"), Err(TOO_MANY_TRIES));
        assert_eq!(admission.admit(at(6), two, b"sesame"), Ok(()));
        assert_eq!(admission.admit(at(60_000), one, b"sesame"), Ok(()));
    }

    #[test]
    fn an_ipv6_network_of_64_bits_guesses_as_one_and_an_ipv4_address_by_either_name() {
        let mut admission = guarded();
        for host in 1..=5_u16 {
            let from = IpAddr::from([0x2001, 0xDB8, 0, 7, 0, 0, 0, host]);
            assert_eq!(admission.admit(at(1), from, b"open"), Err(WRONG_PASSWORD));
        }
        let (same, next) = ([0x2001, 0xDB8, 0, 7, 1, 2, 3, 4], [0x2001, 0xDB8, 0, 8, 0, 0, 0, 1]);
        assert_eq!(admission.admit(at(2), IpAddr::from(same), b"sesame"), Err(TOO_MANY_TRIES));
        assert_eq!(admission.admit(at(2), IpAddr::from(next), b"sesame"), Ok(()));
        let v4 = std::net::Ipv4Addr::new(10, 0, 0, 9);
        for _ in 0..5 {
            assert_eq!(admission.admit(at(3), v4.into(), b"open"), Err(WRONG_PASSWORD));
        }
        assert_eq!(admission.admit(at(4), v4.to_ipv6_mapped().into(), b"sesame"), Err(TOO_MANY_TRIES));
    }

    #[test]
    fn who_guesses_from_more_addresses_than_are_remembered_has_five_tries_for_all_beyond() {
        let mut admission = guarded();
        let from = |number: u32| IpAddr::from((0x0A00_0000 + number).to_be_bytes());
        let answers: Vec<_> =
            (0..MOST as u32 + 50).map(|number| admission.admit(at(1), from(number), b"open")).collect();
        let wrong = answers.iter().filter(|answer| **answer == Err(WRONG_PASSWORD)).count();
        assert!((MOST..=MOST + usize::from(TRIES)).contains(&wrong), "{wrong}");
        assert_eq!(answers.last(), Some(&Err(TOO_MANY_TRIES)));
        assert_eq!(admission.admit(at(60_001), from(77_777), b"sesame"), Ok(()), "a minute later all is forgotten");
    }

    #[test]
    fn a_log_has_twenty_warnings_of_wrong_passwords_in_a_minute() {
        let mut admission = guarded();
        assert_eq!((0..500).filter(|ms| admission.is_worth_a_warning(at(*ms))).count(), 20);
        assert!(admission.is_worth_a_warning(at(60_000)));
    }
}
