use voice_core::{
    ChannelOptions, ClientEvent, Delivery, DropReason, State, StateReason, TalkTo,
    wire::{CloseReason, Kind, Packet},
};

use crate::harness::{End, Fate, Sent, Stage};

const AT: usize = 1;

/// Gives this fate to the reliable packet with this number of those that the person sends, or is sent.
fn meddle(stage: &mut Stage, upwards: bool, number: usize, fate: Fate) {
    let mut seen = 0;
    stage.network = Box::new(move |sent| {
        let end = if upwards { sent.from } else { sent.to };
        if end != End::Person(AT) || sent.delivery != Delivery::Reliable {
            return Fate::Deliver;
        }
        seen += 1;
        if seen == number + 1 { fate } else { Fate::Deliver }
    });
}

/// Changes that need reliable packets in both directions.
fn stir(stage: &mut Stage) {
    for muted in [true, false, true, false] {
        for who in [0, AT] {
            stage.act(who, |now, client| client.set_muted(now, muted));
        }
        stage.run(100);
    }
}

#[test]
fn whichever_message_is_lost_or_repeated_the_session_starts_cleanly_again() {
    for fate in [Fate::Drop, Fate::Twice] {
        for (upwards, number) in (0..3).map(|n| (true, n)).chain((0..3).map(|n| (false, n))) {
            let mut stage = Stage::new(3);
            let before = stage.id(AT);
            meddle(&mut stage, upwards, number, fate);
            stir(&mut stage);
            stage.run(1_500);
            let what = format!("{fate:?} {number}, upwards: {upwards}");
            assert_eq!(stage.people[AT].client.state(), State::Connected, "{what}");
            assert_ne!(stage.id(AT), before, "{what}: not the old seat, which may have missed something");
            stage.speak(&[0, AT]);
            assert!(stage.hears(AT, 0) && stage.hears(0, AT) && stage.hears(2, AT), "{what}");
            // A gap that only the client sees is a lost connection to the server: the old seat waits for its time.
            stage.run(if upwards { 0 } else { 30_000 });
            assert_eq!(stage.server.client_count(), 3, "{what}: the old seat is free");
            assert_eq!(stage.people[0].client.roster().count(), 3, "{what}");
        }
    }
}

#[test]
fn a_message_that_is_lost_with_none_after_it_is_noticed_within_42_seconds_and_told_again() {
    for upwards in [true, false] {
        let mut stage = Stage::new(2);
        stage.run(2_000);
        let before = stage.id(AT);
        meddle(&mut stage, upwards, 0, Fate::Drop);
        // A message of the person's own, or one that tells it of the other's.
        stage.act(if upwards { AT } else { 0 }, |now, client| client.set_muted(now, true));
        stage.run(14_000);
        assert_eq!(stage.id(AT), before, "upwards: {upwards}: the transport has its time");
        // The server notices when the client, which is idle, pings for the second time.
        stage.run(if upwards { 6_000 } else { 28_000 });
        assert_eq!(stage.people[AT].client.state(), State::Connected, "upwards: {upwards}");
        assert_ne!(stage.id(AT), before, "upwards: {upwards}");
        let (seer, muted) = if upwards { (0, AT) } else { (AT, 0) };
        let muted = stage.id(muted);
        assert!(
            stage.people[seer].client.person(muted).is_some_and(|person| person.flags().muted),
            "upwards: {upwards}"
        );
    }
}

#[test]
fn a_gap_at_the_server_is_answered_and_at_the_client_ends_the_transport() {
    let mut stage = Stage::new(2);
    meddle(&mut stage, true, 0, Fate::Drop);
    stir(&mut stage);
    let broken = |sent: &Sent| matches!(sent.packet(), Packet::Closed { reason: CloseReason::LaneBroken, .. });
    assert_eq!(stage.sent(|sent| sent.to == End::Person(AT) && broken(sent)), 1);
    assert_eq!(stage.server.drops().get(DropReason::LaneBroken), 1);

    let mut stage = Stage::new(2);
    let attempt = stage.people[AT].client.transport_wanted();
    meddle(&mut stage, false, 0, Fate::Drop);
    stage.act(0, |now, client| client.set_muted(now, true));
    stage.run(100);
    stage.act(0, |now, client| client.set_muted(now, false));
    stage.run(100);
    let client = &stage.people[AT].client;
    assert_eq!((client.state(), client.state_reason()), (State::Reconnecting, StateReason::LaneBroken));
    stage.run(1_000);
    assert_ne!(stage.people[AT].client.transport_wanted(), attempt);
}

#[test]
fn the_others_hear_each_other_without_a_gap_meanwhile() {
    let mut stage = Stage::new(3);
    meddle(&mut stage, true, 0, Fate::Drop);
    stage.act(AT, |now, client| client.set_muted(now, true));
    stage.act(AT, |now, client| client.set_muted(now, false));
    stage.speak(&[0]);
    assert!(stage.hears(2, 0));
    let times: Vec<_> = stage.heard(2, 0).iter().map(|heard| heard.at_us).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 20_000), "{times:?}");
}

#[test]
fn a_whisper_to_somebody_whose_lane_broke_ends_with_a_word() {
    let mut stage = Stage::new(2);
    let other = stage.id(AT);
    let channel =
        stage.act(0, |now, client| client.open_channel(now, TalkTo::Client(other), ChannelOptions::DEFAULT)).unwrap();
    meddle(&mut stage, true, 0, Fate::Drop);
    stage.act(AT, |now, client| client.set_muted(now, true));
    stage.run(10);
    stage.act(AT, |now, client| client.set_muted(now, false));
    stage.run(200);
    assert!(stage.people[0].events.contains(&ClientEvent::ChannelClosed(channel)));
}

/// Lets nothing of what the server sends be acknowledged.
fn acknowledge_nothing(sent: &mut Sent) -> Fate {
    match (sent.from, sent.kind()) {
        (End::Person(AT), Kind::LaneAck) => Fate::Drop,
        (End::Person(AT), Kind::Ping) => {
            sent.bytes[9..11].copy_from_slice(&1_u16.to_be_bytes());
            Fate::Deliver
        }
        _ => Fate::Deliver,
    }
}

#[test]
fn no_more_than_64_messages_are_under_way_and_who_acknowledges_none_is_closed_after_15_to_36_s() {
    let mut stage = Stage::empty(Default::default());
    stage.network = Box::new(acknowledge_nothing);
    stage.add();
    stage.add();
    stage.run(300);
    for n in 0..160 {
        stage.act(0, |now, client| client.set_muted(now, n % 2 == 0));
        stage.run(60);
    }
    let to_it = |sent: &Sent| sent.to == End::Person(AT) && sent.delivery == Delivery::Reliable;
    // Welcome is number 0, and that it came is known.
    assert_eq!(stage.sent(to_it), 65);
    assert_eq!(stage.people[AT].client.state(), State::Connected);
    // The server looks when a Ping comes, and who is told nothing more may be idle.
    stage.run(36_000);
    let stalled = |sent: &Sent| matches!(sent.packet(), Packet::Closed { reason: CloseReason::LaneStalled, .. });
    assert_eq!(stage.sent(|sent| sent.to == End::Person(AT) && stalled(sent)), 1);
}

#[test]
fn a_client_sends_no_more_than_64_messages_that_are_not_acknowledged() {
    let mut stage = Stage::new(2);
    let lobby = stage.people[AT].lobby;
    let next: u16 = stage.people[AT].client.counters().reliable_out.packets.try_into().unwrap();
    stage.network = Box::new(move |sent| match (sent.to, sent.kind()) {
        (End::Person(AT), Kind::LaneAck) => Fate::Drop,
        (End::Person(AT), Kind::Pong) => {
            sent.bytes[9..11].copy_from_slice(&next.to_be_bytes());
            Fate::Deliver
        }
        _ => Fate::Deliver,
    });
    for n in 0..30 {
        stage.act(AT, |now, client| {
            (0..4).for_each(|_| _ = client.send_text(now, TalkTo::Room(lobby), "text"));
            client.set_muted(now, n % 2 == 0);
        });
        stage.run(100);
    }
    let from_it = |sent: &Sent| sent.from == End::Person(AT) && sent.delivery == Delivery::Reliable;
    assert_eq!(stage.sent(from_it), 64);
    stage.network = Box::new(|_| Fate::Deliver);
    stage.run(2_000);
    assert!(stage.sent(from_it) > 64, "it goes on where it stopped");
    assert_eq!(stage.people[AT].client.state(), State::Connected);
}
