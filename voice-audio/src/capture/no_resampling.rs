//! What stands for the resampler where the crate was built without the feature `resample`.

use super::Hop;
use super::config::CaptureError;
use super::ring::Ring;

/// There is none.
pub(super) enum Resampling {}

impl Resampling {
    pub(super) fn new(rate: u32) -> Result<Self, CaptureError> {
        Err(CaptureError::Rate(rate))
    }

    pub(super) fn most_input(&self) -> usize {
        match *self {}
    }

    pub(super) fn next_input(&self) -> usize {
        match *self {}
    }

    pub(super) fn delay(&self) -> usize {
        match *self {}
    }

    pub(super) fn next_hop(&mut self, _waiting: &mut Ring, _hop: &mut Hop) -> bool {
        match *self {}
    }
}
