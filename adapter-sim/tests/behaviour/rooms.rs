use voice_core::{ClientEvent, RoomUse, ServerEvent};

use crate::party::Party;

fn room_names(party: &mut Party) -> Vec<String> {
    party.server(|_, server| server.rooms().map(|room| room.name().to_owned()).collect())
}

#[test]
fn a_room_is_there_from_its_first_use_to_its_last() {
    let mut party = Party::new(2);
    let forge = party.command(0, |now, client| client.use_room(now, "Forge", RoomUse::Listen)).unwrap();
    party.run(200);
    assert_eq!(room_names(&mut party), ["Lobby", "Forge"]);
    party.command(0, |now, client| client.leave_room(now, forge)).unwrap();
    party.run(200);
    assert_eq!(room_names(&mut party), ["Lobby"]);
    assert!(party.record.server_events.iter().any(|event| matches!(event, ServerEvent::RoomRemoved { .. })));
}

#[test]
fn everybody_sees_who_enters_and_leaves_a_room() {
    let mut party = Party::new(2);
    let id = party.id(1);
    let forge = party.command(1, |now, client| client.use_room(now, "Forge", RoomUse::Both)).unwrap();
    party.run(300);
    let room = party.world.client(1).room_id(forge).unwrap();
    assert!(party.events(0).contains(&ClientEvent::EnteredRoom { id, room }));
    party.command(1, |now, client| client.leave_room(now, forge)).unwrap();
    party.run(300);
    assert!(party.events(0).contains(&ClientEvent::LeftRoom { id, room }));
}

#[test]
fn only_those_in_the_room_hear_what_is_said_there() {
    let mut party = Party::new(3);
    let lobby = party.lobby[2];
    party.command(2, |now, client| client.leave_room(now, lobby)).unwrap();
    party.run(200);
    party.speak(&[0]);
    assert!(party.hears(1, 0) && !party.hears(2, 0));
}

#[test]
fn who_only_listens_hears_and_can_not_speak() {
    let mut party = Party::new(2);
    party.command(1, |now, client| client.use_room(now, "Lobby", RoomUse::Listen)).unwrap();
    party.run(200);
    party.speak(&[0, 1]);
    assert!(party.hears(1, 0) && !party.hears(0, 1));
}

#[test]
fn who_only_speaks_is_heard_and_hears_nothing() {
    let mut party = Party::new(2);
    party.command(1, |now, client| client.use_room(now, "Lobby", RoomUse::Speak)).unwrap();
    party.run(200);
    party.speak(&[0, 1]);
    assert!(!party.hears(1, 0) && party.hears(0, 1));
}

#[test]
fn who_is_taken_out_of_a_room_is_told_and_hears_nothing_more_of_it() {
    let mut party = Party::new(2);
    let (id, handle) = (party.id(1), party.lobby[1]);
    let room = party.world.client(1).room_id(handle).unwrap();
    party.server(|now, server| server.remove_from_room(now, id, room)).unwrap();
    party.run(200);
    assert!(
        party.events(1).iter().any(|event| matches!(event, ClientEvent::RoomClosed { room, .. } if *room == handle))
    );
    party.speak(&[0, 1]);
    assert!(!party.hears(1, 0) && !party.hears(0, 1));
}

#[test]
fn a_room_too_many_is_refused_and_the_others_stay() {
    let mut party = Party::new(1);
    for n in 0..12 {
        let _ = party.command(0, |now, client| client.use_room(now, &format!("room-{n}"), RoomUse::Both));
    }
    party.run(500);
    let closed = party.events(0).iter().filter(|event| matches!(event, ClientEvent::RoomClosed { .. })).count();
    assert_eq!((room_names(&mut party).len(), closed), (8, 5));
}
