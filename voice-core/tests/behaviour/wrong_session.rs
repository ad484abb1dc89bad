use voice_core::{
    ConnectionId, Delivery, DropReason, RoomId, SessionId, State, StateReason,
    wire::{Kind, Lane, Packet, Ping},
};

use crate::harness::{End, Fate, Stage, encoded};

fn stranger(stage: &mut Stage) -> (ConnectionId, SessionId) {
    let now = stage.now();
    let connection = stage.server.handle_connected(now).unwrap();
    (connection, SessionId::new(stage.server.session().get() ^ 0x0F0F).unwrap())
}

fn ping(session: SessionId) -> Vec<u8> {
    encoded(&Packet::Ping(Ping { session, stamp: 1, next: 1, rtt_ms: 0, loss: 0, jitter_ms: 0, idle: false }))
}

fn answers(stage: &Stage, to: ConnectionId) -> Vec<Packet<'_>> {
    stage.log.iter().filter(|sent| sent.to == End::Stranger(to)).map(|sent| sent.packet()).collect()
}

#[test]
fn a_control_packet_of_another_session_is_answered_with_the_servers_and_its_own_number() {
    let mut stage = Stage::new(0);
    let (connection, theirs) = stranger(&mut stage);
    let leave = Packet::LeaveRoom { lane: Lane { session: theirs, number: 1 }, room: RoomId::new(1).unwrap() };
    for (delivery, bytes) in [(Delivery::Reliable, encoded(&leave)), (Delivery::Unreliable, ping(theirs))] {
        stage.log.clear();
        stage.give(connection, delivery, &bytes);
        stage.run(20);
        let ours = stage.server.session();
        assert_eq!(answers(&stage, connection), [Packet::WrongSession { ours, theirs: theirs.get() }]);
        assert_eq!(stage.log[0].bytes.len(), 9);
    }
}

#[test]
fn what_is_shorter_than_the_answer_and_voice_get_none() {
    let mut stage = Stage::new(0);
    let (connection, theirs) = stranger(&mut stage);
    stage.give(connection, Delivery::Unreliable, &encoded(&Packet::LaneAck { session: theirs, next: 3 }));
    let leave = Packet::Leave { lane: Lane { session: theirs, number: 1 } };
    stage.give(connection, Delivery::Reliable, &encoded(&leave));
    stage.give(connection, Delivery::Unreliable, &[0x80, 1, 2, 0, 1, 0, 1, 0, 2, 100, 0, 1, 9]);
    stage.run(100);
    assert_eq!(answers(&stage, connection), []);
    assert_eq!(stage.server.drops().get(DropReason::WrongSession), 2);
}

#[test]
fn answers_are_limited_in_rate() {
    let mut stage = Stage::new(0);
    let (connection, theirs) = stranger(&mut stage);
    let bytes = ping(theirs);
    for _ in 0..200 {
        stage.give(connection, Delivery::Unreliable, &bytes);
        stage.run(10);
    }
    // Four at once, and two more in each of two seconds.
    assert!((4..=8).contains(&answers(&stage, connection).len()), "{}", answers(&stage, connection).len());
}

#[test]
fn clients_of_a_session_that_is_no_more_come_to_the_new_one_by_themselves() {
    let mut stage = Stage::new(3);
    let before = stage.people[0].client.session();
    stage.replace_server(77);
    stage.run(3_000);
    for who in 0..3 {
        let client = &stage.people[who].client;
        assert_eq!((client.state(), client.state_reason()), (State::Connected, StateReason::Joined));
        assert_ne!(client.session(), before);
    }
    assert!(stage.sent(|sent| sent.kind() == Kind::WrongSession) > 0);
    stage.speak(&[0, 1]);
    assert!(stage.hears(2, 0) && stage.hears(2, 1) && stage.hears(0, 1));
}

#[test]
fn a_client_that_is_led_back_over_and_over_comes_ever_more_seldom() {
    let mut stage = Stage::new(1);
    let mut waits = Vec::new();
    for seed in 0..5 {
        stage.log.clear();
        stage.replace_server(1_000 + seed);
        stage.run(8_000);
        let told = stage.log.iter().find(|sent| sent.kind() == Kind::WrongSession).unwrap().at_us;
        let hello = stage.log.iter().find(|sent| sent.kind() == Kind::Hello).unwrap().at_us;
        waits.push((hello - told) / 1_000);
    }
    // 250 ms, doubled each time, and up to a half more; 5 ms for the way.
    for (wait, least) in waits.iter().zip([250, 500, 1_000, 2_000, 4_000]) {
        assert!((least..=least * 3 / 2 + 10).contains(wait), "{waits:?}");
    }
}

#[test]
fn the_back_off_begins_anew_after_ten_quiet_seconds() {
    let mut stage = Stage::new(1);
    stage.replace_server(1);
    stage.run(5_000);
    stage.replace_server(2);
    stage.run(12_000);
    stage.log.clear();
    stage.replace_server(3);
    // Who is idle doesn't ask by itself for a while.
    stage.act(0, |now, client| client.handle_network_back(now));
    stage.run(2_000);
    let told = stage.log.iter().find(|sent| sent.kind() == Kind::WrongSession).unwrap().at_us;
    let hello = stage.log.iter().find(|sent| sent.kind() == Kind::Hello).unwrap().at_us;
    assert!(hello - told < 400_000, "{} µs", hello - told);
}

#[test]
fn a_word_about_some_other_session_leads_nobody_away() {
    let mut stage = Stage::new(1);
    stage.network = Box::new(|sent| {
        if sent.kind() == Kind::Pong {
            let mut bytes = encoded(&Packet::WrongSession { ours: SessionId::new(5).unwrap(), theirs: 6 });
            core::mem::swap(&mut sent.bytes, &mut bytes);
        }
        Fate::Deliver
    });
    let id = stage.id(0);
    stage.run(2_500);
    assert_eq!((stage.people[0].client.state(), stage.id(0)), (State::Connected, id));
    assert!(stage.people[0].client.drops().get(DropReason::StaleAnswer) >= 2);
}
