//! The players, the network between them, and the sum of what they do.

pub(crate) mod host;

use voice_core::{
    ChannelSlot, Client, ClientConfig, ClientStorage, Connection, ConnectionId, Delivery, Instant, Message, PathId,
    PeerLink, PendingJoin, PersonSlot, Post, Room, RoomSlot, Route, Seat, Server, ServerEvent, ServerStorage, Sound,
    Source, SpeakerSlot, playout_bytes, server_storage, server_words,
};

use crate::scenario::{CONFIG, START};

const SEATS: usize = 6;
const ROOMS: usize = 4;
const CONNECTIONS: usize = SEATS + SEATS / 4 + 8;
const FRAMES: usize = 4 * playout_bytes(240, 6);

pub(crate) type ServerTables = ServerStorage<
    [Seat; SEATS],
    [Room; ROOMS],
    [u64; server_words(SEATS, ROOMS, 32)],
    [Connection; CONNECTIONS],
    [Post; 32],
    [PendingJoin; 8],
    [ConnectionId; 2 * SEATS],
>;
pub(crate) type SmallServer = Server<ServerTables>;

pub(crate) type ClientTables<'a> = ClientStorage<
    &'a mut [PersonSlot],
    &'a mut [RoomSlot],
    &'a mut [ChannelSlot],
    &'a mut [SpeakerSlot],
    &'a mut [PeerLink],
    &'a mut [u8],
>;
pub(crate) type SmallClient<'a> = Client<ClientTables<'a>>;

/// The tables of a client.
pub(crate) struct Memory {
    roster: [PersonSlot; 8],
    rooms: [RoomSlot; 4],
    channels: [ChannelSlot; 4],
    speakers: [SpeakerSlot; 4],
    peers: [PeerLink; 2],
    frames: [u8; FRAMES],
    inbox: [u8; 3_000],
    outbox: [u8; 3_000],
    voice: [u8; 1_400],
    retained: [u8; 600],
}

impl Memory {
    pub(crate) const EMPTY: Self = Self {
        roster: [const { PersonSlot::EMPTY }; 8],
        rooms: [const { RoomSlot::EMPTY }; 4],
        channels: [ChannelSlot::EMPTY; 4],
        speakers: [const { SpeakerSlot::EMPTY }; 4],
        peers: [PeerLink::EMPTY; 2],
        frames: [0; FRAMES],
        inbox: [0; 3_000],
        outbox: [0; 3_000],
        voice: [0; 1_400],
        retained: [0; 600],
    };

    pub(crate) fn client(&mut self, name: &str, seed: u64) -> SmallClient<'_> {
        let config = ClientConfig::new(name).unwrap_or_else(|| unreachable!("a short name"));
        let storage = ClientStorage {
            roster: &mut self.roster[..],
            rooms: &mut self.rooms[..],
            channels: &mut self.channels[..],
            speakers: &mut self.speakers[..],
            peers: &mut self.peers[..],
            frames: &mut self.frames[..],
            inbox: &mut self.inbox[..],
            outbox: &mut self.outbox[..],
            voice: &mut self.voice[..],
            retained: &mut self.retained[..],
        };
        Client::new(config, seed, storage)
    }
}

pub(crate) const fn new_server(seed: u64) -> SmallServer {
    Server::new(CONFIG, seed, server_storage!(clients: SEATS, rooms: ROOMS))
}

/// FNV-1a, 64 bit.
pub(crate) struct Sum(u64);

impl Sum {
    pub(crate) const NEW: Self = Self(0xcbf2_9ce4_8422_2325);

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    }

    pub(crate) const fn get(&self) -> u64 {
        self.0
    }
}

pub(crate) struct Peer<'a> {
    pub(crate) client: SmallClient<'a>,
    attempt: Option<u32>,
    connection: Option<ConnectionId>,
    pub(crate) says: bool,
}

pub(crate) struct Stage<'a> {
    ms: u64,
    pub(crate) server: SmallServer,
    pub(crate) peers: [Peer<'a>; 3],
    pub(crate) sum: Sum,
    /// Kinds of events that came up.
    pub(crate) events: u32,
    pub(crate) cut_paths: bool,
    /// Unreliable packets so far; every eleventh is lost.
    packets: u32,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(memory: &'a mut [Memory; 3]) -> Self {
        let mut seed = 0;
        let peers = memory.each_mut().map(|memory| {
            seed += 1;
            let client = memory.client(["Scout", "Médic", "Pilot"][seed as usize - 1], seed);
            Peer { client, attempt: None, connection: None, says: false }
        });
        Self { ms: 0, server: new_server(99), peers, sum: Sum::NEW, events: 0, cut_paths: false, packets: 0 }
    }

    pub(crate) const fn now(&self) -> Instant {
        START.after(core::time::Duration::from_millis(self.ms))
    }

    /// Lets time pass, in steps of 20 ms.
    pub(crate) fn run(&mut self, ms: u64) {
        let until = self.ms + ms;
        while self.ms < until {
            self.ms += 20;
            let now = self.now();
            for at in 0..self.peers.len() {
                self.speak_and_hear(at, now);
            }
            for _ in 0..3 {
                for at in 0..self.peers.len() {
                    self.drive(at, now);
                }
                self.drive_server(now);
            }
        }
    }

    pub(crate) fn offer_path(&mut self, a: usize, b: usize) {
        let now = self.now();
        for (from, to) in [(a, b), (b, a)] {
            if let Some(id) = self.peers[to].client.id() {
                _ = self.peers[from].client.handle_path_available(now, id, PathId(to as u32));
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
        if let Some(connection) = self.peers[at].connection.take() {
            self.server.handle_disconnected(now, connection);
            self.peers[at].client.handle_disconnected(now);
        }
    }

    /// A reliable packet from nowhere: the lane has broken its promise.
    pub(crate) fn break_lane(&mut self, at: usize) {
        let now = self.now();
        let mut leave = [0x09, 0, 0, 0, 0, 0xFF, 0xFF];
        leave[1..5].copy_from_slice(&self.server.session().get().to_be_bytes());
        if let Some(connection) = self.peers[at].connection {
            _ = self.server.handle_packet(now, connection, Delivery::Reliable, &mut leave);
        }
    }

    pub(crate) fn digest(mut self) -> u64 {
        for peer in &self.peers {
            for (_, count) in peer.client.drops().iter() {
                self.sum.add(&count.to_be_bytes());
            }
        }
        for (_, count) in self.server.drops().iter() {
            self.sum.add(&count.to_be_bytes());
        }
        self.sum.add(&self.server.counters().voice_out.bytes.to_be_bytes());
        self.sum.get()
    }

    fn speak_and_hear(&mut self, at: usize, now: Instant) {
        let peer = &mut self.peers[at];
        if peer.says {
            _ = peer.client.send_frame(now, &[at as u8 + 1; 60]);
        } else {
            peer.client.end_talkspurt(now);
        }
        let mut heard = [None; 4];
        heard.iter_mut().zip(peer.client.speakers()).for_each(|(slot, speaker)| *slot = Some(speaker));
        for speaker in heard.into_iter().flatten() {
            let frame = peer.client.next_frame(now, speaker);
            self.sum.add(&[u8::from(frame.audible), u8::from(frame.positional)]);
            self.sum.add(&frame.volume_percent.to_be_bytes());
            match frame.sound {
                Sound::Play(payload) => self.sum.add(payload),
                Sound::Conceal => self.sum.add(b"conceal"),
                _ => self.sum.add(b"silence"),
            }
            let stats = peer.client.speaker_stats(speaker).unwrap_or_default();
            self.sum.add(&stats.jitter_us.to_be_bytes());
        }
    }

    fn drive(&mut self, at: usize, now: Instant) {
        self.peers[at].client.handle_timeout(now);
        self.follow_wish(at, now);
        let mut out = [0; 1_200];
        while let Some(transmit) = self.peers[at].client.poll_transmit(now, &mut out) {
            let packet = &mut out[..transmit.len];
            self.sum.add(packet);
            if self.is_lost(transmit.delivery) {
                continue;
            }
            match transmit.to {
                Route::Path(path) => self.over_path(at, path, now, packet),
                _ => self.over_relay(at, now, transmit.delivery, packet),
            }
        }
        while let Some(event) = self.peers[at].client.poll_event() {
            self.note(event);
        }
        while let Some(message) = self.peers[at].client.take_message() {
            match message {
                Message::Text { text, .. } => self.sum.add(text.as_bytes()),
                Message::Rendezvous { bytes, .. } => self.sum.add(bytes),
            }
        }
    }

    fn follow_wish(&mut self, at: usize, now: Instant) {
        let wanted = self.peers[at].client.transport_wanted();
        if wanted == self.peers[at].attempt {
            return;
        }
        self.peers[at].attempt = wanted;
        if let Some(old) = self.peers[at].connection.take() {
            self.server.handle_disconnected(now, old);
        }
        if wanted.is_some() {
            self.peers[at].connection = self.server.handle_connected(now).ok();
            self.peers[at].client.handle_connected(now);
        }
    }

    fn over_path(&mut self, from: usize, path: PathId, now: Instant, packet: &[u8]) {
        if self.cut_paths {
            return self.peers[from].client.handle_unsent(now, path, packet);
        }
        let source = Source::Path(PathId(from as u32));
        if let Some(to) = self.peers.get_mut(path.0 as usize) {
            to.client.handle_packet(now, source, Delivery::Unreliable, packet);
        }
    }

    fn over_relay(&mut self, at: usize, now: Instant, delivery: Delivery, packet: &mut [u8]) {
        let Some(from) = self.peers[at].connection else { return };
        let mut forward = self.server.handle_packet(now, from, delivery, packet);
        while let Some((bytes, to)) = forward.next() {
            self.sum.add(bytes);
            for peer in self.peers.iter_mut().filter(|peer| peer.connection.is_some_and(|id| to.contains(&id))) {
                peer.client.handle_packet(now, Source::Server, Delivery::Unreliable, bytes);
            }
        }
    }

    fn drive_server(&mut self, now: Instant) {
        self.server.handle_timeout(now);
        let mut out = [0; 1_200];
        while let Some(transmit) = self.server.poll_transmit(now, &mut out) {
            let packet = &out[..transmit.len];
            self.sum.add(packet);
            let Route::Client(to) = transmit.to else { continue };
            if self.is_lost(transmit.delivery) {
                continue;
            }
            if let Some(peer) = self.peers.iter_mut().find(|peer| peer.connection == Some(to)) {
                peer.client.handle_packet(now, Source::Server, transmit.delivery, packet);
            }
        }
        while let Some(event) = self.server.poll_event() {
            let ServerEvent::Disconnect { connection } = event else { continue };
            self.server.handle_disconnected(now, connection);
            for peer in self.peers.iter_mut().filter(|peer| peer.connection == Some(connection)) {
                peer.connection = None;
                peer.client.handle_disconnected(now);
            }
        }
    }

    fn is_lost(&mut self, delivery: Delivery) -> bool {
        self.packets += u32::from(delivery == Delivery::Unreliable);
        delivery == Delivery::Unreliable && self.packets.is_multiple_of(11)
    }
}
