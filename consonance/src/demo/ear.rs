//! An ear: what a listener's playout gives, decoded, mixed, and written down sample by sample.

use std::collections::BTreeMap;

use voice_audio::{Gain, Mixer, OpusDecoder};

use super::{script::Who, voice::frame_samples};

/// What the playout of one speaker gave for one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sound<'a> {
    /// An Opus frame.
    Play(&'a [u8]),
    /// A frame is missing.
    Conceal,
}

/// One listener's ear.
#[derive(Default)]
pub(crate) struct Ear {
    decoders: BTreeMap<Who, OpusDecoder>,
    mixer: Mixer,
    heard: Vec<i16>,
}

impl Ear {
    /// Decodes one speaker's frame, and adds it to the mix unless it is not to be heard: its decoder stays in step all the same.
    pub(crate) fn add(&mut self, speaker: Who, sound: Sound<'_>, gain: Gain, audible: bool) {
        let decoder = self.decoders.entry(speaker).or_insert_with(|| OpusDecoder::new().expect("memory for a decoder"));
        let mut pcm = vec![0; frame_samples()];
        let decoded = match sound {
            Sound::Play(payload) => decoder.decode(payload, &mut pcm).is_ok(),
            Sound::Conceal => decoder.conceal(&mut pcm).is_ok(),
        };
        if decoded && audible {
            self.mixer.add(&pcm, gain);
        }
    }

    /// Ends one tick of the listener's audio clock at true time `now`, µs.
    pub(crate) fn tick(&mut self, now: u64) {
        let mut frame = vec![0; frame_samples()];
        self.mixer.finish(&mut frame);
        self.catch_up(now, 2 * frame.len());
        self.heard.extend(frame);
    }

    /// All that was heard from time 0 to `end`, µs, as 48 kHz mono.
    pub(crate) fn finish(mut self, end: u64) -> Vec<i16> {
        self.heard.resize(samples(end), 0);
        self.heard
    }

    /// Fills the time in which the ear wasn't there; `tolerance` samples less are the drift of its clock.
    fn catch_up(&mut self, now: u64, tolerance: usize) {
        let due = samples(now);
        if self.heard.len() + tolerance < due {
            self.heard.resize(due, 0);
        }
    }
}

/// Samples until true time `at`, µs.
fn samples(at: u64) -> usize {
    usize::try_from(at * 48 / 1_000).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ear_that_was_away_hears_silence_for_that_long() {
        let mut ear = Ear::default();
        ear.tick(1_000_000);
        assert_eq!(ear.finish(2_000_000), vec![0; 96_000]);
    }

    #[test]
    fn a_drifting_clock_adds_no_gaps() {
        let mut ear = Ear::default();
        (0..100).for_each(|tick| ear.tick(tick * 20_001));
        assert_eq!(ear.heard.len(), 100 * frame_samples());
    }

    #[test]
    fn what_is_not_a_frame_is_silence() {
        let mut ear = Ear::default();
        ear.add(0, Sound::Play(&[]), Gain::UNITY, true);
        ear.tick(0);
        assert_eq!(ear.heard, vec![0; frame_samples()]);
    }
}
