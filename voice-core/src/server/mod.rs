//! The server: seats, rooms, who hears whom. docs/ARCHITECTURE.md tells the life of a voice frame through it.
//!
//! | to change | open |
//! |---|---|
//! | how a client gets a seat | `join.rs` |
//! | what is checked on every packet | `receive.rs` |
//! | rooms, mutes, blocks | `rooms.rs` |
//! | who gets a voice packet | `voice.rs`, `forward.rs` |
//! | texts and rendezvous | `posts.rs` |
//! | which frames should arrive together, and wait for each other | `phase.rs` |
//! | what listeners report of speakers | `reports.rs` |
//! | what is sent, and in which order | `transmit.rs` |
//! | what the embedder may do | `moderation.rs` |
//! | time | `engine.rs` |

mod engine;
mod events;
mod forward;
mod info;
mod join;
mod memory;
mod moderation;
mod pairs;
mod phase;
mod posts;
mod receive;
mod reports;
mod rooms;
mod tables;
mod transmit;
mod voice;

use core::time::Duration;

use engine::{Engine, State};
pub use events::{LeaveReason, ServerEvent};
pub use forward::Forward;
pub use info::{ClientInfo, JoinRequest, RoomInfo};
pub use memory::{ServerMemory, ServerStorage, server_words};
pub use moderation::ModerationError;
pub use tables::{Connection, LinkReport, PendingJoin, Post, Room, Seat};

use crate::{
    types::{
        ClientId, ConnectionId, Counters, Delivery, DropCounts, DropReason, Identity, Instant, Priority, RoomId,
        SessionId, Transmit,
    },
    wire::{FEATURE_DIRECT, FEATURE_PHASE, FEATURE_REPORTS, Voice, limits},
};

/// Who may join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Everybody.
    AcceptAll,
    /// Whom the embedder accepts: each join is an event that waits for an answer.
    Ask,
}

/// What a server is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerConfig {
    /// Who may join.
    pub admission: Admission,
    /// How long a seat without a connection is kept.
    pub grace: Duration,
    /// Features offered: any of [`FEATURE_DIRECT`], [`FEATURE_REPORTS`] and [`FEATURE_PHASE`].
    pub features: u32,
    /// How long a transport lets voice wait at most for that of other speakers to the same listener: see [`Forward::is_last`]. 0: it doesn't wait.
    /// At most 10 ms make sense, half a usual frame.
    pub window: Duration,
}

impl ServerConfig {
    /// Everybody may join, 30 s of grace, all features, a window of 5 ms.
    pub const DEFAULT: Self = Self {
        admission: Admission::AcceptAll,
        grace: limits::GRACE,
        features: FEATURE_DIRECT | FEATURE_REPORTS | FEATURE_PHASE,
        window: Duration::from_millis(5),
    };
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// No connection is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerFull;

/// One session, its clients and rooms.
///
/// Getters look; `handle_*` takes input; commands change; `poll_*` drains output. No order of calls is wrong: who forgets to drain finds
/// events dropped and counted, and packets waiting.
///
/// ```
/// use voice_core::{Delivery, Instant, Server, ServerConfig, server_storage};
///
/// let mut server = Server::new(ServerConfig::DEFAULT, 42, server_storage!(clients: 8, rooms: 4));
/// let now = Instant::ORIGIN;
/// let connection = server.handle_connected(now).unwrap();
/// let mut datagram = [0x80, 1, 2]; // Nonsense from the network is counted, not an error.
/// let mut forward = server.handle_packet(now, connection, Delivery::Unreliable, &mut datagram);
/// while let Some((bytes, connections)) = forward.next() {
///     // Send `bytes` to each of `connections`, unreliably.
/// }
/// let mut buffer = [0; 1200];
/// while let Some(transmit) = server.poll_transmit(now, &mut buffer) {
///     // Send `buffer[..transmit.len]`.
/// }
/// assert_eq!(server.drops().total(), 1);
/// ```
#[derive(Debug)]
pub struct Server<M> {
    state: State,
    memory: M,
}

impl<M> Server<M> {
    /// Makes a server. On a real network the seed must come from the operating system: all secrets come from it.
    pub const fn new(config: ServerConfig, seed: u64, memory: M) -> Self {
        Self { state: State::new(config, seed), memory }
    }

    /// How often input was dropped, and why.
    pub const fn drops(&self) -> &DropCounts {
        &self.state.drops
    }

    /// Packets and bytes.
    pub const fn counters(&self) -> &Counters {
        &self.state.counters
    }

    /// Seats taken, those without a connection included.
    pub const fn client_count(&self) -> usize {
        self.state.clients as usize
    }
}

impl<M: ServerMemory> Server<M> {
    fn engine(&mut self) -> Engine<'_> {
        Engine::new(&mut self.state, self.memory.tables_mut())
    }

    /// The next event; at most 256 wait, then the oldest is dropped and counted. [`ServerEvent::Disconnect`] comes after all others and is never dropped.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        let event = self.state.events.pop_front();
        event.or_else(|| self.engine().poll_untold().map(|connection| ServerEvent::Disconnect { connection }))
    }

    /// The session's number.
    pub fn session(&mut self) -> SessionId {
        self.engine().session()
    }

    /// Takes in a transport connection that has come up.
    ///
    /// # Errors
    /// [`ServerFull`] if no connection is free; close the transport.
    pub fn handle_connected(&mut self, now: Instant) -> Result<ConnectionId, ServerFull> {
        let now = self.state.tick(now);
        self.engine().connected(now).ok_or(ServerFull)
    }

    /// Notes that a transport connection is gone; the seat waits for the grace period.
    pub fn handle_disconnected(&mut self, now: Instant, connection: ConnectionId) {
        let now = self.state.tick(now);
        self.engine().disconnected(now, connection);
    }

    /// Takes a packet of a connection; gives the voice that is to be sent on at once.
    pub fn handle_packet<'p>(
        &mut self,
        now: Instant,
        from: ConnectionId,
        delivery: Delivery,
        packet: &'p mut [u8],
    ) -> Forward<'_, 'p> {
        let now = self.state.tick(now);
        match delivery {
            Delivery::Reliable => self.state.counters.reliable_in.add(packet.len()),
            Delivery::Unreliable => self.state.counters.unreliable_in.add(packet.len()),
        }
        if packet.first().is_none_or(|first| *first < 0x80) {
            self.engine().on_control(now, from, delivery, packet);
            return Forward::nothing(packet);
        }
        self.state.counters.voice_in.add(packet.len());
        if delivery == Delivery::Reliable {
            self.state.drops.add(DropReason::WrongDelivery);
            return Forward::nothing(packet);
        }
        self.engine().on_voice(now, from, packet)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.state.tick(now);
        self.engine().timed_out(now);
    }

    /// Writes the next packet into `out`, which has to hold 1,200 bytes: nothing is written into less, and the packet waits.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        let now = self.state.tick(now);
        self.engine().poll_transmit(now, out)
    }

    /// When [`Server::handle_timeout`] or [`Server::poll_transmit`] has something to do; `None` if only input can change anything.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let tables = self.memory.tables();
        self.state.next_at(tables.seats, tables.connections)
    }

    /// Names the connection of the client in the same process, if there is one: voice for it is kept apart.
    pub(crate) fn set_local_connection(&mut self, local: Option<ConnectionId>) {
        self.state.local = local;
    }

    /// Accepts a join that waits. `identity` is what bans go by; `Identity(0)` can't be banned.
    ///
    /// It may be looked at for as long as the connection lives (10 s): what [`Server::pending_join`] shows of a connection stays the same until it is
    /// accepted, refused, ended by [`Server::stop`], or gone with the connection. Another Hello doesn't take its place.
    ///
    /// # Errors
    /// [`ModerationError::NoSuchJoin`] if none waits on this connection.
    pub fn accept(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        identity: Identity,
    ) -> Result<(), ModerationError> {
        let now = self.state.tick(now);
        self.engine().accept(now, connection, identity)
    }

    /// Refuses a join that waits; `reason` 128 to 255 is the embedder's own, anything else says "not admitted".
    ///
    /// # Errors
    /// [`ModerationError::NoSuchJoin`] if none waits on this connection.
    pub fn refuse(&mut self, now: Instant, connection: ConnectionId, reason: u8) -> Result<(), ModerationError> {
        self.state.tick(now);
        self.engine().refuse_join(connection, reason)
    }

    /// Throws a client out; `reason` 128 to 255 is the embedder's own, anything else says "kicked". It may join again.
    ///
    /// # Errors
    /// [`ModerationError::NoSuchClient`].
    pub fn kick(&mut self, now: Instant, client: ClientId, reason: u8) -> Result<(), ModerationError> {
        self.state.tick(now);
        self.engine().kick(client, reason)
    }

    /// Throws a client out and bans its identity.
    ///
    /// # Errors
    /// [`ModerationError::NoSuchClient`]; [`ModerationError::NoIdentity`] if it was accepted with identity 0;
    /// [`ModerationError::BansFull`] after 256.
    pub fn ban(&mut self, now: Instant, client: ClientId) -> Result<(), ModerationError> {
        self.state.tick(now);
        self.engine().ban(client)
    }

    /// Bans an identity; whoever has it and is here is thrown out.
    ///
    /// # Errors
    /// [`ModerationError::NoIdentity`] for 0; [`ModerationError::BansFull`] after 256.
    pub fn ban_identity(&mut self, now: Instant, identity: Identity) -> Result<(), ModerationError> {
        self.state.tick(now);
        self.engine().ban_identity(identity)
    }

    /// Lets an identity in again.
    pub fn unban(&mut self, identity: Identity) {
        self.state.bans.retain(|banned| *banned != identity);
    }

    /// Mutes a client for all, or no longer.
    ///
    /// # Errors
    /// [`ModerationError::NoSuchClient`].
    pub fn set_server_mute(&mut self, now: Instant, client: ClientId, muted: bool) -> Result<(), ModerationError> {
        self.state.tick(now);
        self.engine().set_server_mute(client, muted)
    }

    /// Takes a client out of a room; it is told, and may ask to use it again.
    ///
    /// # Errors
    /// [`ModerationError::NoSuchClient`], [`ModerationError::NoSuchRoom`] if it doesn't use it.
    pub fn remove_from_room(&mut self, now: Instant, client: ClientId, room: RoomId) -> Result<(), ModerationError> {
        self.state.tick(now);
        self.engine().remove_from_room(client, room)
    }

    /// Throws everybody out and admits nobody any more.
    pub fn stop(&mut self, now: Instant) {
        self.state.tick(now);
        self.engine().stop();
    }

    /// Admits clients again after [`Server::stop`], as a new session. Without a stop before, nothing happens.
    pub fn start(&mut self, now: Instant) {
        self.state.tick(now);
        self.engine().start();
    }

    /// Whether nothing waits to be sent to anybody.
    pub(crate) const fn has_told_everybody(&self) -> bool {
        self.state.busy.is_empty()
    }

    /// A join that waits for an answer.
    pub fn pending_join(&self, connection: ConnectionId) -> Option<JoinRequest<'_>> {
        self.memory.tables().pending_join(connection)
    }

    /// A client of the session.
    pub fn client(&self, client: ClientId) -> Option<ClientInfo<'_>> {
        self.memory.tables().client(client)
    }

    /// All clients of the session, by seat.
    pub fn clients(&self) -> impl Iterator<Item = ClientInfo<'_>> {
        self.memory.tables().clients()
    }

    /// The priority of a voice packet that came in: the highest of its channels', its speaker's own for those that have none. For an embedder that
    /// gets more than it can pass on, and has to choose.
    pub fn voice_priority(&self, from: ConnectionId, voice: &Voice<'_>) -> Priority {
        self.memory.tables().voice_priority(from, voice)
    }

    /// A room.
    pub fn room(&self, room: RoomId) -> Option<RoomInfo<'_>> {
        self.memory.tables().room(room)
    }

    /// All rooms.
    pub fn rooms(&self) -> impl Iterator<Item = RoomInfo<'_>> {
        self.memory.tables().rooms()
    }
}
