//! A UDP socket that doesn't block, and a wait for it. On Linux many datagrams go through each system call.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use crate::media::is_media;

#[cfg(target_os = "linux")]
use self::many_at_once as calls;
#[cfg(not(target_os = "linux"))]
use self::one_by_one as calls;

/// Bytes that the kernel may keep for the socket in each direction: a tenth of a second of 10,000 datagrams a second.
#[cfg(unix)]
const BUFFER: usize = 4 << 20;
/// Datagrams of one system call: with more, what each costs hardly gets less.
const BATCH: usize = 64;
/// Longest datagram that is taken whole; a longer one is cut, and then isn't opened.
const LONGEST: usize = 2_048;

/// A UDP socket.
#[derive(Debug)]
pub struct Socket(UdpSocket);

impl Socket {
    /// Binds to an address of this machine.
    ///
    /// # Errors
    /// Those of the operating system: the port is taken, the address isn't this machine's, or it needs a right.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        #[cfg(unix)]
        {
            // Less is given where the system allows less; that costs datagrams in a burst and nothing else.
            let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, BUFFER);
            let _ = rustix::net::sockopt::set_socket_send_buffer_size(&socket, BUFFER);
        }
        #[cfg(target_os = "linux")]
        forbid_fragments(&socket);
        Ok(Self(socket))
    }

    /// Whether it is an IPv6 socket that reaches IPv4, too, by addresses such as `::ffff:a.b.c.d`. On systems other than Unix it is said that it
    /// doesn't.
    pub fn has_both_families(&self) -> bool {
        #[cfg(unix)]
        {
            self.0.local_addr().is_ok_and(|address| address.is_ipv6())
                && rustix::net::sockopt::ipv6_v6only(&self.0).is_ok_and(|only| !only)
        }
        #[cfg(not(unix))]
        {
            false
        }
    }

    /// Where it is bound.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Bytes that the kernel keeps for the socket (received, to send); it counts its own bookkeeping, too. 0 where it can't be asked.
    pub fn buffers(&self) -> (usize, usize) {
        #[cfg(unix)]
        {
            use rustix::net::sockopt::{socket_recv_buffer_size, socket_send_buffer_size};
            (socket_recv_buffer_size(&self.0).unwrap_or(0), socket_send_buffer_size(&self.0).unwrap_or(0))
        }
        #[cfg(not(unix))]
        (0, 0)
    }

    /// Datagrams that came since it was bound and found the kernel's buffer full, so that nobody saw them. `None` where the system doesn't tell:
    /// Linux does. Reading it costs some system calls: for metrics, not for a loop.
    pub fn overflowed(&self) -> Option<u64> {
        #[cfg(target_os = "linux")]
        {
            crate::overflow::overflowed(&self.0)
        }
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// Gives those datagrams that are there to `take`, at most 64 of them. Returns whether there may be more.
    pub fn receive(&self, incoming: &mut Incoming, mut take: impl FnMut(SocketAddr, &mut [u8])) -> bool {
        let got = calls::receive(&self.0, incoming);
        for (buffer, from) in incoming.buffers.iter_mut().zip(&incoming.got) {
            if let (len, Some(from)) = *from {
                take(from, &mut buffer[..len]);
            }
        }
        got == BATCH
    }

    /// Sends what was queued. What the system doesn't take now stays queued if it is control; voice is dropped, since new voice is worth more.
    /// Returns how many datagrams were dropped.
    pub fn send(&self, outgoing: &mut Outgoing) -> usize {
        let taken = calls::send(&self.0, outgoing);
        outgoing.keep_control(taken)
    }

    /// Sends all that `next` writes into the buffer that it is handed, each to the address that it gives, until it gives none.
    /// Returns how many datagrams were dropped, as [`Socket::send`] does.
    pub fn send_all(&self, outgoing: &mut Outgoing, mut next: impl FnMut(&mut Vec<u8>) -> Option<SocketAddr>) -> usize {
        let mut dropped = 0;
        while let Some(to) = next(outgoing.buffer()) {
            if !outgoing.push(to) {
                dropped += self.send(outgoing);
            }
        }
        dropped + if outgoing.is_empty() { 0 } else { self.send(outgoing) }
    }

    /// Waits until a datagram is there, at most so long.
    ///
    /// # Errors
    /// Those of the operating system.
    #[cfg(unix)]
    pub fn wait(&self, most: Duration) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};

        let most = Timespec { tv_sec: most.as_secs() as i64, tv_nsec: most.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&most)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until a datagram is there, at most so long.
    ///
    /// # Errors
    /// Those of the operating system.
    #[cfg(not(unix))]
    pub fn wait(&self, most: Duration) -> io::Result<()> {
        self.0.set_nonblocking(false)?;
        self.0.set_read_timeout(Some(most.max(Duration::from_millis(1))))?;
        let _ = self.0.peek_from(&mut [0; 1]);
        self.0.set_nonblocking(true)
    }
}

/// For those who wait for several sockets.
#[cfg(unix)]
impl std::os::fd::AsFd for Socket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.0)
    }
}

/// Room for datagrams that come in.
#[derive(Debug)]
pub struct Incoming {
    buffers: Box<[[u8; LONGEST]; BATCH]>,
    /// Length and sender of each.
    got: Vec<(usize, Option<SocketAddr>)>,
    headers: calls::Headers,
}

impl Default for Incoming {
    fn default() -> Self {
        let buffers = vec![[0; LONGEST]; BATCH].try_into().expect("as many as there have to be");
        Self { buffers, got: Vec::with_capacity(BATCH), headers: calls::headers() }
    }
}

/// Datagrams that go out together.
#[derive(Debug)]
pub struct Outgoing {
    /// The first `to.len()` are in use; the others keep their room.
    buffers: Vec<Vec<u8>>,
    to: Vec<SocketAddr>,
    headers: calls::Headers,
}

impl Default for Outgoing {
    fn default() -> Self {
        let buffers = (0..BATCH).map(|_| Vec::with_capacity(LONGEST)).collect();
        Self { buffers, to: Vec::with_capacity(BATCH), headers: calls::headers() }
    }
}

impl Outgoing {
    /// An empty buffer for the next datagram. [`Outgoing::push`] queues it.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        let at = self.to.len().min(BATCH - 1);
        self.buffers[at].clear();
        &mut self.buffers[at]
    }

    /// Queues what was written to the buffer; false if it has to be sent first.
    pub fn push(&mut self, to: SocketAddr) -> bool {
        if self.to.len() < BATCH {
            self.to.push(to);
        }
        self.to.len() < BATCH
    }

    /// Nothing is queued.
    pub const fn is_empty(&self) -> bool {
        self.to.is_empty()
    }

    fn keep_control(&mut self, taken: usize) -> usize {
        let (all, mut kept) = (self.to.len(), 0);
        for at in taken..all {
            // At least one place stays free, so that the loop goes on.
            if !is_media(&self.buffers[at]) && kept < BATCH - 1 {
                self.buffers.swap(kept, at);
                self.to[kept] = self.to[at];
                kept += 1;
            }
        }
        self.to.truncate(kept);
        all - taken.min(all) - kept
    }
}

/// `recvmmsg` and `sendmmsg`.
#[cfg(target_os = "linux")]
mod many_at_once {
    use std::{
        io::{IoSlice, IoSliceMut},
        net::{SocketAddr, UdpSocket},
        os::fd::AsRawFd,
    };

    use arrayvec::ArrayVec;
    use nix::{
        errno::Errno,
        sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg},
    };

    use super::{BATCH, Incoming, Outgoing};

    pub(super) type Headers = MultiHeaders<SockaddrStorage>;

    pub(super) fn headers() -> Headers {
        MultiHeaders::preallocate(BATCH, None)
    }

    pub(super) fn receive(socket: &UdpSocket, incoming: &mut Incoming) -> usize {
        let Incoming { buffers, got, headers } = incoming;
        got.clear();
        loop {
            let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
            match recvmmsg(socket.as_raw_fd(), headers, &mut slices, MsgFlags::MSG_DONTWAIT, None) {
                Ok(results) => {
                    got.extend(results.map(|one| (one.bytes, one.address.and_then(|from| from_kernel(&from)))))
                }
                // An earlier datagram was refused somewhere: of no interest to the others.
                Err(Errno::ECONNREFUSED | Errno::EINTR) => continue,
                Err(_) => {}
            }
            return got.len();
        }
    }

    pub(super) fn send(socket: &UdpSocket, outgoing: &mut Outgoing) -> usize {
        let Outgoing { buffers, to, headers } = outgoing;
        let addresses: ArrayVec<Option<SockaddrStorage>, BATCH> = to.iter().map(|to| Some((*to).into())).collect();
        let mut sent = 0;
        while sent < to.len() {
            let slices: ArrayVec<[IoSlice<'_>; 1], BATCH> =
                buffers[sent..to.len()].iter().map(|buffer| [IoSlice::new(buffer)]).collect();
            match sendmmsg(socket.as_raw_fd(), headers, &slices, &addresses[sent..], [], MsgFlags::MSG_DONTWAIT) {
                Ok(results) => sent += results.count().max(1),
                Err(Errno::EINTR | Errno::ECONNREFUSED) => {}
                Err(Errno::EAGAIN | Errno::ENOBUFS) => break,
                // This one can't be sent at all.
                Err(_) => sent += 1,
            }
        }
        sent
    }

    fn from_kernel(address: &SockaddrStorage) -> Option<SocketAddr> {
        let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
    }
}

/// What every system has.
#[cfg_attr(
    target_os = "linux",
    expect(dead_code, reason = "for other systems; it is compiled here so that it stays right")
)]
mod one_by_one {
    use std::{io::ErrorKind, net::UdpSocket};

    use super::{Incoming, Outgoing};

    #[derive(Debug)]
    pub(super) struct Headers;

    pub(super) const fn headers() -> Headers {
        Headers
    }

    pub(super) fn receive(socket: &UdpSocket, incoming: &mut Incoming) -> usize {
        let Incoming { buffers, got, .. } = incoming;
        got.clear();
        for buffer in &mut **buffers {
            match socket.recv_from(&mut buffer[..]) {
                Ok((len, from)) => got.push((len, Some(from))),
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::Interrupted) => {
                    got.push((0, None));
                }
                Err(_) => break,
            }
        }
        got.len()
    }

    pub(super) fn send(socket: &UdpSocket, outgoing: &mut Outgoing) -> usize {
        let full = |(buffer, to): (&Vec<u8>, &std::net::SocketAddr)| {
            socket.send_to(buffer, to).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        };
        let queued = outgoing.to.len();
        outgoing.buffers.iter().zip(&outgoing.to).position(full).unwrap_or(queued)
    }
}

/// Neither this system nor a router may cut datagrams up (RFC 9000, section 14), and what a path is said to carry, which anybody can say, changes
/// nothing. It also spares Linux drawing the number by which fragments would be told apart, for each datagram: 8 % of a server's time where it was measured.
#[cfg(target_os = "linux")]
fn forbid_fragments(socket: &UdpSocket) {
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
    };

    // A socket for both families wants both; one for IPv4 alone refuses the second.
    let _ = set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::PROBE);
    let _ = set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::PROBE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn nothing_that_is_sent_may_be_cut_up_on_the_way() {
        use rustix::net::sockopt::{Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, ip_mtu_discover, ipv6_mtu_discover};

        assert_eq!(ip_mtu_discover(&any().0).unwrap(), Ipv4PathMtuDiscovery::PROBE);
        let Ok(both) = Socket::bind("[::]:0".parse().unwrap()) else {
            return eprintln!("SKIPPED: no IPv6 here");
        };
        assert_eq!(ip_mtu_discover(&both.0).unwrap(), Ipv4PathMtuDiscovery::PROBE);
        assert_eq!(ipv6_mtu_discover(&both.0).unwrap(), Ipv6PathMtuDiscovery::PROBE);
    }

    fn any() -> Socket {
        Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap()
    }

    fn queue(outgoing: &mut Outgoing, to: SocketAddr, bytes: &[u8]) -> bool {
        outgoing.buffer().extend_from_slice(bytes);
        outgoing.push(to)
    }

    #[test]
    fn what_is_sent_together_arrives_in_its_order_from_where_it_was_sent() {
        let (a, b) = (any(), any());
        let (mut outgoing, mut incoming, mut came) = (Outgoing::default(), Incoming::default(), Vec::new());
        for number in 0..150_u8 {
            if !queue(&mut outgoing, b.address().unwrap(), &[0x80, number]) {
                assert_eq!(a.send(&mut outgoing), 0);
            }
        }
        assert_eq!(a.send(&mut outgoing), 0);
        assert!(outgoing.is_empty());
        let take = |from, bytes: &mut [u8]| came.push((from, bytes.to_vec()));
        let mut take = take;
        while b.receive(&mut incoming, &mut take) {}
        let wanted: Vec<_> = (0..150_u8).map(|number| (a.address().unwrap(), vec![0x80, number])).collect();
        assert_eq!(came, wanted);
    }

    #[test]
    fn a_datagram_that_cant_be_sent_stops_no_other() {
        let (a, b) = (any(), any());
        let (mut outgoing, mut incoming) = (Outgoing::default(), Incoming::default());
        queue(&mut outgoing, b.address().unwrap(), &[1]);
        queue(&mut outgoing, "[::1]:9".parse().unwrap(), &[2]);
        queue(&mut outgoing, b.address().unwrap(), &[3]);
        a.send(&mut outgoing);
        let mut came = Vec::new();
        b.receive(&mut incoming, |_, bytes| came.push(bytes.to_vec()));
        assert_eq!(came, [[1], [3]]);
    }

    #[test]
    fn of_what_a_full_socket_doesnt_take_control_stays_and_voice_goes() {
        let to = "127.0.0.1:9".parse().unwrap();
        let mut outgoing = Outgoing::default();
        for first in [0x80, 0x40, 0xA0, 0xC0] {
            queue(&mut outgoing, to, &[first]);
        }
        assert_eq!(outgoing.keep_control(1), 1);
        assert_eq!(outgoing.to.len(), 2);
        assert_eq!(outgoing.buffers[..2], [[0x40], [0xC0]]);
    }
}
