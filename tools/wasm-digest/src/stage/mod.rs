//! The players, what carries their packets, and the digest of all they do.

pub(crate) mod host;
mod look;
mod mischief;
mod net;
mod sum;
mod tables;

use core::time::Duration;

use voice_core::{
    ClientId, ConnectionId, Delivery, Identity, Instant, PathId, RoomHandle, Route, ServerConfig, ServerEvent, Source,
};

use net::{Network, Way};
use sum::Sum;
pub(crate) use tables::Memory;
use tables::{SmallClient, SmallServer, new_server};

/// How long a closed connection still delivers what was sent before.
const LINGER_MS: u64 = 60;
const TICK_MS: u64 = 20;
/// How often everything that can be read is read.
const LOOK_MS: u64 = 400;

pub(crate) struct Peer<'a> {
    pub(crate) client: SmallClient<'a>,
    pub(crate) home: Option<RoomHandle>,
    pub(crate) says: bool,
    attempt: Option<u32>,
    connection: Option<ConnectionId>,
    closes_at: Option<u64>,
}

pub(crate) struct Stage<'a> {
    pub(crate) server: SmallServer,
    pub(crate) peers: [Peer<'a>; 3],
    pub(crate) net: Network,
    /// Kinds of events that came up: bit n for kind n of [`EVENTS`](crate::EVENTS).
    pub(crate) events: u64,
    /// Whether paths refuse to send.
    pub(crate) paths_refuse: bool,
    /// Who isn't let in by a server that asks, once.
    pub(crate) unwelcome: Option<u8>,
    sum: Sum,
    ms: u64,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(memory: &'a mut [Memory; 3]) -> Self {
        let mut seed = 0;
        let peers = memory.each_mut().map(|memory| {
            let name = ["Scout", "Médic", "Pilot"].get(seed).copied().unwrap_or_default();
            seed += 1;
            let client = memory.client(name, seed as u64);
            Peer { client, home: None, says: false, attempt: None, connection: None, closes_at: None }
        });
        Self {
            server: new_server(ServerConfig::DEFAULT, 99),
            peers,
            net: Network::new(7),
            events: 0,
            paths_refuse: false,
            unwelcome: None,
            sum: Sum::NEW,
            ms: 0,
        }
    }

    pub(crate) const fn now(&self) -> Instant {
        Instant::from_ms(self.ms)
    }

    pub(crate) fn id(&self, at: usize) -> Option<ClientId> {
        self.peers.get(at)?.client.id()
    }

    /// Adds to the digest whether a call went well.
    pub(crate) fn note(&mut self, went_well: bool) {
        self.sum.number(went_well);
    }

    pub(crate) const fn digest(&self) -> u64 {
        self.sum.get()
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, ms: u64) {
        let until = self.ms + ms;
        while self.ms < until {
            self.ms += TICK_MS;
            let now = self.now();
            for (at, peer) in self.peers.iter_mut().enumerate() {
                if peer.says {
                    let sent = peer.client.send_frame(now, &[at as u8 + 1; 60]);
                    self.sum.number(sent.is_ok());
                }
                look::hear(&mut self.sum, &mut peer.client, now);
                look::read_messages(&mut self.sum, &mut peer.client);
            }
            for _ in 0..3 {
                self.deliver();
                for at in 0..self.peers.len() {
                    self.drive(at, now);
                }
                self.drive_server(now);
            }
            if self.ms.is_multiple_of(LOOK_MS) {
                self.look();
            }
        }
    }

    /// Ends the talkspurt of one who speaks.
    pub(crate) fn hush(&mut self, at: usize) {
        let now = self.now();
        self.peers[at].says = false;
        self.peers[at].client.end_talkspurt(now);
    }

    pub(crate) fn offer_path(&mut self, a: usize, b: usize) {
        let now = self.now();
        for (from, to) in [(a, b), (b, a)] {
            if let Some(id) = self.id(to) {
                let done = self.peers[from].client.handle_path_available(now, id, PathId(to as u32));
                self.note(done.is_ok());
            }
        }
    }

    pub(crate) fn lose_path(&mut self, a: usize, b: usize) {
        let now = self.now();
        self.peers[a].client.handle_path_lost(now, PathId(b as u32));
        self.peers[b].client.handle_path_lost(now, PathId(a as u32));
    }

    pub(crate) fn drop_transport(&mut self, at: usize) {
        let now = self.now();
        let peer = &mut self.peers[at];
        peer.closes_at = None;
        if let Some(connection) = peer.connection.take() {
            self.server.handle_disconnected(now, connection);
            peer.client.handle_disconnected(now);
        }
    }

    fn deliver(&mut self) {
        let now = self.now();
        let mut packet = [0; 1_200];
        while let Some((way, delivery, len)) = self.net.take(self.ms, &mut packet) {
            let packet = &mut packet[..len];
            match way {
                Way::Up(from) => self.relay(now, from, delivery, packet),
                Way::Down(to) => {
                    if let Some(peer) = self.peers.iter_mut().find(|peer| peer.connection == Some(to)) {
                        peer.client.handle_packet(now, Source::Server, delivery, packet);
                    }
                }
                Way::Path { from, to } => {
                    if let Some(peer) = self.peers.get_mut(to as usize) {
                        peer.client.handle_packet(now, Source::Path(PathId(from)), delivery, packet);
                    }
                }
            }
        }
    }

    fn relay(&mut self, now: Instant, from: ConnectionId, delivery: Delivery, packet: &mut [u8]) {
        let mut forward = self.server.handle_packet(now, from, delivery, packet);
        while let Some((bytes, to)) = forward.next() {
            self.sum.packet(bytes);
            for connection in to {
                self.sum.connection(*connection);
                self.net.send(self.ms, Way::Down(*connection), Delivery::Unreliable, bytes);
            }
        }
    }

    fn drive(&mut self, at: usize, now: Instant) {
        self.follow_transport(at, now);
        let peer = &mut self.peers[at];
        peer.client.handle_timeout(now);
        let mut out = [0; 1_200];
        while self.net.has_room() {
            let Some(transmit) = peer.client.poll_transmit(now, &mut out) else { break };
            let packet = &out[..transmit.len];
            self.sum.transmit(&transmit, packet);
            match (transmit.to, peer.connection) {
                (Route::Path(path), _) if self.paths_refuse => peer.client.handle_unsent(now, path, packet),
                (Route::Path(path), _) => {
                    let way = Way::Path { from: at as u32, to: path.0 };
                    self.net.send(self.ms, way, transmit.delivery, packet);
                }
                (_, Some(connection)) => self.net.send(self.ms, Way::Up(connection), transmit.delivery, packet),
                (_, None) => {}
            }
        }
        while let Some(event) = peer.client.poll_event() {
            self.events |= 1 << self.sum.client_event(event);
        }
    }

    /// Opens and closes the transport as the client wants it, and closes what the server has closed.
    fn follow_transport(&mut self, at: usize, now: Instant) {
        let peer = &mut self.peers[at];
        let wanted = peer.client.transport_wanted();
        let closed = peer.closes_at.is_some_and(|at| at <= self.ms);
        if closed || wanted != peer.attempt {
            peer.closes_at = None;
            if let Some(old) = peer.connection.take() {
                self.server.handle_disconnected(now, old);
            }
        }
        if wanted == peer.attempt {
            if closed {
                peer.client.handle_disconnected(now);
            }
            return;
        }
        peer.attempt = wanted;
        if wanted.is_some() {
            peer.connection = self.server.handle_connected(now).ok();
            match peer.connection {
                Some(_) => peer.client.handle_connected(now),
                None => peer.client.handle_disconnected(now),
            }
        }
    }

    fn drive_server(&mut self, now: Instant) {
        self.server.handle_timeout(now);
        let mut out = [0; 1_200];
        while self.net.has_room() {
            let Some(transmit) = self.server.poll_transmit(now, &mut out) else { break };
            let packet = &out[..transmit.len];
            self.sum.transmit(&transmit, packet);
            if let Route::Client(to) = transmit.to {
                self.net.send(self.ms, Way::Down(to), transmit.delivery, packet);
            }
        }
        while let Some(event) = self.server.poll_event() {
            self.events |= 1 << self.sum.server_event(event);
            match event {
                ServerEvent::JoinRequested { connection } => self.answer_join(now, connection),
                ServerEvent::Disconnect { connection } => self.hang_up(now, connection),
                _ => {}
            }
        }
    }

    fn answer_join(&mut self, now: Instant, connection: ConnectionId) {
        let Some(join) = self.server.pending_join(connection) else { return };
        let initial = join.name().bytes().next().unwrap_or(0);
        self.sum.text(join.name());
        self.sum.add(join.credential());
        look::codec(&mut self.sum, join.codec());
        let done = if self.unwelcome.take_if(|unwelcome| *unwelcome == initial).is_some() {
            self.server.refuse(now, connection, 130)
        } else {
            self.server.accept(now, connection, Identity(initial.into()))
        };
        self.note(done.is_ok());
    }

    fn hang_up(&mut self, now: Instant, connection: ConnectionId) {
        match self.peers.iter_mut().find(|peer| peer.connection == Some(connection)) {
            Some(peer) => peer.closes_at = Some(self.ms + LINGER_MS),
            None => self.server.handle_disconnected(now, connection),
        }
    }

    fn look(&mut self) {
        for peer in &mut self.peers {
            look::look_at_client(&mut self.sum, &mut peer.client);
        }
        look::look_at_server(&mut self.sum, &mut self.server);
    }
}

/// A moment after another.
const fn later(now: Instant, ms: u64) -> Instant {
    now.after(Duration::from_millis(ms))
}
