//! A server and clients on a wire of this program's own, with a clock of its own.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use adapter_udp::{Config, Endpoint, Event, Fingerprint, Identity, LinkId, Trust};
use voice_core::Delivery;

/// One way, µs.
const WAY: Duration = Duration::from_millis(10);

pub(crate) fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

/// An address of another machine for each number.
pub(crate) fn machine(number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    SocketAddr::from(([10, 1, high, low], 5_000))
}

pub(crate) struct Node {
    pub(crate) endpoint: Endpoint,
    pub(crate) address: SocketAddr,
    pub(crate) events: Vec<Event>,
    /// Unreliable packets, and of which link.
    pub(crate) heard: Vec<(LinkId, Vec<u8>)>,
}

impl Node {
    fn new(endpoint: Endpoint, address: SocketAddr) -> Self {
        Self { endpoint, address, events: Vec::new(), heard: Vec::new() }
    }

    pub(crate) fn ups(&self) -> Vec<(LinkId, Option<Fingerprint>)> {
        self.events.iter().filter_map(|e| if let Event::Up(id, who) = e { Some((*id, *who)) } else { None }).collect()
    }

    pub(crate) fn packets(&self, delivery: Delivery) -> Vec<Vec<u8>> {
        let of = |event: &Event| if let Event::Packet(_, bytes) = event { Some(bytes.to_vec()) } else { None };
        match delivery {
            Delivery::Reliable => self.events.iter().filter_map(of).collect(),
            Delivery::Unreliable => self.heard.iter().map(|(_, packet)| packet.clone()).collect(),
        }
    }
}

pub(crate) struct Datagram {
    pub(crate) at: Instant,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// Any time will do: from there on the test's own clock goes on.
#[expect(
    clippy::disallowed_methods,
    reason = "the transport's clock is the standard library's, which has no other beginning"
)]
pub(crate) fn begin() -> Instant {
    Instant::now()
}

/// Whether a datagram is lost.
type Loses = Box<dyn FnMut(&[u8]) -> bool>;

/// The server is node 0.
pub(crate) struct Wire {
    identity: Identity,
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<Node>,
    under_way: VecDeque<Datagram>,
    /// Every datagram that was sent.
    pub(crate) log: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// Loses those for which it says so.
    pub(crate) loses: Loses,
}

impl Wire {
    pub(crate) fn new(config: Config) -> Self {
        let identity = Identity::generate().unwrap();
        let endpoint = Endpoint::server(config, identity.clone());
        let server = Node::new(endpoint, address(1));
        Self {
            identity,
            now: begin(),
            nodes: vec![server],
            under_way: VecDeque::new(),
            log: Vec::new(),
            loses: Box::new(|_| false),
        }
    }

    /// The server's process ends without a word, and another begins with the same key.
    pub(crate) fn restart_server(&mut self) {
        let endpoint = Endpoint::server(Config::DEFAULT, self.identity.clone());
        self.nodes[0] = Node::new(endpoint, address(1));
    }

    /// Adds a client that connects; its number, and its link.
    pub(crate) fn connect(&mut self, trust: Trust) -> (usize, LinkId) {
        let number = self.nodes.len();
        self.connect_from(address(100 + number as u16), trust)
    }

    /// The same from this address.
    pub(crate) fn connect_from(&mut self, from: SocketAddr, trust: Trust) -> (usize, LinkId) {
        let number = self.nodes.len();
        let mut endpoint = Endpoint::client(Config::DEFAULT, Identity::generate().unwrap());
        let link = endpoint.connect(self.now, self.nodes[0].address, trust).unwrap();
        self.nodes.push(Node::new(endpoint, from));
        (number, link)
    }

    /// Connects a client and waits until it is up; its number, its link, and the server's link to it.
    pub(crate) fn connected(&mut self) -> (usize, LinkId, LinkId) {
        let (client, link) = self.connect(Trust::FirstUse);
        self.run(200);
        let there = self.nodes[0].ups().last().expect("the server has the link").0;
        assert_eq!(self.nodes[client].ups().len(), 1);
        (client, link, there)
    }

    pub(crate) fn send(&mut self, node: usize, link: LinkId, delivery: Delivery, packet: &[u8]) {
        self.nodes[node].endpoint.send(self.now, link, delivery, packet).unwrap();
    }

    pub(crate) fn close(&mut self, node: usize, link: LinkId) {
        self.nodes[node].endpoint.close(self.now, link);
    }

    /// Sends an unreliable packet, if the link is still up.
    pub(crate) fn send_if_up(&mut self, node: usize, link: LinkId, packet: &[u8]) {
        let _ = self.nodes[node].endpoint.send(self.now, link, Delivery::Unreliable, packet);
    }

    /// Puts a datagram of somebody else's on the wire.
    pub(crate) fn inject(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        self.under_way.push_back(Datagram { at: self.now + WAY, from, to, bytes: bytes.to_vec() });
    }

    pub(crate) fn run(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while self.now < end {
            self.turn();
            self.now += Duration::from_millis(1);
        }
    }

    fn turn(&mut self) {
        while let Some(mut datagram) = self.under_way.pop_front_if(|datagram| datagram.at <= self.now) {
            if let Some(node) = self.nodes.iter_mut().find(|node| node.address == datagram.to) {
                let received = node.endpoint.handle_datagram(self.now, datagram.from, &mut datagram.bytes);
                if let Some(received) = received {
                    node.heard.extend(received.packets.map(|packet| (received.link, packet.to_vec())));
                }
            }
        }
        let mut buffer = Vec::new();
        for node in &mut self.nodes {
            node.endpoint.handle_timeout(self.now);
            while let Some(transmit) = node.endpoint.poll_transmit(self.now, &mut buffer) {
                assert!(buffer.len() <= 1_200, "{}", buffer.len());
                self.log.push((node.address, transmit.to, buffer.clone()));
                if !(self.loses)(&buffer) {
                    let (at, from, to) = (self.now + WAY, node.address, transmit.to);
                    self.under_way.push_back(Datagram { at, from, to, bytes: buffer.clone() });
                }
            }
            while let Some(event) = node.endpoint.poll_event() {
                node.events.push(event);
            }
        }
    }
}
