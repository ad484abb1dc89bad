//! Address translation of a home's router.

use std::{collections::BTreeMap, net::Ipv4Addr, net::SocketAddrV4};

/// How ports are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One outside port for each inside address, whoever it talks to (RFC 4787: endpoint-independent mapping).
    Cone,
    /// Another outside port for each address that is talked to.
    Symmetric,
}

/// Lets in only what comes from an address and port that was talked to before (address and port-dependent filtering).
pub(crate) struct Nat {
    kind: Kind,
    outside: Ipv4Addr,
    next_port: u16,
    /// The outside port, by the inside address and, if symmetric, who is talked to.
    ports: BTreeMap<(SocketAddrV4, Option<SocketAddrV4>), u16>,
    /// Who was talked to from an outside port, and for whom.
    talks: BTreeMap<(u16, SocketAddrV4), SocketAddrV4>,
}

impl Nat {
    pub(crate) fn new(kind: Kind, outside: Ipv4Addr) -> Self {
        Self { kind, outside, next_port: 20_000, ports: BTreeMap::new(), talks: BTreeMap::new() }
    }

    pub(crate) const fn outside(&self) -> Ipv4Addr {
        self.outside
    }

    /// Forgets everything, as a router that was switched off and on: other ports from now on.
    pub(crate) fn forget(&mut self) {
        self.ports.clear();
        self.talks.clear();
    }

    /// The sender as others see it.
    pub(crate) fn out(&mut self, from: SocketAddrV4, to: SocketAddrV4) -> SocketAddrV4 {
        let key = (from, (self.kind == Kind::Symmetric).then_some(to));
        let port = *self.ports.entry(key).or_insert_with(|| {
            self.next_port += 1;
            self.next_port
        });
        self.talks.insert((port, to), from);
        SocketAddrV4::new(self.outside, port)
    }

    /// The inside receiver of what comes to an outside port; `None` if it isn't let in.
    pub(crate) fn back(&self, from: SocketAddrV4, port: u16) -> Option<SocketAddrV4> {
        self.talks.get(&(port, from)).copied()
    }
}
