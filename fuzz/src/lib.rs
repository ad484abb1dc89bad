//! The bodies of the fuzz targets, one per file.
//!
//! They stand here and not in `fuzz_targets/` so that a stable compiler checks them with everything else, and `tests/replay.rs` runs
//! them on every machine. A body must not depend on anything but its bytes: a failing input fails again. `transport` and `direct` alone have
//! keys that differ from run to run, and say what follows.

mod client_ops;
mod decode;
mod decode_sound;
mod direct;
mod draw;
pub mod ear;
mod embedder;
mod host_ops;
mod host_stage;
mod hostile_peer;
mod input;
mod playout;
mod round_trip;
mod sealed;
pub mod seeds;
mod server_ops;
pub mod session;
mod streams;
mod transport;
mod wire;

pub use client_ops::client_ops;
pub use decode::decode;
pub use decode_sound::decode_sound;
pub use direct::direct;
pub use host_ops::host_ops;
pub use hostile_peer::hostile_peer;
pub use playout::playout;
pub use round_trip::round_trip;
pub use sealed::sealed;
pub use server_ops::server_ops;
pub use transport::transport;

/// A body: takes any bytes, and panics when it has found something.
pub type Body = fn(&[u8]);

/// Every target: the name of its file in `fuzz_targets/`, and its body.
pub const TARGETS: [(&str, Body); 11] = [
    ("client_ops", client_ops),
    ("decode", decode),
    ("decode_sound", decode_sound),
    ("direct", direct),
    ("host_ops", host_ops),
    ("hostile_peer", hostile_peer),
    ("playout", playout),
    ("round_trip", round_trip),
    ("sealed", sealed),
    ("server_ops", server_ops),
    ("transport", transport),
];
