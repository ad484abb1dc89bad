//! Packets that wait for a datagram. Each is kept once, however many links it is for: a relay hands the same voice to a whole room.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::pack;

/// Packets that may wait for a link: then the oldest give way.
const MOST_WAITING: usize = 64;
/// Bytes of the store with which it is looked for the first time what nobody waits for any more.
const CLEAR_AWAY: usize = 256 * 1_024;

/// Whether a packet may wait for others to the same link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// It leaves with the next datagram, and all that waits with it.
    Now,
    /// Others are expected soon: it waits for one that says `Now`, at most for the window.
    Soon,
}

/// A packet with its length before it, in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// Where it begins, counted from the first byte that ever was in the store; wraps.
    start: u32,
    len: u16,
}

/// What waits for one link.
#[derive(Debug, Default)]
struct Outbox {
    pieces: Vec<Piece>,
    /// When it has to leave, if nothing flushes it before.
    due: Option<Instant>,
    /// It is among those that leave next.
    is_ready: bool,
}

/// All packets that wait, of all links.
#[derive(Debug, Default)]
pub struct Outboxes {
    window: Duration,
    /// Packets, each with its length before it. `base` was cleared away before.
    store: Vec<u8>,
    base: u32,
    /// With so many bytes the store is cleared away.
    clear_at: usize,
    /// By link.
    boxes: Vec<Outbox>,
    /// Links by when they are due. An entry that its link's own time differs from is of before.
    due: VecDeque<(Instant, u32)>,
    /// Links whose packets leave next, each once.
    ready: VecDeque<u32>,
    /// Links for which something waits.
    waiting: usize,
    /// The sealed part that was made last, and of what: the next listener of a room mostly gets the same.
    last: (Vec<Piece>, Vec<u8>),
    dropped: u64,
}

impl Outboxes {
    /// Outboxes whose packets wait at most so long; 0: not at all.
    pub fn new(window: Duration) -> Self {
        Self { window, clear_at: CLEAR_AWAY, ..Self::default() }
    }

    /// Packets that gave way to newer ones for the same link.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Makes room for a link.
    pub fn grow(&mut self, links: usize) {
        if self.boxes.len() < links {
            self.boxes.resize_with(links, Outbox::default);
        }
    }

    /// Keeps a packet of 1 to 32,767 bytes for those links that [`Outboxes::add`] names next.
    pub fn keep(&mut self, packet: &[u8]) -> Kept {
        self.clear_away();
        let start = self.store.len();
        pack::pack(packet, &mut self.store);
        Kept(Piece { start: self.base.wrapping_add(start as u32), len: (self.store.len() - start) as u16 })
    }

    /// Puts a kept packet by for a link.
    pub fn add(&mut self, now: Instant, link: u32, Kept(piece): Kept, flush: Flush) {
        let Some(outbox) = self.boxes.get_mut(link as usize) else { return };
        if outbox.pieces.is_empty() {
            self.waiting += 1;
        } else if outbox.pieces.len() >= MOST_WAITING {
            outbox.pieces.remove(0);
            self.dropped += 1;
        }
        outbox.pieces.push(piece);
        if flush == Flush::Now || self.window.is_zero() {
            self.make_ready(link);
        } else if outbox.due.is_none() && !outbox.is_ready {
            let at = now + self.window;
            outbox.due = Some(at);
            self.due.push_back((at, link));
        }
    }

    /// Lets what waits for a link leave.
    pub fn flush(&mut self, link: u32) {
        if self.boxes.get(link as usize).is_some_and(|outbox| !outbox.pieces.is_empty()) {
            self.make_ready(link);
        }
    }

    /// Puts a link among those that leave next, whether anything waits for it or not.
    pub fn make_ready(&mut self, link: u32) {
        if let Some(outbox) = self.boxes.get_mut(link as usize)
            && !std::mem::replace(&mut outbox.is_ready, true)
        {
            outbox.due = None;
            self.ready.push_back(link);
        }
    }

    /// When the next link is due. Never later than that; earlier if it has left meanwhile.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due.front().map(|(at, _)| *at)
    }

    /// Lets those leave that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, link)) = self.due.front() {
            let is_of_before = self.boxes.get(link as usize).is_none_or(|outbox| outbox.due != Some(at));
            if !is_of_before && at > now {
                return;
            }
            self.due.pop_front();
            if !is_of_before {
                self.make_ready(link);
            }
        }
    }

    /// The link that leaves next.
    pub fn next_ready(&self) -> Option<u32> {
        self.ready.front().copied()
    }

    /// The link that leaves next has nothing more to send.
    pub fn pop_ready(&mut self) {
        if let Some(outbox) = self.ready.pop_front().and_then(|link| self.boxes.get_mut(link as usize)) {
            outbox.is_ready = false;
        }
    }

    /// Takes the packets of the next datagram to a link: what is to be sent, and how many packets that is. It has at most `room` bytes, or one packet.
    pub fn take(&mut self, link: u32, room: usize) -> Option<(&[u8], usize)> {
        let outbox = self.boxes.get_mut(link as usize)?;
        let (mut count, mut bytes) = (0, 0);
        while let Some(piece) =
            outbox.pieces.get(count).filter(|piece| count == 0 || bytes + usize::from(piece.len) <= room)
        {
            bytes += usize::from(piece.len);
            count += 1;
        }
        let (pieces, plain) = &mut self.last;
        if outbox.pieces[..count] != pieces[..] {
            pieces.clear();
            pieces.extend_from_slice(&outbox.pieces[..count]);
            plain.clear();
            for piece in &*pieces {
                let start = piece.start.wrapping_sub(self.base) as usize;
                plain.extend_from_slice(self.store.get(start..start + usize::from(piece.len)).unwrap_or_default());
            }
        }
        outbox.pieces.drain(..count);
        if count > 0 && outbox.pieces.is_empty() {
            self.waiting -= 1;
        }
        (count > 0).then_some((plain.as_slice(), count))
    }

    /// Whether anything waits for a link.
    pub fn is_empty(&self, link: u32) -> bool {
        self.boxes.get(link as usize).is_none_or(|outbox| outbox.pieces.is_empty())
    }

    /// Forgets what waits for a link; how many packets that was.
    pub fn forget(&mut self, link: u32) -> usize {
        let Some(outbox) = self.boxes.get_mut(link as usize) else { return 0 };
        outbox.due = None;
        let count = outbox.pieces.len();
        if count > 0 {
            outbox.pieces.clear();
            self.waiting -= 1;
        }
        count
    }

    /// Nobody's packets go at once; those before the oldest that anybody waits for only when they have become many.
    fn clear_away(&mut self) {
        if self.waiting == 0 {
            self.base = self.base.wrapping_add(self.store.len() as u32);
            self.store.clear();
        } else if self.store.len() >= self.clear_at {
            let oldest = self.boxes.iter().filter_map(|outbox| outbox.pieces.first());
            let oldest = oldest.map(|piece| piece.start.wrapping_sub(self.base) as usize).min();
            let gone = oldest.unwrap_or(self.store.len());
            self.store.drain(..gone);
            self.base = self.base.wrapping_add(gone as u32);
            // To look costs a walk over all links, so it is done the more seldom the more there is.
            self.clear_at = CLEAR_AWAY.max(2 * self.store.len());
        }
    }
}

/// A packet in the store of an [`Outboxes`].
#[derive(Debug, Clone, Copy)]
pub struct Kept(Piece);
