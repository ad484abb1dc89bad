//! Where one's voice goes: rooms, or whispers in their place.
//!
//! What the page wants is kept here as it is; [`Lines::follow`] makes the core's channels match. So no order of wishes matters, and a room that the server
//! gives back after a reconnection is spoken to again by itself.

use std::time::Duration;

use voice_core::{
    ChannelHandle, ChannelOptions, Client, ClientId, ClientMemory, Instant, RoomHandle, RoomId, RoomUse, TalkTo,
};

/// What rooms are spoken to with: positional, so that listeners who have placed the speaker may hear that; for the others it makes no difference.
const TO_ROOMS: ChannelOptions = ChannelOptions { positional: true, ..ChannelOptions::DEFAULT };

/// When somebody who was whispered to is gone, rooms hear nothing for so long: the page learns of it within 50 ms, and what was meant for one isn't for all.
const HUSH: Duration = Duration::from_millis(250);

/// Why a wish about a room or text is refused; the number is what JavaScript gets, negated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Refusal {
    /// Not in the session.
    NotConnected = 1,
    /// A name or text that is empty, too long or no UTF-8.
    BadText = 2,
    /// A room that isn't used, or a person who isn't there.
    Unknown = 3,
    /// No more are possible.
    TooMany = 4,
}

/// A room that the page wants to be in.
#[derive(Debug)]
pub(crate) struct Room {
    /// Stays the same while the room is used.
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) handle: RoomHandle,
    pub(crate) talking: bool,
    channel: Option<ChannelHandle>,
}

#[derive(Debug)]
struct Whisper {
    to: ClientId,
    channel: Option<ChannelHandle>,
}

/// All rooms and whispers.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    rooms: Vec<Room>,
    whispers: Vec<Whisper>,
    last_number: u32,
    /// Until then rooms hear nothing: the last whisper ended by itself.
    hushed_until: Option<Instant>,
    /// The core's channels may differ from what is wanted.
    changed: bool,
    /// Lines for which the core has no channel left.
    pub(crate) too_many: bool,
}

impl Lines {
    pub(crate) fn rooms(&self) -> &[Room] {
        &self.rooms
    }

    pub(crate) fn whispers(&self) -> impl Iterator<Item = ClientId> + '_ {
        self.whispers.iter().map(|whisper| whisper.to)
    }

    /// Whether one's voice goes anywhere.
    pub(crate) fn is_open(&self) -> bool {
        let rooms = self.rooms.iter().filter_map(|room| room.channel);
        rooms.chain(self.whispers.iter().filter_map(|whisper| whisper.channel)).next().is_some()
    }

    pub(crate) fn room(&self, name: &str) -> Option<&Room> {
        self.rooms.iter().find(|room| room.name == name)
    }

    /// The server's numbers of the rooms.
    pub(crate) fn ids<'a, M: ClientMemory>(&'a self, client: &'a Client<M>) -> impl Iterator<Item = RoomId> + 'a {
        self.rooms.iter().filter_map(|room| client.room_id(room.handle))
    }

    /// Wants to be in a room, and to speak there.
    pub(crate) fn join<M: ClientMemory>(
        &mut self,
        now: Instant,
        client: &mut Client<M>,
        name: &str,
    ) -> Result<(), Refusal> {
        if self.room(name).is_some() {
            return Ok(());
        }
        let handle = client.use_room(now, name, RoomUse::Both).map_err(|error| match error {
            voice_core::RoomError::BadName => Refusal::BadText,
            voice_core::RoomError::TooMany | voice_core::RoomError::NoSuchRoom => Refusal::TooMany,
        })?;
        self.last_number = self.last_number.wrapping_add(1);
        let (number, name) = (self.last_number, name.to_owned());
        self.rooms.push(Room { number, name, handle, talking: true, channel: None });
        self.changed = true;
        Ok(())
    }

    /// Wants to be in a room no longer.
    pub(crate) fn leave<M: ClientMemory>(&mut self, now: Instant, client: &mut Client<M>, name: &str) {
        if let Some(at) = self.rooms.iter().position(|room| room.name == name) {
            // Its channel goes with it.
            _ = client.leave_room(now, self.rooms.remove(at).handle);
            self.changed = true;
        }
    }

    /// The server gives a room no longer; returns its name.
    pub(crate) fn on_room_closed(&mut self, handle: RoomHandle) -> Option<String> {
        let at = self.rooms.iter().position(|room| room.handle == handle)?;
        self.changed = true;
        Some(self.rooms.remove(at).name)
    }

    /// A channel to a person has closed: the person, or the session, is gone.
    pub(crate) fn on_channel_closed(&mut self, now: Instant, channel: ChannelHandle) {
        self.keep_whispers(now, |open| open != channel);
    }

    fn keep_whispers(&mut self, now: Instant, mut is_open: impl FnMut(ChannelHandle) -> bool) {
        let before = self.whispers.len();
        self.whispers.retain(|whisper| whisper.channel.is_none_or(&mut is_open));
        if self.whispers.len() < before {
            self.hushed_until = Some(now.after(HUSH));
        }
        self.changed = true;
    }

    /// As [`Lines::on_channel_closed`], for any that may have closed.
    pub(crate) fn catch_up<M: ClientMemory>(&mut self, now: Instant, client: &mut Client<M>) {
        self.keep_whispers(now, |channel| client.change_channel(now, channel, ChannelOptions::DEFAULT).is_ok());
    }

    /// Wants to speak to a room, or not to.
    pub(crate) fn talk(&mut self, name: &str, talking: bool) {
        if let Some(room) = self.rooms.iter_mut().find(|room| room.name == name) {
            room.talking = talking;
            self.changed = true;
        }
    }

    /// Wants to whisper to somebody, or not to.
    pub(crate) fn whisper<M: ClientMemory>(&mut self, now: Instant, client: &mut Client<M>, to: ClientId, on: bool) {
        let at = self.whispers.iter().position(|whisper| whisper.to == to);
        match (at, on) {
            (None, true) => self.whispers.push(Whisper { to, channel: None }),
            (Some(at), false) => close(now, client, &mut self.whispers.remove(at).channel),
            _ => return,
        }
        self.changed = true;
    }

    /// Opens and closes the core's channels so that they are what is wanted. Rooms come first, so that there is a channel for each whisper in
    /// their place.
    pub(crate) fn follow<M: ClientMemory>(&mut self, now: Instant, client: &mut Client<M>) {
        if self.hushed_until.is_some_and(|until| now >= until) {
            (self.hushed_until, self.changed) = (None, true);
        }
        if !std::mem::take(&mut self.changed) {
            return;
        }
        self.too_many = false;
        let whispering = !self.whispers.is_empty() || self.hushed_until.is_some();
        for room in &mut self.rooms {
            if whispering || !room.talking {
                close(now, client, &mut room.channel);
            }
        }
        for room in self.rooms.iter_mut().filter(|room| room.talking && !whispering) {
            self.too_many |= !open(now, client, TalkTo::Room(room.handle), TO_ROOMS, &mut room.channel);
        }
        for whisper in &mut self.whispers {
            let to = TalkTo::Client(whisper.to);
            self.too_many |= !open(now, client, to, ChannelOptions::DEFAULT, &mut whisper.channel);
        }
        self.whispers.retain(|whisper| whisper.channel.is_some());
    }
}

fn close<M: ClientMemory>(now: Instant, client: &mut Client<M>, channel: &mut Option<ChannelHandle>) {
    if let Some(channel) = channel.take() {
        // One that is closed already is what is wanted.
        _ = client.close_channel(now, channel);
    }
}

/// Whether there is an open channel now.
fn open<M: ClientMemory>(
    now: Instant,
    client: &mut Client<M>,
    to: TalkTo,
    options: ChannelOptions,
    channel: &mut Option<ChannelHandle>,
) -> bool {
    if channel.is_none() {
        *channel = client.open_channel(now, to, options).ok();
    }
    channel.is_some()
}
