//! The addresses that this machine has: when they change, it is in another network.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use adapter_udp::local_addresses;

/// How often they are looked at. The server learns a new one by what comes from it, which may be seldom.
const LOOK: Duration = Duration::from_secs(2);

pub(super) struct OwnAddresses {
    server: SocketAddr,
    look_at: Option<Instant>,
    known: Vec<SocketAddr>,
}

impl OwnAddresses {
    /// Those by which a server at this address is reached come first.
    pub(super) const fn new(server: SocketAddr) -> Self {
        Self { server, look_at: None, known: Vec::new() }
    }

    /// Looks, if it is time: the addresses, without a port, if they are others than before.
    pub(super) fn look(&mut self, now: Instant) -> Option<&[SocketAddr]> {
        if self.look_at.is_some_and(|at| at > now) {
            return None;
        }
        self.look_at = Some(now + LOOK);
        let found = local_addresses(self.server, 0);
        let changed = found != self.known;
        self.known = found;
        changed.then_some(&self.known)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.look_at
    }
}
