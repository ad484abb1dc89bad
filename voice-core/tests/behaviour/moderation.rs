use voice_core::{
    Admission, ClientEvent, ConnectionId, Delivery, Identity, LeaveReason, ModerationError, RoomId, RoomUse, SendError,
    ServerConfig, ServerEvent, State, StateReason,
    wire::{CloseReason, Packet, RefuseReason, RoomCloseReason},
};

use crate::harness::{Stage, Stranger, encoded};

/// A stage where everybody who asks is let in with an identity of its own number and 100.
fn with_identities(people: usize) -> Stage {
    let mut stage = Stage::empty(ServerConfig { admission: Admission::Ask, ..ServerConfig::DEFAULT });
    for who in 0..people {
        stage.add();
        admit(&mut stage, Identity(100 + who as u64));
    }
    stage
}

fn admit(stage: &mut Stage, identity: Identity) {
    stage.run(100);
    let asked: Vec<ConnectionId> = stage
        .server_events
        .iter()
        .filter_map(|event| match event {
            ServerEvent::JoinRequested { connection } => Some(*connection),
            _ => None,
        })
        .filter(|connection| stage.server.pending_join(*connection).is_some())
        .collect();
    assert_eq!(asked.len(), 1);
    let now = stage.now();
    stage.server.accept(now, asked[0], identity).unwrap();
    stage.run(200);
}

#[test]
fn who_is_kicked_learns_the_reason_stays_away_and_may_come_again_when_it_wants() {
    for (given, told) in [(200, CloseReason::Embedder(200)), (7, CloseReason::Kicked)] {
        let mut stage = Stage::new(2);
        let (now, id) = (stage.now(), stage.id(1));
        stage.server.kick(now, id, given).unwrap();
        stage.run(20_000);
        let client = &stage.people[1].client;
        assert_eq!((client.state(), client.state_reason()), (State::Disconnected, StateReason::Closed(told)));
        assert_eq!(client.transport_wanted(), None);
        assert!(stage.server_events.contains(&ServerEvent::Left { id, reason: LeaveReason::Kicked }));
        assert!(stage.people[0].events.contains(&ClientEvent::Left(id)));
        stage.act(1, |now, client| client.connect(now));
        stage.run(300);
        assert_ne!(stage.id(1), id);
        stage.speak(&[1]);
        assert!(stage.hears(0, 1));
    }
}

#[test]
fn who_is_banned_is_thrown_out_and_not_let_in_again_until_the_ban_ends() {
    let mut stage = with_identities(2);
    let (now, id) = (stage.now(), stage.id(1));
    stage.server.ban(now, id).unwrap();
    stage.run(200);
    assert_eq!(stage.people[1].client.state_reason(), StateReason::Closed(CloseReason::Banned));
    stage.act(1, |now, client| client.connect(now));
    admit(&mut stage, Identity(101));
    let client = &stage.people[1].client;
    assert_eq!(client.state_reason(), StateReason::Refused(RefuseReason::Banned));
    assert_eq!((client.state(), client.transport_wanted()), (State::Disconnected, None));
    stage.server.unban(Identity(101));
    stage.act(1, |now, client| client.connect(now));
    admit(&mut stage, Identity(101));
    assert_eq!(stage.people[1].client.state(), State::Connected);
}

#[test]
fn a_ban_reaches_every_seat_of_the_identity_and_those_who_are_away() {
    let mut stage = with_identities(2);
    stage.add();
    admit(&mut stage, Identity(101));
    let away = stage.id(1);
    stage.people[1].cut = true;
    stage.lose_transport(1);
    stage.run(200);
    let now = stage.now();
    stage.server.ban_identity(now, Identity(101)).unwrap();
    stage.run(200);
    assert_eq!(stage.server.client_count(), 1);
    assert!(stage.server.client(away).is_none(), "its seat doesn't wait for it");
    assert_eq!(stage.people[2].client.state_reason(), StateReason::Closed(CloseReason::Banned));
}

#[test]
fn who_has_no_identity_can_be_kicked_and_not_banned() {
    let mut stage = Stage::new(1);
    let (now, id) = (stage.now(), stage.id(0));
    assert_eq!(stage.server.ban(now, id), Err(ModerationError::NoIdentity));
    stage.run(100);
    assert_eq!(stage.people[0].client.state(), State::Connected);
    assert_eq!(stage.server.kick(now, id, 0), Ok(()));
    assert_eq!(stage.server.kick(now, id, 0), Err(ModerationError::NoSuchClient));
}

#[test]
fn whom_the_server_mutes_is_heard_by_nobody_whatever_it_does_and_can_not_undo_it() {
    let mut stage = Stage::new(2);
    let (now, id) = (stage.now(), stage.id(0));
    stage.people[0].says = true;
    stage.run(200);
    stage.server.set_server_mute(now, id, true).unwrap();
    stage.run(100);
    assert_eq!(stage.people[0].said, Some(Err(SendError::Muted)));
    assert!(stage.people[0].events.contains(&ClientEvent::ServerMuted(true)));
    assert!(stage.people[1].client.person(id).unwrap().flags().server_muted);
    stage.act(0, |now, client| client.set_muted(now, true));
    stage.run(50);
    stage.act(0, |now, client| client.set_muted(now, false));
    stage.run(200);
    stage.lose_transport(0);
    stage.run(1_000);
    stage.people[1].heard.clear();
    stage.run(500);
    assert_eq!((stage.id(0), stage.heard(1, 0)), (id, vec![]));
    let now = stage.now();
    stage.server.set_server_mute(now, id, false).unwrap();
    stage.run(500);
    assert!(stage.people[0].events.contains(&ClientEvent::ServerMuted(false)));
    assert!(stage.heard(1, 0).len() > 14);
}

#[test]
fn who_is_taken_out_of_a_room_is_told_and_may_ask_again() {
    let mut stage = Stage::new(2);
    let (now, id, lobby, channel) = (stage.now(), stage.id(1), stage.people[1].lobby, stage.people[1].channel);
    let room = stage.people[1].client.room_id(lobby).unwrap();
    stage.server.remove_from_room(now, id, room).unwrap();
    assert_eq!(stage.server.remove_from_room(now, id, room), Err(ModerationError::NoSuchRoom));
    stage.run(200);
    let events = &stage.people[1].events;
    assert!(events.contains(&ClientEvent::RoomClosed { room: lobby, reason: RoomCloseReason::Removed }));
    assert!(events.contains(&ClientEvent::ChannelClosed(channel)));
    assert!(stage.people[0].events.contains(&ClientEvent::LeftRoom { id, room }));
    stage.speak(&[0, 1]);
    assert!(!stage.hears(1, 0) && !stage.hears(0, 1));
    stage.act(1, |now, client| client.use_room(now, "Lobby", voice_core::RoomUse::Both)).unwrap();
    stage.run(200);
    stage.speak(&[0]);
    assert!(stage.hears(1, 0));
}

#[test]
fn who_is_taken_out_of_many_rooms_at_once_is_told_of_each_and_their_places_are_free() {
    let mut stage = Stage::new(2);
    for n in 0..5 {
        stage.act(1, |now, client| client.use_room(now, &format!("room {n}"), RoomUse::Both)).unwrap();
    }
    stage.run(200);
    let (now, id) = (stage.now(), stage.id(1));
    let rooms: Vec<_> = stage.server.client(id).unwrap().rooms().map(|(room, _)| room).collect();
    assert_eq!(rooms.len(), 6);
    for room in rooms {
        stage.server.remove_from_room(now, id, room).unwrap();
    }
    assert_eq!(stage.server.rooms().count(), 1, "nobody uses them any more");
    stage.run(200);
    let removed = |event: &&ClientEvent| matches!(event, ClientEvent::RoomClosed { reason, .. } if *reason == RoomCloseReason::Removed);
    assert_eq!(stage.people[1].events.iter().filter(removed).count(), 6);
    let again: Vec<_> = (0..5)
        .map(|n| stage.act(1, |now, client| client.use_room(now, &format!("other {n}"), RoomUse::Both)).unwrap())
        .collect();
    stage.run(200);
    assert!(again.iter().all(|room| stage.people[1].client.room_id(*room).is_some()));
}

/// Somebody who was in the Lobby, taken out of it just now and not told yet.
fn taken_out() -> (Stage, Stranger, RoomId) {
    let mut stage = Stage::new(1);
    let lobby = stage.people[0].client.room_id(stage.people[0].lobby).unwrap();
    let mut stranger = Stranger::join(&mut stage);
    use_lobby(&mut stage, &mut stranger, RoomUse::Both);
    stage.run(100);
    stage.log.clear();
    let (now, id) = (stage.now(), stranger.id(&stage));
    stage.server.remove_from_room(now, id, lobby).unwrap();
    (stage, stranger, lobby)
}

fn use_lobby(stage: &mut Stage, stranger: &mut Stranger, room_use: RoomUse) {
    stranger.say(stage, |lane| Packet::UseRoom { lane, room_use, name: "Lobby" });
}

/// What somebody was told of rooms: whether they were granted.
fn granted(stage: &Stage, stranger: &Stranger) -> Vec<bool> {
    let told = stranger.told(stage);
    told.filter_map(|packet| match packet {
        Packet::RoomGranted { .. } => Some(true),
        Packet::RoomClosed { .. } => Some(false),
        _ => None,
    })
    .collect()
}

#[test]
fn who_says_how_it_uses_a_room_before_it_knows_that_it_was_taken_out_stays_out() {
    let (mut stage, mut stranger, lobby) = taken_out();
    let id = stranger.id(&stage);
    use_lobby(&mut stage, &mut stranger, RoomUse::Listen);
    stage.run(100);
    assert_eq!(granted(&stage, &stranger), [false], "not told yet");
    use_lobby(&mut stage, &mut stranger, RoomUse::Both);
    stage.run(100);
    assert_eq!(granted(&stage, &stranger), [false, false], "told, and doesn't know yet");
    assert_eq!(stage.server.client(id).unwrap().rooms().count(), 0);
    assert!(!stage.server_events.ends_with(&[ServerEvent::EnteredRoom { id, room: lobby }]));
    stranger.say(&mut stage, |lane| Packet::LeaveRoom { lane, room: lobby });
    use_lobby(&mut stage, &mut stranger, RoomUse::Both);
    stage.run(100);
    assert_eq!(granted(&stage, &stranger), [false, false, true], "asked for again");
    assert_eq!(stage.server.drops().get(voice_core::DropReason::UnknownRoom), 0);
}

#[test]
fn who_acknowledged_that_it_was_taken_out_of_a_room_may_ask_again() {
    let (mut stage, mut stranger, _) = taken_out();
    stage.run(100);
    let last = stranger.told(&stage).filter_map(|packet| packet.lane()).last().unwrap();
    let ack = |next| encoded(&Packet::LaneAck { session: last.session, next });
    let before = stage.log.iter().map(|sent| sent.packet()).find(|packet| matches!(packet, Packet::RoomClosed { .. }));
    let closed = before.unwrap().lane().unwrap().number;
    stage.give(stranger.connection, Delivery::Unreliable, &ack(closed));
    use_lobby(&mut stage, &mut stranger, RoomUse::Both);
    stage.run(100);
    assert_eq!(granted(&stage, &stranger), [false, false], "only what was before it is acknowledged");
    stage.give(stranger.connection, Delivery::Unreliable, &ack(last.number + 2));
    use_lobby(&mut stage, &mut stranger, RoomUse::Both);
    stage.run(100);
    assert_eq!(granted(&stage, &stranger), [false, false, true]);
}

#[test]
fn a_room_whose_last_user_was_taken_out_is_gone_before_it_knows_and_can_be_made_anew() {
    let mut stage = Stage::new(1);
    let mut stranger = Stranger::join(&mut stage);
    stranger.say(&mut stage, |lane| Packet::UseRoom { lane, room_use: RoomUse::Both, name: "Den" });
    stage.run(100);
    let (now, id) = (stage.now(), stranger.id(&stage));
    let den = stage.server.rooms().find(|room| room.name() == "Den").unwrap().id();
    stage.server.remove_from_room(now, id, den).unwrap();
    stage.run(100);
    assert!(stage.server.room(den).is_none() && stage.server.rooms().count() == 1);
    assert!(stage.server_events.contains(&ServerEvent::RoomRemoved { room: den }));
    stage.act(0, |now, client| client.use_room(now, "Den", RoomUse::Both)).unwrap();
    stage.run(100);
    let again = stage.server.rooms().find(|room| room.name() == "Den").unwrap();
    assert_eq!((again.users(), again.listeners()), (1, 1));
    let created = |event: &&ServerEvent| **event == ServerEvent::RoomCreated { room: again.id() };
    assert!(stage.server_events.iter().filter(created).count() >= 1);
    assert!(stage.server_events.iter().rev().take(3).any(|event| created(&event)));
    let now = stage.now();
    stage.server.kick(now, id, 0).unwrap();
    let zero = stage.id(0);
    stage.server.kick(now, zero, 0).unwrap();
    assert_eq!(stage.server.rooms().count(), 0);
}

#[test]
fn a_server_that_stops_says_so_and_is_asked_again_until_it_is_back() {
    let mut stage = Stage::new(2);
    let (now, before) = (stage.now(), stage.server.session());
    stage.server.stop(now);
    stage.run(100);
    let left = |event: &&ServerEvent| matches!(event, ServerEvent::Left { reason: LeaveReason::Stopped, .. });
    assert_eq!(stage.server_events.iter().filter(left).count(), 2);
    for person in &stage.people {
        let closed = StateReason::Closed(CloseReason::ServerStopping);
        assert_eq!((person.client.state(), person.client.state_reason()), (State::Reconnecting, closed));
    }
    stage.run(5_000);
    assert_eq!(stage.server.client_count(), 0);
    assert_eq!(stage.people[0].client.state_reason(), StateReason::Refused(RefuseReason::Busy));
    let now = stage.now();
    stage.server.start(now);
    stage.run(13_000);
    assert_ne!(stage.server.session(), before);
    stage.speak(&[0]);
    assert!(stage.hears(1, 0));
}
