//! What stands for the echo canceller where the crate was built without the feature `echo`.

use super::Hop;

/// There is none.
pub(super) enum Echo {}

impl Echo {
    pub(super) const DELAY: usize = 0;

    pub(super) fn new(_on: bool) -> Option<Self> {
        None
    }

    pub(super) fn render(&mut self, _played: &Hop, _on: bool) {
        match *self {}
    }

    pub(super) fn process(&mut self, _hop: &mut Hop, _on: bool) {
        match *self {}
    }
}
