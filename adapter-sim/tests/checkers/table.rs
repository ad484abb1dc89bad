//! Real cores round a table, on a network that takes no time, with a [`Node`] in the middle and all checkers looking on.

use core::time::Duration;
use std::collections::BTreeMap;

use adapter_sim::{
    net::Preset,
    scenario::Action,
    stamp::{Audience, Stamp},
    world::{HeapClient, HeapServer, PersonConfig, PersonId},
};
use voice_core::{
    ChannelHandle, ChannelOptions, ClientEvent, ClientId, ConnectionId, Delivery, Instant, Message, RoomHandle, Route,
    Server, ServerConfig, Sound, Source, TalkTo, Target, server_storage_vec,
};

use crate::{
    judge::Judge,
    node::{Heard, Node, Packet, TextRead},
};

const STEP: u64 = 5_000;
const FRAME: u64 = 20_000;
const PEOPLE: u16 = 3;

struct Person {
    client: HeapClient,
    attempt: Option<u32>,
    connection: Option<ConnectionId>,
    rooms: BTreeMap<u16, RoomHandle>,
    channels: Vec<(Audience, ChannelHandle)>,
    speaking: bool,
    frames: u32,
    texts: u32,
}

/// The table.
pub(crate) struct Table<'a> {
    pub(crate) judge: Judge,
    node: &'a mut dyn Node,
    now: u64,
    server: HeapServer,
    people: Vec<Person>,
    /// Whoever had a client id, in whatever life.
    person_of: BTreeMap<ClientId, PersonId>,
    on_the_way: Vec<(ConnectionId, Packet)>,
}

impl<'a> Table<'a> {
    pub(crate) fn new(node: &'a mut dyn Node) -> Self {
        let server = Server::new(ServerConfig::DEFAULT, 1, server_storage_vec!(clients: 8, rooms: 8));
        let people = (0..PEOPLE).map(person).collect();
        Self { judge: Judge::new(), node, now: 0, server, people, person_of: BTreeMap::new(), on_the_way: Vec::new() }
    }

    /// Carries out a script: lines of milliseconds and an action. The last line may be the milliseconds of the end alone.
    pub(crate) fn play(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (at, action) = line.split_once(' ').unwrap_or((line, ""));
            let at: u64 = at.parse().expect("milliseconds");
            while self.now < at * 1_000 {
                self.step();
            }
            match action {
                "" => {}
                "all-is-well" => self.judge.start_recovery(self.now),
                action => self.act(&action.parse().expect("an action")),
            }
        }
        self.finish();
    }

    fn step(&mut self) {
        let now = Instant::from_us(self.now);
        if self.server.poll_timeout().is_some_and(|at| at <= now) {
            self.server.handle_timeout(now);
        }
        for person in 0..PEOPLE {
            let client = &mut self.people[usize::from(person)].client;
            if client.poll_timeout().is_some_and(|at| at <= now) {
                client.handle_timeout(now);
            }
            if self.now.is_multiple_of(FRAME) {
                self.speak(person);
                self.listen(person);
            }
            self.follow_wish(person);
        }
        while self.exchange() {}
        self.judge.level(self.now, self.node.held());
        self.now += STEP;
    }

    fn act(&mut self, action: &Action) {
        self.judge.wishes(self.now, action);
        if let Action::Speak { person, on } = *action {
            self.people[usize::from(person)].speaking = on;
        } else if self.node.obeys(action) {
            self.obey(action);
        }
    }

    fn obey(&mut self, action: &Action) {
        let now = Instant::from_us(self.now);
        if let Action::ServerMute { person, on } = *action {
            let id = self.id(person);
            return self.server.set_server_mute(now, id, on).expect("somebody who is there");
        }
        let other = match *action {
            Action::OpenWhisper { to: other, .. }
            | Action::TextPerson { to: other, .. }
            | Action::Block { other, .. } => Some(self.id(other)),
            _ => None,
        };
        let number = action.people()[0];
        let person = &mut self.people[usize::from(number)];
        match *action {
            Action::Connect { .. } => person.client.connect(now),
            Action::Leave { .. } => person.client.disconnect(now),
            Action::UseRoom { room, room_use, .. } => {
                let handle = person.client.use_room(now, &format!("room-{room}"), room_use).expect("a good room");
                person.rooms.insert(room, handle);
            }
            Action::LeaveRoom { room, .. } => {
                let handle = person.rooms.remove(&room).expect("a room in use");
                person.client.leave_room(now, handle).expect("a room in use");
                person.channels.retain(|(to, _)| *to != Audience::Room(room));
            }
            Action::OpenRoom { room, .. } => person.open(now, Audience::Room(room), None),
            Action::OpenWhisper { to, .. } => person.open(now, Audience::Person(to), other),
            Action::CloseRoom { room, .. } => person.close(now, Audience::Room(room)),
            Action::CloseWhisper { to, .. } => person.close(now, Audience::Person(to)),
            Action::Mute { on, .. } => person.client.set_muted(now, on),
            Action::Deafen { on, .. } => person.client.set_deafened(now, on),
            Action::Block { on, .. } => {
                person.client.set_client_muted(now, other.expect("whom"), on).expect("somebody known");
            }
            Action::TextRoom { room, .. } => self.write(now, number, Audience::Room(room), None),
            Action::TextPerson { to, .. } => self.write(now, number, Audience::Person(to), other),
            Action::BreakLane { .. } => self.disconnect(number),
            _ => panic!("not for this table: {action}"),
        }
    }

    fn write(&mut self, now: Instant, number: PersonId, to: Audience, other: Option<ClientId>) {
        let person = &mut self.people[usize::from(number)];
        person.texts += 1;
        let text = format!("text {} of {number} for {to:?}", person.texts);
        self.judge.order.wrote(number, person.texts, &text);
        let line = person.line(to, other);
        person.client.send_text(now, line, &text).expect("a text that can be sent");
    }

    fn id(&self, person: PersonId) -> ClientId {
        self.people[usize::from(person)].client.id().expect("somebody who is there")
    }

    fn speak(&mut self, number: PersonId) {
        let person = &mut self.people[usize::from(number)];
        if !person.speaking {
            return;
        }
        person.frames += 1;
        let audience = person.channels.iter().map(|(to, _)| *to).collect();
        let stamp = Stamp { speaker: number, serial: person.frames, spoken_at: self.now, audience };
        // A person doesn't know whether it is muted or away.
        let _ = person.client.send_frame(Instant::from_us(self.now), &stamp.to_payload(60));
        self.judge.spoke(number);
    }

    fn listen(&mut self, listener: PersonId) {
        let speakers: Vec<ClientId> = self.people[usize::from(listener)].client.speakers().collect();
        for speaker in speakers {
            let client = &mut self.people[usize::from(listener)].client;
            let Sound::Play(payload) = client.next_frame(Instant::from_us(self.now), Duration::ZERO, speaker).sound
            else {
                continue;
            };
            let payload = payload.to_vec();
            let via = self.via(listener, speaker);
            for heard in self.node.ear(self.now, Heard { listener, payload, via }) {
                self.judge.heard(self.now, speaker, &heard);
            }
        }
    }

    fn via(&self, listener: PersonId, speaker: ClientId) -> Vec<Audience> {
        let client = &self.people[usize::from(listener)].client;
        let channels = client.heard_channels(speaker).iter();
        channels
            .filter_map(|(target, _)| match target {
                Target::Client(id) => self.person_of.get(id).map(|person| Audience::Person(*person)),
                Target::Room(id) => client.room_name(*id)?.strip_prefix("room-")?.parse().ok().map(Audience::Room),
            })
            .collect()
    }

    fn follow_wish(&mut self, number: PersonId) {
        let person = &mut self.people[usize::from(number)];
        let wanted = person.client.transport_wanted();
        if wanted == person.attempt {
            return;
        }
        person.attempt = wanted;
        self.disconnect(number);
        if wanted.is_some() && self.node.connects(self.now, number) {
            let now = Instant::from_us(self.now);
            let person = &mut self.people[usize::from(number)];
            person.connection = Some(self.server.handle_connected(now).expect("a free connection"));
            person.client.handle_connected(now);
        }
    }

    fn disconnect(&mut self, number: PersonId) {
        let now = Instant::from_us(self.now);
        let person = &mut self.people[usize::from(number)];
        if let Some(connection) = person.connection.take() {
            self.server.handle_disconnected(now, connection);
            person.client.handle_disconnected(now);
        }
    }

    /// Lets everybody send what it has; whether there was anything.
    fn exchange(&mut self) -> bool {
        let mut any = false;
        for person in 0..PEOPLE {
            any |= self.drain_events(person);
            while let Some(packet) = self.next_of_client(person) {
                any = true;
                self.send_up(person, packet);
            }
        }
        while self.server.poll_event().is_some() {}
        self.drain_server();
        for (connection, packet) in std::mem::take(&mut self.on_the_way) {
            any = true;
            let to = self.people.iter().position(|person| person.connection == Some(connection));
            let Some(to) = to.map(|to| to as PersonId) else { continue };
            for (to, packet) in self.node.down(self.now, to, packet) {
                self.arrive(to, &packet);
            }
        }
        any
    }

    fn next_of_client(&mut self, number: PersonId) -> Option<Packet> {
        let (now, mut buffer) = (Instant::from_us(self.now), [0; 1_200]);
        let client = &mut self.people[usize::from(number)].client;
        client.poll_timeout().filter(|at| *at <= now)?;
        let transmit = client.poll_transmit(now, &mut buffer)?;
        Some(Packet { delivery: transmit.delivery, bytes: buffer[..transmit.len].to_vec() })
    }

    fn send_up(&mut self, from: PersonId, packet: Packet) {
        for mut packet in self.node.up(self.now, from, packet) {
            self.judge.sent_up(self.now, from, &packet.bytes);
            let Some(connection) = self.people[usize::from(from)].connection else { continue };
            let now = Instant::from_us(self.now);
            let mut forward = self.server.handle_packet(now, connection, packet.delivery, &mut packet.bytes);
            while let Some((bytes, to)) = forward.next() {
                let packet = Packet { delivery: Delivery::Unreliable, bytes: bytes.to_vec() };
                self.on_the_way.extend(to.iter().map(|to| (*to, packet.clone())));
            }
        }
    }

    fn drain_server(&mut self) {
        let (now, mut buffer) = (Instant::from_us(self.now), [0; 1_200]);
        while let Some(transmit) = self.server.poll_transmit(now, &mut buffer) {
            let Route::Client(to) = transmit.to else { continue };
            let packet = Packet { delivery: transmit.delivery, bytes: buffer[..transmit.len].to_vec() };
            self.on_the_way.push((to, packet));
        }
    }

    fn arrive(&mut self, to: PersonId, packet: &Packet) {
        let person = &mut self.people[usize::from(to)];
        let named = channels_of(&packet.bytes, &person.client, &self.person_of);
        self.judge.came_down(self.now, to, &packet.bytes, &named);
        let now = Instant::from_us(self.now);
        person.client.handle_packet(now, Source::Server, packet.delivery, &packet.bytes);
    }

    fn drain_events(&mut self, number: PersonId) -> bool {
        let mut any = false;
        while let Some(event) = self.people[usize::from(number)].client.poll_event() {
            any = true;
            match event {
                ClientEvent::StateChanged(_) => {
                    if let Some(id) = self.people[usize::from(number)].client.id() {
                        self.person_of.insert(id, number);
                    }
                }
                ClientEvent::TextReceived => self.read(number),
                _ => {}
            }
        }
        any
    }

    fn read(&mut self, reader: PersonId) {
        while let Some(message) = self.people[usize::from(reader)].client.take_message() {
            let Message::Text { from, text, .. } = message else { continue };
            let read = TextRead { reader, from: self.person_of[&from], text: text.into() };
            for read in self.node.eye(self.now, read) {
                self.judge.read(self.now, &read);
            }
        }
    }

    fn finish(&mut self) {
        let clients: Vec<&HeapClient> = self.people.iter().map(|person| &person.client).collect();
        self.judge.finish(self.now, &clients, &self.server);
    }
}

impl Person {
    fn line(&self, to: Audience, other: Option<ClientId>) -> TalkTo {
        match to {
            Audience::Room(room) => TalkTo::Room(self.rooms[&room]),
            Audience::Person(_) => TalkTo::Client(other.expect("whom")),
        }
    }

    fn open(&mut self, now: Instant, to: Audience, other: Option<ClientId>) {
        let line = self.line(to, other);
        let handle = self.client.open_channel(now, line, ChannelOptions::DEFAULT).expect("a free channel");
        self.channels.push((to, handle));
    }

    fn close(&mut self, now: Instant, to: Audience) {
        let at = self.channels.iter().position(|(other, _)| *other == to).expect("an open channel");
        let (_, handle) = self.channels.remove(at);
        self.client.close_channel(now, handle).expect("an open channel");
    }
}

fn person(number: u16) -> Person {
    let config =
        PersonConfig { direct: true, speakers: 4, ..PersonConfig::new(&format!("person-{number}"), &Preset::LAN) };
    Person {
        client: config.new_client(u64::from(number) + 10, 8),
        attempt: None,
        connection: None,
        rooms: BTreeMap::new(),
        channels: Vec::new(),
        speaking: false,
        frames: 0,
        texts: 0,
    }
}

/// The channels that a voice packet names, as its receiver understands them.
fn channels_of(packet: &[u8], at: &HeapClient, person_of: &BTreeMap<ClientId, PersonId>) -> Vec<Audience> {
    let Ok(voice) = voice_core::wire::Voice::decode(packet) else { return Vec::new() };
    let channels = voice.channels.iter();
    channels
        .filter_map(|channel| match channel.target {
            Target::Client(id) => person_of.get(&id).map(|person| Audience::Person(*person)),
            Target::Room(id) => at.room_name(id)?.strip_prefix("room-")?.parse().ok().map(Audience::Room),
        })
        .collect()
}
