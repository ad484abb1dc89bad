use voice_core::{Delivery, DropReason, TalkTo};

use crate::harness::{End, Fate, LATENCY_MS, Sent, Stage};

fn voice_to(sent: &Sent, who: usize) -> bool {
    sent.to == End::Person(who) && sent.bytes[0] >= 0x80
}

/// Speaks for so long, with this fate for every `nth` voice packet to person 1.
fn speak_badly(stage: &mut Stage, ms: u64, nth: u64, fate: Fate) {
    let mut n = 0;
    stage.network = Box::new(move |sent| {
        n += u64::from(voice_to(sent, 1));
        if voice_to(sent, 1) && n % nth == 0 { fate } else { Fate::Deliver }
    });
    stage.people[0].says = true;
    stage.run(ms);
}

#[test]
fn the_round_trip_is_what_the_network_takes() {
    let mut stage = Stage::new(2);
    stage.network = Box::new(|sent| match (sent.from, sent.to) {
        (End::Person(1), _) => Fate::DelayMs(70),
        (_, End::Person(1)) => Fate::DelayMs(30),
        _ => Fate::Deliver,
    });
    stage.people[0].says = true;
    stage.run(60_000);
    let rtt = |who: usize| stage.people[who].client.rtt().unwrap().as_micros();
    assert_eq!(rtt(0), 2_000 * u128::from(LATENCY_MS));
    assert!((99_900..=100_100).contains(&rtt(1)), "{}", rtt(1));
    assert!(stage.people[1].client.rtt_variation().as_millis() <= 1, "it never varied, but once");
    let report = stage.server.client(stage.id(1)).unwrap().report();
    assert_eq!(report.rtt_ms, 100, "and the server is told");
}

#[test]
fn what_is_lost_is_counted_at_the_listener_and_reported_to_the_server() {
    let mut stage = Stage::new(2);
    speak_badly(&mut stage, 4_000, 5, Fate::Drop);
    stage.run(1_100);
    let stats = stage.people[1].client.speaker_stats(stage.id(0)).unwrap();
    let sent = stage.sent(|sent| voice_to(sent, 1)) as u32;
    assert!(stats.received + stats.lost <= sent && stats.received + stats.lost + 2 >= sent);
    assert_eq!(stats.lost, sent / 5);
    assert!((46..=56).contains(&stats.loss), "{} of 255 is a fifth", stats.loss);
    assert_eq!(stage.server.client(stage.id(1)).unwrap().report().loss, stats.loss);
    assert!(stats.concealed_ms + 20 * stats.recovered >= 20 * (stats.lost - 2));
}

#[test]
fn who_is_told_that_packets_reach_far_back_waits_for_them_and_recovers_more() {
    let mut stage = Stage::new(3);
    let mut n = [0_u64; 3];
    stage.network = Box::new(move |sent| match sent.to {
        End::Person(who) if voice_to(sent, who) => {
            n[who] += 1;
            if n[who] % 30 >= 27 { Fate::Drop } else { Fate::Deliver }
        }
        _ => Fate::Deliver,
    });
    stage.people[0].says = true;
    stage.run(100);
    let speaker = stage.id(0);
    stage.people[2].client.set_speaker_redundancy(speaker, 3);
    // Nobody by this id is heard.
    let stranger = stage.id(1);
    stage.people[2].client.set_speaker_redundancy(stranger, 200);
    stage.run(20_000);
    let stats = |who: usize| stage.people[who].client.speaker_stats(speaker).unwrap();
    let (untold, told) = (stats(1), stats(2));
    assert!(told.recovered * 10 > told.lost * 7, "{told:?}");
    assert!(untold.recovered * 10 < untold.lost * 4, "{untold:?}");
    assert!(told.delay_us >= 50_000 && told.delay_us > untold.delay_us, "{told:?} {untold:?}");
    assert!(told.concealed_ms * 2 < untold.concealed_ms, "{told:?} {untold:?}");
}

#[test]
fn what_comes_twice_or_too_late_is_counted_as_that() {
    let mut stage = Stage::new(2);
    speak_badly(&mut stage, 2_000, 10, Fate::Twice);
    stage.people[0].says = false;
    stage.run(100);
    let stats = stage.people[1].client.speaker_stats(stage.id(0)).unwrap();
    assert_eq!((stats.duplicates, stats.lost, stats.late), (10, 0, 0));
    assert_eq!(stage.people[1].client.drops().get(DropReason::Duplicate), 10);

    let mut stage = Stage::new(2);
    speak_badly(&mut stage, 2_000, 10, Fate::DelayMs(300));
    stage.people[0].says = false;
    stage.run(400);
    let stats = stage.people[1].client.speaker_stats(stage.id(0)).unwrap();
    assert!(stats.late >= 9 && stats.late <= 12, "{} late", stats.late);
    assert_eq!(stats.lost, 0, "in the end all came");
}

#[test]
fn jitter_is_nought_on_an_even_way_and_measured_on_an_uneven_one() {
    let mut stage = Stage::new(2);
    speak_badly(&mut stage, 2_000, 1, Fate::DelayMs(40));
    assert_eq!(stage.people[1].client.speaker_stats(stage.id(0)).unwrap().jitter_us, 0);

    let mut stage = Stage::new(2);
    speak_badly(&mut stage, 4_000, 2, Fate::DelayMs(LATENCY_MS + 16));
    let jitter = stage.people[1].client.speaker_stats(stage.id(0)).unwrap().jitter_us;
    assert!((15_000..=16_500).contains(&jitter), "{jitter} µs for steps of 16 ms up and down");
}

#[test]
fn packets_and_bytes_are_counted_by_delivery_at_both_ends() {
    let mut stage = Stage::new(2);
    let lobby = stage.people[0].lobby;
    let before = (*stage.people[0].client.counters(), *stage.server.counters());
    stage.act(0, |now, client| client.send_text(now, TalkTo::Room(lobby), "text")).unwrap();
    stage.speak(&[0]);
    let after = (*stage.people[0].client.counters(), *stage.server.counters());
    let logged = |from, delivery| {
        let these = stage.log.iter().filter(|sent| sent.from == from && sent.delivery == delivery);
        these.fold((0, 0), |(packets, bytes), sent| (packets + 1, bytes + sent.bytes.len() as u64))
    };
    let grown = |before: voice_core::TrafficCount, after: voice_core::TrafficCount| {
        (after.packets - before.packets, after.bytes - before.bytes)
    };
    let (reliable, unreliable) = (Delivery::Reliable, Delivery::Unreliable);
    assert_eq!(grown(before.0.reliable_out, after.0.reliable_out), logged(End::Person(0), reliable));
    assert_eq!(grown(before.0.unreliable_out, after.0.unreliable_out), logged(End::Person(0), unreliable));
    assert_eq!(grown(before.1.reliable_out, after.1.reliable_out), logged(End::Server, reliable));
    assert_eq!(grown(before.1.unreliable_out, after.1.unreliable_out), logged(End::Server, unreliable));
    assert_eq!(grown(before.0.voice_out, after.0.voice_out), (20, 20 * 52), "12 B of header for 40 B of voice");
    assert_eq!(grown(before.1.voice_out, after.1.voice_out), (20, 20 * 52));
    assert_eq!(stage.people[0].client.drops().total() + stage.server.drops().total(), 0);
}
