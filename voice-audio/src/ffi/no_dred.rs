//! The stand-in for DRED where libopus has none: no packet has any.

use super::{Code, RawDecoder};

/// Finds no redundancy.
#[derive(Debug)]
pub(crate) struct RawDred;

impl RawDred {
    #[expect(clippy::unnecessary_wraps, reason = "libopus 1.6 may be out of memory")]
    pub(crate) fn new() -> Result<Self, Code> {
        Ok(Self)
    }

    pub(crate) fn parse(&mut self, _: &[u8], _: usize, _: i32, _: bool) -> Result<usize, Code> {
        Ok(0)
    }
}

impl RawDecoder {
    pub(crate) fn decode_dred(&mut self, _: &RawDred, _: usize, out: &mut [i16]) -> Result<usize, Code> {
        self.decode(None, out, false)
    }
}
