use voice_core::{
    Admission, CodecSettings, FrameLength, Identity, ServerConfig, ServerEvent, State, StateReason, wire::RefuseReason,
};

use crate::party::Party;

fn asking() -> Party {
    Party::empty(ServerConfig { admission: Admission::Ask, ..ServerConfig::DEFAULT })
}

fn asked(party: &Party) -> voice_core::ConnectionId {
    let request = party.record.server_events.iter().find_map(|event| match event {
        ServerEvent::JoinRequested { connection } => Some(*connection),
        _ => None,
    });
    request.expect("somebody asks to join")
}

#[test]
fn everybody_is_let_in_unless_the_embedder_wants_to_be_asked() {
    let party = Party::new(3);
    for person in 0..3 {
        assert_eq!(party.world.client(person).state(), State::Connected);
        assert_eq!(party.world.client(person).state_reason(), StateReason::Joined);
    }
}

#[test]
fn who_joins_learns_who_is_there_and_is_shown_to_them() {
    let party = Party::new(3);
    for person in 0..3 {
        let names: Vec<_> = party.world.client(person).roster().map(|person| person.name().to_owned()).collect();
        assert_eq!(names.len(), 3);
        assert!((0..3).all(|n| names.contains(&format!("person-{n}"))));
    }
}

#[test]
fn the_embedder_sees_name_codec_and_credential_and_accepts() {
    let mut party = asking();
    let person = party.add(false);
    party.run(500);
    assert_eq!(party.world.client(person).state(), State::Joining);
    let connection = asked(&party);
    party.server(|now, server| {
        let request = server.pending_join(connection).unwrap();
        assert_eq!((request.name(), request.credential()), ("person-0", &[][..]));
        assert_eq!(request.codec().frame_length, FrameLength::Ms20);
        assert_eq!(request.codec(), CodecSettings::DEFAULT);
        server.accept(now, connection, Identity(7)).unwrap();
    });
    party.run(500);
    assert_eq!(party.world.client(person).state(), State::Connected);
}

#[test]
fn who_is_refused_is_told_why_and_does_not_try_again() {
    let mut party = asking();
    let person = party.add(false);
    party.run(500);
    let connection = asked(&party);
    party.server(|now, server| server.refuse(now, connection, 200).unwrap());
    party.run(20_000);
    let client = party.world.client(person);
    assert_eq!(client.state(), State::Disconnected);
    assert_eq!(client.state_reason(), StateReason::Refused(RefuseReason::Embedder(200)));
    assert_eq!(party.record.server_events.len(), 1 + usize::from(party.record.server_events.len() > 1));
}

#[test]
fn who_is_banned_can_not_come_back_under_another_name() {
    let mut party = asking();
    let person = party.add(false);
    party.run(500);
    let connection = asked(&party);
    party.server(|now, server| server.accept(now, connection, Identity(7)).unwrap());
    party.run(500);
    let id = party.id(person);
    party.server(|now, server| server.ban(now, id).unwrap());
    party.run(500);
    assert_eq!(party.world.client(person).state(), State::Disconnected);
    party.record.server_events.clear();
    let other = party.add(false);
    party.run(500);
    let connection = asked(&party);
    party.server(|now, server| server.accept(now, connection, Identity(7)).unwrap());
    party.run(500);
    assert_eq!(party.world.client(other).state_reason(), StateReason::Refused(RefuseReason::Banned));
}

#[test]
fn a_client_waits_for_a_server_that_is_not_there_yet() {
    let mut party = Party::new(0);
    party.world.crash_server();
    let person = party.add(false);
    party.run(30_000);
    assert_ne!(party.world.client(person).state(), State::Disconnected);
    party.world.start_server();
    party.run(25_000);
    assert_eq!(party.world.client(person).state(), State::Connected);
}

#[test]
fn who_leaves_is_gone_at_once() {
    let mut party = Party::new(2);
    party.world.leave(1);
    party.run(200);
    assert_eq!(party.world.client(0).roster().count(), 1);
    assert_eq!(party.world.client(1).state(), State::Disconnected);
}
