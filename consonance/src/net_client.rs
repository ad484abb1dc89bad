//! A client of a real server: the core's client and the transport, brought together. What this person does is the caller's.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use adapter_udp::{DownReason, Endpoint, Event, Fingerprint, LinkId, Traffic, Trust};
use voice_core::{
    ChannelSlot, Client, ClientEvent, ClientId, ClientStorage, Delivery, Message, PeerLink, PersonSlot, RoomSlot,
    Route, Source, SpeakerSlot,
};

use crate::{
    clock::Now,
    direct_paths::{DirectPaths, Way, Ways},
};

/// A client with its tables in vectors.
pub(crate) type Core =
    Client<ClientStorage<Vec<PersonSlot>, Vec<RoomSlot>, Vec<ChannelSlot>, Vec<SpeakerSlot>, Vec<PeerLink>, Vec<u8>>>;

/// Something that the caller may want to know of what came in.
pub(crate) enum Happened<'a> {
    /// The connection is up, to a server with this key.
    Up(Option<Fingerprint>),
    /// It is down.
    Down(DownReason),
    /// An unreliable packet, before the client gets it.
    Packet(&'a [u8]),
}

pub(crate) struct NetClient {
    pub(crate) core: Core,
    /// Which server is talked to from the next attempt on.
    pub(crate) trust: Trust,
    transport: Endpoint,
    server: SocketAddr,
    attempt: Option<u32>,
    link: Option<LinkId>,
    direct: Option<DirectPaths>,
    ways: Ways,
    /// Texts that came in.
    texts: VecDeque<(ClientId, String)>,
}

impl NetClient {
    pub(crate) fn new(core: Core, transport: Endpoint, server: SocketAddr, trust: Trust) -> Self {
        Self {
            core,
            trust,
            transport,
            server,
            attempt: None,
            link: None,
            direct: None,
            ways: Ways::default(),
            texts: VecDeque::new(),
        }
    }

    /// Uses direct paths, too.
    pub(crate) fn with_direct(self, direct: Option<DirectPaths>) -> Self {
        Self { direct, ..self }
    }

    /// By which way each voice comes.
    pub(crate) const fn ways(&mut self) -> &mut Ways {
        &mut self.ways
    }

    /// Where somebody's voice goes straight to.
    pub(crate) fn direct_address(&self, client: ClientId) -> Option<SocketAddr> {
        self.direct.as_ref().and_then(|paths| paths.direct.address(client))
    }

    /// The next text that came in, and who wrote it.
    pub(crate) fn take_text(&mut self) -> Option<(ClientId, String)> {
        self.texts.pop_front()
    }

    pub(crate) const fn traffic(&self) -> Traffic {
        self.transport.traffic()
    }

    /// In: a datagram. [`NetClient::turn`] follows.
    pub(crate) fn handle_datagram(
        &mut self,
        now: Now,
        from: SocketAddr,
        datagram: &mut [u8],
        mut tell: impl FnMut(Happened<'_>),
    ) {
        let is_direct =
            self.direct.as_mut().is_some_and(|paths| paths.direct.handle_datagram(now.real, from, datagram));
        if is_direct {
            return;
        }
        let Some(received) = self.transport.handle_datagram(now.real, from, datagram) else { return };
        if Some(received.link) != self.link {
            return;
        }
        for packet in received.packets {
            tell(Happened::Packet(packet));
            if self.direct.is_some() {
                self.ways.note(Way::Server, packet);
            }
            self.core.handle_packet(now.core, Source::Server, Delivery::Unreliable, packet);
        }
    }

    /// Does what is due, and lets the client and the transport exchange what they have for each other.
    pub(crate) fn turn(&mut self, now: Now, mut tell: impl FnMut(Happened<'_>)) {
        if self.transport.poll_timeout().is_some_and(|at| at <= now.real) {
            self.transport.handle_timeout(now.real);
        }
        if self.core.poll_timeout().is_some_and(|at| at <= now.core) {
            self.core.handle_timeout(now.core);
        }
        while let Some(event) = self.transport.poll_event() {
            self.on_event(now, event, &mut tell);
        }
        self.take_messages(now);
        if let Some(paths) = &mut self.direct {
            paths.turn(now, &mut self.core, (&mut self.transport, self.link), &mut self.ways);
        }
        self.send(now);
    }

    /// Takes the addresses that this machine has now, without a port: it is in another network, or in none.
    pub(crate) fn handle_addresses(&mut self, now: Now, addresses: &[SocketAddr]) {
        if let Some(paths) = &mut self.direct {
            paths.set_local(now.real, addresses);
        }
        if !addresses.is_empty() {
            self.core.handle_network_back(now.core);
        }
    }

    fn take_messages(&mut self, now: Now) {
        while let Some(message) = self.core.take_message() {
            match (message, &mut self.direct) {
                (Message::Text { from, text, .. }, _) => self.texts.push_back((from, text.to_owned())),
                (Message::Rendezvous { from, bytes }, Some(paths)) => {
                    paths.direct.handle_rendezvous(now.real, from, bytes);
                }
                (Message::Rendezvous { .. }, None) => {}
            }
        }
    }

    /// What happened to the client.
    pub(crate) fn poll_event(&mut self) -> Option<ClientEvent> {
        let event = self.core.poll_event()?;
        if let Some(paths) = &mut self.direct {
            paths.on_event(&event);
        }
        Some(event)
    }

    /// Out: the next datagram, in `out`, and where to.
    pub(crate) fn poll_datagram(&mut self, now: Now, out: &mut Vec<u8>) -> Option<SocketAddr> {
        let transmit = self.transport.poll_transmit(now.real, out);
        let transmit = transmit.or_else(|| self.direct.as_mut().and_then(|paths| paths.direct.poll_transmit(out)));
        transmit.map(|transmit| transmit.to)
    }

    /// How long nothing will be due, at most so long.
    pub(crate) fn until(&self, now: Now, most: Duration) -> Duration {
        let direct = self.direct.as_ref().and_then(DirectPaths::poll_timeout);
        let transport = self.transport.poll_timeout().into_iter().chain(direct).min();
        now.until(transport, self.core.poll_timeout(), most)
    }

    fn on_event(&mut self, now: Now, event: Event, tell: &mut impl FnMut(Happened<'_>)) {
        match event {
            Event::Up(link, key) if Some(link) == self.link => {
                tell(Happened::Up(key));
                self.core.handle_connected(now.core);
            }
            Event::Packet(link, bytes) if Some(link) == self.link => {
                self.core.handle_packet(now.core, Source::Server, Delivery::Reliable, &bytes);
            }
            Event::Down(link, reason) if Some(link) == self.link => {
                self.link = None;
                tell(Happened::Down(reason));
                self.core.handle_disconnected(now.core);
            }
            // Of a link that was given up.
            _ => {}
        }
    }

    fn send(&mut self, now: Now) {
        let mut buffer = [0; 1_200];
        while let Some(transmit) = self.core.poll_transmit(now.core, &mut buffer) {
            if let Route::Path(path) = transmit.to {
                let packet = &buffer[..transmit.len];
                let sent = self.direct.as_mut().is_some_and(|paths| paths.direct.send(path, packet).is_ok());
                if !sent {
                    self.core.handle_unsent(now.core, path, packet);
                }
                continue;
            }
            let Some(link) = self.link else { continue };
            let sent = self.transport.send(now.real, link, transmit.delivery, &buffer[..transmit.len]);
            if sent.is_err() && transmit.delivery == Delivery::Reliable {
                // A lane that takes no more is at an end: a gap in it would be worse.
                self.transport.close(now.real, link);
            }
        }
        self.follow_wish(now);
    }

    /// Opens, gives up or opens anew, as the client wants.
    fn follow_wish(&mut self, now: Now) {
        let wanted = self.core.transport_wanted();
        if wanted == self.attempt {
            return;
        }
        self.attempt = wanted;
        if let Some(link) = self.link.take() {
            self.transport.close(now.real, link);
        }
        if wanted.is_some() {
            // An attempt that can't even begin is one that nobody answers.
            self.link = self.transport.connect(now.real, self.server, self.trust.clone()).ok();
        }
    }
}
