//! No order of calls on a client is wrong, and no bytes are: it panics never, keeps the rules of docs/PROTOCOL.md towards its server and
//! on direct paths, and talks in the next session.

mod session_harness;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use consonance_fuzz::session::{FuzzClient, Guest, new_client, new_server, settle};
use proptest::{collection::vec, prelude::*};
use session_harness::{
    Bend, bend, client_id, packet_bytes, raw,
    script::{NAMES, Script, Tell, tell},
};
use voice_core::{
    ChannelHandle, ChannelOptions, ClientId, Delivery, Instant, Message, PathId, Priority, RoomHandle, RoomUse, Route,
    ServerConfig, SessionId, Source, State, TalkTo, Volume,
    wire::{Kind, Lane, Packet},
};

#[derive(Debug, Clone)]
enum Call {
    Connect,
    Disconnect,
    Up,
    Down,
    UseRoom(u8, u8),
    LeaveRoom(usize),
    OpenToRoom(usize),
    OpenToClient(u16),
    Change(usize, u8),
    Close(usize),
    Mute(bool),
    Deafen(bool),
    Priority(u8),
    Block(u16, bool),
    Volume(u16, u8),
    Speak(usize),
    End,
    Text(Option<usize>, u16, usize),
    Rendezvous(u16, usize),
    Path(u16),
    PathLost(u16),
    Unsent(u16),
}

#[derive(Debug, Clone)]
enum Op {
    Wait(u64),
    GoBack(u64),
    Call(Call),
    Tell(Option<u16>, Tell, Bend),
    Raw(Option<u16>, bool, Vec<u8>),
    Join,
    /// Gets a direct path to somebody, and has it proven.
    Link(u16),
    NewSession,
    /// Declares so much that the window is full.
    Burst,
    Timeout,
    Transmit(usize),
    TransmitAll,
    Events,
    Hear,
    Read,
}

fn call() -> impl Strategy<Value = Call> {
    let ids = || 1..6_u16;
    let life = prop_oneof![
        6 => Just(Call::Connect),
        1 => Just(Call::Disconnect),
        6 => Just(Call::Up),
        1 => Just(Call::Down),
    ];
    let declare = prop_oneof![
        3 => (0..4_u8, 1..4_u8).prop_map(|(name, used)| Call::UseRoom(name, used)),
        1 => (0..6_usize).prop_map(Call::LeaveRoom),
        3 => (0..6_usize).prop_map(Call::OpenToRoom),
        2 => ids().prop_map(Call::OpenToClient),
        1 => (0..6_usize, 0..5_u8).prop_map(|(at, priority)| Call::Change(at, priority)),
        1 => (0..6_usize).prop_map(Call::Close),
        1 => any::<bool>().prop_map(Call::Mute),
        1 => any::<bool>().prop_map(Call::Deafen),
        1 => (0..5_u8).prop_map(Call::Priority),
        2 => (ids(), any::<bool>()).prop_map(|(client, blocked)| Call::Block(client, blocked)),
        1 => (ids(), 0..201_u8).prop_map(|(client, volume)| Call::Volume(client, volume)),
    ];
    let send = prop_oneof![
        8 => prop_oneof![4 => Just(40), 1 => 0..1_100_usize].prop_map(Call::Speak),
        2 => Just(Call::End),
        2 => (prop::option::of(0..6_usize), ids(), 0..2_100_usize).prop_map(|(at, id, len)| Call::Text(at, id, len)),
        1 => (ids(), 0..1_100_usize).prop_map(|(to, len)| Call::Rendezvous(to, len)),
        4 => ids().prop_map(Call::Path),
        1 => ids().prop_map(Call::PathLost),
        1 => ids().prop_map(Call::Unsent),
    ];
    prop_oneof![1 => life, 2 => declare, 2 => send]
}

fn op() -> impl Strategy<Value = Op> {
    let path = || prop::option::weighted(0.3, 1..6_u16);
    prop_oneof![
        4 => prop_oneof![6 => 0..80_u64, 1 => 0..10_000_u64].prop_map(Op::Wait),
        1 => (0..100_u64).prop_map(Op::GoBack),
        16 => call().prop_map(Op::Call),
        16 => (path(), tell(), bend()).prop_map(|(path, tell, bend)| Op::Tell(path, tell, bend)),
        1 => (path(), any::<bool>(), raw()).prop_map(|(path, reliable, bytes)| Op::Raw(path, reliable, bytes)),
        3 => Just(Op::Join),
        3 => (2..6_u16).prop_map(Op::Link),
        1 => Just(Op::NewSession),
        1 => Just(Op::Burst),
        4 => Just(Op::Timeout),
        4 => prop_oneof![4 => Just(1_200), 1 => 0..1_300_usize].prop_map(Op::Transmit),
        6 => Just(Op::TransmitAll),
        2 => Just(Op::Events),
        2 => Just(Op::Hear),
        1 => Just(Op::Read),
    ]
}

struct Caller {
    now: u64,
    /// The latest time that the client was told of.
    latest: Instant,
    client: FuzzClient,
    script: Script,
    rooms: Vec<RoomHandle>,
    channels: Vec<ChannelHandle>,
    /// The attempt whose transport is up.
    up: Option<u32>,
    muted: bool,
    /// Paths on which a greeting was rightly answered.
    proven: BTreeSet<PathId>,
    /// The last voice packet that went to each path.
    spoken: BTreeMap<PathId, Vec<u8>>,
}

fn path_of(client: u16) -> PathId {
    PathId(u32::from(client))
}

impl Caller {
    fn new() -> Self {
        Self {
            now: 0,
            latest: Instant::ORIGIN,
            client: new_client("one", 1),
            script: Script::new(),
            rooms: Vec::new(),
            channels: Vec::new(),
            up: None,
            muted: false,
            proven: BTreeSet::new(),
            spoken: BTreeMap::new(),
        }
    }

    fn run(&mut self, op: Op) {
        let now = Instant::from_ms(self.now);
        self.latest = self.latest.max(now);
        match op {
            Op::Wait(ms) => self.now += ms,
            Op::GoBack(ms) => self.now = self.now.saturating_sub(ms),
            Op::Call(call) => self.call(now, &call),
            Op::Tell(path, tell, bend) => self.tell(now, path, &tell, Some(&bend)),
            Op::Raw(path, reliable, bytes) => {
                let delivery = if reliable { Delivery::Reliable } else { Delivery::Unreliable };
                self.give(now, path, delivery, &bytes);
            }
            Op::Join => self.join(now),
            Op::Link(client) => self.link(now, client),
            Op::NewSession => {
                self.script.session = SessionId::new(self.script.session.get() + 1).expect("not 0");
            }
            Op::Burst => self.burst(now),
            Op::Timeout => self.client.handle_timeout(now),
            Op::Transmit(room) => self.transmit_into(now, room),
            Op::TransmitAll => self.transmit_all(now),
            Op::Events => self.events(),
            Op::Hear => self.hear(now),
            Op::Read => self.read(),
        }
        self.look();
    }

    /// What leads into a session, if nothing stands in the way.
    fn join(&mut self, now: Instant) {
        self.call(now, &Call::Connect);
        self.call(now, &Call::Up);
        self.transmit_all(now);
        if self.client.state() == State::Joining {
            self.tell(now, None, &Tell::Welcome(false), None);
        }
        self.call(now, &Call::UseRoom(0, 3));
        self.call(now, &Call::OpenToRoom(0));
        self.tell(now, None, &Tell::RoomGranted(1, 0), None);
    }

    fn link(&mut self, now: Instant, client: u16) {
        let roster = Tell::Roster { first: false, last: false, people: vec![(client, 0)], gone: Vec::new() };
        self.tell(now, None, &roster, None);
        self.call(now, &Call::OpenToClient(client));
        self.call(now, &Call::Path(client));
        self.tell(now, None, &Tell::Pair(client), None);
        self.transmit_all(now);
        self.tell(now, None, &Tell::Greet(client, true), None);
    }

    fn burst(&mut self, now: Instant) {
        for n in 0..70 {
            self.call(now, &Call::Deafen(n % 2 == 0));
            self.transmit_all(now);
        }
    }

    fn tell(&mut self, now: Instant, path: Option<u16>, tell: &Tell, bend: Option<&Bend>) {
        // A greeting, and an acknowledgement, come on a path.
        let path = match tell {
            Tell::Greet(from, _) | Tell::PathAck(from) => Some(path.unwrap_or(*from)),
            Tell::Voice { speaker, .. } => path.map(|_| *speaker),
            _ => path.filter(|path| *path == 1),
        };
        let mut bytes = self.script.write(tell);
        let straight = Packet::decode(&bytes).expect("a well-formed packet").delivery();
        let delivery = bend.map_or(straight, |bend| bend.apply(&mut bytes, straight));
        if let (Tell::Greet(_, true), Some(path)) = (tell, path) {
            self.proven.insert(path_of(path));
        }
        self.give(now, path, delivery, &bytes);
    }

    fn give(&mut self, now: Instant, path: Option<u16>, delivery: Delivery, bytes: &[u8]) {
        if path.is_none() {
            let told = self.client.session().filter(|_| self.client.state() != State::Reconnecting);
            self.script.note_told(bytes, delivery, self.client.state(), told);
        }
        let from = path.map_or(Source::Server, |path| Source::Path(path_of(path)));
        self.client.handle_packet(now, from, delivery, bytes);
    }

    fn call(&mut self, now: Instant, call: &Call) {
        match *call {
            Call::Connect => self.client.connect(now),
            Call::Disconnect => self.client.disconnect(now),
            Call::Up => {
                self.up = self.client.transport_wanted();
                self.client.handle_connected(now);
            }
            Call::Down => {
                self.up = None;
                self.client.handle_disconnected(now);
            }
            Call::Speak(len) => self.speak(now, len),
            Call::End => self.client.end_talkspurt(now),
            Call::Text(at, client, len) => {
                let room = at.and_then(|at| self.rooms.get(at)).copied();
                let to = room.map_or(TalkTo::Client(client_id(client)), TalkTo::Room);
                _ = self.client.send_text(now, to, &"t".repeat(len));
            }
            Call::Rendezvous(client, len) => _ = self.client.send_rendezvous(now, client_id(client), &vec![6; len]),
            Call::Path(client) => _ = self.client.handle_path_available(now, client_id(client), path_of(client)),
            Call::PathLost(client) => self.client.handle_path_lost(now, path_of(client)),
            Call::Unsent(client) => {
                let packet = self.spoken.remove(&path_of(client)).unwrap_or_default();
                self.client.handle_unsent(now, path_of(client), &packet);
            }
            _ => self.declare(now, call),
        }
    }

    fn tag(&self) -> Option<u16> {
        self.client.session().map(SessionId::tag)
    }

    fn declare(&mut self, now: Instant, call: &Call) {
        let room = |at: usize| self.rooms.get(at).copied();
        let channel = |at: usize| self.channels.get(at).copied();
        let options = ChannelOptions::DEFAULT;
        let client = &mut self.client;
        match *call {
            Call::UseRoom(name, used) => {
                let room_use = RoomUse::from_number(used).expect("1 to 3");
                self.rooms.extend(client.use_room(now, NAMES[usize::from(name)], room_use));
            }
            Call::LeaveRoom(at) => _ = room(at).map(|room| client.leave_room(now, room)),
            Call::OpenToRoom(at) => {
                let opened = room(at).map(|room| client.open_channel(now, TalkTo::Room(room), options));
                self.channels.extend(opened.and_then(Result::ok));
            }
            Call::OpenToClient(id) => {
                self.channels.extend(client.open_channel(now, TalkTo::Client(client_id(id)), options));
            }
            Call::Change(at, priority) => {
                let priority = Priority::from_number(priority).expect("below 5");
                _ = channel(at).map(|at| client.change_channel(now, at, ChannelOptions { priority, ..options }));
            }
            Call::Close(at) => _ = channel(at).map(|channel| client.close_channel(now, channel)),
            Call::Mute(muted) => {
                self.muted = muted;
                client.set_muted(now, muted);
            }
            Call::Deafen(deafened) => client.set_deafened(now, deafened),
            Call::Priority(priority) => {
                client.set_default_priority(now, Priority::from_number(priority).expect("below 5"));
            }
            Call::Block(id, blocked) => _ = client.set_client_muted(now, client_id(id), blocked),
            Call::Volume(id, volume) => {
                _ = client.set_client_volume(client_id(id), Volume::new(volume).expect("at most 200"));
            }
            _ => {}
        }
    }

    fn speak(&mut self, now: Instant, len: usize) {
        let muted = self.muted || self.client.is_server_muted();
        if self.client.send_frame(now, &vec![1; len]).is_ok() {
            assert!(matches!(self.client.state(), State::Connected | State::Degraded), "voice outside of a session");
            assert!(!muted && (1..=1_000).contains(&len));
        }
    }

    /// A buffer that is too small loses nothing.
    fn transmit_into(&mut self, now: Instant, room: usize) {
        if !self.transmit(now, room) && room < 1_200 {
            let mut out = [0xEE; 1_200];
            if let Some(transmit) = self.client.poll_transmit(now, &mut out) {
                self.note(transmit.to, transmit.delivery, &out[..transmit.len]);
            }
        }
    }

    fn transmit(&mut self, now: Instant, room: usize) -> bool {
        let due = self.client.poll_timeout();
        let mut out = vec![0xEE; room];
        let Some(transmit) = self.client.poll_transmit(now, &mut out) else { return false };
        assert!(due.is_some_and(|due| due <= self.latest), "queued, and not to be woken for it: {due:?}");
        assert!((1..=room.min(1_200)).contains(&transmit.len));
        self.note(transmit.to, transmit.delivery, &out[..transmit.len]);
        true
    }

    fn note(&mut self, to: Route, delivery: Delivery, bytes: &[u8]) {
        let packet = Packet::decode(bytes).expect("a well-formed packet");
        assert_eq!(packet.delivery(), delivery);
        let kind = packet.kind() as u8;
        match to {
            Route::Server => {
                assert!(matches!(kind, 0x01..=0x0A | 0x41 | 0x43 | 0x45 | 0x80), "{:?} to the server", packet.kind());
                let wanted = self.client.transport_wanted();
                assert!(wanted.is_some() && wanted == self.up, "{:?} without a transport", packet.kind());
            }
            Route::Path(path) => {
                assert!(matches!(kind, 0x51..=0x53 | 0x80), "{:?} on a path", packet.kind());
                let voice = packet.kind() == Kind::Voice;
                assert!(!voice || self.proven.contains(&path), "voice on a path that nobody proved");
            }
            Route::Client(_) => panic!("a client sends to its server and on paths only"),
        }
        if let Packet::Voice(voice) = packet {
            assert_eq!(Some(voice.header.speaker), self.client.id());
            assert_eq!(Some(voice.header.tag), self.tag());
            if let Route::Path(path) = to {
                assert!(voice.relay.is_none(), "a relay list on a path");
                self.spoken.insert(path, bytes.to_vec());
            }
        }
        self.script.note_said(&packet);
    }

    fn transmit_all(&mut self, now: Instant) {
        for sent in 0.. {
            assert!(sent < 2_000, "the client always has more to send");
            if !self.transmit(now, 1_200) {
                return;
            }
        }
    }

    fn events(&mut self) {
        let polled = (0..1_000).take_while(|_| self.client.poll_event().is_some()).count();
        assert!(polled <= 64, "the client always has another event");
    }

    fn hear(&mut self, now: Instant) {
        let speakers: Vec<ClientId> = self.client.speakers().collect();
        assert!(speakers.len() <= 2);
        for speaker in speakers {
            assert_ne!(Some(speaker), self.client.id(), "one hears oneself");
            assert!(self.client.next_frame(now, Duration::ZERO, speaker).volume_percent <= 400);
            assert!(self.client.heard_channels(speaker).len() <= 8);
        }
    }

    fn read(&mut self) {
        for read in 0.. {
            assert!(read < 2_000, "there is always another message");
            match self.client.take_message() {
                Some(Message::Text { text, .. }) => assert!((1..=2_000).contains(&text.len())),
                Some(Message::Rendezvous { bytes, .. }) => assert!((1..=1_000).contains(&bytes.len())),
                None => return,
            }
        }
    }

    /// What holds after every call.
    fn look(&self) {
        let client = &self.client;
        let mut ids: Vec<_> = client.roster().map(|person| person.id()).collect();
        let people = ids.len();
        assert!(people <= 3 && ids.iter().all(|id| client.person(*id).is_some_and(|person| person.id() == *id)));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), people, "somebody twice");
        let joined = matches!(client.state(), State::Connected | State::Degraded);
        assert!(!joined || client.id().is_some() && client.session().is_some());
    }

    /// All that is due is done, and then nothing is due.
    fn come_to_rest(&mut self, now: Instant) {
        self.latest = self.latest.max(now);
        for _ in 0..3 {
            self.client.handle_timeout(now);
            self.transmit_all(now);
            self.events();
        }
        let due = self.client.poll_timeout();
        assert!(due.is_none_or(|at| at > now), "to be woken for nothing");
    }
}

/// In the next session the client hears somebody and is heard, reads and is read.
fn talk_again(mut caller: Caller) {
    let now = caller.latest.after(Duration::from_secs(60));
    caller.read();
    for channel in caller.channels {
        _ = caller.client.close_channel(now, channel);
    }
    for room in caller.rooms {
        _ = caller.client.leave_room(now, room);
    }
    caller.client.set_muted(now, false);
    caller.client.set_deafened(now, false);
    caller.client.disconnect(now);
    caller.client.handle_disconnected(now);
    let (mut one, mut two) = (Guest::new("", 1), Guest::new("two", 2));
    one.client = caller.client;
    let mut server = new_server(ServerConfig::DEFAULT);
    for guest in [&mut one, &mut two] {
        guest.client.connect(now);
        let room = guest.client.use_room(now, "afterwards", RoomUse::Both).expect("all rooms are left");
        guest.client.open_channel(now, TalkTo::Room(room), ChannelOptions::DEFAULT).expect("all channels are closed");
    }
    let mut ms = 0;
    let mut pass = |one: &mut Guest, two: &mut Guest| {
        ms += 60;
        let now = now.after(Duration::from_millis(ms));
        settle(now, &mut server, &mut [one, two], |_, _, _| {});
        now
    };
    (0..4).for_each(|_| _ = pass(&mut one, &mut two));
    assert_eq!((one.client.state(), two.client.state()), (State::Connected, State::Connected));
    let (first, second) = (one.client.id().expect("joined"), two.client.id().expect("joined"));
    let now = pass(&mut one, &mut two);
    for (guest, other) in [(&mut one, second), (&mut two, first)] {
        guest.client.send_frame(now, &[1; 40]).expect("somebody hears");
        guest.client.send_text(now, TalkTo::Client(other), "hello").expect("room for a text");
    }
    pass(&mut one, &mut two);
    for (guest, other) in [(&mut one, second), (&mut two, first)] {
        assert_eq!(guest.client.speakers().collect::<Vec<_>>(), [other]);
        assert!(matches!(guest.client.take_message(), Some(Message::Text { text: "hello", .. })));
    }
}

fn cases() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::with_cases(64) }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_client_keeps_its_rules_whatever_is_called_and_talks_again(ops in vec(op(), 0..250)) {
        let mut caller = Caller::new();
        ops.into_iter().for_each(|op| caller.run(op));
        let now = caller.latest;
        caller.come_to_rest(now);
        talk_again(caller);
    }
}

#[test]
fn a_client_whose_packet_does_not_fit_asks_to_be_woken_at_once() {
    let mut client = new_client("one", 1);
    let now = Instant::ORIGIN;
    client.connect(now);
    client.handle_connected(now);
    assert_eq!(client.poll_transmit(now, &mut [0; 10]), None);
    assert_eq!(client.poll_timeout(), Some(now));
    assert!(client.poll_transmit(now, &mut [0; 1_200]).is_some());
}

#[test]
fn a_client_that_takes_leave_stays_away_though_the_lane_breaks() {
    let mut caller = Caller::new();
    let now = Instant::ORIGIN;
    caller.join(now);
    assert_eq!(caller.client.state(), State::Connected);
    caller.client.disconnect(now);
    let lane = Lane { session: caller.script.session, number: 40_000 };
    let packet = packet_bytes(&Packet::Audience { lane, heard: true, sequence: 7 });
    caller.client.handle_packet(now, Source::Server, Delivery::Reliable, &packet);
    assert_eq!(caller.client.state(), State::Disconnected);
}

#[test]
fn a_client_with_a_full_window_is_not_woken_for_what_it_cannot_send() {
    let (mut caller, now) = (Caller::new(), Instant::ORIGIN);
    caller.join(now);
    caller.burst(now);
    // Four people for three places, and then one of them goes.
    let people = |people: &[(u16, u8)], gone: &[u16]| Tell::Roster {
        first: false,
        last: false,
        people: people.to_vec(),
        gone: gone.to_vec(),
    };
    caller.tell(now, None, &people(&[(1, 0), (2, 0), (3, 0), (4, 0)], &[2]), None);
    caller.transmit_all(now);
    caller.client.handle_timeout(now);
    caller.transmit_all(now);
    assert!(caller.client.poll_timeout().is_none_or(|at| at > now));
}

#[test]
fn what_a_path_gives_back_is_not_relayed_in_another_session() {
    let (mut caller, now) = (Caller::new(), Instant::ORIGIN);
    caller.join(now);
    caller.link(now, 3);
    caller.call(now, &Call::Speak(40));
    caller.transmit_all(now);
    let packet = caller.spoken[&path_of(3)].clone();
    caller.tell(now, None, &Tell::Closed(128), None);
    caller.run(Op::NewSession);
    caller.join(now);
    caller.link(now, 3);
    caller.transmit_all(now);
    let before = caller.client.counters().voice_out.packets;
    caller.client.handle_unsent(now, path_of(3), &packet);
    let mut out = [0; 1_200];
    while caller.client.poll_transmit(now, &mut out).is_some() {}
    assert_eq!(caller.client.counters().voice_out.packets, before);
}
