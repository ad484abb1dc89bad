use adapter_sim::{
    check::{LaneChecker, LimitChecker, Violation, Violations},
    world::PersonId,
};
use voice_core::{
    Delivery, Instant, Server, ServerConfig, SessionId, server_storage_vec,
    wire::{self, Ping},
};

use crate::{
    assert_caught, broken,
    node::{Honest, Node, Packet},
    play,
};

const TALK: &str = "
    500 open-room 0 0 none
    600 speak 0 on
    2000 text-person 0 1
    2600 speak 0 off
    3500
";

/// Makes voice packets as long as it likes: those of people, or those of the server.
struct Stretch {
    to: usize,
    up: bool,
}

impl Stretch {
    fn stretch(&self, mut packet: Packet) -> Packet {
        if packet.voice().is_some() {
            packet.bytes.resize(self.to, 0);
        }
        packet
    }
}

impl Node for Stretch {
    fn up(&mut self, _: u64, _: PersonId, packet: Packet) -> Vec<Packet> {
        vec![if self.up { self.stretch(packet) } else { packet }]
    }

    fn down(&mut self, _: u64, to: PersonId, packet: Packet) -> Vec<(PersonId, Packet)> {
        vec![(to, if self.up { packet } else { self.stretch(packet) })]
    }
}

#[test]
fn a_packet_longer_than_the_limit_is_caught() {
    let words = "the server sent a packet of 1300 bytes";
    assert_caught(TALK, &mut Stretch { to: 1_300, up: false }, "limits", words);
    let words = "person 0 sent a packet of 1201 bytes";
    assert_caught(TALK, &mut Stretch { to: 1_201, up: true }, "limits", words);
}

#[test]
fn an_empty_packet_is_caught() {
    let words = "person 0 sent a packet of 0 bytes";
    assert_caught(TALK, &mut Stretch { to: 0, up: true }, "limits", words);
}

#[test]
fn a_packet_of_just_the_limit_is_none_too_long() {
    let mut violations = Violations::default();
    LimitChecker.sent(0, "somebody", &[0; 1_200], &mut violations);
    LimitChecker.sent(0, "somebody", &[0], &mut violations);
    LimitChecker.level(0, "a queue", 5, 5, &mut violations);
    assert_eq!(violations.count(), 0);
}

/// Keeps all voice for person 2.
#[derive(Default)]
struct Hoarder {
    kept: Vec<Packet>,
}

impl Node for Hoarder {
    fn down(&mut self, _: u64, to: PersonId, packet: Packet) -> Vec<(PersonId, Packet)> {
        if packet.voice().is_none() || to != 2 {
            return vec![(to, packet)];
        }
        self.kept.push(packet);
        Vec::new()
    }

    fn held(&self) -> usize {
        self.kept.len()
    }
}

#[test]
fn a_queue_over_its_bound_is_caught() {
    assert_caught(TALK, &mut Hoarder::default(), "limits", "the node's queue stands at 17, over its bound of 16");
}

/// Follows a text with many more of the same on the lane, and waits for no acknowledgement.
struct Pour(u16);

impl Node for Pour {
    fn down(&mut self, _: u64, to: PersonId, packet: Packet) -> Vec<(PersonId, Packet)> {
        if !matches!(wire::Packet::decode(&packet.bytes), Ok(wire::Packet::Text { .. })) {
            return vec![(to, packet)];
        }
        let number = u16::from_be_bytes([packet.bytes[5], packet.bytes[6]]);
        let copy = |more: u16| {
            let mut copy = packet.clone();
            copy.bytes[5..7].copy_from_slice(&(number + more).to_be_bytes());
            (to, copy)
        };
        (0..self.0).map(copy).collect()
    }
}

#[test]
fn a_lane_that_runs_ahead_of_its_window_is_caught() {
    let broken = broken(TALK, &mut Pour(LaneChecker::WINDOW + 1));
    let over =
        |violation: &&Violation| violation.checker == "limits" && violation.what.contains("over its bound of 64");
    // The same text so many times breaks another rule too.
    assert!(broken.iter().find(over).is_some(), "{broken:#?}");
}

#[test]
fn a_lane_that_is_acknowledged_carries_any_number_of_packets() {
    let toggles = (0..u64::from(LaneChecker::WINDOW) * 2).map(|count| {
        let on_off = if count % 2 == 0 { "on" } else { "off" };
        format!("{} mute 0 {on_off}\n", 1_000 + count * 20)
    });
    let script: String = toggles.chain(["5000".into()]).collect();
    assert_eq!(play(&script, &mut Honest).violations.list(), []);
}

/// A server that a stranger pings, behind a node that sends each answer so many times: what the checker makes of it.
fn answers_to_a_stranger(times: usize) -> u64 {
    let mut server = Server::new(ServerConfig::DEFAULT, 1, server_storage_vec!(clients: 4, rooms: 4));
    let stranger = server.handle_connected(Instant::ORIGIN).unwrap();
    let session = SessionId::new(9).unwrap();
    let ping = wire::Packet::Ping(Ping { session, stamp: 0, next: 0, rtt_ms: 0, loss: 0, jitter_ms: 0, idle: false });
    let mut buffer = [0; 1_200];
    let cause = ping.encode(&mut buffer).unwrap();
    server.handle_packet(Instant::ORIGIN, stranger, Delivery::Unreliable, &mut buffer[..cause]);
    let answer: usize = std::iter::from_fn(|| server.poll_transmit(Instant::ORIGIN, &mut buffer)).map(|t| t.len).sum();
    assert!(answer > 0, "no answer at all");
    let mut violations = Violations::default();
    LimitChecker.answered(0, cause, answer * times, &mut violations);
    violations.count()
}

#[test]
fn an_answer_larger_than_its_cause_is_caught() {
    assert_eq!(answers_to_a_stranger(1), 0);
    assert_eq!(answers_to_a_stranger(2), 1);
}
