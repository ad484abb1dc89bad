//! A node that goes through all modes, a guest of its server, and a server elsewhere that it is a guest of. Packets take no time.

use voice_core::{
    ChannelOptions, ConnectionId, Delivery, Forward, GameSession, Instant, Mode, Node, RoomUse, Route, ServerConfig,
    ServerEvent, Source, TalkTo,
};

use super::{
    later, look,
    sum::Sum,
    tables::{ClientTables, Memory, ServerTables, SmallClient, SmallServer, new_server},
};

type Host<'a> = Node<ClientTables<'a>, ServerTables, [u8; 6_000]>;

/// The modes that the node follows a game through.
const GAME: [(GameSession, Mode); 4] = [
    (GameSession { server: true, client: true }, Mode::Host),
    (GameSession { server: true, client: false }, Mode::DedicatedServer),
    (GameSession { server: false, client: true }, Mode::Client),
    (GameSession { server: false, client: false }, Mode::None),
];

struct House<'a> {
    now: Instant,
    node: Host<'a>,
    guest: SmallClient<'a>,
    elsewhere: SmallServer,
    /// The guest's transport to the node: its attempt, and the connection if it is up.
    guest_link: (Option<u32>, Option<ConnectionId>),
    /// The node's transport to the server elsewhere.
    node_link: (Option<u32>, Option<ConnectionId>),
    sum: Sum,
}

/// The digest of what they did.
#[inline(never)] // So that its tables and those of the session don't stand on the stack together.
pub(crate) fn digest() -> u64 {
    let mut memory = [const { Memory::EMPTY }; 2];
    let [own, guests] = &mut memory;
    let mut house = House::new(own, guests);
    for (session, mode) in GAME {
        house.node.follow(house.now, session);
        house.sum.number(house.node.mode() == mode);
        house.run(1_500);
    }
    house.node.set_mode(house.now, Mode::Host);
    house.run(2_000);
    house.node.restart_server(house.now);
    house.run(3_000);
    house.sum.get()
}

impl<'a> House<'a> {
    fn new(own: &'a mut Memory, guests: &'a mut Memory) -> Self {
        let mut guest = talker(guests, "Guest", 8);
        guest.connect(Instant::ORIGIN);
        Self {
            now: Instant::ORIGIN,
            node: Node::new(talker(own, "Host", 5), new_server(ServerConfig::DEFAULT, 6), [0; 6_000]),
            guest,
            elsewhere: new_server(ServerConfig::DEFAULT, 9),
            guest_link: (None, None),
            node_link: (None, None),
            sum: Sum::NEW,
        }
    }

    fn run(&mut self, ms: u64) {
        for _ in 0..ms / 20 {
            self.now = later(self.now, 20);
            self.node.handle_timeout(self.now);
            self.guest.handle_timeout(self.now);
            self.elsewhere.handle_timeout(self.now);
            let sent =
                [self.node.client_mut().send_frame(self.now, &[9; 30]), self.guest.send_frame(self.now, &[8; 30])];
            sent.into_iter().for_each(|sent| self.sum.number(sent.is_ok()));
            look::hear(&mut self.sum, self.node.client_mut(), self.now);
            look::hear(&mut self.sum, &mut self.guest, self.now);
            for _ in 0..4 {
                self.connect();
                self.move_node_packets();
                self.move_guest_packets();
                self.take_events();
            }
            self.sum.number(self.node.poll_timeout().map_or(0, Instant::as_us));
        }
        look::look_at_client(&mut self.sum, self.node.client_mut());
        look::look_at_server(&mut self.sum, self.node.server_mut());
        self.sum.number(self.node.loopback_drops());
        self.sum.number(self.node.local_connection().is_some());
        self.sum.number(self.node.client().state() as u8);
        self.sum.count(self.node.server().client_count());
    }

    fn connect(&mut self) {
        let wanted = self.guest.transport_wanted();
        if wanted != self.guest_link.0 {
            if let Some(old) = self.guest_link.1.take() {
                self.node.handle_server_disconnected(self.now, old);
            }
            self.guest_link.0 = wanted;
            self.guest_link.1 = wanted.and_then(|_| self.node.handle_server_connected(self.now).ok());
            match (wanted, self.guest_link.1) {
                (Some(_), Some(_)) => self.guest.handle_connected(self.now),
                (Some(_), None) => self.guest.handle_disconnected(self.now),
                _ => {}
            }
        }
        let wanted = self.node.transport_wanted();
        if wanted != self.node_link.0 {
            if let Some(old) = self.node_link.1.take() {
                self.elsewhere.handle_disconnected(self.now, old);
            }
            self.node_link.0 = wanted;
            self.node_link.1 = wanted.and_then(|_| self.elsewhere.handle_connected(self.now).ok());
            match (wanted, self.node_link.1) {
                (Some(_), Some(_)) => self.node.handle_client_connected(self.now),
                (Some(_), None) => self.node.handle_client_disconnected(self.now),
                _ => {}
            }
        }
    }

    fn move_node_packets(&mut self) {
        while let Some(forward) = self.node.poll_loopback(self.now) {
            to_guest(forward, &mut self.guest, self.now, &mut self.sum);
        }
        let mut out = [0; 1_200];
        while let Some(transmit) = self.node.poll_transmit(self.now, &mut out) {
            let packet = &mut out[..transmit.len];
            self.sum.transmit(&transmit, packet);
            match (transmit.to, self.node_link.1) {
                (Route::Client(to), _) if self.guest_link.1 == Some(to) => {
                    self.guest.handle_packet(self.now, Source::Server, transmit.delivery, packet);
                }
                (Route::Server, Some(from)) => {
                    let mut forward = self.elsewhere.handle_packet(self.now, from, transmit.delivery, packet);
                    self.sum.number(forward.next().is_some());
                }
                _ => {}
            }
        }
        while let Some(transmit) = self.elsewhere.poll_transmit(self.now, &mut out) {
            let packet = &out[..transmit.len];
            self.sum.transmit(&transmit, packet);
            self.node.handle_client_packet(self.now, Source::Server, transmit.delivery, packet);
        }
    }

    fn move_guest_packets(&mut self) {
        let mut out = [0; 1_200];
        while let Some(transmit) = self.guest.poll_transmit(self.now, &mut out) {
            let packet = &mut out[..transmit.len];
            self.sum.transmit(&transmit, packet);
            if let Some(from) = self.guest_link.1 {
                let forward = self.node.handle_server_packet(self.now, from, transmit.delivery, packet);
                to_guest(forward, &mut self.guest, self.now, &mut self.sum);
            }
        }
    }

    fn take_events(&mut self) {
        while let Some(event) = self.node.poll_client_event() {
            self.sum.client_event(event);
        }
        while let Some(event) = self.guest.poll_event() {
            self.sum.client_event(event);
        }
        while let Some(event) = self.node.poll_server_event() {
            self.sum.server_event(event);
            let ServerEvent::Disconnect { connection } = event else { continue };
            if self.guest_link.1.take_if(|link| *link == connection).is_some() {
                self.guest.handle_disconnected(self.now);
            }
            self.node.handle_server_disconnected(self.now, connection);
        }
        while let Some(event) = self.elsewhere.poll_event() {
            self.sum.server_event(event);
            let ServerEvent::Disconnect { connection } = event else { continue };
            if self.node_link.1.take_if(|link| *link == connection).is_some() {
                self.node.handle_client_disconnected(self.now);
            }
            self.elsewhere.handle_disconnected(self.now, connection);
        }
    }
}

fn talker<'a>(memory: &'a mut Memory, name: &str, seed: u64) -> SmallClient<'a> {
    let mut client = memory.client(name, seed);
    if let Ok(room) = client.use_room(Instant::ORIGIN, "Tent", RoomUse::Both) {
        _ = client.open_channel(Instant::ORIGIN, TalkTo::Room(room), ChannelOptions::DEFAULT);
    }
    client
}

fn to_guest(mut forward: Forward<'_, '_>, guest: &mut SmallClient<'_>, now: Instant, sum: &mut Sum) {
    while let Some((bytes, to)) = forward.next() {
        sum.packet(bytes);
        for connection in to {
            sum.connection(*connection);
            guest.handle_packet(now, Source::Server, Delivery::Unreliable, bytes);
        }
    }
}
