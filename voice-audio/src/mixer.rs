//! Several speakers into one ear, in integers.
//!
//! Samples are added up at 32 bit and limited once, at the end, so that the order of the speakers doesn't matter.

/// Up to here the limiter leaves samples alone: three quarters of full scale.
const KNEE: i32 = 24_576;
/// What is left above the knee.
const HEADROOM: i32 = i16::MAX as i32 - KNEE;

/// A volume from silence to four times as loud, in steps of 1/10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gain(u16);

impl Gain {
    /// Nothing is heard.
    pub const SILENT: Gain = Gain(0);
    /// The sound as it is.
    pub const UNITY: Gain = Gain(10_000);
    /// The loudest: two volumes of 200 percent combined.
    pub const MAX: Gain = Gain(40_000);

    /// Returns the gain of a volume in percent; more than 200 counts as 200.
    pub const fn from_percent(percent: u16) -> Self {
        if percent < 200 { Self(percent * 100) } else { Self(20_000) }
    }

    /// Returns both gains one after the other, such as a channel's volume and the listener's own for that speaker; at most [`Gain::MAX`].
    pub fn combined(self, other: Gain) -> Self {
        let product = u32::from(self.0) * u32::from(other.0) / u32::from(Self::UNITY.0);
        Self(u16::try_from(product).unwrap_or(u16::MAX)).min(Self::MAX)
    }

    /// Returns `sample` at this gain, not limited: at most four times full scale.
    fn apply(self, sample: i16) -> i32 {
        i32::from(sample) * i32::from(self.0) / i32::from(Self::UNITY.0)
    }
}

impl Default for Gain {
    fn default() -> Self {
        Self::UNITY
    }
}

/// Adds up what one listener hears, frame by frame.
///
/// Keep one per listener: its memory is reused from frame to frame.
#[derive(Debug, Clone, Default)]
pub struct Mixer {
    sum: Vec<i32>,
}

impl Mixer {
    /// Creates an empty mixer; it grows to the longest frame it is given.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one speaker's frame; a shorter one counts as silent at its end.
    pub fn add(&mut self, pcm: &[i16], gain: Gain) {
        if self.sum.len() < pcm.len() {
            self.sum.resize(pcm.len(), 0);
        }
        for (sum, &sample) in self.sum.iter_mut().zip(pcm) {
            *sum = sum.saturating_add(gain.apply(sample));
        }
    }

    /// Fills `out` with all that was added since the last call, limited softly, and starts the next frame.
    ///
    /// Up to three quarters of full scale samples pass as they are; above, they bend towards full scale and never wrap. What was added
    /// beyond the length of `out` is dropped.
    pub fn finish(&mut self, out: &mut [i16]) {
        out.fill(0);
        for (sample, &sum) in out.iter_mut().zip(&self.sum) {
            *sample = limit(sum);
        }
        self.sum.clear();
    }
}

/// Bends what is above the knee: `KNEE + x * H / (x + H)` has slope 1 at the knee and nears full scale for large `x`.
fn limit(sum: i32) -> i16 {
    let size = i64::from(sum).abs();
    let over = (size - i64::from(KNEE)).max(0);
    let headroom = i64::from(HEADROOM);
    let size = size.min(i64::from(KNEE)) + over * headroom / (over + headroom);
    let signed = if sum < 0 { -size } else { size };
    i16::try_from(signed).unwrap_or(if sum < 0 { i16::MIN } else { i16::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mixed(speakers: &[(&[i16], Gain)], samples: usize) -> Vec<i16> {
        let mut mixer = Mixer::new();
        for (pcm, gain) in speakers {
            mixer.add(pcm, *gain);
        }
        let mut out = vec![77; samples];
        mixer.finish(&mut out);
        out
    }

    #[test]
    fn two_speakers_add_up() {
        assert_eq!(mixed(&[(&[100, -50], Gain::UNITY), (&[20, 20], Gain::UNITY)], 2), [120, -30]);
    }

    #[test]
    fn nobody_is_silence() {
        assert_eq!(mixed(&[], 3), [0, 0, 0]);
    }

    #[test]
    fn a_frame_does_not_leak_into_the_next() {
        let mut mixer = Mixer::new();
        let mut out = [0; 2];
        mixer.add(&[9, 9, 9], Gain::UNITY);
        mixer.finish(&mut out);
        mixer.finish(&mut out);
        assert_eq!(out, [0, 0]);
    }

    #[test]
    fn channel_volume_and_local_volume_multiply() {
        let gain = Gain::from_percent(50).combined(Gain::from_percent(150));
        assert_eq!(mixed(&[(&[1_000], gain)], 1), [750]);
        assert_eq!(Gain::from_percent(200).combined(Gain::from_percent(200)), Gain::MAX);
        assert_eq!(Gain::MAX.combined(Gain::MAX), Gain::MAX);
        assert_eq!(Gain::from_percent(900), Gain::from_percent(200));
    }

    #[test]
    fn a_silent_gain_is_silence() {
        assert_eq!(mixed(&[(&[i16::MIN, i16::MAX], Gain::SILENT)], 2), [0, 0]);
    }

    #[test]
    fn sound_below_the_knee_is_exact_and_loud_sound_bends_without_wrapping() {
        assert_eq!(mixed(&[(&[24_576, -24_576], Gain::UNITY)], 2), [24_576, -24_576]);
        let loud = mixed(&[(&[i16::MAX, i16::MIN], Gain::MAX), (&[i16::MAX, i16::MIN], Gain::MAX)], 2);
        assert!(loud[0] > 31_000 && loud[1] < -31_000, "{loud:?}");
    }

    #[test]
    fn ten_thousand_loud_speakers_stay_within_full_scale() {
        let mut mixer = Mixer::new();
        for _ in 0..100_000 {
            mixer.add(&[i16::MIN], Gain::MAX);
        }
        let mut out = [0];
        mixer.finish(&mut out);
        assert!(out[0] < -32_700);
    }

    proptest! {
        #[test]
        fn the_limiter_keeps_order_and_sign(a in any::<i32>(), b in any::<i32>()) {
            prop_assert_eq!(limit(a).signum() as i32, a.signum());
            prop_assert!((a <= b) <= (limit(a) <= limit(b)));
        }
    }
}
