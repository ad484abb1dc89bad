//! The way of a packet: uplink, downlink, the receiver's door.

use bytes::Bytes;

use super::{
    EndpointId, NetEvent, Network,
    event::{Due, Hop, Load, Packet},
    faults::Obstacle,
};

/// Bytes that IP and UDP add to each packet on a link.
pub const HEADER_BYTES: u64 = 28;

impl Network {
    /// Sends a datagram straight from one machine to another, to the address where it last heard of it: at first the present one,
    /// then that of the last direct packet that came in from it, or of [`Network::learn_address`].
    pub fn send_direct(&mut self, from: EndpointId, to: EndpointId, bytes: Bytes) {
        let (source, current) = (self.endpoint(from).address, self.endpoint(to).address);
        let target = self.contacts.send(from, to, current);
        self.launch(Packet { from, to, source, target, conn: None, damaged: false, load: Load::Datagram(bytes) });
    }

    /// Tells a machine another's present address, as a rendezvous would.
    pub fn learn_address(&mut self, who: EndpointId, other: EndpointId) {
        let address = self.endpoint(other).address;
        self.contacts.learn(who, other, address);
    }

    /// Sends a packet on its way, or loses it.
    pub(super) fn launch(&mut self, mut packet: Packet) {
        match self.obstacle(&packet, Hop::Up) {
            Obstacle::None => {}
            Obstacle::Loses => return,
            Obstacle::Holds => return self.hold(packet, Hop::Up),
        }
        let Self { now, rng, faults, endpoints, .. } = self;
        let bytes = packet.load.len() + HEADER_BYTES;
        let Some(passage) = endpoints[packet.from.index()].up.pass(*now, bytes, rng, faults) else { return };
        packet.damaged |= passage.corrupted;
        if let Some(again) = passage.again {
            self.due.push(again, Due::Downlink(packet.clone()));
        }
        if passage.arrives == self.now {
            self.enter_downlink(packet);
        } else {
            self.due.push(passage.arrives, Due::Downlink(packet));
        }
    }

    pub(super) fn enter_downlink(&mut self, mut packet: Packet) {
        match self.obstacle(&packet, Hop::Down) {
            Obstacle::None => {}
            Obstacle::Loses => return,
            Obstacle::Holds => return self.hold(packet, Hop::Down),
        }
        let Self { now, rng, faults, endpoints, .. } = self;
        let bytes = packet.load.len() + HEADER_BYTES;
        let Some(passage) = endpoints[packet.to.index()].down.pass(*now, bytes, rng, faults) else { return };
        packet.damaged |= passage.corrupted;
        if let Some(again) = passage.again {
            self.due.push(again, Due::Arrival(packet.clone()));
        }
        // By the timeline even without delay: nothing may arrive within the call that sends it.
        self.due.push(passage.arrives, Due::Arrival(packet));
    }

    pub(super) fn arrive(&mut self, packet: Packet) {
        let to = self.endpoint(packet.to);
        if !to.alive || to.dark {
            self.faults.blacked_out += 1;
            return;
        }
        if to.address != packet.target {
            self.faults.wrong_address += 1;
            return;
        }
        let Some(packet) = self.intact(packet) else { return };
        match (packet.conn, packet.load) {
            (Some((conn, at)), load) => self.arrive_at_connection(conn, at, packet.source, load),
            (None, Load::Datagram(bytes)) => self.arrive_directly(packet.from, packet.to, packet.source, bytes),
            (None, _) => {}
        }
    }

    fn arrive_directly(&mut self, from: EndpointId, to: EndpointId, source: u32, bytes: Bytes) {
        let (sender, receiver) = (self.endpoint(from).nat, self.endpoint(to).nat);
        if !self.contacts.lets_in((from, source, sender), (to, receiver)) {
            self.faults.kept_out_by_nat += 1;
            return;
        }
        self.contacts.learn(to, from, source);
        self.events.push_back(NetEvent::Direct { from, to, bytes });
    }

    /// The packet, if it isn't damaged or damage is delivered.
    fn intact(&mut self, mut packet: Packet) -> Option<Packet> {
        if !packet.damaged {
            return Some(packet);
        }
        let Load::Datagram(bytes) = &mut packet.load else { return None };
        if !self.deliver_damaged || bytes.is_empty() {
            return None;
        }
        let mut damaged = bytes.to_vec();
        let bit = self.rng.below(damaged.len() as u64 * 8);
        damaged[(bit / 8) as usize] ^= 1 << (bit % 8);
        *bytes = damaged.into();
        Some(packet)
    }
}
