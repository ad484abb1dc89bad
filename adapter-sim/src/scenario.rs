//! Whole runs with names: who is there, what they do, what breaks, and what the checkers say of it.

use std::collections::BTreeMap;

use voice_core::{ChannelOptions, ClientId, Frame, RoomUse, Sound, State, TalkTo};

use crate::{
    check::{
        AudienceChecker, LimitChecker, OrderChecker, PersonSeen, RecoveryChecker, RosterChecker, Violation, Violations,
    },
    net::{Break, NatKind, Preset, Rng, Side},
    stamp::{Audience, Stamp},
    truth::Truth,
    world::{HeapClient, People, PersonConfig, PersonId, World},
};

const SECOND: u64 = 1_000_000;
const PAYLOAD_BYTES: usize = 60;

/// A scenario by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// What happens in it.
    pub about: &'static str,
    clients: u16,
    people_per_room: u16,
    speakers_per_room: u16,
    faults: bool,
    direct: bool,
}

/// What a run gave.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Virtual time that passed, µs.
    pub virtual_us: u64,
    /// Fingerprint of everything that reached a machine.
    pub trace_hash: u64,
    /// Frames that came out at somebody's ear.
    pub deliveries: u64,
    /// Drop reasons over all cores, those that are not zero.
    pub drops: BTreeMap<&'static str, u64>,
    /// How often each fault struck.
    pub faults: Vec<(&'static str, u64)>,
    /// Rules that were broken.
    pub violations: Vec<Violation>,
}

impl Scenario {
    /// All scenarios.
    pub const ALL: &'static [Self] = &[
        Self {
            name: "conversation",
            about: "six people in one room talk by turns, each on a link of its own",
            clients: 6,
            people_per_room: 6,
            speakers_per_room: 3,
            faults: false,
            direct: false,
        },
        Self {
            name: "crowd",
            about: "people in rooms of 50 with two speakers each, on quiet home links",
            clients: 1_000,
            people_per_room: 50,
            speakers_per_room: 2,
            faults: false,
            direct: false,
        },
        Self {
            name: "swarm",
            about: "drawn from the seed: links, NATs, faults, crashes, a server restart; then all has to heal",
            clients: 8,
            people_per_room: 4,
            speakers_per_room: 2,
            faults: true,
            direct: true,
        },
    ];

    /// The scenario of a name.
    pub fn from_name(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|scenario| scenario.name == name)
    }

    /// Runs it for `seconds` of virtual time. With faults, as long again as the bound of recovery is added for healing.
    pub fn run(&self, seed: u64, seconds: u64, clients: Option<u16>) -> Outcome {
        let clients = clients.unwrap_or(self.clients);
        let mut run = Run::new(self, seed, clients);
        run.play(seconds * SECOND);
        run.finish()
    }
}

struct Run<'a> {
    scenario: &'a Scenario,
    rng: Rng,
    world: World,
    crowd: Crowd,
}

/// What people do, and what is noted of it.
struct Crowd {
    speaking: Vec<bool>,
    rooms: Vec<u16>,
    serials: Vec<u32>,
    spoken_since: Vec<u32>,
    counting: bool,
    truth: Truth,
    audience: AudienceChecker,
    order: OrderChecker,
    limits: LimitChecker,
    recovery: RecoveryChecker,
    violations: Violations,
    deliveries: u64,
}

impl<'a> Run<'a> {
    fn new(scenario: &'a Scenario, seed: u64, clients: u16) -> Self {
        let mut rng = Rng::new(seed);
        let rooms = usize::from(clients / scenario.people_per_room + 1);
        let mut world = World::new(rng.next_u64(), usize::from(clients).next_multiple_of(64), rooms + 4);
        world.start_server();
        let count = usize::from(clients);
        let mut crowd = Crowd::new(count);
        for person in 0..clients {
            let preset = if scenario.faults || scenario.name == "conversation" {
                *rng.pick(&Preset::ALL)
            } else {
                Preset::HOME_WIFI
            };
            let nat = *rng.pick(&NatKind::ALL);
            let room = person / scenario.people_per_room;
            let mut config = PersonConfig::new(&format!("person-{person}"), &preset);
            (config.nat, config.direct, config.speakers) = (nat, scenario.direct, 4);
            config.drift_ppm = if scenario.faults { rng.below(200) as i32 - 100 } else { 0 };
            let id = world.add_person(config);
            world.command(id, |now, client| declare(client, now, room));
            crowd.rooms[usize::from(id)] = room;
            crowd.truth.set_listens(0, id, room, true);
            world.connect(id);
        }
        Self { scenario, rng, world, crowd }
    }

    fn play(&mut self, span: u64) {
        let start = self.world.now();
        let mut at = start;
        let mut damaged = Vec::new();
        while at < start + span {
            at = (at + SECOND).min(start + span);
            self.choose_speakers();
            if self.scenario.faults {
                self.break_something(&mut damaged);
            }
            self.world.run_until(at, &mut self.crowd);
        }
        if self.scenario.faults {
            self.heal(&damaged);
        }
    }

    fn choose_speakers(&mut self) {
        let size = u64::from(self.scenario.people_per_room);
        let turn = self.rng.below(size);
        for person in 0..self.crowd.speaking.len() {
            let place = (person as u64 + turn) % size;
            self.crowd.speaking[person] = place < u64::from(self.scenario.speakers_per_room);
        }
    }

    fn break_something(&mut self, damaged: &mut Vec<PersonId>) {
        let people = self.crowd.speaking.len() as u64;
        let who = self.rng.below(people) as PersonId;
        let endpoint = self.world.endpoint(who);
        let server = self.world.server_endpoint();
        damaged.push(who);
        match self.rng.below(12) {
            0 => self.world.net().set_dark(endpoint, true),
            1 => self.world.net().set_dark(endpoint, false),
            2 => self.world.net().set_blocked(endpoint, server, true),
            3 => self.world.net().set_blocked(server, endpoint, true),
            4 => self.world.net().set_clogged(endpoint, true, true),
            5 => self.world.net().set_clogged(endpoint, true, false),
            6 => self.world.net().change_address(endpoint),
            7 => self.break_lane(who),
            8 => self.world.replace_server(),
            9 => self.world.net().set_preset(endpoint, &Preset::LOSSY),
            _ => {}
        }
    }

    fn break_lane(&mut self, who: PersonId) {
        if let Some(conn) = self.world.connection(who) {
            let how = if self.rng.chance(500_000) { Break::Skip } else { Break::Repeat };
            let side = if self.rng.chance(500_000) { Side::Client } else { Side::Server };
            self.world.net().break_lane(conn, side, how);
        }
    }

    /// Takes all faults away, waits as long as recovery may take, and then listens whether all is well.
    fn heal(&mut self, damaged: &[PersonId]) {
        let server = self.world.server_endpoint();
        for person in damaged {
            let endpoint = self.world.endpoint(*person);
            let net = self.world.net();
            net.set_dark(endpoint, false);
            net.set_blocked(endpoint, server, false);
            net.set_blocked(server, endpoint, false);
            net.set_clogged(endpoint, true, false);
            net.set_preset(endpoint, &Preset::HOME_WIFI);
        }
        self.crowd.speaking.fill(false);
        let until = self.world.now() + RecoveryChecker::BOUND;
        self.world.run_until(until, &mut self.crowd);
        self.crowd.recovery.start(until);
        self.crowd.counting = true;
        self.crowd.speaking.fill(true);
        self.world.run_until(until + 5 * SECOND, &mut self.crowd);
        self.crowd.speaking.fill(false);
        self.world.run_until(until + 7 * SECOND, &mut self.crowd);
        self.judge_recovery();
        self.judge_rosters();
    }

    fn judge_recovery(&mut self) {
        let (now, crowd) = (self.world.now(), &mut self.crowd);
        let people = crowd.rooms.len();
        let mut expected = Vec::new();
        for listener in 0..people {
            let state = self.world.client(listener as PersonId).state();
            let connected = state == State::Connected;
            crowd.recovery.connected(
                now,
                listener as PersonId,
                &format!("{state:?}"),
                connected,
                &mut crowd.violations,
            );
            for speaker in (0..people).filter(|speaker| *speaker != listener) {
                if crowd.rooms[speaker] == crowd.rooms[listener] {
                    let pair = (listener as PersonId, speaker as PersonId);
                    expected.push((pair, crowd.spoken_since[speaker]));
                }
            }
        }
        crowd.recovery.finish(now, expected, 50, &mut crowd.violations);
    }

    fn judge_rosters(&mut self) {
        let now = self.world.now();
        let Some(server) = self.world.server() else { return };
        let truth: BTreeMap<u16, PersonSeen> = server
            .clients()
            .map(|client| {
                let rooms = client.rooms().filter(|(_, used)| used.listens()).map(|(room, _)| room.get()).collect();
                (client.id().get(), seen(client.name(), rooms, client.flags()))
            })
            .collect();
        for person in 0..self.world.people() {
            let roster = self.world.client(person).roster();
            let roster = roster.map(|person| {
                let rooms = person.rooms().iter().map(|room| room.get()).collect();
                (person.id().get(), seen(person.name(), rooms, person.flags()))
            });
            RosterChecker.agree(now, person, &roster.collect(), &truth, &mut self.crowd.violations);
        }
    }

    fn finish(mut self) -> Outcome {
        let mut drops = BTreeMap::new();
        let mut add = |counts: &voice_core::DropCounts| {
            for (reason, count) in counts.iter().filter(|(_, count)| *count > 0) {
                *drops.entry(reason.name()).or_default() += count;
            }
        };
        for person in 0..self.world.people() {
            add(self.world.client(person).drops());
        }
        if let Some(server) = self.world.server() {
            add(server.drops());
        }
        Outcome {
            virtual_us: self.world.now(),
            trace_hash: self.world.network().trace().hash(),
            deliveries: self.crowd.deliveries,
            drops,
            faults: self.world.network().faults().named().to_vec(),
            violations: self.crowd.violations.list().to_vec(),
        }
    }
}

fn seen(name: &str, rooms: Vec<u16>, flags: voice_core::wire::PersonFlags) -> PersonSeen {
    PersonSeen {
        name: name.into(),
        rooms,
        flags: [flags.muted, flags.deafened, flags.server_muted, flags.reconnecting],
    }
}

fn declare(client: &mut HeapClient, now: voice_core::Instant, room: u16) {
    let handle = client.use_room(now, &format!("room-{room}"), RoomUse::Both).expect("a free room");
    client.open_channel(now, TalkTo::Room(handle), ChannelOptions::DEFAULT).expect("a free channel");
}

impl Crowd {
    fn new(people: usize) -> Self {
        Self {
            speaking: vec![false; people],
            rooms: vec![0; people],
            serials: vec![0; people],
            spoken_since: vec![0; people],
            counting: false,
            truth: Truth::default(),
            audience: AudienceChecker,
            order: OrderChecker::default(),
            limits: LimitChecker,
            recovery: RecoveryChecker::default(),
            violations: Violations::default(),
            deliveries: 0,
        }
    }
}

impl People for Crowd {
    fn speak(&mut self, now: u64, person: PersonId) -> Option<Vec<u8>> {
        let at = usize::from(person);
        if !self.speaking[at] {
            return None;
        }
        self.serials[at] += 1;
        self.spoken_since[at] += u32::from(self.counting);
        let audience = [Audience::Room(self.rooms[at])].into_iter().collect();
        let stamp = Stamp { speaker: person, serial: self.serials[at], spoken_at: now, audience };
        Some(stamp.to_payload(PAYLOAD_BYTES))
    }

    fn hear(&mut self, now: u64, listener: PersonId, _speaker: ClientId, frame: &Frame<'_>) {
        let Sound::Play(payload) = frame.sound else { return };
        let Some(stamp) = Stamp::from_payload(payload) else { return };
        self.deliveries += 1;
        self.audience.heard(now, listener, &stamp, &[], &self.truth, &mut self.violations);
        self.order.heard(now, listener, &stamp, &mut self.violations);
        self.recovery.heard(listener, &stamp);
    }

    fn arrived(&mut self, now: u64, at: PersonId, _direct: bool, bytes: &[u8]) {
        self.audience.arrived(now, at, bytes, &mut self.violations);
    }

    fn sent(&mut self, now: u64, by: Option<PersonId>, _direct: bool, bytes: &[u8]) {
        if bytes.is_empty() || bytes.len() > LimitChecker::PACKET {
            let by = by.map_or("the server".to_owned(), |person| format!("person {person}"));
            self.limits.sent(now, &by, bytes, &mut self.violations);
        }
    }
}

/// Kilobits per second of voice, up and down, for the speaker, one listener and the server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bandwidth {
    /// Of the speaker.
    pub speaker: (f64, f64),
    /// Of one listener.
    pub listener: (f64, f64),
    /// Of the server.
    pub server: (f64, f64),
}

/// One speaker and three listeners for some seconds at 20 kbit/s: voice packets as the cores count them, payload and header.
pub fn bandwidth(seed: u64, seconds: u64, direct: bool) -> Bandwidth {
    struct Tone(u64);
    impl People for Tone {
        fn speak(&mut self, now: u64, person: PersonId) -> Option<Vec<u8>> {
            (person == 0 && now >= self.0).then(|| vec![0x55; 50])
        }
    }
    let mut world = World::new(seed, 64, 4);
    world.start_server();
    for person in 0..4 {
        let mut config = PersonConfig::new(&format!("person-{person}"), &Preset::LAN);
        config.direct = direct;
        let id = world.add_person(config);
        world.command(id, |now, client| declare(client, now, 0));
        world.connect(id);
    }
    let start = 5 * SECOND;
    let mut tone = Tone(start);
    world.run_until(start, &mut tone);
    let greetings = |world: &World, person: PersonId| {
        let counters = world.client(person).counters();
        (counters.direct_out.bytes, counters.direct_in.bytes)
    };
    let before: Vec<(u64, u64)> = (0..4).map(|person| greetings(&world, person)).collect();
    world.run_until(start + seconds * SECOND, &mut tone);
    let kbit = |bytes: u64| bytes as f64 * 8.0 / 1_000.0 / seconds as f64;
    let client = |person: PersonId| {
        let counters = world.client(person).counters();
        let (out, inward) = before[usize::from(person)];
        let direct = (counters.direct_out.bytes - out, counters.direct_in.bytes - inward);
        (kbit(counters.voice_out.bytes + direct.0), kbit(counters.voice_in.bytes + direct.1))
    };
    let (speaker, listener) = (client(0), client(1));
    let server = world
        .server()
        .map_or((0.0, 0.0), |server| (kbit(server.counters().voice_out.bytes), kbit(server.counters().voice_in.bytes)));
    Bandwidth { speaker, listener, server }
}
