//! Endpoints of the transport on a network of the run's own, with a clock of its own, and faults that the input chooses.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::OnceLock,
    time::{Duration, Instant},
};

use adapter_udp::{Config, DownReason, Endpoint, Event, Identity, LinkId, Received};
use voice_core::Delivery;

use crate::streams::Streams;

/// One way without faults.
const WAY: Duration = Duration::from_millis(10);
/// Datagrams under way at once; what comes then is lost.
const MOST_UNDER_WAY: usize = 4_000;
/// Most turns of a run of the clock: more, and something never rests.
const MOST_TURNS: usize = 20_000;
/// Besides three times what came: QUIC's question whether somebody is at an address, of which quinn-proto always sends the whole.
const QUESTION: usize = 1_200;
/// Datagrams that are remembered, to be repeated.
const REMEMBERED: usize = 256;

/// How often, of 256, and by how many ms.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) loss: u8,
    pub(crate) twice: u8,
    pub(crate) bent: u8,
    pub(crate) delay: u8,
}

pub(crate) struct Node {
    pub(crate) endpoint: Endpoint,
    pub(crate) address: SocketAddr,
    /// Another number for each endpoint that was here.
    pub(crate) life: usize,
    /// Links that are up.
    pub(crate) up: Vec<LinkId>,
}

#[derive(Clone)]
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// The server is node 0.
pub(crate) struct Wire {
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<Node>,
    pub(crate) faults: Faults,
    pub(crate) streams: Streams,
    under_way: BTreeMap<(Instant, u64), Datagram>,
    sent: u64,
    /// What was sent last.
    pub(crate) remembered: Vec<Datagram>,
    random: u64,
    lives: usize,
    /// Bytes that may be sent to addresses that are nobody's. All together: QUIC adds to one address's share what came for the same connection
    /// from others.
    for_strangers: usize,
}

/// Made once: a key costs more than a run of the network. One for each node.
pub(crate) fn identity(node: usize) -> Identity {
    static IDENTITIES: [OnceLock<Identity>; 3] = [const { OnceLock::new() }; 3];
    IDENTITIES[node].get_or_init(|| Identity::generate().expect("random numbers")).clone()
}

pub(crate) fn address(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], port))
}

/// The same for all runs of a process.
pub(crate) fn begin() -> Instant {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "the transport's clock has no other beginning")]
    *BEGIN.get_or_init(Instant::now)
}

/// Room for all links of a run, and Retry with the third at once.
pub(crate) const LIMITS: Config = Config { links: 12, retry_above: 2, ..Config::DEFAULT };

impl Wire {
    /// A server and two clients, which aren't connected.
    pub(crate) fn new(seed: u64) -> Self {
        let now = begin();
        let node = |number: usize| {
            let endpoint = match number {
                0 => Endpoint::server(LIMITS, identity(0)),
                _ => Endpoint::client(LIMITS, identity(number)),
            };
            Node { endpoint, address: address(number as u8 + 1, 1_000), life: number, up: Vec::new() }
        };
        Self {
            now,
            nodes: (0..3).map(node).collect(),
            faults: Faults::default(),
            streams: Streams::default(),
            under_way: BTreeMap::new(),
            sent: 0,
            remembered: Vec::new(),
            random: seed,
            lives: 3,
            for_strangers: 0,
        }
    }

    /// The server ends without a word, and another begins with the same key.
    pub(crate) fn restart_server(&mut self) {
        let endpoint = Endpoint::server(LIMITS, identity(0));
        self.nodes[0] = Node { endpoint, address: self.nodes[0].address, life: self.lives, up: Vec::new() };
        self.lives += 1;
    }

    /// Time passes; whatever is due happens at its time.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        for _ in 0..MOST_TURNS {
            self.flush();
            let due = self.nodes.iter().filter_map(|node| node.endpoint.poll_timeout());
            let next = due.chain(self.under_way.first_key_value().map(|((at, _), _)| *at)).min();
            match next.filter(|next| *next <= end) {
                Some(next) => self.now = self.now.max(next),
                None => {
                    self.now = end;
                    return;
                }
            }
            self.deliver();
            self.nodes.iter_mut().for_each(|node| node.endpoint.handle_timeout(self.now));
        }
        panic!("the network never rests");
    }

    /// Puts a datagram on the way, without faults.
    pub(crate) fn inject(&mut self, datagram: Datagram) {
        self.put(self.now + WAY, datagram);
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.under_way.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let mut datagram = entry.remove();
            let is_known = self.is_somebodys(datagram.from);
            let Some(number) = self.nodes.iter().position(|node| node.address == datagram.to) else { continue };
            self.for_strangers += 3 * datagram.bytes.len() + if is_known { 0 } else { QUESTION };
            // Up and down come before and after a link's packets.
            self.take_events(number);
            let node = &mut self.nodes[number];
            let received = node.endpoint.handle_datagram(self.now, datagram.from, &mut datagram.bytes);
            if let Some(Received { link, packets }) = received {
                assert!(node.up.contains(&link), "a packet of a link that isn't up");
                packets.for_each(|packet| self.streams.hear((node.life, link), Delivery::Unreliable, packet));
            }
        }
    }

    /// Clients come from anywhere on their hosts.
    fn is_somebodys(&self, address: SocketAddr) -> bool {
        self.nodes.iter().any(|node| node.address.ip() == address.ip())
    }

    /// Takes what all endpoints have to say.
    pub(crate) fn flush(&mut self) {
        let mut buffer = Vec::new();
        for number in 0..self.nodes.len() {
            self.take_events(number);
            while let Some(transmit) = self.nodes[number].endpoint.poll_transmit(self.now, &mut buffer) {
                assert!((1..=1_200).contains(&buffer.len()), "a datagram of {} bytes", buffer.len());
                let from = self.nodes[number].address;
                self.send(Datagram { from, to: transmit.to, bytes: buffer.clone() });
            }
            // What is sent may end a link.
            self.take_events(number);
            let links = self.nodes[number].endpoint.links();
            assert!(links <= LIMITS.links, "{links} links");
        }
    }

    fn take_events(&mut self, number: usize) {
        let Self { nodes, streams, .. } = self;
        let node = &mut nodes[number];
        while let Some(event) = node.endpoint.poll_event() {
            match event {
                Event::Up(link, key) => {
                    assert!(key.is_some() && !node.up.contains(&link));
                    node.up.push(link);
                }
                Event::Packet(link, bytes) => {
                    assert!(node.up.contains(&link), "a packet of a link that isn't up");
                    streams.hear((node.life, link), Delivery::Reliable, &bytes);
                }
                Event::Down(link, reason) => {
                    // Handshakes can be ended by who sees them; nothing else can.
                    let failed = matches!(reason, DownReason::Failed(_));
                    assert!(!failed || !node.up.contains(&link), "nobody broke the rules: {reason:?}");
                    node.up.retain(|up| *up != link);
                }
            }
        }
    }

    fn send(&mut self, datagram: Datagram) {
        if !self.is_somebodys(datagram.to) {
            let after = self.for_strangers.checked_sub(datagram.bytes.len());
            self.for_strangers = after.expect("strangers get more than three times what came");
        }
        if self.remembered.len() >= REMEMBERED {
            self.remembered.remove(0);
        }
        self.remembered.push(datagram.clone());
        let faults = self.faults;
        let copies = if self.is_drawn(faults.twice) { 2 } else { 1 };
        for _ in 0..copies {
            if self.is_drawn(faults.loss) {
                continue;
            }
            let mut datagram = datagram.clone();
            if self.is_drawn(faults.bent) {
                let at = self.draw() as usize % datagram.bytes.len();
                datagram.bytes[at] ^= 1 << (self.draw() % 8);
            }
            let delay = self.draw() % (u64::from(faults.delay) + 1);
            self.put(self.now + WAY + Duration::from_millis(delay), datagram);
        }
    }

    fn put(&mut self, at: Instant, datagram: Datagram) {
        if self.under_way.len() < MOST_UNDER_WAY {
            self.under_way.insert((at, self.sent), datagram);
            self.sent += 1;
        }
    }

    fn is_drawn(&mut self, of_256: u8) -> bool {
        self.draw() % 256 < of_256.into()
    }

    /// SplitMix64: the input's seed draws which datagrams are hit.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
