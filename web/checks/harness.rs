//! A real server and engines who join it, on a virtual clock that steps by one block of sound. Packets are passed by hand.

use std::{collections::VecDeque, f32::consts::TAU};

use consonance_web::{Engine, FrameFor, Settings};
use serde_json::Value;
use voice_audio::{Activation, EncoderConfig, OpusEncoder};
use voice_core::{
    Connection, ConnectionId, Delivery, Instant, PendingJoin, Post, Room, Route, Seat, Server, ServerConfig,
    ServerEvent, ServerStorage, server_storage_vec,
};

type TestServer = Server<
    ServerStorage<Vec<Seat>, Vec<Room>, Vec<u64>, Vec<Connection>, Vec<Post>, Vec<PendingJoin>, Vec<ConnectionId>>,
>;

type Loses = Box<dyn FnMut(usize, &[u8]) -> bool>;

/// Samples of a block.
const BLOCK: usize = 128;
/// Blocks from sending to arriving: 5 ms.
const LATENCY: u64 = 2;

pub(crate) struct Person {
    pub(crate) engine: Engine,
    encoder: OpusEncoder,
    connection: Option<ConnectionId>,
    attempt: Option<u32>,
    /// The pitch of what the microphone hears, Hz, and how loud it is.
    pub(crate) says: Option<(f32, f32)>,
    /// Whether there is a microphone.
    pub(crate) microphone: bool,
    /// Nothing comes through, and nobody is told.
    pub(crate) cut: bool,
    pub(crate) left: Vec<f32>,
    pub(crate) right: Vec<f32>,
    pub(crate) state: Value,
    pub(crate) tidings: Vec<Value>,
    pub(crate) states_told: usize,
}

struct Flight {
    at: u64,
    /// To the server from this person, or to the person.
    to_server: bool,
    who: usize,
    connection: ConnectionId,
    delivery: Delivery,
    bytes: Vec<u8>,
}

pub(crate) struct Stage {
    pub(crate) block: u64,
    pub(crate) server: TestServer,
    pub(crate) people: Vec<Person>,
    flights: VecDeque<Flight>,
    /// So many blocks are asked for at once.
    pub(crate) bunch: u64,
    /// Whether a voice packet for a person gets lost.
    pub(crate) loses: Loses,
}

impl Stage {
    /// So many people in the room Lobby, whose voice is always open.
    pub(crate) fn new(people: usize) -> Self {
        let mut stage = Self {
            block: 0,
            server: Server::new(ServerConfig::DEFAULT, 11, server_storage_vec!(clients: 12, rooms: 6)),
            people: Vec::new(),
            flights: VecDeque::new(),
            bunch: 1,
            loses: Box::new(|_, _| false),
        };
        for _ in 0..people {
            stage.add();
        }
        stage.run(500);
        stage
    }

    pub(crate) fn add(&mut self) -> usize {
        let who = self.people.len();
        let name = format!("person-{who}");
        let settings = Settings { name: &name, password: b"", bitrate: 32_000, seed: 100 + who as u64 };
        let mut engine = Engine::new(settings).unwrap();
        let now = self.time();
        engine.set_activation(Activation::Open);
        engine.join(now, "Lobby").unwrap();
        engine.connect(now);
        self.people.push(Person {
            engine,
            encoder: OpusEncoder::new(EncoderConfig { bitrate: 32_000, ..EncoderConfig::default() }).unwrap(),
            connection: None,
            attempt: None,
            says: None,
            microphone: true,
            cut: false,
            left: Vec::new(),
            right: Vec::new(),
            state: Value::Null,
            tidings: Vec::new(),
            states_told: 0,
        });
        who
    }

    /// Microseconds, as a page would tell them: whole milliseconds.
    pub(crate) fn time(&self) -> f64 {
        (self.now().as_us() / 1_000 * 1_000) as f64
    }

    fn now(&self) -> Instant {
        Instant::from_us(1_700_000_000_000_000 + self.block * BLOCK as u64 * 125 / 6)
    }

    pub(crate) fn id(&self, who: usize) -> voice_core::ClientId {
        let id = self.people[who].state["me"]["id"].as_u64().unwrap();
        voice_core::ClientId::new(u16::try_from(id).unwrap()).unwrap()
    }

    /// Does something with an engine at the present time.
    pub(crate) fn act<R>(&mut self, who: usize, what: impl FnOnce(f64, &mut Engine) -> R) -> R {
        let now = self.time();
        what(now, &mut self.people[who].engine)
    }

    /// What a person is told of another one.
    pub(crate) fn person(&self, at: usize, of: usize) -> Value {
        let id = self.id(of).get();
        let people = self.people[at].state["people"].as_array().unwrap();
        people.iter().find(|person| person["id"] == id).cloned().unwrap_or(Value::Null)
    }

    /// Why a person doesn't hear another one; "heard" or "soon" if they do.
    pub(crate) fn unheard(&self, at: usize, of: usize) -> String {
        let person = self.person(at, of);
        match person["unheard"].as_str() {
            Some(why) => why.to_owned(),
            None if person["audible"] == true => "heard".to_owned(),
            None => "soon".to_owned(),
        }
    }

    /// Lets these people say a tone each, for so long, and clears before what was heard.
    pub(crate) fn speak(&mut self, who: &[usize], ms: u64) {
        for person in &mut self.people {
            (person.says, person.left, person.right) = (None, Vec::new(), Vec::new());
        }
        who.iter().for_each(|&who| self.people[who].says = Some((tone(who), 0.2)));
        self.run(ms);
    }

    /// How loud somebody's tone was at a listener, in both ears, where 1 is full scale.
    pub(crate) fn loudness(&self, at: usize, of: usize) -> [f32; 2] {
        let person = &self.people[at];
        [&person.left, &person.right].map(|ear| amplitude(&ear[ear.len() / 2..], tone(of)))
    }

    pub(crate) fn hears(&self, at: usize, of: usize) -> bool {
        self.loudness(at, of).iter().any(|ear| *ear > 0.02)
    }

    pub(crate) fn run(&mut self, ms: u64) {
        for _ in 0..ms * 48 / BLOCK as u64 {
            self.block += 1;
            if self.block.is_multiple_of(self.bunch) {
                let begin = self.block + 1 - self.bunch;
                (begin..=self.block).for_each(|block| (0..self.people.len()).for_each(|who| self.sound(who, block)));
            }
            self.land();
            let now = self.now();
            self.server.handle_timeout(now);
            (0..self.people.len()).for_each(|who| self.turn(who));
            self.send_from_server();
        }
    }

    fn sound(&mut self, who: usize, block: u64) {
        let (now, begin) = (self.time(), block * BLOCK as u64);
        let person = &mut self.people[who];
        let (mut left, mut right, mut spoken) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
        if let Some((pitch, loud)) = person.says {
            for (at, sample) in spoken.iter_mut().enumerate() {
                let seconds = ((begin + at as u64) % 48_000) as f32 / 48_000.0;
                *sample = loud * (TAU * pitch * seconds).sin();
            }
        }
        let microphone = person.microphone.then_some(&spoken[..]);
        person.engine.render(now, begin, &mut left, &mut right);
        person.engine.take_microphone(microphone);
        person.left.extend_from_slice(&left);
        person.right.extend_from_slice(&right);
        let mut encoded: Vec<(FrameFor, Vec<u8>)> = Vec::new();
        while let Some((wanted, pcm)) = person.engine.next_frame() {
            let mut packet = [0; 400];
            let len = person.encoder.encode(pcm, &mut packet).unwrap();
            encoded.push((wanted, packet[..len].to_vec()));
        }
        for (wanted, packet) in encoded {
            person.engine.take_encoded(now, wanted, &packet);
        }
    }

    fn turn(&mut self, who: usize) {
        let now = self.time();
        let at = self.block + LATENCY;
        let person = &mut self.people[who];
        let due = person.engine.turn(now);
        let mut out = Vec::new();
        while let Some(delivery) = due.messages.then(|| person.engine.poll_message(now, &mut out)).flatten() {
            let Some(connection) = person.connection.filter(|_| !person.cut) else { continue };
            let bytes = out.clone();
            self.flights.push_back(Flight { at, to_server: true, who, connection, delivery, bytes });
        }
        while let Some(tiding) = due.tidings.then(|| person.engine.poll_tiding()).flatten() {
            let tiding: Value = serde_json::from_str(tiding).unwrap();
            if tiding["kind"] == "state" {
                person.state = tiding;
                person.states_told += 1;
            } else {
                person.tidings.push(tiding);
            }
        }
        self.follow_wish(who);
    }

    fn follow_wish(&mut self, who: usize) {
        let (now, time) = (self.now(), self.time());
        let person = &mut self.people[who];
        let wanted = person.engine.transport_wanted();
        if wanted == person.attempt {
            return;
        }
        person.attempt = wanted;
        if let Some(connection) = person.connection.take() {
            self.server.handle_disconnected(now, connection);
        }
        if wanted.is_some() && !person.cut {
            person.connection = self.server.handle_connected(now).ok();
            person.engine.transport_up(time);
        }
    }

    fn land(&mut self) {
        while self.flights.front().is_some_and(|flight| flight.at <= self.block) {
            let Some(flight) = self.flights.pop_front() else { return };
            if flight.to_server {
                self.at_server(flight);
            } else if self.people[flight.who].connection == Some(flight.connection) && !self.people[flight.who].cut {
                let now = self.time();
                self.people[flight.who].engine.receive(now, flight.delivery, &flight.bytes);
            }
        }
    }

    fn at_server(&mut self, flight: Flight) {
        let mut packet = match flight.delivery {
            Delivery::Reliable => flight.bytes,
            // One packet a message: its length is before it.
            Delivery::Unreliable => flight.bytes[1 + usize::from(flight.bytes[0] >= 128)..].to_vec(),
        };
        let mut copies = Vec::new();
        let mut forward = self.server.handle_packet(self.now(), flight.connection, flight.delivery, &mut packet);
        while let Some((bytes, to)) = forward.next() {
            copies.extend(to.iter().map(|to| (*to, bytes.to_vec())));
        }
        for (to, bytes) in copies {
            self.send_to(to, Delivery::Unreliable, bytes);
        }
    }

    fn send_from_server(&mut self) {
        let (now, mut out) = (self.now(), [0; 1_200]);
        while let Some(transmit) = self.server.poll_transmit(now, &mut out) {
            let Route::Client(to) = transmit.to else { panic!("a server sends to clients") };
            self.send_to(to, transmit.delivery, out[..transmit.len].to_vec());
        }
        while let Some(event) = self.server.poll_event() {
            if let ServerEvent::Disconnect { connection } = event {
                self.server.handle_disconnected(now, connection);
            }
        }
    }

    fn send_to(&mut self, to: ConnectionId, delivery: Delivery, packet: Vec<u8>) {
        let Some(who) = self.people.iter().position(|person| person.connection == Some(to)) else { return };
        if delivery == Delivery::Unreliable && (self.loses)(who, &packet) {
            return;
        }
        let bytes = match (delivery, packet.len()) {
            (Delivery::Reliable, _) => packet,
            (_, len @ ..128) => [&[len as u8], &packet[..]].concat(),
            (_, len) => [&(len as u16 | 0x8000).to_be_bytes(), &packet[..]].concat(),
        };
        let at = self.block + LATENCY;
        self.flights.push_back(Flight { at, to_server: false, who, connection: to, delivery, bytes });
    }
}

/// Everybody's own pitch, Hz.
fn tone(who: usize) -> f32 {
    [440.0, 620.0, 880.0, 1_250.0][who % 4]
}

/// How strong a pitch is in sound: Goertzel's way.
fn amplitude(sound: &[f32], pitch: f32) -> f32 {
    let (mut real, mut imaginary) = (0.0_f64, 0.0_f64);
    for (at, sample) in sound.iter().enumerate() {
        let turn = f64::from(TAU) * f64::from(pitch) * at as f64 / 48_000.0;
        real += f64::from(*sample) * turn.cos();
        imaginary += f64::from(*sample) * turn.sin();
    }
    (2.0 * real.hypot(imaginary) / sound.len().max(1) as f64) as f32
}
