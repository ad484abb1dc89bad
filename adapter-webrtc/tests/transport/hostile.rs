//! Strangers and people of ill will: nobody else may notice them.

use adapter_webrtc::{Client, Config, Event, Refusal};
use voice_core::Delivery::{Reliable, Unreliable};

use crate::{
    VOICE,
    wire::{Wire, address, server},
};

/// A client and its link, of whom the others are heard as ever.
fn talk(wire: &mut Wire, (client, link): (usize, adapter_webrtc::LinkId)) {
    let before = (wire.heard(link, Unreliable).len(), wire.nodes[client].packets(Reliable).len());
    assert!(wire.say(client, Unreliable, &VOICE));
    wire.tell(link, Reliable, b"as ever");
    wire.run(100);
    let after = (wire.heard(link, Unreliable).len(), wire.nodes[client].packets(Reliable).len());
    assert_eq!(after, (before.0 + 1, before.1 + 1));
}

#[test]
fn a_thousand_offers_at_once_take_bounded_room_and_are_forgotten() {
    let config = Config { making: 100, ..Config::DEFAULT };
    let mut wire = Wire::new(config);
    let honest = wire.connected();
    let (_, sdp) = Client::new(wire.now, address(999)).unwrap();
    let mut answered = 0;
    for number in 0..1_000 {
        match wire.offer(&sdp, address(number).ip()) {
            Ok(_) => answered += 1,
            Err(refusal) => assert_eq!(refusal, Refusal::Full),
        }
    }
    assert_eq!((answered, wire.endpoint.links()), (100, 101));
    talk(&mut wire, honest);
    wire.run(9_000);
    assert_eq!(wire.endpoint.links(), 101);
    wire.run(1_000);
    assert_eq!((wire.endpoint.links(), wire.endpoint.drops().unfinished), (1, 100));
    let told = wire.told.iter().filter(|(event, _)| matches!(event, Event::Up(_) | Event::Down(_))).count();
    assert_eq!(told, 1, "nobody hears of links that never were");
    talk(&mut wire, honest);
    wire.connected();
}

#[test]
fn an_address_has_a_share_of_offers_and_of_links() {
    let config = Config { links_per_address: 5, offers_per_address: 8, ..Config::DEFAULT };
    let mut wire = Wire::new(config);
    let (_, sdp) = Client::new(wire.now, address(1)).unwrap();
    let offers = |wire: &mut Wire, from| (0..20).filter(|_| wire.offer(&sdp, address(from).ip()).is_ok()).count();
    assert_eq!(offers(&mut wire, 1), 5, "links");
    assert_eq!(offers(&mut wire, 2), 5);
    assert_eq!(wire.offer(&sdp, address(1).ip()), Err(Refusal::TooOften));
    wire.run(10_001);
    assert_eq!(wire.endpoint.links(), 0);
    assert_eq!(offers(&mut wire, 1), 5);
}

#[test]
fn garbage_from_anywhere_is_counted_and_does_no_harm() {
    let mut wire = Wire::new(Config::DEFAULT);
    let honest = wire.connected();
    wire.run(3_000);
    let own = wire.nodes[honest.0].address;
    let (_, _, stun) = wire.log.iter().find(|(from, _, bytes)| *from == own && bytes[0] == 0).unwrap().clone();
    let (_, _, dtls) = wire.log.iter().rfind(|(from, _, bytes)| *from == own && bytes[0] >= 20).unwrap().clone();
    for real in [stun, dtls] {
        for at in 0..real.len() {
            let mut changed = real.clone();
            changed[at] ^= 1 << (at % 8);
            wire.inject(own, server(), &changed);
            wire.inject(address(666), server(), &changed);
            wire.inject(own, server(), &real[..at]);
        }
    }
    for len in 0..1_500 {
        let noise: Vec<u8> = (0..len).map(|at| (at * 7 + len * 31) as u8).collect();
        wire.inject(own, server(), &noise);
    }
    wire.run(100);
    let drops = wire.endpoint.drops();
    assert!(drops.malformed > 500 && drops.unknown_link > 20 && drops.forged > 20, "{drops:?}");
    assert!(!wire.is_down(honest.1));
    talk(&mut wire, honest);
}

#[test]
fn who_asks_in_the_name_of_anothers_address_takes_nothing_from_them() {
    let mut wire = Wire::new(Config::DEFAULT);
    let honest = wire.connected();
    let thief = wire.connect();
    wire.run(300);
    let (own, others) = (wire.nodes[thief].address, wire.nodes[honest.0].address);
    let asked: Vec<_> = wire
        .log
        .iter()
        .filter(|(from, _, bytes)| *from == own && bytes[0] == 0)
        .map(|(.., bytes)| bytes.clone())
        .collect();
    for bytes in asked {
        wire.inject(others, server(), &bytes);
    }
    wire.run(50);
    talk(&mut wire, honest);
}

#[test]
fn messages_that_cannot_be_end_the_lane_and_nothing_else() {
    for (is_binary, message) in [(true, vec![1; 1_201]), (false, b"a text".to_vec())] {
        let mut wire = Wire::new(Config::DEFAULT);
        let (honest, hostile) = (wire.connected(), wire.connected());
        let now = wire.now;
        assert!(wire.nodes[hostile.0].client.send_message(now, Reliable, is_binary, &message));
        wire.run(100);
        assert!(wire.is_down(hostile.1), "{is_binary} {}", message.len());
        assert!(!wire.nodes[hostile.0].is_up(), "it is told");
        assert!(!wire.is_down(honest.1));
        talk(&mut wire, honest);
    }
}

#[test]
fn unreliable_messages_that_cannot_be_are_counted_as_far_as_they_go() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link) = wire.connected();
    let messages: [(bool, &[u8]); 5] = [
        (true, &[3, 7, 7, 7, 5, 1]),
        (true, &[0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 1, 7]),
        (true, &[0x80, 2, 8, 8]),
        (false, &[1, b'a']),
        (true, &[0xFF, 0xFF, 0]),
    ];
    for (is_binary, message) in messages {
        let now = wire.now;
        assert!(wire.nodes[client].client.send_message(now, Unreliable, is_binary, message));
        wire.run(20);
    }
    wire.run(50);
    // A short length in the long form is none: there is one encoding of each packet.
    assert_eq!(wire.heard(link, Unreliable), [vec![7; 3]]);
    assert_eq!(wire.endpoint.drops().malformed, 5);
    assert!(!wire.is_down(link));
}

#[test]
fn a_message_longer_than_any_ends_only_its_own_connection() {
    for delivery in [Reliable, Unreliable] {
        let mut wire = Wire::new(Config::DEFAULT);
        let honest = wire.connected();
        // The client believes that the server takes it.
        let hostile = wire.connected_with(|answer| answer.replace("max-message-size:2048", "max-message-size:262144"));
        let now = wire.now;
        assert!(wire.nodes[hostile.0].client.send_message(now, delivery, true, &vec![1; 60_000]));
        wire.run(3_000);
        assert!(wire.heard(hostile.1, delivery).is_empty());
        talk(&mut wire, honest);
    }
}

#[test]
fn a_flood_on_both_channels_stays_its_senders_own() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (honest, hostile) = (wire.connected(), wire.connected());
    for round in 0..200 {
        let now = wire.now;
        for _ in 0..20 {
            wire.nodes[hostile.0].client.send_message(now, Reliable, true, &[1; 1_200]);
            wire.nodes[hostile.0].client.send_message(now, Unreliable, true, &[1, 9].repeat(500));
        }
        wire.run(1);
        if round % 50 == 0 {
            talk(&mut wire, honest);
        }
    }
    wire.run(2_000);
    assert!(wire.heard(hostile.1, Unreliable).len() > 1_000);
    assert!(wire.heard(hostile.1, Reliable).len() > 100);
    talk(&mut wire, honest);
}
