//! One person in one session: the order of things.
//!
//! Everything is called from one thread, the AudioWorklet's. Input is given by `receive`, `render`, `take_microphone`, `take_encoded` and the wishes; [`Engine::turn`] then
//! does what is due and says what there is to fetch. No order of calls is wrong.

use voice_audio::{Activation, packet_samples};
use voice_core::{
    ChannelSlot, Client, ClientConfig, ClientEvent, ClientId, ClientStorage, CodecSettings, Delivery, EncoderAdvice,
    FrameLength, Instant, Message, PeerLink, PersonSlot, PlayoutConfig, Priority, RoomSlot, Route, SessionId, Source,
    SpeakerSlot, State, TalkTo, Target, TextError, Volume, playout_bytes,
};

use crate::{
    arrivals::Arrivals,
    clock::Clock,
    ears::{Ears, VOICES},
    json::Json,
    lines::{Lines, Refusal},
    mouth::{Mouth, NOTHING_DBFS},
    snapshot::{Scene, Snapshot},
    sound_clock::SoundClock,
    stats,
    tidings::Tidings,
    words,
};

/// Samples of the longest block that is rendered at once; browsers ask for 128.
pub const MAX_BLOCK: usize = 1_024;
/// Samples of the longest frame that is encoded: 60 ms.
pub const MAX_PCM: usize = 2_880;
/// Bytes of the longest packet.
const MAX_PACKET: usize = 1_200;
/// People who are known by name; those beyond are heard all the same.
const PEOPLE: usize = 256;
/// Bytes of the longest payload that is kept for playing: 20 ms at the highest bitrate, with room for its peaks.
const FRAME_BYTES: u16 = 400;
/// Frames of a speaker that may wait.
const FRAMES: usize = 16;
/// The least voice that is still intelligible, bit/s.
const LEAST_BITRATE: u32 = 8_000;
/// Levels are told so often.
const LEVELS_EVERY_US: u64 = 50_000;

type Memory = ClientStorage<Vec<PersonSlot>, Vec<RoomSlot>, Vec<ChannelSlot>, Vec<SpeakerSlot>, Vec<PeerLink>, Vec<u8>>;

/// What an engine is told once.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// What the others see: 1 to 64 bytes.
    pub name: &'a str,
    /// What the server wants to be told: at most 512 bytes.
    pub password: &'a [u8],
    /// Voice in bit/s before the network has a say; brought into 10,000 to 64,000.
    pub bitrate: u32,
    /// From the browser's own source of randomness.
    pub seed: u64,
}

/// What there is to fetch after a [turn](Engine::turn).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Due {
    /// [`Engine::poll_message`] has something.
    pub messages: bool,
    /// [`Engine::poll_tiding`] has something.
    pub tidings: bool,
    /// [`Engine::levels`] are new.
    pub levels: bool,
}

/// Whom a frame of the own voice is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameFor {
    /// The session.
    pub others: bool,
    /// The speaker, who wants to hear themselves.
    pub oneself: bool,
    /// It ends a talkspurt.
    pub last: bool,
}

/// One person in one session.
#[derive(Debug)]
pub struct Engine {
    client: Client<Memory>,
    clock: Clock,
    sound: SoundClock,
    mouth: Mouth,
    ears: Ears,
    lines: Lines,
    arrivals: Arrivals,
    name: String,
    priority: Priority,
    /// Those whose talkspurts come in.
    speaking: Vec<ClientId>,
    /// The session of those who were told of, and how many events the core had no room for.
    session: Option<SessionId>,
    events_dropped: u64,
    /// The last frame was sent, and the talkspurt goes on.
    sending: bool,
    /// A packet may wait.
    has_messages: bool,
    state_is_new: bool,
    levels_due_us: u64,
    snapshot: Snapshot,
    tidings: Tidings,
    stats: Json,
}

impl Engine {
    /// Makes an engine, with nearly all the memory that it will use. `None` if the name or the password is too long or the name empty.
    pub fn new(settings: Settings<'_>) -> Option<Self> {
        let mut config = ClientConfig::new(settings.name).filter(|_| !settings.name.is_empty())?;
        config.codec = CodecSettings { bitrate: settings.bitrate.clamp(10_000, 64_000), ..CodecSettings::DEFAULT };
        config.least_bitrate = LEAST_BITRATE;
        config.playout = PlayoutConfig { frame_bytes: FRAME_BYTES, ..PlayoutConfig::DEFAULT };
        // A page reaches nobody but the server.
        config.direct = false;
        let mut client = Client::new(config, settings.seed, storage());
        client.set_credential(settings.password).ok()?;
        Some(Self {
            client,
            clock: Clock::default(),
            sound: SoundClock::default(),
            mouth: Mouth::new()?,
            ears: Ears::new()?,
            lines: Lines::default(),
            arrivals: Arrivals::default(),
            name: settings.name.to_owned(),
            priority: Priority::Default,
            speaking: Vec::with_capacity(VOICES),
            session: None,
            events_dropped: 0,
            sending: false,
            has_messages: false,
            state_is_new: false,
            levels_due_us: 0,
            snapshot: Snapshot::default(),
            tidings: Tidings::default(),
            stats: Json::default(),
        })
    }

    /// Wants to be in the session.
    pub fn connect(&mut self, time_us: f64) {
        let now = self.clock.at(time_us);
        self.client.connect(now);
    }

    /// Wants to be in it no longer; what says so to the server is fetched by [`Engine::poll_message`].
    pub fn disconnect(&mut self, time_us: f64) {
        let now = self.clock.at(time_us);
        self.client.disconnect(now);
        self.sending = false;
    }

    /// The attempt for which there should be a connection; see [`voice_core::Client::transport_wanted`].
    pub fn transport_wanted(&self) -> Option<u32> {
        self.client.transport_wanted()
    }

    /// Both data channels are open.
    pub fn transport_up(&mut self, time_us: f64) {
        let now = self.clock.at(time_us);
        self.client.handle_connected(now);
    }

    /// The connection is gone, or couldn't be made.
    pub fn transport_down(&mut self, time_us: f64) {
        let now = self.clock.at(time_us);
        self.client.handle_disconnected(now);
    }

    /// The network is there again, or another one: the next attempt needn't wait.
    pub fn network_back(&mut self, time_us: f64) {
        let now = self.clock.at(time_us);
        self.client.handle_network_back(now);
    }

    /// Takes a message of a data channel that came at this time.
    pub fn receive(&mut self, time_us: f64, delivery: Delivery, message: &[u8]) {
        let now = self.clock.at(time_us);
        match delivery {
            Delivery::Reliable => self.client.handle_packet(now, Source::Server, delivery, message),
            Delivery::Unreliable => {
                for packet in adapter_kit::packets(message) {
                    self.client.handle_packet(now, Source::Server, delivery, packet);
                }
            }
        }
    }

    /// Puts the next message into `out`, in the place of what is there.
    pub fn poll_message(&mut self, time_us: f64, out: &mut Vec<u8>) -> Option<Delivery> {
        let now = self.clock.at(time_us);
        let mut packet = [0; MAX_PACKET];
        loop {
            let transmit = self.client.poll_transmit(now, &mut packet)?;
            let Route::Server = transmit.to else { continue };
            out.clear();
            match transmit.delivery {
                Delivery::Reliable => out.extend_from_slice(&packet[..transmit.len]),
                Delivery::Unreliable => adapter_kit::pack(&packet[..transmit.len], out),
            }
            return Some(transmit.delivery);
        }
    }

    /// Puts the lane's message into `out` that would say good-bye now, for a page that may be closed at any moment; see [`voice_core::Client::farewell`].
    /// False outside the session.
    pub fn farewell(&self, out: &mut Vec<u8>) -> bool {
        out.resize(MAX_PACKET, 0);
        let len = self.client.farewell(out);
        out.truncate(len.unwrap_or(0));
        len.is_some()
    }

    /// Hears a block of at most [`MAX_BLOCK`] samples, of which `sample` is the number of the first at 48 kHz.
    pub fn render(&mut self, time_us: f64, sample: u64, left: &mut [f32], right: &mut [f32]) {
        let now = self.clock.at(time_us);
        let samples = left.len().min(right.len()).min(MAX_BLOCK);
        let ahead = self.sound.ahead(now.as_us(), sample, samples as u64);
        self.ears.hear(now, ahead, &mut self.client, &mut left[..samples], &mut right[..samples]);
        if now.as_us() >= self.levels_due_us {
            self.levels_due_us = 0;
        }
    }

    /// Takes what the microphone gave, 48 kHz mono, as it comes; `None` where there is none. Before more is given, [`Engine::next_frame`] is to be asked.
    pub fn take_microphone(&mut self, samples: Option<&[f32]>) {
        if samples.is_some() && self.mouth.can_move() {
            let shift = self.client.take_frame_shift();
            self.mouth.leave_out(shift);
        }
        self.mouth.push(samples);
    }

    /// The next frame of the microphone that is to be encoded: whom it is for, and its samples.
    pub fn next_frame(&mut self) -> Option<(FrameFor, &[i16])> {
        loop {
            let spoken = self.mouth.pull()?;
            let wanted = FrameFor { others: self.may_send(), oneself: self.ears.hears_self(), last: spoken.last };
            if wanted.others || wanted.oneself {
                return Some((wanted, self.mouth.pcm()));
            }
            self.sending = false;
        }
    }

    /// Takes a frame that was encoded.
    pub fn take_encoded(&mut self, time_us: f64, wanted: FrameFor, packet: &[u8]) {
        let now = self.clock.at(time_us);
        if wanted.oneself {
            self.ears.take_own(packet, wanted.last);
        }
        if wanted.others {
            self.send(now, packet, wanted.last);
        }
    }

    fn send(&mut self, now: Instant, packet: &[u8], last: bool) {
        // The encoder may be a frame or two behind the advice: what it has made says how long it is.
        let Some(length) = frame_length(packet) else { return };
        if length != self.client.frame_length() {
            self.client.set_frame_length(now, length);
        }
        let sent = self.client.send_frame(now, packet).is_ok();
        if sent && last {
            self.client.end_talkspurt(now);
        }
        self.sending = sent && !last;
        self.has_messages = true;
    }

    /// Whether somebody would get what is said.
    fn may_send(&self) -> bool {
        let joined = matches!(self.client.state(), State::Connected | State::Degraded);
        joined && self.lines.is_open() && !self.client.is_unheard() && !self.client.is_server_muted()
    }

    /// What the encoder should do.
    pub fn encoder_advice(&self) -> EncoderAdvice {
        self.client.encoder_advice()
    }

    /// Does what is due, and says what there is to fetch.
    pub fn turn(&mut self, time_us: f64) -> Due {
        let now = self.clock.at(time_us);
        if self.client.poll_timeout().is_some_and(|due| due <= now) {
            self.client.handle_timeout(now);
            self.has_messages = true;
        }
        while let Some(event) = self.client.poll_event() {
            self.on_event(now, event);
        }
        self.catch_up(now);
        self.follow_lines(now);
        self.arrivals.look(now, &self.client);
        let (snapshot, scene) = self.scene();
        self.state_is_new |= snapshot.look(now, &scene);
        let levels = self.levels_due_us == 0;
        if levels {
            self.levels_due_us = now.as_us() + LEVELS_EVERY_US;
        }
        let messages =
            std::mem::take(&mut self.has_messages) || self.client.poll_timeout().is_some_and(|due| due <= now);
        Due { messages, tidings: self.state_is_new || !self.tidings.is_empty(), levels }
    }

    /// Where more happened at once than the core has room to tell, as when hundreds leave: whoever is gone is forgotten all the same.
    fn catch_up(&mut self, now: Instant) {
        let Self { client, ears, speaking, .. } = self;
        let dropped = client.counters().events_dropped;
        if std::mem::replace(&mut self.events_dropped, dropped) == dropped {
            return;
        }
        ears.keep(|id| client.person(id).is_some());
        speaking.retain(|id| client.speakers().any(|speaker| speaker == *id));
        self.lines.catch_up(now, &mut self.client);
        self.snapshot.touch();
    }

    fn follow_lines(&mut self, now: Instant) {
        let had_too_many = self.lines.too_many;
        self.lines.follow(now, &mut self.client);
        if self.lines.too_many && !had_too_many {
            self.tidings.notice("You can speak to eight rooms or people at once; the others don't hear you.");
        }
    }

    fn on_event(&mut self, now: Instant, event: ClientEvent) {
        match event {
            ClientEvent::StartedSpeaking(id) if !self.speaking.contains(&id) => self.speaking.push(id),
            ClientEvent::StartedSpeaking(_) => {}
            ClientEvent::StoppedSpeaking(id) => self.speaking.retain(|speaking| *speaking != id),
            ClientEvent::Left(id) => {
                self.ears.forget(id);
                self.snapshot.touch();
            }
            ClientEvent::ServerMuted(muted) => self.mouth.set_permitted(!muted),
            ClientEvent::ChannelClosed(channel) => {
                self.lines.on_channel_closed(now, channel);
                self.snapshot.touch();
            }
            ClientEvent::RoomClosed { room, reason } => {
                if let Some(name) = self.lines.on_room_closed(room) {
                    let why = words::room_closed(reason);
                    self.tidings.notice(&format!("You are no longer in the room {name}: {why}."));
                }
                self.snapshot.touch();
            }
            ClientEvent::TextReceived => self.take_texts(),
            ClientEvent::TextRefused { number, reason } => {
                self.tidings.text_refused(number, words::text_refused(reason));
            }
            ClientEvent::StateChanged(state) => {
                self.sending &= matches!(state, State::Connected | State::Degraded);
                if self.client.session() != self.session {
                    // Ids are others' now.
                    self.session = self.client.session();
                    self.ears.keep(|_| false);
                    self.speaking.clear();
                }
                self.snapshot.touch();
            }
            // Names, rooms, people.
            _ => self.snapshot.touch(),
        }
    }

    fn take_texts(&mut self) {
        while let Some(message) = self.client.take_message() {
            let Message::Text { from, target, text } = message else { continue };
            let text = text.to_owned();
            let room = match target {
                Target::Room(room) => Some(room.get()),
                Target::Client(_) => None,
            };
            let name = self.client.person(from).map_or("", |person| person.name());
            self.tidings.text(from, name, room, &text);
        }
    }

    /// The next thing that the page should know, as JSON; state comes after all else.
    pub fn poll_tiding(&mut self) -> Option<&str> {
        if !self.tidings.is_empty() {
            return self.tidings.take();
        }
        if !std::mem::take(&mut self.state_is_new) {
            return None;
        }
        let (snapshot, scene) = self.scene();
        Some(snapshot.write(&scene))
    }

    fn scene(&mut self) -> (&mut Snapshot, Scene<'_, Memory>) {
        let Self { client, mouth, ears, lines, arrivals, speaking, name, priority, sending, snapshot, .. } = self;
        let (priority, sending) = (*priority, *sending);
        (snapshot, Scene { client, mouth, ears, lines, arrivals, speaking, name, priority, sending })
    }

    /// Writes levels: the microphone's in dBFS, 1 or 0 for whether it is open, then id and dBFS of everybody who sounds. Returns how many numbers there are;
    /// who finds no room is left out.
    pub fn levels(&self, out: &mut [f32]) -> usize {
        let [microphone, open, people @ ..] = out else { return 0 };
        *microphone = self.mouth.level_dbfs();
        *open = f32::from(u8::from(self.mouth.is_open()));
        let mut pairs = people.chunks_exact_mut(2);
        let mut written = 2;
        for speaker in self.client.speakers() {
            let level = self.ears.level_dbfs(speaker).filter(|level| *level > NOTHING_DBFS);
            let (Some(level), true) = (level, self.ears.is_audible(speaker)) else { continue };
            let Some(pair) = pairs.next() else { break };
            pair.copy_from_slice(&[f32::from(speaker.get()), level]);
            written += 2;
        }
        written
    }

    /// What the page shows of the connection, as JSON.
    pub fn stats(&mut self) -> &str {
        stats::write(&self.client, self.sound.underruns(), &mut self.stats);
        self.stats.as_str()
    }

    /// Wants to be in a room.
    ///
    /// # Errors
    /// [`Refusal::BadText`] for a name that isn't 1 to 64 bytes long, [`Refusal::TooMany`] for more than 32 rooms.
    pub fn join(&mut self, time_us: f64, room: &str) -> Result<(), Refusal> {
        let now = self.clock.at(time_us);
        self.snapshot.touch();
        self.lines.join(now, &mut self.client, room)
    }

    /// Wants to be in a room no longer.
    pub fn leave(&mut self, time_us: f64, room: &str) {
        let now = self.clock.at(time_us);
        self.snapshot.touch();
        self.lines.leave(now, &mut self.client, room);
    }

    /// Wants to speak to a room it is in, or not to.
    pub fn talk_to(&mut self, room: &str, on: bool) {
        self.snapshot.touch();
        self.lines.talk(room, on);
    }

    /// Wants to whisper to somebody, or not to. While there is anybody, rooms hear nothing.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] if it isn't somebody else of the session.
    pub fn whisper(&mut self, time_us: f64, to: ClientId, on: bool) -> Result<(), Refusal> {
        let now = self.clock.at(time_us);
        if on && (Some(to) == self.client.id() || self.client.person(to).is_none()) {
            return Err(Refusal::Unknown);
        }
        self.snapshot.touch();
        self.lines.whisper(now, &mut self.client, to, on);
        Ok(())
    }

    /// Sets what makes a talkspurt.
    pub fn set_activation(&mut self, activation: Activation) {
        self.mouth.set_activation(activation);
    }

    /// Sets the level from which voice activation takes a sound for speech, -100 to 0 dBFS.
    pub fn set_threshold(&mut self, dbfs: f32) {
        self.mouth.set_threshold(dbfs);
    }

    /// The key of push-to-talk is held, or let go.
    pub fn set_pressed(&mut self, pressed: bool) {
        self.mouth.set_pressed(pressed);
    }

    /// Sends nothing, whatever is said.
    pub fn set_muted(&mut self, time_us: f64, muted: bool) {
        let now = self.clock.at(time_us);
        self.client.set_muted(now, muted);
        self.mouth.set_muted(muted);
    }

    /// Hears nobody.
    pub fn set_deafened(&mut self, time_us: f64, deafened: bool) {
        let now = self.clock.at(time_us);
        self.client.set_deafened(now, deafened);
    }

    /// Sets how important the own voice is.
    pub fn set_priority(&mut self, time_us: f64, priority: Priority) {
        let now = self.clock.at(time_us);
        self.priority = priority;
        self.client.set_default_priority(now, priority);
    }

    /// Mutes somebody for this person. Whoever isn't there is ignored.
    pub fn mute_person(&mut self, time_us: f64, person: ClientId, muted: bool) {
        let now = self.clock.at(time_us);
        _ = self.client.set_client_muted(now, person, muted);
    }

    /// Sets how loud somebody is, at most 200 percent. Whoever isn't there is ignored.
    pub fn set_volume(&mut self, person: ClientId, percent: u8) {
        _ = self.client.set_client_volume(person, Volume::new(percent).unwrap_or(Volume::MAX));
    }

    /// Places somebody, in metres to the right and ahead; `None`: in the middle.
    pub fn place(&mut self, person: ClientId, position: Option<[f32; 2]>) {
        self.ears.place(person, position);
    }

    /// Sets from how many metres on placed voices fade, and from where on nothing is heard of them.
    pub fn set_space(&mut self, near: f32, far: f32) {
        self.ears.set_space(near, far);
    }

    /// Hears oneself as the others would, or no longer.
    pub fn set_hear_self(&mut self, on: bool) {
        self.ears.set_hear_self(on);
    }

    /// Writes to a room that it is in; gives the text's number, by which a refusal names it.
    ///
    /// # Errors
    /// Every [`Refusal`].
    pub fn write_to_room(&mut self, time_us: f64, room: &str, text: &str) -> Result<u16, Refusal> {
        let handle = self.lines.room(room).ok_or(Refusal::Unknown)?.handle;
        self.write(time_us, TalkTo::Room(handle), text)
    }

    /// Writes to a person alone; else as [`Engine::write_to_room`].
    ///
    /// # Errors
    /// Every [`Refusal`].
    pub fn write_to_person(&mut self, time_us: f64, person: ClientId, text: &str) -> Result<u16, Refusal> {
        self.client.person(person).ok_or(Refusal::Unknown)?;
        self.write(time_us, TalkTo::Client(person), text)
    }

    fn write(&mut self, time_us: f64, to: TalkTo, text: &str) -> Result<u16, Refusal> {
        let now = self.clock.at(time_us);
        self.client.send_text(now, to, text).map_err(|error| match error {
            TextError::NotConnected => Refusal::NotConnected,
            TextError::BadLength => Refusal::BadText,
            TextError::NoSuchRoom => Refusal::Unknown,
            TextError::QueueFull => Refusal::TooMany,
        })
    }
}

fn storage() -> Memory {
    ClientStorage {
        roster: vec![PersonSlot::EMPTY; PEOPLE],
        rooms: vec![RoomSlot::EMPTY; 32],
        channels: vec![ChannelSlot::EMPTY; 8],
        speakers: vec![SpeakerSlot::EMPTY; VOICES],
        peers: Vec::new(),
        frames: vec![0; VOICES * playout_bytes(FRAME_BYTES.into(), FRAMES)],
        inbox: vec![0; 16_384],
        outbox: vec![0; 16_384],
        voice: vec![0; 4_096],
        retained: Vec::new(),
        credential: vec![0; 512],
    }
}

/// How long the frame in a packet is; `None` for what no session carries.
fn frame_length(packet: &[u8]) -> Option<FrameLength> {
    let ms = packet_samples(packet).ok()? / 48;
    FrameLength::from_ms(u8::try_from(ms).ok()?)
}
