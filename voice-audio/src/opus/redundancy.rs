use super::{MAX_DRED_MS, MAX_FRAME_BYTES, RATE};
use crate::backend::{RawDecoder, RawDred, Refusal};

const MAX_SAMPLES: usize = MAX_DRED_MS as usize * 48;

/// The DRED of the packet that was asked about last, so that filling a burst of several frames from one packet reads it once.
#[derive(Debug)]
pub(super) struct Redundancy {
    raw: RawDred,
    packet: [u8; MAX_FRAME_BYTES],
    len: Option<usize>,
    /// Samples before the packet for which there is anything.
    reach: usize,
    /// Samples before the packet that can be decoded now.
    ready: usize,
}

impl Redundancy {
    pub(super) fn new() -> Result<Self, Refusal> {
        Ok(Self { raw: RawDred::new()?, packet: [0; MAX_FRAME_BYTES], len: None, reach: 0, ready: 0 })
    }

    /// How many samples before `packet` its redundancy reaches: 0 for none, and for what is not Opus.
    pub(super) fn reach(&mut self, packet: &[u8]) -> usize {
        if !self.holds(packet) {
            self.reach = self.raw.parse(packet, MAX_SAMPLES, RATE, false).unwrap_or(0);
            self.ready = 0;
            self.remember(packet);
        }
        self.reach
    }

    /// Decodes into `out` the sound that began `offset` samples before `packet`, or does nothing and answers `None` if `packet` does
    /// not reach that far.
    pub(super) fn decode(
        &mut self,
        packet: &[u8],
        offset: usize,
        decoder: &mut RawDecoder,
        out: &mut [i16],
    ) -> Option<Result<usize, Refusal>> {
        if self.reach(packet) < offset {
            return None;
        }
        if self.ready < offset {
            // No more than is needed: the network runs over every 40 ms of it.
            self.raw.parse(packet, offset, RATE, true).ok()?;
            self.ready = offset;
        }
        Some(decoder.decode_dred(&self.raw, offset, out))
    }

    pub(super) fn forget(&mut self) {
        self.len = None;
    }

    fn holds(&self, packet: &[u8]) -> bool {
        self.len.is_some_and(|len| &self.packet[..len] == packet)
    }

    /// A packet too long to come by voice is read anew each time.
    fn remember(&mut self, packet: &[u8]) {
        self.len = self.packet.get_mut(..packet.len()).map(|held| {
            held.copy_from_slice(packet);
            packet.len()
        });
    }
}
