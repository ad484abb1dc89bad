//! The network: machines with access links, connections with a reliable lane and datagrams between a client and a server, and direct
//! datagrams between clients. Time is a number of microseconds that jumps from one event to the next; every random draw comes
//! from one seed; nothing depends on the machine it runs on.
//!
//! A packet passes the sender's uplink and the receiver's downlink. What happens to it is drawn when it is sent.

mod connection;
mod endpoint;
mod lane;
mod link;
mod preset;
mod rng;
mod trace;

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, VecDeque},
};

use bytes::Bytes;

use connection::Connection;
pub use connection::{ConnId, Side};
use endpoint::Endpoint;
pub use lane::Break;
use link::Link;
pub use preset::{LinkProfile, Preset};
pub use rng::Rng;
pub use trace::Trace;

/// A machine of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(pub(crate) u16);

/// Bytes that IP and UDP add to each packet on a link.
pub const HEADER_BYTES: u64 = 28;
/// Packets that a clogged direction holds at most.
const CLOG_HOLDS: usize = 2_000;

/// What lets direct packets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NatKind {
    /// Everybody's packets come in.
    Open,
    /// Packets come in from whom a packet was sent to (endpoint-independent mapping, RFC 4787).
    Cone,
    /// As Cone, but with another mapping for each destination: direct packets come in only from an open machine.
    Symmetric,
    /// No direct packets, out or in.
    Blocked,
}

impl NatKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Open, Self::Cone, Self::Symmetric, Self::Blocked];
}

/// What a change of a client's address does to its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebind {
    /// The server follows, as QUIC does.
    Migrate,
    /// The connection is dead, as with TCP.
    Break,
}

/// Something that reaches a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetEvent {
    /// The connection is up at this side.
    Up(ConnId, Side),
    /// The connection is down at this side: refused, closed by the other, or dead.
    Down(ConnId, Side),
    /// A packet came in at this side.
    Packet {
        /// By which connection.
        conn: ConnId,
        /// At which end.
        at: Side,
        /// Whether on the reliable lane.
        reliable: bool,
        /// The packet.
        bytes: Bytes,
    },
    /// A direct packet came in.
    Direct {
        /// From whom.
        from: EndpointId,
        /// To whom.
        to: EndpointId,
        /// The packet.
        bytes: Bytes,
    },
}

/// How often each fault struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultCounts {
    /// Lost on their own.
    pub lost: u64,
    /// Lost in a burst.
    pub lost_in_burst: u64,
    /// Lost since too much waited for bandwidth.
    pub queue_full: u64,
    /// Arrived twice.
    pub duplicated: u64,
    /// Could be overtaken.
    pub reordered: u64,
    /// A bit turned over; dropped by the checksum or delivered, as set.
    pub corrupted: u64,
    /// Lost to a partition.
    pub partitioned: u64,
    /// Lost to a machine without network, or that is off.
    pub blacked_out: u64,
    /// Held by a clogged direction.
    pub clogged: u64,
    /// Direct packets that a NAT kept out.
    pub kept_out_by_nat: u64,
    /// Lost since the receiver's address had changed.
    pub wrong_address: u64,
    /// Lane promises broken.
    pub lanes_broken: u64,
}

impl FaultCounts {
    /// Names and counts.
    pub fn named(&self) -> [(&'static str, u64); 12] {
        [
            ("lost", self.lost),
            ("lost_in_burst", self.lost_in_burst),
            ("queue_full", self.queue_full),
            ("duplicated", self.duplicated),
            ("reordered", self.reordered),
            ("corrupted", self.corrupted),
            ("partitioned", self.partitioned),
            ("blacked_out", self.blacked_out),
            ("clogged", self.clogged),
            ("kept_out_by_nat", self.kept_out_by_nat),
            ("wrong_address", self.wrong_address),
            ("lanes_broken", self.lanes_broken),
        ]
    }
}

/// What travels.
#[derive(Debug, Clone)]
enum Load {
    Syn,
    SynAck,
    Reset,
    Message { number: u64, bytes: Bytes },
    Ack { next: u64 },
    Datagram(Bytes),
}

impl Load {
    fn len(&self) -> u64 {
        match self {
            Self::Syn | Self::SynAck | Self::Reset | Self::Ack { .. } => 12,
            Self::Message { bytes, .. } => 12 + bytes.len() as u64,
            Self::Datagram(bytes) => bytes.len() as u64,
        }
    }
}

#[derive(Debug, Clone)]
struct Travelling {
    from: EndpointId,
    to: EndpointId,
    address: u32,
    /// The connection and the end it goes to; `None` for direct packets.
    conn: Option<(ConnId, Side)>,
    load: Load,
    damaged: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Arrival(u32),
    LaneTimer(ConnId, Side),
    Connect(ConnId),
}

/// Machines, links and what is under way.
#[derive(Debug)]
pub struct Network {
    now: u64,
    rng: Rng,
    endpoints: Vec<Endpoint>,
    connections: Vec<Connection>,
    due: BinaryHeap<Reverse<(u64, u64, Due)>>,
    order: u64,
    travelling: Vec<Option<Travelling>>,
    free: Vec<u32>,
    held: Vec<Travelling>,
    blocked: BTreeSet<(EndpointId, EndpointId)>,
    contacts: BTreeSet<(EndpointId, EndpointId)>,
    events: VecDeque<NetEvent>,
    faults: FaultCounts,
    trace: Trace,
    deliver_damaged: bool,
    rebind: Rebind,
}

impl Network {
    /// An empty network at time 0.
    pub fn new(seed: u64) -> Self {
        Self {
            now: 0,
            rng: Rng::new(seed),
            endpoints: Vec::new(),
            connections: Vec::new(),
            due: BinaryHeap::new(),
            order: 0,
            travelling: Vec::new(),
            free: Vec::new(),
            held: Vec::new(),
            blocked: BTreeSet::new(),
            contacts: BTreeSet::new(),
            events: VecDeque::new(),
            faults: FaultCounts::default(),
            trace: Trace::new(),
            deliver_damaged: false,
            rebind: Rebind::Migrate,
        }
    }

    /// Adds a machine.
    pub fn add(&mut self, preset: &Preset, nat: NatKind) -> EndpointId {
        self.endpoints.push(Endpoint::new(preset.up, preset.down, nat));
        EndpointId(u16::try_from(self.endpoints.len() - 1).expect("at most 65,536 machines"))
    }

    /// True time, µs.
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// When something happens next, µs.
    pub fn next_at(&self) -> Option<u64> {
        if self.events.is_empty() { self.due.peek().map(|Reverse((at, ..))| *at) } else { Some(self.now) }
    }

    /// Lets time pass up to `until`, or to the first thing that reaches a machine, whichever is earlier.
    pub fn poll(&mut self, until: u64) -> Option<NetEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                self.note(&event);
                return Some(event);
            }
            match self.due.peek() {
                Some(Reverse((at, ..))) if *at <= until => {}
                _ => {
                    self.now = self.now.max(until);
                    return None;
                }
            }
            let Reverse((at, _, due)) = self.due.pop()?;
            self.now = self.now.max(at);
            self.happen(due);
        }
    }

    /// How often each fault struck.
    pub const fn faults(&self) -> &FaultCounts {
        &self.faults
    }

    /// The fingerprint of all that reached machines.
    pub const fn trace(&self) -> Trace {
        self.trace
    }

    /// Mixes a number of the caller's into the fingerprint.
    pub fn trace_number(&mut self, number: u64) {
        self.trace.number(number);
    }

    /// Sends a datagram straight from one machine to another.
    pub fn send_direct(&mut self, from: EndpointId, to: EndpointId, bytes: Bytes) {
        self.contacts.insert((from, to));
        if !self.lets_in(from, to) {
            self.faults.kept_out_by_nat += 1;
            return;
        }
        self.launch(Travelling {
            from,
            to,
            address: self.endpoint(to).address,
            conn: None,
            load: Load::Datagram(bytes),
            damaged: false,
        });
    }

    /// Gives a machine other links.
    pub fn set_preset(&mut self, endpoint: EndpointId, preset: &Preset) {
        self.endpoint_mut(endpoint).set_preset(preset);
    }

    /// Gives a machine another NAT.
    pub fn set_nat(&mut self, endpoint: EndpointId, nat: NatKind) {
        self.endpoint_mut(endpoint).nat = nat;
    }

    /// Lets a machine's clock run fast (or slow, below 0), in millionths.
    pub fn set_drift(&mut self, endpoint: EndpointId, ppm: i32) {
        self.endpoint_mut(endpoint).drift_ppm = ppm;
    }

    /// Blocks packets from one machine to another, or no longer.
    pub fn set_blocked(&mut self, from: EndpointId, to: EndpointId, blocked: bool) {
        if blocked {
            self.blocked.insert((from, to));
        } else {
            self.blocked.remove(&(from, to));
        }
    }

    /// Takes a machine off the network, or puts it back.
    pub fn set_dark(&mut self, endpoint: EndpointId, dark: bool) {
        self.endpoint_mut(endpoint).dark = dark;
    }

    /// Holds what a machine sends (`up`) or what is sent to it, or lets it go at once.
    pub fn set_clogged(&mut self, endpoint: EndpointId, up: bool, clogged: bool) {
        self.endpoint_mut(endpoint).clogged[usize::from(up)] = clogged;
        if clogged {
            return;
        }
        for packet in std::mem::take(&mut self.held) {
            self.launch(packet);
        }
    }

    /// Turns a machine off: what it had open is forgotten there, and the others find out by silence. Or on again.
    pub fn set_alive(&mut self, endpoint: EndpointId, alive: bool) {
        self.endpoint_mut(endpoint).alive = alive;
        if !alive {
            self.connections.iter_mut().for_each(|connection| connection.forget(endpoint));
        }
    }

    /// Gives a machine another address, as a NAT that forgot it would.
    pub fn change_address(&mut self, endpoint: EndpointId) {
        self.endpoint_mut(endpoint).address += 1;
        self.contacts.retain(|(from, _)| *from != endpoint);
    }

    /// What a change of address does to connections from now on.
    pub fn set_rebind(&mut self, rebind: Rebind) {
        self.rebind = rebind;
    }

    /// Whether damaged datagrams are delivered as they are. Otherwise, and always on the lane, a checksum catches them.
    pub fn set_deliver_damaged(&mut self, deliver: bool) {
        self.deliver_damaged = deliver;
    }

    /// A machine's own clock at true time `at`, µs.
    pub fn local(&self, endpoint: EndpointId, at: u64) -> u64 {
        scale(at, 1_000_000 + i64::from(self.endpoint(endpoint).drift_ppm), 1_000_000)
    }

    /// The first true time at which a machine's own clock shows `local` or more, µs.
    pub fn true_time(&self, endpoint: EndpointId, local: u64) -> u64 {
        let mut at = scale(local, 1_000_000, 1_000_000 + i64::from(self.endpoint(endpoint).drift_ppm));
        while self.local(endpoint, at) < local {
            at += 1;
        }
        at
    }

    fn lets_in(&self, from: EndpointId, to: EndpointId) -> bool {
        let answered = self.contacts.contains(&(to, from));
        match (self.endpoint(from).nat, self.endpoint(to).nat) {
            (NatKind::Blocked, _) | (_, NatKind::Blocked) => false,
            (_, NatKind::Open) => true,
            (NatKind::Open, _) | (NatKind::Cone, NatKind::Cone) => answered,
            (NatKind::Cone | NatKind::Symmetric, NatKind::Cone | NatKind::Symmetric) => false,
        }
    }

    /// Sends a packet on its way through both links, or loses it.
    fn launch(&mut self, packet: Travelling) {
        let (from, to) = (packet.from, packet.to);
        if !self.endpoint(from).alive || self.endpoint(from).dark || self.endpoint(to).dark {
            self.faults.blacked_out += 1;
            return;
        }
        if !self.blocked.is_empty() && self.blocked.contains(&(from, to)) {
            self.faults.partitioned += 1;
            return;
        }
        if self.endpoint(from).clogged[1] || self.endpoint(to).clogged[0] {
            self.faults.clogged += 1;
            if self.held.len() < CLOG_HOLDS {
                self.held.push(packet);
            }
            return;
        }
        let bytes = packet.load.len() + HEADER_BYTES;
        let Self { now, rng, faults, endpoints, .. } = self;
        let Some(up) = endpoints[usize::from(from.0)].up.pass(*now, bytes, false, rng, faults) else {
            return;
        };
        for (at, overtaken) in [(Some(up.arrives), up.overtaken), (up.again, true)] {
            let Some(at) = at else { continue };
            let Self { rng, faults, endpoints, .. } = self;
            let Some(down) = endpoints[usize::from(to.0)].down.pass(at, bytes, overtaken, rng, faults) else {
                continue;
            };
            let damaged = up.corrupted || down.corrupted;
            for at in [Some(down.arrives), down.again].into_iter().flatten() {
                self.schedule_arrival(at, Travelling { damaged, ..packet.clone() });
            }
        }
    }

    fn schedule_arrival(&mut self, at: u64, packet: Travelling) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.travelling[slot as usize] = Some(packet);
                slot
            }
            None => {
                self.travelling.push(Some(packet));
                (self.travelling.len() - 1) as u32
            }
        };
        self.schedule(at, Due::Arrival(slot));
    }

    fn schedule(&mut self, at: u64, due: Due) {
        self.order += 1;
        self.due.push(Reverse((at, self.order, due)));
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Arrival(slot) => {
                let packet = self.travelling[slot as usize].take();
                self.free.push(slot);
                if let Some(packet) = packet {
                    self.arrive(packet);
                }
            }
            Due::LaneTimer(conn, side) => self.on_lane_timer(conn, side),
            Due::Connect(conn) => self.on_connect_timer(conn),
        }
    }

    fn arrive(&mut self, mut packet: Travelling) {
        let to = self.endpoint(packet.to);
        if !to.alive || to.dark {
            self.faults.blacked_out += 1;
            return;
        }
        if to.address != packet.address {
            self.faults.wrong_address += 1;
            return;
        }
        if packet.damaged {
            let Load::Datagram(bytes) = &mut packet.load else {
                return;
            };
            if !self.deliver_damaged || bytes.is_empty() {
                return;
            }
            let mut damaged = bytes.to_vec();
            let bit = self.rng.below(damaged.len() as u64 * 8);
            damaged[(bit / 8) as usize] ^= 1 << (bit % 8);
            *bytes = damaged.into();
        }
        match (packet.conn, packet.load) {
            (Some((conn, at)), load) => self.arrive_at_connection(conn, at, packet.from, load),
            (None, Load::Datagram(bytes)) => {
                self.events.push_back(NetEvent::Direct { from: packet.from, to: packet.to, bytes });
            }
            (None, _) => {}
        }
    }

    fn note(&mut self, event: &NetEvent) {
        self.trace.number(self.now);
        let (kind, who, bytes) = match event {
            NetEvent::Up(conn, side) => (1, conn.number(*side), None),
            NetEvent::Down(conn, side) => (2, conn.number(*side), None),
            NetEvent::Packet { conn, at, reliable, bytes } => (3 + u64::from(*reliable), conn.number(*at), Some(bytes)),
            NetEvent::Direct { from, to, bytes } => (5, u64::from(from.0) << 16 | u64::from(to.0), Some(bytes)),
        };
        self.trace.number(kind << 56 | who);
        if let Some(bytes) = bytes {
            self.trace.bytes(bytes);
        }
    }

    fn endpoint(&self, id: EndpointId) -> &Endpoint {
        &self.endpoints[usize::from(id.0)]
    }

    fn endpoint_mut(&mut self, id: EndpointId) -> &mut Endpoint {
        &mut self.endpoints[usize::from(id.0)]
    }
}

fn scale(at: u64, by: i64, over: i64) -> u64 {
    (i128::from(at) * i128::from(by) / i128::from(over)) as u64
}
