//! People with clients, a server, and the network between them, on one virtual clock.
//!
//! The world is an adapter like any other: it moves packets and wakes the cores when they ask for it. What people do and notice is the
//! [`People`]'s business.

mod audio_clock;

use core::time::Duration;
use std::collections::BTreeMap;

use voice_core::{
    ClientEvent, ClientId, Delivery, Frame, Instant, PathId, Route, Server, ServerConfig, ServerEvent, Source, State,
    server_storage_vec,
};

use crate::net::{ConnId, EndpointId, NatKind, NetEvent, Network, PacketBytes, Preset, Rng, Side};
pub use crate::person::{HeapClient, PersonConfig};
pub use crate::server_node::HeapServer;
use crate::server_node::ServerNode;
use crate::wake::Wake;
use crate::{
    ear::Ear,
    inbox::{Inbox, Letter},
};

/// No time at all.
const NEVER: u64 = u64::MAX;

/// The scenario's number of a person, from 0.
pub type PersonId = u16;

/// What people do and notice. Every call says the true time, µs.
#[allow(unused_variables)]
pub trait People {
    /// The audio clock asks for the next frame to send; `None` is silence.
    fn speak(&mut self, now: u64, person: PersonId) -> Option<Vec<u8>> {
        None
    }

    /// The audio clock wants the next `tick` of sound, which begins at `local` by the listener's own clock. Whoever pulls it from the client here says so by
    /// `true`; for the others each speaker's frames are pulled one by one and shown to [`People::hear`].
    fn listen(
        &mut self,
        now: u64,
        local: Instant,
        listener: PersonId,
        tick: Duration,
        client: &mut HeapClient,
    ) -> bool {
        false
    }

    /// The audio clock has pulled a frame of one speaker: how much sound it becomes, µs.
    fn hear(&mut self, now: u64, listener: PersonId, speaker: ClientId, frame: &Frame<'_>) -> u32 {
        frame.length_us
    }

    /// Until when a person certainly says nothing, however often [`People::speak`] were called, and nobody minds when its client tells of what it
    /// heard: its ticks may be made up for a little later, several at once. [`People::hear`] and [`People::arrived`] are told the true times all
    /// the same. 0 is not at all; what [`World::run_until`]'s caller does is no matter. Those who may have direct paths never wait: their clients
    /// answer some voice soon.
    fn quiet_until(&self, now: u64, person: PersonId) -> u64 {
        0
    }

    /// Something happened to a client.
    fn event(&mut self, now: u64, person: PersonId, event: &ClientEvent, client: &mut HeapClient) {}

    /// Something happened at the server.
    fn server_event(&mut self, now: u64, event: &ServerEvent) {}

    /// A person's transport received a packet, at this time. Of relayed voice its loop, and this, learn a little later.
    fn arrived(&mut self, now: u64, at: PersonId, direct: bool, bytes: &PacketBytes) {}

    /// A packet was not taken, since too much waits on its connection; the server is `None`.
    fn lane_full(&mut self, now: u64, by: Option<PersonId>, delivery: Delivery) {}

    /// Somebody sent a packet; the server is `None`.
    fn sent(&mut self, now: u64, by: Option<PersonId>, direct: bool, bytes: &[u8]) {}
}

/// What every packet and every tick of a person needs: it fits one line of the cache. The client, and what is looked at seldom, lie apart.
struct Person {
    endpoint: EndpointId,
    talking: bool,
    alive: bool,
    /// Its ticks wait, all but the one for which it is woken.
    dozes: bool,
    /// Whether its client may have direct paths.
    direct: bool,
    /// How long a frame is, and when in it the audio clock ticks, µs.
    frame_us: u32,
    phase_us: u32,
    attempt: Option<u32>,
    conn: Option<ConnId>,
    /// When it is woken, and the time of the client's own clock for which that is; [`NEVER`] if it isn't.
    wake_at: u64,
    wake_for: Instant,
    /// When the audio clock ticks next, by the person's own clock, and when it is woken for a tick.
    tick_at: u64,
    woken_at: u64,
}

/// The world.
pub struct World {
    net: Network,
    rng: Rng,
    size: (usize, usize),
    config: ServerConfig,
    people: Vec<Person>,
    /// By person, as the next.
    clients: Vec<HeapClient>,
    ears: Vec<Ear>,
    inboxes: Vec<Inbox>,
    configs: Vec<PersonConfig>,
    /// By machine; the server's has none.
    person_at: Vec<Option<PersonId>>,
    person_of: BTreeMap<ClientId, PersonId>,
    server: Option<ServerNode>,
    server_endpoint: EndpointId,
    server_wake_at: Option<u64>,
    /// Those whose inbox is listed.
    waiting: Vec<PersonId>,
    /// Kept for its memory.
    speakers: Vec<ClientId>,
    buffer: Box<[u8; 1_200]>,
}

impl World {
    /// A world with a server machine that is off, for so many clients and rooms.
    pub fn new(seed: u64, clients: usize, rooms: usize) -> Self {
        let mut rng = Rng::new(seed);
        let mut net = Network::new(rng.next_u64());
        let server_endpoint = net.add(&SERVER_LINK, NatKind::Open);
        Self {
            net,
            rng,
            size: (clients, rooms),
            config: ServerConfig::DEFAULT,
            people: Vec::new(),
            clients: Vec::new(),
            ears: Vec::new(),
            inboxes: Vec::new(),
            waiting: Vec::new(),
            configs: Vec::new(),
            person_at: vec![None; server_endpoint.index() + 1],
            person_of: BTreeMap::new(),
            server: None,
            server_endpoint,
            server_wake_at: None,
            speakers: Vec::new(),
            buffer: Box::new([0; 1_200]),
        }
    }

    /// What servers started from now on are told.
    pub fn set_server_config(&mut self, config: ServerConfig) {
        self.config = config;
    }

    /// True time, µs.
    pub fn now(&self) -> u64 {
        self.net.now()
    }

    /// The network, to be made worse or better.
    pub fn net(&mut self) -> &mut Network {
        &mut self.net
    }

    /// The network, to be looked at.
    pub fn network(&self) -> &Network {
        &self.net
    }

    /// Turns the server on, with a session of its own.
    pub fn start_server(&mut self) {
        let (clients, rooms) = self.size;
        let storage = server_storage_vec!(clients: clients, rooms: rooms);
        let server = Server::new(self.config, self.rng.next_u64(), storage);
        let net_of = vec![None; clients + clients / 4 + 8];
        self.server = Some(ServerNode { server, core_of: Vec::new(), net_of });
        self.net.set_alive(self.server_endpoint, true);
    }

    /// Turns the server off without a word.
    pub fn crash_server(&mut self) {
        self.server = None;
        self.net.set_alive(self.server_endpoint, false);
    }

    /// Gives the server a new session while its transport lives on, as when only the voice process restarts behind a proxy.
    pub fn replace_server(&mut self) {
        let open: Vec<ConnId> =
            self.server.as_ref().map(|node| node.net_of.iter().copied().flatten().collect()).unwrap_or_default();
        self.start_server();
        let now = Instant::from_us(self.net.now());
        let Some(node) = &mut self.server else { return };
        for conn in open {
            node.connected(now, conn);
        }
    }

    /// Adds a person, who doesn't connect yet.
    pub fn add_person(&mut self, config: PersonConfig) -> PersonId {
        let id = u16::try_from(self.people.len()).expect("at most 65,536 people");
        let endpoint = self.net.add(&config.preset, config.nat);
        self.net.set_drift(endpoint, config.drift_ppm);
        let client = self.new_client(&config);
        self.person_at.resize(endpoint.index(), None);
        self.person_at.push(Some(id));
        let frame_us = config.codec.frame_length.us() as u32;
        // Nobody's audio clock is in step with another's.
        let phase_us = u32::from(id) * 1_237 % frame_us;
        self.people.push(Person {
            endpoint,
            talking: false,
            alive: true,
            dozes: false,
            direct: config.direct,
            frame_us,
            phase_us,
            attempt: None,
            conn: None,
            wake_at: NEVER,
            wake_for: Instant::from_us(NEVER),
            tick_at: phase_us.into(),
            woken_at: NEVER,
        });
        self.clients.push(client);
        self.ears.push(Ear::default());
        self.inboxes.push(Inbox::default());
        self.configs.push(config);
        self.schedule_tick(id);
        id
    }

    /// People so far.
    pub fn people(&self) -> u16 {
        u16::try_from(self.people.len()).expect("at most 65,536 people")
    }

    /// The machine of a person.
    pub fn endpoint(&self, person: PersonId) -> EndpointId {
        self.people[usize::from(person)].endpoint
    }

    /// The machine of the server.
    pub fn server_endpoint(&self) -> EndpointId {
        self.server_endpoint
    }

    /// The connection that a person has or opens.
    pub fn connection(&self, person: PersonId) -> Option<ConnId> {
        self.people[usize::from(person)].conn
    }

    /// A person's client.
    pub fn client(&self, person: PersonId) -> &HeapClient {
        &self.clients[usize::from(person)]
    }

    /// What a person was made of.
    pub fn person_config(&self, person: PersonId) -> &PersonConfig {
        &self.configs[usize::from(person)]
    }

    /// The person that has, or last had, a client id.
    pub fn person_of(&self, client: ClientId) -> Option<PersonId> {
        self.person_of.get(&client).copied()
    }

    /// The server's core, if it is on.
    pub fn server(&mut self) -> Option<&mut HeapServer> {
        self.server.as_mut().map(|node| &mut node.server)
    }

    /// Lets a person's client do something; it is driven when time goes on.
    pub fn command<R>(&mut self, person: PersonId, what: impl FnOnce(Instant, &mut HeapClient) -> R) -> R {
        let now = self.local(person);
        let result = what(now, &mut self.clients[usize::from(person)]);
        self.schedule(self.net.now(), Wake::Client(person));
        result
    }

    /// Lets the embedder of the server do something.
    pub fn server_command<R>(&mut self, what: impl FnOnce(Instant, &mut HeapServer) -> R) -> Option<R> {
        let now = Instant::from_us(self.net.now());
        let result = what(now, &mut self.server.as_mut()?.server);
        self.schedule(self.net.now(), Wake::Server);
        Some(result)
    }

    /// Lets a person want to be in the session.
    pub fn connect(&mut self, person: PersonId) {
        self.command(person, |now, client| client.connect(now));
    }

    /// Lets a person leave.
    pub fn leave(&mut self, person: PersonId) {
        self.command(person, |now, client| client.disconnect(now));
    }

    /// Ends a person's process without a word. [`World::revive`] starts it anew.
    pub fn crash(&mut self, person: PersonId) {
        let who = &mut self.people[usize::from(person)];
        (who.alive, who.conn, who.attempt, who.talking) = (false, None, None, false);
        let endpoint = who.endpoint;
        self.net.set_alive(endpoint, false);
    }

    /// Starts a person's process anew: it knows nothing of before.
    pub fn revive(&mut self, person: PersonId) {
        let config = self.configs[usize::from(person)].clone();
        self.clients[usize::from(person)] = self.new_client(&config);
        let who = &mut self.people[usize::from(person)];
        who.alive = true;
        let endpoint = who.endpoint;
        self.net.set_alive(endpoint, true);
    }

    /// Whether a person's process runs.
    pub fn is_alive(&self, person: PersonId) -> bool {
        self.people[usize::from(person)].alive
    }

    /// Lets time pass.
    pub fn run_until<P: People + ?Sized>(&mut self, until: u64, people: &mut P) {
        while let Some(event) = self.net.poll(until) {
            self.on_net(event, people);
        }
        // Whoever looks at a client now, or tells it something, finds it as it is at this time.
        for person in std::mem::take(&mut self.waiting) {
            self.inboxes[usize::from(person)].unlist();
            if self.open_inbox(person, self.net.now() + 1, people) {
                self.schedule(self.net.now(), Wake::Client(person));
            }
            if std::mem::take(&mut self.people[usize::from(person)].dozes) {
                self.schedule_tick(person);
            }
        }
    }

    /// Does what waits for a client from before this true time; whether a packet was among it. The caller drives it.
    fn open_inbox<P: People + ?Sized>(&mut self, person: PersonId, before: u64, people: &mut P) -> bool {
        let at = usize::from(person);
        let (endpoint, conn) = (self.people[at].endpoint, self.people[at].conn);
        let mut letters = self.inboxes[at].take();
        let (came, mut next_tick) = (!letters.is_empty(), 0);
        for letter in letters.drain(..) {
            if next_tick < letter.at {
                next_tick = self.catch_up(person, letter.at, people);
            }
            people.arrived(letter.at, person, false, &letter.bytes);
            if conn == Some(letter.conn) {
                let now = Instant::from_us(self.net.local(endpoint, letter.at));
                self.clients[at].handle_packet(now, Source::Server, Delivery::Unreliable, &letter.bytes);
            }
        }
        self.inboxes[at].give_back(letters);
        if next_tick < before {
            self.catch_up(person, before, people);
        }
        came
    }

    fn new_client(&mut self, config: &PersonConfig) -> HeapClient {
        config.new_client(self.rng.next_u64(), self.size.0)
    }

    fn local(&self, person: PersonId) -> Instant {
        Instant::from_us(self.net.local(self.people[usize::from(person)].endpoint, self.net.now()))
    }

    fn schedule(&mut self, at: u64, wake: Wake) {
        self.net.wake(at, wake.rank(), wake.to_token());
    }

    fn on_wake<P: People + ?Sized>(&mut self, wake: Wake, people: &mut P) {
        let at = self.net.now();
        match wake {
            Wake::Audio(person) => self.on_tick(person, people),
            Wake::Client(person) => {
                self.open_inbox(person, at + 1, people);
                let now = self.local(person);
                let who = &mut self.people[usize::from(person)];
                if who.wake_at == at {
                    (who.wake_at, who.wake_for) = (NEVER, Instant::from_us(NEVER));
                }
                if who.alive {
                    self.clients[usize::from(person)].handle_timeout(now);
                    self.drive(person, now, people);
                }
            }
            Wake::Server => {
                if self.server_wake_at == Some(at) {
                    self.server_wake_at = None;
                }
                let now = Instant::from_us(self.net.now());
                if let Some(node) = &mut self.server {
                    node.server.handle_timeout(now);
                }
                self.drive_server(people);
            }
        }
    }

    fn on_net<P: People + ?Sized>(&mut self, event: NetEvent, people: &mut P) {
        let now = Instant::from_us(self.net.now());
        match event {
            NetEvent::Up(conn, Side::Server) => {
                if let Some(node) = &mut self.server
                    && !node.connected(now, conn)
                {
                    self.net.close(conn, Side::Server);
                }
                self.drive_server(people);
            }
            NetEvent::Down(conn, Side::Server) => {
                if let Some(node) = &mut self.server {
                    node.disconnected(now, conn);
                }
                self.drive_server(people);
            }
            NetEvent::Up(conn, Side::Client) => {
                let Some(person) = self.person_of_conn(conn) else { return };
                self.at_client(person, conn, people, |now, client| client.handle_connected(now));
            }
            NetEvent::Down(conn, Side::Client) => {
                let Some(person) = self.person_of_conn(conn) else { return };
                self.at_client(person, conn, people, |now, client| client.handle_disconnected(now));
            }
            NetEvent::Packet { conn, at: Side::Client, reliable, bytes } => {
                let Some(person) = self.person_of_conn(conn) else { return };
                if Inbox::takes(reliable, &bytes) {
                    let letter = Letter { at: self.net.now(), conn, bytes };
                    let list = self.inboxes[usize::from(person)].put(letter);
                    return self.waiting.extend(list.then_some(person));
                }
                people.arrived(self.net.now(), person, false, &bytes);
                self.at_client(person, conn, people, |now, client| {
                    client.handle_packet(now, Source::Server, delivery(reliable), &bytes);
                });
            }
            NetEvent::Packet { conn, at: Side::Server, reliable, bytes } => {
                self.at_server(conn, delivery(reliable), &bytes, people);
            }
            NetEvent::Wake(token) => self.on_wake(Wake::from_token(token), people),
            NetEvent::Direct { from, to, bytes } => self.on_direct(from, to, &bytes, people),
        }
    }

    fn at_client<P: People + ?Sized>(
        &mut self,
        person: PersonId,
        conn: ConnId,
        people: &mut P,
        what: impl FnOnce(Instant, &mut HeapClient),
    ) {
        self.open_inbox(person, self.net.now(), people);
        let now = self.local(person);
        let who = &self.people[usize::from(person)];
        if who.conn == Some(conn) && who.alive {
            what(now, &mut self.clients[usize::from(person)]);
            self.drive(person, now, people);
        }
    }

    fn person_of_conn(&self, conn: ConnId) -> Option<PersonId> {
        self.person_at[self.net.ends(conn).0.index()]
    }

    fn on_direct<P: People + ?Sized>(&mut self, from: EndpointId, to: EndpointId, bytes: &PacketBytes, people: &mut P) {
        let Some(person) = self.person_at[to.index()] else { return };
        self.open_inbox(person, self.net.now(), people);
        let now = self.local(person);
        people.arrived(self.net.now(), person, true, bytes);
        if self.people[usize::from(person)].alive {
            let path = PathId(from.0.into());
            self.clients[usize::from(person)].handle_packet(now, Source::Path(path), Delivery::Unreliable, bytes);
            self.drive(person, now, people);
        }
    }

    fn at_server<P: People + ?Sized>(&mut self, conn: ConnId, delivery: Delivery, bytes: &[u8], people: &mut P) {
        let Self { net, server, buffer, .. } = self;
        let now = net.now();
        let Some(node) = server else { return };
        let Some(from) = node.core(conn) else { return };
        let Some(packet) = buffer.get_mut(..bytes.len()) else { return };
        packet.copy_from_slice(bytes);
        let mut forward = node.server.handle_packet(Instant::from_us(now), from, delivery, packet);
        while let Some((bytes, to)) = forward.next() {
            let bytes = PacketBytes::from(bytes);
            let conns = to.iter().filter_map(|connection| *node.net_of.get(connection.index())?);
            net.send_to_all(conns.inspect(|_| people.sent(now, None, false, &bytes)), Side::Server, &bytes);
        }
        self.drive_server(people);
    }

    /// Drains a client: packets, events, its wish for a transport, its next time-out. `now` is by its own clock.
    fn drive<P: People + ?Sized>(&mut self, person: PersonId, now: Instant, people: &mut P) {
        let client = &mut self.clients[usize::from(person)];
        let mut due = client.poll_timeout();
        let mut event = client.poll_event();
        // After nearly every packet there is nothing to do.
        if due.is_some_and(|at| at <= now) || event.is_some() {
            due = self.drain(person, now, people);
            while self.drain_events(person, now, event, people) {
                event = None;
                due = self.drain(person, now, people);
            }
        }
        let wanted = self.clients[usize::from(person)].transport_wanted();
        if wanted != self.people[usize::from(person)].attempt {
            self.follow_wish(person, wanted);
        }
        let who = &mut self.people[usize::from(person)];
        let Some(due) = due.filter(|due| *due < who.wake_for) else { return };
        let at = self.net.true_time(who.endpoint, due.as_us()).max(self.net.now() + 1);
        if at < who.wake_at {
            (who.wake_at, who.wake_for) = (at, due);
            self.schedule(at, Wake::Client(person));
        }
    }

    /// Takes out what there is to send; when the client wants to be woken.
    fn drain<P: People + ?Sized>(&mut self, person: PersonId, now: Instant, people: &mut P) -> Option<Instant> {
        let Self { net, people: everybody, clients, buffer, .. } = self;
        let (who, client) = (&everybody[usize::from(person)], &mut clients[usize::from(person)]);
        loop {
            let due = client.poll_timeout();
            if due.is_none_or(|at| at > now) {
                return due;
            }
            let Some(transmit) = client.poll_transmit(now, &mut buffer[..]) else { return client.poll_timeout() };
            let bytes = PacketBytes::from(&buffer[..transmit.len]);
            let direct = matches!(transmit.to, Route::Path(_));
            people.sent(net.now(), Some(person), direct, &bytes);
            match (transmit.to, who.conn) {
                (Route::Path(path), _) => {
                    let to = EndpointId(u16::try_from(path.0).expect("paths are numbered by machines"));
                    net.send_direct(who.endpoint, to, bytes);
                }
                (_, Some(conn)) => {
                    let taken = net.send(conn, Side::Client, transmit.delivery == Delivery::Reliable, bytes);
                    if !taken && net.is_open(conn, Side::Client) {
                        people.lane_full(net.now(), Some(person), transmit.delivery);
                    }
                }
                (_, None) => {}
            }
        }
    }

    /// Tells of this event and those after it; whether there was any.
    fn drain_events<P: People + ?Sized>(
        &mut self,
        person: PersonId,
        now: Instant,
        first: Option<ClientEvent>,
        people: &mut P,
    ) -> bool {
        let true_now = self.net.now();
        let (mut any, mut next) = (false, first);
        while let Some(event) = next.take().or_else(|| self.clients[usize::from(person)].poll_event()) {
            any = true;
            match event {
                ClientEvent::StateChanged(State::Connected) => {
                    if let Some(id) = self.clients[usize::from(person)].id() {
                        self.person_of.insert(id, person);
                        self.offer_to_others(person, id, people);
                    }
                }
                ClientEvent::Joined(id) => self.offer_path(person, id, now, people),
                _ => {}
            }
            people.event(true_now, person, &event, &mut self.clients[usize::from(person)]);
        }
        any
    }

    /// Others may have learnt of the client before it did itself.
    fn offer_to_others<P: People + ?Sized>(&mut self, person: PersonId, id: ClientId, people: &mut P) {
        if !self.configs[usize::from(person)].direct {
            return;
        }
        for other in 0..self.people() {
            let knows = || self.clients[usize::from(other)].person(id).is_some();
            if self.configs[usize::from(other)].direct && knows() {
                self.offer_path(other, id, self.local(other), people);
            }
        }
    }

    fn offer_path<P: People + ?Sized>(&mut self, person: PersonId, id: ClientId, now: Instant, people: &mut P) {
        if !self.configs[usize::from(person)].direct {
            return;
        }
        let Some(&other) = self.person_of.get(&id) else { return };
        if self.configs[usize::from(other)].direct {
            self.open_inbox(person, self.net.now(), people);
            let path = PathId(self.people[usize::from(other)].endpoint.0.into());
            // A full table leaves the pair on the relay.
            let _ = self.clients[usize::from(person)].handle_path_available(now, id, path);
        }
    }

    fn follow_wish(&mut self, person: PersonId, wanted: Option<u32>) {
        let who = &mut self.people[usize::from(person)];
        who.attempt = wanted;
        if let Some(conn) = who.conn.take() {
            self.net.close(conn, Side::Client);
        }
        if wanted.is_some() {
            let conn = self.net.connect(self.people[usize::from(person)].endpoint, self.server_endpoint);
            self.people[usize::from(person)].conn = Some(conn);
        }
    }

    fn drive_server<P: People + ?Sized>(&mut self, people: &mut P) {
        let Self { net, server, buffer, .. } = self;
        let (true_now, now) = (net.now(), Instant::from_us(net.now()));
        let Some(node) = server else { return };
        while let Some(transmit) = node.server.poll_transmit(now, &mut buffer[..]) {
            let Route::Client(connection) = transmit.to else { continue };
            let Some(Some(conn)) = node.net_of.get(connection.index()).copied() else { continue };
            let bytes = PacketBytes::from(&buffer[..transmit.len]);
            people.sent(true_now, None, false, &bytes);
            let taken = net.send(conn, Side::Server, transmit.delivery == Delivery::Reliable, bytes);
            if !taken && net.is_open(conn, Side::Server) {
                people.lane_full(true_now, None, transmit.delivery);
            }
        }
        while let Some(event) = node.server.poll_event() {
            if let ServerEvent::Disconnect { connection } = event
                && let Some(Some(conn)) = node.net_of.get(connection.index()).copied()
            {
                node.disconnected(now, conn);
                net.finish(conn, Side::Server);
            }
            people.server_event(true_now, &event);
        }
        let Some(at) = node.server.poll_timeout() else { return };
        let at = at.as_us().max(true_now + 1);
        if self.server_wake_at.is_none_or(|before| at < before) {
            self.server_wake_at = Some(at);
            self.schedule(at, Wake::Server);
        }
    }
}

const SERVER_LINK: Preset = Preset {
    name: "server",
    about: "a machine in a data centre: half a millisecond, no loss, no limit; our choice",
    up: crate::net::LinkProfile { delay_us: 500, ..crate::net::LinkProfile::PERFECT },
    down: crate::net::LinkProfile { delay_us: 500, ..crate::net::LinkProfile::PERFECT },
};

fn delivery(reliable: bool) -> Delivery {
    if reliable { Delivery::Reliable } else { Delivery::Unreliable }
}
