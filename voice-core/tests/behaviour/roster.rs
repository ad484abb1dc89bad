use voice_core::{
    ClientEvent, CodecSettings, FrameLength, Priority, RoomUse,
    wire::{Kind, Packet},
};

use crate::harness::{End, Stage};

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
