//! A UDP socket that doesn't block, and a wait for it.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

/// Bytes that the kernel may keep for the socket in each direction: a tenth of a second of 10,000 datagrams a second.
#[cfg(unix)]
const BUFFER: usize = 4 << 20;

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

    /// The next datagram, if one is there. One that is longer than the buffer is cut.
    pub fn receive(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        loop {
            match self.0.recv_from(buffer) {
                Ok(received) => return Some(received),
                // An earlier datagram was refused somewhere: of no interest to this one.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }

    /// Sends a datagram; false if the system doesn't take it now. It is lost then, as on any way.
    pub fn send(&self, to: SocketAddr, datagram: &[u8]) -> bool {
        self.0.send_to(datagram, to).is_ok()
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
