//! Frames that wait to be played, each in a slot of one slice: length, flags and media time, then the payload.
//!
//! A frame takes the first free slot. So the few that usually wait use the same few slots over and over, and the rest of the memory stays
//! untouched until the network is bad. Which slot a number is in stands apart, so that no frame is looked at before it is its turn.

use crate::types::FrameLength;

/// Bytes of a slot besides the payload.
const HEADER: usize = 7;
/// Frames of one speaker that may wait at most: the bits of the maps. Their numbers are less than this apart.
const MOST: u32 = 32;
const MARK: u8 = 1;
const END: u8 = 2;
/// The frame length in 10 ms stands above the flags, and the timeline above it.
const LENGTH: u8 = 4;
const TIMELINE: u8 = 32;
/// Timelines that are told apart.
pub(super) const TIMELINES: u8 = 4;

/// Bytes that one speaker needs for `frames` waiting frames of at most `frame_bytes` each. More than 32 frames aren't used.
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

/// How many slots of this size are used of the memory.
pub(super) fn count(memory: &[u8], frame_bytes: usize) -> usize {
    (memory.len() / frame_bytes.saturating_add(HEADER)).min(MOST as usize)
}

/// Which frames wait, and where; the frames themselves are in the caller's memory.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    /// The slots that hold a frame.
    filled: u32,
    /// The numbers that wait, modulo 32.
    waiting: u32,
    /// The lowest of them.
    lowest: u64,
    /// By number modulo 32.
    slot_of: [u8; MOST as usize],
}

impl Slots {
    pub(super) const EMPTY: Self = Self { filled: 0, waiting: 0, lowest: 0, slot_of: [0; MOST as usize] };

    pub(super) fn clear(&mut self) {
        (self.filled, self.waiting) = (0, 0);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// How many wait.
    pub(super) const fn count(&self) -> u32 {
        self.waiting.count_ones()
    }

    /// The lowest number that waits.
    pub(super) fn lowest(&self) -> Option<u64> {
        (self.waiting != 0).then_some(self.lowest)
    }

    /// Whether a frame of this number finds a slot, without another being dropped.
    pub(super) fn has_room(&self, memory: &[u8], frame_bytes: usize, sequence: u64) -> bool {
        if self.slot_range(memory, frame_bytes).is_none() {
            return false;
        }
        let highest = self.lowest + u64::from(MOST - 1 - self.rotated().leading_zeros().min(MOST - 1));
        self.waiting == 0 || sequence.max(highest) - sequence.min(self.lowest) < MOST.into()
    }

    /// Writes a frame into a free slot, if it [has room](Slots::has_room) and doesn't wait already.
    pub(super) fn put(&mut self, memory: &mut [u8], frame_bytes: usize, frame: Waiting, payload: &[u8]) -> Option<()> {
        let index = self.filled.trailing_ones();
        let slot = memory.get_mut(self.slot_range(memory, frame_bytes)?)?;
        let (header, body) = slot.split_first_chunk_mut::<HEADER>()?;
        let [high, low] = u16::try_from(payload.len()).ok()?.to_be_bytes();
        let [a, b, c, d] = frame.media.to_be_bytes();
        let flags = (u8::from(frame.mark) * MARK)
            | (u8::from(frame.end) * END)
            | (frame.timeline % TIMELINES * TIMELINE)
            | (frame.length.ms() / 10 * LENGTH);
        body.get_mut(..payload.len())?.copy_from_slice(payload);
        *header = [high, low, flags, a, b, c, d];
        let place = place(frame.sequence);
        *self.slot_of.get_mut(place as usize)? = u8::try_from(index).ok()?;
        if self.waiting == 0 || frame.sequence < self.lowest {
            self.lowest = frame.sequence;
        }
        self.waiting |= 1 << place;
        self.filled |= 1 << index;
        Some(())
    }

    /// The frame with the lowest number, and its payload.
    pub(super) fn first<'m>(&self, memory: &'m [u8], frame_bytes: usize) -> Option<(Waiting, &'m [u8])> {
        let sequence = self.lowest()?;
        let slot = slot(memory, frame_bytes, self.slot_at(sequence))?;
        let (&[high, low, flags, a, b, c, d], body) = slot.split_first_chunk()?;
        let frame = Waiting {
            sequence,
            media: u32::from_be_bytes([a, b, c, d]),
            mark: flags & MARK != 0,
            end: flags & END != 0,
            timeline: flags / TIMELINE,
            length: FrameLength::from_ms(flags % TIMELINE / LENGTH * 10)?,
        };
        Some((frame, body.get(..usize::from(u16::from_be_bytes([high, low])))?))
    }

    /// Frees the slot of the lowest number.
    pub(super) fn drop_first(&mut self) {
        if self.waiting == 0 {
            return;
        }
        self.filled &= !(1 << (self.slot_at(self.lowest) % MOST));
        self.waiting &= !(1 << place(self.lowest));
        if self.waiting != 0 {
            self.lowest += u64::from(self.rotated().trailing_zeros());
        }
    }

    /// The numbers that wait, from the lowest on.
    const fn rotated(&self) -> u32 {
        self.waiting.rotate_right(place(self.lowest))
    }

    fn slot_at(&self, sequence: u64) -> u32 {
        self.slot_of.get(place(sequence) as usize).copied().map_or(0, u32::from)
    }

    /// Where the first free slot is, if the memory has one. Asked for every packet, so nothing is divided.
    fn slot_range(&self, memory: &[u8], frame_bytes: usize) -> Option<core::ops::Range<usize>> {
        let index = self.filled.trailing_ones();
        let size = frame_bytes.saturating_add(HEADER);
        let start = size.checked_mul(index as usize)?;
        let end = start.checked_add(size)?;
        (index < MOST && end <= memory.len()).then_some(start..end)
    }
}

/// Where a number is in the maps.
const fn place(sequence: u64) -> u32 {
    (sequence % MOST as u64) as u32
}

fn slot(memory: &[u8], frame_bytes: usize, index: u32) -> Option<&[u8]> {
    let size = frame_bytes.saturating_add(HEADER);
    let start = size.checked_mul(index as usize)?;
    memory.get(start..start.checked_add(size)?)
}
