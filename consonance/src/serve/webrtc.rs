//! The WebRTC transport as an adapter of the server: browsers' offers come from a thread that answers HTTP, everything else from a socket.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Instant,
};

use adapter_udp::{Flush, Incoming, Outgoing, Socket};
use adapter_webrtc::{Config, Endpoint};
use voice_core::Delivery;

use super::{
    adapter::{Adapter, Counts, Event, LinkId},
    offers::{self, Inbox},
    settings::Settings,
};
use crate::{clock::Now, fail::Fail};

/// Batches of 64 datagrams that are taken before anything else gets its turn: each costs several times what one of UDP's costs.
const BATCHES: usize = 4;
/// Ports that are tried where any will do: it has to be free for UDP and for TCP.
const TRIES: usize = 16;

pub(super) struct WebRtc {
    socket: Socket,
    endpoint: Endpoint,
    offers: Inbox,
    incoming: Incoming,
    outgoing: Outgoing,
    /// The socket knows only the long form of IPv4 addresses.
    is_v6: bool,
    /// Datagrams that the socket didn't take.
    unsent: u64,
}

impl WebRtc {
    /// Listens for offers over HTTP and for browsers over UDP at this address and port. Gives the address it got.
    pub(super) fn open(address: SocketAddr, settings: &Settings) -> Result<(Self, SocketAddr), Fail> {
        let (socket, offers, bound) = bind(address)?;
        let config = Config { links: usize::from(settings.clients) + 64, window: settings.window, ..Config::DEFAULT };
        let endpoint = Endpoint::new(config, &addresses(bound, &settings.web_address)).map_err(|bad| {
            Fail::new(
                format!("--web-address {}: {bad}", bad.0.ip()),
                "name the address that browsers reach this machine at",
            )
        })?;
        let (incoming, outgoing) = (Incoming::default(), Outgoing::default());
        let is_v6 = bound.is_ipv6();
        Ok((Self { socket, endpoint, offers, incoming, outgoing, is_v6, unsent: 0 }, bound))
    }
}

impl Adapter for WebRtc {
    fn receive(&mut self, now: Now) {
        let Self { socket, endpoint, offers, incoming, .. } = self;
        offers.answer(|offer, from| endpoint.accept_offer(now.real, offer, from));
        for _ in 0..BATCHES {
            let take = |from: SocketAddr, datagram: &mut [u8]| {
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                endpoint.handle_datagram(now.real, from, datagram);
            };
            if !socket.receive(incoming, take) {
                break;
            }
        }
        endpoint.handle_timeout(now.real);
    }

    fn poll_event(&mut self, packet: &mut Vec<u8>) -> Option<Event> {
        Some(match self.endpoint.poll_event(packet)? {
            // Browsers have no lasting keys.
            adapter_webrtc::Event::Up(link) => Event::Up(ours(link), None),
            adapter_webrtc::Event::Packet(link, delivery) => Event::Packet(ours(link), delivery),
            adapter_webrtc::Event::Down(link) => Event::Down(ours(link)),
        })
    }

    fn send(&mut self, now: Now, link: LinkId, delivery: Delivery, packet: &[u8]) -> bool {
        self.endpoint.send(now.real, theirs(link), delivery, packet).is_ok()
    }

    fn send_to_all(&mut self, now: Now, links: &[LinkId], packet: &[u8], flush: Flush) {
        self.endpoint.send_to_all(now.real, links.iter().copied().map(theirs), packet, flush);
    }

    fn flush(&mut self, link: LinkId) {
        self.endpoint.flush(theirs(link));
    }

    fn close(&mut self, now: Now, link: LinkId) {
        self.endpoint.close(now.real, theirs(link));
    }

    fn transmit(&mut self, now: Now) {
        let Self { socket, endpoint, outgoing, unsent, is_v6, .. } = self;
        while let Some(transmit) = endpoint.poll_transmit(now.real, outgoing.buffer()) {
            let to = if *is_v6 { long_form(transmit.to) } else { transmit.to };
            if !outgoing.push(to) {
                *unsent += socket.send(outgoing) as u64;
            }
        }
        if !outgoing.is_empty() {
            *unsent += socket.send(outgoing) as u64;
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout()
    }

    fn peer(&self, link: LinkId) -> Option<SocketAddr> {
        self.endpoint.peer(theirs(link))
    }

    fn counts(&self) -> Counts {
        let (traffic, drops) = (self.endpoint.traffic(), self.endpoint.drops());
        Counts {
            links: self.endpoint.links() as u64,
            // A message of the unreliable channel is what a datagram is over UDP.
            datagrams_in: traffic.messages_in,
            packets_in: traffic.packets_in,
            datagrams_out: traffic.messages_out,
            packets_out: traffic.packets_out,
            drops: [
                ("malformed", drops.malformed),
                ("unknown_link", drops.unknown_link),
                ("forged", drops.forged),
                ("unread", drops.unread),
                ("offers_full", drops.full),
                ("offers_too_often", drops.too_often),
                ("unfinished", drops.unfinished),
                ("waited", drops.waited),
                ("late", drops.late),
                ("socket_full", self.unsent),
            ]
            .into(),
        }
    }

    #[cfg(unix)]
    fn watch<'a>(&'a self, sources: &mut Vec<std::os::fd::BorrowedFd<'a>>) {
        use std::os::fd::AsFd;

        sources.extend([self.socket.as_fd(), self.offers.as_fd()]);
    }

    #[cfg(not(unix))]
    fn wait(&self, most: std::time::Duration) -> io::Result<()> {
        self.socket.wait(most)
    }
}

/// The same port for UDP and for TCP.
fn bind(address: SocketAddr) -> Result<(Socket, Inbox, SocketAddr), Fail> {
    let tries = if address.port() == 0 { TRIES } else { 1 };
    let mut last = None;
    for _ in 0..tries {
        let bound = Socket::bind(address).and_then(|socket| Ok((socket.address()?, socket)));
        let result = bound.and_then(|(bound, socket)| Ok((socket, offers::listen(bound)?, bound)));
        match result {
            Ok(all) => return Ok(all),
            Err(error) => last = Some(error),
        }
    }
    let error = last.unwrap_or_else(|| io::Error::from(io::ErrorKind::AddrInUse));
    Err(Fail::new(
        format!("--web {address}: {error}"),
        "name another address, whose port is free for UDP and TCP, by --web ADDRESS:PORT",
    ))
}

/// What browsers are told to send to: what the operator says, or where the socket is bound, or where this machine is seen from.
fn addresses(bound: SocketAddr, told: &[IpAddr]) -> Vec<SocketAddr> {
    let ips = match told {
        [] if bound.ip().is_unspecified() => own_addresses(bound.is_ipv6()),
        [] => vec![bound.ip()],
        told => told.to_vec(),
    };
    ips.into_iter().map(|ip| SocketAddr::new(ip, bound.port())).collect()
}

/// The addresses that this machine would send from, and its loopback. To ask for the way to an address (of those for documents, RFC 5737 and 3849)
/// sends nothing.
fn own_addresses(with_v6: bool) -> Vec<IpAddr> {
    let from = |own: IpAddr, to: IpAddr| {
        let socket = UdpSocket::bind((own, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    let v4 = from(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into());
    let v6 =
        from(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()).filter(|_| with_v6);
    let mut all: Vec<IpAddr> = [v4, v6, Some(Ipv4Addr::LOCALHOST.into())].into_iter().flatten().collect();
    all.dedup();
    all
}

const fn long_form(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) => SocketAddr::new(IpAddr::V6(v4.ip().to_ipv6_mapped()), v4.port()),
        v6 => v6,
    }
}

fn ours(link: adapter_webrtc::LinkId) -> LinkId {
    let (index, generation) = link.parts();
    LinkId { index, generation }
}

const fn theirs(link: LinkId) -> adapter_webrtc::LinkId {
    adapter_webrtc::LinkId::from_parts(link.index, link.generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_what_the_operator_says_or_else_where_the_server_is() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(addresses(at("0.0.0.0:5"), &["203.0.113.7".parse().unwrap()]), [at("203.0.113.7:5")]);
        assert_eq!(addresses(at("10.0.0.1:5"), &[]), [at("10.0.0.1:5")]);
        let own = addresses(at("0.0.0.0:5"), &[]);
        assert!(own.contains(&at("127.0.0.1:5")) && own.iter().all(|own| !own.ip().is_unspecified()), "{own:?}");
    }
}
