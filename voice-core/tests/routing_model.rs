//! Who hears whom, against a model as naive as can be, written from docs/PROTOCOL.md, section 5.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};
use voice_core::{
    ChannelOptions, ClientId, CodecSettings, ConnectionId, Delivery, Instant, Priority, RoomId, RoomUse, Route, Server,
    ServerConfig, ServerStorage, Target, Volume, server_storage_vec,
    wire::{Channel, Hello, Lane, Packet, Resume, StateFlags, VERSION, Voice, VoiceHeader, Welcome},
};

type TestServer = Server<
    ServerStorage<
        Vec<voice_core::Seat>,
        Vec<voice_core::Room>,
        Vec<u64>,
        Vec<voice_core::Connection>,
        Vec<voice_core::Post>,
        Vec<voice_core::PendingJoin>,
        Vec<ConnectionId>,
    >,
>;

/// More than one word of a bit set, and not a multiple of one.
const PEOPLE: usize = 70;
const ROOMS: usize = 4;
/// None to spare, so that the next who comes gets the seat of the last who left.
const SEATS: usize = PEOPLE;

#[derive(Debug, Clone)]
enum Op {
    Use(usize, usize, RoomUse),
    Leave(usize, usize),
    State(usize, bool, bool),
    Block(usize, usize, bool),
    ServerMute(usize, bool),
    Disconnect(usize),
    Part(usize),
    /// Back to its seat, if it is still there and wanted, or on a fresh one.
    Return(usize, bool),
    Speak(usize, Vec<Line>, Option<(bool, Vec<usize>)>),
}

/// A room or a person, and how it is spoken to.
type Line = ((bool, usize), ChannelOptions);

fn op() -> impl Strategy<Value = Op> {
    let (person, room) = (0..PEOPLE, 0..ROOMS);
    // People with low numbers are chosen more often, so that they meet.
    let few = prop_oneof![3 => 0..6_usize, 1 => 60..PEOPLE];
    let uses = prop::sample::select(vec![RoomUse::Listen, RoomUse::Speak, RoomUse::Both]);
    let relay = prop::option::of((any::<bool>(), vec(few.clone(), 1..5)));
    let priorities: Vec<_> = (0..=4).filter_map(Priority::from_number).collect();
    let volume = (0..=200_u8).prop_map(|percent| Volume::new(percent).unwrap());
    let options = (any::<bool>(), prop::sample::select(priorities), volume)
        .prop_map(|(positional, priority, volume)| ChannelOptions { positional, priority, volume });
    let lines = vec(((any::<bool>(), 0..8_usize), options), 1..7);
    prop_oneof![
        6 => (few.clone(), room.clone(), uses).prop_map(|(who, room, room_use)| Op::Use(who, room, room_use)),
        2 => (few.clone(), room).prop_map(|(who, room)| Op::Leave(who, room)),
        2 => (few.clone(), any::<bool>(), any::<bool>()).prop_map(|(who, muted, deaf)| Op::State(who, muted && deaf, deaf)),
        2 => (few.clone(), few.clone(), any::<bool>()).prop_map(|(who, whom, on)| Op::Block(who, whom, on)),
        1 => (few.clone(), any::<bool>()).prop_map(|(who, on)| Op::ServerMute(who, on)),
        1 => person.prop_map(Op::Disconnect),
        1 => few.clone().prop_map(Op::Disconnect),
        1 => few.clone().prop_map(Op::Part),
        3 => (few.clone(), any::<bool>()).prop_map(|(who, resume)| Op::Return(who, resume)),
        8 => (few, lines, relay).prop_map(|(who, to, relay)| Op::Speak(who, to, relay)),
    ]
}

/// What the model knows of a person.
#[derive(Default, Clone)]
struct Person {
    rooms: BTreeMap<usize, RoomUse>,
    blocks: BTreeSet<usize>,
    muted: bool,
    server_muted: bool,
    deaf: bool,
    away: bool,
    /// Away for good: its seat is free.
    gone: bool,
}

struct Table {
    server: TestServer,
    ms: u64,
    seats: Vec<Welcome>,
    connections: Vec<ConnectionId>,
    numbers: Vec<u16>,
    sequences: Vec<u16>,
    people: Vec<Person>,
}

impl Table {
    fn new() -> Self {
        let mut server = Server::new(ServerConfig::DEFAULT, 3, server_storage_vec!(clients: SEATS, rooms: 16));
        let now = Instant::from_ms(1);
        let nobody = Person::default();
        let joined: Vec<_> = (0..PEOPLE).map(|who| join(&mut server, now, who, &nobody, None)).collect();
        let (connections, seats) = joined.into_iter().unzip();
        let (numbers, sequences) = (vec![1; PEOPLE], vec![0; PEOPLE]);
        let mut table = Self { server, ms: 1, seats, connections, numbers, sequences, people: vec![nobody; PEOPLE] };
        // A seat is kept for those who have shown that they know of it.
        (0..PEOPLE).for_each(|who| table.act(&Op::State(who, false, false)));
        table
    }

    fn id(&self, who: usize) -> ClientId {
        self.seats[who].client
    }

    fn room(&self, number: usize) -> Option<RoomId> {
        self.server.rooms().find(|room| room.name() == number.to_string()).map(|room| room.id())
    }

    fn lane(&mut self, who: usize) -> Lane {
        let number = self.numbers[who];
        self.numbers[who] += 1;
        Lane { session: self.server.session(), number }
    }

    fn give(&mut self, who: usize, packet: &Packet<'_>) {
        give(&mut self.server, Instant::from_ms(self.ms), self.connections[who], packet);
    }

    /// Does it at the server and in the model; a frame's fate must be the same in both.
    fn act(&mut self, op: &Op) {
        self.ms += 20;
        let now = Instant::from_ms(self.ms);
        match *op {
            Op::Use(who, ..)
            | Op::Leave(who, _)
            | Op::State(who, ..)
            | Op::Block(who, ..)
            | Op::ServerMute(who, _)
            | Op::Disconnect(who)
            | Op::Part(who)
            | Op::Speak(who, ..)
                if self.people[who].away => {}
            Op::Use(who, room, room_use) => {
                let lane = self.lane(who);
                self.give(who, &Packet::UseRoom { lane, room_use, name: &room.to_string() });
                self.people[who].rooms.insert(room, room_use);
            }
            Op::Leave(who, room) => {
                if self.people[who].rooms.remove(&room).is_some() {
                    let (lane, room) = (self.lane(who), self.room(room).unwrap());
                    self.give(who, &Packet::LeaveRoom { lane, room });
                }
            }
            Op::State(who, muted, deafened) => {
                let lane = self.lane(who);
                let flags = StateFlags { muted, deafened };
                self.give(who, &Packet::SetState { lane, flags, priority: Priority::None });
                (self.people[who].muted, self.people[who].deaf) = (muted, deafened);
            }
            Op::Block(who, whom, blocked) => {
                if who != whom && !self.people[whom].away {
                    let (lane, client) = (self.lane(who), self.id(whom));
                    self.give(who, &Packet::SetBlock { lane, client, blocked });
                    let blocks = &mut self.people[who].blocks;
                    _ = if blocked { blocks.insert(whom) } else { blocks.remove(&whom) };
                }
            }
            Op::ServerMute(who, muted) => {
                self.server.set_server_mute(now, self.id(who), muted).unwrap();
                self.people[who].server_muted = muted;
            }
            Op::Disconnect(who) => {
                self.server.handle_disconnected(now, self.connections[who]);
                self.people[who].away = true;
            }
            Op::Part(who) => {
                let lane = self.lane(who);
                self.give(who, &Packet::Leave { lane });
                self.server.handle_disconnected(now, self.connections[who]);
                (self.people[who].away, self.people[who].gone) = (true, true);
            }
            Op::Return(who, resume) => self.come_back(who, resume),
            Op::Speak(who, ref to, ref relay) => self.speak(who, to, relay.as_ref()),
        }
    }

    /// A seat that is resumed keeps its rooms, its blocks and the server's mute. A fresh one has none, and nobody blocks it.
    fn come_back(&mut self, who: usize, resume: bool) {
        let kept = resume && !self.people[who].gone;
        if !self.people[who].away || (!kept && self.server.client_count() == SEATS) {
            return;
        }
        let before = self.seats[who];
        let wanted = resume.then_some(Resume { session: before.session, client: before.client, secret: before.secret });
        let now = Instant::from_ms(self.ms);
        let (connection, seat) = join(&mut self.server, now, who, &self.people[who], wanted);
        assert_eq!((seat.resumed, seat.client == before.client), (kept, kept));
        (self.connections[who], self.seats[who], self.numbers[who]) = (connection, seat, 1);
        if !kept {
            let Person { muted, deaf, .. } = self.people[who];
            self.people[who] = Person { muted, deaf, ..Person::default() };
            self.people.iter_mut().for_each(|person| _ = person.blocks.remove(&who));
        }
        self.people[who].away = false;
        // It knows of its seat.
        let Person { muted, deaf, .. } = self.people[who];
        self.act(&Op::State(who, muted, deaf));
    }

    fn speak(&mut self, who: usize, to: &[Line], relay: Option<&(bool, Vec<usize>)>) {
        // Numbers past the last room name rooms that nobody uses.
        let target = |&(is_room, n): &(bool, usize)| match is_room {
            true => Target::Room(self.room(n).unwrap_or(RoomId::new(60_000).unwrap())),
            false => Target::Client(self.id(n)),
        };
        let named: BTreeMap<Target, Line> = to.iter().map(|line| (target(&line.0), *line)).collect();
        let listed: Option<(bool, BTreeSet<ClientId>)> =
            relay.map(|(only, people)| (*only, people.iter().map(|n| self.id(*n)).collect()));
        let expected = self.expected(who, &named, relay);
        let channels = named.iter().map(|(target, line)| Channel { target: *target, options: line.1 });
        let heard = self.forwarded(who, &channels.collect::<Vec<_>>(), listed);
        assert_eq!(heard, expected);
    }

    /// The listeners of a frame, each with the channels that it may see.
    fn expected(
        &self,
        who: usize,
        named: &BTreeMap<Target, Line>,
        relay: Option<&(bool, Vec<usize>)>,
    ) -> BTreeMap<usize, Vec<Channel>> {
        let speaker = &self.people[who];
        let mut expected = BTreeMap::new();
        if speaker.muted || speaker.server_muted {
            return expected;
        }
        for (n, listener) in self.people.iter().enumerate() {
            let wants = n != who && !listener.away && !listener.deaf && !listener.blocks.contains(&who);
            let relayed = relay.is_none_or(|(only, people)| people.contains(&n) == *only);
            let reaches = |&(is_room, number): &(bool, usize)| match is_room {
                true => {
                    speaker.rooms.get(&number).is_some_and(|used| used.speaks())
                        && listener.rooms.get(&number).is_some_and(|used| used.listens())
                }
                false => number == n,
            };
            let reached = named.iter().filter(|(_, line)| reaches(&line.0));
            let seen: Vec<_> = reached.map(|(target, line)| Channel { target: *target, options: line.1 }).collect();
            if wants && relayed && !seen.is_empty() {
                expected.insert(n, seen);
            }
        }
        expected
    }

    fn forwarded(
        &mut self,
        who: usize,
        channels: &[Channel],
        listed: Option<(bool, BTreeSet<ClientId>)>,
    ) -> BTreeMap<usize, Vec<Channel>> {
        self.sequences[who] += 1;
        let header = VoiceHeader {
            mark: false,
            end: false,
            tag: self.server.session().tag(),
            speaker: self.id(who),
            sequence: self.sequences[who],
            media_time: 0,
            frame_length: voice_core::FrameLength::Ms20,
        };
        let clients: Vec<ClientId> = listed.iter().flat_map(|(_, clients)| clients).copied().collect();
        let relay = listed.map(|(only, _)| (only, clients.as_slice()));
        let mut bytes = [0; 1_200];
        let start = header.write(&mut bytes, channels, relay).unwrap();
        bytes[start..start + 3].copy_from_slice(b"abc");
        let now = Instant::from_ms(self.ms);
        let packet = &mut bytes[..start + 3];
        let mut forward = self.server.handle_packet(now, self.connections[who], Delivery::Unreliable, packet);
        let mut heard = BTreeMap::new();
        while let Some((bytes, to)) = forward.next() {
            let voice = Voice::decode(bytes).unwrap();
            assert_eq!((voice.payload, voice.header, voice.relay.is_none()), (&b"abc"[..], header, true));
            for connection in to {
                let listener = self.connections.iter().position(|known| known == connection).unwrap();
                let seen = voice.channels.iter().collect();
                assert_eq!(heard.insert(listener, seen), None, "twice to one listener");
            }
        }
        heard
    }
}

fn join(
    server: &mut TestServer,
    now: Instant,
    who: usize,
    person: &Person,
    resume: Option<Resume>,
) -> (ConnectionId, Welcome) {
    let connection = server.handle_connected(now).unwrap();
    let hello = Packet::Hello(Hello {
        version: VERSION,
        features: 0,
        nonce: 1,
        codec: CodecSettings::DEFAULT,
        flags: StateFlags { muted: person.muted, deafened: person.deaf },
        priority: Priority::None,
        resume,
        name: &who.to_string(),
        credential: &[],
    });
    give(server, now, connection, &hello);
    let mut out = [0; 1_200];
    while let Some(transmit) = server.poll_transmit(now, &mut out) {
        if let (Ok(Packet::Welcome(welcome)), true) =
            (Packet::decode(&out[..transmit.len]), transmit.to == Route::Client(connection))
        {
            return (connection, welcome);
        }
    }
    panic!("nobody is welcome");
}

fn give(server: &mut TestServer, now: Instant, from: ConnectionId, packet: &Packet<'_>) {
    let mut bytes = [0; 1_200];
    let len = packet.encode(&mut bytes).unwrap();
    let mut forward = server.handle_packet(now, from, Delivery::Reliable, &mut bytes[..len]);
    assert!(forward.next().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn every_frame_reaches_whom_the_model_says_and_shows_them_what_it_says(ops in vec(op(), 1..150)) {
        let mut table = Table::new();
        for op in &ops {
            table.act(op);
        }
    }
}

#[test]
fn a_seat_that_was_somebody_elses_neither_blocks_nor_is_blocked() {
    let mut table = Table::new();
    let lobby = || vec![((true, 0), ChannelOptions::DEFAULT)];
    (0..3).for_each(|who| table.act(&Op::Use(who, 0, RoomUse::Both)));
    table.act(&Op::Block(0, 1, true));
    table.act(&Op::Block(2, 0, true));
    (0..3).for_each(|who| table.act(&Op::Speak(who, lobby(), None)));
    let before = table.id(0).get();
    table.act(&Op::Part(0));
    table.act(&Op::Return(0, true));
    assert_eq!(usize::from(table.id(0).get() - before), SEATS, "the same seat");
    table.act(&Op::Use(0, 0, RoomUse::Both));
    (0..3).for_each(|who| table.act(&Op::Speak(who, lobby(), None)));
}
