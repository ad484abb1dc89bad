//! The transport without a socket: two ends, and what may happen between them.

mod certificates;
mod closing;
mod day;
mod limits;
mod outside;
mod wire;

use std::collections::BTreeSet;

use adapter_udp::{Config, DownReason, Endpoint, Event, Fingerprint, Identity, SendError, Trust};
use voice_core::Delivery::{Reliable, Unreliable};
use wire::{Wire, address, machine};

/// Voice as the core sends it: the first byte has its highest bit set.
const VOICE: [u8; 92] = [0x80; 92];

#[test]
fn both_deliveries_go_both_ways_and_the_lane_keeps_its_order() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link, there) = wire.connected();
    for number in 0..100_u8 {
        wire.send(client, link, Reliable, &[number; 300]);
        wire.run(3);
    }
    wire.send(client, link, Unreliable, &VOICE);
    wire.run(300);
    let lane: Vec<u8> = wire.nodes[0].packets(Reliable).iter().map(|packet| packet[0]).collect();
    assert_eq!(lane, (0..100).collect::<Vec<u8>>());
    assert_eq!(wire.nodes[0].packets(Unreliable), [VOICE]);
    wire.send(0, there, Reliable, &[9; 1_200]);
    wire.send(0, there, Unreliable, &VOICE);
    wire.run(200);
    assert_eq!(wire.nodes[client].packets(Reliable), [[9; 1_200]]);
    assert_eq!(wire.nodes[client].packets(Unreliable), [VOICE]);
}

#[test]
fn the_lane_survives_a_network_that_loses_a_third_of_all_datagrams() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link, _) = wire.connected();
    let mut state = 1_u32;
    wire.loses = Box::new(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 16 < 21_845
    });
    for number in 0..50_u8 {
        wire.send(client, link, Reliable, &[number; 700]);
    }
    wire.run(60_000);
    let lane: Vec<u8> = wire.nodes[0].packets(Reliable).iter().map(|packet| packet[0]).collect();
    assert_eq!(lane, (0..50).collect::<Vec<u8>>());
}

#[test]
fn two_links_of_a_client_to_the_same_server_each_hear_what_is_theirs() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, first, there) = wire.connected();
    let now = wire.now;
    let second = wire.nodes[client].endpoint.connect(now, address(1), Trust::FirstUse).unwrap();
    wire.run(200);
    let there_too = wire.nodes[0].ups().last().unwrap().0;
    wire.send(0, there, Unreliable, b"to the first");
    wire.send(0, there_too, Unreliable, b"to the second");
    wire.run(50);
    for (link, text) in [(first, &b"to the first"[..]), (second, b"to the second")] {
        assert!(wire.nodes[client].heard.contains(&(link, text.to_vec())), "{:?}", wire.nodes[client].heard);
    }
}

#[test]
fn nothing_that_is_said_can_be_read_on_the_wire() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link, there) = wire.connected();
    let secret = b"somebody says what nobody else may hear";
    for delivery in [Reliable, Unreliable] {
        wire.send(client, link, delivery, secret);
        wire.send(0, there, delivery, secret);
    }
    wire.run(200);
    assert_eq!(wire.nodes[0].packets(Unreliable), [secret]);
    assert!(wire.log.iter().all(|(_, _, bytes)| bytes.windows(8).all(|window| window != &secret[..8])));
}

#[test]
fn frames_for_one_listener_share_a_datagram_and_cost_as_little_as_promised() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, _, there) = wire.connected();
    // A frame of 80 bytes behind the core's 12.
    for (frames, most) in [(1, 40), (2, 24), (4, 20)] {
        let before = wire.log.len();
        (0..frames).for_each(|_| wire.send(0, there, Unreliable, &VOICE));
        wire.run(50);
        let sent: Vec<_> = wire.log[before..].iter().filter(|(_, _, bytes)| bytes.len() > 92).collect();
        assert_eq!(sent.len(), 1, "{frames} frames in one datagram");
        let each = (sent[0].2.len() - frames * 80) / frames;
        assert!(each <= most, "{frames} frames: {each} bytes each of at most {most}");
    }
    assert_eq!(wire.nodes[client].packets(Unreliable).len(), 7);
}

#[test]
fn a_pinned_server_is_the_only_one_that_is_talked_to() {
    let mut wire = Wire::new(Config::DEFAULT);
    let shown = wire.nodes[0].endpoint.fingerprint();
    let (right, _) = wire.connect(Trust::Pinned(shown));
    let (wrong, link) = wire.connect(Trust::Pinned(Fingerprint([1; 32])));
    let (first, _) = wire.connect(Trust::FirstUse);
    wire.run(500);
    assert_eq!(wire.nodes[right].ups()[0].1, Some(shown));
    assert_eq!(wire.nodes[first].ups()[0].1, Some(shown), "to be pinned from now on");
    assert_eq!(wire.nodes[wrong].events, [Event::Down(link, DownReason::WrongServer(shown))]);
    assert_eq!(wire.nodes[0].ups().len(), 2);
    // The server knows its clients by their keys.
    let known: Vec<_> = wire.nodes[0].ups().iter().map(|(_, who)| who.unwrap()).collect();
    assert_eq!(known, [wire.nodes[right].endpoint.fingerprint(), wire.nodes[first].endpoint.fingerprint()]);
}

#[test]
fn a_client_that_moves_to_another_address_is_heard_and_hears_on() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link, there) = wire.connected();
    wire.send(client, link, Reliable, b"the client says the first word on the lane");
    wire.run(50);
    wire.nodes[client].address = address(999);
    for _ in 0..10 {
        wire.send(client, link, Unreliable, &VOICE);
        wire.send(0, there, Unreliable, &VOICE);
        wire.run(20);
    }
    assert_eq!(wire.nodes[0].packets(Unreliable).len(), 10);
    let heard = wire.nodes[client].packets(Unreliable).len();
    assert!(heard >= 6, "{heard} of 10");
    assert_eq!(wire.nodes[0].endpoint.peer(there).unwrap().0, address(999));
    // The lane, too, and nobody had to join again.
    wire.send(0, there, Reliable, b"still here");
    wire.run(1_000);
    assert_eq!(wire.nodes[client].packets(Reliable), [b"still here"]);
    assert_eq!(wire.nodes[client].ups().len(), 1);
}

#[test]
fn a_thief_of_an_address_gets_no_voice() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link, there) = wire.connected();
    wire.send(client, link, Unreliable, &VOICE);
    wire.loses = Box::new(|bytes| bytes[0] & 0xC0 == 0x80);
    wire.run(5);
    wire.loses = Box::new(|_| false);
    // Somebody on the way sends the datagram on from an address of its own, before it comes.
    let (_, to, bytes) = wire.log.last().unwrap().clone();
    let thief = address(666);
    wire.inject(thief, to, &bytes);
    wire.run(100);
    for _ in 0..20 {
        wire.send(0, there, Unreliable, &VOICE);
        wire.run(20);
    }
    let stolen: usize = wire.log.iter().filter(|(_, to, _)| *to == thief).map(|(_, _, bytes)| bytes.len()).sum();
    assert!(stolen <= bytes.len(), "{stolen} bytes for {}", bytes.len());
    assert_eq!(wire.nodes[client].packets(Unreliable).len(), 20);
}

#[test]
fn garbage_and_replays_are_counted_and_do_no_harm() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link, _) = wire.connected();
    wire.send(client, link, Unreliable, &VOICE);
    wire.run(50);
    let datagrams: Vec<_> = wire.log.iter().filter(|(from, ..)| *from == address(101)).cloned().collect();
    for (from, to, bytes) in &datagrams {
        wire.inject(*from, *to, bytes);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            wire.inject(address(777), *to, &changed);
            wire.inject(*from, *to, &bytes[..at]);
        }
    }
    wire.run(300);
    let drops = wire.nodes[0].endpoint.drops();
    assert!(drops.replayed >= 90 && drops.malformed >= 10, "{drops:?}");
    wire.send(client, link, Unreliable, &[0x81; 50]);
    wire.send(client, link, Reliable, b"lane");
    wire.run(300);
    assert_eq!(wire.nodes[0].packets(Unreliable), [VOICE.to_vec(), vec![0x81; 50]]);
    assert_eq!(wire.nodes[0].packets(Reliable), [b"lane"]);
}

#[test]
fn what_others_make_up_for_a_link_is_counted_as_forged() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link, _) = wire.connected();
    wire.send(client, link, Unreliable, &VOICE);
    wire.run(50);
    let (from, to, real) = wire.log.iter().rfind(|(.., bytes)| bytes[0] & 0xC0 == 0x80).unwrap().clone();
    for number in 1..200_u16 {
        let mut made_up = real.clone();
        made_up[5..7].copy_from_slice(&number.to_be_bytes());
        wire.inject(from, to, &made_up);
    }
    wire.run(50);
    assert_eq!(wire.nodes[0].endpoint.drops().forged, 199);
    (0..20).for_each(|_| wire.send(client, link, Unreliable, &VOICE));
    wire.run(50);
    assert_eq!(wire.nodes[0].packets(Unreliable).len(), 21, "the numbers that were made up aren't used");
}

#[test]
fn forged_beginnings_cost_no_more_than_they_bring_and_others_talk_on() {
    let mut wire = Wire::new(Config { links: 64, retry_above: 4, ..Config::DEFAULT });
    let (client, link, _) = wire.connected();
    // A thousand first datagrams of clients that never answer, each from an address of its own.
    let limits = Config { links: 1_000, ..Config::DEFAULT };
    let mut stranger = Endpoint::client(limits, Identity::generate().unwrap());
    let (before, mut first) = (wire.log.len(), Vec::new());
    for number in 0..1_000_u16 {
        stranger.connect(wire.now, address(1), Trust::FirstUse).unwrap();
        stranger.poll_transmit(wire.now, &mut first).unwrap();
        wire.inject(address(2_000 + number), address(1), &first);
        if number % 50 == 0 {
            wire.send(client, link, Unreliable, &VOICE);
            wire.run(20);
        }
    }
    wire.run(3_000);
    let sent: usize = wire.log[before..].iter().filter(|(_, to, _)| to.port() >= 2_000).map(|(.., b)| b.len()).sum();
    assert!(sent <= 3 * 1_000 * first.len(), "{sent} bytes for {}", 1_000 * first.len());
    let answered: BTreeSet<_> =
        wire.log[before..].iter().filter(|(_, to, _)| to.port() >= 2_000).map(|a| a.1).collect();
    assert!(answered.len() >= 990, "only {} are answered", answered.len());
    assert_eq!(wire.nodes[0].packets(Unreliable).len(), 20);
    wire.run(15_000);
    assert_eq!(wire.nodes[0].endpoint.links(), 1, "what was begun is forgotten");
}

#[test]
fn a_closed_link_is_down_at_both_ends_and_its_place_is_used_again() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link, there) = wire.connected();
    let now = wire.now;
    wire.nodes[client].endpoint.close(now, link);
    wire.run(3_000);
    assert!(wire.nodes[client].events.contains(&Event::Down(link, DownReason::Closed)));
    assert!(wire.nodes[0].events.contains(&Event::Down(there, DownReason::ClosedByPeer)));
    assert_eq!(wire.nodes[0].endpoint.links(), 0);
    let now = wire.now;
    assert_eq!(wire.nodes[0].endpoint.send(now, there, Unreliable, &VOICE), Err(SendError::Down));
    let (_, _, next) = wire.connected();
    assert_eq!(next.index(), there.index());
    assert_ne!(next, there);
}

#[test]
fn a_client_learns_within_three_seconds_that_the_server_has_started_anew() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link, _) = wire.connected();
    wire.restart_server();
    for _ in 0..30 {
        wire.send_if_up(client, link, &VOICE);
        wire.run(100);
    }
    assert!(
        wire.nodes[client].events.contains(&Event::Down(link, DownReason::NoAnswer)),
        "{:?}",
        wire.nodes[client].events
    );
}

#[test]
fn four_hundred_clients_learn_within_two_seconds_that_the_server_has_started_anew() {
    let mut wire = Wire::new(Config::DEFAULT);
    // At once, so that they ask in the same turn of the server, too.
    let clients: Vec<_> = (0..400).map(|number| wire.connect_from(machine(number), Trust::FirstUse)).collect();
    wire.run(300);
    assert_eq!(wire.nodes[0].ups().len(), 400);
    let before = wire.log.len();
    wire.restart_server();
    wire.run(2_000);
    for (client, link) in clients {
        let events = &wire.nodes[client].events;
        assert!(events.contains(&Event::Down(link, DownReason::NoAnswer)), "client {client}: {events:?}");
    }
    let bytes = |own: bool| -> usize {
        let sent = wire.log[before..].iter().filter(|(from, ..)| (*from == address(1)) == own);
        sent.map(|(.., bytes)| bytes.len()).sum()
    };
    assert!(bytes(true) < bytes(false), "a reset is shorter than what it answers");
}

#[test]
fn a_client_that_hears_nothing_asks_once_a_second_and_believes_in_the_link() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link, there) = wire.connected();
    let before = wire.log.len();
    wire.run(10_000);
    let asked = wire.log[before..].iter().filter(|(from, ..)| *from == address(101)).count();
    assert!((9..=24).contains(&asked), "{asked}");
    wire.send(0, there, Unreliable, &VOICE);
    wire.send(client, link, Unreliable, &VOICE);
    wire.run(100);
    assert_eq!(wire.nodes[client].packets(Unreliable), [VOICE]);
}

#[test]
fn a_server_that_is_not_there_is_told_after_the_time_for_handshakes() {
    let mut wire = Wire::new(Config::DEFAULT);
    wire.loses = Box::new(|_| true);
    let (client, link) = wire.connect(Trust::FirstUse);
    wire.run(9_500);
    assert!(wire.nodes[client].events.is_empty());
    wire.run(1_000);
    assert_eq!(wire.nodes[client].events, [Event::Down(link, DownReason::NoAnswer)]);
}

#[test]
fn a_server_that_has_started_anew_resets_ids_of_its_own_and_none_that_others_made_up() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link, _) = wire.connected();
    wire.send(client, link, Reliable, b"what the id stands before");
    wire.run(50);
    let (from, to, real) = wire.log.iter().rfind(|(from, ..)| *from == address(101)).unwrap().clone();
    assert_eq!(real[0] & 0xC0, 0x40, "QUIC's short header, and then the id");
    wire.restart_server();
    let mut answers = |bytes: &[u8]| {
        let before = wire.log.len();
        wire.inject(from, to, bytes);
        wire.run(15);
        wire.log[before..].iter().filter(|(from, ..)| *from == address(1)).count()
    };
    assert_eq!(answers(&real), 1);
    for at in 1..=16 {
        let mut made_up = real.clone();
        made_up[at] ^= 1;
        assert_eq!(answers(&made_up), 0, "byte {at}");
    }
}
