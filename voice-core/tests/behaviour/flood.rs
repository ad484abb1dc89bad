use voice_core::{
    ChannelOptions, ConnectionId, Delivery, DropReason, Priority, SessionId, State, StateReason, Target,
    wire::{Channel, CloseReason, Hello, Kind, Lane, Packet, Ping, StateFlags, VoiceHeader},
};

use crate::harness::{End, Stage, encoded, hello};

const HOSTILE: usize = 2;

/// A voice packet of somebody's for the Lobby, past its client.
fn voice(stage: &mut Stage, who: usize, sequence: u16) -> Vec<u8> {
    let (tag, speaker, lobby) = (stage.server.session().tag(), stage.id(who), stage.people[who].lobby);
    let target = Target::Room(stage.people[who].client.room_id(lobby).unwrap());
    let header = VoiceHeader {
        mark: false,
        end: false,
        tag,
        speaker,
        sequence,
        media_time: sequence as u8,
        frame_length: voice_core::FrameLength::Ms20,
    };
    let mut bytes = vec![0xEE; 60];
    header.write(&mut bytes, &[Channel { target, options: ChannelOptions::DEFAULT }], None).unwrap();
    bytes
}

fn steady(stage: &Stage, listener: usize, speaker: usize) {
    let times: Vec<_> = stage.heard(listener, speaker).iter().map(|heard| heard.at_us).collect();
    assert!(times.len() > 90, "{} frames", times.len());
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 20_000));
}

#[test]
fn a_flood_of_voice_is_cut_to_200_packets_a_second_counted_and_unheard_in_others_voices() {
    let mut stage = Stage::new(4);
    stage.people[0].says = true;
    let connection = stage.people[HOSTILE].connection.unwrap();
    for n in 0..2_000 {
        let bytes = voice(&mut stage, HOSTILE, n);
        stage.give(connection, Delivery::Unreliable, &bytes);
        stage.run(1);
    }
    stage.run(100);
    let id = stage.id(HOSTILE);
    let of_it = |sent: &&crate::harness::Sent| {
        sent.to == End::Person(3) && matches!(sent.packet(), Packet::Voice(voice) if voice.header.speaker == id)
    };
    let passed = stage.log.iter().filter(of_it).count();
    assert!((490..=510).contains(&passed), "{passed} of 2,000: 100 at once, and 200 a second");
    assert_eq!(stage.server.drops().get(DropReason::RateLimited), 2_000 - passed as u64);
    steady(&stage, 1, 0);
    steady(&stage, 3, 0);
    assert!(stage.people.iter().all(|person| person.client.state() == State::Connected));
}

#[test]
fn a_flood_of_commands_ends_the_connection_of_its_sender_and_nobody_elses() {
    let mut stage = Stage::new(4);
    stage.people[0].says = true;
    let (now, session) = (stage.now(), stage.server.session());
    let stranger = join(&mut stage);
    stage.run(100);
    let mut last = 0;
    for number in 1..=600 {
        let state = StateFlags { muted: number % 2 == 0, deafened: false };
        let packet = Packet::SetState { lane: Lane { session, number }, flags: state, priority: Priority::None };
        stage.give(stranger, Delivery::Reliable, &encoded(&packet));
        last = number;
        stage.run(1);
    }
    stage.run(2_000);
    let closed = stage.log.iter().rfind(|sent| sent.to == End::Stranger(stranger)).unwrap();
    assert!(matches!(closed.packet(), Packet::Closed { reason: CloseReason::Flood, .. }));
    assert!(stage.server.drops().get(DropReason::RateLimited) == 1 && last == 600);
    assert_eq!(stage.server.client_count(), 4);
    assert!(stage.now() > now);
    steady(&stage, 1, 0);
    // Its changes were gathered: 600 in 0.6 s are at most 13 pages, one each 50 ms.
    let pages = stage.sent(|sent| sent.to == End::Person(1) && sent.kind() == Kind::Roster);
    assert!(pages <= 16, "{pages} pages");
}

fn join(stage: &mut Stage) -> ConnectionId {
    let now = stage.now();
    let stranger = stage.server.handle_connected(now).unwrap();
    stage.give(stranger, Delivery::Reliable, &encoded(&Packet::Hello(hello())));
    stranger
}

#[test]
fn duplicates_and_replays_are_heard_once_and_counted() {
    let mut stage = Stage::new(3);
    let connection = stage.people[HOSTILE].connection.unwrap();
    for n in [5, 6, 6, 7, 5, 7, 8] {
        let bytes = voice(&mut stage, HOSTILE, n);
        stage.give(connection, Delivery::Unreliable, &bytes);
    }
    stage.run(300);
    assert_eq!(stage.people[0].client.speaker_stats(stage.id(HOSTILE)).unwrap().received, 4);
    assert_eq!(stage.server.drops().get(DropReason::Duplicate), 3);
}

#[test]
fn voice_in_anothers_name_is_dropped_and_reported() {
    let mut stage = Stage::new(3);
    let (connection, id, claimed) = (stage.people[HOSTILE].connection.unwrap(), stage.id(HOSTILE), stage.id(0));
    let bytes = voice(&mut stage, 0, 1);
    stage.give(connection, Delivery::Unreliable, &bytes);
    stage.run(50);
    assert_eq!(stage.sent(|sent| sent.kind() == Kind::Voice), 0);
    assert!(stage.server_events.contains(&voice_core::ServerEvent::SpoofedSender { id, claimed }));
    assert_eq!(stage.server.drops().get(DropReason::WrongSender), 1);
}

#[test]
fn no_answer_to_somebody_who_has_not_joined_is_larger_than_its_cause() {
    let mut stage = Stage::new(1);
    let ours = stage.server.session();
    let theirs = SessionId::new(ours.get() ^ 1).unwrap();
    let ping =
        |session| Packet::Ping(Ping { session, stamp: 1, next: 0, rtt_ms: 0, loss: 0, jitter_ms: 0, idle: false });
    let lane = |session| Lane { session, number: 1 };
    let mut causes = vec![
        encoded(&Packet::Hello(Hello { version: 2, ..hello() })),
        encoded(&Packet::Hello(Hello { version: 0, ..hello() })),
        encoded(&ping(ours)),
        encoded(&ping(theirs)),
    ];
    for session in [ours, theirs] {
        causes.push(encoded(&Packet::Leave { lane: lane(session) }));
        causes.push(encoded(&Packet::RosterRequest { lane: lane(session) }));
        causes.push(encoded(&Packet::LaneAck { session, next: 1 }));
        causes.push(encoded(&Packet::UseRoom { lane: lane(session), room_use: voice_core::RoomUse::Both, name: "n" }));
    }
    for whole in causes.clone() {
        causes.extend((0..whole.len()).map(|len| whole[..len].to_vec()));
    }
    causes.extend((0..=255).map(|first| vec![first; 40]));
    let whole = causes.len();
    for (at, cause) in causes.into_iter().enumerate() {
        for delivery in [Delivery::Reliable, Delivery::Unreliable] {
            let now = stage.now();
            let stranger = stage.server.handle_connected(now).unwrap();
            stage.log.clear();
            stage.give(stranger, delivery, &cause);
            stage.run(1);
            let answered: usize =
                stage.log.iter().filter(|sent| sent.to == End::Stranger(stranger)).map(|sent| sent.bytes.len()).sum();
            assert!(answered <= cause.len(), "{answered} B for {cause:02X?}, {at} of {whole}");
            let now = stage.now();
            stage.server.handle_disconnected(now, stranger);
        }
    }
    assert_eq!(stage.server.client_count(), 1);
}

#[test]
fn connections_that_never_say_hello_are_closed_and_their_places_used_again() {
    let mut stage = Stage::new(1);
    let now = stage.now();
    let mut open = 0;
    while stage.server.handle_connected(now).is_ok() {
        open += 1;
    }
    assert!(open > 8, "more than there are seats");
    let late = stage.add();
    stage.run(25_000);
    assert_eq!(stage.people[late].client.state(), State::Connected);
    assert_ne!(stage.people[late].client.state_reason(), StateReason::NotStarted);
}

#[test]
fn hellos_over_and_over_on_one_connection_are_limited_and_cost_the_others_little() {
    let mut stage = Stage::new(4);
    let stranger = join(&mut stage);
    stage.run(200);
    let before = stage.log.len();
    for nonce in 0..500 {
        let hello = Packet::Hello(Hello { nonce, ..hello() });
        stage.give(stranger, Delivery::Reliable, &encoded(&hello));
    }
    stage.run(300);
    assert_eq!(stage.server.drops().get(DropReason::RateLimited), 497, "four at once, one of which was the first");
    let told = stage.log[before..].iter().filter(|sent| sent.to == End::Person(0) && sent.kind() == Kind::Roster);
    assert!(told.map(|sent| sent.bytes.len()).sum::<usize>() < 1_200);
}
