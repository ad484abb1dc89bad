//! One server and people who join it, on a virtual clock and a network that does what a test says: see [`Fate`].
//!
//! Unless told otherwise, everything takes 5 ms. What is sent is logged, delivered or not.

use core::time::Duration;
use std::collections::BTreeMap;

use voice_core::{
    ChannelHandle, ChannelOptions, ChannelSlot, Client, ClientConfig, ClientEvent, ClientId, ClientStorage,
    CodecSettings, Connection, ConnectionId, Delivery, Instant, Message, PathId, PeerLink, PendingJoin, PersonSlot,
    Post, Priority, Room, RoomHandle, RoomSlot, RoomUse, Route, Seat, SendError, Server, ServerConfig, ServerEvent,
    ServerStorage, SessionId, Sound, Source, SpeakerSlot, TalkTo, Target, client_storage_vec, server_storage_vec,
    wire::{FEATURE_DIRECT, Hello, Kind, Lane, Packet, StateFlags, VERSION},
};

pub(crate) type TestClient =
    Client<ClientStorage<Vec<PersonSlot>, Vec<RoomSlot>, Vec<ChannelSlot>, Vec<SpeakerSlot>, Vec<PeerLink>, Vec<u8>>>;
pub(crate) type TestServer = Server<
    ServerStorage<Vec<Seat>, Vec<Room>, Vec<u64>, Vec<Connection>, Vec<Post>, Vec<PendingJoin>, Vec<ConnectionId>>,
>;

pub(crate) const LATENCY_MS: u64 = 5;
const FRAME_US: u64 = 20_000;

/// Who is at an end of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Server,
    Person(usize),
    /// A connection that a test made by hand.
    Stranger(ConnectionId),
}

/// One packet that somebody sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) at_us: u64,
    pub(crate) from: End,
    pub(crate) to: End,
    pub(crate) delivery: Delivery,
    pub(crate) direct: bool,
    pub(crate) bytes: Vec<u8>,
}

impl Sent {
    pub(crate) fn kind(&self) -> Kind {
        Kind::from_first_byte(self.bytes[0]).unwrap()
    }

    pub(crate) fn packet(&self) -> Packet<'_> {
        Packet::decode(&self.bytes).unwrap()
    }
}

/// What the network does with a packet. Reliable ones keep their order all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Deliver,
    Drop,
    DelayMs(u64),
    Twice,
}

/// One frame that somebody played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) at_us: u64,
    pub(crate) speaker: usize,
    pub(crate) volume_percent: u16,
    pub(crate) positional: bool,
    pub(crate) audible: bool,
}

pub(crate) struct Person {
    pub(crate) client: TestClient,
    pub(crate) connection: Option<ConnectionId>,
    attempt: Option<u32>,
    /// Nothing comes through in either direction, and nobody is told.
    pub(crate) cut: bool,
    pub(crate) lobby: RoomHandle,
    pub(crate) channel: ChannelHandle,
    pub(crate) says: bool,
    /// Whom it never pulls.
    pub(crate) ignores: Option<ClientId>,
    /// What became of the last frame it said.
    pub(crate) said: Option<Result<(), SendError>>,
    pub(crate) heard: Vec<Heard>,
    pub(crate) events: Vec<ClientEvent>,
    pub(crate) texts: Vec<(ClientId, Target, String)>,
    pub(crate) rendezvous: Vec<(ClientId, Vec<u8>)>,
}

/// Something under way: a packet, or the word that the connection is gone.
struct Flight {
    to: End,
    from: End,
    connection: Option<ConnectionId>,
    packet: Option<(Delivery, Vec<u8>)>,
}

pub(crate) struct Stage {
    now_us: u64,
    next_tick: u64,
    pub(crate) server: TestServer,
    pub(crate) people: Vec<Person>,
    pub(crate) server_events: Vec<ServerEvent>,
    pub(crate) log: Vec<Sent>,
    /// May change the bytes, too.
    pub(crate) network: Box<dyn FnMut(&mut Sent) -> Fate>,
    flights: BTreeMap<(u64, u64), Flight>,
    flown: u64,
    /// When the last reliable packet of a connection arrives, to the server or from it.
    lanes: BTreeMap<(ConnectionId, bool), u64>,
}

impl Stage {
    /// So many people in the Lobby, who may speak there and hear.
    pub(crate) fn new(people: usize) -> Self {
        let mut stage = Self::empty(ServerConfig::DEFAULT);
        (0..people).for_each(|_| _ = stage.add());
        stage.run(300);
        stage.log.clear();
        stage
    }

    /// The same, and the server has room for so many texts and rendezvous.
    pub(crate) fn with_posts(people: usize, posts: usize) -> Self {
        let mut stage =
            Self { server: new_server(ServerConfig::DEFAULT, 11, posts), ..Self::empty(ServerConfig::DEFAULT) };
        (0..people).for_each(|_| _ = stage.add());
        stage.run(300);
        stage.log.clear();
        stage
    }

    pub(crate) fn empty(config: ServerConfig) -> Self {
        Self {
            now_us: 0,
            next_tick: 0,
            server: new_server(config, 11, 32),
            people: Vec::new(),
            server_events: Vec::new(),
            log: Vec::new(),
            network: Box::new(|_| Fate::Deliver),
            flights: BTreeMap::new(),
            flown: 0,
            lanes: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self) -> usize {
        self.add_with(|_| {})
    }

    pub(crate) fn add_with(&mut self, change: impl FnOnce(&mut ClientConfig)) -> usize {
        self.add_hearing(8, change)
    }

    /// Adds somebody who hears so many at once.
    pub(crate) fn add_hearing(&mut self, speakers: usize, change: impl FnOnce(&mut ClientConfig)) -> usize {
        self.add_storing(speakers, 16_384, change)
    }

    /// Adds somebody who hears so many at once, and has so many bytes for messages that come in.
    pub(crate) fn add_storing(
        &mut self,
        speakers: usize,
        inbox: usize,
        change: impl FnOnce(&mut ClientConfig),
    ) -> usize {
        let who = self.people.len();
        let mut config = ClientConfig::new(&format!("person-{who}")).unwrap();
        change(&mut config);
        let mut storage = client_storage_vec!(people: 16, speakers: speakers);
        storage.inbox.truncate(inbox);
        let mut client = Client::new(config, 100 + who as u64, storage);
        let now = self.now();
        let lobby = client.use_room(now, "Lobby", RoomUse::Both).unwrap();
        let channel = client.open_channel(now, TalkTo::Room(lobby), ChannelOptions::DEFAULT).unwrap();
        client.connect(now);
        self.people.push(Person {
            client,
            connection: None,
            attempt: None,
            cut: false,
            lobby,
            channel,
            says: false,
            ignores: None,
            said: None,
            heard: Vec::new(),
            events: Vec::new(),
            texts: Vec::new(),
            rendezvous: Vec::new(),
        });
        who
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_us(self.now_us)
    }

    pub(crate) fn client(&mut self, who: usize) -> &mut TestClient {
        &mut self.people[who].client
    }

    pub(crate) fn id(&self, who: usize) -> ClientId {
        self.people[who].client.id().unwrap()
    }

    /// Does something with a client at the present time.
    pub(crate) fn act<R>(&mut self, who: usize, what: impl FnOnce(Instant, &mut TestClient) -> R) -> R {
        what(Instant::from_us(self.now_us), &mut self.people[who].client)
    }

    /// Two people who hear each other on a path of their own, once they have proven it.
    pub(crate) fn join_directly(&mut self, one: usize, two: usize) {
        for (at, other) in [(one, two), (two, one)] {
            let (now, id) = (self.now(), self.id(other));
            self.client(at).handle_path_available(now, id, path_to(other)).unwrap();
        }
    }

    /// The transport goes down, and both ends are told.
    pub(crate) fn lose_transport(&mut self, who: usize) {
        let now = self.now();
        if let Some(connection) = self.people[who].connection.take() {
            self.server.handle_disconnected(now, connection);
        }
        self.client(who).handle_disconnected(now);
    }

    /// Another server in the place of this one, which knows nobody; the transports don't notice.
    pub(crate) fn replace_server(&mut self, seed: u64) {
        self.server = new_server(ServerConfig::DEFAULT, seed, 32);
        self.flights.clear();
        self.lanes.clear();
        let now = self.now();
        for person in self.people.iter_mut().filter(|person| person.connection.is_some()) {
            person.connection = self.server.handle_connected(now).ok();
        }
    }

    /// Gives the server a packet of a connection at once.
    pub(crate) fn give(&mut self, from: ConnectionId, delivery: Delivery, bytes: &[u8]) {
        self.at_server(from, delivery, bytes.to_vec());
    }

    /// Lets these people speak for 400 ms, and everybody hear it to the end.
    pub(crate) fn speak(&mut self, who: &[usize]) {
        self.people.iter_mut().for_each(|person| person.heard.clear());
        who.iter().for_each(|who| self.people[*who].says = true);
        self.run(400);
        who.iter().for_each(|who| self.people[*who].says = false);
        self.run(500);
    }

    pub(crate) fn heard(&self, listener: usize, speaker: usize) -> Vec<Heard> {
        self.people[listener].heard.iter().filter(|heard| heard.speaker == speaker).copied().collect()
    }

    /// Whether all that was said in [`Stage::speak`] was heard; nothing between all and nothing may be.
    pub(crate) fn hears(&self, listener: usize, speaker: usize) -> bool {
        let frames = self.heard(listener, speaker).len();
        assert!(frames == 0 || (20..=21).contains(&frames), "{frames} of 20 frames");
        frames > 0
    }

    pub(crate) fn sent(&self, which: impl Fn(&Sent) -> bool) -> usize {
        self.log.iter().filter(|sent| which(sent)).count()
    }

    pub(crate) fn run(&mut self, ms: u64) {
        let end = self.now_us + ms * 1_000;
        let mut standstill = 0;
        loop {
            self.settle();
            let due = self.next_due().max(self.now_us);
            if due > end {
                self.now_us = end;
                return;
            }
            standstill = if due > self.now_us { 0 } else { standstill + 1 };
            assert!(standstill < 100, "a timer is due for ever");
            self.now_us = due;
            self.tick();
            let now = self.now();
            self.server.handle_timeout(now);
            self.people.iter_mut().for_each(|person| person.client.handle_timeout(now));
        }
    }

    fn next_due(&self) -> u64 {
        let clients = self.people.iter().filter_map(|person| person.client.poll_timeout());
        let cores = clients.chain(self.server.poll_timeout()).map(Instant::as_us);
        let flights = self.flights.first_key_value().map(|((at, _), _)| *at);
        cores.chain(flights).chain([self.next_tick]).min().unwrap_or(u64::MAX)
    }

    fn tick(&mut self) {
        if self.next_tick > self.now_us {
            return;
        }
        self.next_tick += FRAME_US;
        let now = self.now();
        for (who, person) in self.people.iter_mut().enumerate() {
            if person.says {
                person.said = Some(person.client.send_frame(now, &[who as u8; 40]));
            }
            let speakers: Vec<_> = person.client.speakers().collect();
            for speaker in speakers.into_iter().filter(|speaker| person.ignores != Some(*speaker)) {
                let frame = person.client.next_frame(now, Duration::ZERO, speaker);
                let Sound::Play(payload) = frame.sound else { continue };
                person.heard.push(Heard {
                    at_us: now.as_us(),
                    speaker: payload[0].into(),
                    volume_percent: frame.volume_percent,
                    positional: frame.positional,
                    audible: frame.audible,
                });
            }
        }
    }

    fn settle(&mut self) {
        for _ in 0..10_000 {
            let moved = self.follow_wishes() | self.land() | self.collect();
            self.take_events();
            if !moved {
                return;
            }
        }
        panic!("the stage doesn't come to rest");
    }

    fn follow_wishes(&mut self) -> bool {
        let mut moved = false;
        for who in 0..self.people.len() {
            let now = self.now();
            let person = &mut self.people[who];
            let wanted = person.client.transport_wanted();
            if wanted == person.attempt {
                continue;
            }
            (person.attempt, moved) = (wanted, true);
            if let Some(connection) = person.connection.take() {
                self.fly(End::Person(who), End::Server, Some(connection), None, LATENCY_MS);
            }
            if wanted.is_none() || self.people[who].cut {
                continue;
            }
            let connection = self.server.handle_connected(now).ok();
            self.people[who].connection = connection;
            match connection {
                Some(_) => self.client(who).handle_connected(now),
                None => self.client(who).handle_disconnected(now),
            }
        }
        moved
    }

    /// Delivers what has arrived.
    fn land(&mut self) -> bool {
        let mut moved = false;
        while let Some(entry) = self.flights.first_entry().filter(|entry| entry.key().0 <= self.now_us) {
            let flight = entry.remove();
            moved = true;
            let now = self.now();
            match (flight.to, flight.connection, flight.packet) {
                (End::Server, Some(connection), Some((delivery, bytes))) => self.at_server(connection, delivery, bytes),
                (End::Server, Some(connection), None) => self.server.handle_disconnected(now, connection),
                (End::Person(who), None, Some((delivery, bytes))) => {
                    let End::Person(other) = flight.from else { continue };
                    self.client(who).handle_packet(now, Source::Path(path_to(other)), delivery, &bytes);
                }
                (End::Person(who), at, packet) if at == self.people[who].connection => match packet {
                    Some((delivery, bytes)) => self.client(who).handle_packet(now, Source::Server, delivery, &bytes),
                    None => {
                        self.people[who].connection = None;
                        self.client(who).handle_disconnected(now);
                    }
                },
                _ => {}
            }
        }
        moved
    }

    fn at_server(&mut self, from: ConnectionId, delivery: Delivery, mut bytes: Vec<u8>) {
        let mut copies = Vec::new();
        let mut forward = self.server.handle_packet(Instant::from_us(self.now_us), from, delivery, &mut bytes);
        while let Some((bytes, to)) = forward.next() {
            copies.extend(to.iter().map(|to| (*to, bytes.to_vec())));
        }
        for (to, bytes) in copies {
            self.send_from_server(to, Delivery::Unreliable, bytes);
        }
    }

    fn collect(&mut self) -> bool {
        let (now, mut out) = (self.now(), [0; 1_200]);
        let mut moved = false;
        while let Some(transmit) = self.server.poll_transmit(now, &mut out) {
            moved = true;
            let Route::Client(to) = transmit.to else { panic!("a server sends to clients") };
            self.send_from_server(to, transmit.delivery, out[..transmit.len].to_vec());
        }
        for who in 0..self.people.len() {
            while let Some(transmit) = self.client(who).poll_transmit(now, &mut out) {
                moved = true;
                let bytes = out[..transmit.len].to_vec();
                let (to, connection) = match transmit.to {
                    Route::Path(PathId(other)) => (End::Person(other as usize), None),
                    _ => (End::Server, self.people[who].connection),
                };
                if to != End::Server || connection.is_some() {
                    self.send(End::Person(who), to, connection, transmit.delivery, bytes);
                }
            }
        }
        moved
    }

    fn send_from_server(&mut self, to: ConnectionId, delivery: Delivery, bytes: Vec<u8>) {
        let who = self.people.iter().position(|person| person.connection == Some(to));
        let end = who.map_or(End::Stranger(to), End::Person);
        self.send(End::Server, end, Some(to), delivery, bytes);
    }

    fn send(&mut self, from: End, to: End, connection: Option<ConnectionId>, delivery: Delivery, bytes: Vec<u8>) {
        let mut sent = Sent { at_us: self.now_us, from, to, delivery, direct: connection.is_none(), bytes };
        let fate = (self.network)(&mut sent);
        self.log.push(sent.clone());
        let cut = |end: End| matches!(end, End::Person(who) if self.people[who].cut);
        if fate == Fate::Drop || cut(from) || cut(to) {
            return;
        }
        let ms = if let Fate::DelayMs(ms) = fate { ms } else { LATENCY_MS };
        let copies = if fate == Fate::Twice { 2 } else { 1 };
        for _ in 0..copies {
            self.fly(from, to, connection, Some((delivery, sent.bytes.clone())), ms);
        }
    }

    fn fly(
        &mut self,
        from: End,
        to: End,
        connection: Option<ConnectionId>,
        packet: Option<(Delivery, Vec<u8>)>,
        ms: u64,
    ) {
        let cut = |end: End| matches!(end, End::Person(who) if self.people[who].cut);
        if cut(from) || cut(to) {
            return;
        }
        let mut due = self.now_us + ms * 1_000;
        if let Some(connection) = connection.filter(|_| !matches!(packet, Some((Delivery::Unreliable, _)))) {
            let last = self.lanes.entry((connection, to == End::Server)).or_default();
            due = due.max(*last);
            *last = due;
        }
        self.flown += 1;
        self.flights.insert((due, self.flown), Flight { to, from, connection, packet });
    }

    fn take_events(&mut self) {
        while let Some(event) = self.server.poll_event() {
            if let ServerEvent::Disconnect { connection } = event {
                let now = self.now();
                self.server.handle_disconnected(now, connection);
                if let Some(who) = self.people.iter().position(|person| person.connection == Some(connection)) {
                    self.fly(End::Server, End::Person(who), Some(connection), None, LATENCY_MS);
                }
            }
            self.server_events.push(event);
        }
        for person in &mut self.people {
            while let Some(event) = person.client.poll_event() {
                person.events.push(event);
            }
            while let Some(message) = person.client.take_message() {
                match message {
                    Message::Text { from, target, text } => person.texts.push((from, target, text.into())),
                    Message::Rendezvous { from, bytes } => person.rendezvous.push((from, bytes.into())),
                }
            }
        }
    }
}

/// Somebody without a client, whose every packet a test writes.
pub(crate) struct Stranger {
    pub(crate) connection: ConnectionId,
    session: SessionId,
    next: u16,
}

impl Stranger {
    /// Joins, and uses no room.
    pub(crate) fn join(stage: &mut Stage) -> Self {
        let now = stage.now();
        let connection = stage.server.handle_connected(now).unwrap();
        let hello = Packet::Hello(Hello { features: FEATURE_DIRECT, name: "stranger", ..hello() });
        stage.give(connection, Delivery::Reliable, &encoded(&hello));
        let stranger = Self { connection, session: stage.server.session(), next: 1 };
        stage.run(100);
        stranger
    }

    /// Gives the server the next packet of the lane at once.
    pub(crate) fn say(&mut self, stage: &mut Stage, packet: impl FnOnce(Lane) -> Packet<'static>) {
        let lane = Lane { session: self.session, number: self.next };
        self.next += 1;
        stage.give(self.connection, Delivery::Reliable, &encoded(&packet(lane)));
    }

    pub(crate) fn id(&self, stage: &Stage) -> ClientId {
        stage.server.clients().find(|client| client.connection() == Some(self.connection)).unwrap().id()
    }

    /// What the server has sent to it.
    pub(crate) fn told<'a>(&self, stage: &'a Stage) -> impl Iterator<Item = Packet<'a>> + use<'a> {
        let end = End::Stranger(self.connection);
        stage.log.iter().filter(move |sent| sent.to == end).map(Sent::packet)
    }
}

/// The path to somebody, the same at every end.
pub(crate) fn path_to(who: usize) -> PathId {
    PathId(who as u32)
}

/// The plainest Hello: fresh, without a name.
pub(crate) const fn hello() -> Hello<'static> {
    Hello {
        version: VERSION,
        features: 0,
        nonce: 1,
        codec: CodecSettings::DEFAULT,
        flags: StateFlags { muted: false, deafened: false },
        priority: Priority::None,
        resume: None,
        name: "",
        credential: &[],
    }
}

pub(crate) fn encoded(packet: &Packet<'_>) -> Vec<u8> {
    let mut out = [0; 1_200];
    let len = packet.encode(&mut out).unwrap();
    out[..len].to_vec()
}

/// With room for so many texts and rendezvous.
fn new_server(config: ServerConfig, seed: u64, posts: usize) -> TestServer {
    let mut storage = server_storage_vec!(clients: 12, rooms: 6);
    storage.posts.truncate(posts);
    Server::new(config, seed, storage)
}
