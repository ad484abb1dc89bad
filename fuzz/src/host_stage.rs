//! A host with everything around it: an adapter, a guest who joins it when it serves, a server elsewhere when it doesn't.

use voice_core::{
    ChannelOptions, ConnectionId, Delivery, Instant, Mode, Node, RoomUse, Route, ServerConfig, ServerEvent, Source,
    TalkTo,
};

use crate::session::{FuzzHost, FuzzServer, Guest, MOST_PACKETS, Tap, new_client, new_server, settle};

/// The host, at a time.
pub(crate) struct HostStage {
    pub(crate) now: u64,
    pub(crate) latest: u64,
    pub(crate) node: FuzzHost,
    /// Joins the host when it is a server.
    pub(crate) guest: Guest,
    guest_attempt: Option<u32>,
    /// Where the host joins when it is a client, with the attempt and connection of the host's.
    pub(crate) elsewhere: FuzzServer,
    joined: Option<(u32, ConnectionId)>,
    pub(crate) received: Tap,
    pub(crate) strangers: Vec<(ConnectionId, Tap)>,
}

impl HostStage {
    /// A node that is nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            now: 0,
            latest: 0,
            node: Node::new(new_client("host", 1), new_server(ServerConfig::DEFAULT), vec![0; 6_000]),
            guest: Guest::new("guest", 2),
            guest_attempt: None,
            elsewhere: new_server(ServerConfig::DEFAULT),
            joined: None,
            received: Tap::default(),
            strangers: Vec::new(),
        }
    }

    /// A host and a guest who talk in a room.
    pub(crate) fn begin_joined(&mut self) {
        let now = Instant::ORIGIN;
        self.node.set_mode(now, Mode::Host);
        self.guest.client.connect(now);
        for client in [self.node.client_mut(), &mut self.guest.client] {
            if let Ok(room) = client.use_room(now, "a", RoomUse::Both) {
                let _ = client.open_channel(now, TalkTo::Room(room), ChannelOptions::DEFAULT);
            }
        }
        self.settle();
        (self.now, self.latest) = (60, 60);
        self.settle();
    }

    /// Gives the host a packet for its server, and the guest the voice that goes on.
    pub(crate) fn serve(&mut self, now: Instant, from: ConnectionId, delivery: Delivery, packet: &mut [u8]) {
        let local = self.node.local_connection();
        let mut forward = self.node.handle_server_packet(now, from, delivery, packet);
        while let Some((bytes, to)) = forward.next() {
            assert!(to.iter().all(|to| Some(*to) != local && *to != from), "voice went to its speaker, or to memory");
            if self.guest.connection.is_some_and(|guest| to.contains(&guest)) {
                self.guest.receive(now, Delivery::Unreliable, bytes);
            }
        }
    }

    /// Does what an adapter does until nothing moves.
    pub(crate) fn settle(&mut self) {
        let now = Instant::from_ms(self.now);
        for _ in 0..50 {
            self.node.handle_timeout(now);
            let mut moved = self.follow_wishes(now);
            moved |= self.carry_from_guest(now);
            moved |= self.carry_in_memory(now);
            moved |= self.carry_from_host(now);
            self.carry_from_elsewhere(now);
            self.events(now);
            if !moved {
                return;
            }
        }
    }

    /// What the host's client says to the host's server.
    fn carry_in_memory(&mut self, now: Instant) -> bool {
        let latest = Instant::from_ms(self.latest);
        for moved in 0..MOST_PACKETS {
            let due = self.node.poll_timeout();
            let Some(mut forward) = self.node.poll_loopback(now) else { return moved > 0 };
            assert!(due.is_some_and(|at| at <= latest), "a packet waits in memory, and nobody is woken");
            while let Some((bytes, to)) = forward.next() {
                if self.guest.connection.is_some_and(|guest| to.contains(&guest)) {
                    self.guest.receive(now, Delivery::Unreliable, bytes);
                }
            }
        }
        panic!("the loopback never runs dry");
    }

    /// Opens and closes transports as the clients want them.
    fn follow_wishes(&mut self, now: Instant) -> bool {
        let wanted = self.node.transport_wanted();
        let moved = wanted != self.joined.map(|(attempt, _)| attempt);
        if moved {
            if let Some((_, connection)) = self.joined.take() {
                self.elsewhere.handle_disconnected(now, connection);
            }
            let connected = wanted.and_then(|attempt| Some((attempt, self.elsewhere.handle_connected(now).ok()?)));
            self.joined = connected;
            match connected {
                Some(_) => self.node.handle_client_connected(now),
                None => self.node.handle_client_disconnected(now),
            }
        }
        self.guest.client.handle_timeout(now);
        let wanted = self.guest.client.transport_wanted();
        if wanted == self.guest_attempt {
            return moved;
        }
        self.guest_attempt = wanted;
        if let Some(connection) = self.guest.connection.take() {
            self.node.handle_server_disconnected(now, connection);
        }
        if wanted.is_some() {
            self.guest.connection = self.node.handle_server_connected(now).ok();
            match self.guest.connection {
                Some(_) => self.guest.client.handle_connected(now),
                None => self.guest.client.handle_disconnected(now),
            }
        }
        true
    }

    fn carry_from_guest(&mut self, now: Instant) -> bool {
        let mut out = [0; 1_200];
        let mut sent = 0;
        while let Some(transmit) = self.guest.client.poll_transmit(now, &mut out) {
            sent += 1;
            assert!(sent < MOST_PACKETS, "the guest always has more to send");
            self.guest.sent.note(&out[..transmit.len]);
            if let (Route::Server, Some(from)) = (transmit.to, self.guest.connection) {
                self.serve(now, from, transmit.delivery, &mut out[..transmit.len]);
            }
        }
        sent > 0
    }

    fn carry_from_host(&mut self, now: Instant) -> bool {
        let (mut out, latest) = ([0; 1_200], Instant::from_ms(self.latest));
        let mut sent = 0;
        loop {
            let due = self.node.poll_timeout();
            let Some(transmit) = self.node.poll_transmit(now, &mut out) else { return sent > 0 };
            sent += 1;
            assert!(sent < MOST_PACKETS && (1..=1_200).contains(&transmit.len));
            assert!(due.is_some_and(|at| at <= latest), "a packet waits, and nobody is woken");
            let packet = &mut out[..transmit.len];
            match (transmit.to, self.joined) {
                (Route::Client(to), _) => {
                    assert!(Some(to) != self.node.local_connection(), "a packet for memory came out");
                    if self.guest.connection == Some(to) {
                        self.guest.receive(now, transmit.delivery, packet);
                    }
                }
                (Route::Server, Some((_, from))) => {
                    let mut forward = self.elsewhere.handle_packet(now, from, transmit.delivery, packet);
                    while forward.next().is_some() {}
                }
                _ => {}
            }
        }
    }

    fn carry_from_elsewhere(&mut self, now: Instant) {
        let (node, received, joined) = (&mut self.node, &mut self.received, self.joined);
        settle(now, &mut self.elsewhere, &mut [], |to, delivery, packet| {
            if joined.is_some_and(|(_, connection)| connection == to) {
                received.note(packet);
                node.handle_client_packet(now, Source::Server, delivery, packet);
            }
        });
    }

    fn events(&mut self, now: Instant) {
        while self.node.poll_client_event().is_some() {}
        while self.guest.client.poll_event().is_some() {}
        while let Some(event) = self.node.poll_server_event() {
            let ServerEvent::Disconnect { connection } = event else { continue };
            assert!(Some(connection) != self.node.local_connection(), "an adapter is to close what is none of its own");
            self.node.handle_server_disconnected(now, connection);
            self.strangers.retain(|(stranger, _)| *stranger != connection);
            if self.guest.connection == Some(connection) {
                self.guest.hang_up(now);
            }
        }
    }

    /// Whatever was called: once all is drained, nothing is due at once for ever.
    pub(crate) fn come_to_rest(&mut self) {
        let now = Instant::from_ms(self.now);
        let mut out = [0; 1_200];
        for _ in 0..MOST_PACKETS {
            self.node.handle_timeout(now);
            let mut moved = false;
            while let Some(mut forward) = self.node.poll_loopback(now) {
                while forward.next().is_some() {}
                moved = true;
            }
            while self.node.poll_transmit(now, &mut out).is_some() {
                moved = true;
            }
            while self.node.poll_client_event().is_some() || self.node.poll_server_event().is_some() {
                moved = true;
            }
            // What came out may have gone into the loopback.
            if !moved && self.node.poll_timeout().is_none_or(|at| at > now) {
                return;
            }
        }
        panic!("the host never comes to rest");
    }
}
