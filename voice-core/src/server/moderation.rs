//! What the embedder does to clients.

use super::{engine::Engine, events::LeaveReason};
use crate::{
    types::{ClientId, ConnectionId, Identity, Instant, RoomId, SessionId},
    wire::{CloseReason, RefuseReason},
};

/// Why a command of the embedder's can't be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModerationError {
    /// No client has this id.
    NoSuchClient,
    /// The client doesn't use this room.
    NoSuchRoom,
    /// No join waits on this connection.
    NoSuchJoin,
    /// The client has no identity to ban.
    NoIdentity,
    /// 256 identities are banned already.
    BansFull,
}

type Done = Result<(), ModerationError>;

impl Engine<'_> {
    pub(super) fn accept(&mut self, now: Instant, connection: ConnectionId, identity: Identity) -> Done {
        let joining = self.take_pending(connection).ok_or(ModerationError::NoSuchJoin)?;
        self.admit(now, connection, &joining, identity);
        Ok(())
    }

    pub(super) fn refuse_join(&mut self, connection: ConnectionId, reason: u8) -> Done {
        let joining = self.take_pending(connection).ok_or(ModerationError::NoSuchJoin)?;
        let reason = if reason >= 128 { RefuseReason::Embedder(reason) } else { RefuseReason::NotAdmitted };
        self.refuse(connection, joining.nonce, reason);
        Ok(())
    }

    pub(super) fn kick(&mut self, client: ClientId, reason: u8) -> Done {
        let reason = if reason >= 128 { CloseReason::Embedder(reason) } else { CloseReason::Kicked };
        self.expel(client, reason, LeaveReason::Kicked)
    }

    pub(super) fn ban(&mut self, client: ClientId) -> Done {
        let at = self.known(client)?;
        let identity = self.seat(at).map_or(Identity(0), |seat| seat.identity);
        self.ban_identity(identity)
    }

    pub(super) fn ban_identity(&mut self, identity: Identity) -> Done {
        if identity == Identity(0) {
            return Err(ModerationError::NoIdentity);
        }
        if !self.s.bans.contains(&identity) {
            self.s.bans.push(identity).map_err(|_| ModerationError::BansFull)?;
        }
        while let Some(client) = self.t.seats.iter().find(|s| s.identity == identity).and_then(|s| s.client()) {
            self.expel(client, CloseReason::Banned, LeaveReason::Kicked)?;
        }
        Ok(())
    }

    pub(super) fn set_server_mute(&mut self, client: ClientId, muted: bool) -> Done {
        let at = self.known(client)?;
        if let Some(seat) = self.seat(at) {
            seat.flags.server_muted = muted;
        }
        if muted {
            self.stop_talking(at);
        }
        self.note_change(at);
        Ok(())
    }

    pub(super) fn remove_from_room(&mut self, client: ClientId, room: RoomId) -> Done {
        let at = self.known(client)?;
        if self.seat(at).is_none_or(|seat| seat.room_entry(room).is_none()) {
            return Err(ModerationError::NoSuchRoom);
        }
        self.take_out(at, room);
        Ok(())
    }

    pub(super) fn stop(&mut self) {
        self.s.stopping = true;
        while let Some(waiting) = self.t.pending.iter().find_map(|pending| pending.connection) {
            if let Some(joining) = self.take_pending(waiting) {
                self.refuse(waiting, joining.nonce, RefuseReason::Busy);
            }
        }
        while let Some(client) = self.t.seats.iter().find_map(|seat| seat.client()) {
            if self.expel(client, CloseReason::ServerStopping, LeaveReason::Stopped).is_err() {
                return;
            }
        }
    }

    /// A new session for a server that was stopped, and so has no clients.
    pub(super) fn start(&mut self) {
        if !self.s.stopping {
            return;
        }
        self.s.stopping = false;
        let before = self.session();
        while self.s.session.is_none_or(|session| session == before) {
            self.s.session = SessionId::new(self.s.rng.next_u32());
        }
    }

    fn expel(&mut self, client: ClientId, told: CloseReason, reason: LeaveReason) -> Done {
        let at = self.known(client)?;
        let connection = self.seat(at).and_then(|seat| seat.connection);
        self.free_seat(at, reason);
        if let Some(connection) = connection {
            self.close(connection, told);
        }
        Ok(())
    }

    fn known(&self, client: ClientId) -> Result<u16, ModerationError> {
        self.seat_of(client).ok_or(ModerationError::NoSuchClient)
    }
}
