/// Follows the strength of steady noise: down at once, nearly, and up by 3 dB a second. So it stays at what is there between words,
/// and takes a sound for noise that lasts.
#[derive(Debug, Clone, Default)]
pub(super) struct NoiseFloor {
    strength: Option<f32>,
}

const FALL: f32 = 0.3;
const RISE: f32 = 1.007;
/// From nothing at all it could never rise: -100 dB.
const LEAST: f32 = 1e-10;

impl NoiseFloor {
    /// Takes the strength of a hop, in mean square, and returns that of the noise.
    pub(super) fn update(&mut self, strength: f32) -> f32 {
        let before = self.strength.unwrap_or(strength);
        let noise = if strength < before { before + FALL * (strength - before) } else { strength.min(before * RISE) };
        let noise = noise.max(LEAST);
        self.strength = Some(noise);
        noise
    }

    /// The strength of the noise; 0 before anything was heard.
    pub(super) fn strength(&self) -> f32 {
        self.strength.unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_what_is_there_falls_fast_and_rises_slowly() {
        let mut floor = NoiseFloor::default();
        assert_eq!(floor.update(0.01), 0.01);
        (0..30).for_each(|_| _ = floor.update(0.0001));
        assert!(floor.strength() < 0.0002, "{}", floor.strength());
        let before = floor.strength();
        (0..100).for_each(|_| _ = floor.update(0.01));
        assert!((1.9..2.1).contains(&(floor.strength() / before)), "{}", floor.strength() / before);
    }

    #[test]
    fn it_rises_even_from_nothing() {
        let mut floor = NoiseFloor::default();
        floor.update(0.0);
        (0..3_000).for_each(|_| _ = floor.update(0.01));
        assert!((floor.strength() - 0.01).abs() < 0.001);
    }
}
