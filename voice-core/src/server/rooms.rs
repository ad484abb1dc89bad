//! Rooms, mutes and blocks: what clients declare.

use super::{
    engine::{Engine, len16, next_id},
    events::ServerEvent,
    memory::set_bit,
    tables::{Room, RoomEntry},
};
use crate::{
    storage::name::Name,
    types::{ClientId, DropReason, Priority, RoomId, RoomUse},
    wire::{RoomCloseReason, StateFlags, limits::MAX_ROOMS_PER_CLIENT},
};

impl Engine<'_> {
    pub(super) fn on_use_room(&mut self, at: u16, room_use: RoomUse, name: &str) {
        match self.find_room(name) {
            Some(room) if self.seat(at).is_some_and(|seat| seat.room_entry(room).is_some()) => {
                self.change_use(at, room, room_use);
            }
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
        if self.seat(at).is_none_or(|seat| seat.room_entry(room).is_none()) {
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

    pub(super) fn refuse_room(&mut self, at: u16, reason: RoomCloseReason, name: &str) {
        let (Some(name), Some(seat)) = (Name::new(name), self.seat(at)) else { return };
        if seat.tell.rooms_closed.push((reason, name)).is_err() {
            self.drop(DropReason::TableFull);
        }
        self.wake_seat(at);
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
        let room = RoomId::new(id)?;
        self.s.event(ServerEvent::RoomCreated { room });
        Some(room)
    }

    fn enter(&mut self, at: u16, room: RoomId, room_use: RoomUse) {
        let Some(place) = self.room_at(room) else { return };
        let Some(seat) = self.seat(at) else { return };
        let before = seat.rooms.iter().position(|entry| entry.room > room).unwrap_or(seat.rooms.len());
        if seat.rooms.insert(before, RoomEntry { room, room_use, tell: true }).is_err() {
            return;
        }
        if let Some(room) = self.t.rooms.get_mut(place) {
            room.users += 1;
        }
        if room_use.listens() {
            self.set_listening(at, room, true);
        }
    }

    fn change_use(&mut self, at: u16, room: RoomId, room_use: RoomUse) {
        let Some(entry) = self.seat(at).and_then(|seat| seat.room_entry(room)) else { return };
        let listened = entry.room_use.listens();
        entry.room_use = room_use;
        entry.tell = true;
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
            *left = Room { next_id: left.next_id, ..Room::EMPTY };
            self.s.event(ServerEvent::RoomRemoved { room });
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
