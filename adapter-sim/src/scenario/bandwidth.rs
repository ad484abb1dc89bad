//! The bandwidth table of the contract, with real packets.

use voice_core::{ChannelOptions, RoomUse, TalkTo};

use crate::{
    net::Preset,
    world::{People, PersonConfig, PersonId, World},
};

const SECOND: u64 = 1_000_000;

/// Kilobits per second of voice, up and down, for the speaker, one listener and the server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bandwidth {
    /// Of the speaker.
    pub speaker: (f64, f64),
    /// Of one listener.
    pub listener: (f64, f64),
    /// Of the server.
    pub server: (f64, f64),
}

/// One speaker and three listeners for some seconds at 20 kbit/s: voice packets as the cores count them, payload and header.
pub fn bandwidth(seed: u64, seconds: u64, direct: bool) -> Bandwidth {
    struct Tone(u64);
    impl People for Tone {
        fn speak(&mut self, now: u64, person: PersonId) -> Option<Vec<u8>> {
            (person == 0 && now >= self.0).then(|| vec![0x55; 50])
        }
    }
    let mut world = World::new(seed, 64, 4);
    world.start_server();
    for person in 0..4 {
        let mut config = PersonConfig::new(&format!("person-{person}"), &Preset::LAN);
        config.direct = direct;
        let id = world.add_person(config);
        world.command(id, |now, client| {
            let room = client.use_room(now, "room", RoomUse::Both).expect("a free room");
            client.open_channel(now, TalkTo::Room(room), ChannelOptions::DEFAULT).expect("a free channel");
        });
        world.connect(id);
    }
    let start = 5 * SECOND;
    let mut tone = Tone(start);
    world.run_until(start, &mut tone);
    let greetings = |world: &World, person: PersonId| {
        let counters = world.client(person).counters();
        (counters.direct_out.bytes, counters.direct_in.bytes)
    };
    let before: Vec<(u64, u64)> = (0..4).map(|person| greetings(&world, person)).collect();
    world.run_until(start + seconds * SECOND, &mut tone);
    let kbit = |bytes: u64| bytes as f64 * 8.0 / 1_000.0 / seconds as f64;
    let client = |person: PersonId| {
        let counters = world.client(person).counters();
        let (out, inward) = before[usize::from(person)];
        let direct = (counters.direct_out.bytes - out, counters.direct_in.bytes - inward);
        (kbit(counters.voice_out.bytes + direct.0), kbit(counters.voice_in.bytes + direct.1))
    };
    let (speaker, listener) = (client(0), client(1));
    let server = world
        .server()
        .map_or((0.0, 0.0), |server| (kbit(server.counters().voice_out.bytes), kbit(server.counters().voice_in.bytes)));
    Bandwidth { speaker, listener, server }
}
