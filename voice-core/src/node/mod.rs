//! A client and a server in one program: modes, and the loopback between the two of a host.
//!
//! One rule is kept: nothing is re-entrant. What client and server of a host say to each other is queued when it is
//! polled, and delivered on a later call; so neither is ever called out of the other, and it doesn't matter which of them is
//! there, starting or stopping.

mod loopback;
mod mode;

use core::time::Duration;

use loopback::{Loopback, Side};
use mode::Via;
pub use mode::{GameSession, Mode};

use crate::{
    client::{Client, ClientEvent, ClientMemory},
    server::{Forward, Server, ServerEvent, ServerFull, ServerMemory},
    types::{ConnectionId, Delivery, Instant, Route, Source, Transmit},
};

/// How long a server that starts again waits for the words of parting of its last session to be fetched.
const PARTING: Duration = Duration::from_secs(1);

/// A client, a server, or both, as the [`Mode`] says. Every mode can become every other at any time.
///
/// In [`Mode::Host`] the client reaches the server through memory: the adapter sees neither the client's transport nor the
/// packets on it. Everything else is as with [`Client`] and [`Server`] alone: `handle_*` takes input, `poll_*` drains output,
/// and no order of calls is wrong. Getters and commands are those of [`Node::client_mut`] and [`Node::server_mut`]; packets, events and time go
/// through the node.
#[derive(Debug)]
pub struct Node<CM, SM, B> {
    client: Client<CM>,
    server: Server<SM>,
    loopback: Loopback<B>,
    now: Instant,
    mode: Mode,
    /// By which transport the client joins, or takes its leave.
    via: Via,
    /// Whether the client takes its leave, to come back by another transport or not at all.
    leaving: bool,
    /// Whether the server admits clients.
    running: bool,
    /// When the server's last session ended, as long as it may have words of parting to send.
    parted_at: Option<Instant>,
}

impl<CM: ClientMemory, SM: ServerMemory, B: AsMut<[u8]>> Node<CM, SM, B> {
    /// Makes a node of [`Mode::None`].
    ///
    /// `loopback` holds what client and server of a host say to each other, one half for each direction: 2,408 bytes at least,
    /// 8 KiB or more to be on the safe side. When it is full, voice is dropped and counted, and everything else waits.
    pub const fn new(client: Client<CM>, server: Server<SM>, loopback: B) -> Self {
        Self {
            client,
            server,
            loopback: Loopback::new(loopback),
            now: Instant::ORIGIN,
            mode: Mode::None,
            via: Via::Nothing,
            leaving: false,
            running: false,
            parted_at: None,
        }
    }

    /// What the node is, or is becoming.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The client; in a mode without one it is Disconnected.
    pub const fn client(&self) -> &Client<CM> {
        &self.client
    }

    /// The client, for commands.
    pub const fn client_mut(&mut self) -> &mut Client<CM> {
        &mut self.client
    }

    /// The server; in a mode without one it has no clients.
    pub const fn server(&self) -> &Server<SM> {
        &self.server
    }

    /// The server, for commands.
    pub const fn server_mut(&mut self) -> &mut Server<SM> {
        &mut self.server
    }

    /// The connection of the host's own client, which is none of the adapter's.
    pub fn local_connection(&self) -> Option<ConnectionId> {
        self.loopback.connection()
    }

    /// Packets dropped between client and server of a host: the loopback was full, or the other side was not there.
    pub const fn loopback_drops(&self) -> u64 {
        self.loopback.drops()
    }

    /// Becomes another mode. What the client wants (rooms, channels, mutes) stays; who was connected to the server is told.
    pub fn set_mode(&mut self, now: Instant, mode: Mode) {
        let now = self.tick(now);
        self.mode = mode;
        self.follow_mode(now);
    }

    /// Becomes what the game's own session is. To be called every tick, or whenever it changed.
    pub fn follow(&mut self, now: Instant, session: GameSession) {
        self.set_mode(now, session.mode());
    }

    /// Ends the server's session and begins another. Its clients come back by themselves. Without a server, nothing happens.
    pub fn restart_server(&mut self, now: Instant) {
        let now = self.tick(now);
        if self.running {
            self.stop_server(now);
            self.follow_mode(now);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.turn(now);
        self.client.handle_timeout(now);
        self.server.handle_timeout(now);
        self.follow_mode(now);
        self.follow_client(now);
    }

    /// When [`Node::handle_timeout`], [`Node::poll_loopback`] or [`Node::poll_transmit`] has something to do; `None` if only input
    /// can change anything.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.has_turn() {
            return Some(self.now);
        }
        let start = self.parted_at.filter(|_| self.wants_server() && !self.running).map(|at| at.after(PARTING));
        [self.client.poll_timeout(), self.server.poll_timeout(), start].into_iter().flatten().min()
    }

    /// Gives the server the next packet of the host's own client; gives the voice that is to be sent on at once.
    /// `None` when no packet waits.
    pub fn poll_loopback(&mut self, now: Instant) -> Option<Forward<'_, '_>> {
        let now = self.turn(now);
        let (connection, delivery, packet) = self.loopback.take_for_server()?;
        Some(self.server.handle_packet(now, connection, delivery, packet))
    }

    /// Writes the next packet for the adapter into `out`, which has to hold 1,200 bytes. Where it goes tells whose it is:
    /// [`Route::Server`] and [`Route::Path`] the client's, [`Route::Client`] the server's.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        let now = self.tick(now);
        self.poll_client(now, out).or_else(|| self.poll_server(now, out))
    }

    /// The client's next event.
    pub fn poll_client_event(&mut self) -> Option<ClientEvent> {
        self.client.poll_event()
    }

    /// The server's next event. The adapter never has to close the connection of the host's own client.
    pub fn poll_server_event(&mut self) -> Option<ServerEvent> {
        loop {
            match self.server.poll_event()? {
                ServerEvent::Disconnect { connection } if self.loopback.is_local(connection) => self.loopback.hang_up(),
                event => return Some(event),
            }
        }
    }

    // The client's side of the adapter.

    /// Whether the adapter should have a transport to a server open, as [`Client::transport_wanted`]; never one to itself.
    pub fn transport_wanted(&self) -> Option<u32> {
        self.client.transport_wanted().filter(|_| self.via == Via::Adapter)
    }

    /// The client's transport is up. Ignored when none is wanted.
    pub fn handle_client_connected(&mut self, now: Instant) {
        let now = self.turn(now);
        if self.via == Via::Adapter {
            self.client.handle_connected(now);
        }
    }

    /// The client's transport is down, or can't come up. Ignored when none is wanted.
    pub fn handle_client_disconnected(&mut self, now: Instant) {
        let now = self.turn(now);
        if self.via == Via::Adapter {
            self.client.handle_disconnected(now);
        }
        self.follow_mode(now);
    }

    /// Takes a packet for the client. One from a server that isn't its own any more is dropped.
    pub fn handle_client_packet(&mut self, now: Instant, from: Source, delivery: Delivery, packet: &[u8]) {
        let now = self.turn(now);
        if from == Source::Server && self.via != Via::Adapter {
            return self.loopback.count_drop();
        }
        self.client.handle_packet(now, from, delivery, packet);
        self.follow_mode(now);
    }

    // The server's side of the adapter.

    /// Takes in a connection to the server.
    ///
    /// # Errors
    /// [`ServerFull`] if no connection is free, or there is no server; close the transport.
    pub fn handle_server_connected(&mut self, now: Instant) -> Result<ConnectionId, ServerFull> {
        let now = self.turn(now);
        if !self.running {
            return Err(ServerFull);
        }
        self.server.handle_connected(now)
    }

    /// Notes that a connection to the server is gone. The host's own client is none of the adapter's and stays.
    pub fn handle_server_disconnected(&mut self, now: Instant, connection: ConnectionId) {
        let now = self.turn(now);
        if !self.loopback.is_local(connection) {
            self.server.handle_disconnected(now, connection);
        }
    }

    /// Takes a packet of a connection to the server; gives the voice that is to be sent on at once. The host's own client gets its
    /// copy by itself.
    pub fn handle_server_packet<'p>(
        &mut self,
        now: Instant,
        from: ConnectionId,
        delivery: Delivery,
        packet: &'p mut [u8],
    ) -> Forward<'_, 'p> {
        let now = self.turn(now);
        if !self.running || self.loopback.is_local(from) {
            self.loopback.count_drop();
            return Forward::nothing(packet);
        }
        let mut forward = self.server.handle_packet(now, from, delivery, packet);
        if let Some(voice) = forward.local_copy() {
            self.loopback.push(Side::Client, Delivery::Unreliable, voice);
        }
        forward
    }
}

impl<CM: ClientMemory, SM: ServerMemory, B: AsMut<[u8]>> Node<CM, SM, B> {
    fn tick(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        // The halves count a time that went back, and clamp it by themselves.
        now
    }

    /// Begins a turn: what the loopback holds for the client is delivered.
    fn turn(&mut self, now: Instant) -> Instant {
        let now = self.tick(now);
        for _ in 0..self.loopback.waiting(Side::Client) {
            let Some((delivery, packet)) = self.loopback.take_for_client() else { break };
            self.client.handle_packet(now, Source::Server, delivery, packet);
        }
        self.follow_client(now);
        now
    }

    fn has_turn(&self) -> bool {
        let waiting = self.loopback.waiting(Side::Client) + self.loopback.waiting(Side::Server);
        let moved = self.leaving && self.client.transport_wanted().is_none();
        waiting > 0 || moved || self.loopback.differs(self.loopback_wanted())
    }

    fn poll_client(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        loop {
            if self.via == Via::Loopback && !self.loopback.has_room(Side::Server) {
                return None;
            }
            let transmit = self.client.poll_transmit(now, out)?;
            if transmit.to != Route::Server || self.via == Via::Adapter {
                return Some(transmit);
            }
            let packet = out.get(..transmit.len).unwrap_or_default();
            self.loopback.push(Side::Server, transmit.delivery, packet);
        }
    }

    fn poll_server(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        loop {
            if self.local_connection().is_some() && !self.loopback.has_room(Side::Client) {
                return None;
            }
            let transmit = self.server.poll_transmit(now, out)?;
            match transmit.to {
                Route::Client(connection) if self.loopback.is_local(connection) => {
                    let packet = out.get(..transmit.len).unwrap_or_default();
                    self.loopback.push(Side::Client, transmit.delivery, packet);
                }
                _ => return Some(transmit),
            }
        }
    }
}
