use voice_core::{
    Admission, ChannelOptions, ClientId, ConnectionId, Delivery, Identity, Instant, RoomId, RoomUse, ServerConfig,
    ServerEvent, TalkTo,
};

use crate::{
    draw::packet_after,
    input::Input,
    session::{FuzzServer, Guest, MOST_PACKETS, Tap, dropped, is_sent_on, new_server, settle_and_tell},
};

/// Makes any sequence of public calls on a server, with any packets from any connection in between: raw ones, built ones of its session,
/// ones that real clients sent, and those with bytes changed.
pub fn server_ops(data: &[u8]) {
    let mut input = Input::new(data);
    let (asks, joined) = (input.flag(), input.flag());
    let mut caller = Caller::new(if asks { Admission::Ask } else { Admission::AcceptAll });
    if joined {
        caller.begin_joined();
    }
    input.steps(|input| {
        caller.call(input);
        caller.check();
    });
    caller.drain();
}

struct Caller {
    now: u64,
    latest: u64,
    server: FuzzServer,
    guests: [Guest; 2],
    /// Connections that belong to no guest, and what was sent on them.
    open: Vec<(ConnectionId, Tap)>,
    drops: u64,
}

impl Caller {
    fn new(admission: Admission) -> Self {
        Self {
            now: 0,
            latest: 0,
            server: new_server(ServerConfig { admission, ..ServerConfig::DEFAULT }),
            guests: [Guest::new("one", 1), Guest::new("two", 2)],
            open: Vec::new(),
            drops: 0,
        }
    }

    /// Two who talk in a room, if the server takes them in.
    fn begin_joined(&mut self) {
        for guest in &mut self.guests {
            guest.client.connect(Instant::ORIGIN);
            use_room(Instant::ORIGIN, guest, "a");
        }
        self.settle(Instant::ORIGIN);
        for guest in &self.guests {
            let _ = guest.connection.map(|connection| self.server.accept(Instant::ORIGIN, connection, Identity(1)));
        }
        (self.now, self.latest) = (60, 60);
        self.settle(Instant::from_ms(60));
    }

    fn call(&mut self, input: &mut Input<'_>) {
        let now = Instant::from_ms(self.now);
        match input.below(12) {
            0 => self.now += u64::from(input.byte()) * 40,
            1 => self.now = self.now.saturating_sub(u64::from(input.byte())),
            2 => self.now += 20,
            3 => self.connections(now, input),
            4..=6 => self.packet(now, input),
            7 => self.settle(now),
            8 => self.drain(),
            9 => self.command(now, input),
            10 => self.short(now, input),
            _ => self.guest(now, input),
        }
        self.latest = self.latest.max(self.now);
    }

    /// What must be true after every call.
    fn check(&mut self) {
        let server = &self.server;
        assert!(server.client_count() <= 4 && server.clients().count() == server.client_count());
        assert!(server.rooms().count() <= 3);
        assert!(server.rooms().all(|room| (1..=4).contains(&room.users()) && room.listeners() <= room.users()));
        let drops = server.drops().total();
        assert!(drops >= self.drops, "drops were forgotten");
        self.drops = drops;
    }

    fn settle(&mut self, now: Instant) {
        let ([one, two], open) = (&mut self.guests, &mut self.open);
        let mut close = |connection| open.retain(|(other, _)| *other != connection);
        settle_and_tell(now, &mut self.server, &mut [one, two], &mut |_, _, _| {}, &mut close);
    }

    fn connections(&mut self, now: Instant, input: &mut Input<'_>) {
        match input.flag() {
            true => self.open.extend(self.server.handle_connected(now).map(|connection| (connection, Tap::default()))),
            false => {
                let connection = self.connection(input);
                self.open.retain(|(open, _)| *open != connection);
                self.server.handle_disconnected(now, connection);
            }
        }
    }

    /// Gives the server a packet of some connection.
    fn packet(&mut self, now: Instant, input: &mut Input<'_>) {
        let from = self.connection(input);
        let session = self.server.session();
        let of_guest = self.guests.iter_mut().find(|guest| guest.connection == Some(from)).map(|guest| &mut guest.sent);
        let of_other = self.open.iter_mut().find(|(open, _)| *open == from).map(|(_, tap)| tap);
        let mut nobody = Tap::default();
        let tap = of_guest.or(of_other).unwrap_or(&mut nobody);
        let (delivery, mut packet) = match input.below(4) {
            0 => {
                let mut out = [0; 1_200];
                let guest = &mut self.guests[input.below(2)];
                let Some(transmit) = guest.client.poll_transmit(now, &mut out) else { return };
                (transmit.delivery, input.bent(&out[..transmit.len]))
            }
            _ => {
                let Some(drawn) = packet_after(input, session, tap) else { return };
                drawn
            }
        };
        if let Some((_, tap)) = self.open.iter_mut().find(|(open, _)| *open == from) {
            tap.note(&packet);
        }
        self.take(now, from, delivery, &mut packet);
    }

    fn take(&mut self, now: Instant, from: ConnectionId, delivery: Delivery, packet: &mut [u8]) {
        let len = packet.len();
        // A channel that can't be spoken to is counted, though the packet may go on to nobody by another, and so is a half text that is
        // thrown away.
        let most = 2;
        let before = dropped(self.server.drops());
        let hearing: Vec<ConnectionId> = self
            .server
            .clients()
            .filter(|client| !client.flags().deafened)
            .filter_map(|client| client.connection())
            .collect();
        let known = self.open.iter().any(|(open, _)| *open == from)
            || self.guests.iter().any(|guest| guest.connection == Some(from));
        let session = self.server.session();
        let speaker = self.server.clients().find(|client| client.connection() == Some(from)).map(|client| client.id());
        let mut reached = Vec::new();
        let mut forward = self.server.handle_packet(now, from, delivery, packet);
        while let Some((bytes, to)) = forward.next() {
            assert!(!to.is_empty() && bytes.len() <= len);
            assert!(is_sent_on(bytes, session, speaker), "voice was sent on that its speaker never said");
            assert!(!to.contains(&from), "voice went back to its speaker");
            assert!(to.iter().all(|to| hearing.contains(to)), "voice went to a connection that doesn't hear");
            assert!(to.iter().all(|to| !reached.contains(to)), "voice went twice to a connection");
            reached.extend_from_slice(to);
        }
        let dropped = dropped(self.server.drops()) - before;
        assert!(dropped <= most, "one packet was dropped too often");
        assert!(known || dropped == 1 && reached.is_empty(), "a packet of no connection was taken");
    }

    /// A buffer that may be too short: what doesn't fit has to wait.
    fn short(&mut self, now: Instant, input: &mut Input<'_>) {
        let mut out = [0; 64];
        let len = input.below(65);
        assert!(self.server.poll_transmit(now, &mut out[..len]).is_none(), "less than 1,200 bytes is no buffer");
    }

    /// Everything out that has to go, and then nothing may be left that is due.
    fn drain(&mut self) {
        let now = Instant::from_ms(self.now);
        self.send(now);
        self.server.handle_timeout(now);
        self.send(now);
        for event in 0.. {
            assert!(event <= 256, "the server always has another event");
            let Some(event) = self.server.poll_event() else { break };
            if let ServerEvent::Disconnect { connection } = event {
                self.server.handle_disconnected(now, connection);
                self.open.retain(|(open, _)| *open != connection);
            }
        }
        self.send(now);
        assert!(self.server.poll_timeout().is_none_or(|at| at > now), "the server asks to be woken for nothing");
    }

    fn send(&mut self, now: Instant) {
        let latest = Instant::from_ms(self.latest);
        let mut out = [0; 1_200];
        for _ in 0..MOST_PACKETS {
            let due = self.server.poll_timeout();
            let Some(transmit) = self.server.poll_transmit(now, &mut out) else { return };
            assert!((1..=1_200).contains(&transmit.len));
            assert!(due.is_some_and(|at| at <= latest), "a packet waits, and nobody is woken");
        }
        panic!("the server always has more to send");
    }

    fn command(&mut self, now: Instant, input: &mut Input<'_>) {
        let (connection, client, flag) = (self.connection(input), self.person(input), input.flag());
        let identity = Identity(u64::from(input.byte() % 3));
        let server = &mut self.server;
        match input.below(12) {
            0 | 1 => _ = server.accept(now, connection, identity),
            2 => _ = server.refuse(now, connection, input.byte()),
            3 => _ = server.kick(now, client, input.byte()),
            4 => _ = server.ban(now, client),
            5 => _ = server.ban_identity(now, identity),
            6 => server.unban(identity),
            7 => _ = server.set_server_mute(now, client, flag),
            8 => {
                let room = RoomId::new(1 + u16::from(input.byte() % 6)).expect("not 0");
                let _ = server.remove_from_room(now, client, room);
            }
            9 => server.stop(now),
            10 => server.start(now),
            _ => {
                let waiting = server.pending_join(connection).map(|join| (join.name().len(), join.credential().len()));
                assert!(waiting.is_none_or(|(name, credential)| name <= 64 && credential <= 512));
                assert!(server.client(client).is_none_or(|client| client.rooms().count() <= 3));
            }
        }
    }

    fn guest(&mut self, now: Instant, input: &mut Input<'_>) {
        let person = self.person(input);
        let guest = &mut self.guests[input.below(2)];
        let client = &mut guest.client;
        match input.below(10) {
            0 | 1 => client.connect(now),
            2 => client.disconnect(now),
            3 => use_room(now, guest, ["a", "b", "c", "d"][input.below(4)]),
            4 | 5 => _ = client.send_frame(now, &[1; 40]),
            6 => _ = client.open_channel(now, TalkTo::Client(person), ChannelOptions::DEFAULT),
            7 => _ = client.send_text(now, TalkTo::Client(person), &String::from_utf8_lossy(input.packet())),
            8 => _ = client.set_client_muted(now, person, input.flag()),
            _ => client.set_deafened(now, input.flag()),
        }
    }

    /// One of those that are open, or any.
    fn connection(&self, input: &mut Input<'_>) -> ConnectionId {
        let at = input.below(8);
        match (at < 2).then(|| self.guests[at].connection).flatten() {
            Some(connection) => connection,
            None => match self.open.get(at % 4) {
                Some((connection, _)) => *connection,
                None => ConnectionId::new(u16::from(input.byte() % 8), u16::from(input.byte() % 4)),
            },
        }
    }

    /// One of the guests, or anybody.
    fn person(&self, input: &mut Input<'_>) -> ClientId {
        let drawn = input.byte() % 12;
        let guest = self.guests.get(usize::from(drawn)).and_then(|guest| guest.client.id());
        guest.unwrap_or(ClientId::new(1 + u16::from(drawn)).expect("not 0"))
    }
}

fn use_room(now: Instant, guest: &mut Guest, name: &str) {
    if let Ok(room) = guest.client.use_room(now, name, RoomUse::Both) {
        let _ = guest.client.open_channel(now, TalkTo::Room(room), ChannelOptions::DEFAULT);
    }
}
