//! Bounded containers on the caller's slices.

pub(crate) mod list;
pub(crate) mod name;
pub(crate) mod packet_ring;
pub(crate) mod rate;
pub(crate) mod sort;
