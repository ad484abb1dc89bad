/// The simulator's random numbers: SplitMix64 (Steele, Lea, Flood 2014). Not for secrets.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// Starts from a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for part `part`, so that one part's draws don't move another's.
    pub fn fork(&mut self, part: u64) -> Self {
        let mut fork = Self(self.next_u64() ^ part.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        fork.next_u64();
        fork
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(end)) >> 64) as u64
    }

    /// A number from `from` to `to`, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to.saturating_sub(from) + 1)
    }

    /// True with a chance of `ppm` in a million; draws nothing for 0.
    pub fn chance(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.below(1_000_000) < u64::from(ppm)
    }

    /// A number from 0 to `most`, at most 2^32 - 2: the smaller of two uniform ones, a third of `most` in the mean. Draws
    /// nothing for 0.
    pub fn mostly_small(&mut self, most: u64) -> u64 {
        if most == 0 {
            return 0;
        }
        let bits = self.next_u64();
        let smaller = (bits >> 32).min(bits & 0xFFFF_FFFF);
        (smaller * (most + 1)) >> 32
    }

    /// One of the slice's elements.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}
