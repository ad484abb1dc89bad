//! How much of the server an address may have: offers in a time, and connections.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Addresses that are remembered. Nobody new is let in while so many have used up something.
const MOST: usize = 10_000;
/// To look for addresses that needn't be remembered costs a walk over all, so it is done no oftener.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Whom a limit is for: an IPv4 address, or an IPv6 network of 64 bits, all of which one customer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source(IpAddr);

impl Source {
    pub(crate) fn of(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 => v4,
        })
    }
}

#[derive(Debug, Clone, Copy)]
struct Used {
    /// When all that was offered will be forgotten.
    free_at: Instant,
    links: usize,
}

/// What each address has used.
#[derive(Debug)]
pub(crate) struct Limits {
    used: BTreeMap<Source, Used>,
    looked_at: Option<Instant>,
    offers: usize,
    every: Duration,
    links: usize,
}

impl Limits {
    /// So many offers at once and then one after each `every`; so many links.
    pub(crate) const fn new(offers: usize, every: Duration, links: usize) -> Self {
        Self { used: BTreeMap::new(), looked_at: None, offers, every, links }
    }

    /// Whether an address may make one offer more, which counts.
    pub(crate) fn may_offer(&mut self, now: Instant, source: Source) -> bool {
        if self.used.len() >= MOST && !self.used.contains_key(&source) && !self.make_room(now) {
            return false;
        }
        let used = self.used.entry(source).or_insert(Used { free_at: now, links: 0 });
        let free_at = used.free_at.max(now) + self.every;
        let most = self.every * u32::try_from(self.offers).unwrap_or(u32::MAX);
        let may = free_at.duration_since(now) <= most;
        if may {
            used.free_at = free_at;
        }
        may
    }

    /// Whether an address may have one link more.
    pub(crate) fn may_link(&self, source: Source) -> bool {
        self.used.get(&source).is_none_or(|used| used.links < self.links)
    }

    /// A link of an address that has offered has begun.
    pub(crate) fn begin(&mut self, source: Source) {
        if let Some(used) = self.used.get_mut(&source) {
            used.links += 1;
        }
    }

    /// A link that began is no more.
    pub(crate) fn end(&mut self, source: Source) {
        if let Some(used) = self.used.get_mut(&source) {
            used.links = used.links.saturating_sub(1);
        }
    }

    fn make_room(&mut self, now: Instant) -> bool {
        if self.looked_at.is_none_or(|at| now >= at + LOOK_EVERY) {
            self.looked_at = Some(now);
            self.used.retain(|_, used| used.links > 0 || used.free_at > now);
        }
        self.used.len() < MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test begins somewhere")]
    fn now() -> Instant {
        Instant::now()
    }

    fn source(number: u32) -> Source {
        Source::of(IpAddr::from(number.to_be_bytes()))
    }

    #[test]
    fn who_has_offered_often_waits_and_others_do_not() {
        let (mut limits, begin) = (Limits::new(3, Duration::from_secs(1), 9), now());
        let offers = |limits: &mut Limits, at, of| (0..10).filter(|_| limits.may_offer(at, source(of))).count();
        assert_eq!(offers(&mut limits, begin, 1), 3);
        assert_eq!(offers(&mut limits, begin, 2), 3);
        assert_eq!(offers(&mut limits, begin + Duration::from_millis(2_500), 1), 2);
        assert_eq!(offers(&mut limits, begin + Duration::from_secs(99), 1), 3);
    }

    #[test]
    fn a_network_of_ipv6_is_one_and_an_address_in_two_forms_too() {
        let of = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::"));
        assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }

    #[test]
    fn memory_is_bounded_and_those_with_links_stay_in_it() {
        let (mut limits, begin) = (Limits::new(1, Duration::from_secs(60), 1), now());
        assert!(limits.may_offer(begin, source(0)));
        limits.begin(source(0));
        assert!(!limits.may_link(source(0)));
        let taken = (1..20_000).filter(|of| limits.may_offer(begin, source(*of))).count();
        assert_eq!((taken, limits.used.len()), (MOST - 1, MOST));
        // A minute later the others are forgotten.
        assert!(limits.may_offer(begin + Duration::from_secs(61), source(30_000)));
        assert_eq!(limits.used.len(), 2);
        assert!(!limits.may_link(source(0)));
        limits.end(source(0));
        assert!(limits.may_link(source(0)));
    }
}
