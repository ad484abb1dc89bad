//! The WebRTC transport as an adapter of the server: browsers' offers come from a thread that answers HTTP, everything else from a socket.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Instant,
};

use adapter_kit::address::{canonical, mapped};
use adapter_udp::{Flush, Incoming, LinkId, Outgoing, Socket, local_addresses};
use adapter_webrtc::{Config, Endpoint};
use voice_core::Delivery;

use super::{
    adapter::{Adapter, Counts, Event},
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
                endpoint.handle_datagram(now.real, canonical(from), datagram);
            };
            if !socket.receive(incoming, take) {
                break;
            }
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        self.endpoint.handle_timeout(now.real);
    }

    fn poll_event(&mut self, packet: &mut Vec<u8>) -> Option<Event> {
        Some(match self.endpoint.poll_event(packet)? {
            // Browsers have no lasting keys.
            adapter_webrtc::Event::Up(link) => Event::Up(link, None),
            adapter_webrtc::Event::Packet(link, delivery) => Event::Packet(link, delivery),
            adapter_webrtc::Event::Down(link) => Event::Down(link),
        })
    }

    fn send(&mut self, now: Now, link: LinkId, delivery: Delivery, packet: &[u8]) -> bool {
        self.endpoint.send(now.real, link, delivery, packet).is_ok()
    }

    fn send_to_all(&mut self, now: Now, links: &[LinkId], packet: &[u8], flush: Flush) {
        self.endpoint.send_to_all(now.real, links.iter().copied(), packet, flush);
    }

    fn flush(&mut self, link: LinkId) {
        self.endpoint.flush(link);
    }

    fn close(&mut self, now: Now, link: LinkId) {
        self.endpoint.close(now.real, link);
    }

    fn transmit(&mut self, now: Now) {
        let Self { socket, endpoint, outgoing, unsent, is_v6, .. } = self;
        let next = |out: &mut Vec<u8>| {
            let to = endpoint.poll_transmit(now.real, out)?.to;
            Some(if *is_v6 { SocketAddr::new(mapped(to.ip()).into(), to.port()) } else { to })
        };
        *unsent += socket.send_all(outgoing, next) as u64;
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout()
    }

    fn peer(&self, link: LinkId) -> Option<SocketAddr> {
        self.endpoint.peer(link)
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

/// What browsers are told to send to: what the operator says, or where the socket is bound, or where this machine is seen from, loopback last.
fn addresses(bound: SocketAddr, told: &[IpAddr]) -> Vec<SocketAddr> {
    let port = bound.port();
    match told {
        [] if bound.ip().is_unspecified() => {
            let mut own = local_addresses(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), port);
            own.retain(|own| own.is_ipv4() || bound.is_ipv6());
            own.rotate_left(1);
            own
        }
        [] => vec![bound],
        told => told.iter().map(|ip| SocketAddr::new(*ip, port)).collect(),
    }
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
