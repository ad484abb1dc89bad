//! The program's clock: how long something took, and the time on real sockets as the transport and as the core want it.

/// Time since the program began to look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(std::time::Instant);

/// A point in time in both forms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) real: std::time::Instant,
    pub(crate) core: voice_core::Instant,
}

#[expect(clippy::disallowed_methods, reason = "a program on a real network has a clock")]
impl Clock {
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn now(&self) -> Now {
        let real = std::time::Instant::now();
        Now { real, core: self.core(real) }
    }
}

/// The time of day, since 1970: whether a certificate is in its time.
#[expect(clippy::disallowed_methods, reason = "certificates are good until a day of the calendar")]
pub(crate) fn since_1970() -> std::time::Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

impl Clock {
    /// Seconds since it began; for the terminal alone, so that files don't depend on it.
    pub(crate) fn seconds(&self) -> f64 {
        self.now().real.saturating_duration_since(self.0).as_secs_f64()
    }

    pub(crate) fn core(&self, real: std::time::Instant) -> voice_core::Instant {
        let since = real.saturating_duration_since(self.0);
        // The origin lies a second back, so that times a little before the start can be told.
        voice_core::Instant::from_us(1_000_000 + since.as_micros() as u64)
    }
}

impl Now {
    /// How long until the earlier of two times, at most so long.
    pub(crate) fn until(
        &self,
        transport: Option<std::time::Instant>,
        core: Option<voice_core::Instant>,
        most: std::time::Duration,
    ) -> std::time::Duration {
        let transport = transport.map_or(most, |at| at.saturating_duration_since(self.real));
        let core = core.map_or(most, |at| at.since(self.core));
        most.min(transport).min(core)
    }
}
