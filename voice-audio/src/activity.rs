//! Telling speech from silence by loudness, in integers.
//!
//! A frame is speech when its root mean square reaches a threshold; a hangover keeps the quiet ends of words. One unbroken run of
//! speech is a talkspurt.

use std::ops::Range;

/// The quietest and the loudest threshold that [`ActivityConfig::for_clip`] chooses.
const THRESHOLDS: (u16, u16) = (24, 1_000);

/// When a frame counts as speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActivityConfig {
    /// The root mean square from which on a frame is speech, 0 (always) to 32,768.
    pub threshold_rms: u16,
    /// How many frames after the last loud one still count as speech.
    pub hangover_frames: u16,
}

impl ActivityConfig {
    /// Returns the settings for a recording of unknown loudness: a threshold 30 dB below its loudest frame.
    pub fn for_clip(pcm: &[i16], frame_samples: usize) -> Self {
        let loudest = pcm.chunks(frame_samples.max(1)).map(rms).max().unwrap_or(0);
        Self { threshold_rms: (loudest / 32).clamp(THRESHOLDS.0, THRESHOLDS.1), ..Self::default() }
    }
}

impl Default for ActivityConfig {
    /// A threshold of 200 (44 dB below full scale) and a hangover of 10 frames.
    fn default() -> Self {
        Self { threshold_rms: 200, hangover_frames: 10 }
    }
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activity {
    /// Nothing to send.
    Silent,
    /// The first frame of a talkspurt.
    Onset,
    /// A later frame of a talkspurt.
    Speech,
}

impl Activity {
    /// Says whether the frame belongs to a talkspurt.
    pub fn is_speech(self) -> bool {
        self != Activity::Silent
    }
}

/// Judges one speaker's frames, one after the other.
#[derive(Debug, Clone)]
pub struct ActivityDetector {
    config: ActivityConfig,
    /// Frames that still count as speech without being loud; `None` in silence.
    hangover: Option<u16>,
}

impl ActivityDetector {
    /// Creates a detector that begins in silence.
    pub fn new(config: ActivityConfig) -> Self {
        Self { config, hangover: None }
    }

    /// Judges the next frame, of any length.
    pub fn update(&mut self, frame: &[i16]) -> Activity {
        let was_silent = self.hangover.is_none();
        self.hangover = if rms(frame) >= self.config.threshold_rms {
            Some(self.config.hangover_frames)
        } else {
            self.hangover.and_then(|left| left.checked_sub(1))
        };
        match (self.hangover, was_silent) {
            (None, _) => Activity::Silent,
            (Some(_), true) => Activity::Onset,
            (Some(_), false) => Activity::Speech,
        }
    }
}

/// Returns the root mean square of `frame`, rounded down: 0 to 32,768; 0 if it is empty.
pub fn rms(frame: &[i16]) -> u16 {
    let energy: u64 = frame.iter().map(|&sample| u64::from(sample.unsigned_abs()).pow(2)).sum();
    let mean = energy.checked_div(frame.len() as u64).unwrap_or(0);
    u16::try_from(mean.isqrt()).unwrap_or(u16::MAX)
}

/// Cuts a clip into talkspurts: ranges of frame numbers, in order, a shorter last frame included. No frames come of length 0.
pub fn talkspurts(pcm: &[i16], frame_samples: usize, config: ActivityConfig) -> Vec<Range<usize>> {
    let mut detector = ActivityDetector::new(config);
    let mut spurts: Vec<Range<usize>> = Vec::new();
    for (number, frame) in pcm.chunks(frame_samples.max(1)).enumerate() {
        match (detector.update(frame), spurts.last_mut()) {
            (Activity::Silent, _) => {}
            (Activity::Speech, Some(spurt)) => spurt.end = number + 1,
            _ => spurts.push(number..number + 1),
        }
    }
    spurts
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: ActivityConfig = ActivityConfig { threshold_rms: 100, hangover_frames: 2 };

    fn clip(loud: &[bool]) -> Vec<i16> {
        loud.iter().flat_map(|&loud| [if loud { 500 } else { 5 }, if loud { -500 } else { -5 }]).collect()
    }

    #[test]
    fn the_root_mean_square_of_full_scale_does_not_overflow() {
        assert_eq!(rms(&[i16::MIN; 2_880]), 32_768);
        assert_eq!(rms(&[3, -4, 3, -4]), 3);
        assert_eq!(rms(&[]), 0);
    }

    #[test]
    fn a_talkspurt_starts_at_once_and_ends_after_the_hangover() {
        let mut detector = ActivityDetector::new(CONFIG);
        let heard: Vec<_> = clip(&[false, true, true, false, false, false, true])
            .chunks(2)
            .map(|frame| detector.update(frame))
            .collect();
        use Activity::{Onset, Silent, Speech};
        assert_eq!(heard, [Silent, Onset, Speech, Speech, Speech, Silent, Onset]);
    }

    #[test]
    fn a_pause_shorter_than_the_hangover_does_not_cut_a_talkspurt() {
        let pcm = clip(&[true, false, false, true, false, false, false, false, true]);
        assert_eq!(talkspurts(&pcm, 2, CONFIG), [0..6, 8..9]);
    }

    #[test]
    fn a_clip_is_cut_into_its_talkspurts() {
        let pcm = clip(&[false, true, false, false, false, false, true]);
        assert_eq!(talkspurts(&pcm, 2, CONFIG), [1..4, 6..7]);
        assert_eq!(talkspurts(&[], 2, CONFIG), []);
    }

    #[test]
    fn the_threshold_follows_the_loudness_of_a_clip_within_limits() {
        assert_eq!(ActivityConfig::for_clip(&[6_400; 100], 10).threshold_rms, 200);
        assert_eq!(ActivityConfig::for_clip(&[1; 100], 10).threshold_rms, 24);
        assert_eq!(ActivityConfig::for_clip(&[], 0).threshold_rms, 24);
    }
}
