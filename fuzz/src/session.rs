//! A small server and clients on a network that loses nothing and takes no time.

use voice_core::{
    ChannelSlot, Client, ClientConfig, ClientStorage, Connection, ConnectionId, Delivery, Instant, PeerLink,
    PendingJoin, PersonSlot, Post, Room, RoomSlot, Route, Seat, Server, ServerConfig, ServerEvent, ServerStorage,
    Source, SpeakerSlot, playout_bytes, server_words,
};

/// A client with small tables.
pub type FuzzClient =
    Client<ClientStorage<Vec<PersonSlot>, Vec<RoomSlot>, Vec<ChannelSlot>, Vec<SpeakerSlot>, Vec<PeerLink>, Vec<u8>>>;
/// A server with small tables.
pub type FuzzServer = Server<
    ServerStorage<Vec<Seat>, Vec<Room>, Vec<u64>, Vec<Connection>, Vec<Post>, Vec<PendingJoin>, Vec<ConnectionId>>,
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
    };
    Client::new(ClientConfig::new(name).expect("a short name"), seed, storage)
}

/// A client and its connection.
pub struct Guest {
    /// The client.
    pub client: FuzzClient,
    attempt: Option<u32>,
    /// At the server.
    pub connection: Option<ConnectionId>,
}

impl Guest {
    /// Makes one that isn't connected.
    #[must_use]
    pub fn new(name: &str, seed: u64) -> Self {
        Self { client: new_client(name, seed), attempt: None, connection: None }
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
            let Some(transmit) = self.client.poll_transmit(now, &mut out) else { return };
            assert!((1..=1_200).contains(&transmit.len));
            let (Route::Server, Some(from)) = (transmit.to, self.connection) else { continue };
            let mut forward = server.handle_packet(now, from, transmit.delivery, &mut out[..transmit.len]);
            while let Some((bytes, to)) = forward.next() {
                forwarded(from, bytes, to);
            }
        }
        panic!("a client always has more to send");
    }
}

/// More packets than a core may have to send at one moment.
pub const MOST_PACKETS: usize = 2_000;

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
    for _ in 0..50 {
        let mut forwarded: Vec<(ConnectionId, Vec<u8>)> = Vec::new();
        for guest in guests.iter_mut() {
            guest.client.handle_timeout(now);
            guest.follow_wish(now, server);
            guest.send_all(now, server, |from, bytes, to| {
                assert!(!to.contains(&from), "voice went back to its speaker");
                forwarded.extend(to.iter().map(|to| (*to, bytes.to_vec())));
            });
        }
        let mut moved = !forwarded.is_empty();
        for (to, bytes) in forwarded {
            give(now, guests, to, Delivery::Unreliable, &bytes, &mut other);
        }
        server.handle_timeout(now);
        moved |= send_server(now, server, |to, delivery, bytes| give(now, guests, to, delivery, bytes, &mut other)) > 0;
        while let Some(event) = server.poll_event() {
            let ServerEvent::Disconnect { connection } = event else { continue };
            server.handle_disconnected(now, connection);
            for guest in guests.iter_mut().filter(|guest| guest.connection == Some(connection)) {
                guest.connection = None;
                guest.client.handle_disconnected(now);
            }
        }
        if !moved {
            return;
        }
    }
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
        Some(guest) => guest.client.handle_packet(now, Source::Server, delivery, bytes),
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
        let Some(transmit) = server.poll_transmit(now, &mut out) else { return sent };
        assert!((1..=1_200).contains(&transmit.len));
        let Route::Client(to) = transmit.to else { panic!("a server sends to clients only") };
        give(to, transmit.delivery, &out[..transmit.len]);
    }
    panic!("a server always has more to send");
}
