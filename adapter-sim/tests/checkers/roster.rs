use adapter_sim::world::PersonId;
use voice_core::{
    ClientId, RoomId,
    wire::{self, PersonFlags, Present, RosterWriter},
};

use crate::{
    assert_caught,
    node::{Node, Packet},
};

/// Person 1 gets all flags that a person with a connection can have, and person 0 leaves.
const COMPANY: &str = "
    500 text-room 0 0
    600 mute 1 on
    700 deafen 1 on
    800 server-mute 1 on
    1500 leave 0
    3000
";

/// What becomes of person 1 in the rosters on their way to person 2.
enum Rewrite {
    /// It isn't mentioned.
    LeftOut,
    /// It isn't said that anybody left.
    NeverGone,
    /// Somebody else is mentioned beside it.
    Beside(u16),
    Named(&'static str),
    InNoRoom,
    InRoom(u16),
    Flagged(fn(&mut PersonFlags)),
}

impl Rewrite {
    fn push(&self, record: &wire::Record<'_>, page: &mut RosterWriter<'_>) {
        let Some(mut present) = record.present else {
            if !matches!(self, Self::NeverGone) {
                page.push_gone(record.client);
            }
            return;
        };
        let mut rooms: Vec<RoomId> = present.rooms.iter().collect();
        if present.name == "person-1" {
            match *self {
                Self::LeftOut => return,
                Self::NeverGone => {}
                Self::Beside(id) => write(page, ClientId::new(id).expect("an id"), &present, &rooms),
                Self::Named(name) => present.name = name,
                Self::InNoRoom => rooms.clear(),
                Self::InRoom(room) => {
                    rooms.push(RoomId::new(room).expect("an id"));
                    rooms.sort();
                }
                Self::Flagged(turn) => turn(&mut present.flags),
            }
        }
        write(page, record.client, &present, &rooms);
    }
}

fn write(page: &mut RosterWriter<'_>, id: ClientId, present: &Present<'_>, rooms: &[RoomId]) {
    let Present { flags, codec, priority, name, .. } = *present;
    assert!(page.push_present(id, flags, &codec, priority, name, rooms.iter().copied()), "a full page");
}

impl Node for Rewrite {
    fn down(&mut self, _: u64, to: PersonId, packet: Packet) -> Vec<(PersonId, Packet)> {
        let (Ok(wire::Packet::Roster(roster)), 2) = (wire::Packet::decode(&packet.bytes), to) else {
            return vec![(to, packet)];
        };
        let mut buffer = [0; 1_200];
        let mut page = RosterWriter::new(&mut buffer);
        roster.records().for_each(|record| self.push(&record, &mut page));
        let len = page.finish(roster.lane, roster.first, roster.last).expect("room for a header");
        vec![(to, Packet { bytes: buffer[..len].to_vec(), ..packet })]
    }
}

#[track_caller]
fn assert_roster_caught(mut how: Rewrite, words: &str) {
    assert_caught(COMPANY, &mut how, "roster", words);
}

#[test]
fn a_person_that_is_missing_is_caught() {
    assert_roster_caught(Rewrite::LeftOut, "person 2 doesn't know of client");
}

#[test]
fn a_person_that_never_came_is_caught() {
    assert_roster_caught(Rewrite::Beside(99), "person 2 still sees client 99, who is gone");
}

#[test]
fn a_person_that_left_and_still_shows_is_caught() {
    assert_roster_caught(Rewrite::NeverGone, "who is gone");
}

#[test]
fn a_wrong_name_is_caught() {
    assert_roster_caught(Rewrite::Named("person-9"), " as PersonSeen { name: \"person-9\"");
}

#[test]
fn a_room_too_few_is_caught() {
    assert_roster_caught(Rewrite::InNoRoom, "rooms: [], ");
}

#[test]
fn a_room_too_many_is_caught() {
    assert_roster_caught(Rewrite::InRoom(99), ", 99], ");
}

#[test]
fn every_wrong_flag_is_caught() {
    let turned = |turn| assert_roster_caught(Rewrite::Flagged(turn), "person 2 sees client");
    turned(|flags| flags.muted = false);
    turned(|flags| flags.deafened = false);
    turned(|flags| flags.server_muted = false);
    turned(|flags| flags.reconnecting = true);
}
