//! What one speaker's playout at one listener did over time.

use std::collections::BTreeMap;

use voice_core::{ClientId, SpeakerStats};

use super::script::Who;

/// How often playouts are looked at, µs.
pub(crate) const LOOK_US: u64 = 200_000;

/// Counts since the beginning, over all sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// Packets received, each once.
    pub(crate) received: u64,
    /// Frames played.
    pub(crate) played: u64,
    /// Frames that the playout had recovered from a later packet.
    pub(crate) recovered: u64,
    /// Packets that came when something else had been played in their place.
    pub(crate) late: u64,
    /// Frames that were received and skipped.
    pub(crate) skipped: u64,
    /// Time concealed, ms.
    pub(crate) concealed_ms: u64,
    /// Stretching asked for, ms.
    pub(crate) stretched_ms: u64,
    /// Shortening asked for, ms.
    pub(crate) shortened_ms: u64,
}

impl Counts {
    /// Each count with its name.
    pub(crate) fn named(&self) -> [(&'static str, u64); 8] {
        [
            ("received", self.received),
            ("played", self.played),
            ("recovered", self.recovered),
            ("late", self.late),
            ("skipped", self.skipped),
            ("concealed_ms", self.concealed_ms),
            ("stretched_ms", self.stretched_ms),
            ("shortened_ms", self.shortened_ms),
        ]
    }

    /// Adds what another counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.for_each(other, |own, other| *own += other);
    }

    /// What was counted since `before`; all of it if the count has begun anew.
    fn since(mut self, before: &Self) -> Self {
        if self.received >= before.received {
            self.for_each(before, |own, before| *own = own.saturating_sub(before));
        }
        self
    }

    fn for_each(&mut self, other: &Self, what: impl Fn(&mut u64, u64)) {
        what(&mut self.received, other.received);
        what(&mut self.played, other.played);
        what(&mut self.recovered, other.recovered);
        what(&mut self.late, other.late);
        what(&mut self.skipped, other.skipped);
        what(&mut self.concealed_ms, other.concealed_ms);
        what(&mut self.stretched_ms, other.stretched_ms);
        what(&mut self.shortened_ms, other.shortened_ms);
    }
}

impl From<&SpeakerStats> for Counts {
    fn from(stats: &SpeakerStats) -> Self {
        Self {
            received: stats.received.into(),
            played: stats.played.into(),
            recovered: stats.recovered.into(),
            late: stats.late.into(),
            skipped: stats.skipped.into(),
            concealed_ms: stats.concealed_ms.into(),
            stretched_ms: stats.stretched_ms.into(),
            shortened_ms: stats.shortened_ms.into(),
        }
    }
}

/// How a playout stood at a moment at which there was something to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) at: u64,
    /// The delay above the smallest transit time, µs.
    pub(crate) delay_us: u32,
    /// The delay aimed at, µs.
    pub(crate) target_us: u32,
}

/// One speaker's playout at one listener.
#[derive(Debug, Clone, Default)]
pub(crate) struct Playout {
    pub(crate) samples: Vec<Sample>,
    pub(crate) counts: Counts,
}

/// Looks at one listener's playouts every [`LOOK_US`].
#[derive(Debug, Default)]
pub(crate) struct Watch {
    due: u64,
    /// What was counted at the last look, by the speaker's id.
    last: BTreeMap<ClientId, Counts>,
}

impl Watch {
    /// Whether it is time to look; then it isn't until the next.
    pub(crate) fn is_due(&mut self, now: u64) -> bool {
        let due = now >= self.due;
        if due {
            self.due = (now / LOOK_US + 1) * LOOK_US;
        }
        due
    }

    /// Adds how a speaker stands; `heard` says whether there is something to hear.
    pub(crate) fn look(&mut self, now: u64, id: ClientId, stats: &SpeakerStats, heard: bool, playout: &mut Playout) {
        let counts = Counts::from(stats);
        let before = self.last.insert(id, counts).unwrap_or_default();
        playout.counts.merge(&counts.since(&before));
        if heard && counts.played > 0 {
            playout.samples.push(Sample { at: now, delay_us: stats.delay_us, target_us: stats.target_us });
        }
    }
}

/// The counts of all speakers at one listener.
pub(crate) fn sum(playouts: &[Playout]) -> Counts {
    let mut all = Counts::default();
    playouts.iter().for_each(|playout| all.merge(&playout.counts));
    all
}

/// Stretches of samples without a pause between them.
pub(crate) fn runs(samples: &[Sample]) -> impl Iterator<Item = &[Sample]> {
    samples.chunk_by(|one, next| next.at - one.at < 2 * LOOK_US)
}

/// The speakers of whom a listener's playouts have samples.
pub(crate) fn watched(playouts: &[Playout]) -> impl Iterator<Item = (Who, &Playout)> {
    playouts.iter().enumerate().filter(|(_, playout)| !playout.samples.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(received: u32, late: u32) -> SpeakerStats {
        SpeakerStats { received, late, played: received, ..SpeakerStats::default() }
    }

    fn look(looks: &[SpeakerStats]) -> Counts {
        let (mut watch, mut playout) = (Watch::default(), Playout::default());
        let id = ClientId::new(1).expect("an id");
        looks.iter().for_each(|stats| watch.look(0, id, stats, true, &mut playout));
        playout.counts
    }

    #[test]
    fn a_count_that_begins_anew_is_added_to_the_one_before() {
        let counts = look(&[stats(10, 1), stats(30, 3), stats(5, 2)]);
        assert_eq!((counts.received, counts.late, counts.played), (35, 5, 35));
    }

    #[test]
    fn looks_are_a_fifth_of_a_second_apart() {
        let mut watch = Watch::default();
        let due: Vec<u64> = (0..60).map(|tick| tick * 20_000 + 7).filter(|now| watch.is_due(*now)).collect();
        assert_eq!(due, [7, 200_007, 400_007, 600_007, 800_007, 1_000_007]);
    }

    #[test]
    fn a_pause_cuts_a_run() {
        let samples = [0, 200_000, 390_000, 900_000].map(|at| Sample { at, delay_us: 0, target_us: 0 });
        let runs: Vec<usize> = runs(&samples).map(<[Sample]>::len).collect();
        assert_eq!(runs, [3, 1]);
    }
}
