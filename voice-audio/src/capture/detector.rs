//! Voice activity: says for each hop whether somebody speaks.
//!
//! Three things must agree: RNNoise holds the sound for speech, it is above a fixed loudness, and it is above the steady noise, which
//! is followed. The last makes up for what the model doesn't know: it takes seconds to get used to loud noise. Built without the
//! model, loudness alone decides.
//!
//! A talkspurt needs two hops of speech in a row to begin, so that a click is none. That, and that a model needs to hear something of
//! a syllable first, makes the answer 20 to 50 ms late: the pre-roll is there for it.

use std::time::Duration;

use super::config::Detection;
use super::decibel::power;
use super::noise_floor::NoiseFloor;
use super::{HOP, HOP_TIME, Hop};

/// Hops of speech in a row that begin a talkspurt.
const ONSET_HOPS: u8 = 2;
/// A talkspurt goes on down to this share of the probability that begins one.
const HOLD_SHARE: f32 = 0.5;
/// Speech is that many times as strong as the steady noise: 6 dB.
const ABOVE_NOISE: f32 = 4.0;
/// The longest hang-over.
const MAX_HANGOVER: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub(super) struct Detector {
    begins: f32,
    holds: f32,
    quietest: f32,
    hangover_hops: u32,
    noise: NoiseFloor,
    /// Hops of speech in a row, up to [`ONSET_HOPS`].
    row: u8,
    /// Hops for which a talkspurt goes on without speech; 0 in silence.
    left: u32,
}

impl Detector {
    pub(super) fn new(detection: Detection) -> Self {
        let mut detector = Self {
            begins: 0.0,
            holds: 0.0,
            quietest: 0.0,
            hangover_hops: 0,
            noise: NoiseFloor::default(),
            row: 0,
            left: 0,
        };
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

    /// Judges a hop of that strength (see [`strength`]), of which `speech` is the probability that it is speech, and says whether a
    /// talkspurt is on.
    pub(super) fn update(&mut self, strength: f32, speech: Option<f32>) -> bool {
        let speech = speech.unwrap_or(1.0);
        let noise = self.noise.update(strength);
        let loud = strength >= self.quietest && strength >= noise * ABOVE_NOISE;
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

/// The mean square about the mean: a microphone's offset isn't strong.
pub(super) fn strength(hop: &Hop) -> f32 {
    let mean = hop.iter().sum::<f32>() / HOP as f32;
    hop.iter().map(|sample| (sample - mean) * (sample - mean)).sum::<f32>() / HOP as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const DETECTION: Detection =
        Detection { probability: 0.6, quietest_dbfs: -40.0, hangover: Duration::from_millis(30) };

    fn active(judged: &[(f32, f32)]) -> Vec<bool> {
        let mut detector = Detector::new(DETECTION);
        detector.update(0.0, Some(0.0));
        judged.iter().map(|&(height, speech)| detector.update(height * height, Some(speech))).collect()
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
        assert_eq!(active(&[(0.04, 1.0); 4])[1..], [true; 3]);
    }

    #[test]
    fn an_offset_is_not_strong() {
        assert!(strength(&[0.5; HOP]) < 1e-9);
        let wave: Vec<f32> = (0..HOP).map(|n| if n % 2 == 0 { 0.6 } else { 0.4 }).collect();
        assert!((strength(&wave.try_into().unwrap()) - 0.01).abs() < 1e-5);
    }

    #[test]
    fn steady_noise_is_no_speech_even_if_it_sounds_like_it_and_what_rises_above_it_is() {
        let mut detector = Detector::new(DETECTION);
        assert!((0..1_000).all(|n| !detector.update(0.01 + 0.001 * (n % 3) as f32, Some(0.9))));
        detector.update(0.05, Some(0.9));
        assert!(detector.update(0.05, Some(0.9)));
    }

    #[test]
    fn noise_that_rises_for_good_is_no_speech_after_a_while() {
        let mut detector = Detector::new(DETECTION);
        (0..100).for_each(|_| _ = detector.update(0.001, Some(0.9)));
        let active = (0..1_000).filter(|_| detector.update(0.1, Some(0.9))).count();
        assert!((300..600).contains(&active), "{active}");
    }

    #[test]
    fn settings_that_are_no_numbers_do_no_harm() {
        let odd = Detection { probability: f32::NAN, quietest_dbfs: f32::NAN, hangover: Duration::MAX };
        let mut detector = Detector::new(odd);
        assert!(!detector.update(0.25, Some(0.9)));
    }
}
