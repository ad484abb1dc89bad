use adapter_sim::{
    net::Preset,
    world::{People, PersonConfig, PersonId, World},
};
use voice_core::{ChannelOptions, ClientId, Frame, RoomUse, Sound, TalkTo};

const SECOND: u64 = 1_000_000;
const PEOPLE: u16 = 6;

/// When what was heard of whom: the frame's own number, or how long something else was.
type Log = Vec<(u64, ClientId, Result<u32, u32>)>;

/// People who speak by turns, two at a time, and what each of them heard.
struct Talk {
    may_wait: bool,
    spoken: u32,
    heard: Vec<Log>,
}

fn speaks(now: u64, person: PersonId) -> bool {
    let turn = (now / SECOND / 2) as u16;
    now > 2 * SECOND && (turn % PEOPLE == person || turn * 5 % PEOPLE == person)
}

impl People for Talk {
    fn speak(&mut self, now: u64, person: PersonId) -> Option<Vec<u8>> {
        speaks(now, person).then(|| {
            self.spoken += 1;
            self.spoken.to_be_bytes().to_vec()
        })
    }

    fn hear(&mut self, now: u64, listener: PersonId, speaker: ClientId, frame: &Frame<'_>) -> u32 {
        let what = match frame.sound {
            Sound::Play(payload) => Ok(payload.iter().fold(0, |sum, byte| sum * 31 + u32::from(*byte))),
            _ => Err(frame.length_us),
        };
        self.heard[usize::from(listener)].push((now, speaker, what));
        frame.length_us
    }

    fn quiet_until(&self, now: u64, person: PersonId) -> u64 {
        // By turns of two seconds: until then nothing changes.
        if self.may_wait && !speaks(now, person) { (now / SECOND / 2 + 1) * SECOND * 2 } else { 0 }
    }
}

fn run(seed: u64, preset: &Preset, may_wait: bool) -> (u64, Vec<Log>) {
    let mut world = World::new(seed, PEOPLE.into(), 1);
    world.start_server();
    for number in 0..PEOPLE {
        let mut config = PersonConfig::new(&number.to_string(), preset);
        config.drift_ppm = i32::from(number) * 40 - 100;
        let person = world.add_person(config);
        world.command(person, |now, client| {
            let room = client.use_room(now, "Lobby", RoomUse::Both).unwrap();
            client.open_channel(now, TalkTo::Room(room), ChannelOptions::DEFAULT).unwrap();
        });
        world.connect(person);
    }
    let mut talk = Talk { may_wait, spoken: 0, heard: vec![Log::new(); PEOPLE.into()] };
    // In spans of no whole number of ticks: whoever stops the clock finds everything done.
    (0..123).for_each(|step| world.run_until((step + 1) * 163_841, &mut talk));
    (world.network().trace().hash(), talk.heard)
}

#[test]
fn who_lets_ticks_wait_hears_the_same_at_the_same_times_on_every_network() {
    for (seed, preset) in (1..).zip(&Preset::ALL) {
        let (told_at_once, told_later) = (run(seed, preset, false), run(seed, preset, true));
        assert_eq!(told_at_once.0, told_later.0, "{}: the traces differ", preset.name);
        assert!(told_at_once.1 == told_later.1, "{}: what was heard differs", preset.name);
        assert!(told_at_once.1.iter().all(|log| log.len() > 200), "{}: hardly anything was heard", preset.name);
    }
}
