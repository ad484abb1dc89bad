//! What a listener hears: real speech through Opus, judged by its samples.

#![cfg(all(feature = "wav", any(feature = "opus13", feature = "opus16")))]

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod bursts;
mod fades;
mod harness;
mod mixing;
mod places;
mod rates;
mod time;
mod voices;
