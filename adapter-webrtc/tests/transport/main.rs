//! The transport without a socket: a server, clients like browsers, and what may happen between them.

mod hostile;
mod wire;

use adapter_webrtc::{Config, Event, Flush, SendError};
use voice_core::Delivery::{Reliable, Unreliable};
use wire::{Wire, server};

/// Voice as the core sends it.
pub(crate) const VOICE: [u8; 92] = [0x80; 92];

#[test]
fn both_deliveries_go_both_ways_and_the_lane_keeps_its_order() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link) = wire.connected();
    for number in 0..100_u8 {
        assert!(wire.say(client, Reliable, &[number; 300]));
        wire.tell(link, Reliable, &[number; 1_200]);
        wire.run(3);
    }
    assert!(wire.say(client, Unreliable, &VOICE));
    wire.tell(link, Unreliable, &VOICE);
    wire.run(400);
    let numbers = |packets: Vec<Vec<u8>>| packets.iter().map(|packet| packet[0]).collect::<Vec<u8>>();
    assert_eq!(numbers(wire.heard(link, Reliable)), (0..100).collect::<Vec<u8>>());
    assert_eq!(numbers(wire.nodes[client].packets(Reliable)), (0..100).collect::<Vec<u8>>());
    assert!(wire.nodes[client].packets(Reliable).iter().all(|packet| packet.len() == 1_200));
    assert_eq!(wire.heard(link, Unreliable), [VOICE]);
    assert_eq!(wire.nodes[client].packets(Unreliable), [VOICE]);
    assert_eq!(wire.endpoint.peer(link), Some(wire.nodes[client].address));
}

#[test]
fn a_lost_datagram_delays_the_lane_alone_and_nothing_of_the_lane_is_lost() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link) = wire.connected();
    let mut state = 1_u32;
    wire.loses = Box::new(move |_, _, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 16 < 6_554
    });
    for number in 0..50_u8 {
        assert!(wire.say(client, Reliable, &[number; 700]));
        wire.tell(link, Reliable, &[number; 700]);
        wire.tell(link, Unreliable, &[number; 80]);
        wire.run(20);
    }
    wire.run(30_000);
    let numbers = |packets: Vec<Vec<u8>>| packets.iter().map(|packet| packet[0]).collect::<Vec<u8>>();
    assert_eq!(numbers(wire.heard(link, Reliable)), (0..50).collect::<Vec<u8>>());
    assert_eq!(numbers(wire.nodes[client].packets(Reliable)), (0..50).collect::<Vec<u8>>());
    let voice = numbers(wire.nodes[client].packets(Unreliable));
    assert!((30..50).contains(&voice.len()), "{}: what was lost isn't sent again", voice.len());
}

#[test]
fn frames_of_several_speakers_share_a_message_if_they_come_within_the_window() {
    let mut wire = Wire::new(Config::DEFAULT);
    let links: Vec<_> = (0..3).map(|_| wire.connected()).collect();
    let all: Vec<_> = links.iter().map(|(_, link)| *link).collect();
    let before = wire.endpoint.traffic();
    for number in 0..4_u8 {
        let flush = if number == 3 { Flush::Now } else { Flush::Soon };
        wire.endpoint.send_to_all(wire.now, all.iter().copied(), &[0x80 + number; 92], flush);
        wire.run(1);
    }
    wire.run(30);
    let after = wire.endpoint.traffic();
    assert_eq!((after.messages_out - before.messages_out, after.packets_out - before.packets_out), (3, 12));
    for (client, _) in &links {
        let heard = wire.nodes[*client].packets(Unreliable);
        assert_eq!(heard, (0..4_u8).map(|number| vec![0x80 + number; 92]).collect::<Vec<_>>());
    }
    // One that nothing follows leaves when the window is over.
    let sent_at = wire.now;
    wire.endpoint.send_to_all(wire.now, all.iter().copied(), &VOICE, Flush::Soon);
    wire.run(4);
    assert_eq!(wire.endpoint.traffic().messages_out, after.messages_out);
    wire.run(2);
    assert_eq!(wire.endpoint.traffic().messages_out, after.messages_out + 3, "{:?}", wire.now - sent_at);
}

#[test]
fn no_message_of_several_packets_is_cut_into_several_datagrams() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link) = wire.connected();
    let from = wire.log.len();
    (0..30).for_each(|_| wire.tell(link, Unreliable, &VOICE));
    wire.tell(link, Unreliable, &[7; 1_200]);
    wire.run(200);
    let heard = wire.nodes[client].packets(Unreliable);
    assert_eq!(heard.len(), 31);
    assert_eq!(heard[30], [7; 1_200]);
    let longest = wire.log[from..].iter().map(|(.., bytes)| bytes.len()).max().unwrap();
    assert!(longest <= 1_200, "{longest}");
    let many = wire.log[from..].iter().filter(|(from, _, bytes)| *from == server() && bytes.len() > 140).count();
    assert_eq!(many, 5, "three of eleven or fewer frames, and two for the longest packet");
}

#[test]
fn what_the_lane_does_not_take_yet_waits_and_too_much_of_it_is_said() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link) = wire.connected();
    wire.loses = Box::new(|_, _, _| true);
    let mut taken = 0;
    let refused = loop {
        match wire.endpoint.send(wire.now, link, Reliable, &[taken as u8; 1_200]) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 1_000, "bounded");
    };
    assert_eq!(refused, SendError::Refused);
    assert!(taken >= 128, "{taken}: two of the core's windows");
    wire.loses = Box::new(|_, _, _| false);
    wire.run(10_000);
    let came: Vec<u8> = wire.nodes[client].packets(Reliable).iter().map(|packet| packet[0]).collect();
    assert_eq!(came, (0..taken).map(|number| number as u8).collect::<Vec<_>>(), "nothing that was taken is lost");
}

#[test]
fn voice_for_a_network_that_takes_no_more_is_dropped_while_the_lane_waits() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link) = wire.connected();
    let (slow, other) = (wire.nodes[client].address, wire.connected());
    wire.loses = Box::new(move |from, to, _| from == slow || to == slow);
    for _ in 0..200 {
        for _ in 0..3 {
            wire.endpoint.send_to_all(wire.now, [link, other.1], &[0x81; 400], Flush::Now);
        }
        wire.run(20);
    }
    let drops = wire.endpoint.drops();
    assert!(drops.late > 300, "{drops:?}");
    assert_eq!(wire.nodes[other.0].packets(Unreliable).len(), 600, "the others hear all");
    wire.tell(link, Reliable, b"still in order");
    wire.loses = Box::new(|_, _, _| false);
    // SCTP doubles its patience with each time-out, so it notices late that the network is back.
    wire.run(12_000);
    assert_eq!(wire.nodes[client].packets(Reliable), [b"still in order"]);
    let stale = wire.nodes[client].packets(Unreliable).len();
    assert!(stale < 100, "{stale}: what is too old is not sent");
    wire.tell(link, Unreliable, &VOICE);
    wire.run(200);
    assert_eq!(wire.nodes[client].packets(Unreliable).last().unwrap(), &VOICE);
}

#[test]
fn each_end_learns_that_the_other_has_closed() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link) = wire.connected();
    wire.nodes[client].client.close();
    wire.run(100);
    assert!(wire.is_down(link));
    let (client, link) = wire.connected();
    wire.tell(link, Reliable, b"goodbye");
    wire.endpoint.close(wire.now, link);
    wire.run(100);
    assert_eq!(wire.nodes[client].packets(Reliable), [b"goodbye"]);
    assert!(!wire.nodes[client].is_up());
    assert!(wire.is_down(link));
    assert_eq!(wire.endpoint.links(), 0);
    assert_eq!(wire.endpoint.send(wire.now, link, Unreliable, &VOICE), Err(SendError::Down));
}

#[test]
fn a_browser_that_asks_no_more_is_not_sent_to_any_more() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link) = wire.connected();
    let gone = wire.nodes[client].address;
    wire.loses = Box::new(move |from, _, _| from == gone);
    wire.run(14_000);
    assert!(!wire.is_down(link));
    wire.run(6_000);
    assert!(wire.is_down(link));
    let before = wire.log.len();
    wire.run(2_000);
    assert!(wire.log[before..].iter().all(|(from, ..)| *from != server()));
}

#[test]
fn a_browser_at_another_address_is_heard_after_it_has_shown_its_password_there() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link) = wire.connected();
    wire.say(client, Unreliable, &VOICE);
    wire.run(50);
    // Behind a router that has forgotten it: the same socket, another port outside.
    let moved = std::net::SocketAddr::from(([10, 9, 9, 9], 77));
    wire.nodes[client].address = moved;
    let asked = wire.log.len();
    while !wire.log[asked..].iter().any(|(from, _, bytes)| *from == moved && bytes[0] == 0) {
        wire.say(client, Unreliable, &VOICE);
        wire.run(20);
    }
    let (unknown, heard) = (wire.endpoint.drops().unknown_link, wire.heard(link, Unreliable).len());
    assert!(unknown > 0 && heard <= 3, "{unknown} {heard}");
    for _ in 0..20 {
        wire.say(client, Unreliable, &VOICE);
        wire.run(20);
    }
    let heard = wire.heard(link, Unreliable).len();
    assert!(heard > 1, "{heard}");
    assert!(!wire.is_down(link));
}

#[test]
fn a_link_is_never_used_for_another_one() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (_, first) = wire.connected();
    wire.endpoint.close(wire.now, first);
    let (_, second) = wire.connected();
    assert_eq!(first.index(), second.index());
    assert_ne!(first, second);
    wire.endpoint.close(wire.now, first);
    wire.run(50);
    assert!(!wire.is_down(second));
    let downs = wire.told.iter().filter(|(event, _)| matches!(event, Event::Down(_))).count();
    assert_eq!(downs, 1);
}

/// How long after a cut of this length, in ms, the lane flows again, and voice: to the browser and from it.
fn stalled_after_a_cut(ms: u64) -> [u64; 4] {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link) = wire.connected();
    let flow = |wire: &mut Wire| {
        for delivery in [Reliable, Unreliable] {
            let _ = wire.endpoint.send(wire.now, link, delivery, &VOICE);
            wire.say(client, delivery, &VOICE);
        }
        wire.run(20);
    };
    (0..100).for_each(|_| flow(&mut wire));
    wire.loses = Box::new(|_, _, _| true);
    (0..ms / 20).for_each(|_| flow(&mut wire));
    wire.loses = Box::new(|_, _, _| false);
    let count = |wire: &Wire| {
        let node = &wire.nodes[client];
        [
            node.packets(Reliable).len(),
            node.packets(Unreliable).len(),
            wire.heard(link, Reliable).len(),
            wire.heard(link, Unreliable).len(),
        ]
    };
    let (before, back) = (count(&wire), wire.now);
    let mut stalled = [u64::MAX; 4];
    for _ in 0..1_000 {
        flow(&mut wire);
        assert!(!wire.is_down(link), "the same connection goes on");
        for ((stalled, now), before) in stalled.iter_mut().zip(count(&wire)).zip(before) {
            if now > before {
                *stalled = (*stalled).min((wire.now - back).as_millis() as u64);
            }
        }
        if !stalled.contains(&u64::MAX) {
            break;
        }
    }
    stalled
}

#[test]
fn after_a_cut_that_is_shorter_than_the_cores_patience_all_flows_again_within_its_length_and_a_second() {
    // The core gives a connection up after 8 s of silence.
    for ms in [1_000, 2_000, 3_000, 5_000, 7_000, 7_900] {
        let stalled = stalled_after_a_cut(ms);
        println!("cut {ms} ms: lane to, voice to, lane from, voice from the browser after {stalled:?} ms");
        assert!(stalled.iter().all(|stalled| *stalled <= ms + 1_000), "{ms}: {stalled:?}");
    }
}
