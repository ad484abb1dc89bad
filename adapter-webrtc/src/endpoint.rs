//! All connections of one port. Offers, datagrams and time go in; answers, datagrams and events come out.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use adapter_kit::{Flush, Item, LinkId, Outboxes, SendError, Transmit};
use str0m::{Candidate, crypto, ice::StunMessage, net::DatagramSend};
use voice_core::Delivery;

use crate::{
    desk::{Desk, Prepared, Refusal},
    finder::Finder,
    link::{Happened, LONGEST, Link, ROOM},
    offer::Offer,
};

/// Packets and events that wait for [`Endpoint::poll_event`]: with more, datagrams are dropped.
const MOST_UNREAD: usize = 65_536;
/// Voice that has waited so long for a channel that takes none is dropped: it would be heard too late.
const LATE: Duration = Duration::from_millis(100);

/// The least time between two looks at a link for its timers.
const TICK: Duration = Duration::from_millis(1);

/// The limits of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Links at once, those that are being made included. More are refused.
    pub links: usize,
    /// Of them, those that are being made.
    pub making: usize,
    /// Of them, those of one IPv4 address or one IPv6 network of 64 bits, behind which many people may be.
    pub links_per_address: usize,
    /// Offers that such an address may make at once, and one more after each `offer_every`.
    pub offers_per_address: usize,
    /// See `offers_per_address`.
    pub offer_every: Duration,
    /// A link that isn't up so long after its offer is forgotten.
    pub handshake: Duration,
    /// How long a packet sent with [`Flush::Soon`] waits at most for others to the same link; 0: not at all.
    pub window: Duration,
}

impl Config {
    /// 4,096 links, 256 being made, 256 of an address; 64 offers at once and then 4 a second; 10 s for a handshake; a window of 5 ms.
    pub const DEFAULT: Self = Self {
        links: 4_096,
        making: 256,
        links_per_address: 256,
        offers_per_address: 64,
        offer_every: Duration::from_millis(250),
        handshake: Duration::from_secs(10),
        window: Duration::from_millis(5),
    };
}

/// Something that happened to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It is up. Who the other end is shows in what it says: browsers have no lasting keys.
    Up(LinkId),
    /// A packet came in, and is in the buffer that was handed in.
    Packet(LinkId, Delivery),
    /// It is no more.
    Down(LinkId),
}

/// How often something was dropped, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Drops {
    /// A datagram that is neither STUN nor DTLS, or an unreliable message that can't be.
    pub malformed: u64,
    /// A datagram of no link.
    pub unknown_link: u64,
    /// A datagram that its link can't have sent.
    pub forged: u64,
    /// A datagram that came while too much waited to be taken by [`Endpoint::poll_event`].
    pub unread: u64,
    /// An offer while there was no room for it.
    pub full: u64,
    /// An offer of an address that had made too many.
    pub too_often: u64,
    /// A link that was never up.
    pub unfinished: u64,
    /// An unreliable packet that waited and gave way to newer ones.
    pub waited: u64,
    /// An unreliable packet that waited too long for a network that takes no more.
    pub late: u64,
}

/// What went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Datagrams that their link took.
    pub datagrams_in: u64,
    /// Datagrams to send.
    pub datagrams_out: u64,
    /// Unreliable messages that came.
    pub messages_in: u64,
    /// Packets in them.
    pub packets_in: u64,
    /// Unreliable messages that left.
    pub messages_out: u64,
    /// Packets in them.
    pub packets_out: u64,
}

/// An address that browsers can't be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadCandidate(pub SocketAddr);

impl fmt::Display for BadCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no address that can be sent to", self.0)
    }
}

impl std::error::Error for BadCandidate {}

#[derive(Default)]
struct Slot {
    generation: u32,
    link: Option<Box<Link>>,
    /// It is looked at then, or before.
    timer: Option<Instant>,
}

/// What waits to be taken.
enum Unread {
    Up(LinkId),
    Down(LinkId),
    Reliable(LinkId, Vec<u8>),
}

/// The transport of one port of a server.
pub struct Endpoint {
    config: Config,
    desk: Desk,
    slots: Vec<Slot>,
    free: Vec<u32>,
    making: usize,
    finder: Finder,
    timers: BTreeSet<(Instant, u32)>,
    outboxes: Outboxes,
    out: VecDeque<(SocketAddr, DatagramSend)>,
    unread: VecDeque<Unread>,
    /// Unreliable messages, and how much of the first has been taken.
    messages: VecDeque<(LinkId, Vec<u8>)>,
    taken: usize,
    drops: Drops,
    traffic: Traffic,
}

impl Endpoint {
    /// An endpoint whose browsers are told to send to these addresses, with a certificate of its own, made anew.
    ///
    /// # Errors
    /// [`BadCandidate`]: an address is unspecified, or its port is 0.
    pub fn new(config: Config, addresses: &[SocketAddr]) -> Result<Self, BadCandidate> {
        let crypto = crypto::from_feature_flags();
        let certificate = crypto.dtls_provider.generate_certificate().expect("random numbers, and memory for a key");
        let candidate = |address: &SocketAddr| {
            let usable = address.port() != 0 && !address.ip().is_unspecified();
            usable.then(|| Candidate::host(*address, "udp").ok()).flatten().ok_or(BadCandidate(*address))
        };
        let candidates = addresses.iter().map(candidate).collect::<Result<_, _>>()?;
        Ok(Self {
            config,
            desk: Desk::new(&config, certificate, candidates),
            slots: Vec::new(),
            free: Vec::new(),
            making: 0,
            finder: Finder::default(),
            timers: BTreeSet::new(),
            outboxes: Outboxes::new(config.window),
            out: VecDeque::new(),
            unread: VecDeque::new(),
            messages: VecDeque::new(),
            taken: 0,
            drops: Drops::default(),
            traffic: Traffic::default(),
        })
    }

    /// What was dropped.
    pub fn drops(&self) -> Drops {
        Drops { waited: self.outboxes.dropped(), too_often: self.desk.too_often(), ..self.drops }
    }

    /// What went through.
    pub const fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Links that are up or being made.
    pub fn links(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Where the other end of a link is.
    pub fn peer(&self, link: LinkId) -> Option<SocketAddr> {
        let index = self.index(link)?;
        self.slots[index as usize].link.as_ref().and_then(|link| link.peer)
    }

    /// Where offers are looked at. It may be used by other threads.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Begins a connection that the desk has prepared, and gives the answer to its offer. [`Event::Up`] tells when the browser has come; if it doesn't, it
    /// is forgotten.
    ///
    /// # Errors
    /// [`Refusal::TooOften`], [`Refusal::Full`].
    pub fn accept(&mut self, now: Instant, prepared: Prepared) -> Result<String, Refusal> {
        let Prepared { rtc, answer, source, at } = prepared;
        self.desk.may_link(source)?;
        if self.making >= self.config.making || self.links() >= self.config.links {
            self.drops.full += 1;
            return Err(Refusal::Full);
        }
        // Its clock may be a little ahead of a caller's who looked at the time before.
        let now = now.max(at);
        let index = self.add(Link::new(now, *rtc, source, now + self.config.handshake));
        self.tell_time(now, index);
        Ok(answer)
    }

    /// Prepares and accepts an offer that came from this address: for who has one thread alone.
    ///
    /// # Errors
    /// Each [`Refusal`].
    pub fn accept_offer(&mut self, now: Instant, offer: Offer, from: IpAddr) -> Result<String, Refusal> {
        let prepared = self.desk.prepare(now, offer, from)?;
        self.accept(now, prepared)
    }

    /// Takes a datagram that came in. What it brings is told by [`Endpoint::poll_event`].
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        if self.unread.len() + self.messages.len() >= MOST_UNREAD {
            self.drops.unread += 1;
            return;
        }
        let Some(index) = self.whose(now, from, datagram) else { return };
        let Some(to) = self.own_address(from) else { return };
        let Some(link) = self.slots.get_mut(index as usize).and_then(|slot| slot.link.as_mut()) else { return };
        if !link.may_move_to(from) || !link.receive(now, from, to, datagram) {
            self.drops.forged += 1;
            return self.drive(now, index);
        }
        if is_stun(datagram) && self.finder.learn(now, from, index) && !link.addresses.contains(&from) {
            link.addresses.push(from);
        }
        self.traffic.datagrams_in += 1;
        self.drive(now, index);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.outboxes.handle_timeout(now);
        while let Some(&(at, index)) = self.timers.first() {
            if at > now {
                return;
            }
            self.timers.pop_first();
            self.slots[index as usize].timer = None;
            self.give_up(now, index);
            self.tell_time(now, index);
        }
    }

    /// When something is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let timer = self.timers.first().map(|(at, _)| *at);
        [timer, self.outboxes.poll_timeout()].into_iter().flatten().min()
    }

    /// The next thing that came in. A packet replaces what is in `packet`. Reliable packets, ups and downs come before unreliable packets.
    pub fn poll_event(&mut self, packet: &mut Vec<u8>) -> Option<Event> {
        if let Some(unread) = self.unread.pop_front() {
            return Some(match unread {
                Unread::Up(link) => Event::Up(link),
                Unread::Down(link) => Event::Down(link),
                Unread::Reliable(link, bytes) => {
                    *packet = bytes;
                    Event::Packet(link, Delivery::Reliable)
                }
            });
        }
        while let Some((link, message)) = self.messages.front() {
            let link = *link;
            if let Some((one, taken)) = next_packet(&message[self.taken..]) {
                self.taken += taken;
                packet.clear();
                packet.extend_from_slice(one);
                self.traffic.packets_in += 1;
                return Some(Event::Packet(link, Delivery::Unreliable));
            }
            // What is left of it is no packet.
            self.drops.malformed += u64::from(self.taken < message.len() || message.is_empty());
            self.messages.pop_front();
            self.taken = 0;
        }
        None
    }

    /// Sends a packet. Unreliable ones for the same link share a message until [`Endpoint::poll_transmit`] is asked.
    ///
    /// # Errors
    /// Each [`SendError`].
    pub fn send(&mut self, now: Instant, link: LinkId, delivery: Delivery, packet: &[u8]) -> Result<(), SendError> {
        let index = self.index(link).ok_or(SendError::Down)?;
        let link = self.slots[index as usize].link.as_mut().filter(|link| link.is_up).ok_or(SendError::Down)?;
        if !(1..=LONGEST).contains(&packet.len()) {
            return Err(SendError::Refused);
        }
        match delivery {
            Delivery::Reliable => {
                let taken = link.send_reliable(packet);
                self.tell_time(now, index);
                taken.then_some(()).ok_or(SendError::Refused)
            }
            Delivery::Unreliable => {
                let kept = self.outboxes.keep(packet);
                self.outboxes.add(now, index, kept, Flush::Now);
                Ok(())
            }
        }
    }

    /// Sends the same unreliable packet to many links, which may wait there for others. Links that are not up go without, and nobody gets one that is
    /// empty or longer than 1,200 bytes.
    pub fn send_to_all(&mut self, now: Instant, links: impl IntoIterator<Item = LinkId>, packet: &[u8], flush: Flush) {
        if !(1..=LONGEST).contains(&packet.len()) {
            return;
        }
        let kept = self.outboxes.keep(packet);
        for link in links {
            let Some(index) = self.index(link) else { continue };
            if self.slots[index as usize].link.as_ref().is_some_and(|link| link.is_up) {
                self.outboxes.add(now, index, kept, flush);
            }
        }
    }

    /// Lets unreliable packets that wait for a link leave with the next [`Endpoint::poll_transmit`].
    pub fn flush(&mut self, link: LinkId) {
        if let Some(index) = self.index(link) {
            self.outboxes.flush(index);
        }
    }

    /// Closes a link; what waits on its lane is given up. [`Event::Down`] follows.
    pub fn close(&mut self, now: Instant, link: LinkId) {
        let Some(index) = self.index(link) else { return };
        self.tell_time(now, index);
        if let Some(link) = self.slots[index as usize].link.as_mut() {
            link.close();
            self.drive(now, index);
        }
        self.remove(index);
    }

    /// The next datagram to send; it replaces what is in `out`.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        while self.out.is_empty()
            && let Some(index) = self.outboxes.next_ready()
        {
            if !self.send_waiting(now, index) {
                self.outboxes.pop_ready();
            }
        }
        let (to, bytes) = self.out.pop_front()?;
        out.clear();
        out.extend_from_slice(&bytes);
        Some(Transmit { to })
    }

    /// Sends one message of what waits for a link; false if nothing waits, or it has to wait on.
    fn send_waiting(&mut self, now: Instant, index: u32) -> bool {
        if self.outboxes.is_empty(index) {
            return false;
        }
        let behind = |link: &Link| link.is_behind(now);
        if self.slots[index as usize].link.as_deref().is_some_and(behind) {
            self.tell_time(now, index);
        }
        let Self { slots, outboxes, traffic, .. } = self;
        let Some(link) = slots[index as usize].link.as_mut() else {
            outboxes.forget(index);
            return false;
        };
        if !link.has_room() {
            link.held_since.get_or_insert(now);
            self.drive(now, index);
            return false;
        }
        link.held_since = None;
        let Some((message, packets)) = outboxes.take(index, ROOM) else { return false };
        if link.send_unreliable(message) {
            traffic.messages_out += 1;
            traffic.packets_out += packets as u64;
        } else {
            self.drops.late += packets as u64;
        }
        self.drive(now, index);
        true
    }

    /// Whose datagram it is.
    fn whose(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Option<u32> {
        let found = match datagram.first() {
            Some(0..=1) => {
                let message = StunMessage::parse(datagram).ok();
                message.as_ref().and_then(StunMessage::split_username).map(|(to, _)| self.finder.named(to))
            }
            Some(20..=63) => Some(self.finder.at(now, from)),
            _ => None,
        };
        match found {
            Some(Some(index)) => return Some(index),
            Some(None) => self.drops.unknown_link += 1,
            None => self.drops.malformed += 1,
        }
        None
    }

    /// Which of the own addresses it was sent to. One socket has them all, so the first of the same kind will do.
    fn own_address(&self, from: SocketAddr) -> Option<SocketAddr> {
        self.desk.candidates().iter().map(Candidate::addr).find(|own| own.is_ipv4() == from.is_ipv4())
    }

    fn index(&self, link: LinkId) -> Option<u32> {
        let (index, generation) = link.parts();
        let slot = self.slots.get(link.index())?;
        (slot.generation == generation && slot.link.is_some()).then_some(index)
    }

    fn add(&mut self, link: Link) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.outboxes.grow(self.slots.len());
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 links")
        });
        self.finder.name(&link.fragment, index);
        self.desk.begin(link.source);
        self.making += 1;
        self.slots[index as usize].link = Some(Box::new(link));
        index
    }

    /// Gives up what takes too long: a link that isn't up, and voice that its channel doesn't take.
    fn give_up(&mut self, now: Instant, index: u32) {
        let Some(link) = self.slots[index as usize].link.as_mut() else { return };
        if !link.is_up && now >= link.until {
            link.is_over = true;
        }
        if link.held_since.is_some_and(|since| now >= since + LATE) {
            link.held_since = None;
            self.drops.late += self.outboxes.forget(index) as u64;
        }
    }

    fn tell_time(&mut self, now: Instant, index: u32) {
        if let Some(link) = self.slots[index as usize].link.as_mut() {
            link.tell_time(now);
            self.drive(now, index);
        }
    }

    /// Takes what a link has to say.
    fn drive(&mut self, now: Instant, index: u32) {
        let Self { slots, out, unread, messages, making, outboxes, drops, traffic, .. } = self;
        let slot = &mut slots[index as usize];
        let Some(link) = slot.link.as_mut() else { return };
        let id = LinkId::from_parts(index, slot.generation);
        let due = link.drain(|happened| match happened {
            Happened::Datagram(to, bytes) => {
                traffic.datagrams_out += 1;
                out.push_back((to, bytes));
            }
            Happened::Up => {
                *making -= 1;
                unread.push_back(Unread::Up(id));
            }
            Happened::Reliable(bytes) => unread.push_back(Unread::Reliable(id, bytes)),
            Happened::Unreliable(bytes) => {
                traffic.messages_in += 1;
                messages.push_back((id, bytes));
            }
            Happened::Malformed => drops.malformed += 1,
        });
        if link.is_over {
            if link.is_breach {
                link.close();
                link.drain(|happened| {
                    if let Happened::Datagram(to, bytes) = happened {
                        traffic.datagrams_out += 1;
                        out.push_back((to, bytes));
                    }
                });
            }
            return self.remove(index);
        }
        if link.held_since.is_some() && link.has_room() {
            outboxes.make_ready(index);
        }
        let until = (!link.is_up).then_some(link.until);
        let late = link.held_since.map(|since| since + LATE);
        // Never at once: what it has to do now it has done.
        let due = [Some(due), until, late].into_iter().flatten().min().map(|at| at.max(now + TICK));
        self.set_timer(index, due);
    }

    /// A timer that is due before stays: it is cheaper to look once too often than to move it with each datagram.
    fn set_timer(&mut self, index: u32, due: Option<Instant>) {
        let slot = &mut self.slots[index as usize];
        let Some(due) = due.filter(|due| slot.timer.is_none_or(|before| *due < before)) else { return };
        if let Some(before) = slot.timer.replace(due) {
            self.timers.remove(&(before, index));
        }
        self.timers.insert((due, index));
    }

    fn remove(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        let Some(link) = slot.link.take() else { return };
        let id = LinkId::from_parts(index, slot.generation);
        slot.generation = slot.generation.wrapping_add(1);
        if let Some(timer) = slot.timer.take() {
            self.timers.remove(&(timer, index));
        }
        self.finder.forget(&link.fragment, &link.addresses, index);
        self.desk.end(link.source);
        self.outboxes.forget(index);
        self.free.push(index);
        if link.is_up {
            self.unread.push_back(Unread::Down(id));
        } else {
            self.making -= 1;
            self.drops.unfinished += 1;
        }
    }
}

fn is_stun(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first < 2)
}

/// The next packet of a message, and how many bytes it takes with its length.
fn next_packet(message: &[u8]) -> Option<(&[u8], usize)> {
    match adapter_kit::unpack_first(message)? {
        (Item::Packet(packet), taken) => Some((packet, taken)),
        // A data channel needs no words of the transport's own.
        (Item::Word(_), _) => None,
    }
}
