//! Packets on the stream of a QUIC connection: each with its length before it, 2 B.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

/// Longest packet.
pub(crate) const LONGEST: usize = 1_200;
/// Packets that may wait to be sent: what the core sends without an acknowledgement, and as much again for what it says while it closes.
const MOST_WAITING: usize = 128;

/// What waits to be written.
#[derive(Debug, Default)]
pub(crate) struct LaneOut(VecDeque<Bytes>);

impl LaneOut {
    /// Takes a packet; false if too many wait or it is longer than any.
    pub(crate) fn push(&mut self, packet: &[u8]) -> bool {
        if packet.len() > LONGEST || self.0.len() >= 2 * MOST_WAITING {
            return false;
        }
        self.0.push_back(Bytes::copy_from_slice(&(packet.len() as u16).to_be_bytes()));
        self.0.push_back(Bytes::copy_from_slice(packet));
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives all that waits to `write`, which takes as much as it can and says how many bytes that was; it is asked until it takes nothing.
    pub(crate) fn write<E>(&mut self, mut write: impl FnMut(&[u8]) -> Result<usize, E>) -> Result<(), E> {
        while let Some(first) = self.0.front_mut() {
            let taken = write(first)?;
            first.advance(taken);
            if first.is_empty() {
                self.0.pop_front();
            } else if taken == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// A packet that can't be: the other end breaks the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

/// What has been read and isn't a whole packet yet.
#[derive(Debug, Default)]
pub(crate) struct LaneIn(BytesMut);

impl LaneIn {
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next whole packet.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, TooLong> {
        let Some(&[high, low]) = self.0.first_chunk() else { return Ok(None) };
        let len = usize::from(u16::from_be_bytes([high, low]));
        if len == 0 || len > LONGEST {
            return Err(TooLong);
        }
        if self.0.len() < 2 + len {
            return Ok(None);
        }
        self.0.advance(2);
        Ok(Some(self.0.split_to(len).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn packets_come_out_as_they_went_in_however_the_stream_is_cut(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..1_200), 1..8),
            cut in 1_usize..700,
        ) {
            let (mut out, mut into, mut stream) = (LaneOut::default(), LaneIn::default(), Vec::new());
            packets.iter().for_each(|packet| assert!(out.push(packet)));
            let mut room = 0;
            while !out.is_empty() {
                room += cut;
                let written = out.write(|bytes| {
                    let taken = bytes.len().min(room);
                    stream.extend_from_slice(&bytes[..taken]);
                    room -= taken;
                    Ok::<_, ()>(taken)
                });
                prop_assert!(written.is_ok());
            }
            let mut read = Vec::new();
            for part in stream.chunks(cut) {
                into.read(part);
                while let Some(packet) = into.next().unwrap() {
                    read.push(packet.to_vec());
                }
            }
            prop_assert_eq!(read, packets);
        }
    }

    #[test]
    fn a_packet_that_cannot_be_is_refused_and_so_is_one_too_many() {
        let mut into = LaneIn::default();
        into.read(&[0xFF, 0xFF, 1, 2]);
        assert_eq!(into.next(), Err(TooLong));
        let mut out = LaneOut::default();
        assert!(!out.push(&[0; LONGEST + 1]));
        assert_eq!((0..1_000).filter(|_| out.push(&[1])).count(), MOST_WAITING);
    }
}
