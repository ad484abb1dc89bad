use std::collections::BTreeMap;

use super::{EndpointId, endpoint::Address};

/// What lets direct packets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NatKind {
    /// Everybody's packets come in.
    Open,
    /// Packets come in from the addresses that a packet was sent to (endpoint-independent mapping, RFC 4787).
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

#[derive(Debug, Clone, Copy)]
struct Contact {
    address: Address,
    /// Whether a packet went to this address, which lets its own in.
    sent: bool,
}

/// What each machine knows of the others' addresses, and whom its NAT lets in.
#[derive(Debug, Default)]
pub(super) struct Contacts(BTreeMap<(EndpointId, EndpointId), Contact>);

impl Contacts {
    /// Notes that a machine sends to another; the address that it knows of it, at first the `current` one.
    pub(super) fn send(&mut self, from: EndpointId, to: EndpointId, current: Address) -> Address {
        let contact = self.0.entry((from, to)).or_insert(Contact { address: current, sent: false });
        contact.sent = true;
        contact.address
    }

    /// A machine learns another's address.
    pub(super) fn learn(&mut self, who: EndpointId, other: EndpointId, address: Address) {
        let contact = self.0.entry((who, other)).or_insert(Contact { address, sent: false });
        contact.sent &= contact.address == address;
        contact.address = address;
    }

    /// Closes a machine's NAT: it has sent to nobody.
    pub(super) fn close(&mut self, who: EndpointId) {
        self.of(who).for_each(|contact| contact.sent = false);
    }

    /// A machine forgets everybody's address.
    pub(super) fn forget(&mut self, who: EndpointId) {
        self.0.retain(|(owner, _), _| *owner != who);
    }

    /// Whether a direct packet from `from`, of that address and NAT, comes in at `to`.
    pub(super) fn lets_in(&self, from: (EndpointId, Address, NatKind), to: (EndpointId, NatKind)) -> bool {
        let answered = || self.0.get(&(to.0, from.0)).is_some_and(|contact| contact.sent && contact.address == from.1);
        match (from.2, to.1) {
            (NatKind::Blocked, _) | (_, NatKind::Blocked) => false,
            (_, NatKind::Open) => true,
            (NatKind::Open, _) | (NatKind::Cone, NatKind::Cone) => answered(),
            (NatKind::Cone | NatKind::Symmetric, NatKind::Cone | NatKind::Symmetric) => false,
        }
    }

    fn of(&mut self, who: EndpointId) -> impl Iterator<Item = &mut Contact> {
        let all = (who, EndpointId(0))..=(who, EndpointId(u16::MAX));
        self.0.range_mut(all).map(|(_, contact)| contact)
    }
}
