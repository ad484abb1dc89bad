//! Every reason for which input is dropped can be reached, and is counted.

use consonance_fuzz::session::{FuzzClient, FuzzServer, Guest, new_server, send_server, settle};
use voice_core::{
    Admission, ChannelOptions, ClientId, CodecSettings, ConnectionId, Delivery, DropReason, Instant, PathId, Priority,
    RoomId, RoomUse, Route, Secret, ServerConfig, SessionId, Source, TalkTo, Target,
    wire::{Channel, Greeting, Hello, Lane, Packet, Ping, StateFlags, VERSION, VoiceHeader},
};

use Delivery::{Reliable, Unreliable};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Server,
    Client,
}

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
        self.tell_bytes(from, delivery, &bytes(packet));
    }

    fn tell_bytes(&mut self, from: Source, delivery: Delivery, bytes: &[u8]) {
        let now = self.now();
        self.one.client.handle_packet(now, from, delivery, bytes);
    }

    /// Which counters have risen since, at the server and at the first guest's client, and by how much.
    fn rose_since(&self, before: &[(Side, DropReason, u64)]) -> Vec<(Side, &'static str, u64)> {
        let both = self.counts().into_iter().zip(before);
        let grown = both.map(|((side, reason, now), (.., before))| (side, reason.name(), now - before));
        grown.filter(|(.., by)| *by > 0).collect()
    }

    fn counts(&self) -> Vec<(Side, DropReason, u64)> {
        let server = self.server.drops().iter().map(|(reason, count)| (Side::Server, reason, count));
        let client = self.one.client.drops().iter().map(|(reason, count)| (Side::Client, reason, count));
        server.chain(client).collect()
    }

    fn tell_voice(&mut self, from: Source, speaker: ClientId, to: Target, sequence: u16) {
        let packet = voice(self.session().tag(), speaker, to, sequence);
        self.tell_bytes(from, Unreliable, &packet);
    }

    /// Gives the two a direct path, and lets them prove it.
    fn join_directly(&mut self) {
        let (now, path) = (self.now(), PathId(1));
        let (one, two) = (self.one.client.id().unwrap(), self.two.client.id().unwrap());
        self.one.client.handle_path_available(now, two, path).unwrap();
        self.two.client.handle_path_available(now, one, path).unwrap();
        for _ in 0..4 {
            self.ms += 60;
            carry(self.now(), &mut self.server, &mut self.one, &mut self.two.client);
            carry(self.now(), &mut self.server, &mut self.two, &mut self.one.client);
            let (one, two) = (&mut self.one, &mut self.two);
            send_server(Instant::from_ms(self.ms), &mut self.server, |to, delivery, bytes| {
                for guest in [&mut *one, &mut *two].into_iter().filter(|guest| guest.connection == Some(to)) {
                    guest.client.handle_packet(Instant::from_ms(self.ms), Source::Server, delivery, bytes);
                }
            });
        }
        assert!(self.one.client.is_direct(two));
    }
}

fn bytes(packet: &Packet<'_>) -> Vec<u8> {
    let mut out = [0; 1_200];
    let len = packet.encode(&mut out).unwrap();
    out[..len].to_vec()
}

fn voice(tag: u16, speaker: ClientId, to: Target, sequence: u16) -> Vec<u8> {
    let header = VoiceHeader {
        mark: false,
        end: false,
        tag,
        speaker,
        sequence,
        media_time: sequence as u8,
        frame_length: voice_core::FrameLength::Ms20,
    };
    let mut out = [0; 1_200];
    let start = header.write(&mut out, &[Channel { target: to, options: ChannelOptions::DEFAULT }], None).unwrap();
    out[start] = 7;
    out[..=start].to_vec()
}

fn client(number: u16) -> ClientId {
    ClientId::new(number).unwrap()
}

fn ping(session: SessionId) -> Packet<'static> {
    Packet::Ping(Ping { session, stamp: 1, next: 1, rtt_ms: 0, loss: 0, jitter_ms: 0, idle: false })
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
    let me = stage.one.client.id();
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
        // The others are caused elsewhere, or not at all.
        _ => {}
    }
}

/// The same at the first guest's client.
fn cause_at_client(reason: DropReason, stage: &mut Stage) {
    let (session, other, path, room) = (stage.session(), stage.other_session(), PathId(1), stage.room());
    let (me, two) = (stage.one.client.id().unwrap(), stage.two.client.id().unwrap());
    let lane_ack = |session| Packet::LaneAck { session, next: 1 };
    let greet = |from| Packet::Greet(Greeting::new(false, session, from, me, 1, &Secret::from_bytes([1; 16])));
    match reason {
        DropReason::Empty => stage.tell_bytes(Source::Server, Unreliable, &[]),
        DropReason::TooLong => stage.tell_bytes(Source::Server, Unreliable, &[0x43; 1_201]),
        DropReason::UnknownKind => stage.tell_bytes(Source::Server, Unreliable, &[0x7F]),
        DropReason::Truncated => stage.tell_bytes(Source::Server, Unreliable, &[0x43, 0]),
        DropReason::Malformed => {
            stage.tell_bytes(Source::Server, Unreliable, &[bytes(&lane_ack(session)), vec![0]].concat());
        }
        DropReason::WrongDelivery => stage.tell(Source::Server, Reliable, &lane_ack(session)),
        DropReason::WrongVersion => stage.tell_bytes(Source::Server, Reliable, &hello(VERSION + 1, 1)),
        DropReason::WrongSession => stage.tell(Source::Server, Unreliable, &lane_ack(other)),
        DropReason::NotJoined => {
            stage.one.client.disconnect(stage.now());
            stage.pass(60);
            stage.tell(Source::Server, Unreliable, &lane_ack(session));
        }
        DropReason::UnknownConnection => stage.tell_voice(Source::Path(path), two, Target::Client(me), 1),
        DropReason::LaneBroken => {
            let lane = Lane { session, number: 40_000 };
            stage.tell(Source::Server, Reliable, &Packet::Audience { lane, heard: true, sequence: 7 });
        }
        DropReason::WrongSender => stage.tell_voice(Source::Server, me, room, 1),
        DropReason::UnknownClient => stage.tell(Source::Path(path), Unreliable, &greet(client(60_000))),
        DropReason::NotPermitted => {
            stage.tell_voice(Source::Server, two, Target::Room(RoomId::new(60_000).unwrap()), 1);
        }
        DropReason::Muted => {
            stage.join_directly();
            stage.server.set_server_mute(stage.now(), two, true).unwrap();
            (0..2).for_each(|_| stage.pass(60));
            stage.tell_voice(Source::Path(path), two, Target::Client(me), 1);
        }
        DropReason::Duplicate => (0..2).for_each(|_| stage.tell_voice(Source::Server, two, room, 9)),
        DropReason::Late => [200, 9].into_iter().for_each(|n| stage.tell_voice(Source::Server, two, room, n)),
        DropReason::TableFull => (50..53).for_each(|n| stage.tell_voice(Source::Server, client(n), room, 1)),
        DropReason::WrongProof => {
            stage.join_directly();
            stage.tell(Source::Path(path), Unreliable, &greet(two));
        }
        DropReason::UnprovenPath => {
            stage.one.client.handle_path_available(stage.now(), two, path).unwrap();
            stage.tell_voice(Source::Path(path), two, Target::Client(me), 1);
        }
        DropReason::StaleAnswer => {
            stage.tell(Source::Server, Unreliable, &Packet::LaneAck { session, next: 30_000 });
        }
        DropReason::TimeWentBack => stage.one.client.handle_timeout(Instant::ORIGIN),
        // The others are a server's.
        _ => {}
    }
}

/// What a client has to send goes to the server, or straight to the other.
fn carry(now: Instant, server: &mut FuzzServer, guest: &mut Guest, other: &mut FuzzClient) {
    guest.client.handle_timeout(now);
    let mut out = [0; 1_200];
    while let Some(transmit) = guest.client.poll_transmit(now, &mut out) {
        let packet = &mut out[..transmit.len];
        match transmit.to {
            Route::Path(path) => other.handle_packet(now, Source::Path(path), transmit.delivery, packet),
            _ => _ = server.handle_packet(now, guest.connection.unwrap(), transmit.delivery, packet),
        }
    }
    server.handle_timeout(now);
}

/// What a client alone looks at.
const OF_CLIENTS: [DropReason; 2] = [DropReason::WrongProof, DropReason::UnprovenPath];
/// What a server alone looks at.
const OF_SERVERS: [DropReason; 4] =
    [DropReason::UnknownRoom, DropReason::RateLimited, DropReason::GreetingAtServer, DropReason::NobodyHears];

#[test]
fn every_reason_of_a_server_is_reachable_and_raises_its_own_counter_alone() {
    let elsewhere = |reason: &DropReason| OF_CLIENTS.contains(reason) || *reason == DropReason::TableFull;
    for reason in DropReason::ALL.iter().copied().filter(|reason| !elsewhere(reason)) {
        let mut stage = Stage::new(Admission::AcceptAll);
        let before = stage.counts();
        cause(reason, &mut stage);
        assert_eq!(stage.rose_since(&before), [(Side::Server, reason.name(), 1)]);
    }
}

#[test]
fn every_reason_of_a_client_is_reachable_and_raises_its_own_counter_alone() {
    for reason in DropReason::ALL.iter().copied().filter(|reason| !OF_SERVERS.contains(reason)) {
        let mut stage = Stage::new(Admission::AcceptAll);
        let before = stage.counts();
        cause_at_client(reason, &mut stage);
        assert_eq!(stage.rose_since(&before), [(Side::Client, reason.name(), 1)]);
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
    assert_eq!(server.drops().total(), 1);
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

/// Lets the first guest's client write a ping, and gives its stamp; nothing of it reaches the server.
fn ping_of(stage: &mut Stage) -> u32 {
    stage.ms += 1_000;
    let (now, mut out) = (stage.now(), [0; 1_200]);
    stage.one.client.handle_timeout(now);
    loop {
        let transmit = stage.one.client.poll_transmit(now, &mut out).expect("a ping is due");
        if let Ok(Packet::Ping(ping)) = Packet::decode(&out[..transmit.len]) {
            return ping.stamp;
        }
    }
}

#[test]
fn an_old_pong_is_counted_once() {
    let mut stage = Stage::new(Admission::AcceptAll);
    let (session, before) = (stage.session(), stage.counts());
    stage.tell(Source::Server, Unreliable, &Packet::Pong { session, stamp: 12_345, next: 1 });
    assert_eq!(stage.rose_since(&before), [(Side::Client, "stale_answer", 1)]);
}

#[test]
fn an_old_pong_does_not_hide_the_one_that_is_waited_for() {
    let mut stage = Stage::new(Admission::AcceptAll);
    let session = stage.session();
    let (old, new) = (ping_of(&mut stage), ping_of(&mut stage));
    stage.ms += 300;
    // Hello is number 0 of the lane: all that was sent is acknowledged.
    let next = u16::try_from(stage.one.client.counters().reliable_out.packets).unwrap();
    stage.tell(Source::Server, Unreliable, &Packet::Pong { session, stamp: old, next });
    let (before, rtt) = (stage.counts(), stage.one.client.rtt());
    stage.tell(Source::Server, Unreliable, &Packet::Pong { session, stamp: new, next });
    assert_eq!(stage.rose_since(&before), []);
    assert!(stage.one.client.rtt() > rtt);
}

#[test]
fn voice_to_two_unknown_rooms_is_counted_once() {
    let mut stage = Stage::new(Admission::AcceptAll);
    let (tag, speaker) = (stage.session().tag(), stage.one.client.id().unwrap());
    let header = VoiceHeader {
        mark: false,
        end: false,
        tag,
        speaker,
        sequence: 1,
        media_time: 1,
        frame_length: voice_core::FrameLength::Ms20,
    };
    let channel = |room| Channel { target: Target::Room(RoomId::new(room).unwrap()), options: ChannelOptions::DEFAULT };
    let mut out = [7; 40];
    assert!(header.write(&mut out, &[channel(60_000), channel(60_001)], None).is_some());
    let before = stage.counts();
    stage.give(Unreliable, &out);
    assert_eq!(stage.rose_since(&before), [(Side::Server, "unknown_room", 1)]);
}
