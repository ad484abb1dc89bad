//! The words that the core, its adapters and its embedders share. Nothing here does anything.

mod channel;
mod drops;
mod id;
mod packet;
mod secret;
mod time;

pub use channel::{ChannelOptions, Priority, RoomUse, Target, Volume};
pub use drops::{DropCounts, DropReason};
pub use id::{ClientId, ConnectionId, Identity, PathId, RoomId, SessionId};
pub use packet::{CodecSettings, Counters, Delivery, FrameLength, Route, Source, TrafficCount, Transmit};
pub use secret::Secret;
pub use time::Instant;
