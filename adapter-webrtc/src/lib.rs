//! Consonance over WebRTC data channels: the server's end, for browsers.
//!
//! [`Endpoint`] is many connections on one UDP port, without a socket or a clock: offers, datagrams, addresses and time go in, answers, datagrams and
//! events come out. Each connection has two data channels: a reliable and ordered one, the lane, and an unreliable and unordered one for voice. How
//! packets stand in them, and how an offer gets its answer, is in `docs/WEBRTC.md`.
//!
//! An adapter knows no rooms and no people: it moves `(link, delivery, bytes)`.
//!
//! | to change | open |
//! |---|---|
//! | what an offer must be | `offer.rs` |
//! | what an offer is answered, in another thread if need be | `desk.rs` |
//! | whose a datagram is | `finder.rs` |
//! | one connection | `link.rs` |
//! | an end for tests and load | `client.rs` |
//! | all connections of a port | `endpoint.rs` |
//! | how often somebody may offer, and how many connections an address has | `adapter-kit` |
//! | which packets share a message, and how long they wait | `adapter-kit` |

mod client;
mod desk;
mod endpoint;
mod finder;
mod link;
mod offer;

pub use adapter_kit::{Flush, LinkId, SendError, Transmit};
pub use client::{Client, ClientEvent, NoConnection};
pub use desk::{Desk, Prepared, Refusal};
pub use endpoint::{BadCandidate, Config, Drops, Endpoint, Event, Traffic};
pub use link::{LANE, VOICE, channels};
pub use offer::{BadOffer, LONGEST_OFFER, Offer};
