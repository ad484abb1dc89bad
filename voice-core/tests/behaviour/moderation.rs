use voice_core::{
    Admission, ClientEvent, ConnectionId, Identity, LeaveReason, ModerationError, SendError, ServerConfig, ServerEvent,
    State, StateReason,
    wire::{CloseReason, RefuseReason, RoomCloseReason},
};

use crate::harness::Stage;

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
fn a_server_that_stops_says_so_and_is_asked_again_until_it_is_back() {
    let mut stage = Stage::new(2);
    let (now, before) = (stage.now(), stage.server.session());
    stage.server.stop(now);
    stage.run(100);
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
