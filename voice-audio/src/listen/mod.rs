//! The listening side: from what a playout gives to what a loudspeaker gets.

mod buffer;
mod stretch;
mod voice;

pub use voice::RemoteVoice;
pub use voice_core::{Pace, Sound};
