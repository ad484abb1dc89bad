//! Bounded containers on the caller's slices.

pub(crate) mod packet_ring;
