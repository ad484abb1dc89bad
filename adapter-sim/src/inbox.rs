//! What waits for a client until its loop turns: relayed voice that has come in, and ticks of its audio clock that nobody has to see at their time.
//!
//! A game's loop reads its socket like that, once per turn; and a simulator of a thousand clients has each of them in its caches for one visit
//! instead of many. The client is told when each packet came and when each tick was, in their order, so nothing that is heard or sent changes.

use voice_core::Instant;

use crate::net::{ConnId, PacketBytes};

/// Ticks of somebody who only listens that wait at most: 240 ms of usual frames. More make no run faster.
const MOST_TICKS: u8 = 12;

/// One thing that waits.
pub(crate) enum Waiting {
    /// A packet came by this connection.
    Packet {
        /// When, by the client's own clock.
        now: Instant,
        conn: ConnId,
        bytes: PacketBytes,
    },
    /// The audio clock ticked.
    Tick {
        /// True time, µs.
        now: u64,
        /// The client's own.
        local: Instant,
    },
}

/// What waits for one client.
#[derive(Default)]
pub(crate) struct Inbox {
    waiting: Vec<Waiting>,
    ticks: u8,
    /// Whether the world has it on its list of those that may not be empty.
    listed: bool,
}

impl Inbox {
    /// Whether a packet may wait here: nobody but the client's listener can tell.
    pub(crate) fn takes(reliable: bool, bytes: &[u8]) -> bool {
        !reliable && bytes.first().is_some_and(|first| *first >= 0x80)
    }

    /// Whether another tick may wait here.
    pub(crate) const fn takes_tick(&self) -> bool {
        self.ticks < MOST_TICKS
    }

    /// Puts something by; whether the inbox has to be listed.
    pub(crate) fn put(&mut self, what: Waiting) -> bool {
        self.ticks += u8::from(matches!(what, Waiting::Tick { .. }));
        self.waiting.push(what);
        !std::mem::replace(&mut self.listed, true)
    }

    /// It is on the list no longer.
    pub(crate) const fn unlist(&mut self) {
        self.listed = false;
    }

    /// All that waits, in the order in which it came; [`Inbox::give_back`] takes the emptied list for its memory.
    pub(crate) fn take(&mut self) -> Vec<Waiting> {
        self.ticks = 0;
        std::mem::take(&mut self.waiting)
    }

    /// Takes an emptied list back.
    pub(crate) fn give_back(&mut self, empty: Vec<Waiting>) {
        self.waiting = empty;
    }
}
