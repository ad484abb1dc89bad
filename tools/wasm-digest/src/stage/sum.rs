//! The digest, and what comes out of the core as bytes for it. No text of `Debug` gets in: it may change with the compiler.

use voice_core::{
    ClientEvent, ConnectionId, Delivery, DropCounts, Route, ServerEvent, StateReason, Transmit, wire::Packet,
};

/// FNV-1a, 64 bit.
pub(crate) struct Sum(u64);

impl Sum {
    pub(crate) const NEW: Self = Self(0xcbf2_9ce4_8422_2325);

    pub(crate) const fn get(&self) -> u64 {
        self.0
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    }

    /// Numbers are always 8 bytes, whatever the width of a pointer.
    pub(crate) fn number(&mut self, number: impl Into<u64>) {
        self.add(&number.into().to_be_bytes());
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.add(text.as_bytes());
    }

    /// A packet on its way: its bytes, where it goes, how, and what it says.
    pub(crate) fn transmit(&mut self, transmit: &Transmit, packet: &[u8]) {
        match transmit.to {
            Route::Server => self.number(0_u8),
            Route::Client(connection) => self.connection(connection),
            Route::Path(path) => self.number(path.0),
        }
        self.delivery(transmit.delivery);
        self.packet(packet);
    }

    /// A packet, and that it can be read and written again.
    pub(crate) fn packet(&mut self, packet: &[u8]) {
        self.count(packet.len());
        self.add(packet);
        let mut again = [0; 1_200];
        match Packet::decode(packet) {
            Ok(read) => {
                let len = read.encode(&mut again).unwrap_or_default();
                self.text(read.kind().name());
                self.number(u8::from(again.get(..len) == Some(packet)));
            }
            Err(reason) => self.text(reason.name()),
        }
    }

    pub(crate) fn connection(&mut self, connection: ConnectionId) {
        self.count(connection.index());
        self.number(connection.generation());
    }

    pub(crate) fn delivery(&mut self, delivery: Delivery) {
        self.number(u8::from(delivery == Delivery::Reliable));
    }

    pub(crate) fn drops(&mut self, drops: &DropCounts) {
        self.number(drops.total());
        for (reason, count) in drops.iter().filter(|(_, count)| *count > 0) {
            self.text(reason.name());
            self.number(count);
        }
    }

    pub(crate) fn reason(&mut self, reason: StateReason) {
        self.number(match reason {
            StateReason::NotStarted => 1,
            StateReason::Wanted => 2,
            StateReason::TransportUp => 3,
            StateReason::TransportDown => 4,
            StateReason::NoAnswer => 5,
            StateReason::Joined => 6,
            StateReason::Resumed => 7,
            StateReason::Silence => 8,
            StateReason::HeardAgain => 9,
            StateReason::LaneBroken => 10,
            StateReason::WrongSession => 11,
            StateReason::Refused(reason) => 0x100 | u16::from(reason.number()),
            StateReason::Closed(reason) => 0x200 | u16::from(reason.number()),
            _ => 0,
        });
    }

    /// Adds an event; gives its kind, counted as in [`EVENTS`](crate::EVENTS).
    pub(crate) fn client_event(&mut self, event: ClientEvent) -> u8 {
        let (kind, first, second) = match event {
            ClientEvent::StateChanged(state) => (0, state as u16, 0),
            ClientEvent::Joined(id) => (1, id.get(), 0),
            ClientEvent::Left(id) => (2, id.get(), 0),
            ClientEvent::Reconnecting(id) => (3, id.get(), 0),
            ClientEvent::Resumed(id) => (4, id.get(), 0),
            ClientEvent::Changed(id) => (5, id.get(), 0),
            ClientEvent::EnteredRoom { id, room } => (6, id.get(), room.get()),
            ClientEvent::LeftRoom { id, room } => (7, id.get(), room.get()),
            ClientEvent::RoomGranted(_) => (8, 0, 0),
            ClientEvent::RoomClosed { reason, .. } => (9, reason.number().into(), 0),
            ClientEvent::StartedSpeaking(id) => (10, id.get(), 0),
            ClientEvent::StoppedSpeaking(id) => (11, id.get(), 0),
            ClientEvent::TextRefused { number, reason } => (12, number, reason.number().into()),
            ClientEvent::DirectUp(id) => (13, id.get(), 0),
            ClientEvent::DirectDown(id) => (14, id.get(), 0),
            ClientEvent::ServerMuted(muted) => (15, muted.into(), 0),
            ClientEvent::ChannelClosed(_) => (16, 0, 0),
            ClientEvent::TextReceived => (17, 0, 0),
            ClientEvent::RendezvousReceived => (18, 0, 0),
            ClientEvent::Unheard => (19, 0, 0),
            ClientEvent::Heard => (20, 0, 0),
            _ => (63, 0, 0),
        };
        self.event(kind, first, second);
        kind
    }

    /// Adds an event; gives its kind, counted as in [`EVENTS`](crate::EVENTS).
    pub(crate) fn server_event(&mut self, event: ServerEvent) -> u8 {
        let of = |connection: ConnectionId| (connection.index() as u16, connection.generation());
        let (kind, (first, second)) = match event {
            ServerEvent::JoinRequested { connection } => (21, of(connection)),
            ServerEvent::Joined { id, resumed } => (22, (id.get(), resumed.into())),
            ServerEvent::Reconnecting { id } => (23, (id.get(), 0)),
            ServerEvent::Left { id, reason } => (24, (id.get(), reason as u16)),
            ServerEvent::EnteredRoom { id, room } => (25, (id.get(), room.get())),
            ServerEvent::LeftRoom { id, room } => (26, (id.get(), room.get())),
            ServerEvent::RoomCreated { room } => (27, (room.get(), 0)),
            ServerEvent::RoomRemoved { room } => (28, (room.get(), 0)),
            ServerEvent::StartedSpeaking { id } => (29, (id.get(), 0)),
            ServerEvent::StoppedSpeaking { id } => (30, (id.get(), 0)),
            ServerEvent::SpoofedSender { id, claimed } => (31, (id.get(), claimed.get())),
            ServerEvent::Disconnect { connection } => (32, of(connection)),
            _ => (63, (0, 0)),
        };
        self.event(kind, first, second);
        kind
    }

    fn event(&mut self, kind: u8, first: u16, second: u16) {
        self.number(kind);
        self.number(first);
        self.number(second);
    }
}
