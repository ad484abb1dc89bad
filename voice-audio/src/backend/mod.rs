//! The library that codes, behind the same few calls whichever it is.
//!
//! Where several are asked for, `opus16` is used before `opus13`, and either before `opus-rs`, unless `prefer-opus-rs` has that decode what libopus encodes.
//! What a call may be given is checked above this folder: here is no more than the library's own view of it.

#[cfg(feature = "encode")]
#[cfg_attr(feature = "prefer-opus-rs", allow(dead_code, reason = "its decoder is at most compared with"))]
mod libopus;
#[cfg(any(feature = "prefer-opus-rs", not(feature = "opus16")))]
mod no_dred;
// Tests compare it with libopus 1.3.
#[cfg(all(test, feature = "opus13", feature = "wav", not(feature = "opus16")))]
mod likeness;
#[cfg(any(
    all(test, feature = "opus13", feature = "wav", not(feature = "opus16")),
    feature = "prefer-opus-rs",
    not(feature = "encode")
))]
mod pure;

#[cfg(all(feature = "opus16", not(feature = "prefer-opus-rs")))]
pub(crate) use libopus::RawDred;
#[cfg(all(test, feature = "encode"))]
pub(crate) use libopus::parsed;
#[cfg(all(feature = "encode", not(feature = "prefer-opus-rs")))]
pub(crate) use libopus::{RawDecoder, version};
#[cfg(feature = "encode")]
pub(crate) use libopus::{RawEncoder, Setting, Tuning};
#[cfg(any(feature = "prefer-opus-rs", not(feature = "opus16")))]
pub(crate) use no_dred::RawDred;
#[cfg(any(feature = "prefer-opus-rs", not(feature = "encode")))]
pub(crate) use pure::{RawDecoder, version};

/// Why a library refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "encode"), allow(dead_code, reason = "opus-rs has fewer reasons"))]
pub(crate) enum Refusal {
    BadArgument,
    BufferTooSmall,
    InvalidPacket,
    /// It doesn't know the request.
    Unimplemented,
    Other,
}
