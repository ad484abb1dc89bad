use std::collections::BTreeMap;

use crate::{check::Violations, stamp::Stamp};

/// Somebody who ought to hear a speaker once all is well.
pub type ExpectedListener = (u16, u16);

/// After faults stop, all is well again within a bounded time: who wants to be connected is, and who ought to hear a speaker does.
#[derive(Debug, Default)]
pub struct RecoveryChecker {
    heard: BTreeMap<ExpectedListener, u32>,
    since: Option<u64>,
}

impl RecoveryChecker {
    /// Virtual time after the last fault in which everything has to heal, µs: a client's time-out, the longest back-off with
    /// its random part, a connection that doesn't come up, and one more join.
    pub const BOUND: u64 = 45_000_000;

    /// From now on frames count.
    pub fn start(&mut self, now: u64) {
        self.since = Some(now);
        self.heard.clear();
    }

    /// Notes a frame that came out at a listener's ear.
    pub fn heard(&mut self, listener: u16, stamp: &Stamp) {
        if self.since.is_some_and(|since| stamp.spoken_at >= since) {
            *self.heard.entry((listener, stamp.speaker)).or_default() += 1;
        }
    }

    /// Judges at the end: `spoken` frames by each speaker since the start, `share` percent of which each of `expected` must have heard.
    pub fn finish(
        &self,
        now: u64,
        expected: impl IntoIterator<Item = (ExpectedListener, u32)>,
        share: u32,
        violations: &mut Violations,
    ) {
        for ((listener, speaker), spoken) in expected {
            let heard = self.heard.get(&(listener, speaker)).copied().unwrap_or(0);
            if u64::from(heard) * 100 < u64::from(spoken) * u64::from(share) {
                let text =
                    format!("person {listener} heard {heard} of {spoken} frames of {speaker} after the faults stopped");
                violations.push("recovery", now, text);
            }
        }
    }

    /// Judges that a person who wants to be connected is.
    pub fn connected(&self, now: u64, person: u16, state: &str, connected: bool, violations: &mut Violations) {
        if !connected {
            violations.push("recovery", now, format!("person {person} is still {state} after the faults stopped"));
        }
    }
}
