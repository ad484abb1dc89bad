//! The way of a packet: uplink, downlink, the receiver's door.

use super::{
    EndpointId, NetEvent, Network, PacketBytes,
    event::{Due, Fan, Hop, Load, NETWORK, Packet},
    faults::Obstacle,
};

/// Bytes that IP and UDP add to each packet on a link.
pub const HEADER_BYTES: u64 = 28;

impl Network {
    /// Sends a datagram straight from one machine to another, to the address where it last heard of it: at first the present one,
    /// then that of the last direct packet that came in from it, or of [`Network::learn_address`].
    pub fn send_direct(&mut self, from: EndpointId, to: EndpointId, bytes: PacketBytes) {
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
        let Self { now, rng, faults, terms, uplinks, .. } = self;
        let bytes = packet.load.len() + HEADER_BYTES;
        let Some(passage) = uplinks[packet.from.index()].pass(*now, bytes, terms, rng, faults) else { return };
        packet.damaged |= passage.corrupted;
        if let Some(again) = passage.again {
            self.due.push(again, NETWORK, Due::Downlink(self.packets.put(packet.clone())));
        }
        if passage.arrives == self.now {
            self.enter_downlink(packet);
        } else {
            self.due.push(passage.arrives, NETWORK, Due::Downlink(self.packets.put(packet)));
        }
    }

    /// Sends one datagram on its way to many ends. An uplink that only delays takes them all together, and they are one thing under way
    /// until their downlinks part them; else each goes alone.
    pub(super) fn launch_fan(&mut self, fan: Fan) {
        let from = self.endpoint(fan.from);
        let free = from.alive && !from.dark && !from.clogged_up;
        let arrives = self.uplinks[fan.from.index()].pass_plainly(self.now, &self.terms).filter(|_| free);
        match arrives {
            Some(at) if at > self.now => self.due.push(at, NETWORK, Due::Fan(self.fans.put(fan))),
            Some(_) => self.part(fan, Self::enter_downlink),
            None => self.part(fan, Self::launch),
        }
    }

    /// A fan has come to the downlinks.
    pub(super) fn spread(&mut self, number: u32) {
        if let Some(fan) = self.fans.take(number) {
            self.part(fan, Self::enter_downlink);
        }
    }

    fn part(&mut self, mut fan: Fan, mut how: impl FnMut(&mut Self, Packet)) {
        for (conn, target) in fan.to.drain(..) {
            let to = self.connections.endpoint(conn, fan.side);
            let load = Load::Datagram(PacketBytes::clone(&fan.bytes));
            let conn = Some((conn, fan.side));
            how(self, Packet { from: fan.from, to, source: fan.source, target, conn, damaged: false, load });
        }
        self.spare_lists.push(fan.to);
    }

    pub(super) fn enter_downlink(&mut self, mut packet: Packet) {
        match self.obstacle(&packet, Hop::Down) {
            Obstacle::None => {}
            Obstacle::Loses => return,
            Obstacle::Holds => return self.hold(packet, Hop::Down),
        }
        let Self { now, rng, faults, terms, endpoints, .. } = self;
        let bytes = packet.load.len() + HEADER_BYTES;
        let Some(passage) = endpoints[packet.to.index()].down.pass(*now, bytes, terms, rng, faults) else { return };
        packet.damaged |= passage.corrupted;
        if let Some(again) = passage.again {
            self.due.push(again, NETWORK, Due::Arrival(self.packets.put(packet.clone())));
        }
        // By the timeline even without delay: nothing may arrive within the call that sends it.
        self.due.push(passage.arrives, NETWORK, Due::Arrival(self.packets.put(packet)));
    }

    pub(super) fn arrive(&mut self, packet: Packet) -> Option<NetEvent> {
        let to = self.endpoint(packet.to);
        if !to.alive || to.dark {
            self.faults.blacked_out += 1;
            return None;
        }
        if to.address != packet.target {
            self.faults.wrong_address += 1;
            return None;
        }
        let packet = if packet.damaged { self.damaged(packet)? } else { packet };
        match (packet.conn, packet.load) {
            (Some((conn, at)), load) => self.arrive_at_connection(conn, at, packet.source, load),
            (None, Load::Datagram(bytes)) => self.arrive_directly(packet.from, packet.to, packet.source, bytes),
            (None, _) => None,
        }
    }

    fn arrive_directly(
        &mut self,
        from: EndpointId,
        to: EndpointId,
        source: u32,
        bytes: PacketBytes,
    ) -> Option<NetEvent> {
        let (sender, receiver) = (self.endpoint(from).nat, self.endpoint(to).nat);
        if !self.contacts.lets_in((from, source, sender), (to, receiver)) {
            self.faults.kept_out_by_nat += 1;
            return None;
        }
        self.contacts.learn(to, from, source);
        Some(NetEvent::Direct { from, to, bytes })
    }

    /// The packet with a bit turned over, if damage is delivered.
    fn damaged(&mut self, mut packet: Packet) -> Option<Packet> {
        let Load::Datagram(bytes) = &mut packet.load else { return None };
        if !self.deliver_damaged || bytes.is_empty() {
            return None;
        }
        let mut damaged = bytes.to_vec();
        let bit = self.rng.below(damaged.len() as u64 * 8);
        damaged[(bit / 8) as usize] ^= 1 << (bit % 8);
        *bytes = PacketBytes::from(&damaged[..]);
        Some(packet)
    }
}
