//! A small server and clients on a network that loses nothing and takes no time.

use voice_core::{
    ChannelSlot, Client, ClientConfig, ClientId, ClientStorage, Connection, ConnectionId, Delivery, DropCounts,
    DropReason, Instant, Node, PathId, PeerLink, PendingJoin, PersonSlot, Post, Room, RoomSlot, Route, Seat, Server,
    ServerConfig, ServerEvent, ServerStorage, SessionId, Source, SpeakerSlot, playout_bytes, server_words, wire::Voice,
};

/// A client with small tables.
pub type FuzzClient =
    Client<ClientStorage<Vec<PersonSlot>, Vec<RoomSlot>, Vec<ChannelSlot>, Vec<SpeakerSlot>, Vec<PeerLink>, Vec<u8>>>;
/// A server with small tables.
pub type FuzzServer = Server<
    ServerStorage<Vec<Seat>, Vec<Room>, Vec<u64>, Vec<Connection>, Vec<Post>, Vec<PendingJoin>, Vec<ConnectionId>>,
>;

/// A host with small tables.
pub type FuzzHost = Node<
    ClientStorage<Vec<PersonSlot>, Vec<RoomSlot>, Vec<ChannelSlot>, Vec<SpeakerSlot>, Vec<PeerLink>, Vec<u8>>,
    ServerStorage<Vec<Seat>, Vec<Room>, Vec<u64>, Vec<Connection>, Vec<Post>, Vec<PendingJoin>, Vec<ConnectionId>>,
    Vec<u8>,
>;

const SEATS: usize = 4;
const ROOMS: usize = 3;
const POSTS: usize = 2;

/// Makes a server of four seats, three rooms, two texts under way and two joins that wait.
#[must_use]
pub fn new_server(config: ServerConfig) -> FuzzServer {
    let storage = ServerStorage {
        seats: vec![Seat::EMPTY; SEATS],
        rooms: vec![Room::EMPTY; ROOMS],
        words: vec![0; server_words(SEATS, ROOMS, POSTS)],
        connections: vec![Connection::EMPTY; SEATS + 2],
        posts: vec![Post::EMPTY; POSTS],
        pending: vec![PendingJoin::EMPTY; 2],
        recipients: vec![ConnectionId::new(0, 0); SEATS * 2],
    };
    Server::new(config, 7, storage)
}

/// Makes a client with a roster of three.
///
/// # Panics
///
/// When the name is longer than 64 bytes.
#[must_use]
pub fn new_client(name: &str, seed: u64) -> FuzzClient {
    let storage = ClientStorage {
        roster: vec![PersonSlot::EMPTY; 3],
        rooms: vec![RoomSlot::EMPTY; 2],
        channels: vec![ChannelSlot::EMPTY; 3],
        speakers: vec![SpeakerSlot::EMPTY; 2],
        peers: vec![PeerLink::EMPTY; 2],
        frames: vec![0; 2 * playout_bytes(240, 5)],
        inbox: vec![0; 2_100],
        outbox: vec![0; 2_100],
        voice: vec![0; 1_300],
        retained: vec![0; 600],
        credential: vec![0; 600],
    };
    Client::new(ClientConfig::new(name).expect("a short name"), seed, storage)
}

/// What went one way over a connection last: to send it again with bytes changed, and to number a packet so that it is taken.
#[derive(Debug, Default)]
pub struct Tap {
    /// The last packet.
    pub last: Vec<u8>,
    /// The number that comes next on the reliable lane.
    pub next: u16,
}

impl Tap {
    /// Notes a packet.
    pub fn note(&mut self, packet: &[u8]) {
        self.last.clear();
        self.last.extend_from_slice(packet);
        match *packet {
            [0x01 | 0x21, ..] => self.next = 1,
            [0x02..=0x3F, _, _, _, _, high, low, ..] => self.next = u16::from_be_bytes([high, low]).wrapping_add(1),
            _ => {}
        }
    }
}

/// A client and its connection.
pub struct Guest {
    /// The client.
    pub client: FuzzClient,
    attempt: Option<u32>,
    /// At the server.
    pub connection: Option<ConnectionId>,
    /// What the client sent to the server.
    pub sent: Tap,
    /// What the client was given from the server.
    pub received: Tap,
    /// Where the next packet from the server has a byte changed on its way, and how.
    pub bend: Option<(u8, u8)>,
    /// Whether packets arrive that others send on a path of the number of its place, counted from 1.
    pub reachable: bool,
    on_paths: Vec<(PathId, Vec<u8>)>,
}

impl Guest {
    /// Makes one that isn't connected.
    ///
    /// # Panics
    ///
    /// When the name is longer than 64 bytes.
    #[must_use]
    pub fn new(name: &str, seed: u64) -> Self {
        Self {
            client: new_client(name, seed),
            attempt: None,
            connection: None,
            sent: Tap::default(),
            received: Tap::default(),
            bend: None,
            reachable: false,
            on_paths: Vec::new(),
        }
    }

    /// Takes a packet from the server.
    pub fn receive(&mut self, now: Instant, delivery: Delivery, packet: &[u8]) {
        self.received.note(packet);
        match self.bend.take() {
            None => self.client.handle_packet(now, Source::Server, delivery, packet),
            Some((at, change)) => {
                let mut bent = packet.to_vec();
                bent[usize::from(at) % packet.len()] ^= change;
                self.client.handle_packet(now, Source::Server, delivery, &bent);
            }
        }
    }

    /// The transport is gone; the server is told unless it knows.
    pub fn hang_up(&mut self, now: Instant) {
        self.connection = None;
        self.client.handle_disconnected(now);
    }

    /// Does what an adapter does with [`Client::transport_wanted`].
    pub fn follow_wish(&mut self, now: Instant, server: &mut FuzzServer) {
        let wanted = self.client.transport_wanted();
        if wanted == self.attempt {
            return;
        }
        self.attempt = wanted;
        if let Some(connection) = self.connection.take() {
            server.handle_disconnected(now, connection);
        }
        if wanted.is_some() {
            match server.handle_connected(now) {
                Ok(connection) => {
                    self.connection = Some(connection);
                    self.client.handle_connected(now);
                }
                Err(_) => self.client.handle_disconnected(now),
            }
        }
    }

    /// Gives the server all that the client has to send; `forwarded` gets what goes on to others at once.
    ///
    /// # Panics
    ///
    /// When the client never stops sending.
    pub fn send_all(
        &mut self,
        now: Instant,
        server: &mut FuzzServer,
        mut forwarded: impl FnMut(ConnectionId, &[u8], &[ConnectionId]),
    ) {
        let mut out = [0; 1_200];
        for _ in 0..MOST_PACKETS {
            let due = self.client.poll_timeout();
            let Some(transmit) = self.client.poll_transmit(now, &mut out) else { return };
            assert!((1..=1_200).contains(&transmit.len) && due.is_some());
            if let Route::Path(path) = transmit.to {
                self.on_paths.push((path, out[..transmit.len].to_vec()));
            }
            let (Route::Server, Some(from)) = (transmit.to, self.connection) else { continue };
            self.sent.note(&out[..transmit.len]);
            let mut forward = server.handle_packet(now, from, transmit.delivery, &mut out[..transmit.len]);
            while let Some((bytes, to)) = forward.next() {
                forwarded(from, bytes, to);
            }
        }
        panic!("a client always has more to send");
    }
}

/// Whether voice that a server sends on is of this session and this speaker, and in the form that listeners get.
#[must_use]
pub fn is_sent_on(bytes: &[u8], session: SessionId, speaker: Option<ClientId>) -> bool {
    Voice::decode(bytes).is_ok_and(|voice| {
        voice.header.tag == session.tag() && Some(voice.header.speaker) == speaker && voice.relay.is_none()
    })
}

/// How many packets were dropped, or parts of them.
#[must_use]
pub fn dropped(drops: &DropCounts) -> u64 {
    drops.total() - drops.get(DropReason::TimeWentBack)
}

/// More packets than a core may have to send at one moment.
pub const MOST_PACKETS: usize = 400;

/// Lets everything flow until nobody has anything to send; `other` gets what is for connections of nobody here.
///
/// # Panics
///
/// When voice goes back to its speaker.
pub fn settle(
    now: Instant,
    server: &mut FuzzServer,
    guests: &mut [&mut Guest],
    mut other: impl FnMut(ConnectionId, Delivery, &[u8]),
) {
    settle_and_tell(now, server, guests, &mut other, &mut |_| {});
}

/// As [`settle`]; `closed` is told of connections of nobody here that the server closes.
///
/// # Panics
///
/// When voice goes back to its speaker.
pub fn settle_and_tell(
    now: Instant,
    server: &mut FuzzServer,
    guests: &mut [&mut Guest],
    other: &mut impl FnMut(ConnectionId, Delivery, &[u8]),
    closed: &mut impl FnMut(ConnectionId),
) {
    let mut forwarded: Vec<(ConnectionId, Vec<u8>)> = Vec::new();
    for _ in 0..50 {
        for guest in guests.iter_mut() {
            guest.client.handle_timeout(now);
            guest.follow_wish(now, server);
            guest.send_all(now, server, |from, bytes, to| {
                assert!(!to.contains(&from), "voice went back to its speaker");
                forwarded.extend(to.iter().map(|to| (*to, bytes.to_vec())));
            });
        }
        let mut moved = !forwarded.is_empty();
        for (to, bytes) in forwarded.drain(..) {
            give(now, guests, to, Delivery::Unreliable, &bytes, other);
        }
        moved |= carry_on_paths(now, guests);
        server.handle_timeout(now);
        moved |= send_server(now, server, |to, delivery, bytes| give(now, guests, to, delivery, bytes, other)) > 0;
        while let Some(event) = server.poll_event() {
            let ServerEvent::Disconnect { connection } = event else { continue };
            server.handle_disconnected(now, connection);
            match guests.iter_mut().find(|guest| guest.connection == Some(connection)) {
                Some(guest) => guest.hang_up(now),
                None => closed(connection),
            }
        }
        if !moved {
            return;
        }
    }
}

/// Gives what was sent on paths to those at their ends; whether there was any.
fn carry_on_paths(now: Instant, guests: &mut [&mut Guest]) -> bool {
    let mut moved = false;
    for from in 0..guests.len() {
        for (path, bytes) in std::mem::take(&mut guests[from].on_paths) {
            let end = usize::try_from(path.0).ok().and_then(|number| number.checked_sub(1)).filter(|end| *end != from);
            let Some(end) = end.and_then(|end| guests.get_mut(end)).filter(|end| end.reachable) else { continue };
            let back = PathId(1 + u32::try_from(from).expect("few guests"));
            end.client.handle_packet(now, Source::Path(back), Delivery::Unreliable, &bytes);
            moved = true;
        }
    }
    moved
}

fn give(
    now: Instant,
    guests: &mut [&mut Guest],
    to: ConnectionId,
    delivery: Delivery,
    bytes: &[u8],
    other: &mut impl FnMut(ConnectionId, Delivery, &[u8]),
) {
    match guests.iter_mut().find(|guest| guest.connection == Some(to)) {
        Some(guest) => guest.receive(now, delivery, bytes),
        None => other(to, delivery, bytes),
    }
}

/// Takes out all that a server has to send; how many packets.
///
/// # Panics
///
/// When the server never stops sending.
pub fn send_server(
    now: Instant,
    server: &mut FuzzServer,
    mut give: impl FnMut(ConnectionId, Delivery, &[u8]),
) -> usize {
    let mut out = [0; 1_200];
    for sent in 0..MOST_PACKETS {
        let due = server.poll_timeout();
        let Some(transmit) = server.poll_transmit(now, &mut out) else { return sent };
        assert!((1..=1_200).contains(&transmit.len) && due.is_some());
        let Route::Client(to) = transmit.to else { panic!("a server sends to clients only") };
        give(to, transmit.delivery, &out[..transmit.len]);
    }
    panic!("a server always has more to send");
}
