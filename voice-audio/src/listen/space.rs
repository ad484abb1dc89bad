//! Where voices come from: left or right, near or far.
//!
//! Only `+ - * /` and square roots, which IEEE 754 rounds alike everywhere.

use std::{error::Error, fmt};

/// The listener's head. Axes and units are the game's own; `right` may have any length but none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ears {
    /// Where the head is.
    pub position: [f32; 3],
    /// What is to the right of it. A direction rather than a rotation, so that it doesn't matter which way the game's axes turn.
    pub right: [f32; 3],
}

impl Default for Ears {
    /// At the origin, the first axis to the right.
    fn default() -> Self {
        Self { position: [0.0; 3], right: [1.0, 0.0, 0.0] }
    }
}

/// How distance and direction are heard.
///
/// Up to `min_distance` a voice is at its full volume; from there on it falls with the inverse of the distance, `m / (m + rolloff * (d - m))`, shifted a little
/// so that it reaches zero at `max_distance`. To the sides the power stays the same: a voice straight to the right has 3 dB more there than one
/// in front, which has the same level in both ears as without a position. Nearer than `min_distance` it moves to the middle, so that
/// nobody jumps from ear to ear who walks through one's head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Space {
    /// Full volume up to here; above 0.
    pub min_distance: f32,
    /// Silence from here on; above `min_distance`.
    pub max_distance: f32,
    /// How fast it falls, 0 or more: 1 is nature, 0 keeps the full volume everywhere.
    pub rolloff: f32,
    /// How far to the sides, 0 to 1: at 1 a voice straight to the right is not heard on the left, at 0 all are in the middle.
    pub width: f32,
}

impl Default for Space {
    /// Full volume up to one unit, as in nature from there on, silence from 50 units on, nearly the whole width.
    fn default() -> Self {
        Self { min_distance: 1.0, max_distance: 50.0, rolloff: 1.0, width: 0.9 }
    }
}

/// A [`Space`] whose values are out of their ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceError;

impl fmt::Display for SpaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("distances must be finite and 0 < min < max, the rolloff 0 or more, and the width 0 to 1")
    }
}

impl Error for SpaceError {}

impl Space {
    pub(super) fn check(&self) -> Result<(), SpaceError> {
        let Self { min_distance, max_distance, rolloff, width } = *self;
        let finite = max_distance.is_finite() && rolloff.is_finite();
        let ordered = 0.0 < min_distance && min_distance < max_distance;
        (finite && ordered && rolloff >= 0.0 && (0.0..=1.0).contains(&width)).then_some(()).ok_or(SpaceError)
    }

    /// What a voice from there has in the left and the right ear.
    pub(super) fn gains(&self, ears: &Ears, position: [f32; 3]) -> [f32; 2] {
        // In double precision squares of the largest floats don't overflow.
        let away: [f64; 3] = std::array::from_fn(|axis| f64::from(position[axis]) - f64::from(ears.position[axis]));
        let right = ears.right.map(f64::from);
        let distance = dot(away, away).sqrt();
        let scale = dot(right, right).sqrt() * distance.max(self.min_distance.into());
        let side = if scale > 0.0 { (dot(away, right) / scale).clamp(-1.0, 1.0) * f64::from(self.width) } else { 0.0 };
        let fade = self.fade(distance);
        [(1.0 - side).sqrt() * fade, (1.0 + side).sqrt() * fade].map(|gain| gain as f32)
    }

    /// What a voice at that distance has of its volume.
    pub(super) fn fade(&self, distance: f64) -> f64 {
        let (min, max, rolloff) = (f64::from(self.min_distance), f64::from(self.max_distance), f64::from(self.rolloff));
        if rolloff == 0.0 {
            return 1.0;
        }
        let inverse = |distance: f64| min / (min + rolloff * (distance - min));
        let (end, here) = (inverse(max), inverse(distance.clamp(min, max)));
        if end >= 1.0 { 1.0 } else { (here - end) / (1.0 - end) }
    }

    /// The same for a listener with one ear.
    pub(super) fn gain(&self, ears: &Ears, position: [f32; 3]) -> f32 {
        let away: [f64; 3] = std::array::from_fn(|axis| f64::from(position[axis]) - f64::from(ears.position[axis]));
        self.fade(dot(away, away).sqrt()) as f32
    }
}

pub(super) fn is_finite(vector: [f32; 3]) -> bool {
    vector.iter().all(|axis| axis.is_finite())
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{num::f32 as floats, prelude::*};

    const WIDE: Space = Space { min_distance: 1.0, max_distance: 50.0, rolloff: 1.0, width: 1.0 };

    fn from(position: [f32; 3]) -> [f32; 2] {
        WIDE.gains(&Ears::default(), position)
    }

    #[test]
    fn what_is_right_is_right_and_what_is_ahead_is_in_the_middle() {
        let [left, right] = from([1.0, 0.0, 0.0]);
        assert_eq!(left, 0.0);
        assert!((right - 2.0_f32.sqrt()).abs() < 1e-6);
        assert_eq!(from([0.0, 1.0, 0.0]), [1.0, 1.0]);
        assert_eq!(from([0.0, 0.0, 0.0]), [1.0, 1.0]);
        let [left, right] = from([-3.0, 0.5, 0.0]);
        assert!(left > 5.0 * right);
    }

    #[test]
    fn whoever_turns_around_hears_the_other_side() {
        let behind = Ears { right: [-7.0, 0.0, 0.0], ..Ears::default() };
        let [left, right] = from([2.0, 1.0, 0.0]);
        assert_eq!(WIDE.gains(&behind, [2.0, 1.0, 0.0]), [right, left]);
    }

    #[test]
    fn twice_as_far_is_about_half_as_loud_and_the_end_is_silent() {
        let at = |distance| WIDE.fade(distance);
        assert_eq!((at(0.0), at(1.0), at(50.0), at(1e30)), (1.0, 1.0, 0.0, 0.0));
        assert!((0.48..0.5).contains(&at(2.0)), "{}", at(2.0));
        assert!((0.22..0.25).contains(&at(4.0)), "{}", at(4.0));
        assert_eq!(Space { rolloff: 0.0, ..WIDE }.fade(1e9), 1.0);
    }

    #[test]
    fn spaces_that_make_no_sense_are_refused() {
        for wrong in [
            Space { min_distance: 0.0, ..WIDE },
            Space { min_distance: 60.0, ..WIDE },
            Space { max_distance: f32::INFINITY, ..WIDE },
            Space { rolloff: f32::NAN, ..WIDE },
            Space { rolloff: -1.0, ..WIDE },
            Space { width: 1.1, ..WIDE },
            Space { width: f32::NAN, ..WIDE },
        ] {
            assert_eq!(wrong.check(), Err(SpaceError), "{wrong:?}");
        }
        assert_eq!(Space::default().check(), Ok(()));
    }

    proptest! {
        #[test]
        fn power_depends_on_distance_alone(
            position in prop::array::uniform3(-1e3f32..1e3),
            right in prop::array::uniform3(-1e3f32..1e3),
        ) {
            let ears = Ears { position: [1.0, 2.0, 3.0], right };
            let [left, right] = WIDE.gains(&ears, position);
            let one = WIDE.gain(&ears, position);
            prop_assert!((left * left + right * right - 2.0 * one * one).abs() < 1e-5);
        }

        #[test]
        fn any_position_and_any_valid_space_give_a_gain(
            position in any::<[f32; 3]>(),
            right in any::<[f32; 3]>(),
            min_distance in floats::POSITIVE | floats::NORMAL,
            max_distance in floats::POSITIVE | floats::NORMAL,
            rolloff in floats::POSITIVE | floats::NORMAL,
        ) {
            let space = Space { min_distance, max_distance, rolloff, width: 1.0 };
            if space.check().is_ok() {
                for gain in space.gains(&Ears { position: right, right }, position) {
                    prop_assert!((0.0..1.42).contains(&gain), "{}", gain);
                }
            }
        }
    }
}
