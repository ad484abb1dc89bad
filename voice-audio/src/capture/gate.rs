//! Who may be heard: permission (muted, permitted) and the part of activation that is a switch (push-to-talk).
//!
//! Closing is at once. Opening waits until the sound that was captured while the gate was closed, and is still under way, has passed:
//! what was said while muted is never sent.

use super::config::Activation;
use super::{HOP, Hop};

/// How long sound takes to come and go, in samples: 5 ms.
pub(super) const FADE: usize = 240;

#[derive(Debug, Clone)]
pub(super) struct Gate {
    muted: bool,
    permitted: bool,
    activation: Activation,
    pressed: bool,
    /// Hops that are under way from when there was no permission.
    private_hops: usize,
    /// Hops that are under way from when the button was pressed, after it was let go.
    tail_hops: usize,
    factor: f32,
}

/// What the gate did to a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passage {
    /// The gate is open at the end of the hop.
    pub(super) open: bool,
    /// Something passed.
    pub(super) heard: bool,
}

impl Gate {
    pub(super) fn new(activation: Activation) -> Self {
        Self { muted: false, permitted: true, activation, pressed: false, private_hops: 0, tail_hops: 0, factor: 0.0 }
    }

    pub(super) fn activation(&self) -> Activation {
        self.activation
    }

    /// Takes a new mode.
    pub(super) fn set_activation(&mut self, activation: Activation) {
        self.activation = activation;
        self.tail_hops = 0;
    }

    /// Takes a change of permission, with `under_way` hops captured but not yet here.
    pub(super) fn set_permission(&mut self, muted: bool, permitted: bool, under_way: usize) {
        let was = self.is_permitted();
        (self.muted, self.permitted) = (muted, permitted);
        if !was && self.is_permitted() {
            self.private_hops = under_way;
        }
    }

    pub(super) fn is_muted(&self) -> bool {
        self.muted
    }

    pub(super) fn may_speak(&self) -> bool {
        self.permitted
    }

    /// Takes a change of the button, with `under_way` hops captured but not yet here.
    pub(super) fn set_pressed(&mut self, pressed: bool, under_way: usize) {
        if self.pressed && !pressed {
            self.tail_hops = under_way;
        }
        self.pressed = pressed;
    }

    /// Lets the hop pass, or not, with a fade in between.
    pub(super) fn process(&mut self, hop: &mut Hop) -> Passage {
        let open = self.next_open();
        let (before, wanted) = (self.factor, if open { 1.0 } else { 0.0 });
        if before == 0.0 && wanted == 0.0 {
            hop.fill(0.0);
        } else if before != wanted {
            fade(&mut hop[..FADE], before, wanted);
            if !open {
                hop[FADE..].fill(0.0);
            }
        }
        self.factor = wanted;
        Passage { open, heard: open || before > 0.0 }
    }

    fn is_permitted(&self) -> bool {
        self.permitted && !self.muted
    }

    fn next_open(&mut self) -> bool {
        let (tail, private) = (self.tail_hops > 0, self.private_hops > 0);
        self.tail_hops = self.tail_hops.saturating_sub(1);
        self.private_hops = self.private_hops.saturating_sub(1);
        let active = self.activation != Activation::PushToTalk || self.pressed || tail;
        active && self.is_permitted() && !private
    }
}

/// Multiplies by a straight line from one factor to the other.
pub(super) fn fade(samples: &mut [f32], from: f32, to: f32) {
    let step = (to - from) / samples.len().max(1) as f32;
    for (n, sample) in samples.iter_mut().enumerate() {
        *sample *= from + step * (n + 1) as f32;
    }
}

const _: () = assert!(FADE <= HOP);

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(gate: &mut Gate) -> (f32, f32, Passage) {
        let mut hop = [1.0; HOP];
        let passage = gate.process(&mut hop);
        (hop[0], hop[HOP - 1], passage)
    }

    #[test]
    fn the_button_opens_and_closes_with_a_fade() {
        let mut gate = Gate::new(Activation::PushToTalk);
        assert_eq!(passes(&mut gate), (0.0, 0.0, Passage { open: false, heard: false }));
        gate.set_pressed(true, 0);
        let (first, last, passage) = passes(&mut gate);
        assert!(first < 0.01 && last == 1.0 && passage.open);
        assert_eq!(passes(&mut gate).0, 1.0);
        gate.set_pressed(false, 0);
        let (first, last, passage) = passes(&mut gate);
        assert!(first > 0.99 && last == 0.0 && passage == Passage { open: false, heard: true });
    }

    #[test]
    fn what_was_said_before_the_button_was_let_go_is_still_sent() {
        let mut gate = Gate::new(Activation::PushToTalk);
        gate.set_pressed(true, 0);
        passes(&mut gate);
        gate.set_pressed(false, 2);
        let open: Vec<bool> = (0..4).map(|_| passes(&mut gate).2.open).collect();
        assert_eq!(open, [true, true, false, false]);
    }

    #[test]
    fn muting_is_at_once_and_what_was_said_while_muted_stays_private() {
        let mut gate = Gate::new(Activation::Open);
        passes(&mut gate);
        gate.set_permission(true, true, 3);
        assert!(!passes(&mut gate).2.open);
        gate.set_permission(false, true, 3);
        let open: Vec<bool> = (0..5).map(|_| passes(&mut gate).2.open).collect();
        assert_eq!(open, [false, false, false, true, true]);
    }

    #[test]
    fn activation_and_permission_are_separate() {
        let mut gate = Gate::new(Activation::PushToTalk);
        gate.set_pressed(true, 0);
        gate.set_permission(false, false, 0);
        assert!(!passes(&mut gate).2.open);
        gate.set_permission(false, true, 0);
        assert!(passes(&mut gate).2.open);
        gate.set_permission(true, true, 0);
        gate.set_activation(Activation::Open);
        passes(&mut gate);
        assert!(!passes(&mut gate).2.heard);
    }
}
