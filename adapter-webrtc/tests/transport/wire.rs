//! A server and clients on a wire of this program's own, with a clock of its own.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use adapter_webrtc::{Client, ClientEvent, Config, Endpoint, Event, LinkId, Offer, Refusal};
use voice_core::Delivery;

/// One way.
const WAY: Duration = Duration::from_millis(10);

pub(crate) fn server() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 7_758))
}

pub(crate) fn address(number: usize) -> SocketAddr {
    SocketAddr::from(([10, 1, (number / 250) as u8, (number % 250) as u8], 5_000))
}

struct Datagram {
    at: Instant,
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// Any time will do: from there on the test's own clock goes on.
#[expect(clippy::disallowed_methods, reason = "the standard library's clock has no other beginning")]
fn begin() -> Instant {
    Instant::now()
}

pub(crate) struct Node {
    pub(crate) client: Client,
    pub(crate) address: SocketAddr,
    pub(crate) events: Vec<ClientEvent>,
}

impl Node {
    pub(crate) fn packets(&self, delivery: Delivery) -> Vec<Vec<u8>> {
        let of = |event: &ClientEvent| match event {
            ClientEvent::Packet(by, bytes) if *by == delivery => Some(bytes.clone()),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }

    pub(crate) fn is_up(&self) -> bool {
        self.events.contains(&ClientEvent::Up) && !self.events.contains(&ClientEvent::Down)
    }
}

/// Whether a datagram from there to there is lost.
type Loses = Box<dyn FnMut(SocketAddr, SocketAddr, &[u8]) -> bool>;

pub(crate) struct Wire {
    pub(crate) now: Instant,
    pub(crate) endpoint: Endpoint,
    pub(crate) nodes: Vec<Node>,
    /// What the server was told: each event, and the packet if it is one.
    pub(crate) told: Vec<(Event, Vec<u8>)>,
    /// Every datagram that was sent.
    pub(crate) log: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    pub(crate) loses: Loses,
    under_way: VecDeque<Datagram>,
}

impl Wire {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            now: begin(),
            endpoint: Endpoint::new(config, &[server()]).expect("an address"),
            nodes: Vec::new(),
            told: Vec::new(),
            log: Vec::new(),
            loses: Box::new(|_, _, _| false),
            under_way: VecDeque::new(),
        }
    }

    pub(crate) fn offer(&mut self, sdp: &str, from: IpAddr) -> Result<String, Refusal> {
        self.endpoint.accept_offer(self.now, Offer::parse(sdp).expect("an offer"), from)
    }

    /// A client that has its answer; its number.
    pub(crate) fn connect(&mut self) -> usize {
        self.connect_with(|answer| answer)
    }

    fn connect_with(&mut self, change: impl Fn(String) -> String) -> usize {
        let number = self.nodes.len();
        let (mut client, offer) = Client::new(self.now, address(number)).expect("an offer");
        let answer = self.offer(&offer, address(number).ip()).expect("an answer");
        client.accept_answer(self.now, &change(answer)).expect("an answer");
        self.nodes.push(Node { client, address: address(number), events: Vec::new() });
        number
    }

    /// A client that is up; its number, and the server's link to it.
    pub(crate) fn connected(&mut self) -> (usize, LinkId) {
        self.connected_with(|answer| answer)
    }

    /// The same, with an answer that was changed on its way.
    pub(crate) fn connected_with(&mut self, change: impl Fn(String) -> String) -> (usize, LinkId) {
        let number = self.connect_with(change);
        self.run(800);
        assert!(self.nodes[number].is_up(), "{:?}", self.nodes[number].events);
        let up =
            self.told.iter().rev().find_map(|(event, _)| if let Event::Up(link) = event { Some(*link) } else { None });
        (number, up.expect("the server has the link"))
    }

    pub(crate) fn heard(&self, link: LinkId, delivery: Delivery) -> Vec<Vec<u8>> {
        let of = |(event, bytes): &(Event, Vec<u8>)| (*event == Event::Packet(link, delivery)).then(|| bytes.clone());
        self.told.iter().filter_map(of).collect()
    }

    pub(crate) fn is_down(&self, link: LinkId) -> bool {
        self.told.iter().any(|(event, _)| *event == Event::Down(link))
    }

    pub(crate) fn say(&mut self, node: usize, delivery: Delivery, packet: &[u8]) -> bool {
        self.nodes[node].client.send(self.now, delivery, packet)
    }

    pub(crate) fn tell(&mut self, link: LinkId, delivery: Delivery, packet: &[u8]) {
        self.endpoint.send(self.now, link, delivery, packet).expect("it is up");
    }

    /// Puts a datagram of somebody else's on the wire.
    pub(crate) fn inject(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        self.under_way.push_back(Datagram { at: self.now + WAY, from, to, bytes: bytes.to_vec() });
    }

    pub(crate) fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.turn();
            self.now += Duration::from_millis(1);
        }
    }

    fn turn(&mut self) {
        while let Some(datagram) = self.under_way.pop_front_if(|datagram| datagram.at <= self.now) {
            if datagram.to == server() {
                self.endpoint.handle_datagram(self.now, datagram.from, &datagram.bytes);
            } else if let Some(node) = self.nodes.iter_mut().find(|node| node.address == datagram.to) {
                node.client.handle_datagram(self.now, datagram.from, &datagram.bytes);
            }
        }
        let mut buffer = Vec::new();
        self.endpoint.handle_timeout(self.now);
        while let Some(event) = self.endpoint.poll_event(&mut buffer) {
            let packet = if matches!(event, Event::Packet(..)) { buffer.clone() } else { Vec::new() };
            self.told.push((event, packet));
        }
        let mut sent = Vec::new();
        while let Some(transmit) = self.endpoint.poll_transmit(self.now, &mut buffer) {
            sent.push((server(), transmit.to, buffer.clone()));
        }
        for node in &mut self.nodes {
            if node.client.poll_timeout() <= self.now {
                node.client.handle_timeout(self.now);
            }
            while let Some(to) = node.client.poll_transmit(&mut buffer) {
                sent.push((node.address, to, buffer.clone()));
            }
            while let Some(event) = node.client.poll_event() {
                node.events.push(event);
            }
        }
        for (from, to, bytes) in sent {
            if !(self.loses)(from, to, &bytes) {
                self.under_way.push_back(Datagram { at: self.now + WAY, from, to, bytes: bytes.clone() });
            }
            self.log.push((from, to, bytes));
        }
    }
}
