//! What people and the world can do in a scenario, each with a line of text, so that a run can be written down and replayed.

use std::{fmt, str::FromStr};

use voice_core::{Priority, RoomUse};

use super::plan::BadPlan;
use crate::{
    net::{Break, NatKind, Preset, Side},
    world::PersonId,
};

/// A value in one word.
pub(super) trait Word: Sized {
    fn word(&self) -> String;
    fn read(word: &str) -> Option<Self>;

    /// The value as a person's number, if it can be one.
    fn person(&self) -> Option<PersonId> {
        None
    }
}

fn names_person(field: &str) -> bool {
    ["person", "to", "other"].contains(&field)
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal ($($field:ident: $type:ty),*),)*) => {
        /// Something that happens at one moment of a scenario. What doesn't apply (a channel that is open, a person that is off)
        /// changes nothing.
        #[derive(Debug, Clone, Copy, PartialEq)]
        #[allow(missing_docs)] // The fields' names say it.
        pub enum Action { $($(#[$doc])* $variant { $($field: $type),* },)* }

        impl Action {
            /// All names.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The people it names.
            pub fn people(&self) -> Vec<PersonId> {
                let mut people = Vec::new();
                match self { $(Self::$variant { $($field),* } => { $(if names_person(stringify!($field)) { people.extend($field.person()); })* })* }
                people
            }

            /// The first word of its line.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $name,)* }
            }
        }

        impl fmt::Display for Action {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())?;
                match self {
                    $(Self::$variant { $($field),* } => { $(write!(f, " {}", $field.word())?;)* })*
                }
                Ok(())
            }
        }

        impl FromStr for Action {
            type Err = BadPlan;

            fn from_str(line: &str) -> Result<Self, BadPlan> {
                let mut words = line.split_whitespace();
                let name = words.next().unwrap_or_default();
                let action = match name {
                    $($name => Self::$variant { $($field: read_word(words.next(), concat!($name, ": ", stringify!($field)))?),* },)*
                    _ => return Err(BadPlan(format!("there is no action '{name}'; there are: {}", Self::NAMES.join(", ")))),
                };
                match words.next() {
                    Some(word) => Err(BadPlan(format!("'{word}' is too much after '{action}'"))),
                    None => Ok(action),
                }
            }
        }
    };
}

actions! {
    /// A person wants to be in the session.
    Connect = "connect" (person: PersonId),
    /// A person leaves.
    Leave = "leave" (person: PersonId),
    /// A person's process ends without a word.
    Crash = "crash" (person: PersonId),
    /// And starts anew, with its room, and connects.
    Revive = "revive" (person: PersonId),
    /// A person uses a room.
    UseRoom = "use-room" (person: PersonId, room: u16, room_use: RoomUse),
    /// A person uses a room no longer.
    LeaveRoom = "leave-room" (person: PersonId, room: u16),
    /// A channel to a room is opened.
    OpenRoom = "open-room" (person: PersonId, room: u16, priority: Priority),
    /// And closed.
    CloseRoom = "close-room" (person: PersonId, room: u16),
    /// A channel to a person is opened.
    OpenWhisper = "open-whisper" (person: PersonId, to: PersonId, priority: Priority),
    /// And closed.
    CloseWhisper = "close-whisper" (person: PersonId, to: PersonId),
    /// A person begins or stops to speak.
    Speak = "speak" (person: PersonId, on: bool),
    /// A person mutes itself.
    Mute = "mute" (person: PersonId, on: bool),
    /// A person hears nobody.
    Deafen = "deafen" (person: PersonId, on: bool),
    /// A person doesn't want to hear another.
    Block = "block" (person: PersonId, other: PersonId, on: bool),
    /// A person's own default priority.
    SetPriority = "priority" (person: PersonId, priority: Priority),
    /// A text to a room.
    TextRoom = "text-room" (person: PersonId, room: u16),
    /// A text to a person.
    TextPerson = "text-person" (person: PersonId, to: PersonId),
    /// The server mutes a person.
    ServerMute = "server-mute" (person: PersonId, on: bool),
    /// The server throws a person out.
    Kick = "kick" (person: PersonId),
    /// The server takes a person out of a room.
    RemoveFromRoom = "remove-from-room" (person: PersonId, room: u16),
    /// A machine has no network.
    Dark = "dark" (person: PersonId, on: bool),
    /// Nothing gets from a person to the server.
    BlockUp = "block-up" (person: PersonId, on: bool),
    /// Nothing gets from the server to a person.
    BlockDown = "block-down" (person: PersonId, on: bool),
    /// Nothing gets between two persons directly.
    BlockDirect = "block-direct" (person: PersonId, other: PersonId, on: bool),
    /// What a person sends waits.
    ClogUp = "clog-up" (person: PersonId, on: bool),
    /// What is sent to a person waits.
    ClogDown = "clog-down" (person: PersonId, on: bool),
    /// A person's machine gets another address.
    ChangeAddress = "change-address" (person: PersonId),
    /// The reliable lane of a person's connection breaks its promise.
    BreakLane = "break-lane" (person: PersonId, side: Side, how: Break),
    /// A person's link becomes another.
    SetPreset = "preset" (person: PersonId, preset: &'static Preset),
    /// A person's NAT becomes another.
    SetNat = "nat" (person: PersonId, nat: NatKind),
    /// A person's clock runs faster or slower, in millionths.
    SetDrift = "drift" (person: PersonId, ppm: i32),
    /// Datagrams with a wrong bit are delivered, as by a transport without a checksum.
    DeliverDamaged = "deliver-damaged" (on: bool),
    /// The server's machine crashes.
    CrashServer = "crash-server" (),
    /// And starts anew.
    StartServer = "start-server" (),
    /// The server starts a new session behind transports that stay up.
    ReplaceServer = "replace-server" (),
}

impl Word for i32 {
    fn word(&self) -> String {
        self.to_string()
    }

    fn read(word: &str) -> Option<Self> {
        word.parse().ok()
    }
}

impl Word for u16 {
    fn word(&self) -> String {
        self.to_string()
    }

    fn read(word: &str) -> Option<Self> {
        word.parse().ok()
    }

    fn person(&self) -> Option<PersonId> {
        Some(*self)
    }
}

macro_rules! named_words {
    ($type:ty: $($value:path = $name:literal),*) => {
        impl Word for $type {
            fn word(&self) -> String {
                match self { $($value => $name,)* }.into()
            }

            fn read(word: &str) -> Option<Self> {
                Some(match word { $($name => $value,)* _ => return None })
            }
        }
    };
}

impl Word for bool {
    fn word(&self) -> String {
        if *self { "on" } else { "off" }.into()
    }

    fn read(word: &str) -> Option<Self> {
        match word {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        }
    }
}

named_words!(RoomUse: RoomUse::Listen = "listen", RoomUse::Speak = "speak", RoomUse::Both = "both");
named_words!(Priority: Priority::None = "none", Priority::Low = "low", Priority::Default = "default", Priority::Medium = "medium",
    Priority::High = "high");
named_words!(NatKind: NatKind::Open = "open", NatKind::Cone = "cone", NatKind::Symmetric = "symmetric", NatKind::Blocked = "blocked");
named_words!(Side: Side::Client = "client", Side::Server = "server");
named_words!(Break: Break::Skip = "skip", Break::Repeat = "repeat");

impl Word for &'static Preset {
    fn word(&self) -> String {
        self.name.into()
    }

    fn read(word: &str) -> Option<Self> {
        Preset::from_name(word)
    }
}

/// Reads a word of a plan, or says what was wanted.
pub(super) fn read_word<T: Word>(word: Option<&str>, what: &str) -> Result<T, BadPlan> {
    word.and_then(T::read).ok_or_else(|| BadPlan(format!("{what} is wanted here, not '{}'", word.unwrap_or_default())))
}
