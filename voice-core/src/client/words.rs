//! What a client is told, what it answers, and how it shows people and messages.

use super::tables::PersonSlot;
use crate::{
    playout::{Pace, PlayoutConfig, Sound},
    storage::name::Name,
    types::{ClientId, CodecSettings, FrameLength, Priority, RoomId, Target, Volume},
    wire::{CloseReason, PersonFlags, RefuseReason},
};

/// What a client is told once.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    pub(super) name: Name,
    /// How its voice is encoded while the network is good.
    pub codec: CodecSettings,
    /// The bitrate at which speech is still intelligible, bit/s: advice goes down to it when the network can't carry more.
    pub least_bitrate: u32,
    /// The longest frames that the encoder makes: advice goes up to them, since below some 12 kbit/s headers take more than the voice.
    pub longest_frame: FrameLength,
    /// Whether the encoder has DRED.
    pub dred: bool,
    /// Own default priority at the start.
    pub priority: Priority,
    /// How others are heard.
    pub playout: PlayoutConfig,
    /// Whether direct paths are used.
    pub direct: bool,
    /// Uplink that voice may use, bit/s; `None` for no limit. What doesn't fit directly goes over the server.
    pub uplink_bits_per_second: Option<u32>,
}

impl ClientConfig {
    /// Opus at 24 kbit/s in frames of 20 ms, down to 6 kbit/s in frames of 60 ms, the usual playout, direct paths without limit. `None` if the name is longer
    /// than 64 bytes.
    pub fn new(name: &str) -> Option<Self> {
        Some(Self {
            name: Name::new(name)?,
            codec: CodecSettings::DEFAULT,
            least_bitrate: 6_000,
            longest_frame: FrameLength::Ms60,
            dred: false,
            priority: Priority::None,
            playout: PlayoutConfig::DEFAULT,
            direct: true,
            uplink_bits_per_second: None,
        })
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_str()
    }
}

/// What a client is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Not wanted, or thrown out.
    Disconnected,
    /// The transport is coming up.
    Connecting,
    /// The server is being asked for a seat.
    Joining,
    /// In the session.
    Connected,
    /// Sending, hearing nothing back.
    Degraded,
    /// Waiting to try again.
    Reconnecting,
}

/// Why the state is what it is. May grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StateReason {
    /// Nothing happened yet.
    NotStarted,
    /// The embedder wants it so.
    Wanted,
    /// The transport came up.
    TransportUp,
    /// The transport went down.
    TransportDown,
    /// The transport or the server didn't answer in time.
    NoAnswer,
    /// A fresh seat.
    Joined,
    /// The seat of before.
    Resumed,
    /// Nothing was heard for too long.
    Silence,
    /// Something was heard again.
    HeardAgain,
    /// The server refused the client.
    Refused(RefuseReason),
    /// The server closed the connection.
    Closed(CloseReason),
    /// The reliable lane lost or repeated a packet.
    LaneBroken,
    /// The server runs another session, or has no seat for this client.
    WrongSession,
}

/// A room that the embedder uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoomHandle {
    pub(super) at: u16,
    pub(super) generation: u16,
}

/// A channel that the embedder opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChannelHandle {
    pub(super) at: u16,
    pub(super) generation: u16,
}

/// Whom to speak to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TalkTo {
    /// All who listen to this room.
    Room(RoomHandle),
    /// This client alone.
    Client(ClientId),
}

/// Why a room can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomError {
    /// The name is empty or longer than 64 bytes.
    BadName,
    /// The table of rooms is full.
    TooMany,
    /// The handle is of a room that is no longer used.
    NoSuchRoom,
}

/// Why a channel can't be opened or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelError {
    /// The table of channels is full.
    TooMany,
    /// There is one already.
    AlreadyOpen,
    /// The handle is of a room that is no longer used.
    NoSuchRoom,
    /// The room is used for listening only.
    NotSpeaking,
    /// Nobody speaks to itself.
    Oneself,
    /// The handle is of a channel that is closed.
    NoSuchChannel,
}

/// Why a frame isn't sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// Not in the session.
    NotConnected,
    /// Muted, by itself or by the server.
    Muted,
    /// No channel is open, or its room isn't granted yet.
    NoChannel,
    /// Nobody would hear.
    NobodyHears,
    /// More than 1,000 bytes.
    TooLong,
    /// No bytes.
    Empty,
    /// Not even the queue's whole memory holds it.
    QueueFull,
}

/// Why a text or rendezvous isn't sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextError {
    /// Not in the session.
    NotConnected,
    /// Empty, or longer than 2,000 bytes (a rendezvous: 1,000).
    BadLength,
    /// The room isn't granted yet, or no longer used.
    NoSuchRoom,
    /// Too much waits already.
    QueueFull,
}

/// A credential is longer than 512 bytes, or than the memory for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialTooLong;

/// A person of the session whom the roster doesn't know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownPerson;

/// The table of direct paths is full of paths that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathsFull;

/// Something that waited in the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text.
    Text {
        /// Who wrote it, as the server says.
        from: ClientId,
        /// Where to: a room, or this client.
        target: Target,
        /// At most 2,000 bytes.
        text: &'a str,
    },
    /// A rendezvous message, for the adapter.
    Rendezvous {
        /// Who sent it, as the server says.
        from: ClientId,
        /// At most 1,000 bytes.
        bytes: &'a [u8],
    },
}

/// What is to be heard next of one speaker, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Play, recover, conceal or be silent.
    pub sound: Sound<'a>,
    /// How much sound this is, µs: at most one frame length.
    pub length_us: u32,
    /// Whether to stretch or shorten it; who can't may ignore it.
    pub pace: Pace,
    /// The channel's volume times the local one, 0 to 400.
    pub volume_percent: u16,
    /// Whether to place it in space.
    pub positional: bool,
    /// Whether its priority is the highest heard now; otherwise decode it and play nothing.
    pub audible: bool,
}

impl Frame<'_> {
    pub(super) const SILENCE: Self = Self {
        sound: Sound::Silence,
        length_us: 10_000,
        pace: Pace::Steady,
        volume_percent: 100,
        positional: false,
        audible: false,
    };
}

/// A person of the session.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a>(pub(super) &'a PersonSlot);

impl<'a> Person<'a> {
    /// Its id.
    pub fn id(&self) -> ClientId {
        ClientId::new(self.0.id).unwrap_or(const { ClientId::new(1).unwrap() })
    }

    /// Its display name.
    pub fn name(&self) -> &'a str {
        self.0.name.as_str()
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

    /// The rooms it listens to, ascending.
    pub fn rooms(&self) -> &'a [RoomId] {
        &self.0.rooms
    }

    /// Whether this client mutes it.
    pub fn is_muted_here(&self) -> bool {
        self.0.blocked
    }

    /// How loud this client plays it.
    pub fn volume(&self) -> Volume {
        self.0.volume
    }
}
