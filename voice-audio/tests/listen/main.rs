//! What a listener hears: real speech through Opus, judged by its samples.

#![cfg(all(feature = "wav", feature = "encode"))]

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod bursts;
mod fades;
mod harness;
mod mixing;
mod pace;
mod places;
mod rates;
mod time;
mod voices;
