//! Frames that wait to be played, each in a slot of one slice: length, flags and media time, then the payload.

/// Bytes of a slot besides the payload.
const HEADER: usize = 7;
/// Slots of one speaker at most: the bits of the map.
const MAX_SLOTS: usize = 64;
const MARK: u8 = 1;
const END: u8 = 2;

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
}

/// How many slots of this size the memory has.
pub(super) fn count(memory: &[u8], frame_bytes: usize) -> usize {
    (memory.len() / frame_bytes.saturating_add(HEADER)).min(MAX_SLOTS)
}

/// Which slots hold a frame; the frames themselves are in the caller's memory.
///
/// All sequence numbers held lie within `count` of the first one that is asked for; the owner sees to that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slots {
    filled: u64,
}

impl Slots {
    pub(super) const EMPTY: Self = Self { filled: 0 };

    pub(super) const fn is_empty(self) -> bool {
        self.filled == 0
    }

    /// Writes a frame into its slot. A payload that doesn't fit is refused.
    pub(super) fn put(&mut self, memory: &mut [u8], frame_bytes: usize, frame: Waiting, payload: &[u8]) -> Option<()> {
        let index = index(frame.sequence, count(memory, frame_bytes))?;
        let slot = memory.chunks_exact_mut(frame_bytes.saturating_add(HEADER)).nth(index)?;
        let (header, body) = slot.split_at_mut_checked(HEADER)?;
        let [high, low] = u16::try_from(payload.len()).ok()?.to_be_bytes();
        let [a, b, c, d] = frame.media.to_be_bytes();
        let flags = (u8::from(frame.mark) * MARK) | (u8::from(frame.end) * END);
        body.get_mut(..payload.len())?.copy_from_slice(payload);
        header.copy_from_slice(&[high, low, flags, a, b, c, d]);
        self.filled |= 1 << index;
        Some(())
    }

    /// The first frame waiting whose number is `from` or later.
    pub(super) fn first(self, memory: &[u8], frame_bytes: usize, from: u64) -> Option<Waiting> {
        if self.is_empty() {
            return None;
        }
        let slots = count(memory, frame_bytes);
        (0..slots).find_map(|k| {
            let sequence = from.wrapping_add(u64::try_from(k).ok()?);
            let index = index(sequence, slots)?;
            if self.filled & 1 << index == 0 {
                return None;
            }
            let (_, flags, media) = header(memory, frame_bytes, index)?;
            Some(Waiting { sequence, media, mark: flags & MARK != 0, end: flags & END != 0 })
        })
    }

    /// Frees the slot of a number and hands out its payload.
    pub(super) fn take<'m>(&mut self, memory: &'m [u8], frame_bytes: usize, sequence: u64) -> Option<&'m [u8]> {
        let index = index(sequence, count(memory, frame_bytes))?;
        if self.filled & 1 << index == 0 {
            return None;
        }
        self.filled &= !(1 << index);
        let (len, ..) = header(memory, frame_bytes, index)?;
        slot(memory, frame_bytes, index)?.get(HEADER..HEADER + len)
    }
}

fn index(sequence: u64, slots: usize) -> Option<usize> {
    let slots = u64::try_from(slots).ok()?;
    usize::try_from(sequence.checked_rem(slots)?).ok()
}

fn slot(memory: &[u8], frame_bytes: usize, index: usize) -> Option<&[u8]> {
    memory.chunks_exact(frame_bytes.saturating_add(HEADER)).nth(index)
}

fn header(memory: &[u8], frame_bytes: usize, index: usize) -> Option<(usize, u8, u32)> {
    let &[high, low, flags, a, b, c, d] = slot(memory, frame_bytes, index)?.first_chunk::<HEADER>()?;
    let len = usize::from(u16::from_be_bytes([high, low]));
    Some((len, flags, u32::from_be_bytes([a, b, c, d])))
}
