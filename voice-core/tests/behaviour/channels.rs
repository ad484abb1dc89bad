use voice_core::{ChannelHandle, ChannelOptions, ClientEvent, Priority, RoomUse, SendError, TalkTo, Volume};

use crate::harness::{Heard, LATENCY_MS, Stage};

fn options(positional: bool, priority: Priority, volume: u8) -> ChannelOptions {
    ChannelOptions { positional, priority, volume: Volume::new(volume).unwrap() }
}

/// How the last frame was to be played.
fn last(stage: &Stage, listener: usize, speaker: usize) -> Heard {
    *stage.heard(listener, speaker).last().expect("something was heard")
}

/// Another channel of person 0's: a room that only some listen to.
fn side_room(stage: &mut Stage, listeners: &[usize], how: ChannelOptions) -> ChannelHandle {
    let room = stage.act(0, |now, client| client.use_room(now, "Side", RoomUse::Speak)).unwrap();
    for listener in listeners {
        stage.act(*listener, |now, client| client.use_room(now, "Side", RoomUse::Listen)).unwrap();
    }
    stage.run(100);
    stage.act(0, |now, client| client.open_channel(now, TalkTo::Room(room), how)).unwrap()
}

#[test]
fn merged_channels_are_positional_if_all_are_of_the_highest_priority_and_the_loudest_volume() {
    let cases = [
        (options(true, Priority::Low, 50), options(true, Priority::High, 20), (true, Priority::High, 50)),
        (options(true, Priority::Medium, 10), options(false, Priority::Low, 200), (false, Priority::Medium, 200)),
        (options(false, Priority::None, 0), options(true, Priority::Low, 0), (false, Priority::Default, 0)),
        (options(true, Priority::None, 100), options(true, Priority::None, 100), (true, Priority::Default, 100)),
    ];
    for (first, second, (positional, priority, volume)) in cases {
        let mut stage = Stage::new(3);
        let lobby = stage.people[0].channel;
        stage.act(0, |now, client| client.change_channel(now, lobby, first)).unwrap();
        side_room(&mut stage, &[1], second);
        stage.people[0].says = true;
        stage.run(400);
        let (both, one) = (last(&stage, 1, 0), last(&stage, 2, 0));
        assert_eq!((both.positional, both.volume_percent), (positional, volume));
        assert_eq!(stage.client(1).top_priority(), Some(priority));
        // Who is reached by one of the two knows nothing of the other.
        let alone = (first.positional, u16::from(first.volume.percent()));
        assert_eq!((one.positional, one.volume_percent), alone);
        let speaker = stage.id(0);
        assert_eq!(stage.people[1].client.heard_channels(speaker).len(), 2);
        assert_eq!(stage.people[2].client.heard_channels(speaker).len(), 1);
        assert_eq!(stage.people[2].client.heard_channels(speaker)[0].1, first);
    }
}

#[test]
fn a_frame_that_comes_by_two_channels_is_heard_once() {
    let mut stage = Stage::new(2);
    side_room(&mut stage, &[1], ChannelOptions::DEFAULT);
    stage.speak(&[0]);
    assert!(stage.hears(1, 0));
    let packets = stage.server.counters().voice_out.packets;
    assert_eq!(packets, 20, "one packet for both");
}

#[test]
fn while_somebody_of_higher_priority_is_heard_the_others_go_on_silently() {
    let mut stage = Stage::new(3);
    let channel = stage.people[1].channel;
    let high = options(false, Priority::High, 100);
    stage.act(1, |now, client| client.change_channel(now, channel, high)).unwrap();
    stage.people[0].says = true;
    stage.run(500);
    stage.people[1].says = true;
    stage.run(500);
    stage.people[1].says = false;
    stage.act(1, |now, client| client.end_talkspurt(now));
    stage.run(500);
    let heard = stage.heard(2, 0);
    let audible: Vec<_> = heard.iter().map(|heard| heard.audible).collect();
    let changes = audible.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(audible[0] && *audible.last().unwrap() && changes == 2, "{audible:?}");
    assert!(heard.windows(2).all(|pair| pair[1].at_us - pair[0].at_us == 20_000), "it was played on meanwhile");
    assert!(stage.heard(2, 1).iter().all(|heard| heard.audible));
    // The one of high priority is audible to itself neither way, and hears the other: nobody is above it there.
    assert!(stage.heard(1, 0).iter().all(|heard| heard.audible) && stage.heard(1, 1).is_empty());
}

#[test]
fn a_channel_without_priority_has_its_speakers_own_and_that_can_change() {
    let mut stage = Stage::new(2);
    let chief = stage.add_with(|config| config.priority = Priority::Medium);
    stage.run(300);
    stage.speak(&[0, chief]);
    assert!(stage.heard(1, chief).iter().all(|heard| heard.audible));
    let silent = stage.heard(1, 0).iter().filter(|heard| !heard.audible).count();
    assert!(silent >= 18, "{silent} of 20");
    stage.act(chief, |now, client| client.set_default_priority(now, Priority::Low));
    stage.run(200);
    stage.speak(&[0, chief]);
    assert!(stage.heard(1, 0).iter().all(|heard| heard.audible));
    let silent = stage.heard(1, chief).iter().filter(|heard| !heard.audible).count();
    assert!(silent >= 18, "{silent} of 20");
}

#[test]
fn a_change_of_an_open_channel_is_heard_from_the_next_frame_and_breaks_nothing() {
    let mut stage = Stage::new(2);
    let channel = stage.people[0].channel;
    stage.people[0].says = true;
    stage.run(400);
    stage.act(0, |now, client| client.change_channel(now, channel, options(true, Priority::None, 40))).unwrap();
    stage.run(400);
    let heard = stage.heard(1, 0);
    assert!(heard.windows(2).all(|pair| pair[1].at_us - pair[0].at_us == 20_000));
    let (first, last) = (heard[0], *heard.last().unwrap());
    assert_eq!((first.volume_percent, first.positional), (100, false));
    assert_eq!((last.volume_percent, last.positional), (40, true));
    assert_eq!(stage.people[1].events.iter().filter(|e| matches!(e, ClientEvent::StartedSpeaking(_))).count(), 1);
}

#[test]
fn with_its_last_channel_a_talkspurt_ends_at_once_for_everybody() {
    let mut stage = Stage::new(2);
    let (channel, id) = (stage.people[0].channel, stage.id(0));
    stage.people[0].says = true;
    stage.run(400);
    stage.act(0, |now, client| client.close_channel(now, channel)).unwrap();
    stage.run(2 * LATENCY_MS + 1);
    assert!(stage.people[1].events.contains(&ClientEvent::StoppedSpeaking(id)));
    stage.run(20);
    assert_eq!(stage.people[0].said, Some(Err(SendError::NoChannel)));
}

#[test]
fn a_channel_opened_while_speaking_adds_its_listeners_and_closed_takes_them_away() {
    let mut stage = Stage::new(2);
    let outsider = stage.add();
    let lobby = stage.people[outsider].lobby;
    stage.act(outsider, |now, client| client.leave_room(now, lobby)).unwrap();
    stage.run(300);
    stage.people[0].says = true;
    stage.run(200);
    assert!(stage.heard(outsider, 0).is_empty());
    let side = side_room(&mut stage, &[outsider], ChannelOptions::DEFAULT);
    stage.run(300);
    assert!(stage.heard(outsider, 0).len() > 8);
    stage.act(0, |now, client| client.close_channel(now, side)).unwrap();
    stage.run(300);
    stage.people[outsider].heard.clear();
    stage.run(300);
    assert!(stage.heard(outsider, 0).is_empty());
    let heard = stage.heard(1, 0);
    assert!(heard.windows(2).all(|pair| pair[1].at_us - pair[0].at_us == 20_000), "the first listener hears no break");
}

#[test]
fn whom_nobody_hears_is_told_sends_nothing_and_is_told_when_somebody_comes() {
    let mut stage = Stage::new(1);
    stage.people[0].says = true;
    stage.run(100);
    assert_eq!(stage.people[0].said, Some(Err(SendError::NobodyHears)));
    assert!(stage.people[0].client.is_unheard());
    let sent = stage.people[0].client.counters().voice_out.packets;
    stage.run(2_000);
    assert_eq!(stage.people[0].client.counters().voice_out.packets, sent);
    stage.add();
    stage.run(300);
    assert!(stage.people[0].events.contains(&ClientEvent::Heard));
    assert!(stage.heard(1, 0).len() > 8);
}

#[test]
fn who_opens_another_channel_to_nobody_is_told_again() {
    let mut stage = unheard();
    let room = stage.act(0, |now, client| client.use_room(now, "Empty", RoomUse::Both)).unwrap();
    stage.run(100);
    stage.act(0, |now, client| client.open_channel(now, TalkTo::Room(room), ChannelOptions::DEFAULT)).unwrap();
    stage.run(200);
    assert_eq!(stage.people[0].said, Some(Err(SendError::NobodyHears)));
}

#[test]
fn who_comes_back_to_nobody_is_told_again() {
    let mut stage = unheard();
    stage.lose_transport(0);
    stage.run(2_000);
    assert_eq!(stage.people[0].said, Some(Err(SendError::NobodyHears)));
}

/// Somebody who speaks, and has been told that nobody hears.
fn unheard() -> Stage {
    let mut stage = Stage::new(1);
    stage.people[0].says = true;
    stage.run(100);
    assert_eq!(stage.people[0].said, Some(Err(SendError::NobodyHears)));
    stage
}

#[test]
fn nobody_hears_itself_by_any_channel() {
    let mut stage = Stage::new(2);
    side_room(&mut stage, &[1], ChannelOptions::DEFAULT);
    stage.act(0, |now, client| client.use_room(now, "Side", RoomUse::Both)).unwrap();
    stage.run(100);
    stage.speak(&[0]);
    assert!(stage.hears(1, 0) && stage.heard(0, 0).is_empty());
    assert!(stage.people[0].client.speakers().next().is_none());
}
