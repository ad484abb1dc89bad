//! Being written.

pub(crate) mod playout;
