//! How much is sent to those who never answered.
//!
//! Whoever is in a room can name any address as its own. What that costs a third party is bounded here, for all pairs together: in each minute
//! so many probes to one machine, so many in all, and to so many machines.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Probes a minute to a machine that doesn't answer: 33 B each, 1,980 B.
pub(crate) const MOST_TO_ONE: u32 = 60;
/// Probes a minute to all who don't answer: 33,000 B.
pub(crate) const MOST_TO_ALL: u32 = 1_000;
/// Machines of which it is known how much they got.
const MOST_MACHINES: usize = 256;
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(crate) struct Budget {
    until: Option<Instant>,
    /// Probes that weren't answered in this minute.
    sent: BTreeMap<IpAddr, u32>,
    in_all: u32,
}

impl Budget {
    /// Whether a probe may go there; it counts as sent then.
    pub(crate) fn take(&mut self, now: Instant, ip: IpAddr) -> bool {
        if self.until.is_none_or(|until| until <= now) {
            *self = Self { until: Some(now + MINUTE), ..Self::default() };
        }
        let machine = machine(ip);
        if self.in_all >= MOST_TO_ALL || (self.sent.len() >= MOST_MACHINES && !self.sent.contains_key(&machine)) {
            return false;
        }
        let sent = self.sent.entry(machine).or_default();
        if *sent >= MOST_TO_ONE {
            return false;
        }
        *sent += 1;
        self.in_all += 1;
        true
    }

    /// Somebody there has answered.
    pub(crate) fn answered(&mut self, ip: IpAddr) {
        let sent = self.sent.remove(&machine(ip)).unwrap_or_default();
        self.in_all = self.in_all.saturating_sub(sent);
    }
}

/// One machine: of IPv6, all addresses of its network of 64 bits, of which it may have any.
fn machine(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any time will do, and the standard library has no other beginning")]
mod tests {
    use super::*;

    fn v6(low: u16) -> IpAddr {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, low).into()
    }

    #[test]
    fn a_machine_that_does_not_answer_gets_sixty_probes_a_minute() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        assert_eq!((0..500).filter(|low| budget.take(now, v6(*low))).count(), 60, "whatever address of its network");
        assert!(budget.take(now, [192, 0, 2, 1].into()), "others aren't touched");
        assert!(!budget.take(now + MINUTE - Duration::from_millis(1), v6(1)));
        assert!(budget.take(now + MINUTE, v6(1)));
    }

    #[test]
    fn whoever_answers_gets_more() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        (0..60).for_each(|_| _ = budget.take(now, v6(1)));
        budget.answered(v6(1));
        assert!(budget.take(now, v6(1)));
    }

    #[test]
    fn all_together_get_a_thousand_and_their_number_is_bounded() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        let one = |at: u32| IpAddr::from(at.to_be_bytes());
        let sent = (0..5_000).filter(|at| budget.take(now, one(*at % 250))).count();
        assert_eq!(sent, 1_000);
        let mut budget = Budget::default();
        assert_eq!((0..900).filter(|at| budget.take(now, one(*at))).count(), MOST_MACHINES);
    }
}
