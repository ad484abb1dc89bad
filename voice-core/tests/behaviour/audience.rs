//! Being told that nobody hears, while packets of either side are late, lost or overtaken.

use voice_core::{ChannelOptions, RoomUse, TalkTo, wire::Kind};

use super::harness::{End, Fate, Sent, Stage};

const IS_VOICE: fn(&Sent) -> bool = |sent| sent.kind() == Kind::Voice && sent.to == End::Server;
const IS_AUDIENCE: fn(&Sent) -> bool = |sent| sent.kind() == Kind::Audience;

/// Two people in the Lobby, of whom the first one speaks to an empty room alone.
fn to_an_empty_room() -> Stage {
    let mut stage = Stage::new(2);
    let to_lobby = stage.people[0].channel;
    stage.act(0, |now, client| client.close_channel(now, to_lobby)).unwrap();
    let empty = stage.act(0, |now, client| client.use_room(now, "Empty", RoomUse::Both)).unwrap();
    stage.run(100);
    stage.act(0, |now, client| client.open_channel(now, TalkTo::Room(empty), ChannelOptions::DEFAULT)).unwrap();
    stage.log.clear();
    stage
}

fn speak_to_lobby(stage: &mut Stage) {
    let lobby = stage.people[0].lobby;
    stage.act(0, |now, client| client.open_channel(now, TalkTo::Room(lobby), ChannelOptions::DEFAULT)).unwrap();
}

/// Whether the second one hears the first, now and later.
fn is_heard(stage: &mut Stage) -> bool {
    stage.run(500);
    stage.people[1].heard.clear();
    stage.run(500);
    stage.heard(1, 0).len() > 20
}

#[test]
fn that_nobody_hears_the_channels_of_before_silences_nobody_however_late_it_comes() {
    for voice_lost_ms in [0, 150] {
        let mut stage = to_an_empty_room();
        stage.network = Box::new(|sent| if IS_AUDIENCE(sent) { Fate::DelayMs(100) } else { Fate::Deliver });
        stage.people[0].says = true;
        stage.run(30);
        assert_eq!(stage.sent(IS_AUDIENCE), 1);
        speak_to_lobby(&mut stage);
        if voice_lost_ms > 0 {
            // All that names the new channel is lost until the word about the old one is there.
            let until = stage.now().as_us() + voice_lost_ms * 1_000;
            stage.network = Box::new(move |sent| match IS_VOICE(sent) && sent.at_us < until {
                true => Fate::Drop,
                false => Fate::Deliver,
            });
        }
        assert!(is_heard(&mut stage), "{voice_lost_ms} ms of voice lost");
    }
}

#[test]
fn a_packet_that_was_overtaken_says_nothing_of_the_channels_of_now() {
    let mut stage = to_an_empty_room();
    let mut first = true;
    stage.network = Box::new(move |sent| match IS_VOICE(sent) && std::mem::take(&mut first) {
        true => Fate::DelayMs(60),
        false => Fate::Deliver,
    });
    stage.people[0].says = true;
    stage.run(20);
    assert_eq!(stage.sent(IS_VOICE), 1);
    speak_to_lobby(&mut stage);
    assert!(is_heard(&mut stage));
    assert_eq!(stage.sent(IS_AUDIENCE), 0, "nobody was told that nobody hears");
}

#[test]
fn who_speaks_to_a_room_again_to_which_it_only_listened_is_heard_there() {
    let mut stage = Stage::new(2);
    let empty = stage.act(0, |now, client| client.use_room(now, "Empty", RoomUse::Both)).unwrap();
    stage.act(0, |now, client| client.use_room(now, "Lobby", RoomUse::Listen)).unwrap();
    stage.run(100);
    stage.act(0, |now, client| client.open_channel(now, TalkTo::Room(empty), ChannelOptions::DEFAULT)).unwrap();
    stage.people[0].says = true;
    stage.run(300);
    assert!(stage.people[0].client.is_unheard());
    stage.act(0, |now, client| client.use_room(now, "Lobby", RoomUse::Both)).unwrap();
    assert!(is_heard(&mut stage));
}
