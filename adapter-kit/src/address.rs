//! Addresses as they stand on the wire, and as sockets write them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Bytes of an address on the wire: 16 of the address, IPv4 as `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2), and 2 of the port.
pub const ADDRESS: usize = 18;

/// The bytes of an address.
pub fn write_address(address: SocketAddr) -> [u8; ADDRESS] {
    let mut bytes = [0; ADDRESS];
    let (ip, port) = bytes.split_at_mut(ADDRESS - 2);
    ip.copy_from_slice(&mapped(address.ip()).octets());
    port.copy_from_slice(&address.port().to_be_bytes());
    bytes
}

/// The address that some bytes stand for; IPv4 as such.
pub fn read_address(bytes: &[u8; ADDRESS]) -> SocketAddr {
    let [ip @ .., high, low] = *bytes;
    canonical(SocketAddr::new(Ipv6Addr::from(ip).into(), u16::from_be_bytes([high, low])))
}

/// The same address, IPv4 as such and without what is only of use on this machine.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The long form of an address; IPv4 as `::ffff:a.b.c.d`.
pub const fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_families_come_back_from_the_wire() {
        for address in ["192.0.2.7:7757", "[2001:db8::7]:1", "0.0.0.0:0", "[::]:65535"] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(read_address(&write_address(address)), address);
        }
        let mapped: SocketAddr = "[::ffff:192.0.2.7]:9".parse().unwrap();
        assert_eq!(read_address(&write_address(mapped)), "192.0.2.7:9".parse().unwrap());
    }
}
