//! All checkers at once, told of everything that happens at the table.

use std::collections::BTreeMap;

use adapter_sim::{
    check::{
        AudienceChecker, LaneChecker, LimitChecker, OrderChecker, PersonSeen, RecoveryChecker, RosterChecker,
        Violations,
    },
    scenario::Action,
    stamp::{Audience, Stamp},
    truth::Truth,
    world::{HeapClient, HeapServer, PersonId},
};
use voice_core::{ClientId, State, wire::PersonFlags};

use crate::node::{Heard, TextRead};

/// Percent of the frames that have to be heard once all is well.
const SHARE: u32 = 50;
/// The room in which all hear each other.
const ROOM: u16 = 0;

/// All checkers.
pub(crate) struct Judge {
    pub(crate) truth: Truth,
    pub(crate) violations: Violations,
    pub(crate) order: OrderChecker,
    pub(crate) recovery: RecoveryChecker,
    pub(crate) heard: u32,
    pub(crate) texts: u32,
    lanes: LaneChecker,
    since: Option<u64>,
    spoken: BTreeMap<PersonId, u32>,
}

impl Judge {
    pub(crate) fn new() -> Self {
        Self {
            truth: Truth::default(),
            violations: Violations::default(),
            order: OrderChecker::default(),
            recovery: RecoveryChecker::default(),
            heard: 0,
            texts: 0,
            lanes: LaneChecker::default(),
            since: None,
            spoken: BTreeMap::new(),
        }
    }

    /// All is well from now on.
    pub(crate) fn start_recovery(&mut self, now: u64) {
        self.recovery.start(now);
        self.since = Some(now);
    }

    pub(crate) fn wishes(&mut self, now: u64, action: &Action) {
        let truth = &mut self.truth;
        match *action {
            Action::UseRoom { person, room, room_use } => truth.set_listens(now, person, room, room_use.listens()),
            Action::LeaveRoom { person, room } => truth.set_listens(now, person, room, false),
            Action::Mute { person, on } => truth.set_silenced(now, person, on),
            Action::Deafen { person, on } => truth.set_deaf(now, person, on),
            Action::Block { person, other, on } => truth.set_blocks(now, person, other, on),
            Action::ServerMute { person, on } => truth.set_server_silenced(now, person, on),
            _ => {}
        }
    }

    pub(crate) fn spoke(&mut self, person: PersonId) {
        if self.since.is_some() {
            *self.spoken.entry(person).or_default() += 1;
        }
    }

    pub(crate) fn heard(&mut self, now: u64, speaker: ClientId, heard: &Heard) {
        let stamp = Stamp::from_payload(&heard.payload).expect("a frame that somebody spoke");
        self.heard += 1;
        AudienceChecker.heard(now, heard.listener, &stamp, &heard.via, &self.truth, &mut self.violations);
        self.order.heard(now, heard.listener, speaker.get(), &stamp, &mut self.violations);
        self.recovery.heard(heard.listener, &stamp);
    }

    pub(crate) fn read(&mut self, now: u64, read: &TextRead) {
        self.texts += 1;
        self.order.read_text(now, read.reader, read.from, &read.text, &mut self.violations);
    }

    pub(crate) fn sent_up(&mut self, now: u64, from: PersonId, bytes: &[u8]) {
        LimitChecker.sent(now, &format!("person {from}"), bytes, &mut self.violations);
        self.lanes.sent(now, lane_up(from), bytes, &mut self.violations);
        self.lanes.came_back(lane_down(from), bytes);
    }

    pub(crate) fn came_down(&mut self, now: u64, to: PersonId, bytes: &[u8], named: &[Audience]) {
        LimitChecker.sent(now, "the server", bytes, &mut self.violations);
        self.lanes.sent(now, lane_down(to), bytes, &mut self.violations);
        self.lanes.came_back(lane_up(to), bytes);
        AudienceChecker.arrived(now, to, bytes, &mut self.violations);
        if let Some(stamp) = Stamp::find(bytes) {
            AudienceChecker.reached(now, to, &stamp, &self.truth, &mut self.violations);
            AudienceChecker.named(now, to, &stamp, named, &self.truth, &mut self.violations);
        }
    }

    pub(crate) fn level(&mut self, now: u64, held: usize) {
        LimitChecker.level(now, "the node's queue", held as u64, 16, &mut self.violations);
    }

    /// What can be said at the end alone.
    pub(crate) fn finish(&mut self, now: u64, clients: &[&HeapClient], server: &HeapServer) {
        if let Some(since) = self.since {
            self.judge_recovery(now, since, clients);
        }
        let truth = rosters_truth(server);
        for (person, client) in (0..).zip(clients) {
            if client.state() == State::Connected {
                RosterChecker.agree(now, person, &roster(client), &truth, &mut self.violations);
            }
        }
    }

    fn judge_recovery(&mut self, now: u64, since: u64, clients: &[&HeapClient]) {
        for (person, client) in (0..).zip(clients) {
            let state = client.state();
            let connected = state == State::Connected;
            self.recovery.connected(now, person, &format!("{state:?}"), connected, &mut self.violations);
        }
        let all = 0..clients.len() as PersonId;
        let pairs = all.clone().flat_map(|listener| all.clone().map(move |speaker| (listener, speaker)));
        let expected = pairs.filter(|(listener, speaker)| listener != speaker).filter_map(|pair| {
            let listens = self.truth.listened_throughout(pair.0, ROOM, since, now);
            listens.then(|| (pair, self.spoken.get(&pair.1).copied().unwrap_or(0)))
        });
        self.recovery.finish(now, expected, SHARE, &mut self.violations);
    }
}

fn lane_up(person: PersonId) -> u32 {
    u32::from(person)
}

fn lane_down(person: PersonId) -> u32 {
    1 << 16 | u32::from(person)
}

fn rosters_truth(server: &HeapServer) -> BTreeMap<u16, PersonSeen> {
    let clients = server.clients().map(|client| {
        let rooms = client.rooms().filter(|(_, used)| used.listens()).map(|(room, _)| room.get()).collect();
        (client.id().get(), seen(client.name(), rooms, client.flags()))
    });
    clients.collect()
}

fn roster(client: &HeapClient) -> BTreeMap<u16, PersonSeen> {
    let people = client.roster().map(|person| {
        let rooms = person.rooms().iter().map(|room| room.get()).collect();
        (person.id().get(), seen(person.name(), rooms, person.flags()))
    });
    people.collect()
}

fn seen(name: &str, rooms: Vec<u16>, flags: PersonFlags) -> PersonSeen {
    PersonSeen {
        name: name.into(),
        rooms,
        flags: [flags.muted, flags.deafened, flags.server_muted, flags.reconnecting],
    }
}
