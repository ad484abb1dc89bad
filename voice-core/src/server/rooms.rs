//! Rooms, mutes and blocks: what clients declare.

use super::{
    engine::{Engine, len16, next_id},
    events::{LeaveReason, ServerEvent},
    memory::set_bit,
    tables::{Room, RoomEntry, RoomStanding, Seat},
};
use crate::{
    storage::name::Name,
    types::{ClientId, DropReason, Priority, RoomId, RoomUse},
    wire::{CloseReason, RoomCloseReason, StateFlags, limits::MAX_ROOMS_PER_CLIENT},
};

impl Engine<'_> {
    pub(super) fn on_use_room(&mut self, at: u16, room_use: RoomUse, name: &str) {
        let Some(seat) = self.seat(at) else { return };
        // What is said now replaces what was to be said before.
        seat.tell.rooms_closed.retain(|(_, refused)| refused.as_str() != name);
        match self.find_room(name) {
            Some(room) if self.room_standing(at, room).is_some() => self.change_use(at, room, room_use),
            _ if self.seat(at).is_some_and(|seat| seat.rooms.len() >= MAX_ROOMS_PER_CLIENT) => {
                self.refuse_room(at, RoomCloseReason::TooMany, name);
            }
            found => match found.or_else(|| self.create_room(name)) {
                Some(room) => self.enter(at, room, room_use),
                None => self.refuse_room(at, RoomCloseReason::NoRoomFree, name),
            },
        }
        self.wake_seat(at);
    }

    pub(super) fn on_leave_room(&mut self, at: u16, room: RoomId) {
        if self.room_standing(at, room).is_none() {
            return self.drop(DropReason::UnknownRoom);
        }
        self.leave(at, room);
    }

    pub(super) fn on_set_state(&mut self, at: u16, flags: StateFlags, priority: Priority) {
        let Some(seat) = self.seat(at) else { return };
        seat.flags.muted = flags.muted;
        seat.flags.deafened = flags.deafened;
        seat.priority = priority;
        if flags.muted {
            self.stop_talking(at);
        }
        self.update_hearing(at);
        self.note_change(at);
    }

    pub(super) fn on_set_block(&mut self, at: u16, client: ClientId, blocked: bool) {
        let Some(speaker) = self.seat_of(client) else { return self.drop(DropReason::UnknownClient) };
        set_bit(self.t.bits.blockers_of(usize::from(speaker)), usize::from(at), blocked);
        if blocked {
            self.void_pair(at, speaker);
        } else {
            self.reach_unheard(at);
        }
    }

    /// Who asks for more rooms at once than it may would wait for an answer for ever, and starts anew instead.
    fn refuse_room(&mut self, at: u16, reason: RoomCloseReason, name: &str) {
        let (Some(name), Some(seat)) = (Name::new(name), self.seat(at)) else { return };
        let refused = seat.tell.rooms_closed.push((reason, name));
        if let (Err(_), Some(connection)) = (refused, seat.connection) {
            self.drop(DropReason::TableFull);
            self.throw_out(connection, CloseReason::Flood, LeaveReason::Broken);
        }
    }

    fn room_standing(&mut self, at: u16, room: RoomId) -> Option<RoomStanding> {
        self.seat(at)?.rooms.iter().find(|entry| entry.room == room).map(|entry| entry.standing)
    }

    pub(super) fn find_room(&self, name: &str) -> Option<RoomId> {
        let hash = hash(name);
        let found = self.t.rooms.iter().find(|room| room.id != 0 && room.hash == hash && room.name.as_str() == name);
        RoomId::new(found?.id)
    }

    fn create_room(&mut self, name: &str) -> Option<RoomId> {
        let len = len16(self.t.rooms);
        // Round about, so that an id is used again as late as can be.
        let start = usize::from(self.s.next_room);
        let (before, after) = self.t.rooms.split_at(start.min(self.t.rooms.len()));
        let free = after.iter().position(|room| room.id == 0).map(|at| at + before.len());
        let at = free.or_else(|| before.iter().position(|room| room.id == 0))?;
        let place = u16::try_from(at).ok()?;
        self.s.next_room = if place + 1 == len { 0 } else { place + 1 };
        let room = self.t.rooms.get_mut(at)?;
        let id = room.next_id;
        *room = Room { id, next_id: next_id(id, place, len), name: Name::new(name)?, hash: hash(name), ..Room::EMPTY };
        self.t.bits.room(at).fill(0);
        RoomId::new(id)
    }

    fn enter(&mut self, at: u16, room: RoomId, room_use: RoomUse) {
        let Some(place) = self.room_at(room) else { return };
        let Some(seat) = self.seat(at) else { return };
        let before = seat.rooms.iter().position(|entry| entry.room > room).unwrap_or(seat.rooms.len());
        if seat.rooms.insert(before, RoomEntry { room, room_use, standing: RoomStanding::Granted }).is_err() {
            return;
        }
        if let Some(entered) = self.t.rooms.get_mut(place) {
            entered.users += 1;
            if entered.users == 1 {
                self.s.event(ServerEvent::RoomCreated { room });
            }
        }
        if room_use.listens() {
            self.set_listening(at, room, true);
        }
    }

    /// Who was taken out and doesn't know yet can't have meant to come back: it is told again.
    fn change_use(&mut self, at: u16, room: RoomId, room_use: RoomUse) {
        let entry = self.seat(at).and_then(|seat| seat.rooms.iter_mut().find(|entry| entry.room == room));
        let Some(entry) = entry else { return };
        entry.tell_again();
        if !entry.is_used() {
            return;
        }
        let listened = entry.room_use.listens();
        entry.room_use = room_use;
        if listened != room_use.listens() {
            self.set_listening(at, room, room_use.listens());
        }
    }

    fn set_listening(&mut self, at: u16, room: RoomId, on: bool) {
        let (Some(place), Some(id)) = (self.room_at(room), self.seat(at).and_then(|seat| seat.client())) else {
            return;
        };
        set_bit(self.t.bits.room(place), usize::from(at), on);
        if let Some(entry) = self.t.rooms.get_mut(place) {
            let word = at / 64;
            entry.span = (entry.span.0.min(word), entry.span.1.max(word));
            entry.listeners = if on { entry.listeners + 1 } else { entry.listeners.saturating_sub(1) };
        }
        self.note_change(at);
        if on {
            self.reach_unheard(at);
            self.s.event(ServerEvent::EnteredRoom { id, room });
        } else {
            self.s.event(ServerEvent::LeftRoom { id, room });
        }
    }

    pub(super) fn leave(&mut self, at: u16, room: RoomId) {
        let Some(seat) = self.seat(at) else { return };
        let Some(position) = seat.rooms.iter().position(|entry| entry.room == room) else { return };
        let entry = seat.rooms.remove(position);
        if entry.is_used() {
            self.end_use(at, &entry);
        } else if let Some(place) = self.room_at(room).and_then(|place| self.t.rooms.get_mut(place)) {
            place.removed = place.removed.saturating_sub(1);
        }
        self.free_room_if_unused(room);
    }

    /// Takes a client out of a room, as somebody else wants it. The entry stays until the client knows.
    pub(super) fn take_out(&mut self, at: u16, room: RoomId) {
        let Some(place) = self.room_at(room) else { return };
        let Some(entry) = self.seat(at).and_then(|seat| seat.room_entry(room)) else { return };
        let before = *entry;
        entry.standing = RoomStanding::Removed;
        if let Some(room) = self.t.rooms.get_mut(place) {
            room.removed += 1;
        }
        self.end_use(at, &before);
        self.wake_seat(at);
    }

    /// A client has acknowledged its lane up to this number: what it was told before of rooms that it was taken out of, it knows.
    pub(super) fn forget_removals(&mut self, at: u16, acked: u16) {
        let Some(seat) = self.seat(at) else { return };
        if seat.removals_end.is_none_or(|end| acked.wrapping_sub(end) > u16::MAX / 2) {
            return;
        }
        seat.removals_end = None;
        let known = |seat: &Seat| seat.rooms.iter().find(|entry| entry.standing == RoomStanding::RemovedTold).copied();
        while let Some(entry) = self.seat(at).and_then(|seat| known(seat)) {
            self.leave(at, entry.room);
        }
    }

    fn end_use(&mut self, at: u16, entry: &RoomEntry) {
        let room = entry.room;
        if entry.room_use.listens() {
            self.set_listening(at, room, false);
        }
        let Some(place) = self.room_at(room) else { return };
        if self.seat(at).is_some_and(|seat| seat.phase.room.map(usize::from) == Some(place)) {
            self.leave_phase(at);
        }
        let Some(left) = self.t.rooms.get_mut(place) else { return };
        left.users = left.users.saturating_sub(1);
        if left.users == 0 {
            self.s.event(ServerEvent::RoomRemoved { room });
        }
    }

    fn free_room_if_unused(&mut self, room: RoomId) {
        let Some(room) = self.room_at(room).and_then(|place| self.t.rooms.get_mut(place)) else { return };
        if room.users == 0 && room.removed == 0 {
            *room = Room { next_id: room.next_id, ..Room::EMPTY };
        }
    }

    pub(super) fn leave_all_rooms(&mut self, at: u16) {
        while let Some(room) = self.seat(at).and_then(|seat| seat.rooms.last()).map(|entry| entry.room) {
            self.leave(at, room);
        }
    }
}

/// FNV-1a, 32 bit: only to compare fewer names.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811C_9DC5, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
