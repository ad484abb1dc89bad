//! What goes out, one packet at a time: voice first, then what keeps the connection, then what the tables say is still untold.

use super::{
    State,
    engine::Engine,
    tables::{RoomSlot, Telling},
};
use crate::{
    types::{Delivery, Instant, PathId, Route, Transmit},
    wire::{
        FEATURE_DIRECT, FEATURE_PHASE, FEATURE_REPORTS, Hello, Lane, Packet, Resume, VERSION,
        limits::{MAX_PACKET_BYTES, MAX_UNANSWERED_ROOMS, PING_INTERVAL},
    },
};

impl Engine<'_> {
    pub(super) fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        if out.len() < MAX_PACKET_BYTES {
            return None;
        }
        let written = self.write(now, out);
        self.s.pending = written.is_some();
        let transmit = written?;
        let counters = &mut self.s.counters;
        match (transmit.to, transmit.delivery) {
            (Route::Path(_), _) => counters.direct_out.add(transmit.len),
            (_, Delivery::Reliable) => counters.reliable_out.add(transmit.len),
            (_, Delivery::Unreliable) => counters.unreliable_out.add(transmit.len),
        }
        if out.first().is_some_and(|first| *first >= 0x80) && transmit.to == Route::Server {
            counters.voice_out.add(transmit.len);
        }
        Some(transmit)
    }

    fn write(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        let to_server = |delivery, len| Transmit { to: Route::Server, delivery, len };
        if self.s.link.say_hello && self.s.state == State::Joining {
            let len = self.write_hello(out)?;
            self.s.link.say_hello = false;
            return Some(to_server(Delivery::Reliable, len));
        }
        if self.s.is_joined() {
            if let Some((len, path)) = self.write_voice(out) {
                let to = path.map_or(Route::Server, Route::Path);
                return Some(Transmit { to, delivery: Delivery::Unreliable, len });
            }
            if let Some((path, len)) = self.write_path_ack(now, out).or_else(|| self.write_greeting(now, out)) {
                return Some(Transmit { to: Route::Path(path), delivery: Delivery::Unreliable, len });
            }
            let kept_alive = self.write_ping(now, out).or_else(|| self.write_ack(out));
            if let Some(len) = kept_alive.or_else(|| self.write_report(now, out)) {
                return Some(to_server(Delivery::Unreliable, len));
            }
        }
        self.write_reliable(out).map(|len| to_server(Delivery::Reliable, len))
    }

    fn write_hello(&mut self, out: &mut [u8]) -> Option<usize> {
        let s = &*self.s;
        let resume =
            s.seat.filter(|_| s.resumes).map(|s| Resume { session: s.session, client: s.id, secret: s.secret });
        let hello = Hello {
            version: VERSION,
            features: FEATURE_REPORTS | FEATURE_PHASE | if s.config.direct { FEATURE_DIRECT } else { 0 },
            nonce: s.link.nonce,
            codec: s.config.codec,
            flags: s.declared.flags,
            priority: s.declared.priority,
            resume,
            name: s.config.name(),
            credential: self.t.credential.get(..usize::from(s.credential_len)).unwrap_or_default(),
        };
        Packet::Hello(hello).encode(out)
    }

    fn write_path_ack(&mut self, now: Instant, out: &mut [u8]) -> Option<(PathId, usize)> {
        let me = self.me()?;
        let (path, ack) = self.direct().poll_ack(now, me)?;
        Some((path, Packet::PathAck(ack).encode(out)?))
    }

    fn write_greeting(&mut self, now: Instant, out: &mut [u8]) -> Option<(PathId, usize)> {
        let me = self.me()?;
        let mut direct = super::direct::Direct { peers: self.t.peers, links: &mut self.s.links };
        let greeting = direct.poll_greeting(now, me, &mut self.s.rng)?;
        let packet = if greeting.ack { Packet::GreetAck(greeting.greeting) } else { Packet::Greet(greeting.greeting) };
        Some((greeting.path, packet.encode(out)?))
    }

    fn write_ack(&mut self, out: &mut [u8]) -> Option<usize> {
        let session = self.s.seat?.session;
        let link = &mut self.s.link;
        if !link.ack {
            return None;
        }
        let len = Packet::LaneAck { session, next: link.in_next }.encode(out)?;
        (link.in_acked, link.ack) = (link.in_next, false);
        Some(len)
    }

    fn write_reliable(&mut self, out: &mut [u8]) -> Option<usize> {
        let seat = self.s.seat?;
        let link = &self.s.link;
        if link.is_full() {
            return None;
        }
        let lane = Lane { session: seat.session, number: link.out_next };
        let len = if self.s.is_joined() {
            self.write_declared(lane, out)
        } else if link.say_leave {
            let len = Packet::Leave { lane }.encode(out);
            self.s.link.say_leave = len.is_none();
            len
        } else {
            None
        }?;
        let link = &mut self.s.link;
        if link.out_acked == link.out_next {
            link.progress_at = self.s.now;
        }
        link.out_next = lane.number.wrapping_add(1);
        // Its acknowledgement comes with a Pong.
        self.ping_within(self.s.now, PING_INTERVAL);
        Some(len)
    }

    fn write_declared(&mut self, lane: Lane, out: &mut [u8]) -> Option<usize> {
        if self.s.outbox_sent > 0 {
            // The parts of a text follow each other.
            return self.write_outbox(lane, out);
        }
        if self.s.declared.tell {
            let (flags, priority) = (self.s.declared.flags, self.s.declared.priority);
            let len = Packet::SetState { lane, flags, priority }.encode(out)?;
            self.s.declared.tell = false;
            return Some(len);
        }
        if let Some(room) = self.s.declared.leave.first().copied() {
            let len = Packet::LeaveRoom { lane, room }.encode(out)?;
            self.s.declared.leave.remove(0);
            return Some(len);
        }
        let may_ask = self.t.rooms.iter().filter(|room| room.telling.is_asked()).count() < MAX_UNANSWERED_ROOMS;
        let untold = |room: &&mut RoomSlot| room.used && room.telling == Telling::Untold && may_ask;
        if let Some(room) = self.t.rooms.iter_mut().find(untold) {
            let packet = Packet::UseRoom { lane, room_use: room.room_use, name: room.name.as_str() };
            let len = packet.encode(out)?;
            room.telling = Telling::Asked;
            return Some(len);
        }
        let news = self.write_block(lane, out).or_else(|| self.write_pair_request(lane, out));
        if let Some(len) = news.or_else(|| self.write_roster_request(lane, out)) {
            return Some(len);
        }
        self.write_outbox(lane, out)
    }

    fn write_block(&mut self, lane: Lane, out: &mut [u8]) -> Option<usize> {
        if !self.s.declared.tell_blocks {
            return None;
        }
        let Some(person) = self.t.roster.iter_mut().find(|person| person.tell_blocked) else {
            self.s.declared.tell_blocks = false;
            return None;
        };
        let client = crate::types::ClientId::new(person.id)?;
        let len = Packet::SetBlock { lane, client, blocked: person.blocked }.encode(out)?;
        (person.tell_blocked, person.told_blocked) = (false, person.told_blocked || person.blocked);
        Some(len)
    }

    fn write_roster_request(&mut self, lane: Lane, out: &mut [u8]) -> Option<usize> {
        let now = self.s.now;
        self.s.roster_request_due().filter(|at| *at <= now)?;
        let len = Packet::RosterRequest { lane }.encode(out)?;
        (self.s.ask_roster, self.s.asked_roster_at) = (false, Some(now));
        Some(len)
    }

    fn write_pair_request(&mut self, lane: Lane, out: &mut [u8]) -> Option<usize> {
        if self.s.features & FEATURE_DIRECT == 0 {
            return None;
        }
        let now = self.s.now;
        let client = self.direct().next_request(now)?;
        let len = Packet::PairRequest { lane, client }.encode(out)?;
        self.direct().requested(now, client);
        Some(len)
    }
}
