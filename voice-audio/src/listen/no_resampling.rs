//! What stands for the resampler where the crate was built without the feature `resample`.

/// There is none.
pub(super) enum Resampling {}

impl Resampling {
    pub(super) const DELAY: u64 = 0;

    pub(super) fn new(_rate: u32, _channels: usize) -> Option<Self> {
        None
    }

    pub(super) fn most_output(&self) -> usize {
        match *self {}
    }

    pub(super) fn convert(&mut self, _step: &[f32], _out: &mut [f32], _stride: usize) -> Option<usize> {
        match *self {}
    }
}
