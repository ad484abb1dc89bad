//! Direct links to other clients: greeted, proven, doubted, given up; section 6 of docs/PROTOCOL.md.
//!
//! What is sent to a path alone is watched: unless its end acknowledges it in time, it goes over the relay after all; see `acks.rs`.
//!
//! One rule is kept: voice goes to a path, and is taken from it, only while the other end has proven there that it knows the
//! pair's secret. Everything else falls back to the relay by itself, since a link that isn't sure isn't named in the relay list.

mod acks;
mod asking;
#[cfg(test)]
mod tests;

use core::time::Duration;

use acks::{Incoming, Outgoing, Sent};
use asking::Asking;
use heapless::Vec;

use crate::rng::Rng;
use crate::storage::sort::sort_short;
use crate::types::{ClientId, DropReason, FrameLength, Instant, PathId, Secret, SessionId};
use crate::wire::limits::{GREET_INTERVAL, GREET_REFRESH, MAX_RELAY_LIST, PATH_DOUBT, PATH_PROVEN};
use crate::wire::{Greeting, PathAck};

/// Greetings at the short interval, before a path that doesn't answer is greeted at the long one.
const GREET_TRIES: u8 = 25;
/// Bytes of IPv4 and UDP headers that every copy costs besides its packet.
const DATAGRAM_OVERHEAD: u32 = 28;

/// One client to whom there is, or may come, a direct path.
#[derive(Debug, Clone, Copy)]
pub struct PeerLink {
    client: Option<ClientId>,
    path: Option<PathId>,
    secret: Option<Secret>,
    asking: Asking,
    /// The latest nonce drawn, until it is answered.
    nonce: Option<u64>,
    greet_at: Option<Instant>,
    /// When that nonce was first sent.
    greeted_at: Instant,
    tries: u8,
    /// Where a greeting came from that is to be answered, and its nonce.
    answer_to: Option<PathId>,
    answer_nonce: u64,
    proven_at: Option<Instant>,
    /// When something came in on the path; without a path, when there last was a use for this slot.
    heard_at: Instant,
    /// Whether the embedder was told that the link is up.
    up: bool,
    outgoing: Outgoing,
    incoming: Incoming,
}

/// What all links share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Links {
    due: Option<Instant>,
    /// The longest voice packet of late, decaying, in bytes.
    peak_bytes: u32,
    sent: Sent,
    /// Length of the own frames.
    frame: Duration,
}

impl Links {
    /// No links.
    pub(crate) const EMPTY: Self = Self { due: None, peak_bytes: 0, sent: Sent::NOTHING, frame: Duration::ZERO };

    /// When something has to be done or sent.
    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Whether anything has to be done or sent now: so that a client without links spends nothing on them.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }
}

/// Who is asking: this client's place in the session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Me {
    /// The session.
    pub(crate) session: SessionId,
    /// The own id.
    pub(crate) id: ClientId,
}

/// One voice packet to split.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Its sequence number.
    pub(crate) sequence: u16,
    /// Bytes of the packet as it goes to the relay.
    pub(crate) packet_bytes: usize,
    /// Length of the frames.
    pub(crate) frame_length: FrameLength,
    /// Uplink that voice may use, bit/s; `None` for no limit.
    pub(crate) uplink: Option<u32>,
    /// How many the roster shows to hear this packet, those with direct paths included.
    pub(crate) listeners: usize,
}

/// How one voice packet travels.
#[derive(Debug, Clone, Default)]
pub(crate) struct Split {
    /// Paths to send it to, each with the channels (bit i: channel i) by which its end is reached.
    pub(crate) direct: Vec<(PathId, u8), MAX_RELAY_LIST>,
    /// Who need not get it from the relay, ascending.
    pub(crate) listed: Vec<ClientId, MAX_RELAY_LIST>,
    /// Whether a copy goes to the relay.
    pub(crate) relay: bool,
}

/// A greeting to send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutGreeting {
    /// Where to.
    pub(crate) path: PathId,
    /// Whether it answers one.
    pub(crate) ack: bool,
    /// The packet's body.
    pub(crate) greeting: Greeting,
}

/// The table of links is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinksFull;

/// The links at work: the caller's table and what they share.
pub(crate) struct Direct<'a> {
    pub(crate) peers: &'a mut [PeerLink],
    pub(crate) links: &'a mut Links,
}

impl PeerLink {
    /// A free slot.
    pub const EMPTY: Self = Self {
        client: None,
        path: None,
        secret: None,
        asking: Asking::NOT,
        nonce: None,
        greet_at: None,
        greeted_at: Instant::ORIGIN,
        tries: 0,
        answer_to: None,
        answer_nonce: 0,
        proven_at: None,
        heard_at: Instant::ORIGIN,
        up: false,
        outgoing: Outgoing::NOTHING,
        incoming: Incoming::NOTHING,
    };

    fn is_proven(&self, now: Instant) -> bool {
        self.proven_at.is_some_and(|at| now.since(at) < PATH_PROVEN)
    }

    fn is_sure(&self, now: Instant) -> bool {
        self.is_proven(now) && now.since(self.heard_at) < PATH_DOUBT && !self.outgoing.is_doubted()
    }

    fn set_path(&mut self, now: Instant, path: PathId) {
        self.path = Some(path);
        self.void_proof();
        self.greet(now);
    }

    /// Begins to greet, if all that it takes is there.
    fn greet(&mut self, now: Instant) {
        self.tries = 0;
        let ready = self.path.is_some() && self.secret.is_some();
        self.greet_at = ready.then_some(now);
    }

    fn void_proof(&mut self) {
        self.proven_at = None;
        self.nonce = None;
        self.greet_at = None;
        self.outgoing.doubt();
        self.incoming = Incoming::NOTHING;
    }

    fn void_secret(&mut self) {
        self.void_proof();
        self.secret = None;
        self.answer_to = None;
    }

    fn due(&self, now: Instant, links: &Links) -> Option<Instant> {
        let lapse = self.proven_at.map(|at| at.after(PATH_PROVEN));
        let at_once = self.answer_to.is_some() || self.outgoing.has_overdue() || self.incoming.due;
        let late = self.outgoing.due(&links.sent, links.frame);
        // A link that came up or went down without a time passing has to be told.
        let change = (self.up != self.proven_at.is_some()).then_some(now);
        // A request that is due waits for the lane, not for a time.
        let ask = self.asking.at().filter(|at| *at > now);
        [self.greet_at, lapse, at_once.then_some(now), late, change, ask].into_iter().flatten().min()
    }
}

impl Direct<'_> {
    /// The adapter can reach this client on this path. The server has to be asked for the pair; see [`Self::next_request`].
    pub(crate) fn path_available(&mut self, now: Instant, client: ClientId, path: PathId) -> Result<(), LinksFull> {
        let known = self.by_client(client).is_some_and(|p| p.path == Some(path));
        if known {
            return Ok(());
        }
        self.path_lost(now, path);
        let peer = self.slot(client).ok_or(LinksFull)?;
        if peer.secret.is_none() {
            peer.asking.at_once(now);
        }
        peer.set_path(now, path);
        self.reckon(now);
        Ok(())
    }

    /// The path is no more.
    pub(crate) fn path_lost(&mut self, now: Instant, path: PathId) {
        if let Some(peer) = self.by_path(path) {
            peer.path = None;
            peer.void_proof();
            peer.asking.stop();
            peer.heard_at = now;
        }
        self.reckon(now);
    }

    /// The client is gone, and so is everything about it.
    pub(crate) fn forget(&mut self, now: Instant, client: ClientId) {
        if let Some(peer) = self.by_client(client) {
            peer.void_secret();
            peer.path = None;
            peer.asking = Asking::NOT;
            peer.outgoing = Outgoing::NOTHING;
            if !peer.up {
                *peer = PeerLink::EMPTY;
            }
        }
        self.reckon(now);
    }

    /// The session is another one: ids mean nothing any more.
    pub(crate) fn clear(&mut self) {
        self.peers.fill(PeerLink::EMPTY);
        *self.links = Links::EMPTY;
    }

    /// The connection to the server is a new one: what was asked on the old one may be lost.
    pub(crate) fn ask_again(&mut self, now: Instant) {
        for peer in self.peers.iter_mut().filter(|peer| peer.path.is_some()) {
            peer.asking = Asking::NOT;
            peer.asking.at_once(now);
        }
        self.reckon(now);
    }

    /// A client for whom the server has to be sent PairRequest. Asked for until [`Self::requested`].
    pub(crate) fn next_request(&self, now: Instant) -> Option<ClientId> {
        let peer = self.peers.iter().find(|peer| peer.asking.is_due(now))?;
        peer.client
    }

    /// The request is sent.
    pub(crate) fn requested(&mut self, now: Instant, client: ClientId) {
        if let Some(peer) = self.by_client(client) {
            peer.asking.sent(now);
        }
        self.reckon(now);
    }

    /// The server has given out a pair's secret; it replaces an earlier one.
    pub(crate) fn pair(&mut self, now: Instant, client: ClientId, secret: Secret) -> Result<(), DropReason> {
        let peer = self.slot(client).ok_or(DropReason::TableFull)?;
        peer.asking.stop();
        if peer.path.is_none() {
            peer.heard_at = now;
        }
        if peer.secret != Some(secret) {
            peer.void_secret();
            peer.secret = Some(secret);
            peer.greet(now);
        }
        self.reckon(now);
        Ok(())
    }

    /// The pair's secret is void. Another is asked for now and then: nothing tells when the server would give one again.
    pub(crate) fn pair_gone(&mut self, now: Instant, client: ClientId) {
        if let Some(peer) = self.by_client(client) {
            peer.void_secret();
            peer.doubt_secret(now);
        }
        self.reckon(now);
    }

    /// A Greet, or with `ack` a GreetAck, came in on this path.
    pub(crate) fn handle_greeting(
        &mut self,
        now: Instant,
        me: Me,
        path: PathId,
        ack: bool,
        greeting: &Greeting,
    ) -> Result<(), DropReason> {
        if greeting.session != me.session {
            return Err(DropReason::WrongSession);
        }
        let peer = self.by_client(greeting.sender).ok_or(DropReason::UnknownClient)?;
        let secret = peer.secret.ok_or(DropReason::WrongProof)?;
        if greeting.receiver != me.id {
            return Err(DropReason::WrongProof);
        }
        if !greeting.is_proven(ack, &secret) {
            peer.doubt_secret(now);
            self.reckon(now);
            return Err(DropReason::WrongProof);
        }
        let done = match ack {
            true => peer.handle_ack(now, path, greeting.nonce),
            false => peer.handle_greet(now, path, greeting.nonce),
        };
        self.reckon(now);
        done
    }

    /// Voice came in on this path: it must be proven, and be its own client's.
    pub(crate) fn handle_voice(
        &mut self,
        now: Instant,
        path: PathId,
        speaker: ClientId,
        sequence: u16,
    ) -> Result<(), DropReason> {
        let peer = self.by_path(path).ok_or(DropReason::UnknownConnection)?;
        if !peer.is_proven(now) {
            return Err(DropReason::UnprovenPath);
        }
        if peer.client != Some(speaker) {
            return Err(DropReason::WrongSender);
        }
        peer.heard_at = now;
        peer.incoming.note(sequence);
        self.reckon(now);
        Ok(())
    }

    /// An acknowledgement of voice came in on this path.
    pub(crate) fn handle_ack(&mut self, now: Instant, me: Me, path: PathId, ack: &PathAck) -> Result<(), DropReason> {
        if ack.session != me.session {
            return Err(DropReason::WrongSession);
        }
        let sent = self.links.sent;
        let peer = self.by_path(path).ok_or(DropReason::UnknownConnection)?;
        if !peer.is_proven(now) {
            return Err(DropReason::UnprovenPath);
        }
        if peer.client != Some(ack.sender) || ack.receiver != me.id {
            return Err(DropReason::WrongSender);
        }
        peer.outgoing.handle_ack(now, &sent, ack.sequence, ack.received)?;
        peer.heard_at = now;
        self.reckon(now);
        Ok(())
    }

    /// The next acknowledgement to send, and on which path.
    pub(crate) fn poll_ack(&mut self, now: Instant, me: Me) -> Option<(PathId, PathAck)> {
        if !self.links.is_due(now) {
            return None;
        }
        let ack = self.peers.iter_mut().find_map(|peer| peer.ack_to_send(me));
        self.reckon(now);
        ack
    }

    /// A packet that was sent to paths alone and didn't arrive, and who has to get it from the relay, ascending.
    pub(crate) fn poll_overdue(&mut self, now: Instant) -> Option<(u16, Vec<ClientId, MAX_RELAY_LIST>)> {
        if !self.links.is_due(now) {
            return None;
        }
        for peer in self.peers.iter_mut() {
            peer.outgoing.give_up_late(now, &self.links.sent, self.links.frame);
        }
        let overdue = self.peers.iter().find_map(|peer| peer.outgoing.oldest_overdue());
        let overdue = overdue.map(|sequence| (sequence, self.take_overdue(sequence)));
        self.reckon(now);
        overdue
    }

    fn take_overdue(&mut self, sequence: u16) -> Vec<ClientId, MAX_RELAY_LIST> {
        let mut clients = Vec::new();
        for peer in self.peers.iter_mut() {
            if !clients.is_full() && peer.outgoing.take_overdue(sequence) {
                clients.extend(peer.client);
            }
        }
        sort_short(&mut clients, |client| *client);
        clients
    }

    /// The adapter could not send a packet on this path: whom it leads to. Until a later one is acknowledged, the relay is used as well.
    pub(crate) fn handle_unsent(&mut self, now: Instant, path: PathId, sequence: u16) -> Option<ClientId> {
        let peer = self.by_path(path)?;
        peer.outgoing.forget(sequence);
        peer.outgoing.doubt();
        let client = peer.client;
        self.reckon(now);
        client
    }

    /// The next greeting to send.
    pub(crate) fn poll_greeting(&mut self, now: Instant, me: Me, rng: &mut Rng) -> Option<OutGreeting> {
        if !self.links.is_due(now) {
            return None;
        }
        let out =
            self.peers.iter_mut().find_map(|peer| peer.answer_to_send(me).or_else(|| peer.greet_to_send(now, me, rng)));
        self.reckon(now);
        out
    }

    /// A link that has come up (`true`) or gone down since it was last asked.
    pub(crate) fn poll_change(&mut self, now: Instant) -> Option<(ClientId, bool)> {
        if !self.links.is_due(now) {
            return None;
        }
        let peer = self.peers.iter_mut().find(|peer| peer.up != peer.is_proven(now))?;
        peer.up = !peer.up;
        let change = (peer.client?, peer.up);
        if !peer.up {
            peer.proven_at = None;
            peer.outgoing.doubt();
            if peer.path.is_none() && peer.secret.is_none() {
                *peer = PeerLink::EMPTY;
            } else {
                peer.greet(now);
            }
        }
        self.reckon(now);
        Some(change)
    }

    /// Whether there is a proven link to this client.
    pub(crate) fn is_up(&self, now: Instant, client: ClientId) -> bool {
        self.peers.iter().any(|peer| peer.client == Some(client) && peer.is_proven(now))
    }

    /// Decides how one voice packet travels; `reach` tells by which channels (bit i: channel i) a client is reached, 0 if by none.
    ///
    /// Without a limit every proven link is used. With one, as many as fit beside the copy to the relay, in the order of the
    /// table; the measure is the longest packet of late, so that the choice doesn't change with every frame.
    pub(crate) fn split(&mut self, now: Instant, load: Load, reach: impl Fn(ClientId) -> u8) -> Split {
        let copies = self.links.copies(load);
        let mut split = self.choose(now, copies, &reach);
        split.relay = split.listed.len() < load.listeners;
        if split.relay && split.direct.len() >= copies {
            split = self.choose(now, copies.saturating_sub(1), &reach);
            split.relay = true;
        }
        sort_short(&mut split.listed, |client| *client);
        self.note_sent(now, load, &split);
        split
    }

    fn note_sent(&mut self, now: Instant, load: Load, split: &Split) {
        self.links.frame = load.frame_length.span();
        self.links.sent.note(now, load.sequence);
        for peer in self.peers.iter_mut() {
            let goes = split.direct.iter().any(|(path, _)| peer.path == Some(*path));
            if goes {
                let alone = peer.client.is_some_and(|client| split.listed.contains(&client));
                peer.outgoing.note_sent(load.sequence, alone);
            }
        }
        self.reckon(now);
    }

    fn choose(&self, now: Instant, copies: usize, reach: &impl Fn(ClientId) -> u8) -> Split {
        let mut split = Split::default();
        for peer in self.peers.iter().filter(|peer| peer.is_proven(now)) {
            let (Some(client), Some(path)) = (peer.client, peer.path) else {
                continue;
            };
            let channels = reach(client);
            if channels == 0 || split.direct.len() >= copies {
                continue;
            }
            if split.direct.push((path, channels)).is_ok() && peer.is_sure(now) {
                // As long as the list of paths, so there is room.
                let _ = split.listed.push(client);
            }
        }
        split
    }

    fn by_client(&mut self, client: ClientId) -> Option<&mut PeerLink> {
        self.peers.iter_mut().find(|peer| peer.client == Some(client))
    }

    fn by_path(&mut self, path: PathId) -> Option<&mut PeerLink> {
        self.peers.iter_mut().find(|peer| peer.path == Some(path))
    }

    /// The client's slot, a free one if it has none, or one without a path.
    fn slot(&mut self, client: ClientId) -> Option<&mut PeerLink> {
        let of = |wanted| move |peer: &PeerLink| peer.client == wanted;
        let at = self.peers.iter().position(of(Some(client))).or_else(|| self.peers.iter().position(of(None)));
        let at = at.or_else(|| self.least_used())?;
        let peer = self.peers.get_mut(at)?;
        if peer.client != Some(client) {
            *peer = PeerLink { client: Some(client), ..PeerLink::EMPTY };
        }
        Some(peer)
    }

    /// Of those without a path the one that was of no use for longest. All that is lost with it is a secret, and the server has more.
    fn least_used(&self) -> Option<usize> {
        let idle = self.peers.iter().enumerate().filter(|(_, peer)| peer.path.is_none() && !peer.up);
        idle.min_by_key(|(_, peer)| peer.heard_at).map(|(at, _)| at)
    }

    fn reckon(&mut self, now: Instant) {
        self.links.due = self.peers.iter().filter_map(|peer| peer.due(now, self.links)).min();
    }
}

impl PeerLink {
    fn handle_greet(&mut self, now: Instant, path: PathId, nonce: u64) -> Result<(), DropReason> {
        (self.answer_to, self.answer_nonce) = (Some(path), nonce);
        if self.path.is_none() {
            self.set_path(now, path);
        }
        if self.path == Some(path) {
            self.heard_at = self.heard_at.max(now);
        }
        Ok(())
    }

    fn handle_ack(&mut self, now: Instant, path: PathId, nonce: u64) -> Result<(), DropReason> {
        if self.path != Some(path) || self.nonce != Some(nonce) {
            return Err(DropReason::StaleAnswer);
        }
        self.nonce = None;
        self.outgoing.note_round_trip(now.since(self.greeted_at));
        if self.proven_at.is_none() {
            self.outgoing.trust();
        }
        self.proven_at = Some(now);
        self.asking = Asking::NOT;
        self.heard_at = now;
        self.greet_at = Some(now.after(GREET_REFRESH));
        self.tries = 0;
        Ok(())
    }

    fn answer_to_send(&mut self, me: Me) -> Option<OutGreeting> {
        let path = self.answer_to.take()?;
        self.out_greeting(me, path, true, self.answer_nonce)
    }

    fn greet_to_send(&mut self, now: Instant, me: Me, rng: &mut Rng) -> Option<OutGreeting> {
        self.greet_at.filter(|at| now >= *at)?;
        let path = self.path?;
        let nonce = self.nonce_to_send(now, rng);
        self.tries = self.tries.saturating_add(1);
        let proven = self.is_proven(now);
        let short = !proven && self.tries < GREET_TRIES;
        if !short {
            self.doubt_secret(now);
        }
        let wait: Duration = if short { GREET_INTERVAL } else { GREET_REFRESH };
        self.greet_at = Some(now.after(wait));
        self.out_greeting(me, path, false, nonce)
    }

    /// The other end may have another secret, or none. Not while the path is proven: anybody can send a wrong proof.
    fn doubt_secret(&mut self, now: Instant) {
        if self.path.is_some() && !self.is_proven(now) {
            self.asking.later(now);
        }
    }

    /// A nonce stays the same until it is answered, so that a path on which an answer takes longer than the next greeting can be proven.
    fn nonce_to_send(&mut self, now: Instant, rng: &mut Rng) -> u64 {
        match self.nonce.filter(|_| now.since(self.greeted_at) < PATH_PROVEN) {
            Some(nonce) => nonce,
            None => {
                self.greeted_at = now;
                *self.nonce.insert(rng.next_u64())
            }
        }
    }

    fn ack_to_send(&mut self, me: Me) -> Option<(PathId, PathAck)> {
        let (sequence, received) = self.incoming.take()?;
        let (sender, receiver) = (me.id, self.client?);
        Some((self.path?, PathAck { session: me.session, sender, receiver, sequence, received }))
    }

    fn out_greeting(&self, me: Me, path: PathId, ack: bool, nonce: u64) -> Option<OutGreeting> {
        let greeting = Greeting::new(ack, me.session, me.id, self.client?, nonce, &self.secret?);
        Some(OutGreeting { path, ack, greeting })
    }
}

impl Links {
    /// How many copies of a packet the uplink carries per frame.
    fn copies(&mut self, load: Load) -> usize {
        let bytes = u32::try_from(load.packet_bytes).unwrap_or(u32::MAX);
        self.peak_bytes = bytes.max(self.peak_bytes - self.peak_bytes / 64);
        let Some(uplink) = load.uplink else {
            return usize::MAX;
        };
        let bits = u64::from(self.peak_bytes.saturating_add(DATAGRAM_OVERHEAD)) * 8;
        let per_frame = u64::from(uplink) * u64::from(load.frame_length.ms()) / 1_000;
        usize::try_from(per_frame / bits).unwrap_or(usize::MAX)
    }
}
