//! The client that runs in a browser: the core's [`voice_core::Client`], the microphone's [`voice_audio::Capture`] and the ears' [`voice_audio::listen::Listener`],
//! brought together by [`Engine`] for an AudioWorklet.
//!
//! The engine does no I/O and reads no clock, like what it is made of. What a page must bring is little: the time, 128 samples of the microphone at a
//! time, the messages of two data channels (docs/WEBRTC.md), an encoder. In wasm `abi` shows it to JavaScript; natively it is a library, and tested as one.
//!
//! | to change | open |
//! |---|---|
//! | the order of things | `engine.rs` |
//! | what is sent of the microphone, and when | `mouth.rs` |
//! | what is heard, and from where | `ears.rs`, `own_voice.rs` |
//! | rooms, and whispers instead of them | `lines.rs` |
//! | why somebody isn't heard | `unheard.rs`, `arrivals.rs` |
//! | what the page is told | `tidings.rs`, `snapshot.rs`, `stats.rs`, `words.rs`, `json.rs` |
//! | time | `clock.rs`, `sound_clock.rs` |
//! | what JavaScript sees | `abi.rs` |

#![deny(unsafe_code)]

#[cfg(target_arch = "wasm32")]
mod abi;
mod arrivals;
mod clock;
mod ears;
mod engine;
mod json;
mod lines;
mod mouth;
mod own_voice;
mod snapshot;
mod sound_clock;
mod stats;
mod tidings;
mod unheard;
mod words;

pub use engine::{Due, Engine, FrameFor, MAX_BLOCK, MAX_PCM, Settings};
pub use lines::Refusal;
