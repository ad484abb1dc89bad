//! A node, a server elsewhere that it may join, and people who may join it, on a network that takes no time.
#![allow(dead_code)] // Each test file uses a part of it.

use core::time::Duration;

use voice_core::{
    ChannelOptions, ChannelSlot, Client, ClientConfig, ClientEvent, ClientStorage, Connection, ConnectionId, Delivery,
    Forward, Instant, Node, PeerLink, PendingJoin, PersonSlot, Post, Room, RoomHandle, RoomSlot, RoomUse, Route, Seat,
    Server, ServerConfig, ServerEvent, ServerStorage, Sound, Source, SpeakerSlot, State, TalkTo, client_storage_vec,
    server_storage_vec,
};

pub(crate) type ClientTables =
    ClientStorage<Vec<PersonSlot>, Vec<RoomSlot>, Vec<ChannelSlot>, Vec<SpeakerSlot>, Vec<PeerLink>, Vec<u8>>;
pub(crate) type ServerTables =
    ServerStorage<Vec<Seat>, Vec<Room>, Vec<u64>, Vec<Connection>, Vec<Post>, Vec<PendingJoin>, Vec<ConnectionId>>;
pub(crate) type TestNode = Node<ClientTables, ServerTables, Vec<u8>>;

const FRAME_MS: u64 = 20;
pub(crate) const ROOM: &str = "Lobby";

fn new_client(name: &str, seed: u64) -> Client<ClientTables> {
    let config = ClientConfig::new(name).unwrap();
    Client::new(config, seed, client_storage_vec!(people: 16, speakers: 4))
}

fn new_server(seed: u64) -> Server<ServerTables> {
    Server::new(ServerConfig::DEFAULT, seed, server_storage_vec!(clients: 8, rooms: 8))
}

/// Somebody who speaks one payload over and over, and notes what is heard.
pub(crate) struct Voice {
    pub(crate) room: RoomHandle,
    pub(crate) says: Option<u8>,
    /// First byte of every frame played.
    pub(crate) heard: Vec<u8>,
    pub(crate) events: Vec<ClientEvent>,
}

impl Voice {
    fn new(client: &mut Client<ClientTables>) -> Self {
        let now = Instant::ORIGIN;
        let room = client.use_room(now, ROOM, RoomUse::Both).unwrap();
        client.open_channel(now, TalkTo::Room(room), ChannelOptions::DEFAULT).unwrap();
        Self { room, says: None, heard: Vec::new(), events: Vec::new() }
    }

    fn tick(&mut self, client: &mut Client<ClientTables>, now: Instant) {
        if let Some(byte) = self.says {
            _ = client.send_frame(now, &[byte; 40]);
        }
        let speakers: Vec<_> = client.speakers().collect();
        for speaker in speakers {
            if let Sound::Play(frame) = client.next_frame(now, Duration::ZERO, speaker).sound {
                self.heard.push(frame[0]);
            }
        }
    }
}

/// One who joins the node's server.
pub(crate) struct Remote {
    pub(crate) client: Client<ClientTables>,
    pub(crate) voice: Voice,
    transport: Option<(u32, ConnectionId)>,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) node: TestNode,
    pub(crate) voice: Voice,
    pub(crate) server_events: Vec<ServerEvent>,
    pub(crate) remotes: Vec<Remote>,
    /// The server elsewhere.
    pub(crate) elsewhere: Server<ServerTables>,
    /// The node's transport to it.
    transport: Option<(u32, ConnectionId)>,
    next_tick: u64,
}

impl World {
    pub(crate) fn new(remotes: usize) -> Self {
        Self::with_loopback(remotes, 16_384)
    }

    pub(crate) fn with_loopback(remotes: usize, bytes: usize) -> Self {
        let mut client = new_client("Host", 1);
        let voice = Voice::new(&mut client);
        let remote = |n: usize| {
            let mut client = new_client("Guest", 100 + n as u64);
            let voice = Voice::new(&mut client);
            client.connect(Instant::ORIGIN);
            Remote { client, voice, transport: None }
        };
        Self {
            now: Instant::ORIGIN,
            node: Node::new(client, new_server(2), vec![0xA5; bytes]),
            voice,
            server_events: Vec::new(),
            remotes: (0..remotes).map(remote).collect(),
            elsewhere: new_server(3),
            transport: None,
            next_tick: 0,
        }
    }

    /// Lets `ms` pass. Every 20 ms all speak and listen; timers fire when they are due.
    pub(crate) fn run(&mut self, ms: u64) {
        let end = self.now.as_us() + ms * 1_000;
        let mut standstill = 0;
        loop {
            self.settle();
            let due = self.poll_timeout().map_or(u64::MAX, Instant::as_us);
            let next = due.min(self.next_tick).max(self.now.as_us());
            if next > end {
                self.now = Instant::from_us(end);
                return;
            }
            standstill = if next > self.now.as_us() { 0 } else { standstill + 1 };
            assert!(standstill < 100, "a timer is due for ever: {}", self.dues());
            self.now = Instant::from_us(next);
            if self.next_tick <= next {
                self.tick();
            }
            self.time_out();
        }
    }

    /// Lets `ms` pass in which nobody does anything.
    pub(crate) fn skip(&mut self, ms: u64) {
        self.now = Instant::from_us(self.now.as_us() + ms * 1_000);
        self.next_tick = self.now.as_us();
    }

    pub(crate) fn joined(&self) -> bool {
        self.node.client().state() == State::Connected
    }

    pub(crate) fn clear_heard(&mut self) {
        self.voice.heard.clear();
        self.remotes.iter_mut().for_each(|remote| remote.voice.heard.clear());
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let remotes = self.remotes.iter().filter_map(|remote| remote.client.poll_timeout());
        remotes.chain(self.node.poll_timeout()).chain(self.elsewhere.poll_timeout()).min()
    }

    fn dues(&self) -> String {
        let remotes: Vec<_> = self.remotes.iter().map(|remote| remote.client.poll_timeout()).collect();
        let (node, elsewhere) = (self.node.poll_timeout(), self.elsewhere.poll_timeout());
        format!("now {:?}, node {node:?}, elsewhere {elsewhere:?}, remotes {remotes:?}", self.now)
    }

    fn tick(&mut self) {
        self.next_tick += FRAME_MS * 1_000;
        self.voice.tick(self.node.client_mut(), self.now);
        for remote in &mut self.remotes {
            remote.voice.tick(&mut remote.client, self.now);
        }
    }

    fn time_out(&mut self) {
        self.node.handle_timeout(self.now);
        self.elsewhere.handle_timeout(self.now);
        for remote in &mut self.remotes {
            remote.client.handle_timeout(self.now);
        }
    }

    /// Delivers everything until nothing more happens.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            let moved = self.connect_node() | self.connect_remotes() | self.move_packets();
            self.take_events();
            if !moved {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    fn connect_node(&mut self) -> bool {
        let wanted = self.node.transport_wanted();
        if self.transport.map(|(attempt, _)| attempt) == wanted {
            return false;
        }
        if let Some((_, connection)) = self.transport.take() {
            self.elsewhere.handle_disconnected(self.now, connection);
        }
        if let Some(attempt) = wanted {
            let connection = self.elsewhere.handle_connected(self.now).unwrap();
            self.transport = Some((attempt, connection));
            self.node.handle_client_connected(self.now);
        }
        true
    }

    fn connect_remotes(&mut self) -> bool {
        let mut moved = false;
        for remote in &mut self.remotes {
            let wanted = remote.client.transport_wanted();
            if remote.transport.map(|(attempt, _)| attempt) == wanted {
                continue;
            }
            moved = true;
            if let Some((_, connection)) = remote.transport.take() {
                self.node.handle_server_disconnected(self.now, connection);
            }
            let Some(attempt) = wanted else { continue };
            match self.node.handle_server_connected(self.now) {
                Ok(connection) => {
                    remote.transport = Some((attempt, connection));
                    remote.client.handle_connected(self.now);
                }
                Err(_) => remote.client.handle_disconnected(self.now),
            }
        }
        moved
    }

    fn move_packets(&mut self) -> bool {
        let mut moved = false;
        let mut out = [0; 1_200];
        while let Some(forward) = self.node.poll_loopback(self.now) {
            deliver(forward, &mut self.remotes, self.now);
            moved = true;
        }
        while let Some(transmit) = self.node.poll_transmit(self.now, &mut out) {
            moved = true;
            let packet = &mut out[..transmit.len];
            match transmit.to {
                Route::Client(connection) => give(&mut self.remotes, connection, transmit.delivery, packet, self.now),
                Route::Server => {
                    let Some((_, connection)) = self.transport else { continue };
                    let mut forward = self.elsewhere.handle_packet(self.now, connection, transmit.delivery, packet);
                    assert!(forward.next().is_none(), "nobody else is elsewhere");
                }
                Route::Path(_) => panic!("there are no paths"),
            }
        }
        while let Some(transmit) = self.elsewhere.poll_transmit(self.now, &mut out) {
            moved = true;
            let to = self.transport.filter(|(_, c)| transmit.to == Route::Client(*c));
            if to.is_some() {
                let packet = &out[..transmit.len];
                self.node.handle_client_packet(self.now, Source::Server, transmit.delivery, packet);
            }
        }
        for at in 0..self.remotes.len() {
            while let Some(transmit) = self.remotes[at].client.poll_transmit(self.now, &mut out) {
                moved = true;
                let Some((_, connection)) = self.remotes[at].transport else { continue };
                let packet = &mut out[..transmit.len];
                let forward = self.node.handle_server_packet(self.now, connection, transmit.delivery, packet);
                deliver(forward, &mut self.remotes, self.now);
            }
        }
        moved
    }

    fn take_events(&mut self) {
        while let Some(event) = self.node.poll_client_event() {
            self.voice.events.push(event);
        }
        while let Some(event) = self.node.poll_server_event() {
            self.server_events.push(event);
            let ServerEvent::Disconnect { connection } = event else { continue };
            let closed = |remote: &&mut Remote| remote.transport.is_some_and(|(_, c)| c == connection);
            if let Some(remote) = self.remotes.iter_mut().find(closed) {
                remote.transport = None;
                remote.client.handle_disconnected(self.now);
            }
            self.node.handle_server_disconnected(self.now, connection);
        }
        while let Some(event) = self.elsewhere.poll_event() {
            let ServerEvent::Disconnect { connection } = event else { continue };
            if self.transport.take_if(|(_, c)| *c == connection).is_some() {
                self.node.handle_client_disconnected(self.now);
            }
            self.elsewhere.handle_disconnected(self.now, connection);
        }
        for remote in &mut self.remotes {
            while let Some(event) = remote.client.poll_event() {
                remote.voice.events.push(event);
            }
        }
    }
}

fn deliver(mut forward: Forward<'_, '_>, remotes: &mut [Remote], now: Instant) {
    while let Some((bytes, to)) = forward.next() {
        for connection in to {
            give(remotes, *connection, Delivery::Unreliable, bytes, now);
        }
    }
}

fn give(remotes: &mut [Remote], connection: ConnectionId, delivery: Delivery, packet: &[u8], now: Instant) {
    let to = remotes.iter_mut().find(|remote| remote.transport.is_some_and(|(_, c)| c == connection));
    if let Some(remote) = to {
        remote.client.handle_packet(now, Source::Server, delivery, packet);
    }
}
