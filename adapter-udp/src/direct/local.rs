//! The addresses that a socket has on this machine's networks.
//!
//! The kernel is asked which address it would use toward the server, and toward the internet by each family: an unsent UDP `connect`. That shows
//! others the few addresses that voice would come from, with the temporary one where IPv6 has such (RFC 6724, rule 7), and not those of every
//! virtual network, container and tunnel that a list of all interfaces would tell; it needs no crate and no `unsafe`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use adapter_kit::address::canonical;

/// Addresses of documentation (RFC 5737, RFC 3849): routed as the internet is, and nothing is ever sent there.
const INTERNET: [SocketAddr; 2] = [
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9),
    SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 9),
];

/// The addresses by which a socket of this port is reached on this machine's networks, for [`Direct::set_local`](crate::Direct::set_local); at most
/// three, that toward the server first. Sends nothing. Where the system can't tell, it is left out.
pub fn local_addresses(server: SocketAddr, port: u16) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for to in [canonical(server)].into_iter().chain(INTERNET) {
        let address = toward(to).map(|address| SocketAddr::new(address.ip(), port));
        found.extend(address.filter(|address| !found.contains(address)));
    }
    found
}

fn toward(to: SocketAddr) -> Option<SocketAddr> {
    let any: SocketAddr =
        if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(to).ok()?;
    socket.local_addr().ok().map(canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_this_machine_is_reached_from_this_machine() {
        let server = SocketAddr::from(([127, 0, 0, 1], 7_757));
        let found = local_addresses(server, 5_000);
        assert_eq!(found[0], SocketAddr::from(([127, 0, 0, 1], 5_000)));
        assert!(found.len() <= 3 && found.iter().all(|address| address.port() == 5_000), "{found:?}");
    }
}
