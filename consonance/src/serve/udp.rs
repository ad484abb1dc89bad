//! The UDP transport as an adapter of the server.

use std::{collections::VecDeque, net::SocketAddr, time::Instant};

use adapter_udp::{Endpoint, Flush, Incoming, LinkId, Outgoing, Socket};
use voice_core::Delivery;

use super::adapter::{Adapter, BATCHES, Counts, Event};
use crate::clock::Now;

pub(super) struct Udp {
    socket: Socket,
    endpoint: Endpoint,
    incoming: Incoming,
    outgoing: Outgoing,
    /// Unreliable packets that came: whose, and how long; the bytes one after the other.
    packets: VecDeque<(LinkId, usize)>,
    bytes: VecDeque<u8>,
    /// Sealed datagrams that the socket didn't take.
    unsent: u64,
}

impl Udp {
    pub(super) fn new(socket: Socket, endpoint: Endpoint) -> Self {
        let (incoming, outgoing) = (Incoming::default(), Outgoing::default());
        Self { socket, endpoint, incoming, outgoing, packets: VecDeque::new(), bytes: VecDeque::new(), unsent: 0 }
    }
}

impl Adapter for Udp {
    fn receive(&mut self, now: Now) {
        let Self { socket, endpoint, incoming, packets, bytes, .. } = self;
        for _ in 0..BATCHES {
            let more = socket.receive(incoming, |from, datagram| {
                let Some(received) = endpoint.handle_datagram(now.real, from, datagram) else { return };
                for packet in received.packets {
                    packets.push_back((received.link, packet.len()));
                    bytes.extend(&*packet);
                }
            });
            if !more {
                break;
            }
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        self.endpoint.handle_timeout(now.real);
    }

    fn poll_event(&mut self, packet: &mut Vec<u8>) -> Option<Event> {
        if let Some(event) = self.endpoint.poll_event() {
            return Some(match event {
                adapter_udp::Event::Up(link, key) => Event::Up(link, key),
                adapter_udp::Event::Down(link, _) => Event::Down(link),
                adapter_udp::Event::Packet(link, bytes) => {
                    packet.clear();
                    packet.extend_from_slice(&bytes);
                    Event::Packet(link, Delivery::Reliable)
                }
            });
        }
        let (link, len) = self.packets.pop_front()?;
        packet.clear();
        packet.extend(self.bytes.drain(..len));
        Some(Event::Packet(link, Delivery::Unreliable))
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

    fn turn_away(&mut self) {
        self.endpoint.turn_away();
    }

    fn transmit(&mut self, now: Now) {
        let Self { socket, endpoint, outgoing, unsent, .. } = self;
        let next = |out: &mut Vec<u8>| endpoint.poll_transmit(now.real, out).map(|transmit| transmit.to);
        *unsent += socket.send_all(outgoing, next) as u64;
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout()
    }

    fn peer(&self, link: LinkId) -> Option<SocketAddr> {
        self.endpoint.peer(link).map(|(address, _)| address)
    }

    fn name(&self) -> &'static str {
        "udp"
    }

    fn overflowed(&self) -> u64 {
        self.socket.overflowed().unwrap_or(0)
    }

    fn counts(&self) -> Counts {
        let (traffic, drops) = (self.endpoint.traffic(), self.endpoint.drops());
        Counts {
            links: self.endpoint.links() as u64,
            datagrams_in: traffic.datagrams_in,
            packets_in: traffic.packets_in,
            datagrams_out: traffic.datagrams_out,
            packets_out: traffic.packets_out,
            drops: [
                ("malformed", drops.malformed),
                ("unknown_link", drops.unknown_link),
                ("forged", drops.forged),
                ("replayed", drops.replayed),
                ("full", drops.full),
                ("too_often", drops.too_often),
                ("waited", drops.waited),
                ("socket_full", self.unsent),
            ]
            .into(),
        }
    }

    #[cfg(unix)]
    fn watch<'a>(&'a self, sources: &mut Vec<std::os::fd::BorrowedFd<'a>>) {
        sources.push(std::os::fd::AsFd::as_fd(&self.socket));
    }

    #[cfg(not(unix))]
    fn wait(&self, most: std::time::Duration) -> std::io::Result<()> {
        self.socket.wait(most)
    }
}
