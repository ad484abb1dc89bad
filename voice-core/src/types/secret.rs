/// 128 secret bits: a resume secret or a pair secret. Doesn't print itself, and compares in constant time.
#[derive(Clone, Copy, Eq)]
pub struct Secret(pub(crate) [u8; 16]);

impl Secret {
    pub(crate) const ZERO: Self = Self([0; 16]);
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let difference = self
            .0
            .iter()
            .zip(&other.0)
            .fold(0, |sum, (a, b)| sum | (a ^ b));
        core::hint::black_box(difference) == 0
    }
}

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret(..)")
    }
}
