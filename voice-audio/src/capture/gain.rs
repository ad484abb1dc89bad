//! Automatic gain: brings speakers to the same loudness, slowly.
//!
//! The loudness of speech is averaged over speech alone, and the gain moves only while there is speech. So silence is never pumped
//! up, and a pause ends as it began. The noise in pauses is measured, too: a gain that would make it audible isn't given.

use super::config::GainControl;
use super::decibel::{amplitude, mean_square, power};
use super::noise_floor::NoiseFloor;
use super::{HOP, Hop};

/// From this probability on, a hop teaches what speech is like.
const SURELY_SPEECH: f32 = 0.8;
/// Up to this probability, a hop teaches what noise is like.
const SURELY_NOISE: f32 = 0.1;
/// The quietest speech that is believed, in mean square: -65 dB.
const QUIETEST: f32 = 3.2e-7;
/// The average is over the last 3 s of speech, or over all there was at the beginning.
const MEMORY_HOPS: u16 = 300;
/// The fastest that the gain moves, in dB for each hop of speech: 8 dB a second up, 20 down.
const UP_DB: f32 = 0.08;
const DOWN_DB: f32 = 0.2;
/// And when the stage is switched off: within about 0.1 s.
const RELEASE_DB: f32 = 2.0;
/// The most that is taken from a loud speaker, in dB.
const LEAST_DB: f32 = -30.0;

#[derive(Debug, Clone)]
pub(super) struct Gain {
    control: GainControl,
    speech: f32,
    heard_hops: u16,
    noise: NoiseFloor,
    db: f32,
    factor: f32,
}

impl Gain {
    pub(super) fn new(control: GainControl) -> Self {
        let mut gain = Self { control, speech: 0.0, heard_hops: 0, noise: NoiseFloor::default(), db: 0.0, factor: 1.0 };
        gain.set_control(control);
        gain
    }

    /// Takes new aims; those out of range, or no numbers, are brought into it.
    pub(super) fn set_control(&mut self, control: GainControl) {
        let within = |value: f32, low: f32, high: f32| if value.is_finite() { value.clamp(low, high) } else { low };
        self.control = GainControl {
            target_dbfs: within(control.target_dbfs, -60.0, 0.0),
            most_db: within(control.most_db, 0.0, 60.0),
            noise_dbfs: within(control.noise_dbfs, -100.0, 0.0),
        };
    }

    /// The gain now, in dB.
    pub(super) fn db(&self) -> f32 {
        self.db
    }

    /// Amplifies the hop, of which `speech` is the probability that it is speech.
    pub(super) fn process(&mut self, hop: &mut Hop, on: bool, speech: Option<f32>) {
        if on {
            self.follow(hop, speech.unwrap_or(0.0));
        } else {
            self.db = toward(self.db, 0.0, RELEASE_DB, RELEASE_DB);
        }
        let wanted = amplitude(self.db);
        if wanted == 1.0 && self.factor == 1.0 {
            return;
        }
        let step = (wanted - self.factor) / HOP as f32;
        for (n, sample) in hop.iter_mut().enumerate() {
            *sample *= self.factor + step * (n + 1) as f32;
        }
        self.factor = wanted;
    }

    fn follow(&mut self, hop: &Hop, speech: f32) {
        let level = mean_square(hop);
        if speech >= SURELY_SPEECH && level > QUIETEST {
            self.heard_hops = (self.heard_hops + 1).min(MEMORY_HOPS);
            self.speech += (level - self.speech) / f32::from(self.heard_hops);
            self.db = toward(self.db, self.aim(), UP_DB, DOWN_DB);
        } else if speech <= SURELY_NOISE {
            self.noise.update(level);
        }
    }

    /// Where the gain should be, in dB.
    fn aim(&self) -> f32 {
        let GainControl { target_dbfs, most_db, noise_dbfs } = self.control;
        let factor = (power(target_dbfs) / self.speech.max(QUIETEST)).min(power(most_db));
        let bearable = (power(noise_dbfs) / self.noise.strength().max(f32::MIN_POSITIVE)).max(1.0);
        (10.0 * factor.min(bearable).log10()).max(LEAST_DB)
    }
}

fn toward(from: f32, to: f32, up: f32, down: f32) -> f32 {
    to.clamp(from - down, from + up)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(gain: &mut Gain, height: f32, speech: f32, hops: usize) -> f32 {
        let mut hop = [0.0; HOP];
        for _ in 0..hops {
            hop.iter_mut().enumerate().for_each(|(n, sample)| *sample = if n % 2 == 0 { height } else { -height });
            gain.process(&mut hop, true, Some(speech));
        }
        20.0 * hop[HOP - 1].abs().log10()
    }

    #[test]
    fn quiet_and_loud_speech_reach_the_target() {
        for height in [0.01, 0.05, 0.5, 0.9] {
            let mut gain = Gain::new(GainControl::default());
            let reached = run(&mut gain, height, 1.0, 400);
            assert!((reached + 21.0).abs() < 0.5, "{height} became {reached}");
        }
    }

    #[test]
    fn silence_and_noise_are_never_amplified() {
        let mut gain = Gain::new(GainControl::default());
        run(&mut gain, 0.001, 0.0, 6_000);
        assert_eq!(gain.db(), 0.0);
        run(&mut gain, 0.0, 1.0, 6_000);
        assert_eq!(gain.db(), 0.0);
    }

    #[test]
    fn the_gain_keeps_its_bounds_and_its_speed() {
        let mut gain = Gain::new(GainControl { most_db: 12.0, ..GainControl::default() });
        run(&mut gain, 0.001, 1.0, 50);
        assert!((gain.db() - 4.0).abs() < 0.01, "{}", gain.db());
        run(&mut gain, 0.001, 1.0, 1_000);
        assert!((gain.db() - 12.0).abs() < 0.01, "{}", gain.db());
    }

    #[test]
    fn noise_in_pauses_bounds_the_gain() {
        let mut gain = Gain::new(GainControl::default());
        // Noise at -60 dB, speech at -40: all of 19 dB would bring the noise to -41.
        for _ in 0..40 {
            run(&mut gain, 0.001, 0.0, 50);
            run(&mut gain, 0.01, 1.0, 50);
        }
        assert!((gain.db() - 10.0).abs() < 0.5, "{}", gain.db());
    }

    #[test]
    fn aims_that_are_no_numbers_do_no_harm() {
        let control = GainControl { target_dbfs: f32::NAN, most_db: f32::INFINITY, noise_dbfs: f32::NAN };
        let reached = run(&mut Gain::new(control), 0.1, 1.0, 100);
        assert!(reached.is_finite());
    }
}
