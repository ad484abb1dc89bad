//! UDP over IPv4 over Ethernet, as it is on a wire between namespaces.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::space::MAC;

const ETHERNET: usize = 14;
const IP: usize = 20;
const UDP: usize = 8;
const IPV4: [u8; 2] = [0x08, 0x00];
const PROTOCOL_UDP: u8 = 17;

/// A UDP datagram with its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Datagram {
    pub(crate) from: SocketAddrV4,
    pub(crate) to: SocketAddrV4,
    pub(crate) bytes: Vec<u8>,
}

impl Datagram {
    /// Reads a frame; `None` for whatever else there is on a wire.
    pub(crate) fn read(frame: &[u8]) -> Option<Self> {
        let (ethernet, packet) = frame.split_at_checked(ETHERNET)?;
        let (ip, rest) = packet.split_at_checked(IP)?;
        if ethernet[12..] != IPV4 || ip[0] != 0x45 || ip[9] != PROTOCOL_UDP || ip[6] & 0x3F != 0 || ip[7] != 0 {
            return None;
        }
        let (udp, bytes) = rest.split_at_checked(UDP)?;
        let bytes = bytes.get(..usize::from(pair(udp, 4)).checked_sub(UDP)?)?;
        let address =
            |at: usize, port| SocketAddrV4::new(Ipv4Addr::new(ip[at], ip[at + 1], ip[at + 2], ip[at + 3]), port);
        Some(Self { from: address(12, pair(udp, 0)), to: address(16, pair(udp, 2)), bytes: bytes.to_vec() })
    }

    /// The frame that carries it. It has no UDP checksum: bent bytes have to reach the program.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let udp = (UDP + self.bytes.len()) as u16;
        let mut frame = [&MAC[..], &MAC, &IPV4].concat();
        frame.extend([0x45, 0]);
        frame.extend((IP as u16 + udp).to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, PROTOCOL_UDP, 0, 0]);
        frame.extend(self.from.ip().octets());
        frame.extend(self.to.ip().octets());
        let sum = checksum(&frame[ETHERNET..]);
        frame[ETHERNET + 10..ETHERNET + 12].copy_from_slice(&sum.to_be_bytes());
        for number in [self.from.port(), self.to.port(), udp, 0] {
            frame.extend(number.to_be_bytes());
        }
        frame.extend_from_slice(&self.bytes);
        frame
    }
}

fn pair(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// RFC 1071, over an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes.chunks_exact(2).map(|two| u32::from(pair(two, 0))).sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}
