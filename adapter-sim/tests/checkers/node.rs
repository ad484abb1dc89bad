//! Whatever sits between a core and the network, the ear or its person. An honest one does nothing; the tests' own break a rule each.

use adapter_sim::{scenario::Action, stamp::Audience, world::PersonId};
use voice_core::{
    Delivery,
    wire::{Channel, Voice},
};

/// A packet on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) delivery: Delivery,
    pub(crate) bytes: Vec<u8>,
}

impl Packet {
    /// The packet as voice, if it is.
    pub(crate) fn voice(&self) -> Option<Voice<'_>> {
        Voice::decode(&self.bytes).ok()
    }

    /// The same voice with other channels, ascending, and another payload, without a relay list.
    pub(crate) fn voice_with(&self, channels: &[Channel], payload: &[u8]) -> Self {
        let mut bytes = vec![0; 1_200];
        let header = self.voice().expect("a voice packet").header;
        let len = header.write(&mut bytes, channels, None).expect("1 to 8 ascending channels");
        bytes.truncate(len);
        bytes.extend(payload);
        Self { bytes, ..*self }
    }
}

/// A frame that comes out of a core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) listener: PersonId,
    pub(crate) payload: Vec<u8>,
    pub(crate) via: Vec<Audience>,
}

/// A text that comes out of a core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextRead {
    pub(crate) reader: PersonId,
    pub(crate) from: PersonId,
    pub(crate) text: String,
}

/// Tampers.
#[allow(unused_variables)]
pub(crate) trait Node {
    /// Whether the core does what it is asked for.
    fn obeys(&mut self, action: &Action) -> bool {
        true
    }

    /// What a client's core sends.
    fn up(&mut self, now: u64, from: PersonId, packet: Packet) -> Vec<Packet> {
        vec![packet]
    }

    /// What the server's core sends, and to whom it goes.
    fn down(&mut self, now: u64, to: PersonId, packet: Packet) -> Vec<(PersonId, Packet)> {
        vec![(to, packet)]
    }

    /// What a client's core gives to the ear.
    fn ear(&mut self, now: u64, heard: Heard) -> Vec<Heard> {
        vec![heard]
    }

    /// What a client's core gives to the eye.
    fn eye(&mut self, now: u64, read: TextRead) -> Vec<TextRead> {
        vec![read]
    }

    /// Packets that it keeps for later.
    fn held(&self) -> usize {
        0
    }

    /// Whether a client's new transport comes up.
    fn connects(&mut self, now: u64, person: PersonId) -> bool {
        true
    }
}

/// Tampers with nothing.
pub(crate) struct Honest;

impl Node for Honest {}
