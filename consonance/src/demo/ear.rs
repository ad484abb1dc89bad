//! An ear: what a listener's playout gives, as the loudspeaker gets it, written down sample by sample.

use std::time::Duration;

use voice_audio::listen::{Channels, Listener, ListenerConfig, Presence, Pull};
use voice_core::ClientId;

use super::script::CAST;

/// Samples less than time has passed are the drift of the ear's clock, as long as they are not more than this: 120 ms, two of the longest ticks.
const TOLERANCE: usize = 5_760;

/// One listener's ear, 48 kHz mono.
pub(crate) struct Ear {
    listener: Listener,
    heard: Vec<i16>,
}

impl Ear {
    pub(crate) fn new() -> Self {
        let config = ListenerConfig {
            voices: CAST.len(),
            channels: Channels::Mono,
            // Others stay as loud while one speaks oneself, so that the file tells all that came through.
            ducking: None,
            ..ListenerConfig::default()
        };
        Self { listener: Listener::new(config).expect("the settings are in range"), heard: Vec::new() }
    }

    /// How much later sound is heard than the listener says when it asks for it, µs.
    pub(crate) fn latency_us(&self) -> u64 {
        self.listener.latency_us()
    }

    /// Hears one tick of the listener's audio clock, which begins at true time `now`, µs.
    pub(crate) fn tick(
        &mut self,
        now: u64,
        tick: Duration,
        speakers: impl Iterator<Item = ClientId>,
        pull: impl FnMut(Pull<'_>),
    ) {
        for speaker in speakers {
            // There is a voice for everybody; one that lingers from an earlier session gives way, or the listener counts it.
            _ = self.listener.attend(speaker, Presence::default());
        }
        self.catch_up(now);
        let begin = self.heard.len();
        self.heard.resize(begin + samples(u64::try_from(tick.as_micros()).unwrap_or(0)), 0);
        self.listener.render(&mut self.heard[begin..], pull);
    }

    /// All that was heard from time 0 to `end`, µs, as 48 kHz mono.
    pub(crate) fn finish(mut self, end: u64) -> Vec<i16> {
        self.heard.resize(samples(end), 0);
        self.heard
    }

    /// Fills the time in which the ear wasn't there.
    fn catch_up(&mut self, now: u64) {
        let due = samples(now);
        if self.heard.len() + TOLERANCE < due {
            self.heard.resize(due, 0);
        }
    }
}

/// Samples in so much time, µs.
fn samples(us: u64) -> usize {
    usize::try_from(us * 48 / 1_000).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use voice_core::{Frame, Pace, Sound};

    use super::*;

    const TICK: Duration = Duration::from_millis(20);

    fn frame(sound: Sound<'_>) -> Frame<'_> {
        Frame { sound, length_us: 20_000, pace: Pace::Steady, volume_percent: 100, positional: false, audible: true }
    }

    fn hear(ear: &mut Ear, now: u64, sound: Sound<'_>) {
        let speaker = ClientId::new(1).into_iter();
        ear.tick(now, TICK, speaker, |pull| pull.give(frame(sound)));
    }

    #[test]
    fn an_ear_that_was_away_hears_silence_for_that_long() {
        let mut ear = Ear::new();
        hear(&mut ear, 1_000_000, Sound::Silence);
        assert_eq!(ear.heard.len(), 48_000 + 960);
        assert_eq!(ear.finish(2_000_000), vec![0; 96_000]);
    }

    #[test]
    fn a_drifting_clock_adds_no_gaps() {
        let mut ear = Ear::new();
        (0..100).for_each(|tick| hear(&mut ear, tick * 20_001, Sound::Silence));
        assert_eq!(ear.heard.len(), 100 * 960);
    }

    #[test]
    fn what_is_not_a_frame_is_silence() {
        let mut ear = Ear::new();
        hear(&mut ear, 0, Sound::Play(&[]));
        assert_eq!(ear.heard, vec![0; 960]);
    }
}
