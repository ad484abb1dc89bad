//! Whose a datagram is: by the name in a STUN request, and for all the rest by where it came from. Neither walks over the connections.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// An address is another link's only after it has been silent for so long. A browser asks by STUN every 2 to 5 s; whoever sends a request of its own
/// in the name of somebody else's address thus takes nothing from them.
const SILENCE: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, Copy)]
struct Owner {
    index: u32,
    heard: Instant,
}

/// Where links are.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    by_address: BTreeMap<SocketAddr, Owner>,
    /// By the server's own username fragment, a random one for each link (RFC 8445, 5.3).
    by_fragment: BTreeMap<String, u32>,
}

impl Finder {
    /// A link has this username fragment.
    pub(crate) fn name(&mut self, fragment: &str, index: u32) {
        self.by_fragment.insert(fragment.to_owned(), index);
    }

    /// Whose username fragment it is.
    pub(crate) fn named(&self, fragment: &str) -> Option<u32> {
        self.by_fragment.get(fragment).copied()
    }

    /// Whose address it is.
    pub(crate) fn at(&mut self, now: Instant, address: SocketAddr) -> Option<u32> {
        let owner = self.by_address.get_mut(&address)?;
        owner.heard = now;
        Some(owner.index)
    }

    /// A link has shown that it is at an address; false if that is another's.
    pub(crate) fn learn(&mut self, now: Instant, address: SocketAddr, index: u32) -> bool {
        let is_free = |owner: &Owner| owner.index == index || now.saturating_duration_since(owner.heard) >= SILENCE;
        let learnt = self.by_address.get(&address).is_none_or(is_free);
        if learnt {
            self.by_address.insert(address, Owner { index, heard: now });
        }
        learnt
    }

    /// A link is no more.
    pub(crate) fn forget(&mut self, fragment: &str, addresses: &[SocketAddr], index: u32) {
        self.by_fragment.remove(fragment);
        for address in addresses {
            if self.by_address.get(address).is_some_and(|owner| owner.index == index) {
                self.by_address.remove(address);
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> (usize, usize) {
        (self.by_address.len(), self.by_fragment.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins somewhere")]
    fn an_address_is_taken_over_only_after_it_was_silent() {
        let (mut finder, begin) = (Finder::default(), Instant::now());
        let address = SocketAddr::from(([10, 0, 0, 1], 5));
        assert!(finder.learn(begin, address, 1));
        assert!(!finder.learn(begin + Duration::from_secs(14), address, 2));
        assert_eq!(finder.at(begin + Duration::from_secs(14), address), Some(1));
        assert!(!finder.learn(begin + Duration::from_secs(28), address, 2));
        assert!(finder.learn(begin + Duration::from_secs(29), address, 2));
        // Whose it was leaves it alone when it goes.
        finder.forget("one", &[address], 1);
        assert_eq!(finder.at(begin + Duration::from_secs(30), address), Some(2));
        finder.forget("two", &[address], 2);
        assert_eq!(finder.len(), (0, 0));
    }
}
