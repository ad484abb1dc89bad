use std::collections::BTreeSet;

use voice_core::{
    ChannelError, ChannelOptions, ClientEvent, DropReason, RoomError, RoomHandle, RoomUse, ServerEvent, TalkTo,
    wire::RoomCloseReason,
};

use crate::harness::Stage;

fn names(stage: &Stage) -> BTreeSet<String> {
    stage.server.rooms().map(|room| room.name().to_owned()).collect()
}

fn closed(stage: &Stage, who: usize) -> Vec<(RoomHandle, RoomCloseReason)> {
    let events = stage.people[who].events.iter();
    events
        .filter_map(|event| match event {
            ClientEvent::RoomClosed { room, reason } => Some((*room, *reason)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_room_is_made_by_its_first_user_and_goes_with_its_last() {
    let mut stage = Stage::new(2);
    let den = |stage: &mut Stage, who, room_use| {
        let room = stage.act(who, |now, client| client.use_room(now, "Den", room_use)).unwrap();
        stage.run(100);
        room
    };
    let first = den(&mut stage, 0, RoomUse::Speak);
    let id = stage.people[0].client.room_id(first).unwrap();
    assert!(stage.server_events.contains(&ServerEvent::RoomCreated { room: id }));
    let second = den(&mut stage, 1, RoomUse::Listen);
    assert_eq!(stage.people[1].client.room_id(second), Some(id), "one room for one name");
    let room = stage.server.room(id).unwrap();
    assert_eq!((room.users(), room.listeners()), (2, 1));
    stage.act(0, |now, client| client.leave_room(now, first)).unwrap();
    stage.run(100);
    assert!(names(&stage).contains("Den"), "one still uses it");
    stage.act(1, |now, client| client.leave_room(now, second)).unwrap();
    stage.run(100);
    assert!(!names(&stage).contains("Den"));
    assert!(stage.server_events.contains(&ServerEvent::RoomRemoved { room: id }));
}

#[test]
fn rooms_of_somebody_who_vanished_go_with_its_seat() {
    let mut stage = Stage::new(2);
    stage.act(1, |now, client| client.use_room(now, "Den", RoomUse::Both)).unwrap();
    stage.run(100);
    stage.people[1].cut = true;
    stage.lose_transport(1);
    stage.run(29_000);
    assert!(names(&stage).contains("Den"), "it may come back");
    stage.run(2_000);
    assert_eq!(names(&stage), ["Lobby".to_owned()].into());
}

#[test]
fn names_are_of_1_to_64_bytes_and_differ_by_every_letter() {
    let mut stage = Stage::new(1);
    let longest = "ü".repeat(32);
    let mut room = |name: &str| stage.act(0, |now, client| client.use_room(now, name, RoomUse::Both));
    assert_eq!(room(""), Err(RoomError::BadName));
    assert_eq!(room(&"n".repeat(65)), Err(RoomError::BadName));
    assert_ne!(room("den").unwrap(), room("Den").unwrap());
    room(&longest).unwrap();
    stage.run(100);
    assert_eq!(names(&stage), ["Lobby", "den", "Den", &longest].map(String::from).into());
}

#[test]
fn a_use_can_be_changed_while_the_room_is_used() {
    let mut stage = Stage::new(2);
    let (lobby, channel) = (stage.people[0].lobby, stage.people[0].channel);
    let id = stage.people[0].client.room_id(lobby);
    let change = |stage: &mut Stage, room_use| {
        assert_eq!(stage.act(0, |now, client| client.use_room(now, "Lobby", room_use)), Ok(lobby));
        stage.run(100);
    };
    change(&mut stage, RoomUse::Speak);
    stage.speak(&[0, 1]);
    assert!(stage.hears(1, 0) && !stage.hears(0, 1));
    change(&mut stage, RoomUse::Listen);
    stage.speak(&[0, 1]);
    assert!(!stage.hears(1, 0) && stage.hears(0, 1));
    stage.act(0, |now, client| client.close_channel(now, channel)).unwrap();
    let open = stage.act(0, |now, client| client.open_channel(now, TalkTo::Room(lobby), ChannelOptions::DEFAULT));
    assert_eq!(open, Err(ChannelError::NotSpeaking));
    assert_eq!(stage.people[0].client.room_id(lobby), id, "it was never left");
}

#[test]
fn voice_for_a_room_that_one_does_not_use_to_speak_ends_at_the_server() {
    let mut stage = Stage::new(3);
    let lobby = stage.people[0].lobby;
    // The server takes somebody out, and what it says is still under way.
    let (id, room) = (stage.id(0), stage.people[0].client.room_id(lobby).unwrap());
    stage.people[0].says = true;
    stage.run(100);
    let now = stage.now();
    stage.server.remove_from_room(now, id, room).unwrap();
    let passed = stage.server.counters().voice_out;
    stage.act(0, |now, client| client.send_frame(now, &[0; 40])).unwrap();
    stage.run(1_000);
    assert!((1..=2).contains(&stage.server.drops().get(DropReason::NotPermitted)));
    assert_eq!(stage.server.counters().voice_out, passed);
    assert_eq!(closed(&stage, 0), [(lobby, RoomCloseReason::Removed)]);
}

#[test]
fn a_server_without_a_free_room_says_so_and_the_rest_goes_on() {
    let mut stage = Stage::new(2);
    let rooms: Vec<_> = (0..6)
        .map(|n| stage.act(0, |now, client| client.use_room(now, &format!("room {n}"), RoomUse::Both)).unwrap())
        .collect();
    stage.run(200);
    assert_eq!(closed(&stage, 0), [(rooms[5], RoomCloseReason::NoRoomFree)]);
    assert!(rooms[..5].iter().all(|room| stage.people[0].client.room_id(*room).is_some()));
    stage.speak(&[1]);
    assert!(stage.hears(0, 1));
}

#[test]
fn every_room_that_is_not_to_be_had_is_told_of() {
    let mut stage = Stage::new(1);
    let rooms: Vec<_> = (0..20)
        .map(|n| stage.act(0, |now, client| client.use_room(now, &format!("room {n}"), RoomUse::Both)).unwrap())
        .collect();
    stage.run(20_000);
    assert_eq!(stage.server.rooms().count(), 6);
    let granted = rooms.iter().filter(|room| stage.people[0].client.room_id(**room).is_some()).count();
    assert_eq!((granted, closed(&stage, 0).len()), (5, 15));
}
