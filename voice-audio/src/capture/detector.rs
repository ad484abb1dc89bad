//! Voice activity: says for each hop whether somebody speaks.
//!
//! A talkspurt needs two hops of speech in a row to begin, so that a click is none. That, and that a model needs to hear something of
//! a syllable first, makes the answer 20 to 50 ms late: the pre-roll is there for it.

use std::time::Duration;

use super::config::Detection;
use super::decibel::power;
use super::{HOP, HOP_TIME};

/// Hops of speech in a row that begin a talkspurt.
const ONSET_HOPS: u8 = 2;
/// A talkspurt goes on down to this share of the probability that begins one.
const HOLD_SHARE: f32 = 0.5;
/// The longest hang-over.
const MAX_HANGOVER: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub(super) struct Detector {
    begins: f32,
    holds: f32,
    quietest: f32,
    hangover_hops: u32,
    /// Hops of speech in a row, up to [`ONSET_HOPS`].
    row: u8,
    /// Hops for which a talkspurt goes on without speech; 0 in silence.
    left: u32,
}

impl Detector {
    pub(super) fn new(detection: Detection) -> Self {
        let mut detector = Self { begins: 0.0, holds: 0.0, quietest: 0.0, hangover_hops: 0, row: 0, left: 0 };
        detector.set_detection(detection);
        detector
    }

    /// Takes new settings; those out of range, or no numbers, are brought into it.
    pub(super) fn set_detection(&mut self, detection: Detection) {
        let Detection { probability, quietest_dbfs, hangover } = detection;
        self.begins = if probability.is_finite() { probability.clamp(0.0, 1.0) } else { 1.0 };
        self.holds = self.begins * HOLD_SHARE;
        self.quietest = if quietest_dbfs.is_finite() { power(quietest_dbfs.clamp(-100.0, 0.0)) } else { 1.0 };
        self.hangover_hops = hangover.min(MAX_HANGOVER).as_millis().div_ceil(HOP_TIME.as_millis()) as u32;
    }

    /// Judges a hop, of which `speech` is the probability that it is speech, and says whether a talkspurt is on.
    pub(super) fn update(&mut self, hop: &[f32], speech: Option<f32>) -> bool {
        let speech = speech.unwrap_or(1.0);
        let loud = variance(hop) >= self.quietest;
        self.row = if loud && speech >= self.begins { (self.row + 1).min(ONSET_HOPS) } else { 0 };
        if self.row == ONSET_HOPS || (self.left > 0 && loud && speech >= self.holds) {
            self.left = self.hangover_hops + 1;
        } else {
            self.left = self.left.saturating_sub(1);
        }
        self.left > 0
    }

    /// Forgets the talkspurt.
    pub(super) fn reset(&mut self) {
        (self.row, self.left) = (0, 0);
    }
}

/// The mean square about the mean: a microphone's offset isn't loud.
fn variance(hop: &[f32]) -> f32 {
    let mean = hop.iter().sum::<f32>() / hop.len().max(1) as f32;
    hop.iter().map(|sample| (sample - mean) * (sample - mean)).sum::<f32>() / HOP as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const DETECTION: Detection =
        Detection { probability: 0.6, quietest_dbfs: -40.0, hangover: Duration::from_millis(30) };

    fn active(judged: &[(f32, f32)]) -> Vec<bool> {
        let mut detector = Detector::new(DETECTION);
        let hop = |height: f32| -> Vec<f32> { (0..HOP).map(|n| if n % 2 == 0 { height } else { -height }).collect() };
        judged.iter().map(|&(height, speech)| detector.update(&hop(height), Some(speech))).collect()
    }

    #[test]
    fn a_talkspurt_needs_two_hops_and_outlasts_them_by_the_hangover() {
        let (talk, still) = ((0.1, 0.9), (0.1, 0.0));
        assert_eq!(
            active(&[still, talk, still, talk, talk, still, still, still, still]),
            [false, false, false, false, true, true, true, true, false]
        );
    }

    #[test]
    fn an_unsure_hop_holds_a_talkspurt_but_begins_none() {
        let (talk, unsure) = ((0.1, 0.9), (0.1, 0.4));
        assert_eq!(active(&[unsure; 4]), [false; 4]);
        assert_eq!(active(&[talk, talk, unsure, unsure, unsure, unsure, unsure])[1..], [true; 6]);
    }

    #[test]
    fn quiet_sound_is_no_speech_whatever_it_is_like() {
        assert_eq!(active(&[(0.005, 1.0); 4]), [false; 4]);
        assert_eq!(active(&[(0.02, 1.0); 4])[1..], [true; 3]);
    }

    #[test]
    fn an_offset_is_not_loud() {
        let mut detector = Detector::new(DETECTION);
        assert!((0..5).all(|_| !detector.update(&[0.5; HOP], Some(1.0))));
    }

    #[test]
    fn settings_that_are_no_numbers_do_no_harm() {
        let odd = Detection { probability: f32::NAN, quietest_dbfs: f32::NAN, hangover: Duration::MAX };
        let mut detector = Detector::new(odd);
        assert!(!detector.update(&[0.5; HOP], Some(0.9)));
    }
}
