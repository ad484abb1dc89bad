use voice_core::{
    Client, ClientConfig, ClientEvent, ClientId, CodecSettings, Delivery, FrameLength, Instant, Priority, RoomId,
    RoomUse, Secret, SessionId, Source, State, client_storage_vec,
    wire::{Kind, Lane, Packet, PersonFlags, RosterWriter, TextRefuseReason, VERSION, Welcome},
};

use crate::harness::{End, Stage, TestClient, encoded};

fn pages_to(stage: &Stage, who: usize) -> usize {
    stage.sent(|sent| sent.to == End::Person(who) && sent.kind() == Kind::Roster)
}

#[test]
fn everybody_sees_everybodys_name_codec_priority_and_rooms_its_own_too() {
    let codec = CodecSettings { codec: 130, frame_length: FrameLength::Ms40, bitrate: 64_000 };
    let mut stage = Stage::new(2);
    stage.add_with(|config| (config.codec, config.priority) = (codec, Priority::High));
    let room = stage.act(2, |now, client| client.use_room(now, "Speaking", RoomUse::Speak)).unwrap();
    stage.run(300);
    let (id, lobby) = (stage.id(2), stage.people[2].lobby);
    let lobby = stage.people[2].client.room_id(lobby).unwrap();
    assert!(stage.people[2].client.room_id(room).is_some());
    for who in 0..3 {
        let client = &stage.people[who].client;
        assert_eq!(client.roster().count(), 3);
        let person = client.person(id).unwrap();
        assert_eq!((person.name(), person.codec(), person.priority()), ("person-2", codec, Priority::High));
        assert_eq!(person.rooms(), [lobby], "those it listens to");
    }
}

#[test]
fn comings_and_goings_are_told_once_each_and_never_ones_own() {
    let mut stage = Stage::new(2);
    let (zero, one) = (stage.id(0), stage.id(1));
    let room = stage.people[1].client.room_id(stage.people[1].lobby).unwrap();
    let lobby = stage.people[1].lobby;
    stage.act(1, |now, client| client.leave_room(now, lobby)).unwrap();
    stage.run(200);
    stage.act(1, |now, client| client.disconnect(now));
    stage.run(200);
    let about = |event: &&ClientEvent| !matches!(event, ClientEvent::StateChanged(_) | ClientEvent::RoomGranted(_));
    let told: Vec<_> = stage.people[0].events.iter().filter(about).copied().collect();
    let entered = ClientEvent::EnteredRoom { id: one, room };
    let left = ClientEvent::LeftRoom { id: one, room };
    assert_eq!(told, [ClientEvent::Joined(one), entered, left, ClientEvent::Left(one)]);
    assert!(!stage.people[0].events.contains(&ClientEvent::Joined(zero)));
}

#[test]
fn changes_are_gathered_for_50_ms_and_the_last_one_stands() {
    let mut stage = Stage::new(2);
    let id = stage.id(0);
    stage.run(1_000);
    stage.log.clear();
    for n in 0..9 {
        stage.act(0, |now, client| client.set_muted(now, n % 2 == 0));
        stage.run(4);
    }
    stage.run(200);
    assert_eq!(pages_to(&stage, 1), 1);
    assert!(stage.people[1].client.person(id).unwrap().flags().muted);
}

#[test]
fn nothing_is_sent_while_nothing_changes() {
    let mut stage = Stage::new(4);
    stage.run(1_000);
    stage.log.clear();
    stage.speak(&[0, 1]);
    stage.run(5_000);
    assert_eq!(stage.sent(|sent| sent.kind() == Kind::Roster), 0);
}

#[test]
fn who_comes_back_is_sent_everybody_and_forgets_who_left_meanwhile() {
    let mut stage = Stage::new(3);
    let gone = stage.id(1);
    stage.people[2].cut = true;
    stage.lose_transport(2);
    stage.act(1, |now, client| client.disconnect(now));
    stage.run(1_000);
    stage.people[2].cut = false;
    stage.log.clear();
    stage.run(23_000);
    let client = &stage.people[2].client;
    assert_eq!(client.roster().count(), 2);
    assert!(client.person(gone).is_none() && stage.people[2].events.contains(&ClientEvent::Left(gone)));
    let first = stage.log.iter().find(|sent| sent.to == End::Person(2) && sent.kind() == Kind::Roster).unwrap();
    let Packet::Roster(page) = first.packet() else { panic!("a page") };
    assert!(page.first && page.last, "three fit into one");
}

const SESSION: SessionId = SessionId::new(9).unwrap();
const LOBBY: RoomId = RoomId::new(3).unwrap();

fn lane(number: u16) -> Lane {
    Lane { session: SESSION, number }
}

fn give(client: &mut TestClient, packet: &[u8]) {
    client.handle_packet(Instant::ORIGIN, Source::Server, Delivery::Reliable, packet);
}

/// A client, its room granted, that was told of people in that room in one packet, and hasn't been asked for an event since it began.
fn told_of(people: u16) -> TestClient {
    let now = Instant::ORIGIN;
    let mut client = Client::new(ClientConfig::new("I").unwrap(), 1, client_storage_vec!(people: 99, speakers: 1));
    client.use_room(now, "Lobby", RoomUse::Both).unwrap();
    client.connect(now);
    client.handle_connected(now);
    let mut hello = [0; 1_200];
    let len = client.poll_transmit(now, &mut hello).unwrap().len;
    let Ok(Packet::Hello(hello)) = Packet::decode(&hello[..len]) else { panic!("a Hello") };
    let welcome = Packet::Welcome(Welcome {
        session: SESSION,
        nonce: hello.nonce,
        version: VERSION,
        features: 0,
        client: ClientId::new(1).unwrap(),
        resumed: false,
        secret: Secret::from_bytes([1; 16]),
        grace_s: 30,
        max_rooms: 32,
    });
    give(&mut client, &encoded(&welcome));
    let granted = Packet::RoomGranted { lane: lane(1), room: LOBBY, room_use: RoomUse::Both, name: "Lobby" };
    give(&mut client, &encoded(&granted));
    give(&mut client, &page_of(2, people));
    client
}

/// The whole roster: so many people in the Lobby.
fn page_of(number: u16, people: u16) -> Vec<u8> {
    let mut page = [0; 1_200];
    let mut writer = RosterWriter::new(&mut page);
    for id in 1..=people {
        let (id, codec) = (ClientId::new(id).unwrap(), CodecSettings::DEFAULT);
        assert!(writer.push_present(id, PersonFlags::default(), &codec, Priority::Default, "p", [LOBBY].into_iter()));
    }
    let len = writer.finish(lane(number), true, true).unwrap();
    page[..len].to_vec()
}

fn events(client: &mut TestClient) -> Vec<ClientEvent> {
    core::iter::from_fn(|| client.poll_event()).collect()
}

#[test]
fn news_of_a_crowd_pushes_out_other_news_of_it_and_nothing_else() {
    let mut client = told_of(61);
    let told = events(&mut client);
    assert_eq!((told.len(), client.counters().events_dropped), (64, 3 + 1 + 60 + 60 - 64));
    let states = [State::Connecting, State::Joining, State::Connected].map(ClientEvent::StateChanged);
    assert_eq!(told[..3], states);
    assert!(matches!(told[3], ClientEvent::RoomGranted(_)));
    // The newest of the crowd, in their order: what is missing is in the roster.
    let id = ClientId::new(61).unwrap();
    assert_eq!(told[62..], [ClientEvent::Joined(id), ClientEvent::EnteredRoom { id, room: LOBBY }]);
    assert_eq!(client.roster().count(), 61);
}

#[test]
fn where_only_ones_own_news_waits_that_of_others_is_dropped_and_then_the_oldest() {
    let mut client = told_of(0);
    events(&mut client);
    let refused =
        |at, number| encoded(&Packet::TextRefused { lane: lane(3 + at), number, reason: TextRefuseReason::BadText });
    (0..64).for_each(|number| give(&mut client, &refused(number, number)));
    give(&mut client, &page_of(3 + 64, 2));
    assert_eq!((client.counters().events_dropped, client.roster().count()), (2, 2), "one joined, and entered a room");
    give(&mut client, &refused(65, 64));
    let numbers = events(&mut client).into_iter().map(|event| match event {
        ClientEvent::TextRefused { number, .. } => number,
        _ => panic!("{event:?}"),
    });
    assert!(numbers.eq(1..=64));
}
