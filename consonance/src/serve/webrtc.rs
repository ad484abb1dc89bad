//! The WebRTC transport as an adapter of the server: browsers' offers come from a thread that answers HTTP, everything else from a socket.

use std::{net::SocketAddr, time::Instant};

use adapter_kit::address::{canonical, mapped};
use adapter_udp::{Flush, Incoming, LinkId, Outgoing, Socket};
use adapter_webrtc::Endpoint;
use voice_core::Delivery;

use super::{
    adapter::{Adapter, BATCHES, Counts, Event},
    offers::Inbox,
};
use crate::clock::Now;

/// What a copy costs, in copies over UDP: docs/PERFORMANCE.md, "Over WebRTC, beside UDP".
const COPY_COST: usize = 3;

pub(super) struct WebRtc {
    socket: Socket,
    endpoint: Endpoint,
    offers: Inbox,
    incoming: Incoming,
    outgoing: Outgoing,
    /// The socket knows only the long form of IPv4 addresses.
    is_v6: bool,
    /// Offers stay unanswered.
    turns_away: bool,
    /// Datagrams that the socket didn't take.
    unsent: u64,
}

impl WebRtc {
    /// What comes to this socket, and offers from this box.
    pub(super) fn new(socket: Socket, endpoint: Endpoint, offers: Inbox) -> Self {
        let is_v6 = socket.address().is_ok_and(|bound| bound.is_ipv6());
        Self {
            socket,
            endpoint,
            offers,
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
            is_v6,
            turns_away: false,
            unsent: 0,
        }
    }
}

impl Adapter for WebRtc {
    fn receive(&mut self, now: Now) {
        let Self { socket, endpoint, offers, incoming, turns_away, .. } = self;
        if !*turns_away {
            offers.answer(|prepared| endpoint.accept(now.real, prepared));
        }
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

    fn copy_cost(&self) -> usize {
        COPY_COST
    }

    fn flush(&mut self, link: LinkId) {
        self.endpoint.flush(link);
    }

    fn close(&mut self, now: Now, link: LinkId) {
        self.endpoint.close(now.real, link);
    }

    fn turn_away(&mut self) {
        self.turns_away = true;
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

    fn name(&self) -> &'static str {
        "webrtc"
    }

    fn overflowed(&self) -> u64 {
        self.socket.overflowed().unwrap_or(0)
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

        sources.push(self.socket.as_fd());
        sources.extend((!self.turns_away).then(|| self.offers.as_fd()));
    }

    #[cfg(not(unix))]
    fn wait(&self, most: std::time::Duration) -> std::io::Result<()> {
        self.socket.wait(most)
    }
}
