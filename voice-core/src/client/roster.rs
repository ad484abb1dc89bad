//! Who is in the session. Records are whole states; what they change becomes events.

use super::{engine::Engine, events::ClientEvent, tables::PersonSlot};
use crate::{
    storage::name::Name,
    types::{ClientId, DropReason, RoomId},
    wire::{PersonFlags, Present, Roster},
};

impl Engine<'_> {
    pub(super) fn on_roster(&mut self, page: &Roster<'_>) {
        if page.first {
            self.s.sweep = self.s.sweep.wrapping_add(1);
            self.s.sweep_strangers = false;
        }
        for record in page.records() {
            match record.present {
                Some(present) => self.on_present(record.client, &present),
                None => self.on_gone(record.client),
            }
        }
        if page.last {
            self.end_sweep();
        }
    }

    /// The person's slot. The place is the id modulo the table's length, or one of the next few.
    pub(super) fn person_at(&self, client: ClientId) -> Option<usize> {
        find(self.t.roster, self.s.displaced, client)
    }

    pub(super) fn person(&mut self, client: ClientId) -> Option<&mut PersonSlot> {
        let at = self.person_at(client)?;
        self.t.roster.get_mut(at)
    }

    pub(super) fn forget_everybody(&mut self) {
        for at in 0..self.t.roster.len() {
            if let Some(client) = self.t.roster.get(at).and_then(|person| ClientId::new(person.id)) {
                self.on_gone(client);
            }
        }
        (self.s.displaced, self.s.strangers, self.s.ask_roster) = (0, false, false);
        self.forget_speakers();
    }

    fn on_present(&mut self, client: ClientId, present: &Present<'_>) {
        let sweep = self.s.sweep;
        let Some(name) = Name::new(present.name) else { return };
        let is_own = self.s.seat.is_some_and(|seat| seat.id == client);
        if is_own {
            // Whether or not there is a place for it.
            self.on_own_record(present.flags);
        }
        let known = self.person_at(client);
        let Some(at) = known.or_else(|| self.free_place(client)) else {
            (self.s.strangers, self.s.sweep_strangers) = (true, true);
            return self.drop(DropReason::TableFull);
        };
        let Some(person) = self.t.roster.get_mut(at) else { return };
        let before = core::mem::replace(person, PersonSlot::EMPTY);
        *person = PersonSlot {
            id: client.get(),
            flags: present.flags,
            codec: present.codec,
            priority: present.priority,
            name,
            rooms: present.rooms.iter().collect(),
            sweep,
            gave_way: before.gave_way,
            volume: before.volume,
            blocked: before.blocked,
            tell_blocked: before.tell_blocked,
            told_blocked: before.told_blocked,
        };
        let rooms = person.rooms.clone();
        self.tell_speaker(client);
        if is_own {
            return;
        }
        if known.is_none() {
            self.s.event(ClientEvent::Joined(client));
        } else {
            self.tell_changes(client, &before, present, name);
        }
        self.tell_rooms(client, &before.rooms, &rooms);
    }

    fn on_own_record(&mut self, flags: PersonFlags) {
        if self.s.server_muted != flags.server_muted {
            self.s.server_muted = flags.server_muted;
            self.s.event(ClientEvent::ServerMuted(flags.server_muted));
        }
    }

    fn tell_changes(&mut self, client: ClientId, before: &PersonSlot, now: &Present<'_>, name: Name) {
        match (before.flags.reconnecting, now.flags.reconnecting) {
            (false, true) => self.s.event(ClientEvent::Reconnecting(client)),
            (true, false) => self.s.event(ClientEvent::Resumed(client)),
            _ => {}
        }
        let flags = PersonFlags { reconnecting: now.flags.reconnecting, ..before.flags };
        let same = flags == now.flags && before.codec == now.codec && before.priority == now.priority;
        if !same || before.name != name {
            self.s.event(ClientEvent::Changed(client));
        }
    }

    fn tell_rooms(&mut self, id: ClientId, before: &[RoomId], now: &[RoomId]) {
        for room in before.iter().copied().filter(|room| !now.contains(room)) {
            self.s.event(ClientEvent::LeftRoom { id, room });
        }
        for room in now.iter().copied().filter(|room| !before.contains(room)) {
            self.s.event(ClientEvent::EnteredRoom { id, room });
        }
    }

    fn on_gone(&mut self, client: ClientId) {
        let now = self.s.now;
        let known = self.person_at(client);
        if let Some(person) = known.and_then(|at| self.t.roster.get_mut(at)) {
            *person = PersonSlot::EMPTY;
            self.ask_for_strangers();
        }
        // There may be a path, a whisper or a voice of somebody for whom the roster had no place.
        self.direct().forget(now, client);
        self.close_channels_to(client);
        self.silence_speaker(client);
        self.tell_speaker(client);
        if known.is_some() && self.s.seat.is_none_or(|seat| seat.id != client) {
            self.s.event(ClientEvent::Left(client));
        }
    }

    fn end_sweep(&mut self) {
        let sweep = self.s.sweep;
        for at in 0..self.t.roster.len() {
            let stale = self.t.roster.get(at).filter(|person| person.sweep != sweep);
            if let Some(client) = stale.and_then(|person| ClientId::new(person.id)) {
                self.on_gone(client);
            }
        }
        self.s.strangers = self.s.sweep_strangers;
        if self.t.roster.iter().any(|person| person.id == 0) {
            self.ask_for_strangers();
        }
    }

    /// A place is free. If there are people without one, the server has to name them again.
    fn ask_for_strangers(&mut self) {
        if self.s.strangers {
            (self.s.ask_roster, self.s.pending) = (true, true);
        }
    }

    fn free_place(&mut self, client: ClientId) -> Option<usize> {
        let len = self.t.roster.len();
        let home = usize::from(client.get()).checked_rem(len)?;
        let step = (0..len).find(|step| self.t.roster.get((home + step) % len).is_some_and(|person| person.id == 0))?;
        self.s.displaced = self.s.displaced.max(u16::try_from(step).unwrap_or(u16::MAX));
        Some((home + step) % len)
    }
}

/// Finds a person whose slot is at most `displaced` after its place.
pub(super) fn find(roster: &[PersonSlot], displaced: u16, client: ClientId) -> Option<usize> {
    let id = usize::from(client.get());
    // Asked for every packet and frame, and a division is slow: nearly always the id is less, and the person at home.
    let home = if id < roster.len() { id } else { id.checked_rem(roster.len())? };
    let lives_at = |at: usize| roster.get(at).is_some_and(|person| person.id == client.get());
    if lives_at(home) {
        return Some(home);
    }
    (1..=usize::from(displaced)).map(|step| (home + step) % roster.len()).find(|at| lives_at(*at))
}
