//! Where a client may be reached: what is told of oneself, and what is believed of others.
//!
//! A list from another client is a stranger's word. It may cost a third party a few small datagrams, see [`super::budget`], and nothing else.

use std::net::{IpAddr, SocketAddr};

use adapter_kit::address::{canonical, mapped};

/// Addresses that are told, and taken, in one exchange.
pub(crate) const MOST_CANDIDATES: usize = 8;
/// No client's port is below; other people's services are.
const LEAST_PORT: u16 = 1_024;

/// Which addresses a socket can send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
    /// Both: IPv4 as `::ffff:a.b.c.d`, on an IPv6 socket.
    Both,
}

impl Families {
    /// An address as the socket wants it; `None` if it can't send there.
    pub(crate) fn to_socket(self, address: SocketAddr) -> Option<SocketAddr> {
        match (self, address.is_ipv4()) {
            (Self::V4, true) | (Self::V6 | Self::Both, false) => Some(address),
            (Self::Both, true) => Some(SocketAddr::new(mapped(address.ip()).into(), address.port())),
            (Self::V4, false) | (Self::V6, true) => None,
        }
    }
}

/// What makes an address one that may be tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sieve {
    pub(crate) families: Families,
    /// Whether this machine itself may be tried: only if the server is on it, too.
    pub(crate) loopback: bool,
}

impl Sieve {
    /// Neither a group's nor nobody's address, nor one that means something else at each end; of a client's port, and of a family that the
    /// socket has.
    pub(crate) fn lets_through(self, address: SocketAddr) -> bool {
        let sane = match address.ip() {
            // 0.0.0.0/8 is nobody's; 240.0.0.0/4 is reserved, with broadcast at its end.
            IpAddr::V4(ip) => !matches!(ip.octets()[0], 0 | 240..) && !ip.is_multicast(),
            // A link-local address says nothing without the name of a link.
            IpAddr::V6(ip) => {
                !ip.is_unspecified()
                    && !ip.is_multicast()
                    && !ip.is_unicast_link_local()
                    && ip.to_ipv4_mapped().is_none()
            }
        };
        sane && address.port() >= LEAST_PORT
            && (self.loopback || !address.ip().is_loopback())
            && self.families.to_socket(address).is_some()
    }

    /// The first few of these that may be tried, each once, in their order.
    pub(crate) fn sift(self, addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
        let mut kept = Vec::new();
        // What comes after the most that are told isn't even looked at.
        for address in addresses.take(MOST_CANDIDATES).map(canonical) {
            if self.lets_through(address) && !kept.contains(&address) {
                kept.push(address);
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_groups_no_nobodies_no_services_and_no_own_machine_are_tried() {
        let sieve = Sieve { families: Families::Both, loopback: false };
        let refused = [
            "0.0.0.0:5000",
            "0.1.2.3:5000",
            "224.0.0.1:5000",
            "240.1.1.1:5000",
            "255.255.255.255:5000",
            "127.0.0.1:5000",
            "192.0.2.1:0",
            "192.0.2.1:53",
            "[::]:5000",
            "[::1]:5000",
            "[ff02::1]:5000",
            "[fe80::1]:5000",
            "[2001:db8::1]:443",
        ];
        for address in refused {
            assert!(!sieve.lets_through(address.parse().unwrap()), "{address}");
        }
        for address in ["192.168.1.2:5000", "192.0.2.1:1024", "[2001:db8::1]:5000", "[fd00::1]:5000"] {
            assert!(sieve.lets_through(address.parse().unwrap()), "{address}");
        }
        assert!(Sieve { loopback: true, ..sieve }.lets_through("127.0.0.1:5000".parse().unwrap()));
        assert!(!Sieve { families: Families::V4, ..sieve }.lets_through("[fd00::1]:5000".parse().unwrap()));
    }

    #[test]
    fn a_long_list_is_cut_and_what_hides_as_another_family_is_seen() {
        let sieve = Sieve { families: Families::Both, loopback: false };
        let many = (1_024..2_000).map(|port| SocketAddr::from(([192, 0, 2, 1], port)));
        assert_eq!(sieve.sift(many).len(), MOST_CANDIDATES);
        let hidden = ["[::ffff:127.0.0.1]:5000", "[::ffff:255.255.255.255]:5000"].map(|text| text.parse().unwrap());
        assert_eq!(sieve.sift(hidden.into_iter()), []);
        let twice = ["192.0.2.1:5000", "[::ffff:192.0.2.1]:5000"].map(|text| text.parse().unwrap());
        assert_eq!(sieve.sift(twice.into_iter()).len(), 1);
    }

    #[test]
    fn an_address_is_written_as_the_socket_wants_it() {
        let (v4, v6): (SocketAddr, SocketAddr) = ("192.0.2.1:9".parse().unwrap(), "[fd00::1]:9".parse().unwrap());
        assert_eq!(Families::V4.to_socket(v4), Some(v4));
        assert_eq!(Families::Both.to_socket(v4), Some("[::ffff:192.0.2.1]:9".parse().unwrap()));
        assert_eq!(Families::Both.to_socket(v6), Some(v6));
        assert_eq!((Families::V4.to_socket(v6), Families::V6.to_socket(v4)), (None, None));
    }
}
