//! What comes in: checked, then given to the part that it is for.

use super::{
    engine::{Engine, HELLO_RATE, RELIABLE_RATE, ROSTER_RATE, WRONG_SESSION_RATE, timer_link},
    events::LeaveReason,
    tables::{Cursor, LinkReport},
};
use crate::{
    storage::list::List,
    types::{ConnectionId, Delivery, DropReason, Instant},
    wire::{
        CloseReason, FEATURE_REPORTS, Hello, Kind, Packet, Ping, RefuseReason, hello_nonce,
        limits::{LANE_ACK_EVERY, LANE_STALL},
    },
};

/// The least bytes of a packet that may be answered with WrongSession, which has as many.
const WRONG_SESSION_BYTES: usize = 9;

impl Engine<'_> {
    /// Everything but voice.
    pub(super) fn on_control(&mut self, now: Instant, from: ConnectionId, delivery: Delivery, bytes: &[u8]) {
        match Packet::decode(bytes) {
            Ok(packet) if packet.delivery() != delivery => self.drop(DropReason::WrongDelivery),
            Ok(packet) => self.on_packet(now, from, &packet, bytes.len()),
            Err(reason) => {
                self.drop(reason);
                if reason == DropReason::WrongVersion
                    && let Some(nonce) = hello_nonce(bytes)
                {
                    self.refuse(from, nonce, RefuseReason::Version);
                }
            }
        }
    }

    fn on_packet(&mut self, now: Instant, from: ConnectionId, packet: &Packet<'_>, len: usize) {
        if self.connection(from).is_none_or(|connection| connection.answers.closed) {
            return self.drop(DropReason::UnknownConnection);
        }
        match packet {
            Packet::Hello(hello) => self.on_first_packet(now, from, hello),
            Packet::Greet(_) | Packet::GreetAck(_) | Packet::PathAck(_) => self.drop(DropReason::GreetingAtServer),
            Packet::Ping(ping) => self.on_ping(now, from, ping, len),
            Packet::Report(report) if self.s.config.features & FEATURE_REPORTS != 0 => {
                self.on_report(now, from, report, len);
            }
            Packet::LaneAck { session, next } => {
                if *session != self.session() {
                    self.drop(DropReason::WrongSession);
                } else if self.joined(from) {
                    self.keep_alive(now, from);
                    self.on_ack(now, from, *next);
                }
            }
            _ => self.on_lane_packet(now, from, packet, len),
        }
    }

    fn on_first_packet(&mut self, now: Instant, from: ConnectionId, hello: &Hello<'_>) {
        let Some(connection) = self.connection(from) else { return };
        if connection.answers.closing.is_some() {
            return self.drop(DropReason::NotJoined);
        }
        // Each costs everybody a change of the roster.
        if !connection.hello_rate.take(now, HELLO_RATE) {
            return self.drop(DropReason::RateLimited);
        }
        self.on_hello(now, from, hello);
    }

    fn joined(&mut self, from: ConnectionId) -> bool {
        let joined = self.connection(from).is_some_and(|connection| connection.seat.is_some());
        if !joined {
            self.drop(DropReason::NotJoined);
        }
        joined
    }

    fn on_ping(&mut self, now: Instant, from: ConnectionId, ping: &Ping, len: usize) {
        let seat = self.connection(from).and_then(|connection| connection.seat);
        let Some(at) = seat.filter(|_| ping.session == self.session()) else {
            self.drop(if seat.is_some() { DropReason::WrongSession } else { DropReason::NotJoined });
            return self.answer_wrong_session(now, from, ping.session.get(), len);
        };
        if let Some(connection) = self.connection(from) {
            connection.idle = ping.idle;
        }
        self.keep_alive(now, from);
        self.on_ack(now, from, ping.next);
        if let Some(seat) = self.seat(at) {
            seat.report = LinkReport { rtt_ms: ping.rtt_ms, loss: ping.loss, jitter_ms: ping.jitter_ms };
        }
        let Some(connection) = self.connection(from) else { return };
        connection.answers.pong = Some(ping.stamp);
        let lane = &connection.lane;
        // A packet that was lost with none after it shows by this alone.
        if lane.in_flight() > 0 && now >= lane.progress_at.after(LANE_STALL) {
            return self.throw_out(from, CloseReason::LaneStalled, LeaveReason::Broken);
        }
        self.wake(from);
    }

    pub(super) fn answer_wrong_session(&mut self, now: Instant, to: ConnectionId, theirs: u32, cause: usize) {
        if let Some(connection) = self.connection(to)
            && cause >= WRONG_SESSION_BYTES
            && connection.answers.closing.is_none()
            && connection.wrong_rate.take(now, WRONG_SESSION_RATE)
        {
            connection.answers.wrong_session = Some(theirs);
            self.wake(to);
        }
    }

    fn on_ack(&mut self, now: Instant, from: ConnectionId, next: u16) {
        let Some(connection) = self.connection(from) else { return };
        let lane = &mut connection.lane;
        let acked = next.wrapping_sub(lane.out_acked);
        if acked == 0 {
            return;
        }
        if acked > lane.in_flight() {
            return self.drop(DropReason::StaleAnswer);
        }
        lane.out_acked = next;
        lane.progress_at = now;
        if let Some(at) = connection.seat {
            self.forget_removals(at, next);
        }
        self.wake(from);
    }

    fn on_lane_packet(&mut self, now: Instant, from: ConnectionId, packet: &Packet<'_>, len: usize) {
        let Some(lane) = packet.lane().filter(|_| is_from_client(packet.kind())) else {
            return self.drop(DropReason::UnknownKind);
        };
        if lane.session != self.session() {
            self.drop(DropReason::WrongSession);
            return self.answer_wrong_session(now, from, lane.session.get(), len);
        }
        if !self.joined(from) {
            return;
        }
        let Some(connection) = self.connection(from) else { return };
        if lane.number != connection.lane.in_next {
            self.drop(DropReason::LaneBroken);
            return self.throw_out(from, CloseReason::LaneBroken, LeaveReason::Broken);
        }
        connection.lane.in_next = lane.number.wrapping_add(1);
        if connection.lane.in_next.wrapping_sub(connection.lane.in_acked) >= LANE_ACK_EVERY {
            connection.answers.ack = true;
            self.wake(from);
        }
        self.keep_alive(now, from);
        let Some(at) = self.connection(from).and_then(|connection| connection.seat) else { return };
        if self.seat(at).is_some_and(|seat| !seat.rates.reliable.take(now, RELIABLE_RATE)) {
            self.drop(DropReason::RateLimited);
            return self.throw_out(from, CloseReason::Flood, LeaveReason::Broken);
        }
        self.on_command(now, from, at, packet);
    }

    fn on_command(&mut self, now: Instant, from: ConnectionId, at: u16, packet: &Packet<'_>) {
        if !matches!(packet, Packet::SendText { .. }) {
            self.abandon_half_text(at);
        }
        match *packet {
            Packet::UseRoom { room_use, name, .. } => self.on_use_room(at, room_use, name),
            Packet::LeaveRoom { room, .. } => self.on_leave_room(at, room),
            Packet::SetState { flags, priority, .. } => self.on_set_state(at, flags, priority),
            Packet::SetBlock { client, blocked, .. } => self.on_set_block(at, client, blocked),
            Packet::SendText { number, last, target, bytes, .. } => {
                self.on_text(now, at, number, last, target, bytes);
            }
            Packet::SendRendezvous { to, bytes, .. } => self.on_rendezvous(now, at, to, bytes),
            Packet::PairRequest { client, .. } => self.on_pair_request(now, at, client),
            Packet::RosterRequest { .. } => self.on_roster_request(now, from, at),
            Packet::Leave { .. } => self.throw_out(from, CloseReason::Left, LeaveReason::Left),
            _ => self.drop(DropReason::UnknownKind),
        }
    }

    /// All seats again, from the first.
    fn on_roster_request(&mut self, now: Instant, from: ConnectionId, at: u16) {
        if self.seat(at).is_none_or(|seat| !seat.rates.roster.take(now, ROSTER_RATE)) {
            return self.drop(DropReason::RateLimited);
        }
        let journal = self.s.journal;
        if let Some(connection) = self.connection(from) {
            connection.roster = Cursor { at: journal, sweep: Some(0) };
        }
        self.wake(from);
    }

    /// Notes a sign of life of a client that knows its seat.
    pub(super) fn keep_alive(&mut self, now: Instant, from: ConnectionId) {
        let seat = self.connection(from).and_then(|connection| connection.seat);
        if let Some(seat) = seat.and_then(|at| self.seat(at)) {
            seat.known = true;
        }
        self.note_heard(now, from);
    }

    pub(super) fn note_heard(&mut self, now: Instant, from: ConnectionId) {
        let Some(connection) = self.connection(from) else { return };
        connection.heard_at = now;
        let idle = connection.idle;
        let Ok(at) = u16::try_from(from.index()) else { return };
        let s = &mut *self.s;
        List::remove(&mut [&mut s.fresh, &mut s.heard, &mut s.heard_idle], self.t.connections, timer_link, at);
        let list = if idle { &mut s.heard_idle } else { &mut s.heard };
        list.push_back(self.t.connections, timer_link, at);
    }
}

const fn is_from_client(kind: Kind) -> bool {
    (kind as u8) < 0x20
}
