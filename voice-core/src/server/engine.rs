//! The server's state and its tables together, for the length of one call. Not generic: what is here exists once in a program.

use core::time::Duration;

use heapless::Deque;

use super::{
    events::{LeaveReason, ServerEvent},
    memory::{TablesMut, has_bit, set_bit},
    tables::{Connection, Seat},
};
use crate::{
    rng::Rng,
    storage::{
        list::{Link, List},
        rate::Rate,
    },
    types::{ClientId, ConnectionId, Counters, DropCounts, DropReason, Identity, Instant, RoomId, SessionId, Target},
    wire::limits::{HELLO_TIMEOUT, IDLE_TIMEOUT, ROSTER_INTERVAL, ROSTER_SHARE, SERVER_TIMEOUT, TALKSPURT_TIMEOUT},
};

pub(super) const VOICE_RATE: Rate = Rate { per_second: 200, at_once: 100 };
pub(super) const RELIABLE_RATE: Rate = Rate { per_second: 200, at_once: 400 };
pub(super) const TEXT_RATE: Rate = Rate { per_second: 5, at_once: 20 };
pub(super) const RENDEZVOUS_RATE: Rate = Rate { per_second: 10, at_once: 20 };
pub(super) const PAIR_RATE: Rate = Rate { per_second: 20, at_once: 64 };
pub(super) const HELLO_RATE: Rate = Rate { per_second: 1, at_once: 4 };
pub(super) const ROSTER_RATE: Rate = Rate { per_second: 1, at_once: 2 };
pub(super) const REPORT_RATE: Rate = Rate { per_second: 2, at_once: 4 };
pub(super) const WRONG_SESSION_RATE: Rate = Rate { per_second: 2, at_once: 4 };

const EVENTS: usize = 256;
const BANS: usize = 256;

/// Everything that doesn't grow with the number of clients.
#[derive(Debug)]
pub(super) struct State {
    pub(super) config: super::ServerConfig,
    pub(super) ready: bool,
    pub(super) now: Instant,
    pub(super) rng: Rng,
    pub(super) session: Option<SessionId>,
    pub(super) drops: DropCounts,
    pub(super) counters: Counters,
    pub(super) events: Deque<ServerEvent, EVENTS>,
    pub(super) bans: heapless::Vec<Identity, BANS>,
    pub(super) clients: u16,
    pub(super) next_room: u16,
    /// Next position of the journal.
    pub(super) journal: u64,
    pub(super) roster_due: Option<Instant>,
    /// Changes before this place of the journal are told; those behind it are being gathered.
    pub(super) told_until: u64,
    pub(super) posts_begun: u64,
    /// Posts that are not free: usually none, and then nobody looks for any.
    pub(super) posts_held: u16,
    pub(super) free_seats: List,
    pub(super) grace: List,
    pub(super) talking: List,
    pub(super) unheard: List,
    pub(super) free_connections: List,
    pub(super) fresh: List,
    pub(super) heard: List,
    /// The same, of those whose clients are idle.
    pub(super) heard_idle: List,
    /// Connections that the adapter is still to be told to close: none is forgotten, however many end at once. The next is looked for from here on.
    pub(super) untold: u16,
    pub(super) told_up_to: u16,
    /// Connections that may have something to send.
    pub(super) busy: List,
    /// Joined connections that had nothing to send when they were last asked.
    pub(super) idle: List,
    /// Connection of the client in the same process, whose voice is not forwarded but kept.
    pub(super) local: Option<ConnectionId>,
    pub(super) stopping: bool,
}

impl State {
    pub(super) const fn new(config: super::ServerConfig, seed: u64) -> Self {
        Self {
            config,
            ready: false,
            now: Instant::ORIGIN,
            rng: Rng::new(seed),
            session: None,
            drops: DropCounts::ZERO,
            counters: Counters::ZERO,
            events: Deque::new(),
            bans: heapless::Vec::new(),
            clients: 0,
            next_room: 0,
            journal: 1,
            roster_due: None,
            told_until: 0,
            posts_begun: 0,
            posts_held: 0,
            free_seats: List::EMPTY,
            grace: List::EMPTY,
            talking: List::EMPTY,
            unheard: List::EMPTY,
            free_connections: List::EMPTY,
            fresh: List::EMPTY,
            heard: List::EMPTY,
            heard_idle: List::EMPTY,
            untold: 0,
            told_up_to: 0,
            busy: List::EMPTY,
            idle: List::EMPTY,
            local: None,
            stopping: false,
        }
    }

    /// Takes the caller's time; one that went back is counted and taken as the latest seen.
    pub(super) fn tick(&mut self, now: Instant) -> Instant {
        if now < self.now {
            self.drops.add(DropReason::TimeWentBack);
        }
        self.now = self.now.max(now);
        self.now
    }

    pub(super) fn event(&mut self, event: ServerEvent) {
        if self.events.is_full() {
            self.events.pop_front();
            self.counters.events_dropped += 1;
        }
        _ = self.events.push_back(event);
    }
}

pub(super) fn seat_link(seat: &mut Seat) -> &mut Link {
    &mut seat.link
}

pub(super) fn talking_link(seat: &mut Seat) -> &mut Link {
    &mut seat.talking_link
}

pub(super) fn unheard_link(seat: &mut Seat) -> &mut Link {
    &mut seat.unheard_link
}

pub(super) fn work_link(connection: &mut Connection) -> &mut Link {
    &mut connection.work_link
}

pub(super) fn timer_link(connection: &mut Connection) -> &mut Link {
    &mut connection.timer_link
}

/// State and tables.
pub(super) struct Engine<'a> {
    pub(super) s: &'a mut State,
    pub(super) t: TablesMut<'a>,
}

impl<'a> Engine<'a> {
    pub(super) fn new(state: &'a mut State, tables: TablesMut<'a>) -> Self {
        let mut engine = Self { s: state, t: tables };
        if !engine.s.ready {
            engine.prepare();
        }
        engine
    }

    /// Numbers the tables' entries on the first call, so that `new` can be `const`.
    fn prepare(&mut self) {
        self.s.ready = true;
        let seats = len16(self.t.seats);
        for at in 0..seats {
            if let Some(seat) = self.t.seats.get_mut(usize::from(at)) {
                seat.next_id = first_id(at, seats);
            }
            self.s.free_seats.push_back(self.t.seats, seat_link, at);
        }
        let rooms = len16(self.t.rooms);
        for (at, room) in (0_u16..).zip(self.t.rooms.iter_mut()) {
            room.next_id = first_id(at, rooms);
        }
        for at in 0..len16(self.t.connections) {
            self.s.free_connections.push_back(self.t.connections, timer_link, at);
        }
        while self.s.session.is_none() {
            self.s.session = SessionId::new(self.s.rng.next_u32());
        }
    }

    pub(super) fn session(&self) -> SessionId {
        self.s.session.unwrap_or(const { SessionId::new(1).unwrap() })
    }

    pub(super) fn drop(&mut self, reason: DropReason) {
        self.s.drops.add(reason);
    }

    pub(super) fn seat(&mut self, at: u16) -> Option<&mut Seat> {
        self.t.seats.get_mut(usize::from(at))
    }

    pub(super) fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        let connection = self.t.connections.get_mut(id.index())?;
        (connection.open && connection.generation == id.generation()).then_some(connection)
    }

    pub(super) fn seat_of(&self, client: ClientId) -> Option<u16> {
        let at = usize::from(client.get()) % self.t.seats.len().max(1);
        let seat = self.t.seats.get(at)?;
        if seat.id == client.get() { u16::try_from(at).ok() } else { None }
    }

    pub(super) fn room_at(&self, room: RoomId) -> Option<usize> {
        let at = usize::from(room.get()) % self.t.rooms.len().max(1);
        (self.t.rooms.get(at)?.id == room.get()).then_some(at)
    }

    // Connections.

    pub(super) fn connected(&mut self, now: Instant) -> Option<ConnectionId> {
        // Who never asks for events doesn't run out of places for that.
        while self.s.free_connections.first().is_none() && self.poll_untold().is_some() {
            self.s.counters.events_dropped += 1;
        }
        let at = self.s.free_connections.pop_front(self.t.connections, timer_link)?;
        let connection = self.t.connections.get_mut(usize::from(at))?;
        let generation = connection.generation.wrapping_add(1);
        *connection = Connection { open: true, generation, heard_at: now, ..Connection::EMPTY };
        self.s.fresh.push_back(self.t.connections, timer_link, at);
        Some(ConnectionId::new(at, generation))
    }

    /// Has the adapter told to close a connection.
    pub(super) fn hang_up(&mut self, id: ConnectionId) {
        let Some(connection) = self.connection(id) else { return };
        let is_told = core::mem::replace(&mut connection.untold, true);
        self.s.untold += u16::from(!is_told);
    }

    /// The next connection that the adapter is to be told to close. One that is over by itself has its place until then, so that nobody else gets its
    /// number.
    pub(super) fn poll_untold(&mut self) -> Option<ConnectionId> {
        let places = len16(self.t.connections);
        if self.s.untold == 0 || places == 0 {
            return None;
        }
        for _ in 0..places {
            let at = self.s.told_up_to % places;
            self.s.told_up_to = (at + 1) % places;
            let Some(connection) = self.t.connections.get_mut(usize::from(at)).filter(|c| c.untold) else { continue };
            connection.untold = false;
            self.s.untold -= 1;
            let (open, id) = (connection.open, ConnectionId::new(at, connection.generation));
            if !open {
                self.s.free_connections.push_back(self.t.connections, timer_link, at);
            }
            return Some(id);
        }
        None
    }

    /// The transport is gone: the seat waits for a resume, the connection's place is free again.
    pub(super) fn disconnected(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.connection(id) else {
            self.drop(DropReason::UnknownConnection);
            return;
        };
        let untold = core::mem::take(&mut connection.untold);
        self.s.untold -= u16::from(untold);
        if let Some(at) = self.over(now, id) {
            self.s.free_connections.push_back(self.t.connections, timer_link, at);
        }
    }

    /// Nothing has come for too long. The place is free when the adapter has been told.
    fn expire(&mut self, now: Instant, at: u16) {
        let generation = self.t.connections.get(usize::from(at)).map_or(0, |connection| connection.generation);
        let id = ConnectionId::new(at, generation);
        self.hang_up(id);
        _ = self.over(now, id);
    }

    fn over(&mut self, now: Instant, id: ConnectionId) -> Option<u16> {
        let connection = self.connection(id)?;
        connection.open = false;
        match connection.seat.take() {
            Some(at) if self.seat(at).is_some_and(|seat| seat.known) => self.lose_connection(now, at),
            // Its client can't ask for a seat that it never heard of.
            Some(at) => self.free_seat(at, LeaveReason::TimedOut),
            None => {}
        }
        self.forget_pending(id);
        let (Ok(at), s) = (u16::try_from(id.index()), &mut *self.s) else { return None };
        List::remove(&mut [&mut s.fresh, &mut s.heard, &mut s.heard_idle], self.t.connections, timer_link, at);
        List::remove(&mut [&mut s.busy, &mut s.idle], self.t.connections, work_link, at);
        Some(at)
    }

    fn lose_connection(&mut self, now: Instant, at: u16) {
        let Some(seat) = self.seat(at) else { return };
        seat.connection = None;
        seat.flags.reconnecting = true;
        seat.lost_at = now;
        let client = seat.client();
        self.drop_posts_for(at);
        self.stop_talking(at);
        self.update_hearing(at);
        self.s.grace.push_back(self.t.seats, seat_link, at);
        self.note_change(at);
        if let Some(id) = client {
            self.s.event(ServerEvent::Reconnecting { id });
        }
    }

    /// Lets a connection be asked for what it has to send.
    pub(super) fn wake(&mut self, id: ConnectionId) {
        let Ok(at) = u16::try_from(id.index()) else { return };
        let s = &mut *self.s;
        List::remove(&mut [&mut s.busy, &mut s.idle], self.t.connections, work_link, at);
        s.busy.push_back(self.t.connections, work_link, at);
    }

    pub(super) fn wake_seat(&mut self, at: u16) {
        if let Some(connection) = self.seat(at).and_then(|seat| seat.connection) {
            self.wake(connection);
        }
    }

    // Seats.

    /// Frees a seat for good.
    pub(super) fn free_seat(&mut self, at: u16, reason: LeaveReason) {
        let Some(id) = self.seat(at).and_then(|seat| seat.client()) else { return };
        if let Some(connection) = self.seat(at).and_then(|seat| seat.connection.take())
            && let Some(connection) = self.connection(connection)
        {
            connection.seat = None;
        }
        self.leave_all_rooms(at);
        self.stop_talking(at);
        self.drop_posts_for(at);
        self.void_pairs(at);
        self.note_change(at);
        let (seats, s) = (len16(self.t.seats), &mut *self.s);
        List::remove(&mut [&mut s.grace], self.t.seats, seat_link, at);
        List::remove(&mut [&mut s.unheard], self.t.seats, unheard_link, at);
        let place = usize::from(at);
        set_bit(self.t.bits.hears, place, false);
        self.t.bits.blockers_of(place).fill(0);
        for speaker in 0..usize::from(seats) {
            set_bit(self.t.bits.blockers_of(speaker), place, false);
        }
        if let Some(seat) = self.t.seats.get_mut(place) {
            let Seat { journal, changed_at, .. } = *seat;
            *seat = Seat { next_id: next_id(seat.id, at, seats), journal, changed_at, ..Seat::EMPTY };
        }
        self.s.free_seats.push_back(self.t.seats, seat_link, at);
        self.s.clients = self.s.clients.saturating_sub(1);
        self.s.event(ServerEvent::Left { id, reason });
    }

    /// Whether a seat hears anything at all; who was told that nobody hears is told when that has become wrong.
    pub(super) fn update_hearing(&mut self, at: u16) {
        let Some(seat) = self.seat(at) else { return };
        let hears = seat.id != 0 && seat.connection.is_some() && !seat.flags.deafened;
        let connection = seat.connection;
        if let (Some(id), Some(entry)) = (connection, self.t.connection_of.get_mut(usize::from(at))) {
            *entry = id;
        }
        set_bit(self.t.bits.hears, usize::from(at), hears);
        if hears {
            self.reach_unheard(at);
        }
    }

    /// Tells those unheard speakers that this listener would hear them.
    pub(super) fn reach_unheard(&mut self, listener: u16) {
        let mut next = self.s.unheard.first();
        while let Some(speaker) = next {
            next = List::after(self.t.seats, unheard_link, speaker);
            if self.reaches(speaker, listener) {
                List::remove(&mut [&mut self.s.unheard], self.t.seats, unheard_link, speaker);
                self.tell_audience(speaker, true);
            }
        }
    }

    pub(super) fn tell_audience(&mut self, speaker: u16, heard: bool) {
        if let Some(seat) = self.seat(speaker) {
            seat.tell.audience = Some((heard, seat.voice.newest));
        }
        self.wake_seat(speaker);
    }

    /// Whether the last packet of a speaker went to this listener, or would have.
    pub(super) fn reaches(&mut self, speaker: u16, listener: u16) -> bool {
        let (from, to) = (usize::from(speaker), usize::from(listener));
        if speaker == listener || !has_bit(self.t.bits.hears, to) || has_bit(self.t.bits.blockers_of(from), to) {
            return false;
        }
        let listener_id = self.seat(listener).map_or(0, |seat| seat.id);
        let targets = self.seat(speaker).map(|seat| seat.voice.targets.clone()).unwrap_or_default();
        targets.iter().any(|target| match *target {
            Target::Client(id) => id.get() == listener_id,
            Target::Room(room) => self.room_at(room).is_some_and(|room| has_bit(self.t.bits.room(room), to)),
        })
    }

    pub(super) fn stop_talking(&mut self, at: u16) {
        self.leave_phase(at);
        let s = &mut *self.s;
        let Some(seat) = self.t.seats.get_mut(usize::from(at)) else { return };
        if seat.talking_link.is_linked() {
            let id = seat.client();
            List::remove(&mut [&mut s.talking], self.t.seats, talking_link, at);
            if let Some(id) = id {
                s.event(ServerEvent::StoppedSpeaking { id });
            }
        }
    }

    /// Writes into the journal that a seat's record changed.
    pub(super) fn note_change(&mut self, at: u16) {
        let (position, seats) = (self.s.journal, self.t.seats.len().max(1));
        self.s.journal += 1;
        let Some(seat) = self.t.seats.get_mut(usize::from(at)) else { return };
        seat.changed_at = position;
        let id = seat.id;
        if let Some(entry) = self.t.seats.get_mut((position % seats as u64) as usize) {
            entry.journal = id;
        }
        let interval = ROSTER_INTERVAL.max(ROSTER_SHARE * u32::from(self.s.clients));
        self.s.roster_due = self.s.roster_due.or(Some(self.s.now.after(interval)));
    }

    // Time.

    pub(super) fn timed_out(&mut self, now: Instant) {
        if self.s.roster_due.is_some_and(|due| due <= now) {
            (self.s.roster_due, self.s.told_until) = (None, self.s.journal);
            let s = &mut *self.s;
            s.busy.append(&mut s.idle, self.t.connections, work_link);
        }
        while let Some(at) = self.expired_connection(now) {
            self.expire(now, at);
        }
        while let Some(at) = self.expired_seat(now) {
            self.free_seat(at, LeaveReason::TimedOut);
        }
        while let Some(at) = self.s.talking.first()
            && self.t.seats.get(usize::from(at)).is_some_and(|s| s.voice.last_at.after(TALKSPURT_TIMEOUT) <= now)
        {
            self.stop_talking(at);
        }
    }

    fn expired_connection(&self, now: Instant) -> Option<u16> {
        let late = |at: u16, span: Duration| {
            let connection = self.t.connections.get(usize::from(at))?;
            (connection.heard_at.after(span) <= now).then_some(at)
        };
        let fresh = self.s.fresh.first().and_then(|at| late(at, HELLO_TIMEOUT));
        let heard = || self.s.heard.first().and_then(|at| late(at, SERVER_TIMEOUT));
        fresh.or_else(heard).or_else(|| self.s.heard_idle.first().and_then(|at| late(at, IDLE_TIMEOUT)))
    }

    fn expired_seat(&self, now: Instant) -> Option<u16> {
        let at = self.s.grace.first()?;
        (self.t.seats.get(usize::from(at))?.lost_at.after(self.s.config.grace) <= now).then_some(at)
    }
}

impl State {
    /// The earliest of all timers; at once if something may be waiting to be sent.
    pub(super) fn next_at(&self, seats: &[Seat], connections: &[Connection]) -> Option<Instant> {
        if !self.busy.is_empty() {
            return Some(self.now);
        }
        let connection = |list: &List, span| Some(connections.get(usize::from(list.first()?))?.heard_at.after(span));
        let seat = |list: &List| seats.get(usize::from(list.first()?));
        let all = [
            self.roster_due,
            connection(&self.fresh, HELLO_TIMEOUT),
            connection(&self.heard, SERVER_TIMEOUT),
            connection(&self.heard_idle, IDLE_TIMEOUT),
            seat(&self.grace).map(|seat| seat.lost_at.after(self.config.grace)),
            seat(&self.talking).map(|seat| seat.voice.last_at.after(TALKSPURT_TIMEOUT)),
        ];
        all.into_iter().flatten().min()
    }
}

/// The first id of the place `at` in a table of `len`: congruent to it, never 0.
pub(super) const fn first_id(at: u16, len: u16) -> u16 {
    if at == 0 { len } else { at }
}

/// The id after `last` of the place `at`: as late a repeat as 16 bits allow.
pub(super) const fn next_id(last: u16, at: u16, len: u16) -> u16 {
    match last.checked_add(len) {
        Some(next) => next,
        None => first_id(at, len),
    }
}

/// The length of a table, of at most 16,384 entries.
pub(super) fn len16<T>(table: &[T]) -> u16 {
    u16::try_from(table.len()).unwrap_or(u16::MAX)
}
