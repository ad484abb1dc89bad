use super::{ClientId, RoomId};

/// How important a voice is: a listener plays only the speakers of the highest priority that it hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Priority {
    /// The speaker's own default, which falls back to [`Priority::Default`].
    #[default]
    None = 0,
    /// Silenced by anything else.
    Low = 1,
    /// The usual one.
    Default = 2,
    /// Above the usual.
    Medium = 3,
    /// Silences everything else.
    High = 4,
}

impl Priority {
    /// The priority of a number on the wire, `None` above 4.
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::None,
            1 => Self::Low,
            2 => Self::Default,
            3 => Self::Medium,
            4 => Self::High,
            _ => return None,
        })
    }

    /// This priority, or the speaker's own default when this is [`Priority::None`].
    pub const fn or(self, own_default: Self) -> Self {
        match (self, own_default) {
            (Self::None, Self::None) => Self::Default,
            (Self::None, own) => own,
            (some, _) => some,
        }
    }
}

/// A factor on a voice in percent: 0 silent, 100 as it is, 200 twice the amplitude at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Volume(u8);

impl Volume {
    /// As it is.
    pub const FULL: Self = Self(100);
    /// The loudest, 200 percent.
    pub const MAX: Self = Self(200);

    /// Makes a volume; `None` above 200 percent.
    pub const fn new(percent: u8) -> Option<Self> {
        if percent <= 200 { Some(Self(percent)) } else { None }
    }

    /// The factor in percent, 0 to 200.
    pub const fn percent(self) -> u8 {
        self.0
    }
}

/// What a speaker chooses for one open channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChannelOptions {
    /// Whether listeners should place the voice in space.
    pub positional: bool,
    /// Priority, or the speaker's own default.
    pub priority: Priority,
    /// Volume that the speaker asks for.
    pub volume: Volume,
}

impl ChannelOptions {
    /// Not positional, own priority, full volume.
    pub const DEFAULT: Self = Self { positional: false, priority: Priority::None, volume: Volume::FULL };
}

impl Default for ChannelOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Whom a channel or a text reaches: all who listen to a room, or one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// All who listen to this room.
    Room(RoomId),
    /// This client alone: a whisper.
    Client(ClientId),
}

/// What a client does with a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoomUse {
    /// Hears it.
    Listen,
    /// May open channels to it, but doesn't hear it.
    Speak,
    /// Both.
    Both,
}

impl RoomUse {
    /// The number on the wire, 1 to 3.
    pub const fn number(self) -> u8 {
        match self {
            Self::Listen => 1,
            Self::Speak => 2,
            Self::Both => 3,
        }
    }

    /// The use of a number on the wire.
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Listen,
            2 => Self::Speak,
            3 => Self::Both,
            _ => return None,
        })
    }

    /// Whether the client hears the room.
    pub const fn listens(self) -> bool {
        matches!(self, Self::Listen | Self::Both)
    }

    /// Whether the client may speak to the room.
    pub const fn speaks(self) -> bool {
        matches!(self, Self::Speak | Self::Both)
    }
}
