//! Faults that are switched on and off: partitions, clogging, machines that go dark, crash, or move.

use std::collections::BTreeSet;

use super::{
    EndpointId, NetEvent, Network,
    event::{Hop, Packet},
};

/// Packets that clogged directions and paths hold at most, all together.
const CLOG_HOLDS: usize = 2_000;

/// What lies between machines.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocked: BTreeSet<(EndpointId, EndpointId)>,
    clogged: BTreeSet<(EndpointId, EndpointId)>,
    held: Vec<(Hop, Packet)>,
}

/// What a fault does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    None,
    Loses,
    Holds,
}

impl Network {
    /// Blocks packets from one machine to another, or no longer. The other way is not touched.
    pub fn set_blocked(&mut self, from: EndpointId, to: EndpointId, blocked: bool) {
        if blocked {
            self.blocks.blocked.insert((from, to));
        } else {
            self.blocks.blocked.remove(&(from, to));
        }
    }

    /// Blocks packets from each of `these` to each of `those`, or no longer; with `both_ways` the other way too.
    pub fn set_partition(&mut self, these: &[EndpointId], those: &[EndpointId], both_ways: bool, blocked: bool) {
        for (from, to) in these.iter().flat_map(|this| those.iter().map(move |that| (*this, *that))) {
            self.set_blocked(from, to, blocked);
            if both_ways {
                self.set_blocked(to, from, blocked);
            }
        }
    }

    /// Takes a machine off the network, or puts it back.
    pub fn set_dark(&mut self, endpoint: EndpointId, dark: bool) {
        self.endpoint_mut(endpoint).dark = dark;
    }

    /// Holds what a machine sends (`up`) or what is sent to it, or lets it go at once. At most 2,000 packets are held in the whole
    /// network; what comes then is lost.
    pub fn set_clogged(&mut self, endpoint: EndpointId, up: bool, clogged: bool) {
        let endpoint = self.endpoint_mut(endpoint);
        *(if up { &mut endpoint.clogged_up } else { &mut endpoint.clogged_down }) = clogged;
        self.let_go();
    }

    /// Holds what one machine sends to another, or lets it go at once, as [`Network::set_clogged`].
    pub fn set_path_clogged(&mut self, from: EndpointId, to: EndpointId, clogged: bool) {
        if clogged {
            self.blocks.clogged.insert((from, to));
        } else {
            self.blocks.clogged.remove(&(from, to));
        }
        self.let_go();
    }

    /// Ends all partitions and clogging, takes back breaks of lanes that haven't struck yet, and puts every machine back on the network. Machines that are off stay off.
    pub fn heal(&mut self) {
        self.blocks.blocked.clear();
        self.blocks.clogged.clear();
        self.connections.mend_lanes();
        for endpoint in &mut self.endpoints {
            (endpoint.dark, endpoint.clogged_up, endpoint.clogged_down) = (false, false, false);
        }
        self.let_go();
    }

    /// Turns a machine off: what it had open is forgotten there, and the others find out by silence. Or on again.
    pub fn set_alive(&mut self, endpoint: EndpointId, alive: bool) {
        let was = std::mem::replace(&mut self.endpoint_mut(endpoint).alive, alive);
        if !was || alive {
            return;
        }
        self.faults.crashes += 1;
        self.contacts.forget(endpoint);
        self.connections.forget(endpoint);
        let Self { connections, events, .. } = self;
        events.retain(|event| match event {
            NetEvent::Wake(_) => true,
            NetEvent::Up(conn, side) | NetEvent::Down(conn, side) => connections.endpoint(*conn, *side) != endpoint,
            NetEvent::Packet { conn, at, .. } => connections.endpoint(*conn, *at) != endpoint,
            NetEvent::Direct { to, .. } => *to != endpoint,
        });
    }

    /// Gives a machine another address, as a NAT that forgot it would: what is sent to the old one is lost, its NAT lets nobody in
    /// before it has sent, and its connections go on or die by [`Network::set_rebind`].
    pub fn change_address(&mut self, endpoint: EndpointId) {
        self.faults.address_changes += 1;
        self.endpoint_mut(endpoint).address += 1;
        self.contacts.close(endpoint);
    }

    /// Whether a fault loses or holds a packet before this hop; if it does, it is counted.
    pub(super) fn obstacle(&mut self, packet: &Packet, hop: Hop) -> Obstacle {
        let off = match hop {
            Hop::Up => {
                let from = self.endpoint(packet.from);
                !from.alive || from.dark
            }
            Hop::Down => self.endpoint(packet.to).dark,
        };
        if off {
            self.faults.blacked_out += 1;
            return Obstacle::Loses;
        }
        if hop == Hop::Down && self.blocks.blocked.contains(&(packet.from, packet.to)) {
            self.faults.partitioned += 1;
            return Obstacle::Loses;
        }
        if self.is_clogged(packet, hop) { Obstacle::Holds } else { Obstacle::None }
    }

    fn is_clogged(&self, packet: &Packet, hop: Hop) -> bool {
        match hop {
            Hop::Up => self.endpoint(packet.from).clogged_up,
            Hop::Down => {
                self.endpoint(packet.to).clogged_down || self.blocks.clogged.contains(&(packet.from, packet.to))
            }
        }
    }

    /// Holds a packet before a hop, until nothing clogs it.
    pub(super) fn hold(&mut self, packet: Packet, hop: Hop) {
        if self.blocks.held.len() < CLOG_HOLDS {
            self.faults.clogged += 1;
            self.blocks.held.push((hop, packet));
        } else {
            self.faults.clog_full += 1;
        }
    }

    /// Lets go, in their order, the packets that nothing holds any longer.
    fn let_go(&mut self) {
        for (hop, packet) in std::mem::take(&mut self.blocks.held) {
            match hop {
                _ if self.is_clogged(&packet, hop) => self.blocks.held.push((hop, packet)),
                Hop::Up => self.launch(packet),
                Hop::Down => self.enter_downlink(packet),
            }
        }
    }
}
