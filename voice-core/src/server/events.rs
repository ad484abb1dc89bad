use crate::types::{ClientId, ConnectionId, RoomId};

/// Something that happened at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// A join waits for [`Server::accept`](crate::Server::accept) or [`Server::refuse`](crate::Server::refuse). One at a time on a connection.
    JoinRequested {
        /// Of whom.
        connection: ConnectionId,
    },
    /// A client has a seat.
    Joined {
        /// Who.
        id: ClientId,
        /// Whether it had the seat before.
        resumed: bool,
    },
    /// A client's connection is lost, its seat is kept for the grace period.
    Reconnecting {
        /// Who.
        id: ClientId,
    },
    /// A client's seat is free.
    Left {
        /// Who.
        id: ClientId,
        /// Why.
        reason: LeaveReason,
    },
    /// A client listens to a room.
    EnteredRoom {
        /// Who.
        id: ClientId,
        /// Which.
        room: RoomId,
    },
    /// A client no longer listens to a room.
    LeftRoom {
        /// Who.
        id: ClientId,
        /// Which.
        room: RoomId,
    },
    /// A room has its first user.
    RoomCreated {
        /// Which.
        room: RoomId,
    },
    /// A room has no user any more.
    RoomRemoved {
        /// Which.
        room: RoomId,
    },
    /// A client began to speak.
    StartedSpeaking {
        /// Who.
        id: ClientId,
    },
    /// A client stopped speaking.
    StoppedSpeaking {
        /// Who.
        id: ClientId,
    },
    /// A client sent voice in another's name; it was dropped.
    SpoofedSender {
        /// Who did.
        id: ClientId,
        /// In whose name.
        claimed: ClientId,
    },
    /// The adapter should close this connection once it has sent what it was given.
    Disconnect {
        /// Which.
        connection: ConnectionId,
    },
}

/// Why a seat became free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeaveReason {
    /// It said so.
    Left,
    /// It didn't come back within the grace period, or never answered its Welcome.
    TimedOut,
    /// It was thrown out.
    Kicked,
    /// The server stops.
    Stopped,
    /// It, or its transport, broke the protocol's rules.
    Broken,
    /// It joined anew on the same connection.
    Rejoined,
}
