//! Numbers made of a record: what each listener heard, and with how much delay and loss.

use super::{
    playout::{self, Counts},
    record::{Fate, Filled, Record, Spoken, Way},
    script::{CAST, Who},
};

/// What sound waits in the codec before it is handed over, µs: a look-ahead of 312 samples.
const LOOK_AHEAD_US: u64 = 312 * 1_000 / 48;

/// From the first sample of a frame being spoken to its being heard, µs; without what a sound card adds.
pub(crate) fn mouth_to_ear_us(spoken: Spoken, fate: Fate) -> Option<u64> {
    Some(fate.played?.saturating_sub(spoken.at) + u64::from(spoken.length_us) + LOOK_AHEAD_US)
}

/// Frames that were meant for a listener, and what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) meant: u64,
    pub(crate) played: u64,
    /// Of those played: not aloud, since somebody of higher priority spoke.
    pub(crate) outranked: u64,
    /// Arrived, but not played: mostly too late.
    pub(crate) late: u64,
    /// Never arrived.
    pub(crate) lost: u64,
    /// Arrived although meant for others.
    pub(crate) leaked: u64,
    /// Played frames by the way they came: relay, direct.
    pub(crate) ways: [u64; 2],
    /// Mouth to ear of those played, µs, ascending, by way.
    pub(crate) delays: [Vec<u64>; 2],
}

impl Heard {
    fn add(&mut self, spoken: Spoken, fate: Fate, meant: bool) {
        if !meant {
            self.leaked += u64::from(fate.arrived.is_some() || fate.played.is_some());
            return;
        }
        self.meant += 1;
        match (fate.arrived, mouth_to_ear_us(spoken, fate)) {
            (Some((_, way)), Some(delay)) => {
                self.played += 1;
                self.outranked += u64::from(!fate.audible);
                self.ways[way as usize] += 1;
                self.delays[way as usize].push(delay);
            }
            (Some(_), None) => self.late += 1,
            (None, _) => self.lost += 1,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.meant += other.meant;
        self.played += other.played;
        self.outranked += other.outranked;
        self.late += other.late;
        self.lost += other.lost;
        self.leaked += other.leaked;
        for way in 0..2 {
            self.ways[way] += other.ways[way];
            self.delays[way].extend(&other.delays[way]);
            self.delays[way].sort_unstable();
        }
    }

    /// All delays, ascending.
    pub(crate) fn all_delays(&self) -> Vec<u64> {
        let mut delays = self.delays.concat();
        delays.sort_unstable();
        delays
    }

    /// The share of frames that came by this way, in percent.
    pub(crate) fn share_percent(&self, way: Way) -> Option<u64> {
        (self.ways[way as usize] * 100 + self.played / 2).checked_div(self.played)
    }
}

/// What one listener heard, all in all and by speaker.
pub(crate) struct Listener {
    pub(crate) who: Who,
    pub(crate) all: Heard,
    /// By speaker, in the order of the cast.
    pub(crate) by_speaker: Vec<Heard>,
    /// Gaps that a later packet filled.
    pub(crate) recovered: u64,
    /// Time that was filled with the decoder's guess, ms.
    pub(crate) concealed_ms: u64,
    /// What the playouts of all speakers counted.
    pub(crate) playout: Counts,
}

impl Listener {
    /// Whom this listener heard.
    pub(crate) fn heard(&self) -> impl Iterator<Item = Who> + '_ {
        self.by_speaker.iter().enumerate().filter(|(_, heard)| heard.played > 0).map(|(who, _)| who)
    }
}

/// The numbers of all listeners.
pub(crate) fn listeners(record: &Record) -> Vec<Listener> {
    (0..CAST.len()).map(|who| listener(record, who)).collect()
}

/// The value that `percent` of all values don't exceed (nearest rank); `values` are ascending.
pub(crate) fn percentile(values: &[u64], percent: usize) -> Option<u64> {
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied()
}

fn listener(record: &Record, who: Who) -> Listener {
    let by_speaker: Vec<_> = (0..CAST.len()).map(|speaker| heard(record, who, speaker)).collect();
    let mut all = Heard::default();
    by_speaker.iter().for_each(|heard| all.merge(heard));
    let gaps = |filled: Filled| record.gaps[who].iter().filter(move |gap| gap.filled == filled);
    Listener {
        who,
        all,
        by_speaker,
        recovered: gaps(Filled::Copy).count() as u64,
        concealed_ms: gaps(Filled::Guess).map(|gap| u64::from(gap.length_us)).sum::<u64>() / 1_000,
        playout: playout::sum(&record.playouts[who]),
    }
}

fn heard(record: &Record, listener: Who, speaker: Who) -> Heard {
    let mut heard = Heard::default();
    for (spoken, fate) in record.fates(listener, speaker) {
        heard.add(spoken, fate, record.is_meant(spoken, listener));
    }
    heard.delays.iter_mut().for_each(|delays| delays.sort_unstable());
    heard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let values: Vec<u64> = (1..=20).collect();
        assert_eq!(percentile(&values, 50), Some(10));
        assert_eq!(percentile(&values, 95), Some(19));
        assert_eq!(percentile(&values, 0), Some(1));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn a_frame_that_arrived_but_was_not_played_is_late_and_one_that_did_not_arrive_is_lost() {
        let spoken = Spoken { at: 0, length_us: 20_000, utterance: 0 };
        let arrived = Some((30_000, Way::Direct));
        let mut heard = Heard::default();
        heard.add(spoken, Fate { arrived, ..Fate::default() }, true);
        heard.add(spoken, Fate::default(), true);
        heard.add(spoken, Fate { arrived, copies: 1, played: Some(60_000), audible: true }, true);
        heard.add(spoken, Fate { arrived, ..Fate::default() }, false);
        assert_eq!((heard.meant, heard.late, heard.lost, heard.played, heard.leaked), (3, 1, 1, 1, 1));
        assert_eq!((heard.ways, heard.delays[1].as_slice()), ([0, 1], &[86_500][..]));
    }
}
