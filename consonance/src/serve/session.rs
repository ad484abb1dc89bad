//! The core's server and its adapters, brought together: links become connections, packets go where the core says.

use std::{collections::BTreeMap, io, time::Duration};

use adapter_udp::{Fingerprint, Flush, LinkId};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use tracing::{debug, info, warn};
use voice_core::{
    Admission as Joining, Connection, ConnectionId, Delivery, Identity, PendingJoin, Post, Room, Route, Seat, Server,
    ServerConfig, ServerEvent, ServerStorage, server_storage_vec, wire::Voice,
};

use super::{
    adapter::{Adapter, Counts, Event},
    admission::{Admission, WRONG_PASSWORD},
    history::Reading,
    ingress::Ingress,
    metrics::Metrics,
    settings::Settings,
    state, wait,
};
use crate::{clock::Now, server_state::ServerState};

pub(super) type Core = Server<
    ServerStorage<Vec<Seat>, Vec<Room>, Vec<u64>, Vec<Connection>, Vec<Post>, Vec<PendingJoin>, Vec<ConnectionId>>,
>;

/// Copies of voice that one turn makes at most, before what has come meanwhile gets its turn: a few milliseconds of work. With fewer, voice that came in one
/// burst is passed on in two turns: it waits in `ingress.rs`, which costs, and shares fewer datagrams.
const COPIES: usize = 4_096;
/// Connections with nothing to say that one call of the core's passes over at least.
const PASSED_OVER: usize = 64;
/// Of voice that has waited so many packets for the same listeners go together at most, of all priorities: fewer than an outbox holds, in which the first,
/// which are the most important, would give way.
const TOGETHER: usize = 48;
/// A copy that shares its datagram with another costs about an eighth. A turn makes as much of such work as of other copies.
const SHARED: usize = 8;

pub(crate) struct Session {
    core: Core,
    adapters: Vec<Box<dyn Adapter>>,
    admission: Admission,
    /// Most people.
    clients: usize,
    /// What people call the server.
    name: Option<String>,
    ingress: Ingress,
    /// Copies of voice that one turn makes at most.
    pub(super) copies: usize,
    /// Copies that this turn has made, each as many times as it costs.
    pub(super) made: usize,
    /// By the core's index of the connection: which adapter's and which link, and whose key it has shown.
    links: Vec<Option<(usize, LinkId)>>,
    keys: Vec<Option<Fingerprint>>,
    /// By adapter, and its index of the link.
    connections: Vec<Vec<Option<(LinkId, ConnectionId)>>>,
    /// Where a packet stands while it is looked at, and the links that one adapter sends it to.
    packet: Vec<u8>,
    receivers: Vec<LinkId>,
}

impl Session {
    pub(crate) fn new(adapters: Vec<Box<dyn Adapter>>, admission: Admission, settings: &Settings) -> Self {
        let (clients, rooms) = (usize::from(settings.clients), usize::from(settings.rooms));
        let config = ServerConfig { admission: Joining::Ask, window: settings.window, ..ServerConfig::DEFAULT };
        let mut memory = server_storage_vec!(clients: clients, rooms: rooms);
        // Whom a transport has let in finds a place, whatever the other transports' strangers do.
        memory.connections.resize(settings.connections(), Connection::EMPTY);
        let core = Server::new(config, seed(), memory);
        let connections = adapters.iter().map(|_| Vec::new()).collect();
        Self {
            core,
            adapters,
            admission,
            clients,
            name: settings.name.clone(),
            ingress: Ingress::default(),
            copies: COPIES,
            made: 0,
            links: Vec::new(),
            keys: Vec::new(),
            connections,
            packet: Vec::new(),
            receivers: Vec::new(),
        }
    }

    /// In, due, out.
    pub(crate) fn turn(&mut self, now: Now) {
        self.made = 0;
        for which in 0..self.adapters.len() {
            self.adapters[which].receive(now);
            self.take_events(now, which);
        }
        self.pass_on_voice(now);
        self.adapters.iter_mut().for_each(|adapter| adapter.handle_timeout(now));
        self.core.handle_timeout(now.core);
        self.drain(now);
        for which in 0..self.adapters.len() {
            self.take_events(now, which);
            self.adapters[which].transmit(now);
        }
    }

    /// Waits until there is something to do, at most so long.
    pub(crate) fn wait(&self, now: Now, most: Duration) -> io::Result<()> {
        let transport = self.adapters.iter().filter_map(|adapter| adapter.poll_timeout()).min();
        let most =
            if self.ingress.is_empty() { now.until(transport, self.core.poll_timeout(), most) } else { Duration::ZERO };
        wait::until_readable(&self.adapters, most)
    }

    /// Tells everybody that the server stops; they come back to the next one.
    pub(crate) fn say_goodbye(&mut self, now: Now) {
        self.adapters.iter_mut().for_each(|adapter| adapter.turn_away());
        self.core.stop(now.core);
        self.drain(now);
    }

    /// What it is at, for `/metrics`, with what was just read: to look at every seat again costs more than all else that an idle server does.
    pub(crate) fn metrics(&self, reading: &Reading) -> String {
        let mut page = Metrics::default();
        let people = "People with a seat, those who are reconnecting included.";
        page.gauge("clients", people, reading.people as u64);
        page.gauge("clients_reconnecting", "People whose seat is kept for them.", reading.reconnecting as u64);
        page.gauge("rooms", "Rooms in use.", self.core.rooms().count() as u64);
        page.gauge("speakers", "People who speak now.", reading.speaking as u64);
        let core = self.core.counters();
        let ways = [("way=\"in\"", core.voice_in.packets), ("way=\"out\"", core.voice_out.packets)];
        page.counter("voice_packets_total", "Voice packets.", &ways);
        page.by(
            "priority",
            "voice_shed_total",
            "Voice packets that were shed because more came than can be passed on.",
            self.ingress.shed_by_priority(),
        );
        let counts = self.counts_with_overflow();
        page.gauge("links", "Connections of the transports, those being made included.", counts.links);
        let ways = [("way=\"in\"", counts.datagrams_in), ("way=\"out\"", counts.datagrams_out)];
        page.counter("media_datagrams_total", "Sealed datagrams.", &ways);
        let ways = [("way=\"in\"", counts.packets_in), ("way=\"out\"", counts.packets_out)];
        page.counter("media_packets_total", "Packets in sealed datagrams.", &ways);
        page.drops("datagrams", "Datagrams that the transports dropped.", counts.drops);
        let reasons = self.core.drops().iter().map(|(reason, count)| (reason.name(), count));
        page.drops("packets", "Packets that the session dropped.", reasons);
        page.finish()
    }

    /// What it is at, for `/state`.
    pub(crate) fn state(&self, uptime_s: f64) -> ServerState {
        let way = |connection: ConnectionId| {
            let (which, link) = self.links.get(connection.index()).copied().flatten()?;
            Some((self.adapters[which].name(), self.adapters[which].peer(link)))
        };
        let mut state = state::of(&self.core, self.counts_with_overflow(), uptime_s, way);
        (state.name, state.client_limit, state.voice_shed) = (self.name.clone(), self.clients, self.ingress.shed());
        state
    }

    /// What it is at, for the history of `/status`.
    pub(crate) fn reading(&self, uptime_s: f64) -> Reading {
        let mut reading = Reading { uptime_s, cpu_s: state::cpu_s(), ..Reading::default() };
        let mut losses = 0.0;
        for client in self.core.clients() {
            reading.people += 1;
            reading.speaking += usize::from(client.is_speaking());
            if client.connection().is_none() {
                reading.reconnecting += 1;
                continue;
            }
            let loss = state::loss_percent(&client);
            losses += loss;
            reading.loss_worst = reading.loss_worst.max(loss);
        }
        reading.loss_mean = losses / (reading.people - reading.reconnecting).max(1) as f64;
        let (core, counts) = (self.core.counters(), self.counts());
        (reading.frames_in, reading.frames_out) = (core.voice_in.packets, core.voice_out.packets);
        reading.datagrams_out = counts.datagrams_out;
        let packets: u64 = self.core.drops().iter().map(|(_, count)| count).sum();
        reading.dropped = packets + counts.drops.values().sum::<u64>() + self.ingress.shed();
        reading
    }

    fn counts(&self) -> Counts {
        self.adapters.iter().fold(Counts::default(), |sum, adapter| sum.and(adapter.counts()))
    }

    /// With what the system dropped before it came here. To ask for that takes as long as a hundred deliveries.
    fn counts_with_overflow(&self) -> Counts {
        let mut counts = self.counts();
        counts.drops.insert("receive_buffer_full", self.adapters.iter().map(|adapter| adapter.overflowed()).sum());
        counts
    }

    fn take_events(&mut self, now: Now, which: usize) {
        let mut packet = std::mem::take(&mut self.packet);
        while let Some(event) = self.adapters[which].poll_event(&mut packet) {
            self.on_event(now, which, event, &mut packet);
        }
        self.packet = packet;
    }

    fn on_event(&mut self, now: Now, which: usize, event: Event, packet: &mut [u8]) {
        match event {
            Event::Up(link, key) => {
                debug!(link = link.index(), peer = ?self.adapters[which].peer(link), "connected");
                let Ok(connection) = self.core.handle_connected(now.core) else {
                    return self.adapters[which].close(now, link);
                };
                *place(&mut self.links, connection.index()) = Some((which, link));
                *place(&mut self.keys, connection.index()) = key;
                *place(&mut self.connections[which], link.index()) = Some((link, connection));
            }
            Event::Packet(link, delivery) => self.on_packet(now, which, link, delivery, packet),
            Event::Down(link) => {
                debug!(link = link.index(), "disconnected");
                if let Some(connection) = self.connection(which, link) {
                    self.connections[which][link.index()] = None;
                    // Its place may be another's by now.
                    self.links[connection.index()].take_if(|of| *of == (which, link));
                    self.core.handle_disconnected(now.core, connection);
                }
            }
        }
    }

    fn connection(&self, which: usize, link: LinkId) -> Option<ConnectionId> {
        let (of, connection) = self.connections[which].get(link.index()).copied().flatten()?;
        (of == link).then_some(connection)
    }

    fn on_packet(&mut self, now: Now, which: usize, link: LinkId, delivery: Delivery, packet: &mut [u8]) {
        let Some(from) = self.connection(which, link) else { return };
        if delivery == Delivery::Unreliable {
            if self.ingress.is_empty() && self.made < self.copies {
                self.made += self.forward(now, which, link, packet);
                return;
            }
            // Too much voice comes: it waits for its turn, and everything else is answered all the same.
            if let Ok(voice) = Voice::decode(packet) {
                let priority = self.core.voice_priority(from, &voice);
                let audience = voice.channels.iter().next().map(|channel| channel.target);
                return self.ingress.push(now.real, priority, audience, (which, link), packet);
            }
        }
        self.core.handle_packet(now.core, from, delivery, packet);
        // Joins that wait for an answer have few places: none waits for the others that came at the same time.
        if delivery == Delivery::Reliable {
            self.tell_all(now);
        }
    }

    fn pass_on_voice(&mut self, now: Now) {
        let mut packet = std::mem::take(&mut self.packet);
        // How many packets have gone to each audience.
        let (mut gone, mut along) = (BTreeMap::new(), 0);
        for turn in self.ingress.turns(now.real) {
            let gone = gone.entry(turn.audience).or_insert(0);
            while *gone < TOGETHER {
                let shares = *gone > 0;
                let made = if shares { along } else { self.made };
                // What others came first with leaves nothing to what is most important otherwise, and in the next turn that may be too old.
                let most = if turn.is_most_important() { 2 * self.copies } else { self.copies };
                if made >= most {
                    break;
                }
                let Some((which, link)) = self.ingress.pop(now.real, turn, &mut packet) else { break };
                let copies = self.forward(now, which, link, &mut packet);
                if shares {
                    along += copies.div_ceil(SHARED);
                } else {
                    self.made += copies;
                }
                *gone += 1;
            }
        }
        self.packet = packet;
    }

    /// Takes an unreliable packet, and hands voice to those who hear it; gives how many they are, each counted as many times as its copy costs.
    fn forward(&mut self, now: Now, which: usize, link: LinkId, packet: &mut [u8]) -> usize {
        let Some(from) = self.connection(which, link) else { return 0 };
        let Self { core, adapters, links, receivers, .. } = self;
        let mut forward = core.handle_packet(now.core, from, Delivery::Unreliable, packet);
        let flush = if forward.is_last() { Flush::Now } else { Flush::Soon };
        let mut copies = 0;
        while let Some((bytes, to)) = forward.next() {
            for (at, adapter) in adapters.iter_mut().enumerate() {
                let link = |connection: &ConnectionId| links.get(connection.index()).copied().flatten();
                receivers.clear();
                receivers.extend(to.iter().filter_map(link).filter(|(which, _)| *which == at).map(|(_, link)| link));
                copies += receivers.len() * adapter.copy_cost();
                adapter.send_to_all(now, receivers, bytes, flush);
            }
        }
        if flush == Flush::Now && copies > 0 {
            // The others' voice may have waited for this one, which doesn't go to who said it.
            adapters[which].flush(link);
        }
        copies
    }

    fn drain(&mut self, now: Now) {
        // One call of the core passes over few connections that have nothing to say, so that it stays short. Whom it didn't come to would wait for another turn,
        // which may be long when much voice comes.
        for _ in 0..=self.links.len() / PASSED_OVER {
            self.send_what_is_due(now);
            if self.core.poll_timeout().is_none_or(|at| at > now.core) {
                break;
            }
        }
        self.tell_all(now);
    }

    fn send_what_is_due(&mut self, now: Now) {
        let mut buffer = [0; 1_200];
        while let Some(transmit) = self.core.poll_transmit(now.core, &mut buffer) {
            let Route::Client(to) = transmit.to else { continue };
            let Some(Some((which, link))) = self.links.get(to.index()).copied() else { continue };
            let sent = self.adapters[which].send(now, link, transmit.delivery, &buffer[..transmit.len]);
            if !sent && transmit.delivery == Delivery::Reliable {
                // A lane that takes no more is at an end: a gap in it would be worse.
                self.adapters[which].close(now, link);
            }
        }
    }

    fn tell_all(&mut self, now: Now) {
        while let Some(event) = self.core.poll_event() {
            self.tell(now, event);
        }
    }

    fn tell(&mut self, now: Now, event: ServerEvent) {
        let name = |core: &Core, id| core.client(id).map_or("?".to_owned(), |client| client.name().to_owned());
        match event {
            ServerEvent::JoinRequested { connection } => self.on_join(now, connection),
            ServerEvent::Disconnect { connection } => {
                if let Some(Some((which, link))) = self.links.get(connection.index()).copied() {
                    self.adapters[which].close(now, link);
                }
            }
            ServerEvent::Joined { id, resumed: false } => info!(client = %id, name = name(&self.core, id), "joined"),
            ServerEvent::Joined { id, resumed: true } => info!(client = %id, name = name(&self.core, id), "is back"),
            ServerEvent::Reconnecting { id } => info!(client = %id, name = name(&self.core, id), "lost its connection"),
            ServerEvent::Left { id, reason } => info!(client = %id, ?reason, "left"),
            // As often as it likes, so nothing that it could fill a log with.
            ServerEvent::SpoofedSender { id, claimed } => {
                debug!(client = %id, %claimed, "voice in another's name: dropped")
            }
            _ => {}
        }
    }

    fn on_join(&mut self, now: Now, connection: ConnectionId) {
        let Some(Some((which, link))) = self.links.get(connection.index()).copied() else { return };
        let key = self.keys.get(connection.index()).copied().flatten();
        let Some(request) = self.core.pending_join(connection) else { return };
        let Some(peer) = self.adapters[which].peer(link) else { return };
        let (name, admitted) =
            (request.name().to_owned(), self.admission.admit(now.core, peer.ip(), request.credential()));
        let done = match admitted {
            Ok(()) => self.core.accept(now.core, connection, identity(key)),
            Err(reason) => {
                match reason {
                    WRONG_PASSWORD if self.admission.is_worth_a_warning(now.core) => {
                        warn!(from = %peer, name, "refused: wrong password");
                    }
                    // Said once already; somebody who goes on guessing shall not fill the log.
                    _ => debug!(from = %peer, name, reason, "refused"),
                }
                self.core.refuse(now.core, connection, reason)
            }
        };
        // A join that is gone by now needs no answer.
        let _ = done;
    }
}

/// Bans go by the key.
fn identity(key: Option<Fingerprint>) -> Identity {
    Identity(key.and_then(|key| key.0.first_chunk().copied()).map_or(0, u64::from_be_bytes))
}

/// All secrets of the session come from it.
pub(crate) fn seed() -> u64 {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).expect("the operating system has random numbers");
    u64::from_be_bytes(bytes)
}

fn place<T>(table: &mut Vec<Option<T>>, at: usize) -> &mut Option<T> {
    if table.len() <= at {
        table.resize_with(at + 1, || None);
    }
    &mut table[at]
}
