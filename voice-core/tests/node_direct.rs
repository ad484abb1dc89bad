//! Two clients with a direct path between them, and what the listener hears when the path fails.

use core::time::Duration;
use std::collections::BTreeMap;

use voice_core::{
    ChannelOptions, ChannelSlot, Client, ClientConfig, ClientEvent, ClientId, ClientStorage, ConnectionId, Delivery,
    DropReason, Instant, PathId, PeerLink, PersonSlot, RoomSlot, RoomUse, Route, Server, ServerConfig, ServerMemory,
    Sound, Source, SpeakerSlot, TalkTo, client_storage_vec, server_storage_vec,
};

type Tables = ClientStorage<Vec<PersonSlot>, Vec<RoomSlot>, Vec<ChannelSlot>, Vec<SpeakerSlot>, Vec<PeerLink>, Vec<u8>>;

const PATH: PathId = PathId(5);
const FRAME_MS: u64 = 20;

enum To {
    Server(usize, Delivery),
    Client(usize, Source, Delivery),
}

struct Person {
    client: Client<Tables>,
    connection: ConnectionId,
    events: Vec<ClientEvent>,
    /// Numbers of the frames played, and how many pulls had nothing to play.
    played: Vec<u32>,
    /// Whether what it sends on the path arrives.
    path_works: bool,
    /// Whether its transport refuses the path.
    path_refuses: bool,
}

/// A speaker (0), a listener (1) and as many others as are asked for, with fixed delays: `direct_ms` on the path, `server_ms` to the server.
struct World<M> {
    now: u64,
    server: Server<M>,
    people: Vec<Person>,
    on_the_way: BTreeMap<(u64, u64), (To, Vec<u8>)>,
    packets: u64,
    direct_ms: u64,
    server_ms: u64,
    spoken: u32,
    speaking: bool,
    relayed: u64,
}

fn world(people: usize, direct_ms: u64, server_ms: u64, retained: usize) -> World<impl ServerMemory> {
    let mut server = Server::new(ServerConfig::DEFAULT, 7, server_storage_vec!(clients: 8, rooms: 4));
    let person = |n: usize| {
        let mut tables: Tables = client_storage_vec!(people: 8, speakers: 2);
        tables.retained.truncate(retained);
        let mut client = Client::new(ClientConfig::new("Someone").unwrap(), n as u64, tables);
        let now = Instant::ORIGIN;
        let room = client.use_room(now, "Lobby", RoomUse::Both).unwrap();
        client.open_channel(now, TalkTo::Room(room), ChannelOptions::DEFAULT).unwrap();
        client.connect(now);
        client.handle_connected(now);
        Person {
            client,
            connection: server.handle_connected(now).unwrap(),
            events: Vec::new(),
            played: Vec::new(),
            path_works: true,
            path_refuses: false,
        }
    };
    let people = (0..people).map(person).collect();
    let mut world = World {
        now: 0,
        server,
        people,
        on_the_way: BTreeMap::new(),
        packets: 0,
        direct_ms,
        server_ms,
        spoken: 0,
        speaking: false,
        relayed: 0,
    };
    world.run(1_000);
    let (one, two) = (world.id(0), world.id(1));
    world.people[0].client.handle_path_available(Instant::from_ms(world.now), two, PATH).unwrap();
    world.people[1].client.handle_path_available(Instant::from_ms(world.now), one, PATH).unwrap();
    world.run(1_000);
    assert!(world.people[0].client.is_direct(two) && world.people[1].client.is_direct(one));
    world
}

impl<M: ServerMemory> World<M> {
    fn id(&self, at: usize) -> ClientId {
        self.people[at].client.id().unwrap()
    }

    /// Lets `ms` pass in steps of 1 ms; all speak and listen every 20 ms.
    fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.now += 1;
            let now = Instant::from_ms(self.now);
            if self.now.is_multiple_of(FRAME_MS) {
                self.tick(now);
            }
            self.server.handle_timeout(now);
            for person in &mut self.people {
                person.client.handle_timeout(now);
            }
            self.send(now);
            while let Some((to, packet)) = self.arrived() {
                self.deliver(now, to, packet);
                self.send(now);
            }
        }
    }

    fn tick(&mut self, now: Instant) {
        if self.speaking {
            let mut frame = [0; 60];
            frame[..4].copy_from_slice(&self.spoken.to_be_bytes());
            self.people[0].client.send_frame(now, &frame).unwrap();
            self.spoken += 1;
        }
        for person in &mut self.people {
            let speakers: Vec<_> = person.client.speakers().collect();
            for speaker in speakers {
                if let Sound::Play(frame) = person.client.next_frame(now, Duration::ZERO, speaker).sound {
                    person.played.push(u32::from_be_bytes(frame[..4].try_into().unwrap()));
                }
            }
        }
    }

    fn put(&mut self, after_ms: u64, to: To, packet: &[u8]) {
        self.packets += 1;
        self.on_the_way.insert((self.now + after_ms, self.packets), (to, packet.to_vec()));
    }

    fn arrived(&mut self) -> Option<(To, Vec<u8>)> {
        let entry = self.on_the_way.first_entry()?;
        (entry.key().0 <= self.now).then(|| entry.remove())
    }

    fn send(&mut self, now: Instant) {
        let mut out = [0; 1_200];
        for at in 0..self.people.len() {
            while let Some(event) = self.people[at].client.poll_event() {
                self.people[at].events.push(event);
            }
            while let Some(transmit) = self.people[at].client.poll_transmit(now, &mut out) {
                let packet = &out[..transmit.len];
                match transmit.to {
                    Route::Server => self.put(self.server_ms, To::Server(at, transmit.delivery), packet),
                    Route::Path(path) if self.people[at].path_refuses => {
                        self.people[at].client.handle_unsent(now, path, packet);
                    }
                    Route::Path(path) if self.people[at].path_works => {
                        self.put(self.direct_ms, To::Client(1 - at, Source::Path(path), transmit.delivery), packet);
                    }
                    _ => {}
                }
            }
        }
        while let Some(transmit) = self.server.poll_transmit(now, &mut out) {
            let to = self.people.iter().position(|person| transmit.to == Route::Client(person.connection));
            let to = To::Client(to.unwrap(), Source::Server, transmit.delivery);
            self.put(self.server_ms, to, &out[..transmit.len]);
        }
    }

    fn deliver(&mut self, now: Instant, to: To, mut packet: Vec<u8>) {
        match to {
            To::Client(at, from, delivery) => self.people[at].client.handle_packet(now, from, delivery, &packet),
            To::Server(at, delivery) => {
                self.relayed += u64::from(packet[0] >= 0x80);
                let mut copies = Vec::new();
                let mut forward = self.server.handle_packet(now, self.people[at].connection, delivery, &mut packet);
                while let Some((bytes, to)) = forward.next() {
                    copies.extend(to.iter().map(|to| (*to, bytes.to_vec())));
                }
                for (to, bytes) in copies {
                    let to = self.people.iter().position(|person| person.connection == to).unwrap();
                    self.put(self.server_ms, To::Client(to, Source::Server, Delivery::Unreliable), &bytes);
                }
            }
        }
    }

    /// Frames between the first and the last that this person played and that it did not play. Each was played once and in order.
    fn missed(&self, at: usize) -> Vec<u32> {
        let played = &self.people[at].played;
        assert!(played.is_sorted_by(|a, b| a < b), "twice or out of order: {played:?}");
        let (first, last) = (*played.first().unwrap(), *played.last().unwrap());
        (first..last).filter(|number| !played.contains(number)).collect()
    }
}

#[test]
fn voice_between_two_goes_directly_and_not_by_the_server() {
    let mut world = world(2, 5, 15, 4_096);
    world.speaking = true;
    world.run(2_000);
    assert_eq!(world.relayed, 0);
    assert_eq!(world.missed(1), []);
    assert!(world.people[1].played.len() > 90);
}

#[test]
fn others_hear_by_the_server_what_one_hears_directly() {
    let mut world = world(4, 5, 15, 4_096);
    world.speaking = true;
    world.run(2_000);
    for listener in 1..4 {
        assert_eq!(world.missed(listener), []);
        assert!(world.people[listener].played.len() > 90);
    }
    assert_eq!(world.people[1].client.drops().get(DropReason::Duplicate), 0);
}

#[test]
fn when_the_path_falls_silent_at_most_one_frame_is_lost_and_none_is_played_twice() {
    for (direct_ms, server_ms) in [(1, 1), (1, 10), (5, 8), (10, 10), (5, 15)] {
        for fails_after in [500, 503, 509, 511, 517, 519] {
            let mut world = world(2, direct_ms, server_ms, 4_096);
            world.speaking = true;
            world.run(fails_after);
            world.people[0].path_works = false;
            world.people[1].path_works = false;
            world.run(3_000);
            let missed = world.missed(1);
            assert!(missed.len() <= 1, "{direct_ms} ms, {server_ms} ms, {fails_after} ms: {missed:?}");
            let last = *world.people[1].played.last().unwrap();
            assert!(world.spoken - last <= 6, "nothing is heard after {last}");
        }
    }
}

#[test]
fn when_only_the_way_there_fails_at_most_one_frame_is_lost() {
    let mut world = world(2, 5, 10, 4_096);
    world.speaking = true;
    world.run(500);
    world.people[0].path_works = false;
    world.run(5_000);
    assert!(world.missed(1).len() <= 1, "{:?}", world.missed(1));
}

#[test]
fn when_only_the_way_back_fails_nothing_is_lost() {
    let mut world = world(2, 5, 10, 4_096);
    world.speaking = true;
    world.run(500);
    world.people[1].path_works = false;
    world.run(5_000);
    assert_eq!(world.missed(1), []);
}

#[test]
fn without_memory_for_frames_the_fallback_costs_what_was_on_its_way() {
    let mut world = world(2, 5, 10, 0);
    world.speaking = true;
    world.run(500);
    world.people[0].path_works = false;
    world.run(5_000);
    let missed = world.missed(1).len();
    assert!((1..=3).contains(&missed), "{missed}");
}

#[test]
fn a_path_that_comes_back_carries_voice_alone_again() {
    let mut world = world(2, 5, 10, 4_096);
    world.speaking = true;
    world.run(500);
    world.people[0].path_works = false;
    world.people[1].path_works = false;
    world.run(5_000);
    assert!(world.people[0].events.iter().any(|event| matches!(event, ClientEvent::DirectDown(_))));
    (world.people[0].path_works, world.people[1].path_works) = (true, true);
    world.run(7_000);
    let relayed = world.relayed;
    world.run(1_000);
    assert_eq!(world.relayed, relayed);
    assert!(world.missed(1).len() <= 1, "{:?}", world.missed(1));
}

#[test]
fn what_the_adapter_hands_back_is_relayed() {
    let mut world = world(2, 5, 10, 4_096);
    world.speaking = true;
    world.run(500);
    world.people[0].path_refuses = true;
    world.run(2_000);
    assert_eq!(world.missed(1), []);
    assert!(world.relayed > 90);
}

#[test]
fn a_path_that_is_lost_costs_nothing_when_the_adapter_says_so() {
    let mut world = world(2, 5, 10, 4_096);
    world.speaking = true;
    world.run(500);
    world.people[0].path_works = false;
    world.run(20);
    world.people[0].client.handle_path_lost(Instant::from_ms(world.now), PATH);
    world.run(2_000);
    assert_eq!(world.missed(1), []);
}
