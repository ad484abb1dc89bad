use std::collections::BTreeMap;

use adapter_sim::{
    net::Preset,
    world::{People, PersonConfig, World},
};
use proptest::{collection::vec, prelude::*};
use voice_core::{RoomHandle, RoomUse, State};

/// What a roster has to show of somebody: rooms by name, muted, deafened.
type Shown = BTreeMap<String, (Vec<String>, bool, bool)>;

#[derive(Debug, Clone)]
enum Op {
    Connect(u16),
    Leave(u16),
    Use(u16, u16, RoomUse),
    LeaveRoom(u16, u16),
    Mute(u16, bool),
    Deafen(u16, bool),
    Drop(u16),
    Wait(u64),
}

fn op(people: u16) -> impl Strategy<Value = Op> {
    let uses = prop::sample::select(vec![RoomUse::Listen, RoomUse::Speak, RoomUse::Both]);
    let person = move || 0..people;
    prop_oneof![
        4 => person().prop_map(Op::Connect),
        1 => person().prop_map(Op::Leave),
        4 => (person(), 0..3_u16, uses).prop_map(|(who, room, room_use)| Op::Use(who, room, room_use)),
        2 => (person(), 0..3_u16).prop_map(|(who, room)| Op::LeaveRoom(who, room)),
        2 => (person(), any::<bool>()).prop_map(|(who, on)| Op::Mute(who, on)),
        2 => (person(), any::<bool>()).prop_map(|(who, on)| Op::Deafen(who, on)),
        1 => person().prop_map(Op::Drop),
        3 => prop_oneof![0..30_u64, 0..400_u64].prop_map(Op::Wait),
    ]
}

struct Nobody;

impl People for Nobody {}

struct Table {
    world: World,
    rooms: BTreeMap<(u16, u16), (RoomHandle, RoomUse)>,
    flags: Vec<(bool, bool)>,
    wanted: Vec<bool>,
}

impl Table {
    /// As many seats as people, so that the journal is as short: who misses a little has to be sent everything.
    fn new(people: u16) -> Self {
        let mut world = World::new(5, people.into(), 4);
        world.start_server();
        for n in 0..people {
            world.add_person(PersonConfig::new(&n.to_string(), &Preset::LAN));
        }
        let count = usize::from(people);
        Self { world, rooms: BTreeMap::new(), flags: vec![(false, false); count], wanted: vec![false; count] }
    }

    fn act(&mut self, op: &Op) {
        match *op {
            Op::Connect(who) => {
                self.wanted[usize::from(who)] = true;
                self.world.connect(who);
            }
            Op::Leave(who) => {
                self.wanted[usize::from(who)] = false;
                self.world.leave(who);
            }
            Op::Use(who, room, room_use) => {
                let used = self.world.command(who, |now, client| client.use_room(now, &room.to_string(), room_use));
                self.rooms.insert((who, room), (used.unwrap(), room_use));
            }
            Op::LeaveRoom(who, room) => {
                if let Some((handle, _)) = self.rooms.remove(&(who, room)) {
                    self.world.command(who, |now, client| client.leave_room(now, handle)).unwrap();
                }
            }
            Op::Mute(who, on) => {
                self.flags[usize::from(who)].0 = on;
                self.world.command(who, |now, client| client.set_muted(now, on));
            }
            Op::Deafen(who, on) => {
                self.flags[usize::from(who)].1 = on;
                self.world.command(who, |now, client| client.set_deafened(now, on));
            }
            Op::Drop(who) => {
                if let Some(connection) = self.world.connection(who) {
                    self.world.net().close(connection, adapter_sim::net::Side::Server);
                }
            }
            Op::Wait(ms) => self.wait(ms),
        }
    }

    fn wait(&mut self, ms: u64) {
        let until = self.world.now() + ms * 1_000;
        self.world.run_until(until, &mut Nobody);
    }

    fn model(&self) -> Shown {
        let present = (0..self.world.people()).filter(|who| self.wanted[usize::from(*who)]);
        present
            .map(|who| {
                let rooms = self.rooms.iter().filter(|((n, _), (_, used))| *n == who && used.listens());
                let rooms = rooms.map(|((_, room), _)| room.to_string()).collect();
                let (muted, deafened) = self.flags[usize::from(who)];
                (who.to_string(), (rooms, muted, deafened))
            })
            .collect()
    }

    fn shown_to(&mut self, who: u16) -> Shown {
        let server = self.world.server().unwrap();
        let names: BTreeMap<_, _> = server.rooms().map(|room| (room.id(), room.name().to_owned())).collect();
        let people = self.world.client(who).roster();
        people
            .map(|person| {
                let mut rooms: Vec<String> = person.rooms().iter().map(|room| names[room].clone()).collect();
                rooms.sort();
                assert!(!person.flags().reconnecting);
                (person.name().to_owned(), (rooms, person.flags().muted, person.flags().deafened))
            })
            .collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn whatever_happens_all_rosters_end_as_a_map_would(ops in vec(op(6), 1..120)) {
        let mut table = Table::new(6);
        ops.iter().for_each(|op| table.act(op));
        // What the server takes to give a lost connection and its seat up, and the longest back-off of somebody who found it full.
        table.wait(60_000);
        let model = table.model();
        for who in 0..6 {
            if table.wanted[usize::from(who)] {
                prop_assert_eq!(table.world.client(who).state(), State::Connected);
                prop_assert_eq!(table.shown_to(who), model.clone());
            }
        }
    }
}
