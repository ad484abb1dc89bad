//! Five people talk all the time to a listener whose downlink is too narrow for them, and follow what the listener reports, or don't.

use voice_core::{
    ChannelOptions, ClientEvent, ClientId, EncoderAdvice, Frame, FrameLength, Instant, RoomUse, Sound, TalkTo,
    wire::{Packet, Voice},
};

use crate::{
    net::{LinkProfile, PacketBytes, Preset},
    world::{HeapClient, People, PersonConfig, PersonId, World},
};

const SECOND: u64 = 1_000_000;
const SPEAKERS: u16 = 5;
const LISTENER: PersonId = SPEAKERS;
/// Everybody has joined before anybody speaks.
const START: u64 = 3 * SECOND;
/// One row of the table, s.
const ROW: u64 = 5;
/// The link counts the bytes of IP and UDP too, 28 B for each packet.
const NARROW: Preset = Preset {
    name: "narrow",
    about: "64 kbit/s down, with a queue of half a second; our choice",
    up: LinkProfile { delay_us: 20_000, ..LinkProfile::PERFECT },
    down: LinkProfile { delay_us: 20_000, bits_per_second: 64_000, queue_bytes: 4_000, ..LinkProfile::PERFECT },
};

/// What became of the voices in a span of time.
#[derive(Debug, Clone, PartialEq)]
pub struct BottleneckRow {
    /// Where the span begins, s since the first word.
    pub second: u64,
    /// Bitrate that each speaker uses at its end, bit/s.
    pub bitrates: Vec<u32>,
    /// Frame length of each speaker at its end, ms.
    pub frame_ms: Vec<u8>,
    /// Steps of bitrate or frame length, of each speaker.
    pub steps: Vec<u32>,
    /// Packets that the link lost, of those that were sent.
    pub loss_percent: f64,
    /// Frames that came when their time to be played had passed, of those that came.
    pub late_percent: f64,
    /// Time that packets waited for the link, in the middle and at the 95th percentile, ms.
    pub queue_ms: (f64, f64),
    /// Growth of the delay that the worst summary told of, ms.
    pub growth_ms: u16,
    /// Frames that the listener played, of those that it pulled while somebody spoke.
    pub played_percent: f64,
}

/// Five speakers and a listener.
#[derive(Debug, Clone, Copy)]
pub struct Bottleneck {
    /// Links of the speakers.
    pub speakers: Preset,
    /// Link of the listener.
    pub listener: Preset,
    /// Whether speakers follow the advice of their clients; otherwise they speak at 24 kbit/s in frames of 20 ms, whatever is reported.
    pub adapts: bool,
    /// When the listener's link becomes like the speakers', s since the first word.
    pub widens_at: Option<u64>,
}

impl Bottleneck {
    /// The listener's downlink has 64 kbit/s and a queue of half a second; the speakers have quiet home networks.
    pub const NARROW: Self = Self { speakers: Preset::HOME_WIFI, listener: NARROW, adapts: true, widens_at: None };

    /// Runs for so many seconds of talk.
    pub fn run(&self, seed: u64, seconds: u64) -> Vec<BottleneckRow> {
        let mut world = self.world(seed);
        let mut talk = Talk::new(self.adapts, &world);
        let mut rows = Vec::new();
        for second in (0..seconds).step_by(usize::try_from(ROW).expect("a few")) {
            if self.widens_at.is_some_and(|at| second >= at) {
                let endpoint = world.endpoint(LISTENER);
                world.net().set_preset(endpoint, &self.speakers);
            }
            world.run_until(START + (second + ROW).min(seconds) * SECOND, &mut talk);
            rows.push(talk.row(second, &world));
        }
        rows
    }

    fn world(&self, seed: u64) -> World {
        let mut world = World::new(seed, 16, 2);
        world.start_server();
        for person in 0..=SPEAKERS {
            let (preset, room_use) = match person {
                LISTENER => (&self.listener, RoomUse::Listen),
                _ => (&self.speakers, RoomUse::Speak),
            };
            let id = world.add_person(PersonConfig::new(&format!("person-{person}"), preset));
            world.command(id, |now, client| {
                let room = client.use_room(now, "room", room_use).expect("a free room");
                if room_use.speaks() {
                    client.open_channel(now, TalkTo::Room(room), ChannelOptions::DEFAULT).expect("a free channel");
                }
            });
            world.connect(id);
        }
        world
    }
}

struct Speaking {
    advice: EncoderAdvice,
    steps: u32,
}

struct Talk {
    adapt: bool,
    speakers: Vec<Speaking>,
    sent: u64,
    /// Time from sending to arrival of every packet, µs.
    under_way: Vec<u64>,
    /// The least ever: without a queue.
    least: u64,
    late_before: u32,
    growth_ms: u16,
    pulled: u64,
    played: u64,
}

impl Talk {
    fn new(adapt: bool, world: &World) -> Self {
        let speaking = |person| Speaking { advice: world.client(person).encoder_advice(), steps: 0 };
        Self {
            adapt,
            speakers: (0..SPEAKERS).map(speaking).collect(),
            sent: 0,
            under_way: Vec::new(),
            least: u64::MAX,
            late_before: 0,
            growth_ms: 0,
            pulled: 0,
            played: 0,
        }
    }

    /// What happened since the last row.
    fn row(&mut self, second: u64, world: &World) -> BottleneckRow {
        let listener = world.client(LISTENER);
        let ids = (0..SPEAKERS).filter_map(|person| world.client(person).id());
        let late: u32 = ids.filter_map(|id| listener.speaker_stats(id)).map(|stats| stats.late).sum();
        let came = std::mem::take(&mut self.under_way);
        let waited = |part: usize| {
            let mut sorted = came.clone();
            sorted.sort_unstable();
            sorted.get(sorted.len() * part / 100).map_or(0.0, |time| (time - self.least) as f64 / 1e3)
        };
        let percent = |part: f64, of: f64| if of > 0.0 { 100.0 * part / of } else { 0.0 };
        let sent = std::mem::take(&mut self.sent);
        let row = BottleneckRow {
            second,
            bitrates: self.speakers.iter().map(|speaker| speaker.advice.bitrate).collect(),
            frame_ms: self.speakers.iter().map(|speaker| speaker.advice.frame_length.ms()).collect(),
            steps: self.speakers.iter().map(|speaker| speaker.steps).collect(),
            loss_percent: percent(sent.saturating_sub(came.len() as u64) as f64, sent as f64),
            late_percent: percent(f64::from(late - self.late_before), came.len() as f64),
            queue_ms: (waited(50), waited(95)),
            growth_ms: std::mem::take(&mut self.growth_ms),
            played_percent: percent(self.played as f64, self.pulled as f64),
        };
        self.speakers.iter_mut().for_each(|speaker| speaker.steps = 0);
        (self.late_before, self.pulled, self.played) = (late, 0, 0);
        row
    }
}

impl People for Talk {
    fn speak(&mut self, now: u64, person: PersonId) -> Option<Vec<u8>> {
        if now < START {
            return None;
        }
        let EncoderAdvice { bitrate, frame_length, .. } = self.speakers.get(usize::from(person))?.advice;
        self.sent += 1;
        let mut payload = vec![0; frame_bytes(bitrate, frame_length)];
        payload[..8].copy_from_slice(&now.to_be_bytes());
        Some(payload)
    }

    fn hear(&mut self, _: u64, _: PersonId, _: ClientId, frame: &Frame<'_>) -> u32 {
        self.pulled += u64::from(frame.length_us);
        self.played += if matches!(frame.sound, Sound::Play(_)) { u64::from(frame.length_us) } else { 0 };
        frame.length_us
    }

    fn event(&mut self, now: u64, person: PersonId, event: &ClientEvent, client: &mut HeapClient) {
        let Some(speaker) = self.speakers.get_mut(usize::from(person)) else { return };
        if *event == ClientEvent::AdviceChanged && self.adapt {
            let advice = client.encoder_advice();
            let step = |advice: &EncoderAdvice| (advice.bitrate, advice.frame_length);
            speaker.steps += u32::from(step(&advice) != step(&speaker.advice));
            speaker.advice = advice;
            client.set_frame_length(Instant::from_us(now), advice.frame_length);
        }
    }

    fn arrived(&mut self, now: u64, at: PersonId, _: bool, bytes: &PacketBytes) {
        if at != LISTENER {
            return self.note_summary(bytes);
        }
        let Ok(voice) = Voice::decode(bytes) else { return };
        let Some(sent) = voice.payload.first_chunk().map(|stamp| u64::from_be_bytes(*stamp)) else { return };
        self.under_way.push(now - sent);
        self.least = self.least.min(now - sent);
    }
}

impl Talk {
    fn note_summary(&mut self, bytes: &[u8]) {
        if let Ok(Packet::Summary(summary)) = Packet::decode(bytes) {
            self.growth_ms = self.growth_ms.max(summary.hearing.growth_ms());
        }
    }
}

fn frame_bytes(bitrate: u32, length: FrameLength) -> usize {
    usize::try_from(bitrate * u32::from(length.ms()) / 8_000).expect("a frame is small")
}
