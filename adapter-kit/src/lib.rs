//! What adapters share, whatever they send through: what a link is called, how packets stand in a datagram, how long they wait there for others, and how much of
//! a server an address may have.
//!
//! | to change | open |
//! |---|---|
//! | which packets share a datagram, and how long they wait | `outbox.rs` |
//! | how packets stand in a datagram | `pack.rs` |
//! | how an address stands there | `address.rs` |
//! | how many links an address has, and how often it may begin one | `limits.rs` |

pub mod address;
mod limits;
mod outbox;
mod pack;

use std::net::SocketAddr;

pub use limits::{Limits, Source};
pub use outbox::{Flush, Kept, Outboxes};
pub use pack::{Item, LONGEST, Packets, Word, pack, pack_word, packed_len, packets, unpack, unpack_first};

/// A datagram to send: the bytes are in the buffer that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
}

/// Why a packet isn't sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The link isn't up.
    Down,
    /// Too many wait on the reliable lane, or the packet is empty or too long.
    Refused,
}

/// A connection of an adapter. Never used for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId {
    index: u32,
    generation: u32,
}

impl LinkId {
    /// A link from its parts. One that never was is taken as one that is down.
    pub const fn from_parts(index: u32, generation: u32) -> Self {
        Self { index, generation }
    }

    /// A dense number, for arrays. Used again for another link when this one is down.
    pub const fn index(self) -> usize {
        self.index as usize
    }

    /// The index, and how many links had it before, for those who keep links of several transports.
    pub const fn parts(self) -> (u32, u32) {
        (self.index, self.generation)
    }
}
