//! Views of clients, rooms and joins for the embedder.

use super::{
    memory::Tables,
    tables::{LinkReport, PendingJoin, Room, Seat},
};
use crate::{
    types::{ClientId, CodecSettings, ConnectionId, Identity, Priority, RoomId, RoomUse},
    wire::{PersonFlags, Voice},
};

/// A client as the server sees it.
#[derive(Clone, Copy)]
pub struct ClientInfo<'a>(&'a Seat);

impl<'a> ClientInfo<'a> {
    /// Its id.
    pub fn id(&self) -> ClientId {
        self.0.client().unwrap_or(const { ClientId::new(1).unwrap() })
    }

    /// Its display name.
    pub fn name(&self) -> &'a str {
        self.0.name.as_str()
    }

    /// Who it is to the embedder.
    pub fn identity(&self) -> Identity {
        self.0.identity
    }

    /// Its connection; `None` while it is away.
    pub fn connection(&self) -> Option<ConnectionId> {
        self.0.connection
    }

    /// Mutes and connection.
    pub fn flags(&self) -> PersonFlags {
        self.0.flags
    }

    /// How its voice is encoded.
    pub fn codec(&self) -> CodecSettings {
        self.0.codec
    }

    /// Its own default priority.
    pub fn priority(&self) -> Priority {
        self.0.priority
    }

    /// Whether it speaks.
    pub fn is_speaking(&self) -> bool {
        self.0.talking_link.is_linked()
    }

    /// What it says of its link.
    pub fn report(&self) -> LinkReport {
        self.0.report
    }

    /// The rooms it uses, ascending.
    pub fn rooms(&self) -> impl Iterator<Item = (RoomId, RoomUse)> + 'a {
        self.0.rooms.iter().filter(|entry| entry.is_used()).map(|entry| (entry.room, entry.room_use))
    }
}

/// A room as the server sees it.
#[derive(Clone, Copy)]
pub struct RoomInfo<'a>(&'a Room);

impl<'a> RoomInfo<'a> {
    /// Its id.
    pub fn id(&self) -> RoomId {
        RoomId::new(self.0.id).unwrap_or(const { RoomId::new(1).unwrap() })
    }

    /// Its name.
    pub fn name(&self) -> &'a str {
        self.0.name.as_str()
    }

    /// Clients that use it.
    pub fn users(&self) -> usize {
        self.0.users.into()
    }

    /// Clients that listen to it.
    pub fn listeners(&self) -> usize {
        self.0.listeners.into()
    }
}

/// A join that waits for the embedder.
#[derive(Clone, Copy)]
pub struct JoinRequest<'a>(&'a PendingJoin);

impl<'a> JoinRequest<'a> {
    /// Display name.
    pub fn name(&self) -> &'a str {
        self.0.joining.name.as_str()
    }

    /// What it shows to be let in.
    pub fn credential(&self) -> &'a [u8] {
        self.0.credential()
    }

    /// How its voice would be encoded.
    pub fn codec(&self) -> CodecSettings {
        self.0.joining.codec
    }
}

impl<'a> Tables<'a> {
    pub(super) fn pending_join(self, connection: ConnectionId) -> Option<JoinRequest<'a>> {
        self.pending.iter().find(|pending| pending.connection == Some(connection)).map(JoinRequest)
    }

    pub(super) fn client(self, client: ClientId) -> Option<ClientInfo<'a>> {
        let at = usize::from(client.get()) % self.seats.len().max(1);
        self.seats.get(at).filter(|seat| seat.id == client.get()).map(ClientInfo)
    }

    pub(super) fn clients(self) -> impl Iterator<Item = ClientInfo<'a>> {
        self.seats.iter().filter(|seat| seat.id != 0).map(ClientInfo)
    }

    pub(super) fn voice_priority(self, from: ConnectionId, voice: &Voice<'_>) -> Priority {
        let connection =
            self.connections.get(from.index()).filter(|connection| connection.generation == from.generation());
        let seat = connection.and_then(|connection| self.seats.get(usize::from(connection.seat?)));
        let own = seat.map(|seat| seat.priority).filter(|own| *own != Priority::None).unwrap_or(Priority::Default);
        let or_own = |priority: Priority| if priority == Priority::None { own } else { priority };
        let highest = voice.channels.iter().map(|channel| or_own(channel.options.priority)).max();
        highest.unwrap_or(own)
    }

    pub(super) fn room(self, room: RoomId) -> Option<RoomInfo<'a>> {
        let at = usize::from(room.get()) % self.rooms.len().max(1);
        self.rooms.get(at).filter(|found| found.id == room.get() && found.users > 0).map(RoomInfo)
    }

    pub(super) fn rooms(self) -> impl Iterator<Item = RoomInfo<'a>> {
        self.rooms.iter().filter(|room| room.users > 0).map(RoomInfo)
    }
}
