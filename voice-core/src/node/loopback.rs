//! The transport between client and server of a host: two queues, and who is at the ends.

use crate::{
    storage::packet_ring::{PacketRing, RingState},
    types::{ConnectionId, Delivery},
    wire::limits::MAX_PACKET_BYTES,
};

const RELIABLE: u16 = 1;
const UNRELIABLE: u16 = 0;

/// For whom a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    /// The client's attempt, for which it was opened.
    attempt: u32,
    connection: ConnectionId,
    /// Whether the server has closed it.
    hung_up: bool,
}

#[derive(Debug)]
pub(super) struct Loopback<B> {
    memory: B,
    to_server: RingState,
    to_client: RingState,
    link: Option<Link>,
    drops: u64,
}

impl<B> Loopback<B> {
    pub(super) const fn new(memory: B) -> Self {
        Self { memory, to_server: RingState::EMPTY, to_client: RingState::EMPTY, link: None, drops: 0 }
    }

    pub(super) const fn drops(&self) -> u64 {
        self.drops
    }

    pub(super) fn count_drop(&mut self) {
        self.drops = self.drops.wrapping_add(1);
    }

    pub(super) fn connection(&self) -> Option<ConnectionId> {
        self.link.map(|link| link.connection)
    }

    pub(super) fn is_local(&self, connection: ConnectionId) -> bool {
        self.connection() == Some(connection)
    }

    /// Whether another attempt, or none, is wanted than the one that is open.
    pub(super) fn differs(&self, wanted: Option<u32>) -> bool {
        self.link.map(|link| link.attempt) != wanted || self.is_hung_up()
    }

    pub(super) fn open(&mut self, attempt: u32, connection: ConnectionId) {
        self.link = Some(Link { attempt, connection, hung_up: false });
    }

    /// The server closes it: it is taken down when the client has been given what waits.
    pub(super) fn hang_up(&mut self) {
        if let Some(link) = &mut self.link {
            link.hung_up = true;
        }
    }

    pub(super) fn is_hung_up(&self) -> bool {
        self.link.is_some_and(|link| link.hung_up) && self.to_client.is_empty()
    }

    /// Takes it down; nothing of it is delivered any more.
    pub(super) fn close(&mut self) -> Option<ConnectionId> {
        (self.to_server, self.to_client) = (RingState::EMPTY, RingState::EMPTY);
        Some(self.link.take()?.connection)
    }

    pub(super) fn waiting(&self, side: Side) -> usize {
        match side {
            Side::Client => self.to_client.len(),
            Side::Server => self.to_server.len(),
        }
    }
}

impl<B: AsMut<[u8]>> Loopback<B> {
    /// Whether the longest packet would be taken. An empty queue always says so: in memory that is too small, waiting is no help.
    pub(super) fn has_room(&mut self, side: Side) -> bool {
        let ring = self.ring(side);
        ring.is_empty() || ring.has_room(MAX_PACKET_BYTES)
    }

    /// Queues a packet; dropped and counted when there is no room, or nobody at the ends.
    pub(super) fn push(&mut self, side: Side, delivery: Delivery, packet: &[u8]) {
        let tag = if delivery == Delivery::Reliable { RELIABLE } else { UNRELIABLE };
        if self.link.is_none() || self.ring(side).push(tag, &[packet]).is_err() {
            self.count_drop();
        }
    }

    pub(super) fn take_for_client(&mut self) -> Option<(Delivery, &mut [u8])> {
        let (tag, packet) = self.ring(Side::Client).take()?;
        Some((delivery(tag), packet))
    }

    pub(super) fn take_for_server(&mut self) -> Option<(ConnectionId, Delivery, &mut [u8])> {
        let connection = self.connection()?;
        let (tag, packet) = self.ring(Side::Server).take()?;
        Some((connection, delivery(tag), packet))
    }

    fn ring(&mut self, side: Side) -> PacketRing<'_> {
        let memory = self.memory.as_mut();
        let (to_server, to_client) = memory.split_at_mut(memory.len() / 2);
        match side {
            Side::Server => self.to_server.over(to_server),
            Side::Client => self.to_client.over(to_client),
        }
    }
}

fn delivery(tag: u16) -> Delivery {
    if tag == RELIABLE { Delivery::Reliable } else { Delivery::Unreliable }
}
