use std::collections::BTreeSet;

use voice_core::{
    Admission, ChannelOptions, ClientId, ConnectionId, Delivery, Identity, Instant, RoomId, RoomUse, ServerConfig,
    ServerEvent, TalkTo,
};

use crate::{
    input::Input,
    session::{FuzzServer, Guest, new_server, send_server, settle},
};

/// Makes any sequence of public calls on a server, with any packets from any connection in between: raw ones, ones that real clients
/// sent, and those with bytes changed.
pub fn server_ops(data: &[u8]) {
    let mut input = Input::new(data);
    let admission = if input.flag() { Admission::Ask } else { Admission::AcceptAll };
    let mut caller = Caller {
        now: 0,
        server: new_server(ServerConfig { admission, ..ServerConfig::DEFAULT }),
        guests: [Guest::new("one", 1), Guest::new("two", 2)],
        open: BTreeSet::new(),
        last: Vec::new(),
    };
    for _ in 0..200 {
        if input.is_empty() {
            break;
        }
        caller.call(&mut input);
    }
    caller.drain();
}

struct Caller {
    now: u64,
    server: FuzzServer,
    guests: [Guest; 2],
    /// Connections that belong to no guest.
    open: BTreeSet<ConnectionId>,
    /// The last packet that a guest sent.
    last: Vec<u8>,
}

impl Caller {
    fn call(&mut self, input: &mut Input<'_>) {
        let now = Instant::from_ms(self.now);
        match input.below(10) {
            0 => self.now += u64::from(input.byte()) * 40,
            1 => self.now = self.now.saturating_sub(u64::from(input.byte())),
            2 => self.connections(now, input),
            3 | 4 => self.packet(now, input),
            5 | 6 => self.settle(now),
            7 => self.drain(),
            8 => self.command(now, input),
            _ => self.guest(now, input),
        }
    }

    fn settle(&mut self, now: Instant) {
        let [one, two] = &mut self.guests;
        settle(now, &mut self.server, &mut [one, two], |_, _, _| {});
    }

    fn connections(&mut self, now: Instant, input: &mut Input<'_>) {
        match input.flag() {
            true => self.open.extend(self.server.handle_connected(now)),
            false => {
                let connection = self.connection(input);
                self.open.remove(&connection);
                self.server.handle_disconnected(now, connection);
            }
        }
    }

    fn packet(&mut self, now: Instant, input: &mut Input<'_>) {
        let from = self.connection(input);
        let delivery = if input.flag() { Delivery::Reliable } else { Delivery::Unreliable };
        if input.flag() {
            let guest = &mut self.guests[input.below(2)];
            let mut out = [0; 1_200];
            if let Some(transmit) = guest.client.poll_transmit(now, &mut out) {
                self.last = out[..transmit.len].to_vec();
            }
        }
        let mut packet = match input.flag() {
            true => input.packet().to_vec(),
            false => {
                let last = self.last.clone();
                input.bent(&last)
            }
        };
        let len = packet.len();
        let known = self.known();
        let mut forward = self.server.handle_packet(now, from, delivery, &mut packet);
        let mut groups = 0;
        while let Some((bytes, to)) = forward.next() {
            groups += 1;
            assert!(!to.is_empty() && !bytes.is_empty() && bytes.len() <= len && groups <= 255);
            assert!(!to.contains(&from), "voice went back to its speaker");
            assert!(to.iter().all(|to| known.contains(to)), "voice went to a connection that isn't open");
        }
    }

    fn known(&self) -> BTreeSet<ConnectionId> {
        self.guests.iter().filter_map(|guest| guest.connection).chain(self.open.iter().copied()).collect()
    }

    /// Everything out that has to go, and then nothing may be left that is due.
    fn drain(&mut self) {
        let now = Instant::from_ms(self.now);
        self.server.handle_timeout(now);
        send_server(now, &mut self.server, |_, _, _| {});
        while let Some(event) = self.server.poll_event() {
            if let ServerEvent::Disconnect { connection } = event {
                self.server.handle_disconnected(now, connection);
                self.open.remove(&connection);
            }
        }
        self.server.handle_timeout(now);
        send_server(now, &mut self.server, |_, _, _| {});
        assert!(self.server.poll_timeout().is_none_or(|at| at > now), "the server asks to be woken for nothing");
        assert!(self.server.client_count() <= 4 && self.server.clients().count() == self.server.client_count());
        assert!(self.server.rooms().count() <= 3);
    }

    fn command(&mut self, now: Instant, input: &mut Input<'_>) {
        let (connection, client, flag) = (self.connection(input), person(input), input.flag());
        let server = &mut self.server;
        match input.below(12) {
            0 => _ = server.accept(now, connection, Identity(u64::from(input.byte() % 3))),
            1 => _ = server.refuse(now, connection, input.byte()),
            2 => _ = server.kick(now, client, input.byte()),
            3 => _ = server.ban(now, client),
            4 => _ = server.ban_identity(now, Identity(u64::from(input.byte() % 3))),
            5 => server.unban(Identity(u64::from(input.byte() % 3))),
            6 => _ = server.set_server_mute(now, client, flag),
            7 => {
                let room = RoomId::new(1 + u16::from(input.byte() % 6)).expect("not 0");
                let _ = server.remove_from_room(now, client, room);
                let _ = server.room(room).map(|room| (room.name().len(), room.users(), room.listeners()));
            }
            8 => server.stop(now),
            9 => server.start(now),
            _ => {
                let waiting = server.pending_join(connection).map(|join| (join.name().len(), join.credential().len()));
                assert!(waiting.is_none_or(|(name, credential)| name <= 64 && credential <= 512));
                let _ = server.client(client).map(|client| client.rooms().count());
            }
        }
    }

    fn guest(&mut self, now: Instant, input: &mut Input<'_>) {
        let guest = &mut self.guests[input.below(2)];
        let client = &mut guest.client;
        match input.below(7) {
            0 | 1 => client.connect(now),
            2 => client.disconnect(now),
            3 => {
                let name = ["a", "b", "c"][input.below(3)];
                if let Ok(room) = client.use_room(now, name, RoomUse::Both) {
                    let _ = client.open_channel(now, TalkTo::Room(room), ChannelOptions::DEFAULT);
                }
            }
            4 => _ = client.send_frame(now, &[1; 40]),
            5 => _ = client.open_channel(now, TalkTo::Client(person(input)), ChannelOptions::DEFAULT),
            _ => client.set_deafened(now, input.flag()),
        }
    }

    /// One of those that are open, or any.
    fn connection(&self, input: &mut Input<'_>) -> ConnectionId {
        let at = input.below(8);
        match (at < 2).then(|| self.guests[at].connection).flatten() {
            Some(connection) => connection,
            None => match self.open.iter().nth(at % 4) {
                Some(connection) => *connection,
                None => ConnectionId::new(u16::from(input.byte() % 8), u16::from(input.byte() % 4)),
            },
        }
    }
}

fn person(input: &mut Input<'_>) -> ClientId {
    ClientId::new(1 + u16::from(input.byte() % 10)).expect("not 0")
}
