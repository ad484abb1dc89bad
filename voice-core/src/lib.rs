//! The Consonance voice protocol as a pure state machine: no I/O, no clock, no allocation.
#![no_std]
#![forbid(unsafe_code)]

mod client;
mod node;
pub mod playout;
mod rng;
mod server;
mod storage;
mod types;
pub mod wire;

pub use client::*;
pub use node::*;
pub use server::*;
pub use types::*;

/// The code of the README, which has to compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The code of docs/ADAPTATION.md, which has to compile.
#[cfg(doctest)]
#[doc = include_str!("../../docs/ADAPTATION.md")]
struct Adapting;
