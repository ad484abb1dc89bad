//! The stand-in for DRED where the library has none: no packet has any.

use super::{RawDecoder, Refusal};

/// Finds no redundancy.
#[derive(Debug)]
pub(crate) struct RawDred;

impl RawDred {
    #[expect(clippy::unnecessary_wraps, reason = "libopus 1.6 may be out of memory")]
    pub(crate) fn new() -> Result<Self, Refusal> {
        Ok(Self)
    }

    pub(crate) fn parse(&mut self, _: &[u8], _: usize, _: i32, _: bool) -> Result<usize, Refusal> {
        Ok(0)
    }
}

impl RawDecoder {
    pub(crate) fn decode_dred(&mut self, _: &RawDred, _: usize, out: &mut [i16]) -> Result<usize, Refusal> {
        self.decode(None, out, false)
    }
}
