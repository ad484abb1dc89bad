//! Every packet of the protocol as bytes, both ways: docs/PROTOCOL.md, sections 2 and 3.
//!
//! There is one encoding per value: what [`Packet::decode`] accepts, [`Packet::encode`] gives back byte by byte. A decoded packet
//! borrows from the bytes it was read from. Received bytes are taken apart in `read.rs` and put together in `write.rs`, and
//! nowhere else.

mod control;
mod greeting;
mod hello;
pub mod limits;
mod read;
mod reason;
mod report;
mod roster;
mod voice;
mod write;

pub use control::{PathAck, Ping};
pub use greeting::Greeting;
pub(crate) use hello::hello_nonce;
pub use hello::{FEATURE_DIRECT, FEATURE_PHASE, FEATURE_REPORTS, Hello, MAGIC, Resume, StateFlags, VERSION, Welcome};
use limits::MAX_PACKET_BYTES;
use read::{Read, Reader};
pub use reason::{CloseReason, RefuseReason, RoomCloseReason, TextRefuseReason};
pub use report::{Hearing, Report, ReportEntry, Summary};
pub use roster::{PersonFlags, Present, Record, RoomList, Roster, RosterWriter};
pub(crate) use voice::ParsedVoice;
pub use voice::{Channel, Channels, RelayList, Voice, VoiceHeader};
use write::Writer;

use crate::types::{ClientId, Delivery, DropReason, Priority, RoomId, RoomUse, Secret, SessionId, Target};

macro_rules! kinds {
    ($($name:ident = $number:literal $delivery:ident,)*) => {
        /// The kind of a packet. Voice has a quarter of all first bytes to itself and stands here for them all.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Kind { $(#[doc = concat!("`", stringify!($number), "`")] $name = $number,)* }

        impl Kind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The kind that a first byte stands for.
            pub const fn from_first_byte(byte: u8) -> Option<Self> {
                match byte {
                    $($number => Some(Self::$name),)*
                    0x81..=0xFF => Some(Self::Voice),
                    _ => None,
                }
            }

            /// How packets of this kind travel.
            pub const fn delivery(self) -> Delivery {
                match self { $(Self::$name => Delivery::$delivery,)* }
            }

            /// The name in the document.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

kinds! {
    Hello = 0x01 Reliable,
    UseRoom = 0x02 Reliable,
    LeaveRoom = 0x03 Reliable,
    SetState = 0x04 Reliable,
    SetBlock = 0x05 Reliable,
    SendText = 0x06 Reliable,
    PairRequest = 0x07 Reliable,
    SendRendezvous = 0x08 Reliable,
    Leave = 0x09 Reliable,
    RosterRequest = 0x0A Reliable,
    Welcome = 0x21 Reliable,
    Refused = 0x22 Reliable,
    RoomGranted = 0x23 Reliable,
    RoomClosed = 0x24 Reliable,
    Roster = 0x25 Reliable,
    Audience = 0x26 Reliable,
    Text = 0x27 Reliable,
    TextRefused = 0x28 Reliable,
    Pair = 0x29 Reliable,
    PairGone = 0x2A Reliable,
    Rendezvous = 0x2B Reliable,
    Closed = 0x2C Reliable,
    Ping = 0x41 Unreliable,
    Pong = 0x42 Unreliable,
    LaneAck = 0x43 Unreliable,
    WrongSession = 0x44 Unreliable,
    Report = 0x45 Unreliable,
    Summary = 0x46 Unreliable,
    Phase = 0x47 Unreliable,
    Greet = 0x51 Unreliable,
    GreetAck = 0x52 Unreliable,
    PathAck = 0x53 Unreliable,
    Voice = 0x80 Unreliable,
}

/// What begins nearly every reliable packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// The session.
    pub session: SessionId,
    /// The packet's number on its lane.
    pub number: u16,
}

impl Lane {
    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        Ok(Self { session: reader.session()?, number: reader.u16()? })
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.u32(self.session.get()).u16(self.number);
    }
}

/// Any packet of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // Fields are named as in docs/PROTOCOL.md, section 3.
pub enum Packet<'a> {
    Hello(Hello<'a>),
    UseRoom { lane: Lane, room_use: RoomUse, name: &'a str },
    LeaveRoom { lane: Lane, room: RoomId },
    SetState { lane: Lane, flags: StateFlags, priority: Priority },
    SetBlock { lane: Lane, client: ClientId, blocked: bool },
    SendText { lane: Lane, number: u16, last: bool, target: Target, bytes: &'a [u8] },
    PairRequest { lane: Lane, client: ClientId },
    SendRendezvous { lane: Lane, to: ClientId, bytes: &'a [u8] },
    Leave { lane: Lane },
    RosterRequest { lane: Lane },
    Welcome(Welcome),
    Refused { nonce: u32, reason: RefuseReason },
    RoomGranted { lane: Lane, room: RoomId, room_use: RoomUse, name: &'a str },
    RoomClosed { lane: Lane, reason: RoomCloseReason, name: &'a str },
    Roster(Roster<'a>),
    Audience { lane: Lane, heard: bool, sequence: u16 },
    Text { lane: Lane, from: ClientId, last: bool, target: Target, bytes: &'a [u8] },
    TextRefused { lane: Lane, number: u16, reason: TextRefuseReason },
    Pair { lane: Lane, client: ClientId, secret: Secret },
    PairGone { lane: Lane, client: ClientId },
    Rendezvous { lane: Lane, from: ClientId, bytes: &'a [u8] },
    Closed { lane: Lane, reason: CloseReason },
    Ping(Ping),
    Pong { session: SessionId, stamp: u32, next: u16 },
    LaneAck { session: SessionId, next: u16 },
    WrongSession { ours: SessionId, theirs: u32 },
    Report(Report<'a>),
    Summary(Summary),
    Phase { session: SessionId, sequence: u16, later_us: u16 },
    Greet(Greeting),
    GreetAck(Greeting),
    PathAck(PathAck),
    Voice(Voice<'a>),
}

impl<'a> Packet<'a> {
    /// Reads a packet.
    ///
    /// # Errors
    /// Empty, TooLong, UnknownKind, Truncated, Malformed or WrongVersion: section 11 of the document.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DropReason> {
        let first = *bytes.first().ok_or(DropReason::Empty)?;
        if bytes.len() > MAX_PACKET_BYTES {
            return Err(DropReason::TooLong);
        }
        let kind = Kind::from_first_byte(first).ok_or(DropReason::UnknownKind)?;
        let mut reader = Reader::new(bytes.get(1..).unwrap_or_default());
        match kind {
            Kind::Voice => Voice::decode(bytes).map(Self::Voice),
            Kind::Hello => Hello::read(&mut reader).map(Self::Hello),
            Kind::Welcome => Welcome::read(&mut reader).map(Self::Welcome),
            Kind::Refused => hello::read_refused(&mut reader).map(|(nonce, reason)| Self::Refused { nonce, reason }),
            Kind::Greet => Greeting::read(&mut reader).map(Self::Greet),
            Kind::GreetAck => Greeting::read(&mut reader).map(Self::GreetAck),
            Kind::PathAck => PathAck::read(&mut reader).map(Self::PathAck),
            Kind::Report => Report::read(&mut reader).map(Self::Report),
            Kind::Summary => Summary::read(&mut reader).map(Self::Summary),
            Kind::Ping | Kind::Pong | Kind::LaneAck | Kind::WrongSession | Kind::Phase => {
                Self::read_unreliable(kind, &mut reader)
            }
            _ => Self::read_on_lane(kind, Lane::read(&mut reader)?, &mut reader),
        }
    }

    /// Writes the packet to the front of `out`, which it never reads; gives the length, `None` if `out` is too small or a field
    /// is out of its range, as a name of more than 64 bytes. Only the version isn't looked at.
    pub fn encode(&self, out: &mut [u8]) -> Option<usize> {
        let most = out.len().min(MAX_PACKET_BYTES);
        let out = out.get_mut(..most)?;
        if let Self::Voice(voice) = self {
            return voice.encode(out);
        }
        let mut writer = Writer::new(out);
        writer.u8(self.kind() as u8);
        if let Some(lane) = self.lane() {
            lane.write(&mut writer);
        }
        self.write_body(&mut writer);
        writer.finish()
    }

    /// What the first byte says.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Hello(_) => Kind::Hello,
            Self::UseRoom { .. } => Kind::UseRoom,
            Self::LeaveRoom { .. } => Kind::LeaveRoom,
            Self::SetState { .. } => Kind::SetState,
            Self::SetBlock { .. } => Kind::SetBlock,
            Self::SendText { .. } => Kind::SendText,
            Self::PairRequest { .. } => Kind::PairRequest,
            Self::SendRendezvous { .. } => Kind::SendRendezvous,
            Self::Leave { .. } => Kind::Leave,
            Self::RosterRequest { .. } => Kind::RosterRequest,
            Self::Welcome(_) => Kind::Welcome,
            Self::Refused { .. } => Kind::Refused,
            Self::RoomGranted { .. } => Kind::RoomGranted,
            Self::RoomClosed { .. } => Kind::RoomClosed,
            Self::Roster(_) => Kind::Roster,
            Self::Audience { .. } => Kind::Audience,
            Self::Text { .. } => Kind::Text,
            Self::TextRefused { .. } => Kind::TextRefused,
            Self::Pair { .. } => Kind::Pair,
            Self::PairGone { .. } => Kind::PairGone,
            Self::Rendezvous { .. } => Kind::Rendezvous,
            Self::Closed { .. } => Kind::Closed,
            Self::Ping(_) => Kind::Ping,
            Self::Pong { .. } => Kind::Pong,
            Self::LaneAck { .. } => Kind::LaneAck,
            Self::WrongSession { .. } => Kind::WrongSession,
            Self::Report(_) => Kind::Report,
            Self::Summary(_) => Kind::Summary,
            Self::Phase { .. } => Kind::Phase,
            Self::Greet(_) => Kind::Greet,
            Self::GreetAck(_) => Kind::GreetAck,
            Self::PathAck(_) => Kind::PathAck,
            Self::Voice(_) => Kind::Voice,
        }
    }

    /// How the packet travels.
    pub const fn delivery(&self) -> Delivery {
        self.kind().delivery()
    }

    /// The lane header of those that have one.
    pub const fn lane(&self) -> Option<Lane> {
        match self {
            Self::UseRoom { lane, .. }
            | Self::LeaveRoom { lane, .. }
            | Self::SetState { lane, .. }
            | Self::SetBlock { lane, .. }
            | Self::SendText { lane, .. }
            | Self::PairRequest { lane, .. }
            | Self::SendRendezvous { lane, .. }
            | Self::Leave { lane }
            | Self::RosterRequest { lane }
            | Self::RoomGranted { lane, .. }
            | Self::RoomClosed { lane, .. }
            | Self::Audience { lane, .. }
            | Self::Text { lane, .. }
            | Self::TextRefused { lane, .. }
            | Self::Pair { lane, .. }
            | Self::PairGone { lane, .. }
            | Self::Rendezvous { lane, .. }
            | Self::Closed { lane, .. } => Some(*lane),
            Self::Roster(roster) => Some(roster.lane),
            _ => None,
        }
    }
}
