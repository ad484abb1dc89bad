//! Rosters against a map that the test keeps, whoever is polled when, and in a storm of joins. docs/PROTOCOL.md, section 7.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use proptest::{collection::vec, prelude::*};
use voice_core::{
    ChannelSlot, Client, ClientConfig, ClientId, ClientStorage, Connection, ConnectionId, Delivery, Instant, PeerLink,
    PendingJoin, PersonSlot, Post, Priority, Room, RoomHandle, RoomSlot, RoomUse, Route, Seat, Server, ServerConfig,
    ServerEvent, ServerStorage, Source, SpeakerSlot, State, server_storage_vec,
    wire::{Packet, PersonFlags},
};

type TestClient =
    Client<ClientStorage<Vec<PersonSlot>, Vec<RoomSlot>, Vec<ChannelSlot>, Vec<SpeakerSlot>, Vec<PeerLink>, Vec<u8>>>;
type TestServer = Server<
    ServerStorage<Vec<Seat>, Vec<Room>, Vec<u64>, Vec<Connection>, Vec<Post>, Vec<PendingJoin>, Vec<ConnectionId>>,
>;

fn new_client(name: &str, seed: u64, people: usize) -> TestClient {
    let tables = ClientStorage {
        roster: vec![PersonSlot::EMPTY; people],
        rooms: vec![RoomSlot::EMPTY; 4],
        channels: Vec::new(),
        speakers: Vec::new(),
        peers: Vec::new(),
        frames: Vec::new(),
        inbox: Vec::new(),
        outbox: Vec::new(),
        voice: Vec::new(),
        retained: Vec::new(),
        credential: Vec::new(),
    };
    Client::new(ClientConfig::new(name).unwrap(), seed, tables)
}

/// What is under way on a connection.
enum Item {
    Packet(Delivery, Vec<u8>),
    HangUp,
}

/// A client, its connection, and what is under way on it.
struct Guest {
    client: TestClient,
    attempt: Option<u32>,
    connection: Option<ConnectionId>,
    up: VecDeque<(Delivery, Vec<u8>)>,
    down: VecDeque<Item>,
    /// First pages that came on this connection.
    sweeps: usize,
}

impl Guest {
    fn new(name: &str, seed: u64, people: usize) -> Self {
        let client = new_client(name, seed, people);
        let (up, down) = (VecDeque::new(), VecDeque::new());
        Self { client, attempt: None, connection: None, up, down, sweeps: 0 }
    }
}

/// A server and its guests, between whom packets move when they are told to.
struct House {
    ms: u64,
    server: TestServer,
    guests: Vec<Guest>,
    /// Whose connection it is.
    owners: BTreeMap<ConnectionId, usize>,
    largest: usize,
    /// Packets that the server has put on lanes.
    on_lanes: usize,
}

impl House {
    /// The journal is as long as the server has seats.
    fn new(seats: usize, grace: Duration) -> Self {
        let config = ServerConfig { grace, ..ServerConfig::DEFAULT };
        let server = Server::new(config, 5, server_storage_vec!(clients: seats, rooms: 4));
        Self { ms: 0, server, guests: Vec::new(), owners: BTreeMap::new(), largest: 0, on_lanes: 0 }
    }

    /// With so many guests, at most 1,024, who haven't come yet.
    fn of(guests: usize) -> Self {
        let mut house = Self::new(1_024, Duration::from_secs(30));
        house.guests = (0..guests).map(|who| Guest::new(&format!("guest {who}"), who as u64, 1_024)).collect();
        house
    }

    fn now(&self) -> Instant {
        Instant::from_ms(self.ms)
    }

    fn pass(&mut self, ms: u64) {
        self.ms += ms;
        let now = self.now();
        self.server.handle_timeout(now);
        self.guests.iter_mut().for_each(|guest| guest.client.handle_timeout(now));
        (0..self.guests.len()).for_each(|who| self.follow_wish(who));
    }

    fn follow_wish(&mut self, who: usize) {
        let wanted = self.guests[who].client.transport_wanted();
        if wanted == self.guests[who].attempt {
            return;
        }
        self.hang_up(who);
        let now = self.now();
        let guest = &mut self.guests[who];
        guest.attempt = wanted;
        if wanted.is_none() {
            return;
        }
        match self.server.handle_connected(now) {
            Ok(connection) => {
                guest.connection = Some(connection);
                guest.sweeps = 0;
                self.owners.insert(connection, who);
                guest.client.handle_connected(now);
            }
            Err(_) => guest.client.handle_disconnected(now),
        }
    }

    /// Ends the connection; what was under way is lost.
    fn hang_up(&mut self, who: usize) {
        let now = self.now();
        let guest = &mut self.guests[who];
        guest.up.clear();
        guest.down.clear();
        if let Some(connection) = guest.connection.take() {
            self.owners.remove(&connection);
            self.server.handle_disconnected(now, connection);
        }
    }

    /// Fetches at most so many packets of the server's; whether there were so many.
    fn poll_server(&mut self, most: usize) -> bool {
        let (now, mut out) = (self.now(), [0; 1_200]);
        for _ in 0..most {
            let Some(transmit) = self.server.poll_transmit(now, &mut out) else { return false };
            self.largest = self.largest.max(transmit.len);
            self.on_lanes += usize::from(transmit.delivery == Delivery::Reliable);
            let Route::Client(to) = transmit.to else { panic!("a server sends to clients") };
            if let Some(who) = self.owners.get(&to) {
                self.guests[*who].down.push_back(Item::Packet(transmit.delivery, out[..transmit.len].to_vec()));
            }
            self.take_server_events();
        }
        true
    }

    fn take_server_events(&mut self) {
        while let Some(event) = self.server.poll_event() {
            if let ServerEvent::Disconnect { connection } = event {
                if let Some(who) = self.owners.get(&connection) {
                    self.guests[*who].down.push_back(Item::HangUp);
                }
                self.server.handle_disconnected(self.now(), connection);
            }
        }
    }

    fn poll_client(&mut self, who: usize, most: usize) -> bool {
        let (now, mut out) = (self.now(), [0; 1_200]);
        let guest = &mut self.guests[who];
        for _ in 0..most {
            let Some(transmit) = guest.client.poll_transmit(now, &mut out) else { return false };
            self.largest = self.largest.max(transmit.len);
            if guest.connection.is_some() {
                guest.up.push_back((transmit.delivery, out[..transmit.len].to_vec()));
            }
        }
        true
    }

    fn carry_up(&mut self, who: usize, most: usize) -> bool {
        let now = self.now();
        let guest = &mut self.guests[who];
        for _ in 0..most {
            let (Some(connection), Some((delivery, mut bytes))) = (guest.connection, guest.up.pop_front()) else {
                return false;
            };
            _ = self.server.handle_packet(now, connection, delivery, &mut bytes);
        }
        true
    }

    fn carry_down(&mut self, who: usize, most: usize) -> bool {
        let now = self.now();
        for _ in 0..most {
            let guest = &mut self.guests[who];
            match guest.down.pop_front() {
                Some(Item::Packet(delivery, bytes)) => {
                    if let Ok(Packet::Roster(page)) = Packet::decode(&bytes) {
                        guest.sweeps += usize::from(page.first);
                    }
                    guest.client.handle_packet(now, Source::Server, delivery, &bytes);
                }
                Some(Item::HangUp) => {
                    self.hang_up(who);
                    self.guests[who].client.handle_disconnected(now);
                }
                None => return false,
            }
            self.follow_wish(who);
        }
        true
    }

    /// Moves everything until nothing is left to move.
    fn settle(&mut self) {
        let all = usize::MAX;
        loop {
            for who in 0..self.guests.len() {
                self.poll_client(who, all);
                self.carry_up(who, all);
            }
            self.take_server_events();
            self.poll_server(all);
            let idle = self.guests.iter().all(|guest| guest.down.is_empty());
            (0..self.guests.len()).for_each(|who| _ = self.carry_down(who, all));
            if idle {
                return;
            }
        }
    }

    fn run(&mut self, ms: u64, step: u64) {
        for _ in 0..ms / step {
            self.pass(step);
            self.settle();
            while self.guests.iter_mut().any(|guest| guest.client.poll_event().is_some()) {}
        }
    }

    fn room_names(&self) -> BTreeMap<voice_core::RoomId, String> {
        self.server.rooms().map(|room| (room.id(), room.name().to_owned())).collect()
    }

    fn shown_to(&self, who: usize) -> Shown {
        let names = self.room_names();
        let people = self.guests[who].client.roster();
        people
            .map(|person| {
                let rooms = person.rooms().iter().map(|room| names[room].clone()).collect();
                (person.id(), (person.name().to_owned(), person.flags(), person.priority(), rooms))
            })
            .collect()
    }
}

/// What a roster shows: name, flags, own default priority, names of the rooms listened to.
type Shown = BTreeMap<ClientId, (String, PersonFlags, Priority, BTreeSet<String>)>;

#[derive(Debug, Clone)]
enum Op {
    Connect(usize),
    Leave(usize),
    /// The connection is lost at both ends.
    Cut(usize),
    /// Somebody else comes in its place, without a word of parting.
    Rename(usize),
    Use(usize, usize, RoomUse),
    LeaveRoom(usize, usize),
    Flags(usize, bool, bool),
    Priority(usize, Priority),
    ServerMute(usize, bool),
    Pass(u64),
    PollServer(usize),
    PollClient(usize, usize),
    CarryUp(usize, usize),
    CarryDown(usize, usize),
    Settle,
}

const PEOPLE: usize = 6;

fn op() -> impl Strategy<Value = Op> {
    let who = || 0..PEOPLE;
    let few = || prop_oneof![1..4_usize, Just(100)];
    let uses = prop::sample::select(vec![RoomUse::Listen, RoomUse::Speak, RoomUse::Both]);
    let priorities = prop::sample::select(vec![Priority::None, Priority::Low, Priority::High]);
    prop_oneof![
        5 => who().prop_map(Op::Connect),
        1 => who().prop_map(Op::Leave),
        2 => who().prop_map(Op::Cut),
        1 => who().prop_map(Op::Rename),
        4 => (who(), 0..3_usize, uses).prop_map(|(who, room, room_use)| Op::Use(who, room, room_use)),
        2 => (who(), 0..3_usize).prop_map(|(who, room)| Op::LeaveRoom(who, room)),
        4 => (who(), any::<bool>(), any::<bool>()).prop_map(|(who, muted, deaf)| Op::Flags(who, muted, deaf)),
        1 => (who(), priorities).prop_map(|(who, priority)| Op::Priority(who, priority)),
        2 => (who(), any::<bool>()).prop_map(|(who, on)| Op::ServerMute(who, on)),
        6 => prop_oneof![0..30_u64, 30..120_u64, Just(3_000)].prop_map(Op::Pass),
        4 => few().prop_map(Op::PollServer),
        6 => (who(), few()).prop_map(|(who, most)| Op::PollClient(who, most)),
        6 => (who(), few()).prop_map(|(who, most)| Op::CarryUp(who, most)),
        6 => (who(), few()).prop_map(|(who, most)| Op::CarryDown(who, most)),
        3 => Just(Op::Settle),
    ]
}

/// What the test keeps of a person.
#[derive(Default)]
struct Wish {
    wanted: bool,
    names: usize,
    rooms: BTreeMap<usize, (RoomHandle, RoomUse)>,
    muted: bool,
    deafened: bool,
    priority: Priority,
}

struct Table {
    house: House,
    wishes: Vec<Wish>,
    /// By id, since the server's mutes go with the seat.
    server_muted: BTreeSet<ClientId>,
}

impl Table {
    fn new() -> Self {
        let mut house = House::new(PEOPLE, Duration::from_secs(2));
        house.guests = (0..PEOPLE).map(|who| Guest::new(&name(who, 0), who as u64, PEOPLE)).collect();
        Self { house, wishes: (0..PEOPLE).map(|_| Wish::default()).collect(), server_muted: BTreeSet::new() }
    }

    fn act(&mut self, op: &Op) {
        let now = self.house.now();
        match *op {
            Op::Connect(who) => {
                self.wishes[who].wanted = true;
                self.house.guests[who].client.connect(now);
                self.house.follow_wish(who);
            }
            Op::Leave(who) => {
                self.wishes[who].wanted = false;
                self.house.guests[who].client.disconnect(now);
                self.house.follow_wish(who);
            }
            Op::Cut(who) => {
                self.house.hang_up(who);
                self.house.guests[who].client.handle_disconnected(now);
                self.house.follow_wish(who);
            }
            Op::Rename(who) => {
                self.house.hang_up(who);
                let names = self.wishes[who].names + 1;
                self.wishes[who] = Wish { names, ..Wish::default() };
                self.house.guests[who] = Guest::new(&name(who, names), (100 * names + who) as u64, PEOPLE);
            }
            Op::ServerMute(who, on) => {
                let id = self.house.guests[who].client.id();
                if let Some(id) = id.filter(|id| self.house.server.set_server_mute(now, *id, on).is_ok()) {
                    _ = if on { self.server_muted.insert(id) } else { self.server_muted.remove(&id) };
                }
            }
            Op::Pass(ms) => self.house.pass(ms),
            Op::PollServer(most) => _ = self.house.poll_server(most),
            Op::PollClient(who, most) => _ = self.house.poll_client(who, most),
            Op::CarryUp(who, most) => _ = self.house.carry_up(who, most),
            Op::CarryDown(who, most) => _ = self.house.carry_down(who, most),
            Op::Settle => self.house.settle(),
            Op::Use(who, ..) | Op::LeaveRoom(who, _) | Op::Flags(who, ..) | Op::Priority(who, _) => {
                self.declare(who, op);
            }
        }
    }

    fn declare(&mut self, who: usize, op: &Op) {
        let now = self.house.now();
        let (client, wish) = (&mut self.house.guests[who].client, &mut self.wishes[who]);
        match *op {
            Op::Use(_, room, room_use) => {
                let handle = client.use_room(now, &room.to_string(), room_use).unwrap();
                wish.rooms.insert(room, (handle, room_use));
            }
            Op::LeaveRoom(_, room) => {
                if let Some((handle, _)) = wish.rooms.remove(&room) {
                    client.leave_room(now, handle).unwrap();
                }
            }
            Op::Flags(_, muted, deafened) => {
                client.set_muted(now, muted);
                client.set_deafened(now, deafened);
                (wish.muted, wish.deafened) = (muted, deafened);
            }
            Op::Priority(_, priority) => {
                client.set_default_priority(now, priority);
                wish.priority = priority;
            }
            _ => {}
        }
    }

    fn model(&self) -> Shown {
        let present = self.wishes.iter().enumerate().filter(|(_, wish)| wish.wanted);
        present
            .map(|(who, wish)| {
                let id = self.house.guests[who].client.id().expect("a seat");
                let server_muted = self.server_muted.contains(&id);
                let flags =
                    PersonFlags { muted: wish.muted, deafened: wish.deafened, server_muted, reconnecting: false };
                let heard = wish.rooms.iter().filter(|(_, (_, room_use))| room_use.listens());
                let rooms = heard.map(|(room, _)| room.to_string()).collect();
                (id, (name(who, wish.names), flags, wish.priority, rooms))
            })
            .collect()
    }
}

fn name(who: usize, names: usize) -> String {
    format!("{who}, name {names}")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn whoever_is_polled_when_all_rosters_end_as_the_map(ops in vec(op(), 1..250)) {
        let mut table = Table::new();
        ops.iter().for_each(|op| table.act(op));
        // A silent transport is given up after 10 s, and the longest back-off takes 12.
        table.house.settle();
        table.house.run(40_000, 50);
        for who in (0..PEOPLE).filter(|who| table.wishes[*who].wanted) {
            prop_assert_eq!(table.house.guests[who].client.state(), State::Connected);
            prop_assert_eq!(table.house.shown_to(who), table.model());
        }
        prop_assert!(table.house.largest <= 1_200);
    }
}

#[test]
fn who_missed_more_than_the_journal_holds_is_sent_everybody_again() {
    let mut table = Table::new();
    (0..3).for_each(|who| table.act(&Op::Connect(who)));
    table.house.run(500, 10);
    assert!(table.house.guests[..3].iter().all(|guest| guest.sweeps == 1), "the one of the join");
    // The server is not polled while more changes come than it has seats.
    for n in 0..2 * PEOPLE {
        table.act(&Op::Flags(0, n % 2 == 0, n % 3 == 0));
        table.house.poll_client(0, 100);
        table.house.carry_up(0, 100);
    }
    table.act(&Op::Flags(0, true, true));
    table.house.run(500, 10);
    assert!(table.house.guests[..3].iter().all(|guest| guest.sweeps == 2));
    assert!((0..3).all(|who| table.house.shown_to(who) == table.model()));
}

#[test]
fn whom_nobody_told_of_a_parting_sees_it_in_the_next_sweep() {
    let mut table = Table::new();
    (0..3).for_each(|who| table.act(&Op::Connect(who)));
    table.house.run(500, 10);
    table.act(&Op::Leave(2));
    table.house.poll_client(2, 100);
    table.house.carry_up(2, 100);
    for n in 0..2 * PEOPLE {
        table.act(&Op::Flags(0, n % 2 == 0, false));
        table.house.poll_client(0, 100);
        table.house.carry_up(0, 100);
    }
    table.house.run(500, 10);
    assert_eq!(table.house.guests[1].sweeps, 2);
    assert_eq!(table.house.shown_to(1).len(), 2);
    assert_eq!(table.house.shown_to(1), table.model());
}

/// A thousand join within one second, use a room, and half of them leave within another.
#[test]
fn a_storm_of_joins_and_of_partings_leaves_everybody_with_the_same_roster() {
    let people = 1_000;
    let mut house = House::of(people);
    for step in 0..100 {
        let now = house.now();
        for guest in &mut house.guests[step * 10..][..10] {
            guest.client.use_room(now, &(step % 4).to_string(), RoomUse::Both).unwrap();
            guest.client.connect(now);
        }
        house.run(10, 10);
    }
    house.run(3_000, 50);
    agree(&house, 0..people);
    for step in 0..10 {
        let now = house.now();
        house.guests[step * 50..][..50].iter_mut().for_each(|guest| guest.client.disconnect(now));
        house.run(100, 50);
    }
    house.run(3_000, 50);
    agree(&house, people / 2..people);
    assert!(house.largest <= 1_200, "{} B", house.largest);
}

/// Each change is told to everybody: what that costs must not grow with both, people and changes.
#[test]
fn however_often_people_change_in_a_large_session_the_packets_about_it_are_bounded() {
    let mut house = House::of(1_000);
    for step in 0..10 {
        let now = house.now();
        house.guests[step * 100..][..100].iter_mut().for_each(|guest| guest.client.connect(now));
        house.run(200, 10);
    }
    house.run(1_000, 50);
    let before = house.on_lanes;
    for step in 0..200 {
        let now = house.now();
        house.guests[step].client.set_muted(now, true);
        house.run(10, 10);
    }
    let sent = house.on_lanes - before;
    assert!((10_000..=21_000).contains(&sent), "{sent} packets in two seconds");
    house.run(1_000, 50);
    let muted = |guest: &Guest| guest.client.roster().filter(|person| person.flags().muted).count();
    assert!(house.guests.iter().all(|guest| muted(guest) == 200));
}

fn agree(house: &House, present: std::ops::Range<usize>) {
    let expected: Vec<_> = house.server.clients().map(|client| (client.id(), client.name().to_owned())).collect();
    assert_eq!(expected.len(), present.len());
    let expected: BTreeMap<_, _> = expected.into_iter().collect();
    for guest in &house.guests[present] {
        assert_eq!(guest.client.state(), State::Connected);
        let people = guest.client.roster();
        let shown: BTreeMap<_, _> = people.map(|person| (person.id(), person.name().to_owned())).collect();
        assert!(shown == expected, "{} of {}", shown.len(), expected.len());
        assert!(guest.client.roster().all(|person| person.rooms().len() == 1 && !person.flags().reconnecting));
    }
}
