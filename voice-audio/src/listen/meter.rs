//! How loud something is, for a person to see or a mouth to move by.

use super::STEP;

/// Loudness of the last whole 20 ms, on the scale of 16 bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Level {
    /// Root mean square, 0 to 32,768.
    pub rms: u16,
    /// The largest sample, 0 to 32,768.
    pub peak: u16,
}

/// Steps of the mix that are measured together.
const STEPS: u8 = 8;
const SAMPLES: f32 = (STEPS as usize * STEP) as f32;

/// Measures step by step.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    level: Level,
    energy: f32,
    peak: f32,
    steps: u8,
}

impl Meter {
    pub(super) fn level(&self) -> Level {
        self.level
    }

    /// Takes one step of sound; `&[]` is a silent one.
    pub(super) fn add(&mut self, sound: &[f32]) {
        self.energy += energy(sound);
        self.peak = self.peak.max(peak(sound));
        self.steps += 1;
        if self.steps == STEPS {
            let rms = (self.energy / SAMPLES).sqrt();
            *self = Self { level: Level { rms: rounded(rms), peak: rounded(self.peak) }, ..Self::default() };
        }
    }
}

/// The largest size of a sample. The sound comes in eights, like a step.
pub(super) fn peak(sound: &[f32]) -> f32 {
    let larger = |peak: f32, sample: f32| if sample.abs() > peak { sample.abs() } else { peak };
    by_eights(sound, larger).into_iter().fold(0.0, larger)
}

fn energy(sound: &[f32]) -> f32 {
    by_eights(sound, |sum, sample| sum + sample * sample).iter().sum()
}

/// Eight results side by side, which a processor works out at once; always the same ones, in the same order.
#[inline(always)]
fn by_eights(sound: &[f32], with: impl Fn(f32, f32) -> f32) -> [f32; 8] {
    let mut results = [0.0; 8];
    for eight in sound.as_chunks::<8>().0 {
        // By number, or else it is not done at once.
        for lane in 0..8 {
            results[lane] = with(results[lane], eight[lane]);
        }
    }
    results
}

fn rounded(value: f32) -> u16 {
    value.min(32_768.0).round() as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_wave_has_its_height_as_both_levels() {
        let mut meter = Meter::default();
        let sound: Vec<f32> = (0..120).map(|n| if n % 2 == 0 { 5_000.0 } else { -5_000.0 }).collect();
        (0..7).for_each(|_| meter.add(&sound));
        assert_eq!(meter.level(), Level::default());
        meter.add(&sound);
        assert_eq!(meter.level(), Level { rms: 5_000, peak: 5_000 });
        (0..8).for_each(|_| meter.add(&[]));
        assert_eq!(meter.level(), Level::default());
    }

    #[test]
    fn more_than_full_scale_is_full_scale() {
        let mut meter = Meter::default();
        (0..8).for_each(|_| meter.add(&[-1e6; 120]));
        assert_eq!(meter.level(), Level { rms: 32_768, peak: 32_768 });
    }
}
