//! Frames that wait to be played, each in a slot of one slice: length, flags, media time and the low half of the extended sequence number, then the payload.
//!
//! A frame takes the first free slot. So the few that usually wait use the same few slots over and over, and the rest of the memory stays
//! untouched until the network is bad.

use crate::types::FrameLength;

/// Bytes of a slot besides the payload.
const HEADER: usize = 11;
/// Slots of one speaker at most: the bits of the map.
const MAX_SLOTS: usize = 64;
const MARK: u8 = 1;
const END: u8 = 2;
/// The frame length in 10 ms stands above the flags, and the timeline above it.
const LENGTH: u8 = 4;
const TIMELINE: u8 = 32;
/// Timelines that are told apart.
pub(super) const TIMELINES: u8 = 4;

/// Bytes that one speaker needs for `frames` waiting frames of at most `frame_bytes` each. More than 64 frames aren't used.
pub const fn playout_bytes(frame_bytes: usize, frames: usize) -> usize {
    (frame_bytes + HEADER) * frames
}

/// What is known of a waiting frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) sequence: u64,
    pub(super) media: u32,
    pub(super) mark: bool,
    pub(super) end: bool,
    pub(super) length: FrameLength,
    /// Which of the timelines it belongs to that follow one another when the frame length changes, below [`TIMELINES`].
    pub(super) timeline: u8,
}

/// How many slots of this size the memory has.
pub(super) fn count(memory: &[u8], frame_bytes: usize) -> usize {
    (memory.len() / frame_bytes.saturating_add(HEADER)).min(MAX_SLOTS)
}

/// Which slots hold a frame; the frames themselves are in the caller's memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slots {
    filled: u64,
}

impl Slots {
    pub(super) const EMPTY: Self = Self { filled: 0 };

    pub(super) const fn is_empty(self) -> bool {
        self.filled == 0
    }

    pub(super) fn is_full(self, memory: &[u8], frame_bytes: usize) -> bool {
        self.filled.trailing_ones() as usize >= count(memory, frame_bytes)
    }

    /// Writes a frame into a free slot. `None` if there is none, or the payload doesn't fit.
    pub(super) fn put(&mut self, memory: &mut [u8], frame_bytes: usize, frame: Waiting, payload: &[u8]) -> Option<()> {
        let index = self.filled.trailing_ones() as usize;
        let size = frame_bytes.saturating_add(HEADER);
        if index >= count(memory, frame_bytes) {
            return None;
        }
        let slot = memory.get_mut(index * size..(index + 1) * size)?;
        let (header, body) = slot.split_first_chunk_mut::<HEADER>()?;
        let [high, low] = u16::try_from(payload.len()).ok()?.to_be_bytes();
        let [a, b, c, d] = frame.media.to_be_bytes();
        let [.., w, x, y, z] = frame.sequence.to_be_bytes();
        let flags = (u8::from(frame.mark) * MARK)
            | (u8::from(frame.end) * END)
            | (frame.timeline % TIMELINES * TIMELINE)
            | (frame.length.ms() / 10 * LENGTH);
        body.get_mut(..payload.len())?.copy_from_slice(payload);
        *header = [high, low, flags, a, b, c, d, w, x, y, z];
        self.filled |= 1 << index;
        Some(())
    }

    /// The first frame waiting whose number is `from` or later.
    pub(super) fn first(self, memory: &[u8], frame_bytes: usize, from: u64) -> Option<Waiting> {
        let waiting = self.all(memory, frame_bytes, from).map(|(_, _, frame)| frame);
        waiting.filter(|frame| frame.sequence >= from).min_by_key(|frame| frame.sequence)
    }

    /// Frees the slot of a number and hands out its payload.
    pub(super) fn take<'m>(&mut self, memory: &'m [u8], frame_bytes: usize, sequence: u64) -> Option<&'m [u8]> {
        let (index, len, _) =
            self.all(memory, frame_bytes, sequence).find(|(_, _, frame)| frame.sequence == sequence)?;
        self.filled &= !(1 << index);
        slot(memory, frame_bytes, index)?.get(HEADER..HEADER + len)
    }

    /// The payload of a number, which stays.
    pub(super) fn peek(self, memory: &[u8], frame_bytes: usize, sequence: u64) -> Option<&[u8]> {
        let (index, len, _) =
            self.all(memory, frame_bytes, sequence).find(|(_, _, frame)| frame.sequence == sequence)?;
        slot(memory, frame_bytes, index)?.get(HEADER..HEADER + len)
    }

    /// Slot, length of the payload, and frame of each that waits; their numbers are within 2^31 of `near`.
    fn all(self, memory: &[u8], frame_bytes: usize, near: u64) -> impl Iterator<Item = (usize, usize, Waiting)> + '_ {
        let mut left = self.filled;
        let slots = core::iter::from_fn(move || {
            let index = (left != 0).then_some(left.trailing_zeros() as usize);
            left &= left.wrapping_sub(1);
            index
        });
        slots.filter_map(move |index| {
            let (len, frame) = header(memory, frame_bytes, index, near)?;
            Some((index, len, frame))
        })
    }
}

fn slot(memory: &[u8], frame_bytes: usize, index: usize) -> Option<&[u8]> {
    let size = frame_bytes.saturating_add(HEADER);
    memory.get(index * size..(index + 1) * size)
}

fn header(memory: &[u8], frame_bytes: usize, index: usize, near: u64) -> Option<(usize, Waiting)> {
    let &[high, low, flags, a, b, c, d, w, x, y, z] = slot(memory, frame_bytes, index)?.first_chunk()?;
    let [.., e, f, g, h] = near.to_be_bytes();
    let ahead = u32::from_be_bytes([w, x, y, z]).wrapping_sub(u32::from_be_bytes([e, f, g, h]));
    let ahead = i32::from_ne_bytes(ahead.to_ne_bytes());
    let frame = Waiting {
        sequence: near.wrapping_add_signed(ahead.into()),
        media: u32::from_be_bytes([a, b, c, d]),
        mark: flags & MARK != 0,
        end: flags & END != 0,
        timeline: flags / TIMELINE,
        length: FrameLength::from_ms(flags % TIMELINE / LENGTH * 10)?,
    };
    Some((usize::from(u16::from_be_bytes([high, low])), frame))
}
