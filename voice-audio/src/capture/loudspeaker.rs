//! The reference for echo cancellation: what is played beside the microphone.

use super::config::{CaptureConfig, CaptureError};
use super::echo::Echo;
use super::intake::Intake;
use super::{HOP, Hop};

/// The most of the loudspeaker's sound that is taken for one hop of the microphone; the rest waits. More than one, so that a stall is
/// made up for.
const MOST_HOPS: usize = 4;

pub(super) struct Loudspeaker {
    intake: Intake,
    echo: Echo,
}

impl Loudspeaker {
    /// How late sound becomes by it, in samples.
    pub(super) const DELAY: usize = Echo::DELAY;

    pub(super) fn new(config: &CaptureConfig) -> Result<Option<Self>, CaptureError> {
        let Some(format) = config.render else { return Ok(None) };
        let echo = Echo::new(config.stages.echo).ok_or(CaptureError::NoEcho)?;
        Ok(Some(Self { intake: Intake::new(format, config.backlog)?, echo }))
    }

    pub(super) fn push(&mut self, samples: impl Iterator<Item = f32>) {
        self.intake.push(samples);
    }

    /// Delays the hop of the microphone, and takes the loudspeaker out of it if the stage is `on`.
    pub(super) fn process(&mut self, hop: &mut Hop, on: bool) {
        let mut played = [0.0; HOP];
        for _ in 0..MOST_HOPS {
            if !self.intake.next_hop(&mut played) {
                break;
            }
            self.echo.render(&played, on);
        }
        self.echo.process(hop, on);
    }
}
