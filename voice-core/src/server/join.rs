//! Hello and what follows from it: resume, admission, Welcome or Refused.

use super::{
    Admission,
    engine::{Engine, len16, next_id, seat_link},
    events::{LeaveReason, ServerEvent},
    reports::Reports,
    tables::{Answers, Cursor, Joining, Lanes, PendingJoin, Rates, RoomEntry, Seat, Tell},
};
use crate::{
    storage::{list::List, name::Name},
    types::{ConnectionId, DropReason, Identity, Instant},
    wire::{CloseReason, Hello, PersonFlags, RefuseReason, Resume},
};

impl Engine<'_> {
    pub(super) fn on_hello(&mut self, now: Instant, from: ConnectionId, hello: &Hello<'_>) {
        let Some(name) = Name::new(hello.name) else { return };
        let flags = PersonFlags { muted: hello.flags.muted, deafened: hello.flags.deafened, ..PersonFlags::NONE };
        let features = hello.features & self.s.config.features;
        let joining =
            Joining { nonce: hello.nonce, codec: hello.codec, flags, priority: hello.priority, name, features };
        if let Some(waiting) = self.t.pending.iter().find(|pending| pending.connection == Some(from)) {
            // The embedder looks at that one, maybe for a while: what it accepts must be what it has seen.
            let same = waiting.joining == joining && waiting.credential() == hello.credential;
            return self.drop(if same { DropReason::Duplicate } else { DropReason::NotPermitted });
        }
        let resumed = hello.resume.and_then(|resume| self.resumable(&resume));
        if let Some(old) = self.connection(from).and_then(|connection| connection.seat)
            && resumed != Some(old)
        {
            self.free_seat(old, LeaveReason::Rejoined);
        }
        match resumed {
            Some(at) => self.resume(now, from, at, &joining),
            None if self.s.stopping => self.refuse(from, joining.nonce, RefuseReason::Busy),
            None if self.s.config.admission == Admission::AcceptAll => self.admit(now, from, &joining, Identity(0)),
            None => self.ask(from, joining, hello.credential),
        }
    }

    fn resumable(&self, resume: &Resume) -> Option<u16> {
        let at = self.seat_of(resume.client)?;
        let seat = self.t.seats.get(usize::from(at))?;
        (resume.session == self.session() && seat.secret == resume.secret).then_some(at)
    }

    fn resume(&mut self, now: Instant, from: ConnectionId, at: u16, joining: &Joining) {
        if let Some(old) = self.seat(at).and_then(|seat| seat.connection).filter(|old| *old != from) {
            self.close(old, CloseReason::Replaced);
        }
        List::remove(&mut [&mut self.s.grace], self.t.seats, seat_link, at);
        self.drop_posts_for(at);
        self.forget_unheard(at);
        let Some(seat) = self.seat(at) else { return };
        let server_muted = seat.flags.server_muted;
        seat.flags = PersonFlags { server_muted, ..joining.flags };
        // The secret stays: were it a new one, a Welcome that is lost would lose the seat.
        // And what it hasn't been told of pairs: the other ends have those secrets.
        let pairs = core::mem::take(&mut seat.tell.pairs);
        seat.tell = Tell { pairs, ..Tell::NOTHING };
        seat.rates = Rates::FULL;
        (seat.features, seat.reports) = (joining.features, Reports::NONE);
        seat.rooms.iter_mut().for_each(RoomEntry::tell_again);
        seat.removals_end = None;
        (seat.codec, seat.priority, seat.name) = (joining.codec, joining.priority, joining.name);
        self.seated(now, from, at, joining.nonce, true);
    }

    /// Gives a fresh seat.
    pub(super) fn admit(&mut self, now: Instant, from: ConnectionId, joining: &Joining, identity: Identity) {
        if identity != Identity(0) && self.s.bans.contains(&identity) {
            return self.refuse(from, joining.nonce, RefuseReason::Banned);
        }
        let Some(at) = self.s.free_seats.pop_front(self.t.seats, seat_link) else {
            return self.refuse(from, joining.nonce, RefuseReason::Full);
        };
        let (secret, seats) = (self.s.rng.next_secret(), len16(self.t.seats));
        let Some(seat) = self.seat(at) else { return };
        let Seat { next_id: id, journal, changed_at, .. } = *seat;
        *seat = Seat {
            id,
            next_id: next_id(id, at, seats),
            identity,
            name: joining.name,
            codec: joining.codec,
            priority: joining.priority,
            flags: joining.flags,
            features: joining.features,
            secret,
            journal,
            changed_at,
            ..Seat::EMPTY
        };
        self.s.clients += 1;
        self.seated(now, from, at, joining.nonce, false);
    }

    fn seated(&mut self, now: Instant, from: ConnectionId, at: u16, nonce: u32, resumed: bool) {
        let journal = self.s.journal;
        if let Some(seat) = self.seat(at) {
            seat.connection = Some(from);
        }
        if let Some(connection) = self.connection(from) {
            connection.seat = Some(at);
            connection.lane = Lanes { in_next: 1, in_acked: 1, progress_at: now, ..Lanes::NEW };
            connection.answers = Answers { welcome: Some((nonce, resumed)), ..Answers::NONE };
            connection.roster = Cursor { at: journal, sweep: Some(0) };
            connection.half_sent = None;
        }
        self.note_heard(now, from);
        self.update_hearing(at);
        self.note_change(at);
        self.wake(from);
        if let Some(id) = self.seat(at).and_then(|seat| seat.client()) {
            self.s.event(ServerEvent::Joined { id, resumed });
        }
    }

    pub(super) fn refuse(&mut self, to: ConnectionId, nonce: u32, reason: RefuseReason) {
        if let Some(connection) = self.connection(to) {
            connection.answers.refused = Some((nonce, reason));
            self.wake(to);
        }
    }

    fn ask(&mut self, from: ConnectionId, joining: Joining, credential: &[u8]) {
        let Some(free) = self.t.pending.iter_mut().find(|pending| pending.connection.is_none()) else {
            self.drop(DropReason::TableFull);
            return self.refuse(from, joining.nonce, RefuseReason::Busy);
        };
        *free = PendingJoin { connection: Some(from), joining, ..PendingJoin::EMPTY };
        if let Some(room) = free.credential.get_mut(..credential.len()) {
            room.copy_from_slice(credential);
            free.credential_len = u16::try_from(credential.len()).unwrap_or(0);
        }
        self.s.event(ServerEvent::JoinRequested { connection: from });
    }

    pub(super) fn take_pending(&mut self, from: ConnectionId) -> Option<Joining> {
        let pending = self.t.pending.iter_mut().find(|pending| pending.connection == Some(from))?;
        pending.connection = None;
        Some(pending.joining)
    }

    pub(super) fn forget_pending(&mut self, from: ConnectionId) {
        _ = self.take_pending(from);
    }

    /// Sends Closed and nothing after it; the seat, if there is one, no longer has this connection.
    pub(super) fn close(&mut self, id: ConnectionId, reason: CloseReason) {
        let session = self.session();
        if let Some(connection) = self.connection(id) {
            connection.answers = Answers { closing: Some((reason, session)), ..Answers::NONE };
            connection.seat = None;
            self.wake(id);
        }
    }

    /// Frees the seat of a connection and closes it.
    pub(super) fn throw_out(&mut self, id: ConnectionId, reason: CloseReason, left: LeaveReason) {
        if let Some(at) = self.connection(id).and_then(|connection| connection.seat) {
            self.free_seat(at, left);
        }
        self.close(id, reason);
    }
}
