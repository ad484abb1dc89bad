use core::time::Duration;

/// A point in time: microseconds from any origin that the embedder likes, the same one for all calls on one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin of the embedder's clock.
    pub const ORIGIN: Self = Self(0);

    /// Later than everything.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// Makes an instant of `us` microseconds after the origin.
    pub const fn from_us(us: u64) -> Self {
        Self(us)
    }

    /// Makes an instant of `ms` milliseconds after the origin; saturates.
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000))
    }

    /// Microseconds since the origin.
    pub const fn as_us(self) -> u64 {
        self.0
    }

    /// The instant `span` later; saturates at the end of time.
    pub const fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(us(span)))
    }

    /// The instant `span` earlier; saturates at the origin.
    pub const fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(us(span)))
    }

    /// The span from `earlier` to this instant; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The earlier of two that may not be. Asked for after every packet.
    #[inline]
    pub(crate) fn earlier(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, None) | (None, one) => one,
        }
    }
}

const fn us(span: Duration) -> u64 {
    let us = span.as_micros();
    if us > u64::MAX as u128 { u64::MAX } else { us as u64 }
}
