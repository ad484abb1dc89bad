//! What Chromium's own NetEQ makes of networks of the same kinds, measured elsewhere, and what is to be reached.

use super::measure::Figures;

/// PESQ-WB and the mean delay from sending to playing, ms.
type Mark = (f64, f64);

/// One kind of network.
pub(super) struct Yardstick {
    /// The trace's name.
    pub(super) trace: &'static str,
    pub(super) neteq: Mark,
    /// One of these is to be reached: at least so good, at most so late.
    pub(super) goals: &'static [Mark],
}

/// The best that PESQ-WB gives.
const CEILING: f64 = 4.64;

pub(super) const YARDSTICKS: [Yardstick; 8] = [
    Yardstick { trace: "clean", neteq: (4.52, 53.0), goals: &[(CEILING, 40.0)] },
    Yardstick { trace: "home-wifi", neteq: (4.51, 91.0), goals: &[(4.5, 72.0)] },
    Yardstick { trace: "busy-wifi", neteq: (3.51, 144.0), goals: &[(3.7, 135.0), (3.5, 115.0)] },
    Yardstick { trace: "lte-spikes", neteq: (3.48, 201.0), goals: &[(3.6, 190.0), (3.5, 160.0)] },
    Yardstick { trace: "loss-20", neteq: (2.81, 75.0), goals: &[(3.0, 75.0)] },
    Yardstick { trace: "bursts-10", neteq: (2.35, 93.0), goals: &[(2.5, 90.0)] },
    Yardstick { trace: "step", neteq: (4.01, 150.0), goals: &[(4.3, 130.0)] },
    Yardstick { trace: "drift-slow", neteq: (4.54, 69.0), goals: &[(4.6, 55.0)] },
];

impl Yardstick {
    /// Whether one goal is reached, by figures as they are shown; `None` without scores.
    pub(super) fn is_reached(&self, ours: &Figures) -> Option<bool> {
        let (pesq, delay) = ((ours.scores.pesq? * 100.0).round(), ours.delay_ms.round());
        Some(self.goals.iter().any(|goal| pesq >= (goal.0 * 100.0).round() && delay <= goal.1))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::scores::Scores, *};

    #[test]
    fn a_goal_is_reached_by_sound_and_delay_together() {
        let reached = |pesq, delay_ms| {
            let ours = Figures { scores: Scores { pesq, stoi: None }, delay_ms, ..Figures::default() };
            YARDSTICKS[2].is_reached(&ours)
        };
        assert_eq!(reached(Some(3.7), 135.0), Some(true));
        assert_eq!(reached(Some(3.695), 135.4), Some(true));
        assert_eq!(reached(Some(3.69), 135.0), Some(false));
        assert_eq!(reached(Some(3.5), 115.0), Some(true));
        assert_eq!(reached(Some(3.49), 10.0), Some(false));
        assert_eq!(reached(Some(4.6), 136.0), Some(false));
        assert_eq!(reached(None, 50.0), None);
    }

    #[test]
    fn every_yardstick_has_its_trace() {
        for yardstick in YARDSTICKS {
            assert!(super::super::kinds::KINDS.iter().any(|kind| kind.name == yardstick.trace), "{}", yardstick.trace);
        }
    }
}
