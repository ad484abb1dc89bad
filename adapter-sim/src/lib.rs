//! A deterministic network for Consonance: seeded faults, virtual clock, scenarios and checkers.

pub mod check;
pub mod net;
mod person;
pub mod scenario;
pub mod stamp;
pub mod truth;
mod wake;
pub mod world;
