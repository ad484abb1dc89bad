//! What nothing happens costs doesn't grow with the number of clients: a turn of a server in which nothing is due looks at no seat, no room
//! and no set, and at a handful of connections, however many there are. Judged by taking the rest of its memory away meanwhile: a
//! server that looked there would die of it. A client's turn looks at nobody of its roster.
#![cfg(unix)]

mod session_harness;

use std::{ffi::c_void, ptr, slice};

use session_harness::script::{Script, Tell};
use voice_core::{
    ChannelSlot, Client, ClientConfig, ClientId, ClientStorage, Connection, ConnectionId, Delivery, Instant, PeerLink,
    PendingJoin, PersonSlot, Post, Room, RoomSlot, Seat, Server, ServerConfig, ServerEvent, ServerStorage, Source,
    SpeakerSlot, State, playout_bytes, server_words,
    wire::{Hello, Packet, Ping, StateFlags, VERSION},
};

/// A table in pages of its own, which can be taken away and given back.
struct Table<T> {
    first: *mut T,
    len: usize,
    bytes: usize,
}

impl<T> Table<T> {
    fn new(len: usize, empty: impl Fn() -> T) -> Self {
        let bytes = (len * size_of::<T>()).next_multiple_of(PAGE);
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: new pages, at no particular place.
        let first = unsafe { libc::mmap(ptr::null_mut(), bytes, access, kind, -1, 0) };
        assert_ne!(first, libc::MAP_FAILED);
        let first = first.cast::<T>();
        // SAFETY: the pages hold `len` entries, and are aligned for any.
        (0..len).for_each(|at| unsafe { first.add(at).write(empty()) });
        Self { first, len, bytes }
    }

    /// Where it lies, and all of its pages but those of the first `keep` entries.
    fn rest(&self, keep: usize) -> (*mut c_void, usize) {
        let from = (keep * size_of::<T>()).next_multiple_of(PAGE).min(self.bytes);
        (self.first.wrapping_byte_add(from).cast(), self.bytes - from)
    }
}

impl<T> AsRef<[T]> for Table<T> {
    fn as_ref(&self) -> &[T] {
        // SAFETY: written in `new`, and never given away otherwise.
        unsafe { slice::from_raw_parts(self.first, self.len) }
    }
}

impl<T> AsMut<[T]> for Table<T> {
    fn as_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `as_ref`, and borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.first, self.len) }
    }
}

const PAGE: usize = 16_384;

fn allow(pages: &[(*mut c_void, usize)], access: i32) {
    for (first, bytes) in pages.iter().filter(|(_, bytes)| *bytes > 0) {
        // SAFETY: pages of the tables above.
        assert_eq!(unsafe { libc::mprotect(*first, *bytes, access) }, 0);
    }
}

type Tables = ServerStorage<
    Table<Seat>,
    Table<Room>,
    Table<u64>,
    Table<Connection>,
    Table<Post>,
    Vec<PendingJoin>,
    Table<ConnectionId>,
>;

/// A server whose clients have joined and been told everything, and the pages that it has no business with.
fn settled(clients: usize) -> (Server<Tables>, Vec<(*mut c_void, usize)>, Instant) {
    let rooms = 64;
    let tables = ServerStorage {
        seats: Table::new(clients, || Seat::EMPTY),
        rooms: Table::new(rooms, || Room::EMPTY),
        words: Table::new(server_words(clients, rooms, 4), || 0),
        connections: Table::new(clients, || Connection::EMPTY),
        posts: Table::new(4, || Post::EMPTY),
        pending: Vec::new(),
        recipients: Table::new(2 * clients, || ConnectionId::new(0, 0)),
    };
    let rest = vec![
        tables.seats.rest(0),
        tables.rooms.rest(0),
        tables.words.rest(0),
        tables.connections.rest(1),
        tables.posts.rest(0),
        tables.recipients.rest(0),
    ];
    let mut server = Server::new(ServerConfig::DEFAULT, 1, tables);
    let now = Instant::from_ms(1);
    let connections: Vec<_> = (0..clients).map(|_| server.handle_connected(now).unwrap()).collect();
    connections.iter().for_each(|connection| join(&mut server, now, *connection));
    let now = tell_everything(&mut server, now, &connections);
    assert_eq!(server.client_count(), clients);
    (server, rest, now)
}

fn join(server: &mut Server<Tables>, now: Instant, connection: ConnectionId) {
    let hello = Packet::Hello(Hello {
        version: VERSION,
        features: 0,
        nonce: 1,
        codec: Default::default(),
        flags: StateFlags { muted: false, deafened: false },
        priority: Default::default(),
        resume: None,
        name: "somebody",
        credential: &[],
    });
    give(server, now, connection, Delivery::Reliable, &hello);
}

fn give(server: &mut Server<Tables>, now: Instant, from: ConnectionId, delivery: Delivery, packet: &Packet<'_>) {
    let mut bytes = [0; 1_200];
    let len = packet.encode(&mut bytes).unwrap();
    _ = server.handle_packet(now, from, delivery, &mut bytes[..len]);
}

/// Lets the roster out, acknowledged in order, until nothing is left to say.
fn tell_everything(server: &mut Server<Tables>, mut now: Instant, connections: &[ConnectionId]) -> Instant {
    let mut out = [0; 1_200];
    let mut next = vec![0_u16; connections.len()];
    let session = server.session();
    loop {
        now = now.after(std::time::Duration::from_millis(100));
        server.handle_timeout(now);
        let mut said = false;
        while let Some(transmit) = server.poll_transmit(now, &mut out) {
            let voice_core::Route::Client(to) = transmit.to else { continue };
            next[to.index()] += u16::from(transmit.delivery == Delivery::Reliable);
            said |= transmit.delivery == Delivery::Reliable;
        }
        for (connection, next) in connections.iter().zip(&next) {
            let ping = Ping { session, stamp: 1, next: *next, rtt_ms: 0, loss: 0, jitter_ms: 0, idle: false };
            give(server, now, *connection, Delivery::Unreliable, &Packet::Ping(ping));
        }
        // A call passes over so many connections with nothing to say, and no more.
        while server.poll_timeout().is_some_and(|at| at <= now) {
            _ = server.poll_transmit(now, &mut out);
        }
        while let Some(event) = server.poll_event() {
            assert!(!matches!(event, ServerEvent::Left { .. } | ServerEvent::Disconnect { .. }));
        }
        if !said {
            return now;
        }
    }
}

fn an_idle_turn(clients: usize) {
    let (mut server, rest, now) = settled(clients);
    let mut out = [0; 1_200];
    allow(&rest, libc::PROT_NONE);
    for ms in 1..1_000 {
        let now = now.after(std::time::Duration::from_millis(ms));
        server.handle_timeout(now);
        assert_eq!(server.poll_transmit(now, &mut out), None);
        assert!(server.poll_timeout().is_some_and(|at| at > now));
        assert_eq!(server.poll_event(), None);
    }
    allow(&rest, libc::PROT_READ | libc::PROT_WRITE);
    assert!(server.client(ClientId::new(1).unwrap()).is_some());
}

#[test]
fn a_turn_with_nothing_due_looks_at_no_client_of_ten() {
    an_idle_turn(10);
}

#[test]
fn a_turn_with_nothing_due_looks_at_no_client_of_a_thousand() {
    an_idle_turn(1_024);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "so many rosters take long to tell without optimization: run it with --release")]
fn a_turn_with_nothing_due_looks_at_no_client_of_four_thousand() {
    an_idle_turn(4_096);
}

/// A client that has joined, with so many people in its roster.
fn a_client_who_knows(people: u16, now: Instant) -> (Client<impl voice_core::ClientMemory>, Vec<(*mut c_void, usize)>) {
    let roster = Table::new(people.into(), || PersonSlot::EMPTY);
    let rest = vec![roster.rest(0)];
    let memory = ClientStorage {
        roster,
        rooms: vec![RoomSlot::EMPTY; 2],
        channels: vec![ChannelSlot::EMPTY; 2],
        speakers: vec![SpeakerSlot::EMPTY; 2],
        peers: vec![PeerLink::EMPTY; 2],
        frames: vec![0; 2 * playout_bytes(240, 5)],
        inbox: vec![0; 2_100],
        outbox: vec![0; 2_100],
        voice: vec![0; 1_300],
        retained: Vec::new(),
        credential: Vec::new(),
    };
    let mut client = Client::new(ClientConfig::new("somebody").unwrap(), 1, memory);
    let mut script = Script::new();
    client.connect(now);
    client.handle_connected(now);
    send(&mut client, &mut script, now);
    tell(&mut client, &mut script, now, &Tell::Welcome(false));
    for first in (1..=people).step_by(16) {
        let page = (first..=people).take(16).map(|client| (client, 0)).collect();
        tell(
            &mut client,
            &mut script,
            now,
            &Tell::Roster { first: false, last: false, people: page, gone: Vec::new() },
        );
    }
    send(&mut client, &mut script, now);
    assert_eq!((client.state(), client.roster().count()), (State::Connected, people.into()));
    (client, rest)
}

fn send(client: &mut Client<impl voice_core::ClientMemory>, script: &mut Script, now: Instant) {
    let mut out = [0; 1_200];
    while let Some(transmit) = client.poll_transmit(now, &mut out) {
        script.note_said(&Packet::decode(&out[..transmit.len]).unwrap());
    }
    while client.poll_event().is_some() {}
}

fn tell(client: &mut Client<impl voice_core::ClientMemory>, script: &mut Script, now: Instant, tell: &Tell) {
    let bytes = script.write(tell);
    script.note_told(&bytes, Delivery::Reliable, client.state(), client.session());
    client.handle_packet(now, Source::Server, Delivery::Reliable, &bytes);
}

#[test]
fn a_clients_turn_with_nothing_due_looks_at_nobody_of_four_thousand() {
    let now = Instant::from_ms(1);
    let (mut client, rest) = a_client_who_knows(4_096, now);
    let mut out = [0; 1_200];
    allow(&rest, libc::PROT_NONE);
    for ms in 1..1_000 {
        let now = now.after(std::time::Duration::from_millis(ms));
        client.handle_timeout(now);
        assert_eq!(client.poll_transmit(now, &mut out), None);
        assert!(client.poll_timeout().is_some_and(|at| at > now));
    }
    allow(&rest, libc::PROT_READ | libc::PROT_WRITE);
    assert_eq!(client.roster().count(), 4_096);
}
