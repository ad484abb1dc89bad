//! What a server asks of a transport. Whatever does this joins the same loop and the same session.

use std::{collections::BTreeMap, net::SocketAddr, time::Instant};

use adapter_udp::{Fingerprint, Flush, LinkId};
use voice_core::Delivery;

use crate::clock::Now;

/// Something that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// A link is up; the other end has proven to have this key, if the transport knows keys.
    Up(LinkId, Option<Fingerprint>),
    /// A packet, which stands in the buffer that was handed in.
    Packet(LinkId, Delivery),
    /// A link is no more.
    Down(LinkId),
}

/// What transports count since they began, but for the first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// Connections now, those being made included.
    pub(crate) links: u64,
    /// Datagrams with unreliable packets, and the packets in them.
    pub(crate) datagrams_in: u64,
    pub(crate) packets_in: u64,
    pub(crate) datagrams_out: u64,
    pub(crate) packets_out: u64,
    /// Datagrams that were dropped, by reason.
    pub(crate) drops: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// The sum of both.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.links += other.links;
        self.datagrams_in += other.datagrams_in;
        self.packets_in += other.packets_in;
        self.datagrams_out += other.datagrams_out;
        self.packets_out += other.packets_out;
        other.drops.into_iter().for_each(|(reason, count)| *self.drops.entry(reason).or_default() += count);
        self
    }
}

/// Batches of 64 datagrams that a transport takes before anything else gets its turn: all that is there, as a rule. To take them is cheap beside what voice
/// makes of them; and with fewer than come in a long turn, all that comes would be old, and the kernel would drop what is important with the rest.
pub(super) const BATCHES: usize = 64;

/// A transport with its socket. It knows no rooms and no people.
pub(crate) trait Adapter {
    /// Takes what has come to the socket, a bounded part of it.
    fn receive(&mut self, now: Now);

    /// Does what is due. What has come goes first: voice that has waited long enough leaves with what came just now.
    fn handle_timeout(&mut self, now: Now);

    /// The next thing that came in. A packet replaces what is in `packet`. Reliable packets, ups and downs come before unreliable packets.
    fn poll_event(&mut self, packet: &mut Vec<u8>) -> Option<Event>;

    /// Sends a packet; false if it can't be sent.
    fn send(&mut self, now: Now, link: LinkId, delivery: Delivery, packet: &[u8]) -> bool;

    /// Sends an unreliable packet to many links, which may wait there for others. Those that are not up go without.
    fn send_to_all(&mut self, now: Now, links: &[LinkId], packet: &[u8], flush: Flush);

    /// What it costs to send one packet to one of many, beside what it costs over UDP.
    fn copy_cost(&self) -> usize {
        1
    }

    /// Lets unreliable packets that wait for a link leave now.
    fn flush(&mut self, link: LinkId);

    /// Closes a link. What is on its lane leaves before, as far as the transport can make it: that says why.
    fn close(&mut self, now: Now, link: LinkId);

    /// The server stops: who asks for a link from now on gets no answer, and finds the next server the sooner.
    fn turn_away(&mut self) {}

    /// Puts on the socket what has to leave now.
    fn transmit(&mut self, now: Now);

    /// When something is due.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Where the other end of a link is.
    fn peer(&self, link: LinkId) -> Option<SocketAddr>;

    /// What it is called.
    fn name(&self) -> &'static str;

    /// What it counts.
    fn counts(&self) -> Counts;

    /// Datagrams that the system dropped because they weren't read in time.
    fn overflowed(&self) -> u64 {
        0
    }

    /// Adds what becomes readable when something comes in.
    #[cfg(unix)]
    fn watch<'a>(&'a self, sources: &mut Vec<std::os::fd::BorrowedFd<'a>>);

    /// Waits until something comes to the socket, at most so long.
    ///
    /// # Errors
    /// Those of the operating system.
    #[cfg(not(unix))]
    fn wait(&self, most: std::time::Duration) -> std::io::Result<()>;
}
