use voice_core::{
    ChannelError, ChannelHandle, ChannelOptions, ClientEvent, Delivery, SendError, TalkTo, Target,
    wire::{Channel, Kind, Packet, VoiceHeader},
};

use crate::harness::{End, Sent, Stage};

fn whisper(stage: &mut Stage, from: usize, to: usize) -> ChannelHandle {
    let id = stage.id(to);
    stage.act(from, |now, client| client.open_channel(now, TalkTo::Client(id), ChannelOptions::DEFAULT)).unwrap()
}

/// Leaves only the whisper open.
fn whisper_alone(stage: &mut Stage, from: usize, to: usize) -> ChannelHandle {
    let channel = stage.people[from].channel;
    stage.act(from, |now, client| client.close_channel(now, channel)).unwrap();
    whisper(stage, from, to)
}

fn voice_to(who: usize) -> impl Fn(&Sent) -> bool {
    move |sent| sent.to == End::Person(who) && sent.kind() == Kind::Voice
}

fn targets(sent: &Sent) -> Vec<Target> {
    let Packet::Voice(voice) = sent.packet() else { panic!("voice") };
    voice.channels.iter().map(|channel| channel.target).collect()
}

#[test]
fn a_whisper_goes_to_one_and_nobody_else_gets_a_byte_of_it() {
    let mut stage = Stage::new(4);
    whisper_alone(&mut stage, 0, 2);
    stage.speak(&[0]);
    assert!(stage.hears(2, 0));
    for other in [0, 1, 3] {
        assert!(!stage.hears(other, 0));
        assert_eq!(stage.sent(voice_to(other)), 0);
    }
}

#[test]
fn who_hears_the_room_does_not_learn_that_somebody_is_whispered_to() {
    let mut stage = Stage::new(3);
    let (lobby, id) = (stage.people[0].lobby, stage.id(2));
    let room = stage.people[0].client.room_id(lobby).unwrap();
    whisper(&mut stage, 0, 2);
    stage.speak(&[0]);
    assert!(stage.hears(1, 0) && stage.hears(2, 0));
    let of = |who: usize| stage.log.iter().filter(move |sent| voice_to(who)(sent));
    assert!(of(1).all(|sent| targets(sent) == [Target::Room(room)]));
    assert!(of(2).all(|sent| targets(sent) == [Target::Room(room), Target::Client(id)]));
    assert_eq!((of(1).count(), of(2).count()), (20, 20));
}

#[test]
fn two_who_are_whispered_to_at_once_do_not_learn_of_each_other() {
    let mut stage = Stage::new(4);
    whisper_alone(&mut stage, 0, 1);
    whisper(&mut stage, 0, 2);
    stage.speak(&[0]);
    for (listener, heard) in [(1, true), (2, true), (3, false)] {
        assert_eq!(stage.hears(listener, 0), heard);
        let own = Target::Client(stage.id(listener));
        assert!(stage.log.iter().filter(|sent| voice_to(listener)(sent)).all(|sent| targets(sent) == [own]));
    }
}

#[test]
fn nobody_whispers_to_itself_not_even_past_its_own_client() {
    let mut stage = Stage::new(2);
    let id = stage.id(0);
    let open = stage.act(0, |now, client| client.open_channel(now, TalkTo::Client(id), ChannelOptions::DEFAULT));
    assert_eq!(open, Err(ChannelError::Oneself));
    let tag = stage.server.session().tag();
    let header = VoiceHeader {
        mark: true,
        end: false,
        tag,
        speaker: id,
        sequence: 1,
        media_time: 1,
        frame_length: voice_core::FrameLength::Ms20,
    };
    let mut bytes = [7; 100];
    let channel = Channel { target: Target::Client(id), options: ChannelOptions::DEFAULT };
    header.write(&mut bytes, &[channel], None).unwrap();
    let connection = stage.people[0].connection.unwrap();
    stage.give(connection, Delivery::Unreliable, &bytes);
    stage.run(50);
    assert_eq!(stage.sent(voice_to(0)), 0);
}

#[test]
fn a_whisper_to_somebody_who_leaves_is_closed_and_said_so() {
    let mut stage = Stage::new(3);
    let channel = whisper_alone(&mut stage, 0, 2);
    stage.people[0].says = true;
    stage.run(200);
    stage.act(2, |now, client| client.disconnect(now));
    stage.run(300);
    assert!(stage.people[0].events.contains(&ClientEvent::ChannelClosed(channel)));
    assert_eq!(stage.people[0].said, Some(Err(SendError::NoChannel)));
}

#[test]
fn a_whisper_waits_for_somebody_whose_connection_is_lost() {
    let mut stage = Stage::new(3);
    whisper_alone(&mut stage, 0, 2);
    stage.people[0].says = true;
    stage.run(200);
    stage.people[2].cut = true;
    stage.lose_transport(2);
    stage.run(300);
    assert_eq!(stage.people[0].said, Some(Err(SendError::NobodyHears)));
    stage.people[2].cut = false;
    stage.run(25_000);
    assert_eq!(stage.people[0].said, Some(Ok(())));
    stage.people[2].heard.clear();
    stage.run(400);
    assert!(stage.heard(2, 0).len() > 18 && stage.heard(1, 0).is_empty());
}
