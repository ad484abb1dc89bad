//! What waits for a client until its loop turns: relayed voice that has come in.
//!
//! A game's loop reads its socket like that, once per turn; and a simulator of a thousand clients has each of them in its caches for one visit
//! instead of many. The client is told when each packet came, so nothing that is heard or sent changes.

use crate::net::{ConnId, PacketBytes};

/// A packet that came by a connection, at a true time, µs.
pub(crate) struct Letter {
    pub(crate) at: u64,
    pub(crate) conn: ConnId,
    pub(crate) bytes: PacketBytes,
}

/// What waits for one client.
#[derive(Default)]
pub(crate) struct Inbox {
    letters: Vec<Letter>,
    /// Whether the world has it on its list of those with whom something may wait.
    listed: bool,
}

impl Inbox {
    /// Whether a packet may wait here: nobody but the client's listener can tell.
    pub(crate) fn takes(reliable: bool, bytes: &[u8]) -> bool {
        !reliable && bytes.first().is_some_and(|first| *first >= 0x80)
    }

    /// Puts a packet by; whether the person has to be listed.
    pub(crate) fn put(&mut self, letter: Letter) -> bool {
        self.letters.push(letter);
        self.list()
    }

    /// Whether the person has to be listed; it is from now on.
    pub(crate) const fn list(&mut self) -> bool {
        !std::mem::replace(&mut self.listed, true)
    }

    /// It is on the list no longer.
    pub(crate) const fn unlist(&mut self) {
        self.listed = false;
    }

    /// All packets in the order in which they came; [`Inbox::give_back`] takes the emptied list for its memory.
    pub(crate) fn take(&mut self) -> Vec<Letter> {
        std::mem::take(&mut self.letters)
    }

    /// Takes an emptied list back.
    pub(crate) fn give_back(&mut self, empty: Vec<Letter>) {
        self.letters = empty;
    }
}
