use super::decibel::mean_square;

/// How loud a signal is, on a scale where full scale is 1.0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Level {
    /// The highest sample lately: it rises at once and falls by 24 dB a second. May be above 1.0 for input of floats.
    pub peak: f32,
    /// The root mean square of about the last 100 ms.
    pub rms: f32,
}

impl Level {
    /// What silence is shown as, in decibels.
    pub const SILENCE_DBFS: f32 = -100.0;

    /// Returns the peak in decibels below full scale, [`Self::SILENCE_DBFS`] at least.
    pub fn peak_dbfs(self) -> f32 {
        dbfs(self.peak)
    }

    /// Returns the root mean square in decibels below full scale, [`Self::SILENCE_DBFS`] at least. A full-scale sine has -3.
    pub fn rms_dbfs(self) -> f32 {
        dbfs(self.rms)
    }
}

fn dbfs(value: f32) -> f32 {
    (20.0 * value.log10()).max(Level::SILENCE_DBFS)
}

/// Follows the level of a signal, hop by hop.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    peak: f32,
    power: f32,
}

/// 0.24 dB in 10 ms.
const PEAK_FALL: f32 = 0.972_7;
/// 1 - exp(-10 ms / 100 ms).
const POWER_SHARE: f32 = 0.095_2;

impl Meter {
    pub(super) fn update(&mut self, hop: &[f32]) {
        let peak = hop.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        self.peak = peak.max(self.peak * PEAK_FALL);
        self.power += POWER_SHARE * (mean_square(hop) - self.power);
    }

    pub(super) fn level(&self) -> Level {
        Level { peak: self.peak, rms: self.power.max(0.0).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_square_wave_is_as_loud_as_it_is_high() {
        let mut meter = Meter::default();
        (0..200).for_each(|_| meter.update(&[0.1, -0.1]));
        let level = meter.level();
        assert!((level.peak_dbfs() + 20.0).abs() < 0.01, "{level:?}");
        assert!((level.rms_dbfs() + 20.0).abs() < 0.01, "{level:?}");
    }

    #[test]
    fn the_peak_falls_by_24_decibels_a_second_and_silence_has_a_floor() {
        let mut meter = Meter::default();
        meter.update(&[1.0]);
        (0..100).for_each(|_| meter.update(&[0.0]));
        assert!((meter.level().peak_dbfs() + 24.0).abs() < 0.2, "{:?}", meter.level());
        (0..10_000).for_each(|_| meter.update(&[0.0]));
        assert_eq!(meter.level().rms_dbfs(), Level::SILENCE_DBFS);
        assert_eq!(Level::default().peak_dbfs(), Level::SILENCE_DBFS);
    }
}
