//! Consonance over one UDP port.
//!
//! QUIC carries the reliable lane and tells who is who; voice and the other unreliable packets travel in sealed datagrams of their own
//! on the same port, under keys that only the two ends of the QUIC connection can make. [`Endpoint`] is all of that without a socket or a clock:
//! datagrams, addresses and time go in, datagrams and events come out. [`Socket`] is the socket.
//!
//! An adapter knows no rooms and no people: it moves `(link, delivery, bytes)`.
//!
//! | to change | open |
//! |---|---|
//! | keys, numbers, replays | `media.rs` |
//! | which packets share a datagram, how, and how long they wait | `adapter-kit` |
//! | keys, certificates and fingerprints | `identity.rs` |
//! | which server is believed | `trust.rs` |
//! | packets on the QUIC stream | `lane.rs` |
//! | one connection | `link.rs` |
//! | what QUIC calls a connection | `connection_id.rs` |
//! | all connections of a port | `endpoint.rs` |
//! | the limits of a port | `config.rs` |
//! | who may begin one, and who has to prove its address before | `door.rs` |
//! | clients that speak to each other without the server | `direct/` |
//! | system calls | `socket.rs` |

mod config;
mod connection_id;
mod direct;
mod door;
mod endpoint;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod identity;
mod lane;
mod link;
mod media;
#[cfg(target_os = "linux")]
mod overflow;
mod socket;
mod trust;

pub use adapter_kit::{Flush, LinkId, Packets, SendError, Transmit};
pub use config::Config;
pub use direct::{Direct, DirectConfig, DirectDrops, DirectEvent, Families, Unsent, local_addresses};
pub use endpoint::{ConnectError, Drops, Endpoint, Event, Received, Traffic};
pub use identity::{Fingerprint, Identity, IdentityError};
pub use link::DownReason;
pub use socket::{Incoming, Outgoing, Socket};
pub use trust::{Authorities, CertificateProblem, Certified, Trust, VouchError};
