//! No order of calls on a server is wrong, and no bytes are: it panics never, keeps the rules of docs/PROTOCOL.md towards everybody, and
//! serves whoever comes afterwards.

mod session_harness;

use std::{collections::BTreeMap, time::Duration};

use consonance_fuzz::session::{FuzzServer, Guest, new_server, settle};
use proptest::{collection::vec, prelude::*};
use session_harness::{Bend, To, bend, client_id, packet_bytes, raw, room_id, to, voice_bytes};
use voice_core::{
    Admission, ChannelOptions, ClientId, CodecSettings, ConnectionId, Delivery, Identity, Instant, Message, Priority,
    RoomUse, Route, ServerConfig, ServerEvent, SessionId, Source, State, StateReason, TalkTo,
    wire::{
        CloseReason, Hearing, Hello, Kind, Lane, Packet, Ping, Report, ReportEntry, Resume, StateFlags, VERSION,
        VoiceHeader, Welcome,
    },
};

/// A packet that a client may send, but for what its session says.
#[derive(Debug, Clone)]
enum Say {
    Hello {
        resume: bool,
        name: usize,
        flags: u8,
    },
    UseRoom(u8, u8),
    LeaveRoom(u16),
    SetState(u8),
    SetBlock(u16, bool),
    SendText {
        to: To,
        last: bool,
        len: usize,
        byte: u8,
    },
    PairRequest(u16),
    SendRendezvous(u16, usize),
    Leave,
    RosterRequest,
    /// A packet of seven bytes, of another session.
    Stale,
    /// Whether it is idle.
    Ping(bool),
    LaneAck,
    Report(u16, [u8; 3]),
    Voice {
        to: Vec<To>,
        relay: Option<(bool, Vec<u16>)>,
        step: u16,
        len: usize,
    },
}

#[derive(Debug, Clone)]
enum Command {
    Accept(usize, u64),
    Refuse(usize, u8),
    Kick(u16, u8),
    Ban(u16),
    BanIdentity(u64),
    Unban(u64),
    Mute(u16, bool),
    Remove(u16, u16),
    Stop,
    Start,
}

#[derive(Debug, Clone)]
enum Op {
    Wait(u64),
    GoBack(u64),
    Open,
    Drop(usize),
    Say(usize, Say, Bend),
    Raw(usize, bool, Vec<u8>),
    /// Opens a connection, joins and uses a room, if nothing stands in the way.
    Join,
    /// Asks so often for a room that the window of the answers is full.
    Burst(usize),
    Timeout,
    Transmit(usize),
    TransmitAll,
    Events,
    Command(Command),
}

fn say() -> impl Strategy<Value = Say> {
    let relay = prop::option::weighted(0.3, (any::<bool>(), vec(1..8_u16, 1..4)));
    prop_oneof![
        4 => (any::<bool>(), 0..65_usize, 0..4_u8).prop_map(|(resume, name, flags)| Say::Hello { resume, name, flags }),
        4 => (0..4_u8, 1..4_u8).prop_map(|(room, used)| Say::UseRoom(room, used)),
        1 => (1..8_u16).prop_map(Say::LeaveRoom),
        1 => (0..4_u8).prop_map(Say::SetState),
        1 => (1..8_u16, any::<bool>()).prop_map(|(client, blocked)| Say::SetBlock(client, blocked)),
        3 => (to(), any::<bool>(), prop_oneof![Just(1_000), 1..1_001_usize], any::<u8>())
            .prop_map(|(to, last, len, byte)| Say::SendText { to, last, len, byte }),
        2 => (1..8_u16).prop_map(Say::PairRequest),
        1 => (1..8_u16, 1..1_001_usize).prop_map(|(client, len)| Say::SendRendezvous(client, len)),
        1 => Just(Say::Leave),
        1 => Just(Say::RosterRequest),
        2 => Just(Say::Stale),
        2 => any::<bool>().prop_map(Say::Ping),
        2 => Just(Say::LaneAck),
        3 => (1..9_u16, any::<[u8; 3]>()).prop_map(|(speaker, hearing)| Say::Report(speaker, hearing)),
        8 => (vec(to(), 1..5), relay, prop_oneof![8 => 2..5_u16, 1 => 0..70_u16], prop_oneof![Just(40), 1..1_001_usize])
            .prop_map(|(to, relay, step, len)| Say::Voice { to, relay, step, len }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        6 => (0..6_usize, 0..3_u64).prop_map(|(at, identity)| Command::Accept(at, identity)),
        1 => (0..6_usize, any::<u8>()).prop_map(|(at, reason)| Command::Refuse(at, reason)),
        1 => (1..8_u16, any::<u8>()).prop_map(|(client, reason)| Command::Kick(client, reason)),
        1 => (1..8_u16).prop_map(Command::Ban),
        1 => (0..3_u64).prop_map(Command::BanIdentity),
        1 => (0..3_u64).prop_map(Command::Unban),
        2 => (1..8_u16, any::<bool>()).prop_map(|(client, muted)| Command::Mute(client, muted)),
        1 => (1..8_u16, 1..8_u16).prop_map(|(client, room)| Command::Remove(client, room)),
        1 => Just(Command::Stop),
        2 => Just(Command::Start),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => prop_oneof![4 => 0..80_u64, 1 => 0..12_000_u64].prop_map(Op::Wait),
        1 => (0..100_u64).prop_map(Op::GoBack),
        4 => Just(Op::Open),
        1 => (0..6_usize).prop_map(Op::Drop),
        20 => (0..6_usize, say(), bend()).prop_map(|(at, say, bend)| Op::Say(at, say, bend)),
        3 => (0..6_usize, any::<bool>(), raw()).prop_map(|(at, reliable, bytes)| Op::Raw(at, reliable, bytes)),
        3 => Just(Op::Join),
        1 => (0..6_usize).prop_map(Op::Burst),
        3 => Just(Op::Timeout),
        6 => prop_oneof![4 => Just(1_200), 1 => 0..1_300_usize].prop_map(Op::Transmit),
        2 => Just(Op::TransmitAll),
        2 => Just(Op::Events),
        4 => command().prop_map(Op::Command),
    ]
}

/// The other end of a connection: what it said, what it was told.
#[derive(Debug, Default)]
struct Peer {
    /// Bytes and packets that it has sent and got before it had ever joined.
    said: (usize, usize),
    told: (usize, usize),
    /// Bytes of the longest packet that WrongSession may answer, since it last did.
    answerable: usize,
    welcome: Option<Welcome>,
    /// Has said Hello, and wasn't given a Welcome for it.
    joining: bool,
    closed: bool,
    out_next: u16,
    in_next: u16,
    in_acked: u16,
    sequence: u16,
}

struct Caller {
    now: u64,
    /// The latest time that the server was told of.
    latest: Instant,
    server: FuzzServer,
    peers: BTreeMap<ConnectionId, Peer>,
    seat: Option<Welcome>,
    stopped: bool,
}

impl Caller {
    fn new(admission: Admission) -> Self {
        let server = new_server(ServerConfig { admission, ..ServerConfig::DEFAULT });
        Self { now: 0, latest: Instant::ORIGIN, server, peers: BTreeMap::new(), seat: None, stopped: false }
    }

    fn call(&mut self, op: Op) {
        let now = Instant::from_ms(self.now);
        self.latest = self.latest.max(now);
        match op {
            Op::Wait(ms) => self.now += ms,
            Op::GoBack(ms) => self.now = self.now.saturating_sub(ms),
            Op::Open => self.open(now),
            Op::Drop(at) => self.close(now, self.connection(at)),
            Op::Say(at, say, bend) => self.say(now, at, &say, &bend),
            Op::Raw(at, reliable, bytes) => {
                let delivery = if reliable { Delivery::Reliable } else { Delivery::Unreliable };
                self.give(now, self.connection(at), delivery, bytes);
            }
            Op::Join => self.join(now),
            Op::Burst(at) => self.burst(now, at),
            Op::Timeout => self.server.handle_timeout(now),
            Op::Transmit(room) => _ = self.transmit(now, room),
            Op::TransmitAll => self.transmit_all(now),
            Op::Events => self.events(now),
            Op::Command(command) => self.command(now, &command),
        }
        self.look();
    }

    fn open(&mut self, now: Instant) {
        if let Ok(connection) = self.server.handle_connected(now) {
            assert!(self.peers.insert(connection, Peer::default()).is_none(), "the same connection twice");
        }
    }

    fn close(&mut self, now: Instant, connection: ConnectionId) {
        self.peers.remove(&connection);
        self.server.handle_disconnected(now, connection);
    }

    fn connection(&self, at: usize) -> ConnectionId {
        self.peers.keys().nth(at).copied().unwrap_or(ConnectionId::new(at as u16, 77))
    }

    fn say(&mut self, now: Instant, at: usize, say: &Say, bend: &Bend) {
        let connection = self.connection(at);
        let session = self.server.session();
        let seat = self.seat;
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        let mut bytes = peer.write(say, session, seat);
        let delivery = Packet::decode(&bytes).expect("a well-formed packet").delivery();
        let delivery = bend.apply(&mut bytes, delivery);
        self.give(now, connection, delivery, bytes);
    }

    fn join(&mut self, now: Instant) {
        let before: Vec<_> = self.peers.keys().copied().collect();
        self.open(now);
        let Some(at) = self.peers.keys().position(|connection| !before.contains(connection)) else { return };
        self.say(now, at, &Say::Hello { resume: false, name: 3, flags: 0 }, &Bend::NONE);
        if !self.stopped {
            _ = self.server.accept(now, self.connection(at), Identity(1));
        }
        self.transmit_all(now);
        self.say(now, at, &Say::UseRoom(0, 3), &Bend::NONE);
        self.transmit_all(now);
    }

    fn burst(&mut self, now: Instant, at: usize) {
        for n in 0..70_u8 {
            self.say(now, at, &Say::UseRoom(0, 1 + n % 2), &Bend::NONE);
            self.transmit_all(now);
        }
    }

    fn give(&mut self, now: Instant, from: ConnectionId, delivery: Delivery, mut bytes: Vec<u8>) {
        let len = bytes.len();
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.note_said(&bytes, delivery);
        }
        let peers = &self.peers;
        let speaker = peers.get(&from).and_then(|peer| peer.welcome).map(|welcome| welcome.client);
        let mut forward = self.server.handle_packet(now, from, delivery, &mut bytes);
        let mut reached = Vec::new();
        while let Some((bytes, to)) = forward.next() {
            assert!(!to.is_empty() && bytes.len() <= len, "more goes out than came in");
            let Ok(Packet::Voice(voice)) = Packet::decode(bytes) else { panic!("what is forwarded is no voice") };
            assert!(speaker.is_none_or(|speaker| voice.header.speaker == speaker), "voice in another's name");
            assert!(voice.relay.is_none(), "the relay list goes out");
            reached.extend_from_slice(to);
        }
        let joined = |to: &ConnectionId| peers.get(to).is_some_and(|peer| !peer.closed);
        assert!(reached.iter().all(joined), "voice goes to a closed connection");
        assert!(!reached.contains(&from), "voice goes back to its speaker");
        let groups = reached.len();
        reached.sort_unstable();
        reached.dedup();
        assert_eq!(reached.len(), groups, "somebody gets a packet twice");
    }

    fn transmit(&mut self, now: Instant, room: usize) -> bool {
        let due = self.server.poll_timeout();
        let mut out = vec![0xEE; room];
        let Some(transmit) = self.server.poll_transmit(now, &mut out) else { return false };
        assert!(due.is_some_and(|due| due <= self.latest), "queued, and not to be woken for it: {due:?}");
        assert!((1..=room.min(1_200)).contains(&transmit.len));
        let Route::Client(to) = transmit.to else { panic!("a server sends to clients only") };
        let peer = self.peers.get_mut(&to).expect("to an open connection");
        let packet = Packet::decode(&out[..transmit.len]).expect("a well-formed packet");
        assert_eq!(packet.delivery(), transmit.delivery);
        peer.note_told(&packet, transmit.len);
        self.seat = peer.welcome.or(self.seat);
        true
    }

    fn transmit_all(&mut self, now: Instant) {
        for sent in 0.. {
            assert!(sent < 2_000, "the server always has more to send");
            if !self.transmit(now, 1_200) {
                return;
            }
        }
    }

    fn events(&mut self, now: Instant) {
        for polled in 0.. {
            assert!(polled <= 256, "the server always has another event");
            match self.server.poll_event() {
                Some(ServerEvent::Disconnect { connection }) => self.close(now, connection),
                Some(_) => {}
                None => return,
            }
        }
    }

    fn command(&mut self, now: Instant, command: &Command) {
        self.stopped = matches!(command, Command::Stop) || self.stopped && !matches!(command, Command::Start);
        let server = &mut self.server;
        match *command {
            Command::Accept(at, identity) => {
                let connection = self.connection(at);
                _ = self.server.accept(now, connection, Identity(identity));
            }
            Command::Refuse(at, reason) => {
                let connection = self.connection(at);
                _ = self.server.refuse(now, connection, reason);
            }
            Command::Kick(client, reason) => _ = server.kick(now, client_id(client), reason),
            Command::Ban(client) => _ = server.ban(now, client_id(client)),
            Command::BanIdentity(identity) => _ = server.ban_identity(now, Identity(identity)),
            Command::Unban(identity) => server.unban(Identity(identity)),
            Command::Mute(client, muted) => _ = server.set_server_mute(now, client_id(client), muted),
            Command::Remove(client, room) => _ = server.remove_from_room(now, client_id(client), room_id(room)),
            Command::Stop => server.stop(now),
            Command::Start => server.start(now),
        }
    }

    /// What holds after every call.
    fn look(&self) {
        let server = &self.server;
        let mut ids: Vec<_> = server.clients().map(|client| client.id()).collect();
        assert_eq!(ids.len(), server.client_count());
        assert!(ids.len() <= 4 && server.rooms().count() <= 3);
        assert!(ids.iter().all(|id| server.client(*id).is_some_and(|client| client.id() == *id)));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), server.client_count(), "an id twice");
        for room in server.rooms() {
            assert!(room.users() > 0 && room.listeners() <= room.users(), "a room outlives its users");
        }
    }

    /// All that is due is done, and then nothing is due.
    fn come_to_rest(&mut self, now: Instant) {
        self.latest = self.latest.max(now);
        for _ in 0..3 {
            self.server.handle_timeout(now);
            self.transmit_all(now);
            self.events(now);
        }
        assert!(self.server.poll_timeout().is_none_or(|at| at > now), "to be woken for nothing");
    }
}

impl Peer {
    fn write(&self, say: &Say, session: SessionId, seat: Option<Welcome>) -> Vec<u8> {
        let lane = Lane { session, number: self.out_next };
        let flags = |bits: u8| StateFlags { muted: bits & 1 != 0, deafened: bits & 2 != 0 };
        let priority = Priority::Medium;
        let text;
        let packet = match say {
            Say::Hello { resume, name, flags: bits } => {
                text = "n".repeat(*name);
                let seat = seat.filter(|_| *resume);
                let resume = seat.map(|s| Resume { session: s.session, client: s.client, secret: s.secret });
                let (nonce, codec, flags) = (u32::from(self.sequence), CodecSettings::DEFAULT, flags(*bits));
                let (version, name, credential) = (VERSION, text.as_str(), &[1, 2, 3][..]);
                Packet::Hello(Hello { version, features: 3, nonce, codec, flags, priority, resume, name, credential })
            }
            Say::UseRoom(room, used) => {
                text = format!("room {room}");
                Packet::UseRoom { lane, room_use: RoomUse::from_number(*used).expect("1 to 3"), name: &text }
            }
            Say::LeaveRoom(room) => Packet::LeaveRoom { lane, room: room_id(*room) },
            Say::SetState(bits) => Packet::SetState { lane, flags: flags(*bits), priority },
            Say::SetBlock(client, blocked) => Packet::SetBlock { lane, client: client_id(*client), blocked: *blocked },
            Say::SendText { to, last, len, byte } => {
                let bytes = vec![*byte; if *last { *len } else { 1_000 }];
                return packet_bytes(&Packet::SendText {
                    lane,
                    number: 1,
                    last: *last,
                    target: to.target(),
                    bytes: &bytes,
                });
            }
            Say::PairRequest(client) => Packet::PairRequest { lane, client: client_id(*client) },
            Say::SendRendezvous(client, len) => {
                let to = client_id(*client);
                return packet_bytes(&Packet::SendRendezvous { lane, to, bytes: &vec![3; *len] });
            }
            Say::Leave => Packet::Leave { lane },
            Say::RosterRequest => Packet::RosterRequest { lane },
            Say::Stale => {
                let session = SessionId::new(session.get() ^ 1).unwrap_or(session);
                Packet::RosterRequest { lane: Lane { session, ..lane } }
            }
            Say::Ping(idle) => {
                let ping =
                    Ping { session, stamp: 1, next: self.in_next, rtt_ms: 5, loss: 0, jitter_ms: 1, idle: *idle };
                Packet::Ping(ping)
            }
            Say::LaneAck => Packet::LaneAck { session, next: self.in_next },
            Say::Report(speaker, [loss, delay, growth]) => {
                let hearing = Hearing { loss: *loss, late: 0, jitter_ms: 9, delay: *delay, growth: *growth };
                let mut out = [0; 64];
                let speaker = ClientId::new(*speaker).unwrap();
                let len = Report::write(&mut out, session, &[ReportEntry { speaker, hearing }]).unwrap();
                return out[..len].to_vec();
            }
            Say::Voice { to, relay, step, len } => return self.voice(session, to, relay.as_ref(), *step, *len),
        };
        packet_bytes(&packet)
    }

    fn voice(&self, session: SessionId, to: &[To], relay: Option<&(bool, Vec<u16>)>, step: u16, len: usize) -> Vec<u8> {
        let speaker = self.welcome.map_or(client_id(1), |welcome| welcome.client);
        let sequence = self.sequence.wrapping_add(step).wrapping_sub(2);
        let header = VoiceHeader {
            mark: step > 9,
            end: false,
            tag: session.tag(),
            speaker,
            sequence,
            media_time: 0,
            frame_length: voice_core::FrameLength::Ms20,
        };
        voice_bytes(header, to, relay.map(|(only, clients)| (*only, clients.as_slice())), &vec![5; len])
    }

    fn note_said(&mut self, bytes: &[u8], delivery: Delivery) {
        self.said = (self.said.0 + bytes.len(), self.said.1 + 1);
        let Ok(packet) = Packet::decode(bytes) else { return };
        if packet.lane().is_some() || matches!(packet.kind(), Kind::Ping | Kind::Report) {
            self.answerable = self.answerable.max(bytes.len());
        }
        let on_lane = delivery == Delivery::Reliable && packet.lane().is_some_and(|lane| lane.number == self.out_next);
        match packet {
            Packet::Hello(_) if delivery == Delivery::Reliable => (self.out_next, self.joining) = (1, true),
            Packet::Voice(voice) => self.sequence = voice.header.sequence.wrapping_add(1),
            Packet::Ping(Ping { next, .. }) | Packet::LaneAck { next, .. }
                if delivery == Delivery::Unreliable
                    && next.wrapping_sub(self.in_acked) <= self.in_next.wrapping_sub(self.in_acked) =>
            {
                self.in_acked = next;
            }
            _ if on_lane && (packet.kind() as u8) < 0x20 => self.out_next = self.out_next.wrapping_add(1),
            _ => {}
        }
    }

    fn note_told(&mut self, packet: &Packet<'_>, len: usize) {
        assert!(!self.closed, "{:?} after Closed", packet.kind());
        assert!(matches!(packet.kind() as u8, 0x21..=0x2C | 0x42..=0x44 | 0x46), "{:?} from a server", packet.kind());
        if packet.kind() == Kind::WrongSession {
            assert!(len <= self.answerable, "WrongSession is larger than its cause");
            self.answerable = 0;
        }
        if let Packet::Welcome(welcome) = packet {
            (self.welcome, self.joining) = (Some(*welcome), false);
            (self.in_next, self.in_acked) = (1, 1);
        }
        self.closed = packet.kind() == Kind::Closed;
        if let Some(lane) = packet.lane() {
            self.note_lane(lane);
        }
        if self.welcome.is_none() {
            self.told = (self.told.0 + len, self.told.1 + 1);
            assert!(self.told.0 <= self.said.0 && self.told.1 <= self.said.1, "answers are larger than their causes");
        }
    }
}

impl Peer {
    fn note_lane(&mut self, lane: Lane) {
        // Whoever is thrown out before Welcome has gone gets Closed alone.
        if self.closed && self.joining {
            return;
        }
        let welcome = self.welcome.expect("nothing on the lane before Welcome");
        assert_eq!(lane.session, welcome.session);
        assert_eq!(lane.number, self.in_next, "out of order");
        self.in_next = self.in_next.wrapping_add(1);
        assert!(self.closed || self.in_next.wrapping_sub(self.in_acked) <= 64, "more on its way than the window");
    }
}

/// Two who come afterwards are let in, hear each other and read each other.
fn serve_two(mut caller: Caller) {
    let left: Vec<_> = caller.peers.keys().copied().collect();
    let now = caller.latest;
    left.into_iter().for_each(|connection| caller.close(now, connection));
    let now = now.after(Duration::from_secs(31));
    caller.come_to_rest(now);
    assert_eq!((caller.server.client_count(), caller.server.rooms().count()), (0, 0), "somebody stays for ever");
    caller.server.start(now);
    let (mut one, mut two) = (Guest::new("one", 1), Guest::new("two", 2));
    for guest in [&mut one, &mut two] {
        guest.client.connect(now);
        let room = guest.client.use_room(now, "afterwards", RoomUse::Both).unwrap();
        guest.client.open_channel(now, TalkTo::Room(room), ChannelOptions::DEFAULT).unwrap();
    }
    let mut ms = 0;
    let mut pass = |caller: &mut Caller, one: &mut Guest, two: &mut Guest| {
        ms += 60;
        let now = now.after(Duration::from_millis(ms));
        settle(now, &mut caller.server, &mut [one, two], |_, _, _| {});
        now
    };
    (0..3).for_each(|_| _ = pass(&mut caller, &mut one, &mut two));
    assert_eq!((one.client.state(), two.client.state()), (State::Connected, State::Connected));
    let now = pass(&mut caller, &mut one, &mut two);
    one.client.send_frame(now, &[1; 40]).unwrap();
    one.client.send_text(now, TalkTo::Client(two.client.id().unwrap()), "hello").unwrap();
    pass(&mut caller, &mut one, &mut two);
    let heard: Vec<ClientId> = two.client.speakers().collect();
    assert_eq!(heard, [one.client.id().unwrap()]);
    assert!(matches!(two.client.take_message(), Some(Message::Text { text: "hello", .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn a_server_keeps_its_rules_whatever_is_called_and_serves_on(ask in any::<bool>(), joined in 0..4_u8, ops in vec(op(), 0..250)) {
        let mut caller = Caller::new(if ask { Admission::Ask } else { Admission::AcceptAll });
        (0..joined).for_each(|_| caller.call(Op::Join));
        ops.into_iter().for_each(|op| caller.call(op));
        let now = caller.latest;
        caller.come_to_rest(now);
        if !ask {
            serve_two(caller);
        }
    }
}

/// A server, a client that it has let in, and its connection.
fn one_joined(until: u64) -> (FuzzServer, Guest) {
    let (mut server, mut guest) = (new_server(ServerConfig::DEFAULT), Guest::new("one", 1));
    guest.client.connect(Instant::ORIGIN);
    (0..=until / 60).for_each(|n| {
        settle(Instant::from_ms(60 * n), &mut server, &mut [&mut guest], |_, _, _| {});
    });
    (server, guest)
}

#[test]
fn a_client_is_told_of_a_stop_that_a_start_follows_at_once() {
    let (mut server, mut guest) = one_joined(600);
    let now = Instant::from_ms(600);
    server.stop(now);
    server.start(now);
    let mut out = [0; 1_200];
    while let Some(transmit) = server.poll_transmit(now, &mut out) {
        guest.client.handle_packet(now, Source::Server, transmit.delivery, &out[..transmit.len]);
    }
    assert_eq!(guest.client.state_reason(), StateReason::Closed(CloseReason::ServerStopping));
}

#[test]
fn a_servers_packet_that_does_not_fit_waits_for_a_larger_buffer() {
    let (mut server, guest) = one_joined(600);
    let (now, connection) = (Instant::from_ms(600), guest.connection.unwrap());
    let session = server.session();
    let ping = Ping { session, stamp: 1, next: 1, rtt_ms: 0, loss: 0, jitter_ms: 0, idle: false };
    let mut ping = packet_bytes(&Packet::Ping(ping));
    _ = server.handle_packet(now, connection, Delivery::Unreliable, &mut ping);
    assert_eq!(server.poll_transmit(now, &mut [0; 10]), None);
    assert!(server.poll_timeout().is_some_and(|at| at <= now));
    assert!(server.poll_transmit(now, &mut [0; 1_200]).is_some());
}

#[test]
fn a_stopped_server_lets_nobody_in_who_waited() {
    let mut server = new_server(ServerConfig { admission: Admission::Ask, ..ServerConfig::DEFAULT });
    let mut guest = Guest::new("one", 1);
    guest.client.connect(Instant::ORIGIN);
    guest.follow_wish(Instant::ORIGIN, &mut server);
    guest.send_all(Instant::ORIGIN, &mut server, |_, _, _| {});
    server.stop(Instant::ORIGIN);
    _ = server.accept(Instant::ORIGIN, guest.connection.unwrap(), Identity(1));
    assert_eq!(server.client_count(), 0);
}
