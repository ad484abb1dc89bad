//! Clients with direct paths, and a server between them that only passes on what they say and tells them where they are.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use adapter_udp::{Direct, DirectConfig, DirectEvent, Families};
use voice_core::{ClientId, PathId, SessionId};

use crate::net::{Kind, Net, WAY, begin};

pub(crate) const SERVER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)), 7_757);

pub(crate) fn client(number: usize) -> ClientId {
    ClientId::new(number as u16 + 1).unwrap()
}

pub(crate) struct End {
    pub(crate) direct: Direct,
    /// All but what goes through the server.
    pub(crate) events: Vec<DirectEvent>,
}

impl End {
    pub(crate) fn packets(&self) -> Vec<Vec<u8>> {
        let of = |event: &DirectEvent| match event {
            DirectEvent::Packet(_, bytes) => Some(bytes.to_vec()),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }

    pub(crate) fn changes(&self) -> Vec<&DirectEvent> {
        self.events.iter().filter(|event| !matches!(event, DirectEvent::Packet(..))).collect()
    }

    /// The path that was told last, if it is there.
    pub(crate) fn path(&self) -> Option<PathId> {
        match self.changes().last() {
            Some(DirectEvent::Available(_, path)) => Some(*path),
            _ => None,
        }
    }
}

/// What is said through the server: when it comes, from whom, to whom.
type Said = (Instant, usize, usize, Vec<u8>);

/// End 0 is client 1, and so on.
pub(crate) struct Lab {
    pub(crate) now: Instant,
    pub(crate) net: Net,
    pub(crate) ends: Vec<End>,
    said: VecDeque<Said>,
    /// Every message through the server.
    pub(crate) messages: Vec<(usize, Vec<u8>)>,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self { now: begin(), net: Net::new(), ends: Vec::new(), said: VecDeque::new(), messages: Vec::new() }
    }

    /// Two clients who want each other, behind NATs of these kinds.
    pub(crate) fn two(one: Kind, other: Kind) -> Self {
        let mut lab = Self::new();
        lab.add(one);
        lab.add(other);
        lab.want_all();
        lab
    }

    pub(crate) fn add(&mut self, kind: Kind) -> usize {
        let number = self.ends.len() as u8;
        // At home, everybody has the same.
        let open = kind == Kind::Open;
        let address = SocketAddr::from((if open { [203, 0, 113, 200 + number] } else { [192, 168, number, 2] }, 5_000));
        let node = self.net.add(address, kind);
        self.join(node, Families::V4)
    }

    /// Lets a machine take part.
    pub(crate) fn join(&mut self, node: usize, families: Families) -> usize {
        let mut direct = Direct::new(DirectConfig { families, ..DirectConfig::DEFAULT });
        direct.set_session(self.now, Some((SessionId::new(7).unwrap(), client(node))));
        direct.set_local(self.now, &[self.net.address(node)]);
        self.ends.push(End { direct, events: Vec::new() });
        node
    }

    pub(crate) fn want_all(&mut self) {
        let all: Vec<ClientId> = (0..self.ends.len()).map(client).collect();
        self.ends.iter_mut().for_each(|end| end.direct.set_wanted(self.now, &all));
    }

    /// Lets time pass, from one thing that is due to the next.
    pub(crate) fn run(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while self.now < end {
            self.turn();
            let said = self.said.front().map(|(at, ..)| *at);
            let due = self.ends.iter().filter_map(|end| end.direct.poll_timeout());
            let next = due.chain(said).chain(self.net.poll_timeout()).min().unwrap_or(end);
            self.now = next.max(self.now + Duration::from_millis(1)).min(end);
        }
    }

    fn turn(&mut self) {
        let now = self.now;
        while let Some((_, from, to, bytes)) = self.said.pop_front_if(|(at, ..)| *at <= now) {
            self.ends[to].direct.handle_rendezvous(now, client(from), &bytes);
        }
        while let Some((node, from, mut bytes)) = self.net.arrived(now) {
            self.ends[node].direct.handle_datagram(now, from, &mut bytes);
        }
        for at in 0..self.ends.len() {
            // As a loop does: nothing is asked for before it is due.
            if self.ends[at].direct.poll_timeout().is_some_and(|due| due <= now) {
                self.ends[at].direct.handle_timeout(now);
            }
            self.drain(at);
        }
    }

    fn drain(&mut self, at: usize) {
        let end = &mut self.ends[at];
        while let Some(event) = end.direct.poll_event() {
            match event {
                DirectEvent::Rendezvous(to, bytes) => {
                    self.messages.push((at, bytes.clone()));
                    self.said.push_back((self.now + 2 * WAY, at, usize::from(to.get()) - 1, bytes));
                }
                DirectEvent::AskAddress => {
                    let outside = self.net.outside(at, SERVER);
                    end.direct.set_outside(self.now, outside);
                }
                event => end.events.push(event),
            }
        }
        let mut out = Vec::new();
        while let Some(transmit) = end.direct.poll_transmit(&mut out) {
            assert!(out.len() <= 1_200 && out[0] == 0xB0);
            self.net.send(self.now, at, transmit.to, &out);
        }
    }

    pub(crate) fn send(&mut self, from: usize, packet: &[u8]) {
        let path = self.ends[from].path().expect("a path");
        self.ends[from].direct.send(path, packet).expect("a path that works");
    }

    /// Whether both have a path, and packets pass on it both ways.
    pub(crate) fn is_direct(&mut self) -> bool {
        if self.ends.iter().any(|end| end.path().is_none()) {
            return false;
        }
        let before = [0, 1].map(|at| self.ends[at].packets().len());
        self.send(0, b"to the other");
        self.send(1, b"and back");
        self.run(50);
        [0, 1].iter().all(|at| self.ends[*at].packets().len() == before[*at] + 1)
    }

    /// Bytes that a client sent to an address, from a time on.
    pub(crate) fn bytes_to(&self, node: usize, since: Instant, to: impl Fn(SocketAddr) -> bool) -> usize {
        let sent = self.net.log.iter().filter(|sent| sent.node == node && sent.at >= since && to(sent.to));
        sent.map(|sent| sent.bytes.len()).sum()
    }
}
