//! Every packet of the protocol as bytes, both ways: docs/PROTOCOL.md, sections 2 and 3.
//!
//! There is one encoding per value: what [`Packet::decode`] accepts, [`Packet::encode`] gives back byte by byte. A decoded packet
//! borrows from the bytes it was read from. Received bytes are taken apart in `read.rs` and put together in `write.rs`, and
//! nowhere else.

mod greeting;
mod hello;
pub mod limits;
mod read;
mod reason;
mod roster;
mod voice;
mod write;

pub use greeting::Greeting;
pub use hello::{FEATURE_DIRECT, Hello, MAGIC, Resume, StateFlags, VERSION, Welcome};
use limits::{MAX_PACKET_BYTES, MAX_RENDEZVOUS_BYTES, TEXT_PART_BYTES};
use read::{Read, Reader};
pub use reason::{CloseReason, RefuseReason, RoomCloseReason, TextRefuseReason};
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
    Greet = 0x51 Unreliable,
    GreetAck = 0x52 Unreliable,
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

/// A client's sign of life, with what it measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ping {
    /// The session.
    pub session: SessionId,
    /// The client's own, echoed by the Pong.
    pub stamp: u32,
    /// Lane number next expected.
    pub next: u16,
    /// Round-trip time, ms, saturating; 0 unknown.
    pub rtt_ms: u16,
    /// Loss of the last second, in 1/255.
    pub loss: u8,
    /// Jitter, ms, saturating.
    pub jitter_ms: u16,
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
    Welcome(Welcome),
    Refused { nonce: u32, reason: RefuseReason },
    RoomGranted { lane: Lane, room: RoomId, room_use: RoomUse, name: &'a str },
    RoomClosed { lane: Lane, reason: RoomCloseReason, name: &'a str },
    Roster(Roster<'a>),
    Audience { lane: Lane, heard: bool },
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
    Greet(Greeting),
    GreetAck(Greeting),
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
            Kind::Ping | Kind::Pong | Kind::LaneAck | Kind::WrongSession => Self::read_unreliable(kind, &mut reader),
            _ => Self::read_on_lane(kind, Lane::read(&mut reader)?, &mut reader),
        }
    }

    fn read_unreliable(kind: Kind, reader: &mut Reader<'a>) -> Read<Self> {
        let session = reader.session()?;
        let packet = match kind {
            Kind::Ping => Self::Ping(Ping {
                session,
                stamp: reader.u32()?,
                next: reader.u16()?,
                rtt_ms: reader.u16()?,
                loss: reader.u8()?,
                jitter_ms: reader.u16()?,
            }),
            Kind::Pong => Self::Pong { session, stamp: reader.u32()?, next: reader.u16()? },
            Kind::LaneAck => Self::LaneAck { session, next: reader.u16()? },
            _ => Self::WrongSession { ours: session, theirs: reader.u32()? },
        };
        reader.end().map(|()| packet)
    }

    fn read_on_lane(kind: Kind, lane: Lane, reader: &mut Reader<'a>) -> Read<Self> {
        let packet = match kind {
            Kind::UseRoom => Self::UseRoom { lane, room_use: read_use(reader)?, name: reader.name(1)? },
            Kind::LeaveRoom => Self::LeaveRoom { lane, room: reader.room()? },
            Kind::SetState => Self::SetState { lane, flags: StateFlags::read(reader)?, priority: reader.priority()? },
            Kind::SetBlock => Self::SetBlock { lane, client: reader.client()?, blocked: reader.flag()? },
            Kind::SendText => {
                let (number, last, target) = (reader.u16()?, reader.flag()?, reader.target()?);
                Self::SendText { lane, number, last, target, bytes: read_part(last, reader)? }
            }
            Kind::PairRequest => Self::PairRequest { lane, client: reader.client()? },
            Kind::SendRendezvous => {
                Self::SendRendezvous { lane, to: reader.client()?, bytes: reader.rest(1, MAX_RENDEZVOUS_BYTES)? }
            }
            Kind::Leave => Self::Leave { lane },
            Kind::Roster => Self::Roster(Roster::read(lane, reader)?),
            _ => return Self::read_from_server(kind, lane, reader),
        };
        reader.end().map(|()| packet)
    }

    fn read_from_server(kind: Kind, lane: Lane, reader: &mut Reader<'a>) -> Read<Self> {
        let packet = match kind {
            Kind::RoomGranted => {
                Self::RoomGranted { lane, room: reader.room()?, room_use: read_use(reader)?, name: reader.name(1)? }
            }
            Kind::RoomClosed => {
                let reason = RoomCloseReason::from_number(reader.u8()?).ok_or(DropReason::Malformed)?;
                Self::RoomClosed { lane, reason, name: reader.name(1)? }
            }
            Kind::Audience => Self::Audience { lane, heard: reader.flag()? },
            Kind::Text => {
                let (from, last, target) = (reader.client()?, reader.flag()?, reader.target()?);
                Self::Text { lane, from, last, target, bytes: read_part(last, reader)? }
            }
            Kind::TextRefused => {
                let number = reader.u16()?;
                let reason = TextRefuseReason::from_number(reader.u8()?).ok_or(DropReason::Malformed)?;
                Self::TextRefused { lane, number, reason }
            }
            Kind::Pair => Self::Pair { lane, client: reader.client()?, secret: Secret(reader.array()?) },
            Kind::PairGone => Self::PairGone { lane, client: reader.client()? },
            Kind::Rendezvous => {
                Self::Rendezvous { lane, from: reader.client()?, bytes: reader.rest(1, MAX_RENDEZVOUS_BYTES)? }
            }
            Kind::Closed => {
                let reason = CloseReason::from_number(reader.u8()?).ok_or(DropReason::Malformed)?;
                Self::Closed { lane, reason }
            }
            _ => return Err(DropReason::UnknownKind),
        };
        reader.end().map(|()| packet)
    }

    /// Writes the packet to the front of `out`, which it never reads; gives the length, `None` if `out` is too small or a part
    /// is longer than it may be.
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

    fn write_body(&self, w: &mut Writer<'_>) {
        match *self {
            Self::Hello(ref hello) => hello.write(w),
            Self::Welcome(ref welcome) => welcome.write(w),
            Self::Greet(ref greeting) | Self::GreetAck(ref greeting) => greeting.write(w),
            Self::Roster(ref roster) => roster.write_body(w),
            Self::Refused { nonce, reason } => _ = w.u32(nonce).u8(reason.number()),
            Self::UseRoom { room_use, name, .. } => _ = w.u8(room_use.number()).name(name),
            Self::LeaveRoom { room, .. } => _ = w.u16(room.get()),
            Self::SetState { flags, priority, .. } => _ = w.u8(flags.number()).u8(priority as u8),
            Self::SetBlock { client, blocked, .. } => _ = w.u16(client.get()).u8(blocked.into()),
            Self::SendText { number, last, target, bytes, .. } => {
                w.u16(number).u8(last.into()).target(target).bytes(bytes);
            }
            Self::PairRequest { client, .. } | Self::PairGone { client, .. } => _ = w.u16(client.get()),
            Self::SendRendezvous { to: client, bytes, .. } | Self::Rendezvous { from: client, bytes, .. } => {
                w.u16(client.get()).bytes(bytes);
            }
            Self::RoomGranted { room, room_use, name, .. } => {
                w.u16(room.get()).u8(room_use.number()).name(name);
            }
            Self::RoomClosed { reason, name, .. } => _ = w.u8(reason.number()).name(name),
            Self::Audience { heard, .. } => _ = w.u8(heard.into()),
            Self::Text { from, last, target, bytes, .. } => {
                w.u16(from.get()).u8(last.into()).target(target).bytes(bytes);
            }
            Self::TextRefused { number, reason, .. } => _ = w.u16(number).u8(reason.number()),
            Self::Pair { client, secret, .. } => _ = w.u16(client.get()).bytes(&secret.0),
            Self::Closed { reason, .. } => _ = w.u8(reason.number()),
            Self::Ping(Ping { session, stamp, next, rtt_ms, loss, jitter_ms }) => {
                w.u32(session.get()).u32(stamp).u16(next).u16(rtt_ms).u8(loss).u16(jitter_ms);
            }
            Self::Pong { session, stamp, next } => _ = w.u32(session.get()).u32(stamp).u16(next),
            Self::LaneAck { session, next } => _ = w.u32(session.get()).u16(next),
            Self::WrongSession { ours, theirs } => _ = w.u32(ours.get()).u32(theirs),
            Self::Leave { .. } | Self::Voice(_) => {}
        }
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
            Self::Greet(_) => Kind::Greet,
            Self::GreetAck(_) => Kind::GreetAck,
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

/// The join nonce of a Hello of whatever version, to refuse it by.
pub(crate) fn hello_nonce(bytes: &[u8]) -> Option<u32> {
    let mut reader = Reader::new(bytes);
    (reader.u8().ok()? == Kind::Hello as u8 && reader.u32().ok()? == MAGIC).then_some(())?;
    reader.bytes(5).ok()?;
    reader.u32().ok()
}

fn read_use(reader: &mut Reader<'_>) -> Read<RoomUse> {
    RoomUse::from_number(reader.u8()?).ok_or(DropReason::Malformed)
}

fn read_part<'a>(last: bool, reader: &mut Reader<'a>) -> Read<&'a [u8]> {
    reader.rest(if last { 1 } else { TEXT_PART_BYTES }, TEXT_PART_BYTES)
}
