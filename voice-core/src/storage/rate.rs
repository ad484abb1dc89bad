use crate::types::Instant;

/// A token bucket: so many per second, so many at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    /// When the bucket will have been refilled, µs; later than now by what was taken.
    full_at: u64,
}

/// What a bucket allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) per_second: u32,
    pub(crate) at_once: u32,
}

impl Bucket {
    pub(crate) const FULL: Self = Self { full_at: 0 };

    /// Takes one token; false if there is none.
    pub(crate) fn take(&mut self, now: Instant, rate: Rate) -> bool {
        let token = 1_000_000 / u64::from(rate.per_second.max(1));
        let full_at = self.full_at.max(now.as_us()).saturating_add(token);
        let most = now.as_us().saturating_add(token.saturating_mul(u64::from(rate.at_once)));
        if full_at > most {
            return false;
        }
        self.full_at = full_at;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_what_it_holds_and_then_by_the_second() {
        let rate = Rate { per_second: 10, at_once: 3 };
        let mut bucket = Bucket::FULL;
        let taken = |bucket: &mut Bucket, ms| (0..100).filter(|_| bucket.take(Instant::from_ms(ms), rate)).count();
        assert_eq!(taken(&mut bucket, 5_000), 3);
        assert_eq!(taken(&mut bucket, 5_200), 2);
        assert_eq!(taken(&mut bucket, 60_000), 3);
    }
}
