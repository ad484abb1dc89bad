//! A gain that moves in straight lines, so that no change of it is heard as a click.

/// One gain, moved once per step of the mix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ramp {
    now: f32,
    target: f32,
    /// Steps to the target.
    left: u16,
}

impl Ramp {
    pub(super) const fn at(value: f32) -> Self {
        Self { now: value, target: value, left: 0 }
    }

    /// Moves to `target` within so many steps, from the next one on. Must be finite.
    pub(super) fn to(&mut self, target: f32, steps: u16) {
        if target != self.target {
            (self.target, self.left) = (target, steps.max(1));
        }
    }

    /// Is there at once: when nothing sounds that could click.
    pub(super) fn jump(&mut self) {
        *self = Self::at(self.target);
    }

    /// One step: the gain at its beginning and at its end.
    pub(super) fn step(&mut self) -> Slope {
        let from = self.now;
        self.now = match self.left {
            0 | 1 => self.target,
            left => from + (self.target - from) / f32::from(left),
        };
        self.left = self.left.saturating_sub(1);
        Slope { from, to: self.now }
    }
}

/// A gain over one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Slope {
    pub(super) from: f32,
    pub(super) to: f32,
}

impl Slope {
    /// Both one after the other. What lies between is a straight line again: their product would be bent by less than is heard.
    pub(super) fn times(self, other: Self) -> Self {
        Self { from: self.from * other.from, to: self.to * other.to }
    }

    pub(super) fn is_silent(self) -> bool {
        self.from == 0.0 && self.to == 0.0
    }

    /// Writes `sound` with this gain to `out`.
    pub(super) fn apply(self, sound: &[i16], out: &mut [f32]) {
        self.each(out, sound, |_, sound, gain| f32::from(sound) * gain);
    }

    /// Adds `sound` with this gain to `sum`.
    pub(super) fn add(self, sound: &[f32], sum: &mut [f32]) {
        self.each(sum, sound, |sum, sound, gain| sum + sound * gain);
    }

    /// Changes `sound` by this gain.
    pub(super) fn scale(self, sound: &mut [f32]) {
        let count = sound.len() as f32;
        for (i, sample) in sound.iter_mut().enumerate() {
            *sample *= self.from + (self.to - self.from) * (i as f32 / count);
        }
    }

    /// A gain that stays is a loop of its own, for speed and so that full volume changes no bit.
    #[inline(always)]
    fn each<T: Copy>(self, out: &mut [f32], sound: &[T], with: impl Fn(f32, T, f32) -> f32) {
        if self.from == self.to {
            for (out, &sound) in out.iter_mut().zip(sound) {
                *out = with(*out, sound, self.from);
            }
            return;
        }
        let rise = (self.to - self.from) / sound.len() as f32;
        for (i, (out, &sound)) in out.iter_mut().zip(sound).enumerate() {
            *out = with(*out, sound, self.from + rise * i as f32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_arrives_in_equal_steps_and_stays() {
        let mut ramp = Ramp::at(1.0);
        ramp.to(0.0, 4);
        let steps: Vec<f32> = (0..6).map(|_| ramp.step().to).collect();
        assert_eq!(steps, [0.75, 0.5, 0.25, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_new_target_on_the_way_continues_from_where_the_ramp_is() {
        let mut ramp = Ramp::at(0.0);
        ramp.to(1.0, 2);
        assert_eq!(ramp.step(), Slope { from: 0.0, to: 0.5 });
        ramp.to(0.0, 2);
        assert_eq!(ramp.step(), Slope { from: 0.5, to: 0.25 });
        ramp.jump();
        assert_eq!(ramp.step(), Slope { from: 0.0, to: 0.0 });
    }

    #[test]
    fn a_slope_ends_where_the_next_begins() {
        let (mut first, mut second) = ([0.0; 4], [0.0; 4]);
        Slope { from: 0.0, to: 0.5 }.apply(&[100; 4], &mut first);
        Slope { from: 0.5, to: 1.0 }.apply(&[100; 4], &mut second);
        assert_eq!([first, second].concat(), [0.0, 12.5, 25.0, 37.5, 50.0, 62.5, 75.0, 87.5]);
    }

    #[test]
    fn full_gain_changes_nothing() {
        let mut out = [0.0; 3];
        Slope { from: 1.0, to: 1.0 }.apply(&[i16::MIN, -1, i16::MAX], &mut out);
        assert_eq!(out, [-32_768.0, -1.0, 32_767.0]);
    }
}
