//! How much of a server an address may have: connections, and beginnings of such in a time.

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
pub struct Source(IpAddr);

impl Source {
    /// Whom an address belongs to.
    pub fn of(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            other => other,
        })
    }

    /// Whether it is the machine that asks: the loopback's, from which nothing comes over a network.
    pub fn is_this_machine(self) -> bool {
        self.0.is_loopback()
    }
}

#[derive(Debug, Clone, Copy)]
struct Used {
    /// When all that was begun will be forgotten.
    free_at: Instant,
    links: usize,
}

/// What each address has used.
#[derive(Debug)]
pub struct Limits {
    used: BTreeMap<Source, Used>,
    looked_at: Option<Instant>,
    at_once: usize,
    every: Duration,
    links: usize,
}

impl Limits {
    /// So many beginnings at once and then one after each `every`; so many links.
    pub const fn new(at_once: usize, every: Duration, links: usize) -> Self {
        Self { used: BTreeMap::new(), looked_at: None, at_once, every, links }
    }

    /// Whether an address could begin once more. It doesn't count.
    pub fn may_begin(&self, now: Instant, source: Source) -> bool {
        let free_at = self.used.get(&source).map_or(now, |used| used.free_at.max(now)) + self.every;
        free_at.duration_since(now) <= self.every * u32::try_from(self.at_once).unwrap_or(u32::MAX)
    }

    /// Whether an address may begin once more, which counts if it may.
    pub fn begin(&mut self, now: Instant, source: Source) -> bool {
        if self.used.len() >= MOST && !self.used.contains_key(&source) && !self.make_room(now) {
            return false;
        }
        let may = self.may_begin(now, source);
        if may {
            self.charge(now, source);
        }
        may
    }

    /// Counts a beginning whatever the address has left: for one that was let in before its address was known to be its own. The next ones wait longer.
    pub fn charge(&mut self, now: Instant, source: Source) {
        let used = self.used.entry(source).or_insert(Used { free_at: now, links: 0 });
        used.free_at = used.free_at.max(now) + self.every;
    }

    /// Whether an address may have one link more.
    pub fn may_link(&self, source: Source) -> bool {
        self.used.get(&source).is_none_or(|used| used.links < self.links)
    }

    /// Counts a link of an address whose beginning was counted.
    pub fn add_link(&mut self, source: Source) {
        if let Some(used) = self.used.get_mut(&source) {
            used.links += 1;
        }
    }

    /// A link that was counted is no more.
    pub fn remove_link(&mut self, source: Source) {
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
    fn who_has_begun_often_waits_and_others_do_not() {
        let (mut limits, begin) = (Limits::new(3, Duration::from_secs(1), 9), now());
        let begun = |limits: &mut Limits, at, of| (0..10).filter(|_| limits.begin(at, source(of))).count();
        assert_eq!(begun(&mut limits, begin, 1), 3);
        assert_eq!(begun(&mut limits, begin, 2), 3);
        assert_eq!(begun(&mut limits, begin + Duration::from_millis(2_500), 1), 2);
        assert_eq!(begun(&mut limits, begin + Duration::from_secs(99), 1), 3);
    }

    #[test]
    fn to_ask_costs_nothing_and_what_is_charged_beyond_the_limit_is_paid_back_by_waiting() {
        let (mut limits, begin) = (Limits::new(3, Duration::from_secs(1), 9), now());
        assert!((0..10).all(|_| limits.may_begin(begin, source(1))));
        (0..5).for_each(|_| limits.charge(begin, source(1)));
        assert!(!limits.may_begin(begin + Duration::from_millis(2_900), source(1)));
        assert!(limits.begin(begin + Duration::from_millis(3_000), source(1)));
        assert!(!limits.begin(begin + Duration::from_millis(3_000), source(1)));
    }

    #[test]
    fn a_network_of_ipv6_is_one_and_an_address_in_two_forms_too() {
        let of = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::"));
        assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert!(["::1", "127.0.0.9", "::ffff:127.0.0.1"].iter().all(|text| of(text).is_this_machine()));
        assert!(["::", "::2", "10.0.0.1"].iter().all(|text| !of(text).is_this_machine()));
    }

    #[test]
    fn memory_is_bounded_and_those_with_links_stay_in_it() {
        let (mut limits, begin) = (Limits::new(1, Duration::from_secs(60), 1), now());
        assert!(limits.begin(begin, source(0)));
        limits.add_link(source(0));
        assert!(!limits.may_link(source(0)));
        let taken = (1..20_000).filter(|of| limits.begin(begin, source(*of))).count();
        assert_eq!((taken, limits.used.len()), (MOST - 1, MOST));
        // A minute later the others are forgotten.
        assert!(limits.begin(begin + Duration::from_secs(61), source(30_000)));
        assert_eq!(limits.used.len(), 2);
        assert!(!limits.may_link(source(0)));
        limits.remove_link(source(0));
        assert!(limits.may_link(source(0)));
    }
}
