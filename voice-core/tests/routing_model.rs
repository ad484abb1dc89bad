//! Who hears whom, against a model as naive as can be, written from docs/PROTOCOL.md, section 5.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};
use voice_core::{
    ChannelOptions, ClientId, CodecSettings, ConnectionId, Delivery, Instant, Priority, RoomId, RoomUse, Server,
    ServerConfig, ServerStorage, Target, server_storage_vec,
    wire::{Channel, Hello, Lane, Packet, StateFlags, VERSION, Voice, VoiceHeader},
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

#[derive(Debug, Clone)]
enum Op {
    Use(usize, usize, RoomUse),
    Leave(usize, usize),
    State(usize, bool, bool),
    Block(usize, usize, bool),
    ServerMute(usize, bool),
    Disconnect(usize),
    Speak(usize, Vec<(bool, usize)>, Option<(bool, Vec<usize>)>),
}

fn op() -> impl Strategy<Value = Op> {
    let (person, room) = (0..PEOPLE, 0..ROOMS);
    // People with low numbers are chosen more often, so that they meet.
    let few = prop_oneof![3 => 0..6_usize, 1 => 60..PEOPLE];
    let uses = prop::sample::select(vec![RoomUse::Listen, RoomUse::Speak, RoomUse::Both]);
    let relay = prop::option::of((any::<bool>(), vec(few.clone(), 1..5)));
    prop_oneof![
        6 => (few.clone(), room.clone(), uses).prop_map(|(who, room, room_use)| Op::Use(who, room, room_use)),
        2 => (few.clone(), room).prop_map(|(who, room)| Op::Leave(who, room)),
        2 => (few.clone(), any::<bool>(), any::<bool>()).prop_map(|(who, muted, deaf)| Op::State(who, muted && deaf, deaf)),
        2 => (few.clone(), few.clone(), any::<bool>()).prop_map(|(who, whom, on)| Op::Block(who, whom, on)),
        1 => (few.clone(), any::<bool>()).prop_map(|(who, on)| Op::ServerMute(who, on)),
        1 => person.prop_map(Op::Disconnect),
        8 => (few, vec((any::<bool>(), 0..8_usize), 1..5), relay).prop_map(|(who, to, relay)| Op::Speak(who, to, relay)),
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
}

struct Table {
    server: TestServer,
    ms: u64,
    ids: Vec<ClientId>,
    connections: Vec<ConnectionId>,
    numbers: Vec<u16>,
    sequences: Vec<u16>,
    people: Vec<Person>,
}

impl Table {
    fn new() -> Self {
        let mut server = Server::new(ServerConfig::DEFAULT, 3, server_storage_vec!(clients: 130, rooms: 16));
        let now = Instant::from_ms(1);
        let connections: Vec<_> = (0..PEOPLE).map(|_| server.handle_connected(now).unwrap()).collect();
        for (n, connection) in connections.iter().enumerate() {
            let hello = Packet::Hello(Hello {
                version: VERSION,
                features: 0,
                nonce: 1,
                codec: CodecSettings::DEFAULT,
                flags: StateFlags { muted: false, deafened: false },
                priority: Priority::None,
                resume: None,
                name: &n.to_string(),
                credential: &[],
            });
            give(&mut server, now, *connection, &hello);
        }
        let id_of = |n: usize| server.clients().find(|client| client.name() == n.to_string()).unwrap().id();
        let ids = (0..PEOPLE).map(id_of).collect();
        let (numbers, sequences) = (vec![1; PEOPLE], vec![0; PEOPLE]);
        Self { server, ms: 1, ids, connections, numbers, sequences, people: vec![Person::default(); PEOPLE] }
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
                    let (lane, client) = (self.lane(who), self.ids[whom]);
                    self.give(who, &Packet::SetBlock { lane, client, blocked });
                    let blocks = &mut self.people[who].blocks;
                    _ = if blocked { blocks.insert(whom) } else { blocks.remove(&whom) };
                }
            }
            Op::ServerMute(who, muted) => {
                self.server.set_server_mute(now, self.ids[who], muted).unwrap();
                self.people[who].server_muted = muted;
            }
            Op::Disconnect(who) => {
                self.server.handle_disconnected(now, self.connections[who]);
                self.people[who].away = true;
            }
            Op::Speak(who, ref to, ref relay) => self.speak(who, to, relay.as_ref()),
        }
    }

    fn speak(&mut self, who: usize, to: &[(bool, usize)], relay: Option<&(bool, Vec<usize>)>) {
        // Numbers past the last room name rooms that nobody uses.
        let target = |&(is_room, n): &(bool, usize)| match is_room {
            true => Target::Room(self.room(n).unwrap_or(RoomId::new(60_000).unwrap())),
            false => Target::Client(self.ids[n]),
        };
        let named: BTreeMap<Target, (bool, usize)> = to.iter().map(|to| (target(to), *to)).collect();
        let listed: Option<(bool, BTreeSet<ClientId>)> =
            relay.map(|(only, people)| (*only, people.iter().map(|n| self.ids[*n]).collect()));
        let expected = self.expected(who, &named, relay);
        let heard = self.forwarded(who, named.keys().copied(), listed);
        assert_eq!(heard, expected);
    }

    /// The listeners of a frame, each with the targets that it may see.
    fn expected(
        &self,
        who: usize,
        named: &BTreeMap<Target, (bool, usize)>,
        relay: Option<&(bool, Vec<usize>)>,
    ) -> BTreeMap<usize, Vec<Target>> {
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
            let seen: Vec<Target> = named.iter().filter(|(_, to)| reaches(to)).map(|(target, _)| *target).collect();
            if wants && relayed && !seen.is_empty() {
                expected.insert(n, seen);
            }
        }
        expected
    }

    fn forwarded(
        &mut self,
        who: usize,
        targets: impl Iterator<Item = Target>,
        listed: Option<(bool, BTreeSet<ClientId>)>,
    ) -> BTreeMap<usize, Vec<Target>> {
        self.sequences[who] += 1;
        let header = VoiceHeader {
            mark: false,
            end: false,
            tag: self.server.session().tag(),
            speaker: self.ids[who],
            sequence: self.sequences[who],
            media_time: 0,
        };
        let channels: Vec<_> = targets.map(|target| Channel { target, options: ChannelOptions::DEFAULT }).collect();
        let clients: Vec<ClientId> = listed.iter().flat_map(|(_, clients)| clients).copied().collect();
        let relay = listed.map(|(only, _)| (only, clients.as_slice()));
        let mut bytes = [0; 1_200];
        let start = header.write(&mut bytes, &channels, relay).unwrap();
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
                let seen = voice.channels.iter().map(|channel| channel.target).collect();
                assert_eq!(heard.insert(listener, seen), None, "twice to one listener");
            }
        }
        heard
    }
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
