//! Every reason for which input is dropped can be reached, and is counted.

use consonance_fuzz::session::{FuzzServer, Guest, new_server, settle};
use voice_core::{
    Admission, ChannelOptions, ClientId, CodecSettings, ConnectionId, Delivery, DropReason, Instant, PathId, Priority,
    RoomId, RoomUse, Secret, ServerConfig, SessionId, Source, TalkTo, Target,
    wire::{Channel, Greeting, Hello, Lane, Packet, Ping, StateFlags, VERSION, VoiceHeader},
};

use Delivery::{Reliable, Unreliable};

/// A server, two who talk in a room, and a connection that hasn't joined.
struct Stage {
    ms: u64,
    server: FuzzServer,
    one: Guest,
    two: Guest,
    stranger: ConnectionId,
    sequence: u16,
}

impl Stage {
    fn new(admission: Admission) -> Self {
        let mut server = new_server(ServerConfig { admission, ..ServerConfig::DEFAULT });
        let stranger = server.handle_connected(Instant::ORIGIN).unwrap();
        let mut stage =
            Self { ms: 0, server, one: Guest::new("one", 1), two: Guest::new("two", 2), stranger, sequence: 0 };
        for guest in [&mut stage.one, &mut stage.two] {
            guest.client.connect(Instant::ORIGIN);
            let room = guest.client.use_room(Instant::ORIGIN, "room", RoomUse::Both).unwrap();
            guest.client.open_channel(Instant::ORIGIN, TalkTo::Room(room), ChannelOptions::DEFAULT).unwrap();
        }
        (0..4).for_each(|_| stage.pass(60));
        stage
    }

    fn now(&self) -> Instant {
        Instant::from_ms(self.ms)
    }

    fn pass(&mut self, ms: u64) {
        self.ms += ms;
        settle(self.now(), &mut self.server, &mut [&mut self.one, &mut self.two], |_, _, _| {});
    }

    fn session(&mut self) -> SessionId {
        self.server.session()
    }

    fn other_session(&mut self) -> SessionId {
        SessionId::new(self.session().get() ^ 1).unwrap()
    }

    /// To the server, from the first guest.
    fn give(&mut self, delivery: Delivery, bytes: &[u8]) {
        let from = self.one.connection.unwrap();
        self.give_from(from, delivery, bytes);
    }

    fn give_from(&mut self, from: ConnectionId, delivery: Delivery, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        let mut forward = self.server.handle_packet(Instant::from_ms(self.ms), from, delivery, &mut bytes);
        while forward.next().is_some() {}
    }

    fn speak_as(&mut self, speaker: ClientId, to: Target, sequence: u16) {
        let tag = self.session().tag();
        self.give(Unreliable, &voice(tag, speaker, to, sequence));
    }

    fn speak(&mut self, to: Target) {
        self.sequence += 1;
        self.speak_as(self.one.client.id().unwrap(), to, self.sequence);
    }

    fn room(&self) -> Target {
        Target::Room(self.server.rooms().next().unwrap().id())
    }

    /// To the first guest's client.
    fn tell(&mut self, from: Source, delivery: Delivery, packet: &Packet<'_>) {
        let now = self.now();
        self.one.client.handle_packet(now, from, delivery, &bytes(packet));
    }

    fn count(&self, reason: DropReason) -> u64 {
        self.server.drops().get(reason) + self.one.client.drops().get(reason)
    }
}

fn bytes(packet: &Packet<'_>) -> Vec<u8> {
    let mut out = [0; 1_200];
    let len = packet.encode(&mut out).unwrap();
    out[..len].to_vec()
}

fn voice(tag: u16, speaker: ClientId, to: Target, sequence: u16) -> Vec<u8> {
    let header = VoiceHeader { mark: false, end: false, tag, speaker, sequence, media_time: sequence as u8 };
    let mut out = [0; 1_200];
    let start = header.write(&mut out, &[Channel { target: to, options: ChannelOptions::DEFAULT }], None).unwrap();
    out[start] = 7;
    out[..=start].to_vec()
}

fn client(number: u16) -> ClientId {
    ClientId::new(number).unwrap()
}

fn ping(session: SessionId) -> Packet<'static> {
    Packet::Ping(Ping { session, stamp: 1, next: 1, rtt_ms: 0, loss: 0, jitter_ms: 0 })
}

fn hello(version: u8, nonce: u32) -> Vec<u8> {
    bytes(&Packet::Hello(Hello {
        version,
        features: 0,
        nonce,
        codec: CodecSettings::DEFAULT,
        flags: StateFlags { muted: false, deafened: false },
        priority: Priority::None,
        resume: None,
        name: "stranger",
        credential: &[],
    }))
}

/// Does what is dropped for this reason, exactly once unless it says more.
fn cause(reason: DropReason, stage: &mut Stage) {
    let (session, other) = (stage.session(), stage.other_session());
    let (path, me) = (Source::Path(PathId(1)), stage.one.client.id());
    match reason {
        DropReason::Empty => stage.give(Unreliable, &[]),
        DropReason::TooLong => stage.give(Unreliable, &[0x41; 1_201]),
        DropReason::UnknownKind => stage.give(Unreliable, &[0x7F]),
        DropReason::Truncated => stage.give(Unreliable, &[0x41, 0]),
        DropReason::Malformed => stage.give(Unreliable, &[bytes(&ping(session)), vec![0]].concat()),
        DropReason::WrongDelivery => stage.give(Reliable, &bytes(&ping(session))),
        DropReason::WrongVersion => stage.give_from(stage.stranger, Reliable, &hello(VERSION + 1, 1)),
        DropReason::WrongSession => stage.give(Unreliable, &bytes(&Packet::LaneAck { session: other, next: 1 })),
        DropReason::NotJoined => {
            stage.give_from(stage.stranger, Unreliable, &bytes(&Packet::LaneAck { session, next: 1 }));
        }
        DropReason::UnknownConnection => stage.give_from(ConnectionId::new(5, 77), Unreliable, &bytes(&ping(session))),
        DropReason::LaneBroken => {
            stage.give(Reliable, &bytes(&Packet::Leave { lane: Lane { session, number: 40_000 } }));
        }
        DropReason::WrongSender => stage.speak_as(client(60_000), stage.room(), 1),
        DropReason::UnknownClient => stage.speak(Target::Client(client(60_000))),
        DropReason::UnknownRoom => stage.speak(Target::Room(RoomId::new(60_000).unwrap())),
        DropReason::NotPermitted => {
            _ = stage.two.client.use_room(stage.now(), "elsewhere", RoomUse::Both);
            stage.pass(60);
            let elsewhere = stage.server.rooms().find(|room| room.name() == "elsewhere").unwrap().id();
            stage.speak(Target::Room(elsewhere));
        }
        DropReason::Muted => {
            stage.server.set_server_mute(stage.now(), me.unwrap(), true).unwrap();
            stage.speak(stage.room());
        }
        DropReason::Duplicate => (0..2).for_each(|_| stage.speak_as(me.unwrap(), stage.room(), 9)),
        DropReason::Late => {
            [200, 9].into_iter().for_each(|sequence| stage.speak_as(me.unwrap(), stage.room(), sequence))
        }
        DropReason::RateLimited => (0..101).for_each(|_| stage.speak(stage.room())),
        DropReason::NobodyHears => {
            stage.two.client.set_deafened(stage.now(), true);
            stage.pass(60);
            stage.speak(stage.room());
        }
        DropReason::GreetingAtServer => {
            let greeting = Greeting::new(false, session, me.unwrap(), client(2), 1, &Secret::from_bytes([1; 16]));
            stage.give(Unreliable, &bytes(&Packet::Greet(greeting)));
        }
        DropReason::StaleAnswer => stage.give(Unreliable, &bytes(&Packet::LaneAck { session, next: 30_000 })),
        DropReason::TimeWentBack => stage.server.handle_timeout(Instant::ORIGIN),
        DropReason::WrongProof => {
            let two = stage.two.client.id().unwrap();
            stage.one.client.handle_path_available(stage.now(), two, PathId(1)).unwrap();
            stage.pass(60);
            let greeting = Greeting::new(false, session, two, me.unwrap(), 1, &Secret::from_bytes([1; 16]));
            stage.tell(path, Unreliable, &Packet::Greet(greeting));
        }
        DropReason::UnprovenPath => {
            let two = stage.two.client.id().unwrap();
            stage.one.client.handle_path_available(stage.now(), two, PathId(1)).unwrap();
            let (now, packet) = (stage.now(), voice(session.tag(), two, Target::Client(me.unwrap()), 1));
            stage.one.client.handle_packet(now, path, Unreliable, &packet);
        }
        // The others are caused elsewhere, or not at all.
        _ => {}
    }
}

#[test]
fn every_reason_is_reachable_and_counted_once() {
    for reason in DropReason::ALL.iter().copied().filter(|reason| *reason != DropReason::TableFull) {
        let mut stage = Stage::new(Admission::AcceptAll);
        let before = stage.count(reason);
        cause(reason, &mut stage);
        assert_eq!(stage.count(reason) - before, 1, "{}", reason.name());
    }
}

#[test]
fn a_join_too_many_finds_the_table_full() {
    let mut server = new_server(ServerConfig { admission: Admission::Ask, ..ServerConfig::DEFAULT });
    for nonce in 1..=3 {
        let connection = server.handle_connected(Instant::ORIGIN).unwrap();
        let mut hello = hello(VERSION, nonce);
        _ = server.handle_packet(Instant::ORIGIN, connection, Reliable, &mut hello);
    }
    assert_eq!(server.drops().get(DropReason::TableFull), 1);
}

#[test]
fn what_is_dropped_leaves_connection_and_session_as_they_were() {
    let harmless = |reason: &DropReason| {
        // A lane that broke its promise, and who claims to be somebody else's server, start anew.
        !matches!(reason, DropReason::LaneBroken | DropReason::TableFull)
    };
    for reason in DropReason::ALL.iter().copied().filter(harmless) {
        let mut stage = Stage::new(Admission::AcceptAll);
        let before = (stage.session(), stage.one.client.id(), stage.two.client.id());
        cause(reason, &mut stage);
        (0..20).for_each(|_| stage.pass(100));
        let after = (stage.session(), stage.one.client.id(), stage.two.client.id());
        assert_eq!(before, after, "{}", reason.name());
        assert_eq!(stage.one.client.state(), voice_core::State::Connected, "{}", reason.name());
    }
}
