//! A day of talk: numbers pass their low halves by the dozen, and keys change in both directions.

use std::time::{Duration, Instant};

use adapter_udp::{Config, Endpoint, Event, Identity, LinkId, Trust};
use voice_core::Delivery;

use super::wire::{address, begin};

const FRAME: Duration = Duration::from_millis(20);
const FRAMES: u64 = 24 * 3_600 * 50;
/// Datagrams arrive in groups of so many, the last first: groups lie across each change of keys, since none begins with a multiple of this.
const GROUP: u64 = 7;
/// So many datagrams are sealed with one key (docs/UDP.md, 2).
const KEY_SPAN: u64 = 1 << 20;

struct Node {
    endpoint: Endpoint,
    link: Option<LinkId>,
    /// Datagrams that wait to be delivered together.
    group: Vec<Vec<u8>>,
    /// Frames that came since the last group, by number.
    heard: Vec<u64>,
    lane: u64,
    /// A datagram of each key.
    kept: Vec<Vec<u8>>,
}

impl Node {
    fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, link: None, group: Vec::new(), heard: Vec::new(), lane: 0, kept: Vec::new() }
    }

    fn send(&mut self, now: Instant, delivery: Delivery, number: u64) {
        let mut packet = [0x80; 60];
        packet[1..9].copy_from_slice(&number.to_be_bytes());
        self.endpoint.send(now, self.link.unwrap(), delivery, &packet).unwrap();
    }

    fn take(&mut self, now: Instant, from: u16, bytes: &mut [u8]) -> bool {
        let Some(received) = self.endpoint.handle_datagram(now, address(from), bytes) else { return false };
        self.heard.extend(received.packets.map(|packet| number_of(packet)));
        true
    }

    /// What it has to send; QUIC's goes at once, and sealed datagrams by the group.
    fn turn(&mut self, now: Instant, buffer: &mut Vec<u8>, mut quic: impl FnMut(&mut [u8])) {
        if self.endpoint.poll_timeout().is_some_and(|at| at <= now) {
            self.endpoint.handle_timeout(now);
        }
        while self.endpoint.poll_transmit(now, buffer).is_some() {
            if buffer[0] & 0xC0 == 0x80 { self.group.push(buffer.clone()) } else { quic(buffer) }
        }
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Up(link, _) => self.link = Some(link),
                Event::Packet(_, packet) => {
                    assert_eq!(number_of(&packet), self.lane, "the lane's next");
                    self.lane += 1;
                }
                Event::Down(_, why) => panic!("{why:?}"),
            }
        }
    }
}

/// Delivers what was sent since the last group, the last first, up to this frame.
fn deliver(now: Instant, frame: u64, from: &mut Node, from_port: u16, to: &mut Node) {
    for mut datagram in from.group.drain(..).rev() {
        if frame % KEY_SPAN < GROUP {
            to.kept.push(datagram.clone());
        }
        assert!(to.take(now, from_port, &mut datagram), "frame {frame}");
    }
    assert!(to.heard.iter().copied().eq((frame - GROUP..frame).rev()), "frame {frame}: {:?}", to.heard);
    to.heard.clear();
}

fn number_of(packet: &[u8]) -> u64 {
    u64::from_be_bytes(packet[1..9].try_into().unwrap())
}

#[test]
fn in_a_day_of_talk_both_ways_through_every_change_of_keys_each_frame_is_opened_once() {
    let mut now = begin();
    let mut server = Node::new(Endpoint::server(Config::DEFAULT, Identity::generate().unwrap()));
    let mut client = Node::new(Endpoint::client(Config::DEFAULT, Identity::generate().unwrap()));
    client.endpoint.connect(now, address(1), Trust::FirstUse).unwrap();
    let mut buffer = Vec::new();
    let mut hours = 0;
    let mut frame = 0;
    while frame < FRAMES {
        if client.link.is_some() && server.link.is_some() {
            client.send(now, Delivery::Unreliable, frame);
            server.send(now, Delivery::Unreliable, frame);
            frame += 1;
            if frame.is_multiple_of(3_600 * 50) {
                client.send(now, Delivery::Reliable, hours);
                server.send(now, Delivery::Reliable, hours);
                hours += 1;
            }
        }
        // Until neither has an answer to what the other says.
        loop {
            let mut moved = false;
            client.turn(now, &mut buffer, |quic| {
                moved = true;
                server.take(now, 100, quic);
            });
            server.turn(now, &mut buffer, |quic| {
                moved = true;
                client.take(now, 1, quic);
            });
            if !moved {
                break;
            }
        }
        if frame > 0 && frame.is_multiple_of(GROUP) {
            deliver(now, frame, &mut client, 100, &mut server);
            deliver(now, frame, &mut server, 1, &mut client);
        }
        now += FRAME;
    }
    assert_eq!((client.lane, server.lane), (24, 24));
    for drops in [client.endpoint.drops(), server.endpoint.drops()] {
        assert_eq!((drops.forged, drops.replayed, drops.malformed, drops.unknown_link), (0, 0, 0, 0));
    }
    for (to, from_port) in [(&mut server, 100), (&mut client, 1)] {
        assert!(to.kept.len() as u64 >= FRAMES / KEY_SPAN, "{} old datagrams", to.kept.len());
        for mut old in std::mem::take(&mut to.kept) {
            assert!(!to.take(now, from_port, &mut old), "heard again");
        }
    }
}
