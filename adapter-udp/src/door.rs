//! Who may begin a link with a server, and who has to show first that they get what is sent to their address.
//!
//! A handshake costs the server a signature, and a link its place until the core loses patience, whoever asks for it. So an address, of IPv6 a network of 64
//! bits, has only so many of both. Until it has shown that it gets what is sent there nothing is charged to it: who writes a stranger's address on datagrams
//! shall not keep the stranger out. Those who haven't shown it share a few handshakes among all of them, and are asked to by a Retry beyond that (RFC 9000,
//! 8.1.2), for which nothing is kept.
//!
//! The loopback has no limit. Nobody else's datagrams come from there, and behind it may be a relay of this machine that speaks for everybody.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Instant,
};

use adapter_kit::{Limits, Source};

use crate::config::Config;

/// What becomes of somebody who asks for a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It begins.
    Accept,
    /// Its address has to be shown to be its own.
    Prove,
    /// Its address has too many links, or has begun too many.
    TooMany,
}

/// What addresses have used of a port.
pub(crate) struct Door {
    limits: Limits,
    /// Of all together who haven't shown that their address is theirs.
    unproven: Limits,
    retry_above: usize,
}

impl Door {
    pub(crate) fn new(config: &Config) -> Self {
        // As often as places come free while nobody answers at all.
        let unproven = u32::try_from(config.retry_above).unwrap_or(u32::MAX);
        let every = config.handshake.checked_div(unproven).unwrap_or(config.handshake);
        Self {
            limits: Limits::new(config.handshakes_per_address, config.handshake_every, config.links_per_address),
            unproven: Limits::new(config.retry_above, every, usize::MAX),
            retry_above: config.retry_above,
        }
    }

    /// What becomes of somebody who asks while so many links are being made. One that is accepted from an address that is proven counts as a link of it.
    pub(crate) fn judge(&mut self, now: Instant, source: Source, is_proven: bool, making: usize) -> Verdict {
        if !is_proven {
            let may = making < self.retry_above && self.may_without_proof(now, source);
            return if may { Verdict::Accept } else { Verdict::Prove };
        }
        if !source.is_this_machine() {
            if !self.limits.may_link(source) || !self.limits.begin(now, source) {
                return Verdict::TooMany;
            }
            self.limits.add_link(source);
        }
        Verdict::Accept
    }

    fn may_without_proof(&mut self, now: Instant, source: Source) -> bool {
        // All of them are one: any of them could be any other.
        let anybody = Source::of(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let has_left = self.limits.may_link(source) && self.limits.may_begin(now, source);
        source.is_this_machine() || has_left && self.unproven.begin(now, anybody)
    }

    /// A link that was accepted without a proof is up, which is one: it counts from now on, whatever its address has left.
    pub(crate) fn is_proven(&mut self, now: Instant, source: Source) {
        if !source.is_this_machine() {
            self.limits.charge(now, source);
            self.limits.add_link(source);
        }
    }

    /// A link that counted is no more.
    pub(crate) fn leave(&mut self, source: Source) {
        self.limits.remove_link(source);
    }
}
