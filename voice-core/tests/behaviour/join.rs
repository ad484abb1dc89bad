use voice_core::{
    Admission, Client, ClientConfig, ClientStorage, CodecSettings, ConnectionId, CredentialTooLong, Delivery,
    DropReason, FrameLength, Identity, ServerConfig, ServerEvent, State, StateReason, client_storage_vec,
    wire::{Hello, Kind, Packet, RefuseReason, VERSION},
};

use crate::harness::{End, Fate, Stage, encoded, hello};

fn asking() -> Stage {
    Stage::empty(ServerConfig { admission: Admission::Ask, ..ServerConfig::DEFAULT })
}

fn last_asked(stage: &Stage) -> ConnectionId {
    let asked = stage.server_events.iter().rev().find_map(|event| match event {
        ServerEvent::JoinRequested { connection } => Some(*connection),
        _ => None,
    });
    asked.expect("somebody asks to join")
}

fn hellos(stage: &Stage) -> usize {
    stage.sent(|sent| sent.kind() == Kind::Hello)
}

#[test]
fn the_embedder_is_shown_the_name_the_codec_and_the_credential_to_the_last_byte() {
    let credential: Vec<u8> = (0..512_u32).map(|n| (n * 7) as u8).collect();
    let codec = CodecSettings { codec: 200, frame_length: FrameLength::Ms60, bitrate: 12_345 };
    let mut stage = asking();
    let person = stage.add_with(|config| config.codec = codec);
    stage.people[person].client.set_credential(&credential).unwrap();
    stage.run(100);
    let request = stage.server.pending_join(last_asked(&stage)).unwrap();
    assert_eq!((request.name(), request.codec()), ("person-0", codec));
    assert_eq!(request.credential(), credential);
    assert_eq!(stage.people[0].client.state(), State::Joining);
}

#[test]
fn a_name_or_a_credential_that_is_too_long_is_refused_where_it_is_written() {
    assert!(ClientConfig::new(&"n".repeat(64)).is_some());
    assert!(ClientConfig::new(&"n".repeat(65)).is_none());
    let mut client = Client::new(ClientConfig::new("n").unwrap(), 1, client_storage_vec!(people: 1, speakers: 1));
    assert_eq!(client.set_credential(&[0; 512]), Ok(()));
    assert_eq!(client.set_credential(&[0; 513]), Err(CredentialTooLong));
    let storage = ClientStorage { credential: vec![0; 600], ..client_storage_vec!(people: 1, speakers: 1) };
    let mut roomy = Client::new(ClientConfig::new("n").unwrap(), 1, storage);
    assert_eq!(roomy.set_credential(&[0; 513]), Err(CredentialTooLong));
    let storage = ClientStorage { credential: Vec::new(), ..client_storage_vec!(people: 1, speakers: 1) };
    let mut without = Client::new(ClientConfig::new("n").unwrap(), 1, storage);
    assert_eq!((without.set_credential(&[]), without.set_credential(&[0])), (Ok(()), Err(CredentialTooLong)));
}

#[test]
fn who_is_refused_learns_the_embedders_own_reason_and_asks_no_more() {
    let mut stage = asking();
    stage.add();
    stage.run(100);
    let (now, connection) = (stage.now(), last_asked(&stage));
    stage.server.refuse(now, connection, 201).unwrap();
    stage.run(60_000);
    let client = &stage.people[0].client;
    assert_eq!((client.state(), client.transport_wanted()), (State::Disconnected, None));
    assert_eq!(client.state_reason(), StateReason::Refused(RefuseReason::Embedder(201)));
    assert_eq!((hellos(&stage), stage.server.client_count()), (1, 0));
}

#[test]
fn whom_nobody_answers_asks_again_and_only_the_last_question_stands() {
    let mut stage = asking();
    stage.add();
    stage.run(7_000);
    assert_eq!(hellos(&stage), 2, "one after 5 s without an answer");
    let (now, connection) = (stage.now(), last_asked(&stage));
    let asked = stage.server_events.iter().filter_map(|event| match event {
        ServerEvent::JoinRequested { connection } => Some(*connection),
        _ => None,
    });
    assert_eq!(asked.filter(|connection| stage.server.pending_join(*connection).is_some()).count(), 1);
    stage.server.accept(now, connection, Identity(1)).unwrap();
    stage.run(100);
    assert_eq!(stage.people[0].client.state(), State::Connected);
    assert_eq!(stage.server.client_count(), 1);
}

#[test]
fn who_finds_the_session_full_comes_in_by_itself_when_a_seat_is_free() {
    let mut stage = Stage::new(12);
    let late = stage.add();
    stage.run(2_000);
    let client = &stage.people[late].client;
    assert!(matches!(client.state(), State::Reconnecting | State::Connecting | State::Joining));
    assert_eq!(client.id(), None);
    stage.act(3, |now, client| client.disconnect(now));
    stage.run(13_000);
    assert_eq!(stage.people[late].client.state(), State::Connected);
    stage.speak(&[late]);
    assert!(stage.hears(0, late));
}

#[test]
fn another_version_is_refused_by_name_whatever_else_its_hello_says() {
    let mut stage = Stage::new(0);
    let now = stage.now();
    let stranger = stage.server.handle_connected(now).unwrap();
    let hello = Packet::Hello(Hello { version: VERSION + 1, nonce: 0x0102_0304, name: "of tomorrow", ..hello() });
    // What follows the nonce may be anything in another version.
    let bytes = [&encoded(&hello)[..14], &[0xFF; 20]].concat();
    stage.give(stranger, Delivery::Reliable, &bytes);
    stage.run(50);
    let answers: Vec<_> = stage.log.iter().filter(|sent| sent.to == End::Stranger(stranger)).collect();
    assert_eq!(answers.len(), 1);
    let expected = Packet::Refused { nonce: 0x0102_0304, reason: RefuseReason::Version };
    assert_eq!((answers[0].packet(), answers[0].bytes.len()), (expected, 6));
}

#[test]
fn the_answer_to_an_older_hello_joins_nobody() {
    let mut stage = Stage::empty(ServerConfig::DEFAULT);
    stage.network = Box::new(|sent| {
        if sent.kind() == Kind::Welcome {
            sent.bytes[5] ^= 1; // The nonce.
        }
        Fate::Deliver
    });
    stage.add();
    stage.run(4_000);
    let client = &stage.people[0].client;
    assert_eq!((client.state(), client.id()), (State::Joining, None));
    stage.network = Box::new(|_| Fate::Deliver);
    stage.run(4_000);
    assert_eq!(stage.people[0].client.state(), State::Connected);
    assert_eq!(stage.server.client_count(), 1, "the seat of which the client never heard is free");
}

fn hello_of(nonce: u32, name: &str, credential: &[u8]) -> Vec<u8> {
    encoded(&Packet::Hello(Hello { nonce, name, credential, ..hello() }))
}

#[test]
fn who_is_accepted_is_who_was_looked_at_whatever_it_says_meanwhile() {
    let mut stage = asking();
    let now = stage.now();
    let stranger = stage.server.handle_connected(now).unwrap();
    let first = hello_of(1, "Scout", b"a token");
    stage.give(stranger, Delivery::Reliable, &first);
    stage.run(10);
    for other in [hello_of(2, "Chief", b"a token"), hello_of(1, "Scout", b"none"), first.clone()] {
        stage.give(stranger, Delivery::Reliable, &other);
        stage.run(10);
        let request = stage.server.pending_join(stranger).unwrap();
        assert_eq!((request.name(), request.credential()), ("Scout", &b"a token"[..]));
    }
    let drops = stage.server.drops();
    assert_eq!((drops.get(DropReason::NotPermitted), drops.get(DropReason::Duplicate), drops.total()), (2, 1, 3));
    let asked = |event: &&ServerEvent| matches!(event, ServerEvent::JoinRequested { .. });
    assert_eq!(stage.server_events.iter().filter(asked).count(), 1);
    let now = stage.now();
    stage.server.accept(now, stranger, Identity(7)).unwrap();
    stage.run(10);
    let (name, identity) = stage.server.clients().map(|client| (client.name(), client.identity())).next().unwrap();
    assert_eq!((name, identity), ("Scout", Identity(7)));
    let welcome = stage.log.iter().find(|sent| sent.to == End::Stranger(stranger)).unwrap();
    assert!(matches!(welcome.packet(), Packet::Welcome(welcome) if welcome.nonce == 1), "{:?}", welcome.packet());
}

#[test]
fn who_was_refused_may_say_something_else_on_the_same_connection() {
    let mut stage = asking();
    let now = stage.now();
    let stranger = stage.server.handle_connected(now).unwrap();
    stage.give(stranger, Delivery::Reliable, &hello_of(1, "Scout", b"none"));
    stage.server.refuse(now, stranger, 200).unwrap();
    stage.give(stranger, Delivery::Reliable, &hello_of(2, "Scout", b"a token"));
    assert_eq!(stage.server.pending_join(stranger).unwrap().credential(), b"a token");
}
