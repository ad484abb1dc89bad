use voice_core::{ChannelError, ChannelOptions, ClientEvent, Priority, RoomUse, SendError, TalkTo, Volume};

use crate::party::Party;

#[test]
fn a_whisper_is_heard_by_one_and_by_nobody_else() {
    let mut party = Party::new(3);
    let (channel, one) = (party.channel[0], party.id(1));
    party.command(0, |now, client| {
        client.close_channel(now, channel).unwrap();
        client.open_channel(now, TalkTo::Client(one), ChannelOptions::DEFAULT).unwrap();
    });
    party.speak(&[0]);
    assert!(party.hears(1, 0) && !party.hears(2, 0));
}

#[test]
fn who_is_reached_by_room_and_whisper_hears_each_frame_once() {
    let mut party = Party::new(3);
    let one = party.id(1);
    party.command(0, |now, client| client.open_channel(now, TalkTo::Client(one), ChannelOptions::DEFAULT)).unwrap();
    party.speak(&[0]);
    assert!(party.heard(1, 0).len() <= 26 && party.hears(2, 0));
}

#[test]
fn nobody_hears_itself() {
    let mut party = Party::new(2);
    party.speak(&[0, 1]);
    assert!(!party.hears(0, 0) && !party.hears(1, 1));
    let own = party.id(0);
    let opened = party.command(0, |now, client| client.open_channel(now, TalkTo::Client(own), ChannelOptions::DEFAULT));
    assert_eq!(opened, Err(ChannelError::Oneself));
}

#[test]
fn channels_merge_to_the_loudest_volume_the_highest_priority_and_positional_only_if_all_are() {
    let mut party = Party::new(2);
    let (channel, one) = (party.channel[0], party.id(1));
    let options =
        |positional, percent, priority| ChannelOptions { positional, priority, volume: Volume::new(percent).unwrap() };
    party.command(0, |now, client| {
        client.change_channel(now, channel, options(true, 50, Priority::Low)).unwrap();
        client.open_channel(now, TalkTo::Client(one), options(false, 150, Priority::High)).unwrap();
    });
    party.speak(&[0]);
    assert!(party.heard(1, 0).iter().all(|heard| heard.volume_percent == 150 && !heard.positional && heard.audible));
}

#[test]
fn a_channel_changes_while_it_is_open() {
    let mut party = Party::new(2);
    let channel = party.channel[0];
    let options = ChannelOptions { positional: true, volume: Volume::new(20).unwrap(), ..ChannelOptions::DEFAULT };
    party.command(0, |now, client| client.change_channel(now, channel, options)).unwrap();
    party.speak(&[0]);
    assert!(party.heard(1, 0).iter().all(|heard| heard.volume_percent == 20 && heard.positional));
}

#[test]
fn only_the_highest_priority_is_to_be_heard() {
    let mut party = Party::new(3);
    let channel = party.channel[0];
    let options = ChannelOptions { priority: Priority::High, ..ChannelOptions::DEFAULT };
    party.command(0, |now, client| client.change_channel(now, channel, options)).unwrap();
    party.speak(&[0, 1]);
    assert!(party.heard(2, 0).iter().all(|heard| heard.audible));
    let drowned = party.heard(2, 1).iter().filter(|heard| !heard.audible).count();
    assert!(drowned > 20, "{drowned} of {}", party.heard(2, 1).len());
}

#[test]
fn a_channel_without_a_priority_has_its_speakers_own() {
    let mut party = Party::new(3);
    party.command(0, |now, client| client.set_default_priority(now, Priority::Low));
    party.run(300);
    party.speak(&[0, 1]);
    assert!(party.heard(2, 0).iter().filter(|heard| !heard.audible).count() > 20);
    assert!(party.heard(2, 1).iter().all(|heard| heard.audible));
}

#[test]
fn with_no_channel_open_nothing_is_sent() {
    let mut party = Party::new(2);
    let channel = party.channel[0];
    party.command(0, |now, client| client.close_channel(now, channel)).unwrap();
    party.speak(&[0]);
    assert!(!party.hears(1, 0));
    let sent = party.command(0, |now, client| client.send_frame(now, &[1]));
    assert_eq!(sent, Err(SendError::NoChannel));
}

#[test]
fn a_speaker_whom_nobody_hears_is_told_and_sends_nothing_until_somebody_does() {
    let mut party = Party::new(2);
    party.command(1, |now, client| client.set_deafened(now, true));
    party.run(200);
    party.speak(&[0]);
    assert!(party.events(0).contains(&ClientEvent::Unheard));
    let before = party.world.client(0).counters().voice_out.packets;
    party.speak(&[0]);
    assert_eq!(party.world.client(0).counters().voice_out.packets, before);
    party.command(1, |now, client| client.set_deafened(now, false));
    party.run(200);
    assert!(party.events(0).contains(&ClientEvent::Heard));
    party.speak(&[0]);
    assert!(party.hears(1, 0));
}

#[test]
fn the_channels_by_which_one_is_heard_are_shown_and_not_those_of_others() {
    let mut party = Party::new(3);
    let two = party.id(2);
    party.command(0, |now, client| {
        let forge = client.use_room(now, "Forge", RoomUse::Both).unwrap();
        client.open_channel(now, TalkTo::Room(forge), ChannelOptions::DEFAULT).unwrap();
        client.open_channel(now, TalkTo::Client(two), ChannelOptions::DEFAULT).unwrap();
    });
    party.run(200);
    party.speak(&[0]);
    let zero = party.id(0);
    assert_eq!(party.world.client(1).heard_channels(zero).len(), 1);
    assert_eq!(party.world.client(2).heard_channels(zero).len(), 2);
}

#[test]
fn listeners_learn_at_once_that_somebody_starts_and_stops() {
    let mut party = Party::new(2);
    let zero = party.id(0);
    party.speak(&[0]);
    let events = party.events(1);
    let started = events.iter().position(|event| *event == ClientEvent::StartedSpeaking(zero));
    let stopped = events.iter().position(|event| *event == ClientEvent::StoppedSpeaking(zero));
    assert!(started.is_some() && started < stopped);
}
