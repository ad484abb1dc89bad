use std::time::Duration;

use voice_core::{
    ClientId, CodecSettings, Connection, ConnectionId, Delivery, Instant, PendingJoin, Post, Priority, Room, RoomId,
    RoomUse, Route, Seat, Server, ServerConfig, ServerEvent, ServerStorage, SessionId, server_storage_vec,
    wire::{Hello, Lane, Packet, StateFlags, VERSION, limits},
};

pub(crate) type Storage =
    ServerStorage<Vec<Seat>, Vec<Room>, Vec<u64>, Vec<Connection>, Vec<Post>, Vec<PendingJoin>, Vec<ConnectionId>>;

/// Acknowledging as rarely as the window allows with ease costs the fewest packets.
const ACKNOWLEDGE_EVERY: u16 = 32;

/// One who has joined.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Person {
    pub(crate) id: ClientId,
    pub(crate) connection: ConnectionId,
}

/// A server and people whose part is played without client objects, in virtual time.
pub(crate) struct Crowd {
    pub(crate) server: Server<Storage>,
    pub(crate) now: Instant,
    pub(crate) session: SessionId,
    pub(crate) people: Vec<Person>,
    /// Packets of the reliable lane that came to each connection.
    received: Vec<u16>,
    alive_at: Instant,
    buffer: [u8; limits::MAX_PACKET_BYTES],
}

impl Crowd {
    /// Makes a server without anybody.
    pub(crate) fn new(seats: usize, rooms: usize) -> Self {
        let storage = server_storage_vec!(clients: seats, rooms: rooms);
        let received = vec![0; storage.connections.len()];
        let mut server = Server::new(ServerConfig::DEFAULT, 7, storage);
        let session = server.session();
        let now = Instant::from_ms(1_000);
        let buffer = [0; limits::MAX_PACKET_BYTES];
        Self { server, now, session, people: Vec::new(), received, alive_at: now, buffer }
    }

    /// Lets somebody join and use a room; nothing is sent yet. The room's id, if it is listened to.
    pub(crate) fn join(&mut self, room: &str, room_use: RoomUse) -> Option<RoomId> {
        let connection = self.server.handle_connected(self.now).expect("a connection is free");
        self.received[connection.index()] = 0;
        let name = format!("Player {:04}", self.people.len() % 10_000);
        self.send(connection, &Packet::Hello(hello(&name)));
        let lane = Lane { session: self.session, number: 1 };
        self.send(connection, &Packet::UseRoom { lane, room_use, name: room });
        let (mut joined, mut entered) = (None, None);
        while let Some(event) = self.server.poll_event() {
            match event {
                ServerEvent::Joined { id, .. } => joined = Some(id),
                ServerEvent::EnteredRoom { room, .. } => entered = Some(room),
                _ => {}
            }
        }
        self.people.push(Person { id: joined.expect("a seat is free"), connection });
        entered
    }

    /// Lets the last who joined leave.
    pub(crate) fn leave(&mut self) {
        let Some(person) = self.people.pop() else { return };
        let lane = Lane { session: self.session, number: 2 };
        self.send(person.connection, &Packet::Leave { lane });
        self.server.handle_disconnected(self.now, person.connection);
        while self.server.poll_event().is_some() {}
        assert_eq!(self.server.client_count(), self.people.len(), "who left has no seat");
    }

    /// Lets time pass, and everybody be told what they have to be.
    pub(crate) fn pass(&mut self, span: Duration) {
        self.now = self.now.after(span);
        self.stay_alive();
        self.server.handle_timeout(self.now);
        self.drain();
    }

    /// Takes all packets that the server has now, and acknowledges them; gives their number.
    pub(crate) fn drain(&mut self) -> usize {
        let mut packets = 0;
        while self.server.poll_timeout().is_some_and(|due| due <= self.now) {
            while let Some(transmit) = self.server.poll_transmit(self.now, &mut self.buffer) {
                packets += 1;
                if let (Route::Client(to), Delivery::Reliable) = (transmit.to, transmit.delivery) {
                    self.receive(to);
                }
            }
        }
        packets
    }

    fn receive(&mut self, at: ConnectionId) {
        let received = &mut self.received[at.index()];
        *received = received.wrapping_add(1);
        if received.is_multiple_of(ACKNOWLEDGE_EVERY) {
            self.acknowledge(at);
        }
    }

    fn acknowledge(&mut self, from: ConnectionId) {
        let next = self.received[from.index()];
        self.send(from, &Packet::LaneAck { session: self.session, next });
    }

    /// Everybody sends something every 5 s, so that nobody times out.
    fn stay_alive(&mut self) {
        if self.now.since(self.alive_at) < Duration::from_secs(5) {
            return;
        }
        self.alive_at = self.now;
        for at in 0..self.people.len() {
            self.acknowledge(self.people[at].connection);
        }
    }

    fn send(&mut self, from: ConnectionId, packet: &Packet<'_>) {
        let mut bytes = [0; limits::MAX_PACKET_BYTES];
        let len = packet.encode(&mut bytes).expect("the packet is whole");
        self.server.handle_packet(self.now, from, packet.delivery(), &mut bytes[..len]);
    }
}

fn hello(name: &str) -> Hello<'_> {
    Hello {
        version: VERSION,
        features: 0,
        nonce: 1,
        codec: CodecSettings::DEFAULT,
        flags: StateFlags::default(),
        priority: Priority::None,
        resume: None,
        name,
        credential: &[],
    }
}
