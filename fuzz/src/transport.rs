use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use adapter_udp::{LinkId, Trust};
use voice_core::Delivery::{self, Reliable, Unreliable};

use crate::{
    input::Input,
    streams::End,
    wire::{Datagram, Faults, Wire, address},
};

/// Connections that a run may begin: a handshake costs a millisecond.
const MOST_CONNECTIONS: usize = 6;
/// When the faults are over, links that are up carry packets again within so much, and others are known to be down. It may take as long again as
/// the run before: QUIC doubles the time between its attempts, and when more is under way than it may send, it asks for nothing else.
const HEALED_AFTER: Duration = Duration::from_secs(20);
/// Connections that were begun and not made are forgotten by then.
const HALF_OPEN: Duration = Duration::from_secs(11);
/// A little less than the longest unreliable packet.
const LONGEST: usize = 1_175;

/// Lets two clients and a server connect, talk, move, close and restart on a network that loses, repeats, reorders and bends datagrams, while
/// somebody sends what was made up or caught.
///
/// The lane comes whole and in order, voice at most once, and nothing that wasn't said; strangers get no more than three times what came; and
/// when the faults are over, links work or are known to be down, and new ones come up.
///
/// Keys and connection ids are random, so an input that fails by the luck of a bent id need not fail again; what isn't luck does.
pub fn transport(data: &[u8]) {
    let mut input = Input::new(data);
    let wire = Wire::new(input.u32().into());
    let mut stage = Stage { began: wire.now, wire, connections: 0, restarts: 0 };
    stage.connect(1);
    stage.wire.run(Duration::from_millis(100));
    input.steps(|input| stage.step(input));
    stage.recover();
}

struct Stage {
    began: Instant,
    wire: Wire,
    connections: usize,
    restarts: usize,
}

impl Stage {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(16) {
            0 => _ = self.connect(1 + input.below(2)),
            1..=3 => self.send(input, Unreliable),
            4..=5 => self.send(input, Reliable),
            6..=8 => self.wire.run(Duration::from_millis(input.byte().into())),
            9 => self.wire.run(Duration::from_millis(50 * u64::from(input.byte()))),
            10 => self.faults(input),
            11 => self.made_up(input),
            12 => self.caught(input),
            13 => self.move_away(input),
            14 => self.close(input),
            _ => self.odd_call(input),
        }
    }

    fn connect(&mut self, client: usize) -> Option<LinkId> {
        if self.connections >= MOST_CONNECTIONS {
            return None;
        }
        self.connections += 1;
        let (now, server) = (self.wire.now, self.wire.nodes[0].address);
        let begun = self.wire.nodes[client].endpoint.connect(now, server, Trust::FirstUse);
        Some(begun.expect("room for a link"))
    }

    fn send(&mut self, input: &mut Input<'_>, delivery: Delivery) {
        let node = input.below(3);
        let up = &self.wire.nodes[node].up;
        let Some(link) = up.get(input.below(4).min(up.len().saturating_sub(1))).copied() else { return };
        let (len, count) = (5 + usize::from(input.byte()) * 5 % (LONGEST - 5), 1 + input.below(32));
        for _ in 0..count {
            self.say(node, (self.wire.nodes[node].life, link), delivery, len);
        }
    }

    fn say(&mut self, node: usize, by: End, delivery: Delivery, len: usize) {
        let packet = self.wire.streams.packet(by, delivery, len);
        let now = self.wire.now;
        if self.wire.nodes[node].endpoint.send(now, by.1, delivery, &packet).is_ok() {
            self.wire.streams.was_said(by, delivery, &packet);
        }
    }

    fn faults(&mut self, input: &mut Input<'_>) {
        self.wire.faults =
            Faults { loss: input.byte(), twice: input.byte() / 2, bent: input.byte() / 4, delay: input.byte() };
    }

    /// Bytes of the input's own, from anywhere to anybody.
    fn made_up(&mut self, input: &mut Input<'_>) {
        let (from, to) = (self.anywhere(input), self.wire.nodes[input.below(3)].address);
        let bytes = input.packet().to_vec();
        self.wire.inject(Datagram { from, to, bytes });
    }

    /// A datagram of before, changed or not, from where it came or from elsewhere.
    fn caught(&mut self, input: &mut Input<'_>) {
        let back = 1 + input.below(64);
        let remembered = &self.wire.remembered;
        let Some(mut datagram) = remembered.len().checked_sub(back).map(|at| remembered[at].clone()) else { return };
        datagram.bytes = input.bent(&datagram.bytes);
        if input.flag() {
            datagram.from = self.anywhere(input);
        }
        (0..=input.below(4)).for_each(|_| self.wire.inject(datagram.clone()));
    }

    /// Somebody's address, or nobody's.
    fn anywhere(&self, input: &mut Input<'_>) -> std::net::SocketAddr {
        let number = input.below(8);
        self.wire.nodes.get(number).map_or(address(100, 1_000 + number as u16), |node| node.address)
    }

    fn move_away(&mut self, input: &mut Input<'_>) {
        let node = &mut self.wire.nodes[1 + input.below(2)];
        node.address.set_port(2_000 + u16::from(input.byte()));
    }

    fn close(&mut self, input: &mut Input<'_>) {
        let now = self.wire.now;
        let node = &mut self.wire.nodes[input.below(3)];
        if let Some(link) = node.up.first().copied() {
            node.endpoint.close(now, link);
            assert!(node.endpoint.send(now, link, Unreliable, &[0x80]).is_err(), "a closed link takes a packet");
        }
    }

    /// Calls at other times than usual, which change nothing, and a restart.
    fn odd_call(&mut self, input: &mut Input<'_>) {
        let now = self.wire.now;
        match input.below(4) {
            0 => self.wire.nodes.iter_mut().for_each(|node| node.endpoint.handle_timeout(now)),
            1 => self.wire.flush(),
            2 => {
                let node = &mut self.wire.nodes[input.below(3)];
                node.endpoint.handle_datagram(now, address(99, 9), &mut input.packet().to_vec());
            }
            _ if self.restarts == 0 => {
                self.restarts = 1;
                self.wire.restart_server();
            }
            _ => {}
        }
    }

    /// The faults are over: a link that is up carries packets of both deliveries both ways, and a new one comes up.
    fn recover(&mut self) {
        self.wire.faults = Faults::default();
        self.wire.run(HALF_OPEN);
        self.connections = 0;
        let new = self.connect(2).expect("a free connection");
        let (begin, mut marks) = (self.wire.now, BTreeMap::new());
        let most = HEALED_AFTER + 2 * (begin - self.began);
        loop {
            let ends = self.ends();
            for (node, end) in &ends {
                marks.entry(*end).or_insert_with(|| self.wire.streams.said(*end));
                [Reliable, Unreliable].into_iter().for_each(|delivery| self.say(*node, *end, delivery, 40));
            }
            self.wire.run(Duration::from_millis(100).max((self.wire.now - begin) / 50));
            let sick = self.ends().into_iter().find(|(_, end)| match marks.get(end) {
                Some(mark) => !self.wire.streams.is_heard_after(*end, *mark),
                None => true,
            });
            let is_new_up = self.wire.nodes[2].up.contains(&new);
            if sick.is_none() && is_new_up {
                return;
            }
            let waited = self.wire.now - begin;
            assert!(waited < most, "after {waited:?}: new link up: {is_new_up}; carries nothing: {sick:?}");
        }
    }

    /// Both ends of the links that are up at their client, as far as the server's is known.
    fn ends(&mut self) -> Vec<(usize, End)> {
        let Wire { nodes, streams, .. } = &mut self.wire;
        let mut ends = Vec::new();
        for (number, node) in nodes.iter().enumerate().skip(1) {
            for link in &node.up {
                ends.push((number, (node.life, *link)));
                let there = streams.listener_of((node.life, *link));
                ends.extend(there.filter(|(life, _)| *life == nodes[0].life).map(|end| (0, end)));
            }
        }
        ends
    }
}
