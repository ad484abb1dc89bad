//! An internet of this program's own: machines, NATs before them, and datagrams that take their time.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

/// From one machine to another, if nothing else is said.
pub(crate) const WAY: Duration = Duration::from_millis(20);

/// What a NAT does, in the words of RFC 4787.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// There is none.
    Open,
    /// Endpoint-independent mapping and filtering.
    FullCone,
    /// Endpoint-independent mapping, address-dependent filtering.
    Cone,
    /// Endpoint-independent mapping, address and port-dependent filtering: what most homes have.
    PortCone,
    /// Address and port-dependent mapping and filtering.
    Symmetric,
}

#[derive(Debug)]
struct Nat {
    kind: Kind,
    outside: IpAddr,
    /// By the machine inside, and with [`Kind::Symmetric`] by the destination.
    ports: BTreeMap<(SocketAddr, Option<SocketAddr>), u16>,
    /// Where each port was used to.
    used: BTreeSet<(u16, SocketAddr)>,
    next: u16,
}

impl Nat {
    fn out(&mut self, from: SocketAddr, to: SocketAddr) -> SocketAddr {
        let key = (from, (self.kind == Kind::Symmetric).then_some(to));
        let next = &mut self.next;
        let port = *self.ports.entry(key).or_insert_with(|| {
            *next += 7;
            *next
        });
        self.used.insert((port, to));
        SocketAddr::new(self.outside, port)
    }

    fn let_in(&self, from: SocketAddr, port: u16) -> Option<SocketAddr> {
        let ((inside, _), _) = self.ports.iter().find(|(_, mapped)| **mapped == port)?;
        let used = |lets: &dyn Fn(&SocketAddr) -> bool| self.used.iter().any(|(at, to)| *at == port && lets(to));
        let lets_in = match self.kind {
            Kind::Open | Kind::FullCone => true,
            Kind::Cone => used(&|to| to.ip() == from.ip()),
            Kind::PortCone | Kind::Symmetric => used(&|to| *to == from),
        };
        lets_in.then_some(*inside)
    }
}

/// A datagram that was sent: by which machine, from and to which address as the internet sees it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    pub(crate) node: usize,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Machine {
    address: SocketAddr,
    nat: Option<usize>,
}

/// Whether a datagram is lost, by the machine that sends it and its bytes.
pub(crate) type Loses = Box<dyn FnMut(usize, &[u8]) -> bool>;

pub(crate) struct Net {
    machines: Vec<Machine>,
    nats: Vec<Nat>,
    under_way: VecDeque<(Instant, SocketAddr, SocketAddr, Vec<u8>)>,
    pub(crate) log: Vec<Sent>,
    pub(crate) loses: Loses,
    /// How long a datagram takes from one machine to another.
    pub(crate) way: Duration,
}

impl Net {
    pub(crate) fn new() -> Self {
        Self {
            machines: Vec::new(),
            nats: Vec::new(),
            under_way: VecDeque::new(),
            log: Vec::new(),
            loses: Box::new(|_, _| false),
            way: WAY,
        }
    }

    /// A machine behind a NAT of its own, or without one; its number.
    pub(crate) fn add(&mut self, address: SocketAddr, kind: Kind) -> usize {
        let nat = (kind != Kind::Open).then(|| {
            let outside = IpAddr::from([203, 0, 113, 10 + self.nats.len() as u8]);
            let next = 30_000 + 1_000 * self.nats.len() as u16;
            self.nats.push(Nat { kind, outside, ports: BTreeMap::new(), used: BTreeSet::new(), next });
            self.nats.len() - 1
        });
        self.machines.push(Machine { address, nat });
        self.machines.len() - 1
    }

    /// One more machine in the network of another one.
    pub(crate) fn add_beside(&mut self, address: SocketAddr, other: usize) -> usize {
        let nat = self.machines[other].nat;
        self.machines.push(Machine { address, nat });
        self.machines.len() - 1
    }

    pub(crate) fn address(&self, node: usize) -> SocketAddr {
        self.machines[node].address
    }

    /// The machine gets another address.
    pub(crate) fn set_address(&mut self, node: usize, address: SocketAddr) {
        self.machines[node].address = address;
    }

    /// The NAT before a machine forgets everything.
    pub(crate) fn restart_nat(&mut self, node: usize) {
        if let Some(nat) = self.machines[node].nat {
            self.nats[nat].ports.clear();
            self.nats[nat].used.clear();
        }
    }

    /// The address that a machine's datagrams to another one come from.
    pub(crate) fn outside(&mut self, node: usize, to: SocketAddr) -> SocketAddr {
        let Machine { address, nat } = self.machines[node];
        nat.map_or(address, |nat| self.nats[nat].out(address, to))
    }

    pub(crate) fn send(&mut self, now: Instant, node: usize, to: SocketAddr, bytes: &[u8]) {
        self.log.push(Sent { at: now, node, to, bytes: bytes.to_vec() });
        let nat = self.machines[node].nat;
        let beside = nat.is_some() && self.machines.iter().any(|machine| machine.address == to && machine.nat == nat);
        let from = if beside { self.machines[node].address } else { self.outside(node, to) };
        if !(self.loses)(node, bytes) {
            self.under_way.push_back((now + self.way, from, to, bytes.to_vec()));
        }
    }

    /// Puts a datagram of somebody else's on the way.
    pub(crate) fn inject(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        self.under_way.push_back((now + self.way, from, to, bytes.to_vec()));
    }

    /// When the next datagram comes.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.under_way.front().map(|(at, ..)| *at)
    }

    /// The next datagram that has come: to which machine, and from where.
    pub(crate) fn arrived(&mut self, now: Instant) -> Option<(usize, SocketAddr, Vec<u8>)> {
        loop {
            let (_, from, to, bytes) = self.under_way.pop_front_if(|(at, ..)| *at <= now)?;
            if let Some(node) = self.find(from, to) {
                return Some((node, from, bytes));
            }
        }
    }

    fn find(&self, from: SocketAddr, to: SocketAddr) -> Option<usize> {
        if let Some(nat) = self.nats.iter().position(|nat| nat.outside == to.ip()) {
            // No hairpin: who is inside isn't reached by the outside address.
            let inside = self.nats[nat].let_in(from, to.port()).filter(|_| from.ip() != to.ip())?;
            return self.machines.iter().position(|machine| machine.nat == Some(nat) && machine.address == inside);
        }
        let node = self.machines.iter().position(|machine| machine.address == to)?;
        let sender = self.machines.iter().find(|machine| machine.address == from);
        let reached = self.machines[node].nat.is_none() || sender.is_some_and(|s| s.nat == self.machines[node].nat);
        reached.then_some(node)
    }
}

/// Any time will do: from there on the test's own clock goes on.
#[expect(
    clippy::disallowed_methods,
    reason = "the transport's clock is the standard library's, which has no other beginning"
)]
pub(crate) fn begin() -> Instant {
    Instant::now()
}
