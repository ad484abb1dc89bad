use std::time::Duration;

use voice_core::{
    ClientEvent, Delivery, LeaveReason, RoomUse, Secret, ServerConfig, ServerEvent, State, StateReason, Volume,
    wire::{CloseReason, Hello, Kind, Packet, Resume, RoomCloseReason},
};

use crate::harness::{End, Sent, Stage, encoded, hello};

/// Takes somebody off the network for so long; it notices at once.
fn away(stage: &mut Stage, who: usize, ms: u64) {
    stage.people[who].cut = true;
    stage.lose_transport(who);
    stage.run(ms);
    stage.people[who].cut = false;
    // The longest back-off, and a transport that never came up.
    stage.run(23_000);
    assert_eq!(stage.people[who].client.state(), State::Connected);
}

fn from(who: usize, kind: Kind) -> impl Fn(&Sent) -> bool {
    move |sent| sent.from == End::Person(who) && sent.kind() == kind
}

#[test]
fn who_comes_back_within_the_grace_period_has_its_id_rooms_and_mutes() {
    let mut stage = Stage::new(3);
    let (id, other) = (stage.id(1), stage.id(0));
    stage.act(1, |now, client| {
        client.use_room(now, "Listening", RoomUse::Listen).unwrap();
        client.set_client_muted(now, other, true).unwrap();
        client.set_client_volume(other, Volume::new(30).unwrap()).unwrap();
        client.set_deafened(now, true);
    });
    let now = stage.now();
    stage.server.set_server_mute(now, id, true).unwrap();
    stage.run(200);
    let rooms: Vec<_> = stage.server.client(id).unwrap().rooms().collect();
    assert_eq!(rooms.len(), 2);
    away(&mut stage, 1, 2_000);
    assert_eq!(stage.people[1].client.state_reason(), StateReason::Resumed);
    let seat = stage.server.client(id).unwrap();
    assert_eq!(seat.rooms().collect::<Vec<_>>(), rooms);
    assert!(seat.flags().server_muted && seat.flags().deafened && !seat.flags().reconnecting);
    let client = &stage.people[1].client;
    assert!(client.id() == Some(id) && client.is_server_muted());
    let person = client.person(other).unwrap();
    assert!(person.is_muted_here() && person.volume().percent() == 30);
    stage.act(1, |now, client| client.set_deafened(now, false));
    stage.run(100);
    stage.speak(&[0, 2]);
    assert!(!stage.hears(1, 0) && stage.hears(1, 2));
}

#[test]
fn who_is_told_that_the_network_is_back_does_not_wait() {
    let mut stage = Stage::new(2);
    stage.people[1].cut = true;
    stage.lose_transport(1);
    stage.run(8_000);
    stage.people[1].cut = false;
    // The last attempt fails, and the wait after it is seconds long.
    stage.lose_transport(1);
    stage.run(500);
    assert_eq!(stage.people[1].client.state(), State::Reconnecting);
    stage.act(1, |now, client| client.handle_network_back(now));
    stage.run(100);
    assert_eq!(stage.people[1].client.state(), State::Connected);
    stage.act(1, |now, client| client.handle_network_back(now));
    stage.run(100);
    assert_eq!(stage.people[1].client.state(), State::Connected);
}

#[test]
fn a_farewell_made_beforehand_is_a_leave() {
    let mut stage = Stage::new(2);
    let (id, mut out) = (stage.id(1), [0; 8]);
    let len = stage.people[1].client.farewell(&mut out).unwrap();
    assert!(stage.people[1].client.farewell(&mut out[..len - 1]).is_none());
    let connection = stage.people[1].connection.unwrap();
    stage.give(connection, Delivery::Reliable, &out[..len]);
    stage.run(200);
    assert!(stage.server.client(id).is_none() && stage.people[0].client.person(id).is_none());
    stage.act(0, |now, client| client.disconnect(now));
    assert!(stage.people[0].client.farewell(&mut out).is_none());
}

#[test]
fn a_short_loss_is_seen_by_the_others_and_nobody_leaves() {
    let mut stage = Stage::new(2);
    let id = stage.id(1);
    stage.lose_transport(1);
    stage.run(100);
    assert!(stage.people[0].client.person(id).unwrap().flags().reconnecting);
    stage.run(1_000);
    let events = &stage.people[0].events;
    let (gone, back) = (ClientEvent::Reconnecting(id), ClientEvent::Resumed(id));
    let of_it: Vec<_> = events.iter().filter(|event| [gone, back, ClientEvent::Left(id)].contains(event)).collect();
    assert_eq!(of_it, [&gone, &back]);
    stage.speak(&[0, 1]);
    assert!(stage.hears(0, 1) && stage.hears(1, 0));
}

#[test]
fn after_the_grace_period_a_fresh_seat_is_told_everything_again() {
    let mut stage = Stage::empty(ServerConfig { grace: Duration::from_secs(3), ..ServerConfig::DEFAULT });
    (0..2).for_each(|_| _ = stage.add());
    stage.run(300);
    let before = stage.id(1);
    stage.act(1, |now, client| {
        client.use_room(now, "Another", RoomUse::Speak).unwrap();
        client.set_deafened(now, true);
    });
    stage.run(300);
    stage.log.clear();
    away(&mut stage, 1, 4_000);
    let reason = ServerEvent::Left { id: before, reason: LeaveReason::TimedOut };
    assert!(stage.server_events.contains(&reason));
    assert_eq!(stage.people[1].client.state_reason(), StateReason::Joined);
    assert_ne!(stage.id(1), before);
    let told: Vec<_> = stage.log.iter().filter(|sent| sent.from == End::Person(1)).map(Sent::kind).collect();
    assert_eq!(told.iter().filter(|kind| **kind == Kind::UseRoom).count(), 2);
    let seat = stage.server.client(stage.id(1)).unwrap();
    assert!(seat.rooms().count() == 2 && seat.flags().deafened);
    stage.speak(&[1]);
    assert!(stage.hears(0, 1));
}

#[test]
fn the_seat_is_kept_to_the_end_of_the_grace_period_and_not_longer() {
    for (ms, kept) in [(29_900, true), (30_100, false)] {
        let mut stage = Stage::new(1);
        stage.people[0].cut = true;
        stage.lose_transport(0);
        stage.run(ms);
        assert_eq!(stage.server.client_count(), usize::from(kept), "after {ms} ms");
        assert_eq!(stage.server.rooms().count(), usize::from(kept), "its room goes with it");
    }
}

#[test]
fn who_falls_silent_is_missed_after_ten_seconds_and_its_seat_waits_from_then_on() {
    let mut stage = Stage::new(2);
    let id = stage.id(1);
    stage.people[1].cut = true;
    stage.run(8_900);
    assert!(!stage.people[0].client.person(id).unwrap().flags().reconnecting);
    stage.run(1_500);
    assert!(stage.people[0].client.person(id).unwrap().flags().reconnecting);
    assert_eq!(stage.people[1].client.state_reason(), StateReason::Silence, "it gave up after 8 s");
    stage.run(28_000);
    assert!(stage.people[0].client.person(id).is_some());
    stage.run(3_000);
    assert!(stage.people[0].client.person(id).is_none());
}

#[test]
fn a_seat_is_given_only_for_its_secret() {
    let mut stage = Stage::new(1);
    let (session, client, now) = (stage.server.session(), stage.id(0), stage.now());
    let thief = stage.server.handle_connected(now).unwrap();
    let hello = Packet::Hello(Hello {
        nonce: 9,
        resume: Some(Resume { session, client, secret: Secret::from_bytes([0; 16]) }),
        name: "thief",
        ..hello()
    });
    stage.give(thief, Delivery::Reliable, &encoded(&hello));
    stage.run(200);
    assert_eq!(stage.server.client(client).unwrap().name(), "person-0");
    assert_eq!(stage.people[0].client.state(), State::Connected);
    let welcome = stage.log.iter().find(|sent| sent.to == End::Stranger(thief)).unwrap();
    let Packet::Welcome(welcome) = welcome.packet() else { panic!("a fresh seat") };
    assert!(!welcome.resumed && welcome.client != client);
}

#[test]
fn a_seat_that_is_resumed_elsewhere_closes_the_connection_of_before() {
    let mut stage = Stage::new(2);
    let (id, old) = (stage.id(0), stage.people[0].connection);
    // The transport is replaced before the server notices that the old one is gone.
    stage.people[0].connection = None;
    stage.act(0, |now, client| client.handle_disconnected(now));
    stage.run(1_000);
    assert_eq!((stage.id(0), stage.people[0].client.state()), (id, State::Connected));
    assert_ne!(stage.people[0].connection, old);
    let old = End::Stranger(old.unwrap());
    let last = stage.log.iter().rfind(|sent| sent.to == old).unwrap();
    assert!(matches!(last.packet(), Packet::Closed { reason: CloseReason::Replaced, .. }));
    stage.speak(&[0, 1]);
    assert!(stage.hears(1, 0) && stage.hears(0, 1));
}

#[test]
fn rooms_left_while_away_are_left_and_rooms_wanted_meanwhile_are_used() {
    let mut stage = Stage::new(2);
    let (id, lobby) = (stage.id(1), stage.people[1].lobby);
    stage.people[1].cut = true;
    stage.lose_transport(1);
    stage.act(1, |now, client| {
        client.leave_room(now, lobby).unwrap();
        client.use_room(now, "Elsewhere", RoomUse::Both).unwrap();
        client.set_muted(now, true);
    });
    stage.run(100);
    stage.people[1].cut = false;
    stage.run(23_000);
    let seat = stage.server.client(id).expect("the same seat");
    let names: Vec<_> = seat.rooms().map(|(room, _)| stage.server.room(room).unwrap().name()).collect();
    assert_eq!(names, ["Elsewhere"]);
    assert!(seat.flags().muted);
    assert_eq!(stage.sent(from(1, Kind::LeaveRoom)), 1);
    stage.speak(&[0]);
    assert!(!stage.hears(1, 0));
}

fn removals(stage: &Stage, who: usize) -> usize {
    let room = stage.people[who].lobby;
    let removed = ClientEvent::RoomClosed { room, reason: RoomCloseReason::Removed };
    stage.people[who].events.iter().filter(|event| **event == removed).count()
}

/// Somebody is out of the Lobby, knows, and gets in when it asks again.
fn is_out_and_may_ask_again(stage: &mut Stage, who: usize) {
    let id = stage.id(who);
    assert_eq!(stage.people[who].client.state_reason(), StateReason::Resumed);
    assert_eq!((removals(stage, who), stage.server.client(id).unwrap().rooms().count()), (1, 0));
    let entered =
        |event: &&ServerEvent| matches!(event, ServerEvent::EnteredRoom { id: entered, .. } if *entered == id);
    assert_eq!(stage.server_events.iter().filter(entered).count(), 1, "it has never been back");
    stage.act(who, |now, client| client.use_room(now, "Lobby", RoomUse::Both)).unwrap();
    stage.run(100);
    assert_eq!((removals(stage, who), stage.server.client(id).unwrap().rooms().count()), (1, 1));
}

#[test]
fn who_is_taken_out_of_a_room_while_away_is_told_when_it_is_back_and_stays_out() {
    let mut stage = Stage::new(2);
    let (id, lobby) = (stage.id(1), stage.people[0].client.room_id(stage.people[0].lobby).unwrap());
    stage.people[1].cut = true;
    stage.lose_transport(1);
    stage.run(500);
    let now = stage.now();
    stage.server.remove_from_room(now, id, lobby).unwrap();
    stage.people[1].cut = false;
    stage.run(23_000);
    is_out_and_may_ask_again(&mut stage, 1);
}

#[test]
fn a_removal_that_is_lost_with_the_connection_is_told_again() {
    let mut stage = Stage::new(2);
    let (now, id, lobby) = (stage.now(), stage.id(1), stage.people[0].client.room_id(stage.people[0].lobby).unwrap());
    stage.server.remove_from_room(now, id, lobby).unwrap();
    stage.run(2);
    assert_eq!(stage.sent(|sent| sent.to == End::Person(1) && sent.kind() == Kind::RoomClosed), 1);
    stage.lose_transport(1);
    stage.run(2_000);
    is_out_and_may_ask_again(&mut stage, 1);
}
