//! What the tests of any order of calls share: packets as they should be, and ways to spoil them.
#![allow(dead_code)] // Each test file uses a part of it.

pub(crate) mod script;

use proptest::{collection::vec, prelude::*};
use voice_core::{
    ChannelOptions, ClientId, Delivery, RoomId, Target,
    wire::{Channel, Packet, VoiceHeader},
};

/// A packet's bytes after they were spoiled.
#[derive(Debug, Clone)]
pub(crate) struct Bend {
    changes: Vec<(prop::sample::Index, u8)>,
    keep: Option<prop::sample::Index>,
    /// Whether it takes the other lane.
    flip: bool,
}

impl Bend {
    pub(crate) const NONE: Self = Self { changes: Vec::new(), keep: None, flip: false };

    pub(crate) fn apply(&self, bytes: &mut Vec<u8>, delivery: Delivery) -> Delivery {
        for (at, to) in &self.changes {
            let at = at.index(bytes.len());
            bytes[at] = *to;
        }
        if let Some(keep) = self.keep {
            bytes.truncate(keep.index(bytes.len() + 1));
        }
        match (delivery, self.flip) {
            (Delivery::Reliable, false) | (Delivery::Unreliable, true) => Delivery::Reliable,
            _ => Delivery::Unreliable,
        }
    }
}

/// Mostly nothing is spoiled.
pub(crate) fn bend() -> impl Strategy<Value = Bend> {
    let change = (any::<prop::sample::Index>(), any::<u8>());
    let something = (vec(change, 0..4), prop::option::weighted(0.2, any::<prop::sample::Index>()), any::<bool>());
    prop_oneof![
        5 => Just(Bend::NONE),
        1 => something.prop_map(|(changes, keep, flip)| Bend { changes, keep, flip }),
    ]
}

/// Bytes that begin like a packet, and go on anyhow.
pub(crate) fn raw() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![0x01_u8..0x0C, 0x21_u8..0x2E, 0x41_u8..0x46, 0x51_u8..0x55, any::<u8>()];
    let short = (first, vec(any::<u8>(), 0..60)).prop_map(|(first, rest)| [&[first], rest.as_slice()].concat());
    prop_oneof![8 => short, 1 => Just(Vec::new()), 1 => vec(any::<u8>(), 1_190..1_210)]
}

/// To a room, or to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum To {
    Room(u16),
    Client(u16),
}

impl To {
    pub(crate) fn target(self) -> Target {
        match self {
            Self::Room(room) => Target::Room(room_id(room)),
            Self::Client(client) => Target::Client(client_id(client)),
        }
    }
}

pub(crate) fn to() -> impl Strategy<Value = To> {
    prop_oneof![3 => (1..5_u16).prop_map(To::Room), 1 => (1..6_u16).prop_map(To::Client)]
}

pub(crate) fn client_id(number: u16) -> ClientId {
    ClientId::new(number).expect("not 0")
}

pub(crate) fn room_id(number: u16) -> RoomId {
    RoomId::new(number).expect("not 0")
}

/// A voice packet; targets and relayed clients in any order.
pub(crate) fn voice_bytes(header: VoiceHeader, to: &[To], relay: Option<(bool, &[u16])>, payload: &[u8]) -> Vec<u8> {
    let mut targets: Vec<_> = to.iter().map(|to| to.target()).collect();
    targets.sort_unstable();
    targets.dedup();
    let channels: Vec<_> =
        targets.into_iter().map(|target| Channel { target, options: ChannelOptions::DEFAULT }).collect();
    let relay = relay.map(|(only, clients)| {
        let mut clients: Vec<_> = clients.iter().map(|client| client_id(*client)).collect();
        clients.sort_unstable();
        clients.dedup();
        (only, clients)
    });
    let mut out = [0; 1_200];
    let relay = relay.as_ref().map(|(only, clients)| (*only, clients.as_slice()));
    let start = header.write(&mut out, &channels, relay).expect("channels and clients ascend");
    [&out[..start], payload].concat()
}

pub(crate) fn packet_bytes(packet: &Packet<'_>) -> Vec<u8> {
    let mut out = [0; 1_200];
    let len = packet.encode(&mut out).expect("every field is in its range");
    out[..len].to_vec()
}
