//! Whether voices come whole: what is lost and late of each speaker, second by second.

use std::time::Duration;

use voice_core::{Client, ClientId, ClientMemory, Instant};

const EVERY: Duration = Duration::from_secs(1);

/// Why little of a speaker can be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// More than half of what was sent didn't come.
    Lost,
    /// More than half of what came was too late.
    Late,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    speaker: ClientId,
    received: u32,
    lost: u32,
    late: u32,
    trouble: Option<Trouble>,
}

/// The last second of each speaker.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    seen: Vec<Seen>,
    due: Instant,
}

impl Arrivals {
    /// Looks at the counts, once a second.
    pub(crate) fn look<M: ClientMemory>(&mut self, now: Instant, client: &Client<M>) {
        if now < self.due {
            return;
        }
        self.due = now.after(EVERY);
        // Who loses nearly all falls silent between what comes, and is looked at all the same, as long as the core remembers them.
        self.seen.retain_mut(|seen| {
            let stats = client.speaker_stats(seen.speaker);
            stats.is_some_and(|stats| {
                seen.update(stats.received, stats.lost, stats.late);
                true
            })
        });
        for speaker in client.speakers() {
            let known = self.seen.iter().any(|seen| seen.speaker == speaker);
            let stats = client.speaker_stats(speaker).filter(|_| !known);
            let seen = stats.map(|stats| Seen {
                speaker,
                received: stats.received,
                lost: stats.lost,
                late: stats.late,
                trouble: None,
            });
            self.seen.extend(seen);
        }
    }

    /// What was wrong with a speaker's voice in the last second.
    pub(crate) fn trouble(&self, speaker: ClientId) -> Option<Trouble> {
        self.seen.iter().find(|seen| seen.speaker == speaker)?.trouble
    }
}

impl Seen {
    fn update(&mut self, received: u32, lost: u32, late: u32) {
        let came = received.saturating_sub(self.received);
        // Falls when what was thought to be lost comes after all.
        let missing = lost.saturating_sub(self.lost);
        let too_late = late.saturating_sub(self.late);
        self.trouble = match () {
            () if missing > came => Some(Trouble::Lost),
            () if 2 * too_late > came => Some(Trouble::Late),
            () => None,
        };
        (self.received, self.lost, self.late) = (received, lost, late);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_judged_by_what_came_in_it() {
        let speaker = ClientId::new(1).unwrap();
        let mut seen = Seen { speaker, received: 100, lost: 90, late: 0, trouble: None };
        let mut after = |received, lost, late| {
            seen.update(received, lost, late);
            seen.trouble
        };
        assert_eq!(after(150, 90, 0), None);
        assert_eq!(after(170, 120, 0), Some(Trouble::Lost));
        assert_eq!(after(220, 120, 30), Some(Trouble::Late));
        assert_eq!(after(270, 100, 30), None);
        assert_eq!(after(270, 100, 30), None, "a pause is no trouble");
    }
}
