//! What the embedder wants: rooms, channels, mutes. Held as state and told to the server as it is, so that it can be told again.

use super::{
    ChannelError, ChannelHandle, RoomError, RoomHandle, TalkTo,
    engine::Engine,
    events::ClientEvent,
    tables::{ChannelSlot, Line, RoomSlot, Telling},
};
use crate::{
    storage::{name::Name, sort::sort_short},
    types::{ChannelOptions, ClientId, DropReason, Priority, RoomId, RoomUse, Target},
    wire::{Channel, RoomCloseReason, StateFlags, limits::MAX_CHANNELS},
};

impl Engine<'_> {
    pub(super) fn use_room(&mut self, name: &str, room_use: RoomUse) -> Result<RoomHandle, RoomError> {
        let wanted = Name::new(name).filter(|_| !name.is_empty()).ok_or(RoomError::BadName)?;
        let known = self.t.rooms.iter().position(|room| room.used && room.name == wanted);
        let at = match known {
            Some(at) => at,
            None => self.free_room(&wanted).ok_or(RoomError::TooMany)?,
        };
        let room = self.t.rooms.get_mut(at).ok_or(RoomError::TooMany)?;
        if known.is_none() {
            let generation = room.generation.wrapping_add(1);
            let telling = room.telling.changed();
            *room = RoomSlot { used: true, generation, name: wanted, room_use, id: None, telling };
        } else if room.room_use != room_use {
            (room.room_use, room.telling) = (room_use, room.telling.changed());
        }
        let generation = room.generation;
        self.ask_audience();
        self.s.pending = true;
        Ok(RoomHandle { at: u16::try_from(at).map_err(|_| RoomError::TooMany)?, generation })
    }

    pub(super) fn leave_room(&mut self, handle: RoomHandle) -> Result<(), RoomError> {
        let room = self.room(handle).ok_or(RoomError::NoSuchRoom)?;
        room.used = false;
        if let Some(id) = room.id.take() {
            // No answer comes after it.
            room.telling = Telling::Done;
            self.queue_leave(id);
        }
        self.close_channels(|line| line == Line::Room(handle.at));
        Ok(())
    }

    /// A slot for a room. If the server was asked for it before and hasn't answered, it is the same one.
    fn free_room(&self, name: &Name) -> Option<usize> {
        let asked = self.t.rooms.iter().position(|room| room.telling.is_asked() && room.name == *name);
        asked.or_else(|| self.t.rooms.iter().position(|room| !room.used && !room.telling.is_asked()))
    }

    pub(super) fn room(&mut self, handle: RoomHandle) -> Option<&mut RoomSlot> {
        let room = self.t.rooms.get_mut(usize::from(handle.at))?;
        (room.used && room.generation == handle.generation).then_some(room)
    }

    pub(super) fn open_channel(&mut self, to: TalkTo, options: ChannelOptions) -> Result<ChannelHandle, ChannelError> {
        let line = match to {
            TalkTo::Client(client) if self.s.seat.is_some_and(|seat| seat.id == client) => {
                return Err(ChannelError::Oneself);
            }
            TalkTo::Client(client) => Line::Client(client),
            TalkTo::Room(handle) => {
                let room = self.room(handle).ok_or(ChannelError::NoSuchRoom)?;
                if !room.room_use.speaks() {
                    return Err(ChannelError::NotSpeaking);
                }
                Line::Room(handle.at)
            }
        };
        if self.t.channels.iter().any(|channel| channel.line == Some(line)) {
            return Err(ChannelError::AlreadyOpen);
        }
        let at = self.t.channels.iter().take(MAX_CHANNELS).position(|channel| channel.line.is_none());
        let at = at.ok_or(ChannelError::TooMany)?;
        let channel = self.t.channels.get_mut(at).ok_or(ChannelError::TooMany)?;
        let generation = channel.generation.wrapping_add(1);
        *channel = ChannelSlot { line: Some(line), generation, options };
        self.ask_audience();
        Ok(ChannelHandle { at: u16::try_from(at).map_err(|_| ChannelError::TooMany)?, generation })
    }

    /// Others may hear from the next packet on than those of whom the server has spoken.
    pub(super) fn ask_audience(&mut self) {
        let voice = &mut self.s.voice;
        voice.unheard = false;
        voice.audience_from = voice.sequence.wrapping_add(1);
    }

    pub(super) fn channel(&mut self, handle: ChannelHandle) -> Option<&mut ChannelSlot> {
        let channel = self.t.channels.get_mut(usize::from(handle.at))?;
        (channel.line.is_some() && channel.generation == handle.generation).then_some(channel)
    }

    /// The open channels as a voice packet names them.
    pub(super) fn open_channels(&self) -> heapless::Vec<Channel, MAX_CHANNELS> {
        let mut open = heapless::Vec::new();
        for channel in self.t.channels.iter() {
            let target = match channel.line {
                Some(Line::Client(client)) => Some(Target::Client(client)),
                Some(Line::Room(at)) => {
                    let room = self.t.rooms.get(usize::from(at));
                    room.filter(|room| room.used && room.room_use.speaks()).and_then(|room| room.id).map(Target::Room)
                }
                None => None,
            };
            if let Some(target) = target {
                _ = open.push(Channel { target, options: channel.options });
            }
        }
        sort_short(&mut open, |channel| channel.target);
        open
    }

    pub(super) fn set_state(&mut self, flags: StateFlags, priority: Priority) {
        if flags == self.s.declared.flags && priority == self.s.declared.priority {
            return;
        }
        (self.s.declared.flags, self.s.declared.priority) = (flags, priority);
        self.s.declared.tell = true;
        self.s.pending = true;
        if flags.muted {
            self.stop_talking();
        }
    }

    /// After a Welcome: everything has to be told anew.
    pub(super) fn declare_everything(&mut self) {
        (self.s.declared.tell, self.s.declared.tell_blocks) = (true, true);
        self.s.declared.leave.clear();
        for room in self.t.rooms.iter_mut() {
            (room.id, room.telling) = (None, if room.used { Telling::Untold } else { Telling::Done });
        }
        for person in self.t.roster.iter_mut() {
            // A seat that is resumed keeps its blocks, and what took one back may never have arrived.
            person.tell_blocked = person.blocked || person.told_blocked;
        }
    }

    pub(super) fn on_room_granted(&mut self, id: RoomId, name: &str) {
        let Some((at, room)) = self.answered(name) else { return self.queue_leave(id) };
        let fresh = room.id.replace(id) != Some(id);
        let handle = RoomHandle { at, generation: room.generation };
        if fresh {
            self.ask_audience();
            self.s.event(ClientEvent::RoomGranted(handle));
        }
    }

    pub(super) fn on_room_closed(&mut self, reason: RoomCloseReason, name: &str) {
        let found = self.answered(name).map(|(at, room)| {
            room.used = false;
            (at, RoomHandle { at, generation: room.generation }, room.id.take())
        });
        // Until the server knows that this was heard, it takes what is said of the room as said before. What is on the lane it can't mistake.
        match found.and_then(|(.., id)| id) {
            Some(id) => self.queue_leave(id),
            None => self.s.link.ack = true,
        }
        let Some((at, room, _)) = found else { return };
        self.close_channels(|line| line == Line::Room(at));
        self.s.event(ClientEvent::RoomClosed { room, reason });
    }

    /// The room of this name, if it is still wanted: the server has answered.
    fn answered(&mut self, name: &str) -> Option<(u16, &mut RoomSlot)> {
        // Another room may be asked for.
        self.s.pending = true;
        let is_meant = |room: &RoomSlot| (room.used || room.telling.is_asked()) && room.name.as_str() == name;
        let (at, room) = (0_u16..).zip(self.t.rooms.iter_mut()).find(|(_, room)| is_meant(room))?;
        room.telling = room.telling.answered();
        room.used.then_some((at, room))
    }

    pub(super) fn close_client_channels(&mut self) {
        self.close_channels(|line| matches!(line, Line::Client(_)));
    }

    pub(super) fn close_channels_to(&mut self, client: ClientId) {
        self.close_channels(|line| line == Line::Client(client));
    }

    fn close_channels(&mut self, which: impl Fn(Line) -> bool) {
        for at in 0..self.t.channels.len() {
            let Some(channel) = self.t.channels.get_mut(at) else { return };
            if channel.line.is_some_and(&which) {
                channel.line = None;
                let handle =
                    ChannelHandle { at: u16::try_from(at).unwrap_or(u16::MAX), generation: channel.generation };
                self.s.event(ClientEvent::ChannelClosed(handle));
            }
        }
    }

    fn queue_leave(&mut self, room: RoomId) {
        if !self.s.declared.leave.contains(&room) && self.s.declared.leave.push(room).is_err() {
            self.drop(DropReason::TableFull);
        }
        self.s.pending = true;
    }
}
