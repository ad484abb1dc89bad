//! Direct paths of a client to those in its rooms: whom it wants to reach, where it may be reached, and by which way each voice comes.

use std::{collections::BTreeMap, net::SocketAddr, time::Instant};

use adapter_udp::{Direct, DirectConfig, Endpoint, Families, LinkId};
use voice_core::{Client, ClientEvent, ClientId, ClientMemory, PathId, RoomId, wire::Voice};

use crate::clock::Now;

/// A voice has changed its way when so many packets in a row have come by the other one: half a second of speech.
const STREAK: u32 = 25;

/// By which way a voice comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Direct,
    Server,
}

/// How a speaker's voice has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Heard {
    /// Packets that came directly.
    pub(crate) direct: u64,
    /// Packets that came over the server.
    pub(crate) server: u64,
    /// The way that was told.
    told: Option<Way>,
    /// Packets in a row by another way.
    streak: u32,
}

impl Heard {
    /// Takes note of a packet; the way if it is another one than before.
    fn note(&mut self, way: Way) -> Option<Way> {
        match way {
            Way::Direct => self.direct += 1,
            Way::Server => self.server += 1,
        }
        self.streak = if self.told == Some(way) { 0 } else { self.streak + 1 };
        if self.streak < STREAK {
            return None;
        }
        (self.told, self.streak) = (Some(way), 0);
        self.told
    }
}

/// How all voices have come.
#[derive(Debug, Default)]
pub(crate) struct Ways {
    heard: BTreeMap<ClientId, Heard>,
    changes: Vec<(ClientId, Way)>,
}

impl Ways {
    /// Takes note of a packet.
    pub(crate) fn note(&mut self, way: Way, packet: &[u8]) {
        let Ok(voice) = Voice::decode(packet) else { return };
        let speaker = voice.header.speaker;
        let change = self.heard.entry(speaker).or_default().note(way);
        self.changes.extend(change.map(|way| (speaker, way)));
    }

    /// A speaker whose voice comes by another way than before.
    pub(crate) fn poll_change(&mut self) -> Option<(ClientId, Way)> {
        self.changes.pop()
    }

    /// Everybody who was heard.
    pub(crate) fn heard(&self) -> impl Iterator<Item = (ClientId, Heard)> + '_ {
        self.heard.iter().map(|(id, heard)| (*id, *heard))
    }
}

pub(crate) struct DirectPaths {
    pub(crate) direct: Direct,
    port: u16,
    /// Whether somebody may have come into a room of this client, or left one.
    stale: bool,
    /// The rooms of this client, as the server last said; no event tells of the own ones.
    rooms: Vec<RoomId>,
}

impl DirectPaths {
    /// For a socket of this port that reaches the server at this address.
    pub(crate) fn new(server: SocketAddr, port: u16, families: Families) -> Self {
        let loopback = server.ip().to_canonical().is_loopback();
        let direct = Direct::new(DirectConfig { families, loopback, ..DirectConfig::DEFAULT });
        Self { direct, port, stale: false, rooms: Vec::new() }
    }

    /// Takes the addresses that this machine has now, without a port.
    pub(crate) fn set_local(&mut self, now: Instant, addresses: &[SocketAddr]) {
        let with_port: Vec<_> = addresses.iter().map(|address| SocketAddr::new(address.ip(), self.port)).collect();
        self.direct.set_local(now, &with_port);
    }

    /// Takes note of what may change who is wanted.
    pub(crate) fn on_event(&mut self, event: &ClientEvent) {
        self.stale |= matches!(
            event,
            ClientEvent::StateChanged(_)
                | ClientEvent::Joined(_)
                | ClientEvent::Changed(_)
                | ClientEvent::Left(_)
                | ClientEvent::EnteredRoom { .. }
                | ClientEvent::LeftRoom { .. }
                | ClientEvent::RoomGranted(_)
                | ClientEvent::RoomClosed { .. }
        );
    }

    /// Does what is due, and lets the client and its paths exchange what they have for each other.
    pub(crate) fn turn<M: ClientMemory>(
        &mut self,
        now: Now,
        core: &mut Client<M>,
        server: (&mut Endpoint, Option<LinkId>),
        ways: &mut Ways,
    ) {
        self.direct.set_session(now.real, core.session().zip(core.id()));
        let rooms = core.id().and_then(|id| core.person(id)).map_or(&[][..], |me| me.rooms());
        if rooms != self.rooms {
            (self.rooms, self.stale) = (rooms.to_vec(), true);
        }
        if std::mem::take(&mut self.stale) {
            self.direct.set_wanted(now.real, &in_these_rooms(core, &self.rooms));
        }
        let seen = |_: &Direct, _: PathId, packet: &[u8]| ways.note(Way::Direct, packet);
        self.direct.drive(now.real, now.core, core, server, seen);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.direct.poll_timeout()
    }
}

/// Those who hear what is said in these rooms, but for whom this client has muted: they alone learn its addresses.
fn in_these_rooms<M: ClientMemory>(core: &Client<M>, rooms: &[RoomId]) -> Vec<ClientId> {
    let others = core.roster().filter(|who| Some(who.id()) != core.id() && !who.is_muted_here());
    others.filter(|who| who.rooms().iter().any(|room| rooms.contains(room))).map(|who| who.id()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_way_is_told_once_and_a_packet_by_the_other_is_none() {
        let mut heard = Heard::default();
        let mut told = Vec::new();
        for (way, count) in [(Way::Server, 100), (Way::Direct, 10), (Way::Server, 100), (Way::Direct, 100)] {
            told.extend((0..count).filter_map(|_| heard.note(way)));
        }
        assert_eq!(told, [Way::Server, Way::Direct]);
        assert_eq!((heard.direct, heard.server), (110, 200));
    }
}
