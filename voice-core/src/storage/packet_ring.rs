//! A first-in, first-out queue of records of any length in one slice of the caller's.
//!
//! Every record lies in one piece, so that it can be handed out as a slice: one that doesn't fit before the end of the
//! memory starts again at its beginning. A full ring refuses the newest; what to do then is up to the caller.

/// Bytes that a record takes besides its own.
pub(crate) const RECORD_OVERHEAD: usize = 4;

/// Where a ring stands; kept by its owner beside the memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RingState {
    /// Offset of the oldest record.
    start: usize,
    /// Offset behind the newest one.
    end: usize,
    /// Where the upper part ends while the newest records lie below the oldest.
    wrap: Option<usize>,
    /// Complete records.
    records: usize,
    /// Offset of a record that is being written; it lies last.
    open: Option<usize>,
}

impl RingState {
    /// An empty ring.
    pub(crate) const EMPTY: Self = Self { start: 0, end: 0, wrap: None, records: 0, open: None };

    /// Complete records waiting.
    pub(crate) const fn len(&self) -> usize {
        self.records
    }

    /// Whether no complete record waits.
    pub(crate) const fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The ring over its memory.
    pub(crate) fn over<'a>(&'a mut self, bytes: &'a mut [u8]) -> PacketRing<'a> {
        PacketRing { state: self, bytes }
    }
}

/// The ring has no room for this record, now or at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// A ring at work: state and memory together.
#[derive(Debug)]
pub(crate) struct PacketRing<'a> {
    state: &'a mut RingState,
    bytes: &'a mut [u8],
}

impl<'a> PacketRing<'a> {
    /// Whether no complete record waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.is_empty()
    }

    /// Whether a record of `len` bytes would be taken now.
    pub(crate) fn has_room(&self, len: usize) -> bool {
        self.place(len).is_some()
    }

    /// Appends a record made of `parts`. A record that was being written is given up first.
    pub(crate) fn push(&mut self, tag: u16, parts: &[&[u8]]) -> Result<(), Full> {
        let len = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
        self.abort();
        if !self.has_room(len) {
            return Err(Full);
        }
        self.begin(tag)?;
        for part in parts {
            self.append(part)?;
        }
        self.commit();
        Ok(())
    }

    /// Starts a record that is written in parts; it is no record yet until [`Self::commit`]. One that was being written is given up.
    pub(crate) fn begin(&mut self, tag: u16) -> Result<(), Full> {
        self.abort();
        let at = self.place(0).ok_or(Full)?;
        self.occupy(at, 0);
        self.write_header(at, 0, tag);
        self.state.open = Some(at);
        Ok(())
    }

    /// Appends bytes to the record that is being written. With no room, or none being written, nothing changes.
    pub(crate) fn append(&mut self, part: &[u8]) -> Result<(), Full> {
        let open = self.state.open.ok_or(Full)?;
        let (old, tag) = self.header(open);
        let len = old.saturating_add(part.len());
        let before = *self.state;
        self.state.retract(open);
        let Some(at) = self.place(len) else {
            *self.state = before;
            return Err(Full);
        };
        let body = open + RECORD_OVERHEAD;
        self.bytes.copy_within(body..body + old, at + RECORD_OVERHEAD);
        self.occupy(at, len);
        self.write_header(at, len, tag);
        self.state.open = Some(at);
        let from = at + RECORD_OVERHEAD + old;
        self.bytes[from..from + part.len()].copy_from_slice(part);
        Ok(())
    }

    /// Bytes written so far to the record that is being written.
    pub(crate) fn open_bytes(&self) -> Option<&[u8]> {
        let at = self.state.open?;
        let (len, _) = self.header(at);
        self.bytes.get(at + RECORD_OVERHEAD..at + RECORD_OVERHEAD + len)
    }

    /// Makes the record that is being written a complete one; without one, nothing happens.
    pub(crate) fn commit(&mut self) {
        if self.state.open.take().is_some() {
            self.state.records += 1;
        }
    }

    /// Gives up the record that is being written; without one, nothing happens.
    pub(crate) fn abort(&mut self) {
        if let Some(at) = self.state.open.take() {
            self.state.retract(at);
        }
    }

    /// The oldest record.
    pub(crate) fn front(&self) -> Option<(u16, &[u8])> {
        let (at, len, tag) = self.front_place()?;
        Some((tag, self.bytes.get(at..at + len)?))
    }

    /// The oldest record with this tag.
    pub(crate) fn find(&self, tag: u16) -> Option<&[u8]> {
        let mut at = self.state.start;
        for _ in 0..self.state.records {
            let (len, found) = self.header(at);
            let (from, to) = (at + RECORD_OVERHEAD, at + RECORD_OVERHEAD + len);
            if found == tag {
                return self.bytes.get(from..to);
            }
            at = if self.state.wrap == Some(to) { 0 } else { to };
        }
        None
    }

    /// Removes the oldest record.
    pub(crate) fn pop(&mut self) {
        if let Some((at, len, _)) = self.front_place() {
            self.state.release(at + len);
        }
    }

    /// Removes the oldest record and hands out its bytes, which stay until the next record is written.
    pub(crate) fn take(self) -> Option<(u16, &'a mut [u8])> {
        let (at, len, tag) = self.front_place()?;
        self.state.release(at + len);
        Some((tag, self.bytes.get_mut(at..at + len)?))
    }

    fn front_place(&self) -> Option<(usize, usize, u16)> {
        if self.is_empty() {
            return None;
        }
        let (len, tag) = self.header(self.state.start);
        Some((self.state.start + RECORD_OVERHEAD, len, tag))
    }

    /// Where a record of `len` bytes would start.
    fn place(&self, len: usize) -> Option<usize> {
        let need = len.checked_add(RECORD_OVERHEAD)?;
        if u16::try_from(len).is_err() {
            return None;
        }
        let RingState { start, end, wrap, .. } = *self.state;
        if wrap.is_some() {
            return (start.saturating_sub(end) >= need).then_some(end);
        }
        if self.bytes.len().saturating_sub(end) >= need {
            return Some(end);
        }
        (start >= need).then_some(0)
    }

    fn occupy(&mut self, at: usize, len: usize) {
        if at < self.state.end {
            self.state.wrap = Some(self.state.end);
        }
        self.state.end = at + RECORD_OVERHEAD + len;
    }

    fn header(&self, at: usize) -> (usize, u16) {
        let byte = |i: usize| self.bytes.get(at + i).copied().unwrap_or(0);
        let len = u16::from_be_bytes([byte(0), byte(1)]);
        (usize::from(len), u16::from_be_bytes([byte(2), byte(3)]))
    }

    fn write_header(&mut self, at: usize, len: usize, tag: u16) {
        let [a, b] = u16::try_from(len).unwrap_or(0).to_be_bytes();
        let [c, d] = tag.to_be_bytes();
        if let Some(header) = self.bytes.get_mut(at..at + RECORD_OVERHEAD) {
            header.copy_from_slice(&[a, b, c, d]);
        }
    }
}

impl RingState {
    /// Takes back the last record, which starts at `at`.
    fn retract(&mut self, at: usize) {
        self.end = at;
        if at == 0
            && let Some(wrap) = self.wrap.take()
        {
            self.end = wrap;
        }
        self.open = None;
        self.start_over_if_empty();
    }

    /// Frees the oldest record, which ends before `next`.
    fn release(&mut self, next: usize) {
        self.records -= 1;
        self.start = next;
        if self.wrap == Some(next) {
            self.wrap = None;
            self.start = 0;
        }
        self.start_over_if_empty();
    }

    fn start_over_if_empty(&mut self) {
        if self.records == 0 && self.open.is_none() {
            *self = Self::EMPTY;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::vec::Vec;

    #[test]
    fn records_come_out_in_order_with_their_tags() {
        let (mut state, mut bytes) = (RingState::EMPTY, [0; 64]);
        let mut ring = state.over(&mut bytes);
        ring.push(1, &[b"one"]).unwrap();
        ring.push(2, &[b"tw", b"o"]).unwrap();
        assert_eq!(ring.front(), Some((1, &b"one"[..])));
        ring.pop();
        assert_eq!(ring.front(), Some((2, &b"two"[..])));
        ring.pop();
        assert_eq!(ring.front(), None);
    }

    #[test]
    fn a_full_ring_refuses_the_newest() {
        let (mut state, mut bytes) = (RingState::EMPTY, [0; 16]);
        let mut ring = state.over(&mut bytes);
        ring.push(1, &[&[7; 12]]).unwrap();
        assert_eq!(ring.push(2, &[&[]]), Err(Full));
        assert_eq!(state.len(), 1);
    }

    #[test]
    fn a_record_too_long_for_the_memory_is_refused() {
        let (mut state, mut bytes) = (RingState::EMPTY, [0; 16]);
        assert_eq!(state.over(&mut bytes).push(1, &[&[7; 13]]), Err(Full));
        assert!(state.is_empty());
    }

    #[test]
    fn a_record_in_parts_appears_when_it_is_complete() {
        let (mut state, mut bytes) = (RingState::EMPTY, [0; 32]);
        let mut ring = state.over(&mut bytes);
        ring.begin(9).unwrap();
        ring.append(b"ab").unwrap();
        assert!(ring.is_empty());
        ring.append(b"cd").unwrap();
        ring.commit();
        assert_eq!(ring.front(), Some((9, &b"abcd"[..])));
    }

    #[test]
    fn an_aborted_record_leaves_no_trace() {
        let (mut state, mut bytes) = (RingState::EMPTY, [0; 32]);
        let mut ring = state.over(&mut bytes);
        ring.push(1, &[b"kept"]).unwrap();
        ring.begin(2).unwrap();
        ring.append(b"gone").unwrap();
        ring.abort();
        ring.commit();
        assert!(ring.has_room(20));
        assert_eq!(state.len(), 1);
    }

    #[test]
    fn a_growing_record_moves_to_where_it_fits() {
        let (mut state, mut bytes) = (RingState::EMPTY, [0; 32]);
        let mut ring = state.over(&mut bytes);
        ring.push(1, &[&[1; 14]]).unwrap();
        ring.push(2, &[&[2; 2]]).unwrap();
        ring.pop();
        ring.begin(3).unwrap();
        ring.append(&[3; 3]).unwrap();
        ring.append(&[4; 5]).unwrap();
        ring.commit();
        ring.pop();
        assert_eq!(ring.front(), Some((3, &[3, 3, 3, 4, 4, 4, 4, 4][..])));
    }

    #[derive(Debug, Clone)]
    enum Op {
        Push(u16, Vec<u8>),
        Begin(u16),
        Append(Vec<u8>),
        Commit,
        Abort,
        Pop,
        Take,
    }

    fn op() -> impl Strategy<Value = Op> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
        prop_oneof![
            4 => (any::<u16>(), bytes()).prop_map(|(tag, b)| Op::Push(tag, b)),
            2 => any::<u16>().prop_map(Op::Begin),
            4 => bytes().prop_map(Op::Append),
            2 => Just(Op::Commit),
            1 => Just(Op::Abort),
            4 => Just(Op::Pop),
            2 => Just(Op::Take),
        ]
    }

    type Model = (VecDeque<(u16, Vec<u8>)>, Option<(u16, Vec<u8>)>);

    fn apply(ring: PacketRing<'_>, model: &mut Model, op: Op) {
        let mut ring = ring;
        match op {
            Op::Push(tag, bytes) => {
                model.1 = None;
                if ring.push(tag, &[&bytes]).is_ok() {
                    model.0.push_back((tag, bytes));
                }
            }
            Op::Begin(tag) => model.1 = ring.begin(tag).ok().map(|()| (tag, Vec::new())),
            Op::Append(bytes) => {
                if ring.append(&bytes).is_ok() {
                    model.1.as_mut().unwrap().1.extend(bytes);
                }
            }
            Op::Commit => {
                ring.commit();
                model.0.extend(model.1.take());
            }
            Op::Abort => {
                ring.abort();
                model.1 = None;
            }
            Op::Pop => {
                ring.pop();
                model.0.pop_front();
            }
            Op::Take => {
                let taken = ring.take().map(|(tag, b)| (tag, b.to_vec()));
                assert_eq!(taken, model.0.pop_front());
            }
        }
    }

    proptest! {
        #[test]
        fn the_ring_behaves_like_a_queue_of_vectors(
            size in 0usize..120,
            ops in proptest::collection::vec(op(), 0..80),
        ) {
            let mut state = RingState::EMPTY;
            let mut bytes = std::vec![0xAA; size];
            let mut model = Model::default();
            for op in ops {
                apply(state.over(&mut bytes), &mut model, op);
                prop_assert_eq!(state.len(), model.0.len());
                let ring = state.over(&mut bytes);
                prop_assert_eq!(ring.open_bytes(), model.1.as_ref().map(|(_, b)| &b[..]));
                for (tag, _) in &model.0 {
                    let first = model.0.iter().find(|(other, _)| other == tag).map(|(_, b)| &b[..]);
                    prop_assert_eq!(ring.find(*tag), first);
                }
                let front = model.0.front().map(|(tag, b)| (*tag, &b[..]));
                prop_assert_eq!(ring.front(), front);
            }
        }
    }
}
