use voice_core::{
    ChannelOptions, ClientEvent, Delivery, DropReason, SendError, Target, Volume,
    wire::{Channel, Kind, VoiceHeader},
};

use crate::harness::{End, LATENCY_MS, Sent, Stage};

fn voice_to(who: usize) -> impl Fn(&Sent) -> bool {
    move |sent| sent.to == End::Person(who) && sent.kind() == Kind::Voice
}

#[test]
fn who_mutes_itself_sends_nothing_and_is_silent_at_once() {
    let mut stage = Stage::new(2);
    let id = stage.id(0);
    stage.people[0].says = true;
    stage.run(400);
    stage.act(0, |now, client| client.set_muted(now, true));
    let sent = stage.people[0].client.counters().voice_out.packets;
    stage.run(2 * LATENCY_MS + 1);
    assert!(stage.people[1].events.contains(&ClientEvent::StoppedSpeaking(id)));
    stage.run(1_000);
    assert_eq!(stage.people[0].said, Some(Err(SendError::Muted)));
    assert_eq!(stage.people[0].client.counters().voice_out.packets, sent + 1, "the end, and nothing more");
    assert!(stage.people[1].client.person(id).unwrap().flags().muted);
    stage.act(0, |now, client| client.set_muted(now, false));
    stage.people[1].heard.clear();
    stage.run(400);
    assert!(stage.heard(1, 0).len() > 14);
}

#[test]
fn a_client_that_says_it_is_muted_and_speaks_is_not_sent_on() {
    let mut stage = Stage::new(2);
    stage.act(0, |now, client| client.set_muted(now, true));
    stage.run(100);
    let (tag, speaker, lobby) = (stage.server.session().tag(), stage.id(0), stage.people[0].lobby);
    let target = Target::Room(stage.people[0].client.room_id(lobby).unwrap());
    let header = VoiceHeader {
        mark: true,
        end: false,
        tag,
        speaker,
        sequence: 1,
        media_time: 1,
        frame_length: voice_core::FrameLength::Ms20,
    };
    let mut bytes = [7; 100];
    header.write(&mut bytes, &[Channel { target, options: ChannelOptions::DEFAULT }], None).unwrap();
    let connection = stage.people[0].connection.unwrap();
    stage.give(connection, Delivery::Unreliable, &bytes);
    stage.run(50);
    assert_eq!((stage.sent(voice_to(1)), stage.server.drops().get(DropReason::Muted)), (0, 1));
}

#[test]
fn who_is_deafened_is_sent_no_voice_at_all() {
    let mut stage = Stage::new(3);
    stage.act(1, |now, client| client.set_deafened(now, true));
    stage.run(100);
    stage.log.clear();
    stage.speak(&[0]);
    assert!(stage.sent(voice_to(1)) == 0 && stage.hears(2, 0));
    assert!(stage.people[0].client.person(stage.id(1)).unwrap().flags().deafened);
    stage.act(1, |now, client| client.set_deafened(now, false));
    stage.run(100);
    stage.speak(&[0]);
    assert!(stage.hears(1, 0));
}

#[test]
fn what_is_under_way_when_one_deafens_itself_is_not_heard() {
    let mut stage = Stage::new(2);
    stage.people[0].says = true;
    stage.run(400);
    stage.act(1, |now, client| client.set_deafened(now, true));
    stage.people[1].heard.clear();
    stage.run(400);
    assert_eq!(stage.heard(1, 0), []);
}

#[test]
fn a_local_mute_stops_the_voice_at_the_server_for_one_listener_alone() {
    let mut stage = Stage::new(3);
    let id = stage.id(0);
    stage.act(1, |now, client| client.set_client_muted(now, id, true)).unwrap();
    stage.run(100);
    stage.log.clear();
    stage.speak(&[0, 2]);
    assert!(!stage.hears(1, 0) && stage.hears(1, 2) && stage.hears(2, 0));
    assert_eq!(stage.sent(voice_to(1)), 20, "those of the other speaker");
    // Nobody else is told, the muted one neither.
    assert_eq!(stage.people[0].events.iter().filter(|e| matches!(e, ClientEvent::Changed(_))).count(), 0);
    stage.act(1, |now, client| client.set_client_muted(now, id, false)).unwrap();
    stage.run(100);
    stage.speak(&[0]);
    assert!(stage.hears(1, 0));
}

#[test]
fn a_local_volume_multiplies_the_channels_for_one_listener_alone() {
    let mut stage = Stage::new(3);
    let (id, channel) = (stage.id(0), stage.people[0].channel);
    let how = ChannelOptions { volume: Volume::new(150).unwrap(), ..ChannelOptions::DEFAULT };
    stage.act(0, |now, client| client.change_channel(now, channel, how)).unwrap();
    stage.client(1).set_client_volume(id, Volume::new(20).unwrap()).unwrap();
    stage.speak(&[0]);
    assert!(stage.heard(1, 0).iter().all(|heard| heard.volume_percent == 30) && stage.hears(1, 0));
    assert!(stage.heard(2, 0).iter().all(|heard| heard.volume_percent == 150) && stage.hears(2, 0));
}

#[test]
fn whom_its_only_listener_mutes_is_told_that_nobody_hears() {
    let mut stage = Stage::new(2);
    let id = stage.id(0);
    stage.people[0].says = true;
    stage.run(200);
    stage.act(1, |now, client| client.set_client_muted(now, id, true)).unwrap();
    stage.run(200);
    assert_eq!(stage.people[0].said, Some(Err(SendError::NobodyHears)));
    stage.act(1, |now, client| client.set_client_muted(now, id, false)).unwrap();
    stage.run(200);
    assert_eq!(stage.people[0].said, Some(Ok(())));
}

#[test]
fn a_local_mute_outlasts_a_fresh_seat_in_the_same_session() {
    let mut stage = Stage::new(3);
    let id = stage.id(0);
    stage.act(1, |now, client| client.set_client_muted(now, id, true)).unwrap();
    stage.run(100);
    stage.people[1].cut = true;
    stage.lose_transport(1);
    stage.run(32_000);
    stage.people[1].cut = false;
    stage.run(23_000);
    assert_eq!(stage.id(0), id, "who was muted stayed");
    assert!(stage.people[1].client.person(id).unwrap().is_muted_here());
    stage.speak(&[0, 2]);
    assert!(!stage.hears(1, 0) && stage.hears(1, 2));
}
