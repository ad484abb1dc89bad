//! The sockets of many clients. On this machine's loopback they share one, each with an address of its own: then nobody has to be woken for what the
//! server sends, and the kernel's work for it is that of one socket, as it is for a server on a real network.

use std::{io, net::SocketAddr};

use adapter_udp::{Incoming, Outgoing, Socket, local_addresses};

/// Datagrams taken before the clients get their turn.
const BATCHES: usize = 8;

/// What the clients send and receive by.
pub(super) enum Sockets {
    /// One for each.
    Own { sockets: Vec<Socket>, incoming: Box<Incoming>, outgoing: Box<Outgoing> },
    /// One for all.
    #[cfg(target_os = "linux")]
    Shared(Box<shared::SharedSocket>),
}

impl Sockets {
    pub(super) fn for_server(server: SocketAddr) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if server.is_ipv4() && server.ip().is_loopback() {
            return Ok(Self::Shared(Box::new(shared::SharedSocket::bind()?)));
        }
        let _ = server;
        Ok(Self::Own { sockets: Vec::new(), incoming: Box::default(), outgoing: Box::default() })
    }

    /// Makes room for the next client, and gives the address that the server sees.
    pub(super) fn add(&mut self, client: usize, server: SocketAddr) -> io::Result<SocketAddr> {
        match self {
            Self::Own { sockets, .. } => {
                let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = Socket::bind(any.parse().expect("an address"))?;
                let bound = socket.address()?;
                sockets.push(socket);
                Ok(local_addresses(server, bound.port()).first().copied().unwrap_or(bound))
            }
            #[cfg(target_os = "linux")]
            Self::Shared(socket) => socket.address(client),
        }
    }

    /// Gives each datagram that has come to the client that it is for, by its number.
    pub(super) fn receive(&mut self, mut take: impl FnMut(usize, SocketAddr, &mut [u8])) {
        match self {
            Self::Own { sockets, incoming, .. } => {
                for (client, socket) in sockets.iter().enumerate() {
                    socket.receive(incoming, |from, datagram| take(client, from, datagram));
                }
            }
            #[cfg(target_os = "linux")]
            Self::Shared(socket) => {
                for _ in 0..BATCHES {
                    if !socket.receive(&mut take) {
                        return;
                    }
                }
            }
        }
    }

    /// Sends all that `next` writes for a client.
    pub(super) fn send(&mut self, client: usize, next: impl FnMut(&mut Vec<u8>) -> Option<SocketAddr>) {
        match self {
            Self::Own { sockets, outgoing, .. } => {
                sockets[client].send_all(outgoing, next);
            }
            #[cfg(target_os = "linux")]
            Self::Shared(socket) => socket.send(client, next),
        }
    }
}

#[cfg(target_os = "linux")]
mod shared {
    use std::{
        io::{self, IoSlice, IoSliceMut},
        net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
        os::fd::AsRawFd,
    };

    use nix::{
        cmsg_space,
        libc::{in_addr, in_pktinfo},
        sys::socket::{
            ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmsg, setsockopt,
            sockopt,
        },
    };

    const BATCH: usize = 64;
    const LONGEST: usize = 2_048;
    /// Bytes that the kernel may keep: whoever generates load must not be who loses it.
    const BUFFER: usize = 16 << 20;

    /// A socket of all addresses of the loopback network; client n has the n-th after 127.1.0.0.
    pub(in super::super) struct SharedSocket {
        socket: UdpSocket,
        buffers: Box<[[u8; LONGEST]; BATCH]>,
        headers: MultiHeaders<SockaddrIn>,
        /// Length, sender and receiving client.
        got: Vec<(usize, Option<SocketAddr>, usize)>,
        out: Vec<u8>,
    }

    const FIRST: u32 = u32::from_be_bytes([127, 1, 0, 0]);

    impl SharedSocket {
        pub(super) fn bind() -> io::Result<Self> {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.set_nonblocking(true)?;
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
            // The second needs the right to pass the system's limit; the first takes what is allowed.
            let _ = setsockopt(&socket, sockopt::RcvBuf, &BUFFER);
            let _ = setsockopt(&socket, sockopt::RcvBufForce, &BUFFER);
            Ok(Self {
                socket,
                buffers: vec![[0; LONGEST]; BATCH].try_into().expect("as many as there have to be"),
                headers: MultiHeaders::preallocate(BATCH, Some(cmsg_space!(in_pktinfo))),
                got: Vec::with_capacity(BATCH),
                out: Vec::with_capacity(LONGEST),
            })
        }

        /// A client's own.
        pub(super) fn address(&self, client: usize) -> io::Result<SocketAddr> {
            let ip = Ipv4Addr::from_bits(FIRST + 1 + client as u32);
            Ok(SocketAddr::from((ip, self.socket.local_addr()?.port())))
        }

        /// Returns whether there may be more.
        pub(super) fn receive(&mut self, mut take: impl FnMut(usize, SocketAddr, &mut [u8])) -> bool {
            let Self { socket, buffers, headers, got, .. } = self;
            got.clear();
            {
                let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
                if let Ok(results) = recvmmsg(socket.as_raw_fd(), headers, &mut slices, MsgFlags::MSG_DONTWAIT, None) {
                    for one in results {
                        let to = one.cmsgs().ok().and_then(|mut all| {
                            all.find_map(|message| match message {
                                ControlMessageOwned::Ipv4PacketInfo(info) => Some(u32::from_be(info.ipi_addr.s_addr)),
                                _ => None,
                            })
                        });
                        let client =
                            to.and_then(|to| to.checked_sub(FIRST + 1)).map_or(usize::MAX, |client| client as usize);
                        got.push((one.bytes, one.address.map(|from| SocketAddr::V4(from.into())), client));
                    }
                }
            }
            for (buffer, (len, from, client)) in buffers.iter_mut().zip(&*got) {
                if let Some(from) = *from {
                    take(*client, from, &mut buffer[..*len]);
                }
            }
            got.len() == BATCH
        }

        pub(super) fn send(&mut self, client: usize, mut next: impl FnMut(&mut Vec<u8>) -> Option<SocketAddr>) {
            let from = in_addr { s_addr: (FIRST + 1 + client as u32).to_be() };
            let info = in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: from, ipi_addr: in_addr { s_addr: 0 } };
            self.out.clear();
            while let Some(SocketAddr::V4(to)) = next(&mut self.out) {
                let to = SockaddrIn::from(SocketAddrV4::new(*to.ip(), to.port()));
                // What a full socket doesn't take is lost, as on any way.
                let _ = sendmsg(
                    self.socket.as_raw_fd(),
                    &[IoSlice::new(&self.out)],
                    &[ControlMessage::Ipv4PacketInfo(&info)],
                    MsgFlags::MSG_DONTWAIT,
                    Some(&to),
                );
                self.out.clear();
            }
        }
    }
}
