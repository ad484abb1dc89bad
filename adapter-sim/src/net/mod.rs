//! The network: machines with access links, connections with a reliable lane and datagrams between a client and a server, and direct
//! datagrams between clients. Time is a number of microseconds that jumps from one event to the next; every random draw comes
//! from one seed; nothing depends on the machine it runs on.
//!
//! A packet passes the sender's uplink, then the receiver's downlink. Each is a queue for bandwidth, then loss (in bursts, and
//! alone), delay with jitter, reordering, duplication and damage, as its [`LinkProfile`] says. Between the two there is nothing but
//! the faults that can be switched at any time: partitions, clogged paths, machines that go dark, crash or change their address.
//! Packets keep their order on a link unless the profile reorders them: jitter holds up what comes behind, as a radio's repeats do.
//!
//! * **Connections** ([`Network::connect`]) run between any two machines and pass every NAT. Their reliable lane is a real one:
//!   segments, acknowledgements and repeats are packets like others, lose bandwidth and get lost.
//! * **Direct datagrams** ([`Network::send_direct`]) are subject to NATs ([`NatKind`]) at both ends.
//!
//! The loop: [`Network::poll`] until `None`, act on each [`NetEvent`], poll again.

mod bytes;
mod clock;
mod connection;
mod counts;
mod endpoint;
mod event;
mod faults;
mod lane;
mod link;
mod nat;
mod network;
mod path;
mod preset;
mod rng;
mod slab;
mod timeline;
mod trace;

pub use bytes::PacketBytes;
pub use connection::{ConnId, Rebind, Side};
pub use counts::FaultCounts;
pub use endpoint::EndpointId;
pub use event::NetEvent;
pub use lane::{Break, LANE_MESSAGE_BYTES, LANE_QUEUE_MESSAGES};
use link::Link;
pub use nat::NatKind;
pub use network::Network;
pub use path::HEADER_BYTES;
pub use preset::{LinkProfile, Preset};
pub use rng::Rng;
pub use trace::Trace;
