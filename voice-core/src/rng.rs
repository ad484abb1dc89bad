//! Random numbers and keyed hashes: SipHash-2-4 (Aumasson and Bernstein, 2012), the standard library's.

#![allow(deprecated)] // The hasher is deprecated for hash maps; as SipHash-2-4 it is exactly what it says.

use core::hash::{Hasher, SipHasher};

use crate::types::Secret;

/// SipHash-2-4 of `bytes`. The key's first eight bytes are k0 and its last eight k1, both little-endian, as in the paper.
pub(crate) fn siphash(key: &Secret, bytes: &[u8]) -> u64 {
    let (k0, k1) = key.halves();
    let mut hasher = SipHasher::new_with_keys(k0, k1);
    hasher.write(bytes);
    hasher.finish()
}

/// All randomness of one client or server: SipHash-2-4 of a counter, keyed with the seed. What it gave away doesn't tell what
/// it will give.
#[derive(Debug, Clone)]
pub(crate) struct Rng {
    seed: u64,
    counter: u64,
}

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        let mut hasher = SipHasher::new_with_keys(self.seed, 0x436F_6E73_6F6E_616E);
        hasher.write(&self.counter.to_le_bytes());
        hasher.finish()
    }

    pub(crate) fn next_u32(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.next_u64().to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// A number below `end`, 0 if `end` is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        let wide = u128::from(self.next_u64()).wrapping_mul(u128::from(end));
        (wide >> 64) as u64
    }

    pub(crate) fn next_secret(&mut self) -> Secret {
        let (a, b) = (self.next_u64().to_le_bytes(), self.next_u64().to_le_bytes());
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(a.iter().chain(&b)).for_each(|(to, from)| *to = *from);
        Secret(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siphash_gives_the_papers_example() {
        let key = Secret(core::array::from_fn(|i| i as u8));
        let message: [u8; 15] = core::array::from_fn(|i| i as u8);
        assert_eq!(siphash(&key, &message), 0xA129_CA61_49BE_45E5);
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers_on_every_platform() {
        let mut rng = Rng::new(1);
        assert_eq!([rng.next_u64(), rng.next_u64()], [0x34FF_8B49_E5E6_A50B, 0x130A_6372_D480_9F79]);
    }

    #[test]
    fn a_number_is_below_its_end_and_reaches_all_of_them() {
        let mut rng = Rng::new(1);
        let mut seen = [false; 5];
        for _ in 0..200 {
            seen[rng.below(5) as usize] = true;
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!((rng.below(1), rng.below(0)), (0, 0));
    }

    #[test]
    fn secrets_differ() {
        let mut rng = Rng::new(1);
        assert_ne!(rng.next_secret(), rng.next_secret());
        assert_ne!(Rng::new(1).next_secret(), Rng::new(2).next_secret());
    }
}
