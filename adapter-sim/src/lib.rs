//! A deterministic network for Consonance: seeded faults, virtual clock, scenarios and checkers.

pub mod check;
mod ear;
mod inbox;
pub mod net;
mod person;
pub mod scenario;
mod server_node;
pub mod stamp;
pub mod truth;
mod wake;
pub mod world;
