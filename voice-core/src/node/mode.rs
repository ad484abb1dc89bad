//! What a node is, and how it becomes something else.

use super::{Node, PARTING};
use crate::{client::ClientMemory, server::ServerMemory, types::Instant};

/// Which of client and server a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Neither.
    #[default]
    None,
    /// A client of a server elsewhere.
    Client,
    /// A server without a client of its own.
    DedicatedServer,
    /// A server, and a client of it.
    Host,
}

impl Mode {
    /// All modes.
    pub const ALL: [Self; 4] = [Self::None, Self::Client, Self::DedicatedServer, Self::Host];
}

/// What the game's own session is doing; see [`Node::follow`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct GameSession {
    /// Whether it runs a server here.
    pub server: bool,
    /// Whether it runs a client here.
    pub client: bool,
}

impl GameSession {
    /// The mode that matches.
    pub const fn mode(self) -> Mode {
        match (self.server, self.client) {
            (false, false) => Mode::None,
            (false, true) => Mode::Client,
            (true, false) => Mode::DedicatedServer,
            (true, true) => Mode::Host,
        }
    }
}

/// By which transport a client reaches its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    Nothing,
    Adapter,
    Loopback,
}

impl Via {
    const fn of(mode: Mode) -> Self {
        match mode {
            Mode::None | Mode::DedicatedServer => Self::Nothing,
            Mode::Client => Self::Adapter,
            Mode::Host => Self::Loopback,
        }
    }
}

impl<CM: ClientMemory, SM: ServerMemory, B: AsMut<[u8]>> Node<CM, SM, B> {
    pub(super) const fn wants_server(&self) -> bool {
        matches!(self.mode, Mode::DedicatedServer | Mode::Host)
    }

    /// Takes the steps towards the mode that can be taken now. The rest is taken on later turns.
    pub(super) fn follow_mode(&mut self, now: Instant) {
        if self.running && !self.wants_server() {
            self.stop_server(now);
        } else if !self.running && self.wants_server() {
            self.start_server(now);
        }
        let via = Via::of(self.mode);
        if self.via != via && !self.leaving {
            self.leaving = true;
            self.client.disconnect(now);
        }
        if self.leaving && self.client.transport_wanted().is_none() {
            self.leaving = false;
            self.via = via;
            if via != Via::Nothing {
                self.client.connect(now);
            }
        }
    }

    pub(super) fn stop_server(&mut self, now: Instant) {
        self.server.stop(now);
        self.running = false;
        self.parted_at = Some(now);
    }

    /// A session begins when the clients of the one before have been told that it is over.
    fn start_server(&mut self, now: Instant) {
        if self.parted_at.is_some_and(|at| now < at.after(PARTING) && !self.server.has_told_everybody()) {
            return;
        }
        self.parted_at = None;
        self.running = true;
        self.server.start(now);
    }

    /// The attempt for which the client wants the loopback.
    pub(super) fn loopback_wanted(&self) -> Option<u32> {
        self.client.transport_wanted().filter(|_| self.via == Via::Loopback)
    }

    /// Opens and closes the loopback as the client wants it, and as the server lets it.
    pub(super) fn follow_client(&mut self, now: Instant) {
        if self.loopback.is_hung_up() {
            self.close_loopback(now);
            self.client.handle_disconnected(now);
        }
        let wanted = self.loopback_wanted();
        if !self.loopback.differs(wanted) {
            return;
        }
        self.close_loopback(now);
        let Some(attempt) = wanted else { return };
        let connection = if self.running { self.server.handle_connected(now).ok() } else { None };
        match connection {
            Some(connection) => {
                self.loopback.open(attempt, connection);
                self.server.set_local_connection(Some(connection));
                self.client.handle_connected(now);
            }
            None => self.client.handle_disconnected(now),
        }
    }

    fn close_loopback(&mut self, now: Instant) {
        if let Some(connection) = self.loopback.close() {
            self.server.set_local_connection(None);
            self.server.handle_disconnected(now, connection);
        }
    }
}
