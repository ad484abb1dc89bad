//! What Linux counts of the datagrams that came to a socket and found its receive buffer full.

use std::{fs, os::fd::AsRawFd};

/// The tables that list the sockets of both families; a dual-stack one stands in the second.
const TABLES: [&str; 2] = ["/proc/self/net/udp", "/proc/self/net/udp6"];
const ATTEMPTS: usize = 3;

/// Datagrams of a UDP socket that the kernel dropped since it was opened (proc(5), `/proc/net/udp`: the column `drops`). `None` where there is no such
/// table.
pub(crate) fn overflowed(socket: &impl AsRawFd) -> Option<u64> {
    let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok()?;
    let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
    // A table is read in pieces, and may leave out a line when another socket is closed meanwhile: then it is read again.
    let mut tables = TABLES.iter().cycle().take(ATTEMPTS * TABLES.len());
    tables.find_map(|table| dropped(&fs::read_to_string(table).ok()?, inode))
}

fn dropped(table: &str, inode: &str) -> Option<u64> {
    const INODE: usize = 9;
    let socket = table.lines().find(|line| line.split_whitespace().nth(INODE) == Some(inode))?;
    socket.split_whitespace().last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::overflowed;

    #[test]
    fn what_found_no_room_is_counted_for_the_socket_it_was_sent_to_and_no_other() {
        let (full, other) = (UdpSocket::bind("127.0.0.1:0").expect("a port"), UdpSocket::bind("[::1]:0"));
        let Some(0) = overflowed(&full) else { return eprintln!("SKIPPED: this system tells of no overflow") };
        let size = rustix::net::sockopt::set_socket_recv_buffer_size(&full, 4_096);
        size.expect("a smaller buffer is always allowed");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a port");
        for _ in 0..100 {
            sender.send_to(&[0; 1_000], full.local_addr().expect("bound")).expect("loopback takes it");
        }
        full.set_nonblocking(true).expect("it can");
        let came = std::iter::from_fn(|| full.recv(&mut [0; 1_000]).ok()).count() as u64;
        assert!((1..100).contains(&came), "{came}");
        assert_eq!(overflowed(&full), Some(100 - came));
        assert_eq!(overflowed(&sender), Some(0));
        if let Ok(other) = other {
            assert_eq!(overflowed(&other), Some(0));
        }
    }
}
