//! What an embedder does with a client: the calls that are neither packets nor time.

use core::time::Duration;

use voice_core::{
    ChannelHandle, ChannelOptions, ClientId, Instant, PathId, Priority, RoomHandle, RoomUse, TalkTo, Volume,
};

use crate::{
    input::Input,
    session::{FuzzClient, Guest},
};

/// What was given for rooms and channels, also for those that are closed by now.
#[derive(Default)]
pub(crate) struct Handles {
    pub(crate) rooms: Vec<RoomHandle>,
    pub(crate) channels: Vec<ChannelHandle>,
}

impl Handles {
    /// Uses a room and opens a channel to it.
    pub(crate) fn speak_in(&mut self, now: Instant, client: &mut FuzzClient, name: &str) {
        let room = client.use_room(now, name, RoomUse::Both).ok();
        self.rooms.extend(room);
        let channel = room.and_then(|room| client.open_channel(now, TalkTo::Room(room), ChannelOptions::DEFAULT).ok());
        self.channels.extend(channel);
    }

    /// Rooms, channels, mutes, volumes and priorities.
    pub(crate) fn declare(&mut self, now: Instant, input: &mut Input<'_>, client: &mut FuzzClient, person: ClientId) {
        let (room, channel) = (self.room(input), self.channel(input));
        let (flag, options) = (input.flag(), options(input));
        match input.below(10) {
            0 | 1 => {
                let name = ["a", "b", "c", "", "d"][input.below(5)];
                let room_use = RoomUse::from_number(1 + input.byte() % 3).expect("1 to 3");
                self.rooms.extend(client.use_room(now, name, room_use));
            }
            2 => _ = room.map(|room| client.leave_room(now, room)),
            3 => self.channels.extend(room.and_then(|room| client.open_channel(now, TalkTo::Room(room), options).ok())),
            4 => self.channels.extend(client.open_channel(now, TalkTo::Client(person), options)),
            5 => _ = channel.map(|channel| client.change_channel(now, channel, options)),
            6 => _ = channel.map(|channel| client.close_channel(now, channel)),
            7 => client.set_muted(now, flag),
            8 => client.set_deafened(now, flag),
            _ => {
                let _ = client.set_client_muted(now, person, flag);
                let _ = client.set_client_volume(person, options.volume);
                client.set_default_priority(now, options.priority);
            }
        }
    }

    /// The audio clock, for all who speak and for one who may not.
    pub(crate) fn hear(&self, now: Instant, client: &mut FuzzClient, person: ClientId) {
        let mut speakers: Vec<ClientId> = client.speakers().collect();
        speakers.push(person);
        for speaker in speakers {
            let frame = client.next_frame(now, Duration::ZERO, speaker);
            assert!(frame.volume_percent <= 400);
            assert!(client.heard_channels(speaker).len() <= 8);
            let _ = client.speaker_stats(speaker);
        }
        let _ = (client.top_priority(), client.rtt(), client.rtt_variation(), client.transport_wanted());
        for room in &self.rooms {
            let _ = client.room_id(*room).map(|id| client.room_name(id).expect("a granted room has a name").len());
        }
    }

    /// Texts and rendezvous.
    pub(crate) fn write(&self, now: Instant, input: &mut Input<'_>, client: &mut FuzzClient, person: ClientId) {
        let room = self.room(input);
        match input.below(3) {
            0 => {
                let to = room.map_or(TalkTo::Client(person), TalkTo::Room);
                let _ = client.send_text(now, to, &String::from_utf8_lossy(input.packet()));
            }
            1 => _ = client.send_rendezvous(now, person, input.packet()),
            _ => while client.take_message().is_some() {},
        }
    }

    fn room(&self, input: &mut Input<'_>) -> Option<RoomHandle> {
        self.rooms.get(input.below(8)).copied()
    }

    fn channel(&self, input: &mut Input<'_>) -> Option<ChannelHandle> {
        self.channels.get(input.below(8)).copied()
    }
}

/// The own voice.
pub(crate) fn speak(now: Instant, input: &mut Input<'_>, client: &mut FuzzClient) {
    match input.below(4) {
        0 => client.end_talkspurt(now),
        1 => _ = client.send_frame(now, input.packet()),
        _ => _ = client.send_frame(now, &[1; 40]),
    }
}

/// Paths that come and go; the other end is reached on path 2.
pub(crate) fn paths(now: Instant, input: &mut Input<'_>, guest: &mut Guest, person: ClientId) {
    let client = &mut guest.client;
    let path = PathId(if input.flag() { 2 } else { input.byte().into() });
    match input.below(4) {
        0 | 1 => _ = client.handle_path_available(now, person, path),
        2 => client.handle_path_lost(now, path),
        _ => client.handle_unsent(now, path, &input.bent(&guest.sent.last)),
    }
    let _ = client.is_direct(person);
}

/// Any options of a channel.
pub(crate) fn options(input: &mut Input<'_>) -> ChannelOptions {
    ChannelOptions {
        positional: input.flag(),
        priority: Priority::from_number(input.byte() % 5).expect("below 5"),
        volume: Volume::new(input.byte()).unwrap_or(Volume::FULL),
    }
}
