use voice_core::{
    State, StateReason,
    wire::{Kind, Packet},
};

use crate::harness::{End, Fate, Sent, Stage};

/// Past this, who heard or said nothing is idle, and has had the first answer since.
const UNTIL_IDLE_MS: u64 = 12_000;

fn idle_stage(people: usize) -> Stage {
    let mut stage = Stage::new(people);
    stage.run(UNTIL_IDLE_MS);
    stage.log.clear();
    stage
}

fn pings(stage: &Stage, who: usize) -> Vec<&Sent> {
    stage.log.iter().filter(|sent| sent.from == End::Person(who) && sent.kind() == Kind::Ping).collect()
}

/// Waits until this person has just pinged, and been answered.
fn after_a_ping(stage: &mut Stage, who: usize) {
    while pings(stage, who).is_empty() {
        stage.run(100);
    }
    stage.run(100);
    stage.log.clear();
}

#[test]
fn who_is_idle_pings_every_20_seconds_and_in_a_talk_every_second() {
    let mut stage = idle_stage(3);
    stage.run(200_000);
    for who in 0..3 {
        let pings = pings(&stage, who);
        assert!((9..=11).contains(&pings.len()), "{}", pings.len());
        assert!(pings.iter().all(|sent| matches!(sent.packet(), Packet::Ping(ping) if ping.idle)));
        assert!(pings.windows(2).all(|two| (19_900_000..20_100_000).contains(&(two[1].at_us - two[0].at_us))));
        assert_eq!(stage.people[who].client.state(), State::Connected);
        assert!(stage.server.client(stage.id(who)).is_some_and(|client| client.connection().is_some()));
    }
    stage.people[0].says = true;
    stage.run(2_000);
    stage.log.clear();
    stage.run(10_000);
    for who in 0..3 {
        let pings = pings(&stage, who);
        assert!((9..=11).contains(&pings.len()), "{}", pings.len());
        assert!(pings.iter().all(|sent| matches!(sent.packet(), Packet::Ping(ping) if !ping.idle)));
    }
}

#[test]
fn an_idle_ping_that_is_lost_is_repeated_each_second_until_one_is_answered() {
    let mut stage = idle_stage(1);
    after_a_ping(&mut stage, 0);
    let mut lost = 0;
    stage.network = Box::new(move |sent| {
        lost += u32::from(sent.kind() == Kind::Ping);
        if lost <= 2 { Fate::Drop } else { Fate::Deliver }
    });
    stage.run(30_000);
    let at: Vec<u64> = pings(&stage, 0).iter().map(|sent| sent.at_us).collect();
    assert_eq!(at.windows(2).map(|two| (two[1] - two[0] + 500_000) / 1_000_000).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(stage.people[0].client.state(), State::Connected, "two lost pings are no reason to worry");
}

#[test]
fn an_idle_client_notices_that_the_server_is_gone_8_seconds_after_it_has_asked() {
    let mut stage = idle_stage(1);
    after_a_ping(&mut stage, 0);
    stage.people[0].cut = true;
    stage.run(19_000);
    assert_eq!(stage.people[0].client.state(), State::Connected, "who asked nothing misses nothing");
    while pings(&stage, 0).is_empty() {
        stage.run(10);
    }
    stage.run(2_900);
    assert_eq!(stage.people[0].client.state(), State::Connected);
    stage.run(200);
    assert_eq!(stage.people[0].client.state(), State::Degraded);
    stage.run(4_700);
    assert_eq!(stage.people[0].client.state(), State::Degraded);
    stage.run(300);
    assert_eq!(stage.people[0].client.state(), State::Reconnecting);
    assert_eq!(stage.people[0].client.state_reason(), StateReason::Silence);
}

#[test]
fn who_speaks_after_a_pause_notices_a_dead_server_as_soon_as_in_a_talk() {
    let mut stage = idle_stage(2);
    after_a_ping(&mut stage, 0);
    stage.people[0].cut = true;
    stage.people[0].says = true;
    stage.run(3_100);
    assert_eq!(stage.people[0].client.state(), State::Degraded);
    stage.run(5_000);
    assert_eq!(stage.people[0].client.state(), State::Reconnecting);
}

#[test]
fn the_server_waits_30_seconds_for_an_idle_client_and_10_for_another() {
    for (idle, least, most) in [(true, 9_900, 30_100), (false, 8_900, 10_100)] {
        let mut stage = idle_stage(2);
        if !idle {
            stage.speak(&[0]);
        }
        stage.people[0].cut = true;
        let id = stage.id(0);
        let is_there = |stage: &Stage| stage.server.client(id).is_some_and(|client| client.connection().is_some());
        let mut waited = 0;
        while is_there(&stage) {
            stage.run(100);
            waited += 100;
        }
        assert!((least..=most).contains(&waited), "idle: {idle}: {waited} ms");
        assert!(stage.server.client(id).is_some(), "the seat waits");
    }
}

#[test]
fn who_hears_the_first_word_after_a_pause_pings_within_a_second_but_not_all_at_once() {
    let mut stage = idle_stage(12);
    let from = stage.now().as_us();
    stage.people[0].says = true;
    stage.run(1_100);
    let first: Vec<u64> =
        (1..12).filter_map(|who| pings(&stage, who).first().map(|sent| (sent.at_us - from) / 100_000)).collect();
    assert_eq!(first.len(), 11, "each has pinged");
    let tenths: std::collections::BTreeSet<_> = first.iter().collect();
    assert!(tenths.len() >= 4, "in {} tenths of a second", tenths.len());
}

#[test]
fn an_idle_client_acknowledges_what_it_is_told_within_a_second_and_rests_again() {
    let mut stage = idle_stage(2);
    after_a_ping(&mut stage, 0);
    stage.act(1, |now, client| client.set_muted(now, true));
    stage.run(1_200);
    assert_eq!(pings(&stage, 0).len(), 1);
    assert_eq!(pings(&stage, 1).len(), 1, "and who has said something asks whether it has come");
    stage.run(18_000);
    assert_eq!(pings(&stage, 0).len(), 1);
}

#[test]
fn who_is_told_of_another_network_asks_at_once() {
    let mut stage = idle_stage(1);
    after_a_ping(&mut stage, 0);
    stage.act(0, |now, client| client.handle_network_back(now));
    stage.run(10);
    assert_eq!(pings(&stage, 0).len(), 1);
    stage.run(19_000);
    assert_eq!(pings(&stage, 0).len(), 1, "and rests again");
}

#[test]
fn whose_machine_has_slept_reconnects_at_once_in_a_talk_and_in_silence() {
    for idle in [true, false] {
        let mut stage = idle_stage(2);
        if !idle {
            stage.speak(&[1]);
        }
        let woken = stage.now().after(core::time::Duration::from_secs(60));
        stage.people[0].client.handle_timeout(woken);
        assert_eq!(stage.people[0].client.state(), State::Reconnecting, "idle: {idle}");
        assert_eq!(stage.people[0].client.state_reason(), StateReason::Silence, "idle: {idle}");
    }
}

#[test]
fn what_came_while_a_machine_slept_counts_as_heard() {
    let mut stage = idle_stage(2);
    stage.speak(&[1]);
    let woken = stage.now().after(core::time::Duration::from_secs(60));
    let session = stage.people[0].client.session().unwrap();
    let pong = crate::harness::encoded(&Packet::LaneAck { session, next: 1 });
    stage.people[0].client.handle_packet(woken, voice_core::Source::Server, voice_core::Delivery::Unreliable, &pong);
    stage.people[0].client.handle_timeout(woken);
    assert_eq!(stage.people[0].client.state(), State::Connected);
}
