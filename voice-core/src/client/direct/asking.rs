//! When the server is to be asked for a pair's secret: at once for a new path, and again for as long as the two ends don't agree.

use core::time::Duration;

use crate::types::Instant;
use crate::wire::limits::PAIR_RETRY;

/// How often the wait is doubled: 80 s at most.
const DOUBLINGS: u8 = 4;

/// Whether and when the server is to be asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking {
    wanted: bool,
    /// Requests in a row that have led to no proof.
    asked: u8,
    /// When, in whole seconds: exact enough, and a small client has memory for no more.
    at_s: u32,
}

impl Asking {
    pub(super) const NOT: Self = Self { wanted: false, asked: 0, at_s: 0 };

    /// For the first time on this connection to the server, or on this path.
    pub(super) fn at_once(&mut self, now: Instant) {
        (self.wanted, self.at_s) = (true, seconds(now));
    }

    /// Unless something comes of it by then: the longer, the more requests have led to nothing.
    pub(super) fn later(&mut self, now: Instant) {
        if !self.wanted {
            let wait = PAIR_RETRY * (1 << self.asked.saturating_sub(1).min(DOUBLINGS));
            (self.wanted, self.at_s) = (true, seconds(now.after(wait)));
        }
    }

    /// The request is sent. It, or what comes of it, may be lost.
    pub(super) fn sent(&mut self, now: Instant) {
        (self.wanted, self.asked) = (false, self.asked.saturating_add(1));
        self.later(now);
    }

    /// There is a secret, or no path that one would be for.
    pub(super) fn stop(&mut self) {
        self.wanted = false;
    }

    pub(super) fn at(&self) -> Option<Instant> {
        self.wanted.then(|| Instant::ORIGIN.after(Duration::from_secs(self.at_s.into())))
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.at().is_some_and(|at| at <= now)
    }
}

fn seconds(at: Instant) -> u32 {
    u32::try_from(at.since(Instant::ORIGIN).as_secs()).unwrap_or(u32::MAX)
}
