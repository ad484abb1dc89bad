//! The bodies of all packets but Hello, its answers, rosters, greetings and voice.

use super::{
    CloseReason, Kind, Lane, Packet, Read, RoomCloseReason, Roster, StateFlags, TextRefuseReason,
    limits::{MAX_RENDEZVOUS_BYTES, TEXT_PART_BYTES},
    read::Reader,
    write::Writer,
};
use crate::types::{ClientId, DropReason, RoomUse, Secret, SessionId};

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
    /// The client is idle: the next Ping comes after `IDLE_PING_INTERVAL`.
    pub idle: bool,
}

/// Which voice packets came in on a direct path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathAck {
    /// The session.
    pub session: SessionId,
    /// Who received them.
    pub sender: ClientId,
    /// Who spoke.
    pub receiver: ClientId,
    /// The newest sequence number received.
    pub sequence: u16,
    /// Bit i: the number `sequence` - 1 - i was received too.
    pub received: u32,
}

impl PathAck {
    pub(super) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let ack = Self {
            session: reader.session()?,
            sender: reader.client()?,
            receiver: reader.client()?,
            sequence: reader.u16()?,
            received: reader.u32()?,
        };
        reader.end().map(|()| ack)
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.u32(self.session.get()).u16(self.sender.get()).u16(self.receiver.get());
        w.u16(self.sequence).u32(self.received);
    }
}

impl<'a> Packet<'a> {
    pub(super) fn read_unreliable(kind: Kind, reader: &mut Reader<'a>) -> Read<Self> {
        let session = reader.session()?;
        let packet = match kind {
            Kind::Ping => Self::Ping(Ping {
                session,
                stamp: reader.u32()?,
                next: reader.u16()?,
                rtt_ms: reader.u16()?,
                loss: reader.u8()?,
                jitter_ms: reader.u16()?,
                idle: reader.flag()?,
            }),
            Kind::Pong => Self::Pong { session, stamp: reader.u32()?, next: reader.u16()? },
            Kind::LaneAck => Self::LaneAck { session, next: reader.u16()? },
            Kind::Phase => Self::Phase { session, sequence: reader.u16()?, later_us: read_later(reader)? },
            _ => Self::WrongSession { ours: session, theirs: reader.u32()? },
        };
        reader.end().map(|()| packet)
    }

    pub(super) fn read_on_lane(kind: Kind, lane: Lane, reader: &mut Reader<'a>) -> Read<Self> {
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
            Kind::RosterRequest => Self::RosterRequest { lane },
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
            Kind::Audience => Self::Audience { lane, heard: reader.flag()?, sequence: reader.u16()? },
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

    pub(super) fn write_body(&self, w: &mut Writer<'_>) {
        match *self {
            Self::Hello(ref hello) => hello.write(w),
            Self::Welcome(ref welcome) => welcome.write(w),
            Self::Greet(ref greeting) | Self::GreetAck(ref greeting) => greeting.write(w),
            Self::PathAck(ref ack) => ack.write(w),
            Self::Report(ref report) => report.write_body(w),
            Self::Summary(ref summary) => summary.write(w),
            Self::Roster(ref roster) => roster.write_body(w),
            Self::Refused { nonce, reason } => _ = w.u32(nonce).u8(reason.number()),
            Self::UseRoom { room_use, name, .. } => _ = w.u8(room_use.number()).name(name.as_bytes(), 1),
            Self::LeaveRoom { room, .. } => _ = w.u16(room.get()),
            Self::SetState { flags, priority, .. } => _ = w.u8(flags.number()).u8(priority as u8),
            Self::SetBlock { client, blocked, .. } => _ = w.u16(client.get()).u8(blocked.into()),
            Self::SendText { number, last, target, bytes, .. } => {
                w.u16(number).u8(last.into()).target(target);
                write_part(last, bytes, w);
            }
            Self::PairRequest { client, .. } | Self::PairGone { client, .. } => _ = w.u16(client.get()),
            Self::SendRendezvous { to: client, bytes, .. } | Self::Rendezvous { from: client, bytes, .. } => {
                w.u16(client.get()).rest(bytes, 1, MAX_RENDEZVOUS_BYTES);
            }
            Self::RoomGranted { room, room_use, name, .. } => {
                w.u16(room.get()).u8(room_use.number()).name(name.as_bytes(), 1);
            }
            Self::RoomClosed { reason, name, .. } => _ = w.u8(reason.number()).name(name.as_bytes(), 1),
            Self::Audience { heard, sequence, .. } => _ = w.u8(heard.into()).u16(sequence),
            Self::Text { from, last, target, bytes, .. } => {
                w.u16(from.get()).u8(last.into()).target(target);
                write_part(last, bytes, w);
            }
            Self::TextRefused { number, reason, .. } => _ = w.u16(number).u8(reason.number()),
            Self::Pair { client, secret, .. } => _ = w.u16(client.get()).bytes(&secret.0),
            Self::Closed { reason, .. } => _ = w.u8(reason.number()),
            Self::Ping(Ping { session, stamp, next, rtt_ms, loss, jitter_ms, idle }) => {
                w.u32(session.get()).u32(stamp).u16(next).u16(rtt_ms).u8(loss).u16(jitter_ms).u8(idle.into());
            }
            Self::Pong { session, stamp, next } => _ = w.u32(session.get()).u32(stamp).u16(next),
            Self::LaneAck { session, next } => _ = w.u32(session.get()).u16(next),
            Self::Phase { session, sequence, later_us } => {
                if !(1..=MOST_LATER_US).contains(&later_us) {
                    w.fail();
                }
                w.u32(session.get()).u16(sequence).u16(later_us);
            }
            Self::WrongSession { ours, theirs } => _ = w.u32(ours.get()).u32(theirs),
            Self::Leave { .. } | Self::RosterRequest { .. } | Self::Voice(_) => {}
        }
    }
}

/// Of the 20 ms that a frame may come later.
const MOST_LATER_US: u16 = 19_999;

fn read_later(reader: &mut Reader<'_>) -> Read<u16> {
    let later = reader.u16()?;
    (1..=MOST_LATER_US).contains(&later).then_some(later).ok_or(DropReason::Malformed)
}

fn read_use(reader: &mut Reader<'_>) -> Read<RoomUse> {
    RoomUse::from_number(reader.u8()?).ok_or(DropReason::Malformed)
}

fn read_part<'a>(last: bool, reader: &mut Reader<'a>) -> Read<&'a [u8]> {
    reader.rest(if last { 1 } else { TEXT_PART_BYTES }, TEXT_PART_BYTES)
}

fn write_part(last: bool, bytes: &[u8], writer: &mut Writer<'_>) {
    writer.rest(bytes, if last { 1 } else { TEXT_PART_BYTES }, TEXT_PART_BYTES);
}
