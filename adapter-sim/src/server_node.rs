//! The server's core between the network's connections and its own.

use voice_core::{Connection, ConnectionId, Instant, PendingJoin, Post, Room, Seat, Server, ServerStorage};

use crate::net::ConnId;

/// A server with its tables on the heap.
pub type HeapServer = Server<
    ServerStorage<Vec<Seat>, Vec<Room>, Vec<u64>, Vec<Connection>, Vec<Post>, Vec<PendingJoin>, Vec<ConnectionId>>,
>;

/// The server, and which of its connections is which of the network's.
pub(crate) struct ServerNode {
    pub(crate) server: HeapServer,
    /// By the network's number.
    pub(crate) core_of: Vec<Option<ConnectionId>>,
    /// By the core's index.
    pub(crate) net_of: Vec<Option<ConnId>>,
}

impl ServerNode {
    pub(crate) fn connected(&mut self, now: Instant, conn: ConnId) -> bool {
        let Ok(connection) = self.server.handle_connected(now) else { return false };
        if self.core_of.len() <= conn.index() {
            self.core_of.resize(conn.index() + 1, None);
        }
        self.core_of[conn.index()] = Some(connection);
        if let Some(slot) = self.net_of.get_mut(connection.index()) {
            *slot = Some(conn);
        }
        true
    }

    pub(crate) fn core(&self, conn: ConnId) -> Option<ConnectionId> {
        self.core_of.get(conn.index()).copied().flatten()
    }

    pub(crate) fn disconnected(&mut self, now: Instant, conn: ConnId) {
        let Some(connection) = self.core_of.get_mut(conn.index()).and_then(Option::take) else { return };
        self.server.handle_disconnected(now, connection);
        if let Some(slot) = self.net_of.get_mut(connection.index()) {
            *slot = None;
        }
    }
}
