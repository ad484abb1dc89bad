//! The listening side: from what a client gives to what a loudspeaker gets.
//!
//! A [`Listener`] has a fixed number of voices, each with a decoder. For each block that the loudspeaker wants, the embedder says who speaks, and
//! then has the block filled; the listener asks back for frames as it needs them. No thread, no device, no clock, and no allocation once it is made.
//!
//! ```
//! use voice_audio::listen::{Ears, Listener, Presence};
//! use voice_core::{Client, ClientId, ClientMemory, Instant};
//!
//! trait Game {
//!     fn ears(&self) -> Ears;
//!     fn position_of(&self, person: ClientId) -> Option<[f32; 3]>;
//! }
//!
//! /// The audio callback: fills `block`, whose first sample is heard `now`.
//! fn hear<M: ClientMemory>(
//!     client: &mut Client<M>, listener: &mut Listener, game: &impl Game, now: Instant, block: &mut [f32],
//! ) {
//!     for speaker in client.speakers() {
//!         let presence = Presence { position: game.position_of(speaker), ..Presence::default() };
//!         _ = listener.attend(speaker, presence); // who finds no voice is counted
//!     }
//!     listener.set_ears(game.ears());
//!     listener.render(block, |pull| {
//!         client.set_speaker_redundancy(pull.speaker(), pull.redundancy());
//!         let frame = client.next_frame(now, pull.queued(), pull.speaker());
//!         pull.give(frame);
//!     });
//! }
//! ```
//!
//! Inside, everything is mixed in steps of 2.5 ms at 48 kHz: a voice's [`RemoteVoice`] (decoding, concealment, stretching), volume and fades, meter and tap, then
//! place and ducking, the sum, the limiter, and the change of rate if there is one. `docs/LISTENING.md` has the picture and each stage's latency.
//!
//! The mix is `f32` on the scale of 16 bit: gains move within a step, which in integers would cost either precision or time, and there is room above full
//! scale for the limiter to see. Additions are in the order of the voices and nothing is fused, so equal input gives equal samples in every run of a
//! build.

mod buffer;
mod ducking;
mod limiter;
mod listener;
mod meter;
mod output;
mod ramp;
mod reach;
#[cfg_attr(not(feature = "resample"), path = "no_resampling.rs")]
mod resampling;
mod space;
mod stretch;
mod strip;
mod voice;

pub use ducking::Ducking;
pub use listener::{
    Channels, Listener, ListenerConfig, ListenerError, ListenerStats, MAX_VOICES, Presence, Tap, Tapped, VoicesBusy,
};
pub use meter::Level;
pub use output::OutputSample;
pub use space::{Ears, Space, SpaceError};
pub use strip::Pull;
pub use voice::RemoteVoice;

/// Samples of one channel that are mixed at a time: 2.5 ms at 48 kHz.
const STEP: usize = 120;
/// The same in microseconds.
const STEP_US: u32 = 2_500;
