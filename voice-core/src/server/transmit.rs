//! What goes out, one packet at a time, made from what the tables say when it is asked for.

use super::{
    engine::{Engine, len16, work_link},
    tables::{Cursor, RoomEntry, RoomStanding},
};
use crate::{
    types::{ClientId, ConnectionId, Delivery, Instant, Route, Transmit},
    wire::{
        Lane, Packet, RoomCloseReason, RosterWriter, VERSION, Welcome,
        limits::{LANE_WINDOW, MAX_PACKET_BYTES, MAX_ROOMS_PER_CLIENT},
    },
};

/// How many connections with nothing to send one call passes over at most.
const TRIES: usize = 64;

impl Engine<'_> {
    pub(super) fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        if out.len() < MAX_PACKET_BYTES {
            return None;
        }
        for _ in 0..TRIES {
            let at = self.s.busy.pop_front(self.t.connections, work_link)?;
            let generation = self.t.connections.get(usize::from(at)).map_or(0, |connection| connection.generation);
            let id = ConnectionId::new(at, generation);
            let written = self.write_for(now, id, out);
            let list = if written.is_some() { &mut self.s.busy } else { &mut self.s.idle };
            list.push_back(self.t.connections, work_link, at);
            if let Some((delivery, len)) = written {
                let counters = &mut self.s.counters;
                match delivery {
                    Delivery::Reliable => counters.reliable_out.add(len),
                    Delivery::Unreliable => counters.unreliable_out.add(len),
                }
                return Some(Transmit { to: Route::Client(id), delivery, len });
            }
        }
        None
    }

    fn write_for(&mut self, now: Instant, id: ConnectionId, out: &mut [u8]) -> Option<(Delivery, usize)> {
        if self.connection(id)?.answers.closed {
            return None;
        }
        if let Some(len) = self.write_answer(id, out) {
            return Some((Delivery::Unreliable, len));
        }
        self.write_reliable(now, id, out).map(|len| (Delivery::Reliable, len))
    }

    fn write_answer(&mut self, id: ConnectionId, out: &mut [u8]) -> Option<usize> {
        let session = self.session();
        let connection = self.connection(id)?;
        let answers = &mut connection.answers;
        let next = connection.lane.in_next;
        let packet = if let Some(stamp) = answers.pong {
            Packet::Pong { session, stamp, next }
        } else if answers.ack {
            Packet::LaneAck { session, next }
        } else if let Some(theirs) = answers.wrong_session {
            Packet::WrongSession { ours: session, theirs }
        } else {
            let at = connection.seat?;
            return self.write_summary(at, out).or_else(|| self.write_phase(at, out));
        };
        let len = packet.encode(out)?;
        match packet {
            Packet::Pong { .. } => (answers.pong, answers.ack) = (None, false),
            Packet::LaneAck { .. } => answers.ack = false,
            _ => answers.wrong_session = None,
        }
        if !matches!(packet, Packet::WrongSession { .. }) {
            connection.lane.in_acked = next;
        }
        Some(len)
    }

    fn write_reliable(&mut self, now: Instant, id: ConnectionId, out: &mut [u8]) -> Option<usize> {
        let session = self.session();
        let connection = self.connection(id)?;
        let number = connection.lane.out_next;
        let lane = Lane { session, number };
        if let Some((nonce, reason)) = connection.answers.refused {
            let len = Packet::Refused { nonce, reason }.encode(out)?;
            connection.answers.refused = None;
            return Some(len);
        }
        if let Some((reason, session)) = connection.answers.closing {
            let lane = Lane { session, number };
            let len = Packet::Closed { lane, reason }.encode(out)?;
            connection.answers.closed = true;
            self.hang_up(id);
            return Some(len);
        }
        let at = connection.seat?;
        if connection.lane.in_flight() >= LANE_WINDOW {
            return None;
        }
        let len = self.write_on_lane(id, at, lane, out)?;
        let connection = self.connection(id)?;
        if connection.lane.in_flight() == 0 {
            connection.lane.progress_at = now;
        }
        connection.lane.out_next = number.wrapping_add(1);
        Some(len)
    }

    fn write_on_lane(&mut self, id: ConnectionId, at: u16, lane: Lane, out: &mut [u8]) -> Option<usize> {
        if let Some((nonce, resumed)) = self.connection(id)?.answers.welcome {
            let len = self.write_welcome(at, nonce, resumed, out)?;
            self.connection(id)?.answers.welcome = None;
            return Some(len);
        }
        let half_sent = self.connection(id)?.half_sent;
        if half_sent.is_none()
            && let Some(len) = self.write_news(at, lane, out)
        {
            return Some(len);
        }
        let connection = self.connection(id)?;
        let (cursor, takes_posts) = (connection.roster, half_sent.is_some() || connection.lane.takes_posts());
        if takes_posts && let Some((len, half_sent)) = self.write_post(at, lane, half_sent, cursor, out) {
            self.connection(id)?.half_sent = half_sent;
            return Some(len);
        }
        let (len, cursor) = self.write_roster(cursor, lane, out)?;
        self.connection(id)?.roster = cursor;
        Some(len)
    }

    fn write_welcome(&mut self, at: u16, nonce: u32, resumed: bool, out: &mut [u8]) -> Option<usize> {
        let (session, config) = (self.session(), self.s.config);
        let seat = self.seat(at)?;
        let welcome = Welcome {
            session,
            nonce,
            version: VERSION,
            features: seat.features,
            client: seat.client()?,
            resumed,
            secret: seat.secret,
            grace_s: u16::try_from(config.grace.as_secs()).unwrap_or(u16::MAX),
            max_rooms: u8::try_from(MAX_ROOMS_PER_CLIENT).unwrap_or(u8::MAX),
        };
        Packet::Welcome(welcome).encode(out)
    }

    /// Rooms, audience, refusals and pairs.
    fn write_news(&mut self, at: u16, lane: Lane, out: &mut [u8]) -> Option<usize> {
        if let Some(entry) = self.seat(at)?.rooms.iter().find(|entry| entry.is_untold()).copied() {
            return self.write_room(at, entry, lane, out);
        }
        let tell = &mut self.seat(at)?.tell;
        if let Some((reason, name)) = tell.rooms_closed.first() {
            let len = Packet::RoomClosed { lane, reason: *reason, name: name.as_str() }.encode(out)?;
            tell.rooms_closed.remove(0);
            return Some(len);
        }
        if let Some((heard, sequence)) = tell.audience {
            let len = Packet::Audience { lane, heard, sequence }.encode(out)?;
            tell.audience = None;
            return Some(len);
        }
        if let Some(refused) = tell.texts_refused.first_mut() {
            let (number, reason) = (refused.first, refused.reason);
            let len = Packet::TextRefused { lane, number, reason }.encode(out)?;
            (refused.first, refused.count) = (number.wrapping_add(1), refused.count.saturating_sub(1));
            if refused.count == 0 {
                tell.texts_refused.remove(0);
            }
            return Some(len);
        }
        let (client, secret) = tell.pairs.first().copied()?;
        let packet = match secret {
            Some(secret) => Packet::Pair { lane, client, secret },
            None => Packet::PairGone { lane, client },
        };
        let len = packet.encode(out)?;
        tell.pairs.remove(0);
        Some(len)
    }

    fn write_room(&mut self, at: u16, entry: RoomEntry, lane: Lane, out: &mut [u8]) -> Option<usize> {
        let RoomEntry { room, room_use, .. } = entry;
        let name = self.t.rooms.get(self.room_at(room)?)?.name;
        let name = name.as_str();
        let (packet, standing) = if entry.is_used() {
            (Packet::RoomGranted { lane, room, room_use, name }, RoomStanding::Used)
        } else {
            (Packet::RoomClosed { lane, reason: RoomCloseReason::Removed, name }, RoomStanding::RemovedTold)
        };
        let len = packet.encode(out)?;
        let seat = self.seat(at)?;
        seat.rooms.iter_mut().find(|entry| entry.room == room)?.standing = standing;
        if standing == RoomStanding::RemovedTold {
            seat.removals_end = Some(lane.number.wrapping_add(1));
        }
        Some(len)
    }

    /// The next page of the roster for a cursor, and where the cursor stands after it.
    fn write_roster(&mut self, cursor: Cursor, lane: Lane, out: &mut [u8]) -> Option<(usize, Cursor)> {
        let fallen_behind = self.s.journal - cursor.at > u64::from(len16(self.t.seats));
        match cursor.sweep {
            Some(at) => self.write_sweep(cursor.at, at, lane, out),
            None if fallen_behind => self.write_sweep(self.s.journal, 0, lane, out),
            None if cursor.at < self.s.told_until => self.write_changes(cursor.at, lane, out),
            None => None,
        }
    }

    fn write_sweep(&self, journal: u64, from: u16, lane: Lane, out: &mut [u8]) -> Option<(usize, Cursor)> {
        let mut page = RosterWriter::new(out);
        let seats = len16(self.t.seats);
        let mut at = from;
        while at < seats && self.push_seat(at, &mut page) {
            at += 1;
        }
        let sweep = (at < seats).then_some(at);
        let len = page.finish(lane, from == 0, sweep.is_none())?;
        Some((len, Cursor { at: journal, sweep }))
    }

    fn write_changes(&self, from: u64, lane: Lane, out: &mut [u8]) -> Option<(usize, Cursor)> {
        let mut page = RosterWriter::new(out);
        let mut at = from;
        while at < self.s.journal && self.push_change(at, &mut page) {
            at += 1;
        }
        let cursor = Cursor { at, sweep: None };
        // With nothing but entries that later ones replace, there is nothing to say yet.
        if page.is_empty() {
            return None;
        }
        Some((page.finish(lane, false, false)?, cursor))
    }

    /// Adds the record that an entry of the journal stands for, unless a later entry does too; false if the page is full.
    fn push_change(&self, position: u64, page: &mut RosterWriter<'_>) -> bool {
        let seats = self.t.seats.len().max(1) as u64;
        let id = self.t.seats.get((position % seats) as usize).map_or(0, |seat| seat.journal);
        let Some(client) = ClientId::new(id) else { return true };
        match self.seat_of(client) {
            Some(at) if self.t.seats.get(usize::from(at)).is_some_and(|seat| seat.changed_at != position) => true,
            Some(at) => self.push_seat(at, page),
            None => page.push_gone(client),
        }
    }

    fn push_seat(&self, at: u16, page: &mut RosterWriter<'_>) -> bool {
        let Some(seat) = self.t.seats.get(usize::from(at)) else { return true };
        let Some(client) = seat.client() else { return true };
        let rooms =
            seat.rooms.iter().filter(|entry| entry.is_used() && entry.room_use.listens()).map(|entry| entry.room);
        page.push_named(client, seat.flags, &seat.codec, seat.priority, seat.name.as_bytes(), rooms)
    }
}
