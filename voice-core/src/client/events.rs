use super::{ChannelHandle, RoomHandle, State};
use crate::{
    types::{ClientId, RoomId},
    wire::{RoomCloseReason, TextRefuseReason},
};

/// Something that happened to a client. May grow.
///
/// News of others (who joined, left, changed, speaks, is in which room, is reached directly) gives way first when more happens than fits: whoever sees
/// [`Counters::events_dropped`](crate::Counters::events_dropped) rise reads [`Client::roster`](crate::Client::roster) or
/// [`Client::person`](crate::Client::person) anew. One packet may bring news of more people than fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The state is another one; [`Client::state_reason`](crate::Client::state_reason) tells why.
    StateChanged(State),
    /// Somebody is in the session. The rooms that it is in already follow as [`ClientEvent::EnteredRoom`].
    Joined(ClientId),
    /// Somebody is not any more.
    Left(ClientId),
    /// Somebody's connection is lost, and may come back.
    Reconnecting(ClientId),
    /// Somebody's connection came back.
    Resumed(ClientId),
    /// Somebody's name, mutes or codec changed.
    Changed(ClientId),
    /// Somebody listens to a room.
    EnteredRoom {
        /// Who.
        id: ClientId,
        /// Which.
        room: RoomId,
    },
    /// Somebody no longer listens to a room.
    LeftRoom {
        /// Who.
        id: ClientId,
        /// Which.
        room: RoomId,
    },
    /// A room can be used.
    RoomGranted(RoomHandle),
    /// A room can't be used, or no longer; its handle and its channels are void.
    RoomClosed {
        /// Which.
        room: RoomHandle,
        /// Why.
        reason: RoomCloseReason,
    },
    /// A channel to a client closed, since the client, or the session, is gone.
    ChannelClosed(ChannelHandle),
    /// Somebody began to be heard.
    StartedSpeaking(ClientId),
    /// Somebody stopped being heard.
    StoppedSpeaking(ClientId),
    /// A text waits: [`Client::take_message`](crate::Client::take_message).
    TextReceived,
    /// A text was not sent on.
    TextRefused {
        /// Its number.
        number: u16,
        /// Why.
        reason: TextRefuseReason,
    },
    /// A rendezvous message waits: [`Client::take_message`](crate::Client::take_message).
    RendezvousReceived,
    /// Nobody would hear; nothing is sent until that changes.
    Unheard,
    /// Somebody would hear again.
    Heard,
    /// Voice for this client goes straight to it.
    DirectUp(ClientId),
    /// Voice for this client goes over the server.
    DirectDown(ClientId),
    /// The encoder should do something else: [`Client::encoder_advice`](crate::Client::encoder_advice).
    AdviceChanged,
    /// The server muted this client, or no longer.
    ServerMuted(bool),
}

impl ClientEvent {
    /// Whether it is about somebody else, and can be read in the roster or asked for at any time.
    pub(super) const fn is_news_of_others(&self) -> bool {
        match self {
            Self::Joined(_)
            | Self::Left(_)
            | Self::Reconnecting(_)
            | Self::Resumed(_)
            | Self::Changed(_)
            | Self::EnteredRoom { .. }
            | Self::LeftRoom { .. }
            | Self::StartedSpeaking(_)
            | Self::StoppedSpeaking(_)
            | Self::DirectUp(_)
            | Self::DirectDown(_) => true,
            Self::StateChanged(_)
            | Self::RoomGranted(_)
            | Self::RoomClosed { .. }
            | Self::ChannelClosed(_)
            | Self::TextReceived
            | Self::TextRefused { .. }
            | Self::RendezvousReceived
            | Self::Unheard
            | Self::Heard
            | Self::AdviceChanged
            | Self::ServerMuted(_) => false,
        }
    }
}
