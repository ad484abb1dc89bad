//! Direct paths: clients that speak to each other without the server in between, where their networks let them.
//!
//! Each learns from the server which address it is seen at, and tells the other through the server that one and its own; each then sends small
//! sealed questions to all addresses of the other at the same time, which opens the NATs in between, and voice goes where a question was
//! answered. Where none is, the server goes on. docs/UDP.md, section 5, has the bytes; docs/SECURITY.md what this shows and to whom.
//!
//! [`Direct`] is all of that without a socket or a clock. It knows no voice: that a path is used, doubted or left is the core's business, which
//! greets on it, and falls back to the server frame by frame.
//!
//! | to change | open |
//! |---|---|
//! | what is said through the server, and the keys | `exchange.rs` |
//! | which addresses are tried | `candidates.rs`, `local.rs` |
//! | how often they are tried, and which one is used | `way.rs` |
//! | what those get who never answer | `budget.rs` |
//! | when there is a new exchange | `pair.rs` |

mod budget;
mod candidates;
mod drive;
mod exchange;
mod local;
mod pair;
mod way;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use voice_core::{ClientId, PathId, SessionId};

use adapter_kit::{Item, LinkId, Transmit, address::canonical};

use crate::{
    endpoint::Traffic,
    media::{Header, Refused, is_straight},
};
use budget::Budget;
pub use candidates::Families;
use candidates::Sieve;
use exchange::{Message, Parties, random};
pub use local::local_addresses;
use pair::{Own, Pair};

/// The own address is waited for so long before the first exchange.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between questions for the own address at first, and after a change of the local ones.
const ASK_SOON: Duration = Duration::from_secs(1);
/// So many such questions: the server answers only where it knows that the client is.
const SOON: u32 = 4;
/// After that: a NAT that has restarted is noticed within that time.
const ASK_AGAIN: Duration = Duration::from_secs(15);

/// Messages of clients who aren't wanted yet, that are kept for [`EARLY`]: the others may have seen this client come into their room before it did.
const MOST_EARLY: usize = 8;
const EARLY: Duration = Duration::from_secs(2);

/// What direct paths are used for, and their limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectConfig {
    /// Other clients at once, to whom a path is looked for.
    pub pairs: usize,
    /// Which addresses the socket can send to.
    pub families: Families,
    /// Whether this machine's own addresses (127.0.0.1, `::1`) may be told and tried: only where the server is reached by such a one.
    pub loopback: bool,
}

impl DirectConfig {
    /// 16 clients, IPv4, no loopback.
    pub const DEFAULT: Self = Self { pairs: 16, families: Families::V4, loopback: false };
}

/// Something for the embedder to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectEvent {
    /// Send this to a client through the server: a rendezvous of the core's.
    Rendezvous(ClientId, Vec<u8>),
    /// Ask the server for the own address: [`Endpoint::ask_address`](crate::Endpoint::ask_address).
    AskAddress,
    /// A client can be reached on this path.
    Available(ClientId, PathId),
    /// A path is no more.
    Lost(PathId),
    /// A packet came in on a path, maybe before it is told that the path is there: the other end may know sooner.
    Packet(PathId, Bytes),
}

/// How often something was dropped, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DirectDrops {
    /// A datagram that isn't whole.
    pub malformed: u64,
    /// Sealed, and of no path that there is.
    pub unknown: u64,
    /// Not sealed by the other end of the path.
    pub forged: u64,
    /// Opened before, or too old to tell.
    pub replayed: u64,
    /// A rendezvous that is none, or of somebody with whom no path is wanted, or that doesn't fit to what was said before.
    pub rendezvous: u64,
}

/// A packet can't leave on its path: the core hands it to the server ([`Client::handle_unsent`](voice_core::Client::handle_unsent)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsent;

/// All direct paths of a client.
///
/// `set_*` tells what has changed, `handle_*` takes input, `poll_*` drains output; no order is wrong. [`Direct::drive`] does most of it for a
/// client of the core.
pub struct Direct {
    config: DirectConfig,
    me: Option<(SessionId, ClientId)>,
    /// When exchanges begin even without an outside address.
    ready_at: Option<Instant>,
    local: Vec<SocketAddr>,
    outside: Option<SocketAddr>,
    ask_at: Option<Instant>,
    asked: u32,
    /// To the server, as last seen by [`Direct::drive`].
    link: Option<LinkId>,
    pairs: Vec<Pair>,
    /// What came too early, from whom and when.
    early: VecDeque<(Instant, ClientId, Vec<u8>)>,
    paths: u32,
    budget: Budget,
    events: VecDeque<DirectEvent>,
    drops: DirectDrops,
    traffic: Traffic,
    probes: u64,
}

impl Direct {
    /// None yet.
    pub fn new(config: DirectConfig) -> Self {
        Self {
            config,
            me: None,
            ready_at: None,
            local: Vec::new(),
            outside: None,
            ask_at: None,
            asked: 0,
            link: None,
            pairs: Vec::new(),
            early: VecDeque::new(),
            paths: 0,
            budget: Budget::default(),
            events: VecDeque::new(),
            drops: DirectDrops::default(),
            traffic: Traffic::default(),
            probes: 0,
        }
    }

    /// Where a client's voice goes straight to; `None` if it goes over the server.
    pub fn address(&self, client: ClientId) -> Option<SocketAddr> {
        self.pairs.iter().find(|pair| pair.client == client).and_then(Pair::address)
    }

    /// The client at the other end of a path.
    pub fn client(&self, path: PathId) -> Option<ClientId> {
        self.pairs.iter().find(|pair| pair.path == path).map(|pair| pair.client)
    }

    /// What was dropped.
    pub const fn drops(&self) -> DirectDrops {
        self.drops
    }

    /// Datagrams with packets, so far; those that hold questions and answers alone are not among `datagrams_out`.
    pub const fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Questions and answers sent.
    pub const fn probes(&self) -> u64 {
        self.probes
    }

    /// Who this client is in which session; with another one, all paths are gone.
    pub fn set_session(&mut self, now: Instant, me: Option<(SessionId, ClientId)>) {
        if self.me == me {
            return;
        }
        self.set_wanted(now, &[]);
        self.early.clear();
        self.me = me;
        self.ready_at = me.map(|_| now + PATIENCE);
        (self.ask_at, self.asked) = (me.map(|_| now), 0);
    }

    /// Whom a path is wanted to. The addresses of this client are told to them, and to nobody else. With more than [`DirectConfig::pairs`]
    /// those stay who are there, and of the others those are taken whose number is nearest by xor: so both ends tend to take each other.
    pub fn set_wanted(&mut self, now: Instant, clients: &[ClientId]) {
        self.pairs.retain(|pair| {
            let stays = clients.contains(&pair.client);
            if !stays && pair.address().is_some() {
                self.events.push_back(DirectEvent::Lost(pair.path));
            }
            stays
        });
        let Some((_, me)) = self.me else { return };
        let new = |client: &ClientId| *client != me && self.pairs.iter().all(|pair| pair.client != *client);
        let mut new: Vec<ClientId> = clients.iter().copied().filter(new).collect();
        new.sort_by_key(|client| client.get() ^ me.get());
        new.dedup();
        new.truncate(self.config.pairs.saturating_sub(self.pairs.len()));
        for client in new {
            self.paths = self.paths.wrapping_add(1);
            self.pairs.push(Pair::new(now, client, PathId(self.paths), me < client));
        }
        self.take_early(now);
    }

    /// Takes what came too early, as far as it isn't any more, and forgets what is too old.
    fn take_early(&mut self, now: Instant) {
        for (at, from, bytes) in std::mem::take(&mut self.early) {
            if self.is_wanted(from) {
                self.handle_rendezvous(now, from, &bytes);
            } else if now < at + EARLY {
                self.early.push_back((at, from, bytes));
            } else {
                self.drops.rendezvous += 1;
            }
        }
    }

    fn is_wanted(&self, client: ClientId) -> bool {
        self.pairs.iter().any(|pair| pair.client == client)
    }

    /// The addresses that the own socket has on this machine's networks, the best first: see [`local_addresses`]. When they change, there are new
    /// exchanges.
    pub fn set_local(&mut self, now: Instant, addresses: &[SocketAddr]) {
        let addresses = self.sieve().sift(addresses.iter().copied());
        if self.local != addresses {
            self.local = addresses;
            self.ask_soon(now);
            self.renew(now);
        }
    }

    /// The own address as the server sees it. When it changes, there are new exchanges.
    pub fn set_outside(&mut self, now: Instant, address: SocketAddr) {
        let address = canonical(address);
        if self.outside != Some(address) {
            let is_news = !self.candidates().contains(&address);
            self.outside = Some(address);
            if is_news {
                self.renew(now);
            }
        }
    }

    /// Takes what another client sent through the server.
    pub fn handle_rendezvous(&mut self, now: Instant, from: ClientId, bytes: &[u8]) {
        if !self.is_wanted(from) && self.early.len() < MOST_EARLY {
            self.early.push_back((now, from, bytes.to_vec()));
        } else if self.take_rendezvous(now, from, bytes).is_none() {
            self.drops.rendezvous += 1;
        }
    }

    fn take_rendezvous(&mut self, now: Instant, from: ClientId, bytes: &[u8]) -> Option<()> {
        let message = Message::decode(bytes)?;
        let at = self.pairs.iter().position(|pair| pair.client == from)?;
        let candidates = self.candidates();
        let own = self.own(from, &candidates)?;
        let answer = self.pairs[at].handle_message(now, &own, &message, bytes).ok()?;
        if let Some(answer) = answer {
            self.events.push_back(DirectEvent::Rendezvous(from, answer.encode()));
        }
        // The first round leaves at once.
        self.pairs[at].handle_timeout(now, &mut self.budget);
        self.tell(at);
        Some(())
    }

    /// Takes a datagram, if it is one of a direct path: false if it is the [`Endpoint`](crate::Endpoint)'s.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) -> bool {
        if !is_straight(datagram) {
            return false;
        }
        let Some((header, id)) = Header::read_straight(datagram) else {
            self.drops.malformed += 1;
            return true;
        };
        let Some(at) = self.pairs.iter().position(|pair| pair.uses(id)) else {
            self.drops.unknown += 1;
            return true;
        };
        let Self { pairs, budget, events, drops, traffic, .. } = self;
        let pair = &mut pairs[at];
        let path = pair.path;
        // Nobody may speak on an offer that isn't answered yet.
        let Some(way) = pair.way(id) else {
            drops.unknown += 1;
            return true;
        };
        match way.open(now, canonical(from), header, datagram, budget) {
            Ok(plain) => {
                traffic.datagrams_in += 1;
                for item in adapter_kit::unpack(plain) {
                    if let Item::Packet(packet) = item {
                        traffic.packets_in += 1;
                        events.push_back(DirectEvent::Packet(path, Bytes::copy_from_slice(packet)));
                    }
                }
            }
            Err(Refused::Forged) => drops.forged += 1,
            Err(Refused::Replayed) => drops.replayed += 1,
        }
        self.tell(at);
        true
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.take_early(now);
        if self.ask_at.is_some_and(|at| at <= now) {
            self.asked += 1;
            self.ask_at = Some(now + if self.asked < SOON { ASK_SOON } else { ASK_AGAIN });
            self.events.push_back(DirectEvent::AskAddress);
        }
        for at in 0..self.pairs.len() {
            self.pairs[at].handle_timeout(now, &mut self.budget);
            self.begin_exchange(now, at);
            self.tell(at);
        }
    }

    fn begin_exchange(&mut self, now: Instant, at: usize) {
        let due = self.exchange_due(&self.pairs[at]).is_some_and(|due| due <= now);
        let client = self.pairs[at].client;
        let candidates = self.candidates();
        let Some(own) = self.own(client, &candidates).filter(|_| due) else { return };
        let message = self.pairs[at].begin(now, &own);
        self.events.push_back(DirectEvent::Rendezvous(client, message.encode()));
    }

    /// When a pair's next exchange begins: not before there is something to say.
    fn exchange_due(&self, pair: &Pair) -> Option<Instant> {
        let next = pair.next_exchange()?;
        if self.outside.is_some() { Some(next) } else { self.ready_at.map(|at| at.max(next)) }
    }

    /// When something is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let pairs = self.pairs.iter().flat_map(|pair| [self.exchange_due(pair), pair.poll_timeout()]).flatten();
        pairs.chain(self.ask_at).min()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<DirectEvent> {
        self.events.pop_front()
    }

    /// Sends a packet on a path. Those for the same path share a datagram until [`Direct::poll_transmit`] is asked.
    ///
    /// # Errors
    /// [`Unsent`] if the path is no more, or too much waits for it.
    pub fn send(&mut self, path: PathId, packet: &[u8]) -> Result<(), Unsent> {
        let pair = self.pairs.iter_mut().find(|pair| pair.path == path).ok_or(Unsent)?;
        if !pair.send(packet) {
            return Err(Unsent);
        }
        self.traffic.packets_out += 1;
        Ok(())
    }

    /// The next datagram to send; it replaces what is in `out`.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> Option<Transmit> {
        for pair in &mut self.pairs {
            out.clear();
            let Some((to, voice)) = pair.poll_transmit(out) else { continue };
            let Some(to) = self.config.families.to_socket(to) else { continue };
            match voice {
                true => self.traffic.datagrams_out += 1,
                false => self.probes += 1,
            }
            return Some(Transmit { to });
        }
        None
    }

    fn sieve(&self) -> Sieve {
        Sieve { families: self.config.families, loopback: self.config.loopback }
    }

    /// Where this client may be reached, the best first.
    fn candidates(&self) -> Vec<SocketAddr> {
        self.sieve().sift(self.local.iter().copied().chain(self.outside))
    }

    fn own<'a>(&self, client: ClientId, candidates: &'a [SocketAddr]) -> Option<Own<'a>> {
        let (session, me) = self.me?;
        let ids = std::iter::repeat_with(|| u32::from_be_bytes(random()));
        // Two ends never use the same id for the same path: there are 2^32, and a few dozen are used.
        let id = ids.take(64).find(|id| !self.pairs.iter().any(|pair| pair.uses(*id)))?;
        Some(Own { parties: Parties::of(session, me, client), sieve: self.sieve(), candidates, id })
    }

    fn ask_soon(&mut self, now: Instant) {
        (self.ask_at, self.asked) = (self.ask_at.map(|_| now), 0);
    }

    fn renew(&mut self, now: Instant) {
        self.pairs.iter_mut().for_each(|pair| pair.renew(now));
    }

    fn tell(&mut self, at: usize) {
        let pair = &mut self.pairs[at];
        if let Some(works) = pair.poll_change() {
            let (client, path) = (pair.client, pair.path);
            self.events.push_back(if works { DirectEvent::Available(client, path) } else { DirectEvent::Lost(path) });
        }
    }
}
