//! All connections of one port. Datagrams and time go in; datagrams and events come out.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use adapter_kit::{Flush, LinkId, Outboxes, Packets, SendError, Source, Transmit};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use bytes::{Bytes, BytesMut};
use quinn_proto::{
    ClientConfig, ConnectionHandle, DatagramEvent, EndpointConfig, Incoming, ServerConfig, Side, TransportConfig,
    VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use voice_core::Delivery;

use crate::{
    config::Config,
    connection_id::ConnectionIds,
    door::{Door, Verdict},
    identity::{Fingerprint, Identity, SERVER_NAME},
    link::{DATAGRAM, DownReason, Happened, Link},
    media::{Header, Refused, Sealer, is_media},
    trust::{Refusal, Trust},
};

/// Longest unreliable packet: it fits a datagram to the server with its length before it.
const LONGEST_PACKET: usize = DATAGRAM - Sealer::overhead(Some(0)) - 2;

/// Answers to those who have no link that wait to be sent: as many as a socket gives datagrams in one turn of a server's loop.
const MOST_REPLIES: usize = 1_024;

/// Something that happened to a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It is up, and the other end has proven to have the key of this fingerprint.
    Up(LinkId, Option<Fingerprint>),
    /// A reliable packet came in.
    Packet(LinkId, Bytes),
    /// It is no more.
    Down(LinkId, DownReason),
}

/// Unreliable packets that came in, in a datagram that was opened where it stood.
#[derive(Debug)]
pub struct Received<'d> {
    /// From whom.
    pub link: LinkId,
    /// In their order.
    pub packets: Packets<'d>,
}

/// How often a datagram was dropped, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Drops {
    /// Neither QUIC of a connection, nor the beginning of one, nor a whole sealed datagram.
    pub malformed: u64,
    /// Sealed, and of no link that is up.
    pub unknown_link: u64,
    /// Not sealed by the other end of the link.
    pub forged: u64,
    /// Opened before, or too old to tell.
    pub replayed: u64,
    /// A new link while there is no room for it.
    pub full: u64,
    /// A new link of an address that has too many, or has begun too many.
    pub too_often: u64,
    /// An unreliable packet that waited and gave way to newer ones.
    pub waited: u64,
}

/// Sealed datagrams, and the packets in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Datagrams that were opened.
    pub datagrams_in: u64,
    /// Packets in them.
    pub packets_in: u64,
    /// Datagrams that were sealed.
    pub datagrams_out: u64,
    /// Packets in them.
    pub packets_out: u64,
}

/// Why a connection can't be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing can be sent to this address.
    BadAddress,
    /// All links are used.
    Full,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadAddress => "nothing can be sent to this address",
            Self::Full => "all links are used",
        })
    }
}

impl std::error::Error for ConnectError {}

struct Slot {
    generation: u32,
    /// Its link is. Here, so that who sends to many needn't look at each link.
    is_up: bool,
    link: Option<Link>,
    timer: Option<Instant>,
}

/// The transport of one port, for a server or for a client.
pub struct Endpoint {
    config: Config,
    identity: Identity,
    quic: quinn_proto::Endpoint,
    transport: Arc<TransportConfig>,
    random: SystemRandom,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// By QUIC's number of the connection, which is dense.
    by_handle: Vec<Option<u32>>,
    /// Links of a server by what their datagrams begin with; seldom two with the same.
    by_media: BTreeMap<u32, Vec<u32>>,
    timers: BTreeSet<(Instant, u32)>,
    /// Links whose QUIC may have something to send, each once.
    ready: VecDeque<u32>,
    is_ready: Vec<bool>,
    /// What waits for a sealed datagram. Apart, since to ask QUIC costs more than to seal.
    outboxes: Outboxes,
    /// Answers that belong to no link yet.
    replies: VecDeque<(SocketAddr, Vec<u8>)>,
    events: VecDeque<Event>,
    making: usize,
    door: Door,
    turns_away: bool,
    drops: Drops,
    traffic: Traffic,
}

impl Endpoint {
    /// A server's: others connect to it.
    pub fn server(config: Config, identity: Identity) -> Self {
        let transport = transport();
        let tls = identity
            .server_config()
            .expect("an identity that was made or read holds a key that goes with its certificate");
        let crypto = QuicServerConfig::try_from(tls).expect("TLS 1.3 has the cipher that QUIC begins with");
        let mut server = ServerConfig::with_crypto(Arc::new(crypto));
        server.transport_config(transport.clone()).max_incoming(config.links);
        Self::new(config, identity, transport, Some(Arc::new(server)))
    }

    /// A client's: it connects to others.
    pub fn client(config: Config, identity: Identity) -> Self {
        Self::new(config, identity, transport(), None)
    }

    fn new(
        config: Config,
        identity: Identity,
        transport: Arc<TransportConfig>,
        server: Option<Arc<ServerConfig>>,
    ) -> Self {
        // Made from the own key, and so the same after a restart: who still believes in a connection of before is told at once that it is gone, by a
        // reset that nobody else can make (RFC 9000, 10.3).
        let mut quic = EndpointConfig::new(Arc::new(identity.derived_key("stateless resets")));
        let connection_ids = identity.derived_key("connection ids");
        quic.cid_generator(move || Box::new(ConnectionIds::new(connection_ids.clone())));
        // After a crash everybody asks within the same second, many in one turn of the loop, and none may be left waiting for the next. A reset is shorter than
        // what it answers, so nobody can make more of one, nor keep two servers answering each other.
        quic.min_reset_interval(Duration::ZERO);
        // A QUIC packet without its fixed bit would look like one of ours (RFC 9443, 3; RFC 9287).
        quic.grease_quic_bit(false);
        Self {
            config,
            identity,
            quic: quinn_proto::Endpoint::new(Arc::new(quic), server, false, None),
            transport,
            random: SystemRandom::new(),
            slots: Vec::new(),
            free: Vec::new(),
            by_handle: Vec::new(),
            by_media: BTreeMap::new(),
            timers: BTreeSet::new(),
            ready: VecDeque::new(),
            is_ready: Vec::new(),
            outboxes: Outboxes::new(config.window),
            replies: VecDeque::new(),
            events: VecDeque::new(),
            making: 0,
            door: Door::new(&config),
            turns_away: false,
            drops: Drops::default(),
            traffic: Traffic::default(),
        }
    }

    /// The own fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        self.identity.fingerprint()
    }

    /// What was dropped.
    pub fn drops(&self) -> Drops {
        Drops { waited: self.outboxes.dropped(), ..self.drops }
    }

    /// Sealed datagrams so far.
    pub const fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Links that are up or being made.
    pub fn links(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Where the other end of a link is, and the round-trip time there.
    pub fn peer(&self, link: LinkId) -> Option<(SocketAddr, Duration)> {
        self.link(link).map(|link| (link.peer, link.quic.rtt()))
    }

    /// Asks a server which address this client's datagrams come from; [`Endpoint::outside_address`] has the answer when it has come. Either may
    /// be lost.
    pub fn ask_address(&mut self, link: LinkId) {
        let Some(index) = self.index(link).filter(|index| self.is_client(*index)) else { return };
        self.with(index, Link::ask_address);
        self.outboxes.make_ready(index);
    }

    /// The address that this client's datagrams come from, as the server last said.
    pub fn outside_address(&self, link: LinkId) -> Option<SocketAddr> {
        self.link(link).and_then(|link| link.outside)
    }

    /// Begins a link to a server. [`Event::Up`] or [`Event::Down`] tells how it went.
    ///
    /// # Errors
    /// Each [`ConnectError`].
    pub fn connect(&mut self, now: Instant, server: SocketAddr, trust: Trust) -> Result<LinkId, ConnectError> {
        if self.links() >= self.config.links {
            return Err(ConnectError::Full);
        }
        let refusal = Refusal::default();
        let tls = self.identity.client_config(trust, refusal.clone()).map_err(|_| ConnectError::BadAddress)?;
        let crypto = QuicClientConfig::try_from(tls).expect("TLS 1.3 has the cipher that QUIC begins with");
        let mut config = ClientConfig::new(Arc::new(crypto));
        config.transport_config(self.transport.clone());
        let made = self.quic.connect(now, config, server, SERVER_NAME);
        let (handle, quic) = made.map_err(|_| ConnectError::BadAddress)?;
        let link = Link::new(handle, quic, refusal, now + self.config.handshake);
        Ok(self.add(link))
    }

    /// Closes a link. [`Event::Down`] follows at once, and nothing of it is told any more. What is on its lane still leaves, and has 300 ms to be
    /// acknowledged.
    pub fn close(&mut self, now: Instant, link: LinkId) {
        if let Some(index) = self.index(link) {
            self.with(index, |link| link.close(DownReason::Closed));
            self.drive(now, index);
        }
    }

    /// From now on nobody who asks for a link gets an answer, so that they find the next server of this port the sooner.
    pub const fn turn_away(&mut self) {
        self.turns_away = true;
    }

    /// Takes a datagram that came in; gives its unreliable packets, if it has any. The rest is told by events.
    pub fn handle_datagram<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'d mut [u8],
    ) -> Option<Received<'d>> {
        if is_media(datagram) {
            return self.handle_media(now, from, datagram);
        }
        let mut reply = Vec::new();
        let event = self.quic.handle(now, from, None, None, BytesMut::from(&*datagram), &mut reply);
        match event {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                let index = self.by_handle.get(handle.0).copied().flatten()?;
                self.with(index, |link| link.quic.handle_event(event));
                self.drive(now, index);
            }
            Some(DatagramEvent::NewConnection(incoming)) => self.accept(now, incoming),
            Some(DatagramEvent::Response(transmit)) => self.reply(transmit, reply),
            None => self.drops.malformed += 1,
        }
        None
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.outboxes.handle_timeout(now);
        while let Some(&(at, index)) = self.timers.first() {
            if at > now {
                return;
            }
            self.timers.pop_first();
            let Some(slot) = self.slots.get_mut(index as usize) else { continue };
            slot.timer = None;
            if let Some(link) = &mut slot.link {
                link.quic.handle_timeout(now);
                link.handle_timeout(now);
            }
            self.drive(now, index);
        }
    }

    /// When something is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let timer = self.timers.first().map(|(at, _)| *at);
        [timer, self.outboxes.poll_timeout()].into_iter().flatten().min()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Sends a packet. Unreliable ones for the same link share a datagram until [`Endpoint::poll_transmit`] is asked.
    ///
    /// # Errors
    /// Each [`SendError`].
    pub fn send(&mut self, now: Instant, link: LinkId, delivery: Delivery, packet: &[u8]) -> Result<(), SendError> {
        let index = self.index(link).ok_or(SendError::Down)?;
        let link = self.slots[index as usize].link.as_mut().filter(|link| link.is_up).ok_or(SendError::Down)?;
        match delivery {
            Delivery::Reliable => {
                let taken = link.send_reliable(packet);
                self.drive(now, index);
                taken.then_some(()).ok_or(SendError::Refused)
            }
            Delivery::Unreliable => {
                let fits = !packet.is_empty() && adapter_kit::packed_len(packet.len()) <= link.room().unwrap_or(0);
                if fits {
                    let kept = self.outboxes.keep(packet);
                    self.outboxes.add(now, index, kept, Flush::Now);
                    if link.expect_answer(now) {
                        self.set_timer(index);
                    }
                }
                fits.then_some(()).ok_or(SendError::Refused)
            }
        }
    }

    /// Sends the same unreliable packet to many links, which may wait there for others. Links that are not up go without, and nobody gets
    /// a packet that is empty or too long for a datagram.
    pub fn send_to_all(&mut self, now: Instant, links: impl IntoIterator<Item = LinkId>, packet: &[u8], flush: Flush) {
        if packet.is_empty() || packet.len() > LONGEST_PACKET {
            return;
        }
        let kept = self.outboxes.keep(packet);
        for link in links {
            let (index, generation) = link.parts();
            let is_up = |slot: &Slot| slot.generation == generation && slot.is_up;
            if self.slots.get(link.index()).is_some_and(is_up) {
                self.outboxes.add(now, index, kept, flush);
            }
        }
    }

    /// Lets unreliable packets that wait for a link leave now.
    pub fn flush(&mut self, link: LinkId) {
        if let Some(index) = self.index(link) {
            self.outboxes.flush(index);
        }
    }

    /// The next datagram to send; it replaces what is in `out`, which has room for 1,200 bytes or gets it.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        out.clear();
        if let Some((to, bytes)) = self.replies.pop_front() {
            out.extend_from_slice(&bytes);
            return Some(Transmit { to });
        }
        while let Some(&index) = self.ready.front() {
            let link = self.slots[index as usize].link.as_mut();
            if let Some(transmit) = link.and_then(|link| link.quic.poll_transmit(now, 1, out)) {
                return Some(Transmit { to: transmit.destination });
            }
            self.ready.pop_front();
            self.is_ready[index as usize] = false;
            self.set_timer(index);
        }
        self.poll_sealed(out).map(|to| Transmit { to })
    }

    fn poll_sealed(&mut self, out: &mut Vec<u8>) -> Option<SocketAddr> {
        while let Some(index) = self.outboxes.next_ready() {
            if let Some(link) = self.slots[index as usize].link.as_mut()
                && let Some(room) = link.room()
            {
                if let Some(to) = link.poll_word(out) {
                    return Some(to);
                }
                if let Some((plain, packets)) = self.outboxes.take(index, room) {
                    self.traffic.packets_out += packets as u64;
                    self.traffic.datagrams_out += 1;
                    if let Some(to) = link.seal(plain, out) {
                        return Some(to);
                    }
                }
            }
            self.outboxes.pop_ready();
        }
        None
    }

    fn handle_media<'d>(&mut self, now: Instant, from: SocketAddr, datagram: &'d mut [u8]) -> Option<Received<'d>> {
        let Some(header) = Header::read(datagram) else {
            self.drops.malformed += 1;
            return None;
        };
        // One that is closing takes nothing more, and its other end is no forger for not knowing yet.
        let is_up = |index: &u32| self.slots[*index as usize].is_up;
        let Some(index) = self.link_of(header, datagram).filter(is_up) else {
            self.drops.unknown_link += 1;
            return None;
        };
        match self.open(index, from, header, datagram) {
            Ok(received) => {
                self.traffic.datagrams_in += 1;
                self.after_media(now, index);
                return Some(received);
            }
            Err(Refused::Forged) => self.drops.forged += 1,
            Err(Refused::Replayed) => self.drops.replayed += 1,
        }
        None
    }

    /// Whose datagram it is. Of several links with the same id, or of a client's several links, the first that can open it.
    fn link_of(&self, header: Header, datagram: &[u8]) -> Option<u32> {
        let opens =
            |index: &u32| self.slots[*index as usize].link.as_ref().is_some_and(|link| link.opens(header, datagram));
        match header.id {
            Some(id) => match self.by_media.get(&id)?.as_slice() {
                [only] => Some(*only),
                several => several.iter().copied().find(opens).or(several.first().copied()),
            },
            None if self.slots.len() == 1 => Some(0).filter(|index| self.is_client(*index)),
            None => {
                let mut clients = (0..self.slots.len() as u32).filter(|index| self.is_client(*index));
                let first = clients.next()?;
                [first].into_iter().chain(clients).find(opens).or(Some(first))
            }
        }
    }

    fn open<'d>(
        &mut self,
        index: u32,
        from: SocketAddr,
        header: Header,
        datagram: &'d mut [u8],
    ) -> Result<Received<'d>, Refused> {
        let Self { slots, random, traffic, .. } = self;
        let slot = &mut slots[index as usize];
        let id = LinkId::from_parts(index, slot.generation);
        let link = slot.link.as_mut().ok_or(Refused::Forged)?;
        let challenge = || {
            let mut bytes = [0; 8];
            random.fill(&mut bytes).expect("the operating system has random numbers");
            bytes
        };
        let (packets, count) = link.handle_datagram(from, header, datagram, challenge)?;
        traffic.packets_in += count;
        Ok(Received { link: id, packets })
    }

    fn after_media(&mut self, now: Instant, index: u32) {
        // A word to be answered, and QUIC may have to show itself, too.
        if self.slots[index as usize].link.as_ref().is_some_and(Link::has_word) {
            self.outboxes.make_ready(index);
            self.drive(now, index);
        }
    }

    fn is_client(&self, index: u32) -> bool {
        let link = self.slots[index as usize].link.as_ref();
        link.is_some_and(|link| link.is_up && link.quic.side() == Side::Client)
    }

    fn accept(&mut self, now: Instant, incoming: Incoming) {
        if self.turns_away {
            return self.quic.ignore(incoming);
        }
        let mut reply = Vec::new();
        if self.links() >= self.config.links {
            self.drops.full += 1;
            let transmit = self.quic.refuse(incoming, &mut reply);
            return self.reply(transmit, reply);
        }
        let (source, is_proven) = (Source::of(incoming.remote_address().ip()), incoming.remote_address_validated());
        match self.door.judge(now, source, is_proven, self.making) {
            Verdict::Accept => {}
            Verdict::Prove => {
                if let Ok(transmit) = self.quic.retry(incoming, &mut reply) {
                    self.reply(transmit, reply);
                }
                return;
            }
            Verdict::TooMany => {
                self.drops.too_often += 1;
                let transmit = self.quic.refuse(incoming, &mut reply);
                return self.reply(transmit, reply);
            }
        }
        let counts_for = is_proven.then_some(source);
        match self.quic.accept(incoming, now, &mut reply, None) {
            Ok((handle, quic)) => {
                let mut link = Link::new(handle, quic, Refusal::default(), now + self.config.handshake);
                link.counts_for = counts_for;
                let id = self.add(link);
                self.drive(now, id.parts().0);
            }
            Err(error) => {
                counts_for.into_iter().for_each(|source| self.door.leave(source));
                if let Some(transmit) = error.response {
                    self.reply(transmit, reply);
                }
            }
        }
    }

    fn reply(&mut self, transmit: quinn_proto::Transmit, mut bytes: Vec<u8>) {
        bytes.truncate(transmit.size);
        // One datagram in, at most one out: what can't be sent at once needn't be sent.
        if self.replies.len() < MOST_REPLIES {
            self.replies.push_back((transmit.destination, bytes));
        }
    }

    fn add(&mut self, link: Link) -> LinkId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, is_up: false, link: None, timer: None });
            self.is_ready.push(false);
            self.outboxes.grow(self.slots.len());
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 links")
        });
        let ConnectionHandle(number) = link.handle;
        if self.by_handle.len() <= number {
            self.by_handle.resize(number + 1, None);
        }
        self.by_handle[number] = Some(index);
        self.making += 1;
        let slot = &mut self.slots[index as usize];
        slot.link = Some(link);
        self.make_ready(index);
        LinkId::from_parts(index, self.slots[index as usize].generation)
    }

    fn index(&self, link: LinkId) -> Option<u32> {
        let (index, generation) = link.parts();
        let slot = self.slots.get(link.index())?;
        (slot.generation == generation && slot.link.is_some()).then_some(index)
    }

    fn link(&self, link: LinkId) -> Option<&Link> {
        self.index(link).and_then(|index| self.slots[index as usize].link.as_ref())
    }

    fn with(&mut self, index: u32, what: impl FnOnce(&mut Link)) {
        if let Some(link) = self.slots.get_mut(index as usize).and_then(|slot| slot.link.as_mut()) {
            what(link);
        }
    }

    /// Lets a link and the endpoint exchange what they have for each other.
    fn drive(&mut self, now: Instant, index: u32) {
        let Self { quic, slots, events, by_media, making, outboxes, door, .. } = self;
        let Some(slot) = slots.get_mut(index as usize) else { return };
        let Some(link) = &mut slot.link else { return };
        let id = LinkId::from_parts(index, slot.generation);
        let (mut up, mut down) = (false, false);
        link.drive(now, |happened| match happened {
            Happened::Up(fingerprint) => {
                up = true;
                events.push_back(Event::Up(id, fingerprint));
            }
            Happened::Reliable(packet) => events.push_back(Event::Packet(id, packet)),
        });
        if up {
            slot.is_up = true;
            *making -= 1;
            if link.quic.side() == Side::Server && link.counts_for.is_none() {
                let source = Source::of(link.peer.ip());
                door.is_proven(now, source);
                link.counts_for = Some(source);
            }
            by_media.entry(link.media_id().unwrap_or_default()).or_default().push(index);
        }
        if let Some(reason) = link.end(now) {
            (down, slot.is_up) = (true, false);
            outboxes.forget(index);
            events.push_back(Event::Down(id, reason));
        }
        let mut drained = false;
        while let Some(event) = link.quic.poll_endpoint_events() {
            drained |= event.is_drained();
            if let Some(event) = quic.handle_event(link.handle, event) {
                link.quic.handle_event(event);
            }
        }
        if down && link.media_id().is_none() {
            *making -= 1;
        }
        if drained { self.remove(index) } else { self.make_ready(index) }
    }

    fn make_ready(&mut self, index: u32) {
        if !std::mem::replace(&mut self.is_ready[index as usize], true) {
            self.ready.push_back(index);
        }
    }

    fn set_timer(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        let due = slot.link.as_mut().and_then(|link| {
            let quic = link.quic.poll_timeout();
            [quic, link.poll_timeout()].into_iter().flatten().min()
        });
        if due == slot.timer {
            return;
        }
        if let Some(before) = slot.timer.take() {
            self.timers.remove(&(before, index));
        }
        slot.timer = due;
        self.timers.extend(due.map(|at| (at, index)));
    }

    fn remove(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        let Some(link) = slot.link.take() else { return };
        slot.generation = slot.generation.wrapping_add(1);
        if let Some(timer) = slot.timer.take() {
            self.timers.remove(&(timer, index));
        }
        self.by_handle[link.handle.0] = None;
        link.counts_for.into_iter().for_each(|source| self.door.leave(source));
        if let Some(id) = link.media_id()
            && let Some(others) = self.by_media.get_mut(&id)
        {
            others.retain(|other| *other != index);
            if others.is_empty() {
                self.by_media.remove(&id);
            }
        }
        self.free.push(index);
    }
}

fn transport() -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    // One stream, opened by the client. Who is still there is the core's business, and so is an end without a word.
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .max_idle_timeout(None)
        .stream_receive_window(VarInt::from_u32(64 * 1_024))
        .receive_window(VarInt::from_u32(64 * 1_024))
        .send_window(64 * 1_024)
        .initial_mtu(DATAGRAM as u16)
        .mtu_discovery_config(None)
        .datagram_receive_buffer_size(None)
        .enable_segmentation_offload(false);
    Arc::new(config)
}
