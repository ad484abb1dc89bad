//! What comes in: checked, then given to the part that it is for.

use super::{State, engine::Engine, events::ClientEvent};
use crate::{
    types::{Delivery, DropReason, Instant, PathId, Source},
    wire::{Kind, Lane, Packet, PathAck, limits::LANE_ACK_EVERY},
};

/// A round trip longer than this is none.
const RTT_MOST_US: u32 = 60_000_000;

impl Engine<'_> {
    pub(super) fn on_packet(&mut self, now: Instant, from: Source, delivery: Delivery, bytes: &[u8]) {
        let path = match from {
            Source::Server => None,
            Source::Path(path) => Some(path),
        };
        if bytes.first().is_some_and(|first| *first >= 0x80) {
            if delivery == Delivery::Reliable {
                return self.drop(DropReason::WrongDelivery);
            }
            return self.on_voice(now, path, bytes);
        }
        match Packet::decode(bytes) {
            Ok(packet) if packet.delivery() != delivery => self.drop(DropReason::WrongDelivery),
            Ok(packet) => self.on_control(now, path, &packet),
            Err(reason) => self.drop(reason),
        }
    }

    fn on_control(&mut self, now: Instant, path: Option<PathId>, packet: &Packet<'_>) {
        match (path, *packet) {
            (Some(path), Packet::Greet(greeting)) => self.on_greeting(now, path, false, &greeting),
            (Some(path), Packet::GreetAck(greeting)) => self.on_greeting(now, path, true, &greeting),
            (Some(path), Packet::PathAck(ack)) => self.on_path_ack(now, path, &ack),
            (Some(_), _) => self.drop(DropReason::UnknownKind),
            (None, Packet::Greet(_) | Packet::GreetAck(_)) => self.drop(DropReason::WrongProof),
            (None, Packet::Welcome(ref welcome)) => self.on_welcome(now, welcome),
            (None, Packet::Refused { nonce, reason }) => self.on_refused(now, nonce, reason),
            (None, Packet::WrongSession { theirs, .. }) => self.on_wrong_session(now, theirs),
            (None, Packet::Pong { session, stamp, next }) => {
                if self.is_ours(session.get()) {
                    let (answered, acknowledged) = (self.on_pong(now, stamp), self.on_ack(next));
                    if answered && self.s.link.ponged == self.s.link.pinged {
                        self.s.link.rest(now);
                    }
                    self.expect(answered && acknowledged);
                }
            }
            (None, Packet::LaneAck { session, next }) => {
                if self.is_ours(session.get()) {
                    self.heard(now);
                    let acknowledged = self.on_ack(next);
                    self.expect(acknowledged);
                }
            }
            (None, Packet::Summary(ref summary)) => {
                if self.is_ours(summary.session.get()) {
                    self.on_summary(now, summary);
                }
            }
            (None, Packet::Phase { session, sequence, later_us }) => {
                if self.is_ours(session.get()) {
                    let voice = &mut self.s.voice;
                    // What was measured before the last move is of the frames of before.
                    let is_current = is_from(voice.moved_at, sequence);
                    if is_current {
                        voice.later_us = later_us;
                    }
                    self.expect(is_current);
                }
            }
            (None, _) => self.on_lane_packet(now, packet),
        }
    }

    fn is_ours(&mut self, session: u32) -> bool {
        let reason = match self.s.seat {
            Some(seat) if seat.session.get() == session => {
                if self.s.is_joined() || self.s.state == State::Disconnected {
                    return true;
                }
                DropReason::NotJoined
            }
            Some(_) => DropReason::WrongSession,
            None => DropReason::NotJoined,
        };
        self.drop(reason);
        false
    }

    fn on_greeting(&mut self, now: Instant, path: PathId, ack: bool, greeting: &crate::wire::Greeting) {
        let done = match self.me() {
            Some(me) => self.direct().handle_greeting(now, me, path, ack, greeting),
            None => Err(DropReason::NotJoined),
        };
        match done {
            Ok(()) => self.s.pending = true,
            Err(reason) => self.drop(reason),
        }
    }

    fn on_path_ack(&mut self, now: Instant, path: PathId, ack: &PathAck) {
        let done = match self.me() {
            Some(me) => self.direct().handle_ack(now, me, path, ack),
            None => Err(DropReason::NotJoined),
        };
        if let Err(reason) = done {
            self.drop(reason);
        }
    }

    /// Counts an answer to what nobody asked any more.
    fn expect(&mut self, is_current: bool) {
        if !is_current {
            self.drop(DropReason::StaleAnswer);
        }
    }

    /// False if no Ping of this time is waited for.
    fn on_pong(&mut self, now: Instant, stamp: u32) -> bool {
        self.heard(now);
        let rtt = stamp_of(now).wrapping_sub(stamp);
        let link = &mut self.s.link;
        // With a round trip of over a second several Pings are under way.
        let was_sent = link.pinged.is_some_and(|last| last.wrapping_sub(stamp) < RTT_MOST_US);
        let is_newer = link.ponged.is_none_or(|last| (1..RTT_MOST_US).contains(&stamp.wrapping_sub(last)));
        if !was_sent || !is_newer || rtt > RTT_MOST_US {
            return false;
        }
        link.ponged = Some(stamp);
        link.round_trips.note(now, rtt);
        if link.rtt_us == 0 {
            link.rtt_us = rtt.max(1);
        } else {
            // RFC 6298: seven parts old, one part new; its variation with three parts old.
            let off = link.rtt_us.abs_diff(rtt);
            link.jitter_us = link.jitter_us - link.jitter_us / 4 + off / 4;
            link.rtt_us = (link.rtt_us - link.rtt_us / 8 + rtt / 8).max(1);
        }
        true
    }

    /// False if it acknowledges what wasn't sent, or is older than another.
    fn on_ack(&mut self, next: u16) -> bool {
        let link = &mut self.s.link;
        if next.wrapping_sub(link.out_acked) > link.out_next.wrapping_sub(link.out_acked) {
            return false;
        }
        if next != link.out_acked {
            (link.out_acked, link.progress_at) = (next, self.s.now);
        }
        self.s.pending = true;
        true
    }

    fn on_lane_packet(&mut self, now: Instant, packet: &Packet<'_>) {
        let Some(lane) = packet.lane().filter(|_| is_from_server(packet.kind())) else {
            return self.drop(DropReason::UnknownKind);
        };
        if !self.is_ours(lane.session.get()) || !self.take_number(now, lane) {
            return;
        }
        self.heard(now);
        if !matches!(packet, Packet::Text { .. }) {
            self.abort_incoming_text();
        }
        match *packet {
            Packet::RoomGranted { room, name, .. } => self.on_room_granted(room, name),
            Packet::RoomClosed { reason, name, .. } => self.on_room_closed(reason, name),
            Packet::Roster(ref page) => self.on_roster(page),
            Packet::Audience { heard, sequence, .. } => self.on_audience(heard, sequence),
            Packet::Text { from, last, target, bytes, .. } => self.on_text(from, last, target, bytes),
            Packet::TextRefused { number, reason, .. } => self.s.event(ClientEvent::TextRefused { number, reason }),
            Packet::Pair { client, secret, .. } => {
                let done = self.direct().pair(now, client, secret);
                self.s.pending = true;
                if let Err(reason) = done {
                    self.drop(reason);
                }
            }
            Packet::PairGone { client, .. } => self.direct().pair_gone(now, client),
            Packet::Rendezvous { from, bytes, .. } => self.on_rendezvous(from, bytes),
            Packet::Closed { reason, .. } => self.on_closed(now, reason),
            _ => self.drop(DropReason::UnknownKind),
        }
    }

    fn take_number(&mut self, now: Instant, lane: Lane) -> bool {
        let link = &mut self.s.link;
        if lane.number != link.in_next {
            self.on_broken_lane(now);
            return false;
        }
        link.in_next = lane.number.wrapping_add(1);
        if link.in_next.wrapping_sub(link.in_acked) >= LANE_ACK_EVERY {
            link.ack = true;
            self.s.pending = true;
        }
        self.ping_soon(now);
        true
    }

    fn on_audience(&mut self, heard: bool, sequence: u16) {
        if !heard && !is_from(self.s.voice.audience_from, sequence) {
            return;
        }
        if self.s.voice.unheard == heard {
            self.s.voice.unheard = !heard;
            self.s.event(if heard { ClientEvent::Heard } else { ClientEvent::Unheard });
        }
        if !heard {
            self.s.voice.talking = false;
        }
    }
}

/// Whether a sequence number is that one or a later one.
const fn is_from(first: u16, sequence: u16) -> bool {
    sequence.wrapping_sub(first) <= u16::MAX / 2
}

const fn is_from_server(kind: Kind) -> bool {
    0x20 < kind as u8 && (kind as u8) < 0x40
}

/// Time as a Ping carries it: microseconds, wrapping after 71 minutes.
pub(super) fn stamp_of(now: Instant) -> u32 {
    let [.., a, b, c, d] = now.as_us().to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
