//! Relayed voice that has come in, until the client's loop turns: the next tick of its audio clock, or anything else that the client is told or
//! asked. A game's loop reads its socket like that, once per turn; and a simulator of a thousand clients has each of them in its caches for one
//! visit instead of three. The client is told when each packet came, and nothing is pulled in between, so nothing that is heard or sent changes.

use voice_core::{Delivery, Instant, Source};

use crate::{
    net::{ConnId, PacketBytes},
    person::HeapClient,
};

/// A packet, and when it came by the client's own clock.
struct Arrived {
    now: Instant,
    conn: ConnId,
    bytes: PacketBytes,
}

/// What has come for one client.
#[derive(Default)]
pub(crate) struct Inbox {
    packets: Vec<Arrived>,
    /// Whether the world has it on its list of those that may not be empty.
    listed: bool,
}

impl Inbox {
    /// Whether a packet may wait here: nobody but the client's listener can tell.
    pub(crate) fn takes(reliable: bool, bytes: &[u8]) -> bool {
        !reliable && bytes.first().is_some_and(|first| *first >= 0x80)
    }

    /// Puts a packet by; whether the inbox has to be listed.
    pub(crate) fn put(&mut self, now: Instant, conn: ConnId, bytes: PacketBytes) -> bool {
        self.packets.push(Arrived { now, conn, bytes });
        !std::mem::replace(&mut self.listed, true)
    }

    /// It is on the list no longer.
    pub(crate) const fn unlist(&mut self) {
        self.listed = false;
    }

    /// Hands all to the client that came by the connection it has now; whether there was any.
    pub(crate) fn hand_over(&mut self, conn: Option<ConnId>, client: &mut HeapClient) -> bool {
        let any = !self.packets.is_empty();
        for packet in self.packets.drain(..) {
            if conn == Some(packet.conn) {
                client.handle_packet(packet.now, Source::Server, Delivery::Unreliable, &packet.bytes);
            }
        }
        any
    }
}
