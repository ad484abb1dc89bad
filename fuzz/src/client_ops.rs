use voice_core::{
    ChannelHandle, ChannelOptions, ClientId, Delivery, Instant, PathId, Priority, RoomHandle, RoomUse, ServerConfig,
    Source, TalkTo, Volume,
};

use crate::{
    input::Input,
    session::{FuzzServer, Guest, MOST_PACKETS, new_server, settle},
};

/// Makes any sequence of public calls on a client, with any packets in between: raw ones, ones that its server really sent, and
/// those with bytes changed.
pub fn client_ops(data: &[u8]) {
    let mut input = Input::new(data);
    let mut caller = Caller {
        now: 0,
        server: new_server(ServerConfig::DEFAULT),
        guest: Guest::new("one", 1),
        other: Guest::new("two", 2),
        rooms: Vec::new(),
        channels: Vec::new(),
        last: Vec::new(),
    };
    for _ in 0..200 {
        if input.is_empty() {
            break;
        }
        caller.call(&mut input);
    }
    caller.drain();
}

struct Caller {
    now: u64,
    server: FuzzServer,
    guest: Guest,
    other: Guest,
    rooms: Vec<RoomHandle>,
    channels: Vec<ChannelHandle>,
    /// The last packet that came out.
    last: Vec<u8>,
}

impl Caller {
    fn call(&mut self, input: &mut Input<'_>) {
        let now = Instant::from_ms(self.now);
        match input.below(12) {
            0 => self.now += u64::from(input.byte()) * 40,
            1 => self.now = self.now.saturating_sub(u64::from(input.byte())),
            2 => self.life(now, input),
            3 => self.packet(now, input),
            4 | 5 => self.settle(now),
            6 => self.drain(),
            7 => self.declare(now, input),
            8 => self.speak(now, input),
            9 => self.hear(now, input),
            10 => self.paths(now, input),
            _ => self.write(now, input),
        }
    }

    /// Lets the client and its server, and another client, talk.
    fn settle(&mut self, now: Instant) {
        settle(now, &mut self.server, &mut [&mut self.guest, &mut self.other], |_, _, _| {});
        while self.guest.client.poll_event().is_some() {}
        while self.server.poll_event().is_some() {}
    }

    fn life(&mut self, now: Instant, input: &mut Input<'_>) {
        let client = &mut self.guest.client;
        match input.below(8) {
            0 => client.connect(now),
            1 => client.disconnect(now),
            2 => client.handle_connected(now),
            3 => client.handle_disconnected(now),
            4 => client.handle_timeout(now),
            5 => self.other.client.connect(now),
            6 => self.other.client.disconnect(now),
            _ => self.server = new_server(ServerConfig::DEFAULT),
        }
    }

    fn packet(&mut self, now: Instant, input: &mut Input<'_>) {
        let from = if input.flag() { Source::Server } else { Source::Path(PathId(input.byte().into())) };
        let delivery = if input.flag() { Delivery::Reliable } else { Delivery::Unreliable };
        let packet = match input.flag() {
            true => input.packet().to_vec(),
            false => {
                let last = self.last.clone();
                input.bent(&last)
            }
        };
        self.guest.client.handle_packet(now, from, delivery, &packet);
    }

    /// Everything out that has to go, and then nothing may be left that is due.
    fn drain(&mut self) {
        let now = Instant::from_ms(self.now);
        let client = &mut self.guest.client;
        client.handle_timeout(now);
        let mut out = [0; 1_200];
        let mut sent = 0;
        while let Some(transmit) = client.poll_transmit(now, &mut out) {
            assert!((1..=1_200).contains(&transmit.len));
            self.last = out[..transmit.len].to_vec();
            sent += 1;
            assert!(sent < MOST_PACKETS, "the client always has more to send");
        }
        for event in 0.. {
            assert!(event <= 64, "the client always has another event");
            if client.poll_event().is_none() {
                break;
            }
        }
        client.handle_timeout(now);
        while client.poll_transmit(now, &mut out).is_some() {}
        // A caller's time that went back is taken as the latest seen.
        assert!(client.poll_timeout().is_none_or(|at| at > now), "the client asks to be woken for nothing");
    }

    fn declare(&mut self, now: Instant, input: &mut Input<'_>) {
        let (room, channel, person) = (self.room(input), self.channel(input), person(input));
        let (flag, options) = (input.flag(), options(input));
        let client = &mut self.guest.client;
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

    fn speak(&mut self, now: Instant, input: &mut Input<'_>) {
        match input.below(4) {
            0 => self.guest.client.end_talkspurt(now),
            1 => _ = self.guest.client.send_frame(now, input.packet()),
            _ => _ = self.guest.client.send_frame(now, &[1; 40]),
        }
    }

    fn hear(&mut self, now: Instant, input: &mut Input<'_>) {
        let client = &mut self.guest.client;
        let mut speakers: Vec<ClientId> = client.speakers().collect();
        assert!(speakers.len() <= 2);
        speakers.push(person(input));
        for speaker in speakers {
            let frame = client.next_frame(now, speaker);
            assert!(frame.volume_percent <= 400);
            assert!(client.heard_channels(speaker).len() <= 8);
            let _ = client.speaker_stats(speaker);
        }
        let _ = (client.top_priority(), client.rtt(), client.drops().total(), client.transport_wanted());
        assert!(client.roster().count() <= 3);
    }

    fn paths(&mut self, now: Instant, input: &mut Input<'_>) {
        let (person, path) = (person(input), PathId(input.byte().into()));
        let client = &mut self.guest.client;
        match input.below(4) {
            0 | 1 => _ = client.handle_path_available(now, person, path),
            2 => client.handle_path_lost(now, path),
            _ => {
                let last = self.last.clone();
                client.handle_unsent(now, path, &input.bent(&last));
            }
        }
        let _ = client.is_direct(person);
    }

    fn write(&mut self, now: Instant, input: &mut Input<'_>) {
        let (room, person) = (self.room(input), person(input));
        let client = &mut self.guest.client;
        match input.below(4) {
            0 => {
                let to = room.map_or(TalkTo::Client(person), TalkTo::Room);
                let _ = client.send_text(now, to, &String::from_utf8_lossy(input.packet()));
            }
            1 => _ = client.send_rendezvous(now, person, input.packet()),
            2 => _ = self.other.client.send_text(now, TalkTo::Client(person), "hello"),
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

fn person(input: &mut Input<'_>) -> ClientId {
    ClientId::new(1 + u16::from(input.byte() % 10)).expect("not 0")
}

fn options(input: &mut Input<'_>) -> ChannelOptions {
    ChannelOptions {
        positional: input.flag(),
        priority: Priority::from_number(input.byte() % 5).expect("below 5"),
        volume: Volume::new(input.byte()).unwrap_or(Volume::FULL),
    }
}
