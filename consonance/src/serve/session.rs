//! The core's server and a transport, brought together: links become connections, packets go where the core says.

use std::{net::SocketAddr, time::Duration};

use adapter_udp::{Endpoint, Event, Fingerprint, LinkId};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use tracing::{debug, info, warn};
use voice_core::{
    Admission as Joining, Connection, ConnectionId, Delivery, Identity, PendingJoin, Post, Room, Route, Seat, Server,
    ServerConfig, ServerEvent, ServerStorage, server_storage_vec,
};

use super::{
    admission::{Admission, WRONG_PASSWORD},
    http::Metrics,
    state,
};
use crate::{clock::Now, server_state::ServerState};

pub(super) type Core = Server<
    ServerStorage<Vec<Seat>, Vec<Room>, Vec<u64>, Vec<Connection>, Vec<Post>, Vec<PendingJoin>, Vec<ConnectionId>>,
>;

/// What is known of a connection besides what the core knows.
#[derive(Clone, Copy)]
struct Line {
    link: LinkId,
    key: Option<Fingerprint>,
}

pub(crate) struct Session {
    core: Core,
    transport: Endpoint,
    admission: Admission,
    /// Most people.
    clients: usize,
    /// By the core's index of the connection.
    lines: Vec<Option<Line>>,
    /// By the transport's index of the link.
    connections: Vec<Option<ConnectionId>>,
}

impl Session {
    pub(crate) fn new(transport: Endpoint, admission: Admission, clients: usize, rooms: usize) -> Self {
        let config = ServerConfig { admission: Joining::Ask, ..ServerConfig::DEFAULT };
        let core = Server::new(config, seed(), server_storage_vec!(clients: clients, rooms: rooms));
        Self { core, transport, admission, clients, lines: Vec::new(), connections: Vec::new() }
    }

    pub(crate) fn handle_datagram(&mut self, now: Now, from: SocketAddr, datagram: &mut [u8]) {
        self.transport.handle_datagram(now.real, from, datagram);
        while let Some(event) = self.transport.poll_event() {
            self.on_event(now, event);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
        self.transport.handle_timeout(now.real);
        self.core.handle_timeout(now.core);
        while let Some(event) = self.transport.poll_event() {
            self.on_event(now, event);
        }
        self.drain(now);
    }

    /// The next datagram to send, in `out`, and where to.
    pub(crate) fn poll_datagram(&mut self, now: Now, out: &mut Vec<u8>) -> Option<SocketAddr> {
        self.transport.poll_transmit(now.real, out).map(|transmit| transmit.to)
    }

    /// How long nothing will be due, at most so long.
    pub(crate) fn until(&self, now: Now, most: Duration) -> Duration {
        now.until(self.transport.poll_timeout(), self.core.poll_timeout(), most)
    }

    /// Tells everybody that the server stops; they come back to the next one.
    pub(crate) fn say_goodbye(&mut self, now: Now) {
        self.core.stop(now.core);
        self.drain(now);
    }

    /// What it is at, for `/metrics`.
    pub(crate) fn metrics(&self) -> String {
        let mut page = Metrics::default();
        let away = self.core.clients().filter(|client| client.connection().is_none()).count();
        page.gauge(
            "clients",
            "People with a seat, those who are reconnecting included.",
            self.core.client_count() as u64,
        );
        page.gauge("clients_reconnecting", "People whose seat is kept for them.", away as u64);
        page.gauge("rooms", "Rooms in use.", self.core.rooms().count() as u64);
        page.gauge(
            "speakers",
            "People who speak now.",
            self.core.clients().filter(|client| client.is_speaking()).count() as u64,
        );
        page.gauge("links", "Connections of the transport, those being made included.", self.transport.links() as u64);
        let (core, traffic, drops) = (self.core.counters(), self.transport.traffic(), self.transport.drops());
        let ways = [("way=\"in\"", core.voice_in.packets), ("way=\"out\"", core.voice_out.packets)];
        page.counter("voice_packets_total", "Voice packets.", &ways);
        let ways = [("way=\"in\"", traffic.datagrams_in), ("way=\"out\"", traffic.datagrams_out)];
        page.counter("media_datagrams_total", "Sealed datagrams.", &ways);
        page.drops("datagrams", "Datagrams that the transport dropped.", state::by_reason(&drops));
        let reasons = self.core.drops().iter().map(|(reason, count)| (reason.name(), count));
        page.drops("packets", "Packets that the session dropped.", reasons);
        page.finish()
    }

    /// What it is at, for `/state`.
    pub(crate) fn state(&self, uptime_s: f64) -> ServerState {
        state::of(&self.core, &self.transport, self.clients, uptime_s)
    }

    fn on_event(&mut self, now: Now, event: Event) {
        match event {
            Event::Up(link, key) => {
                debug!(link = link.index(), peer = ?self.transport.peer(link).map(|(peer, _)| peer), "connected");
                let Ok(connection) = self.core.handle_connected(now.core) else {
                    return self.transport.close(now.real, link);
                };
                *place(&mut self.lines, connection.index()) = Some(Line { link, key });
                *place(&mut self.connections, link.index()) = Some(connection);
            }
            Event::Packet(link, delivery, bytes) => {
                self.on_packet(now, link, delivery, bytes.into());
                // Joins that wait for an answer have few places: none waits for the others that came at the same time.
                if delivery == Delivery::Reliable {
                    self.tell_all(now);
                }
            }
            Event::Down(link, reason) => {
                debug!(link = link.index(), ?reason, "disconnected");
                if let Some(connection) = self.connections.get_mut(link.index()).and_then(Option::take) {
                    self.lines[connection.index()] = None;
                    self.core.handle_disconnected(now.core, connection);
                }
            }
        }
    }

    fn on_packet(&mut self, now: Now, link: LinkId, delivery: Delivery, mut packet: Vec<u8>) {
        let Some(Some(from)) = self.connections.get(link.index()).copied() else { return };
        let Self { core, transport, lines, .. } = self;
        let mut forward = core.handle_packet(now.core, from, delivery, &mut packet);
        while let Some((bytes, to)) = forward.next() {
            for connection in to {
                if let Some(Some(line)) = lines.get(connection.index()) {
                    // Voice for somebody who is just leaving is of no use.
                    let _ = transport.send(now.real, line.link, Delivery::Unreliable, bytes);
                }
            }
        }
    }

    fn drain(&mut self, now: Now) {
        let mut buffer = [0; 1_200];
        while let Some(transmit) = self.core.poll_transmit(now.core, &mut buffer) {
            let Route::Client(to) = transmit.to else { continue };
            let Some(Some(line)) = self.lines.get(to.index()).copied() else { continue };
            let sent = self.transport.send(now.real, line.link, transmit.delivery, &buffer[..transmit.len]);
            if sent.is_err() && transmit.delivery == Delivery::Reliable {
                // A lane that takes no more is at an end: a gap in it would be worse.
                self.transport.close(now.real, line.link);
            }
        }
        self.tell_all(now);
    }

    fn tell_all(&mut self, now: Now) {
        while let Some(event) = self.core.poll_event() {
            self.tell(now, event);
        }
    }

    fn tell(&mut self, now: Now, event: ServerEvent) {
        let name = |core: &Core, id| core.client(id).map_or("?".to_owned(), |client| client.name().to_owned());
        match event {
            ServerEvent::JoinRequested { connection } => self.on_join(now, connection),
            ServerEvent::Disconnect { connection } => {
                if let Some(Some(line)) = self.lines.get(connection.index()).copied() {
                    self.transport.close(now.real, line.link);
                }
            }
            ServerEvent::Joined { id, resumed: false } => info!(client = %id, name = name(&self.core, id), "joined"),
            ServerEvent::Joined { id, resumed: true } => info!(client = %id, name = name(&self.core, id), "is back"),
            ServerEvent::Reconnecting { id } => info!(client = %id, name = name(&self.core, id), "lost its connection"),
            ServerEvent::Left { id, reason } => info!(client = %id, ?reason, "left"),
            // As often as it likes, so nothing that it could fill a log with.
            ServerEvent::SpoofedSender { id, claimed } => {
                debug!(client = %id, %claimed, "voice in another's name: dropped")
            }
            _ => {}
        }
    }

    fn on_join(&mut self, now: Now, connection: ConnectionId) {
        let Some(Some(line)) = self.lines.get(connection.index()).copied() else { return };
        let Some(request) = self.core.pending_join(connection) else { return };
        let Some((peer, _)) = self.transport.peer(line.link) else { return };
        let (name, admitted) =
            (request.name().to_owned(), self.admission.admit(now.core, peer.ip(), request.credential()));
        let done = match admitted {
            Ok(()) => self.core.accept(now.core, connection, identity(line.key)),
            Err(reason) => {
                match reason {
                    WRONG_PASSWORD => warn!(from = %peer, name, "refused: wrong password"),
                    // Said once already; somebody who goes on guessing shall not fill the log.
                    _ => debug!(from = %peer, name, reason, "refused"),
                }
                self.core.refuse(now.core, connection, reason)
            }
        };
        // A join that is gone by now needs no answer.
        let _ = done;
    }
}

/// Bans go by the key.
fn identity(key: Option<Fingerprint>) -> Identity {
    Identity(key.and_then(|key| key.0.first_chunk().copied()).map_or(0, u64::from_be_bytes))
}

/// All secrets of the session come from it.
pub(crate) fn seed() -> u64 {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).expect("the operating system has random numbers");
    u64::from_be_bytes(bytes)
}

fn place<T>(table: &mut Vec<Option<T>>, at: usize) -> &mut Option<T> {
    if table.len() <= at {
        table.resize_with(at + 1, || None);
    }
    &mut table[at]
}
