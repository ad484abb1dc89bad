//! The network between the players: bounded, seeded, and as bad as a network may be without breaking its promises.

use voice_core::{ConnectionId, Delivery};

const SLOTS: usize = 48;
/// The reliable way takes always the same time, so it is in order.
const RELIABLE_MS: u64 = 20;

/// Which way a packet goes.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    Up(ConnectionId),
    Down(ConnectionId),
    Path { from: u32, to: u32 },
}

#[derive(Clone, Copy)]
struct Slot {
    due_ms: u64,
    order: u32,
    way: Option<(Way, Delivery)>,
    len: u16,
    bytes: [u8; 1_200],
}

/// SplitMix64 (Steele, Lea, Flood, 2014): independent of the core's own numbers.
struct Rng(u64);

impl Rng {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Packets on their way. Unreliable ones are lost (6 of 100), doubled (4 of 100) and late by up to 60 ms.
pub(crate) struct Network {
    slots: [Slot; SLOTS],
    rng: Rng,
    order: u32,
    /// Whether nothing unreliable arrives.
    pub(crate) jammed: bool,
}

impl Network {
    pub(crate) const fn new(seed: u64) -> Self {
        let empty = Slot { due_ms: 0, order: 0, way: None, len: 0, bytes: [0; 1_200] };
        Self { slots: [empty; SLOTS], rng: Rng(seed), order: 0, jammed: false }
    }

    /// Whether any packet can be sent, even one that is doubled.
    pub(crate) fn has_room(&self) -> bool {
        self.slots.iter().filter(|slot| slot.way.is_none()).count() >= 2
    }

    pub(crate) fn send(&mut self, ms: u64, way: Way, delivery: Delivery, packet: &[u8]) {
        if delivery == Delivery::Reliable {
            return self.put(ms + RELIABLE_MS, way, delivery, packet);
        }
        let fate = self.rng.below(100);
        let copies = if self.jammed || fate < 6 { 0 } else { 1 + u32::from(fate < 10) };
        for _ in 0..copies {
            let due = ms + self.rng.below(4) * 20;
            self.put(due, way, delivery, packet);
        }
    }

    /// The next packet that has arrived, copied to the front of `out`.
    pub(crate) fn take(&mut self, ms: u64, out: &mut [u8; 1_200]) -> Option<(Way, Delivery, usize)> {
        let arrived = self.slots.iter_mut().filter(|slot| slot.way.is_some() && slot.due_ms <= ms);
        let slot = arrived.min_by_key(|slot| (slot.due_ms, slot.order))?;
        let (way, delivery) = slot.way.take()?;
        *out = slot.bytes;
        Some((way, delivery, slot.len.into()))
    }

    pub(crate) fn clear(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.way = None);
    }

    fn put(&mut self, due_ms: u64, way: Way, delivery: Delivery, packet: &[u8]) {
        self.order += 1;
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.way.is_none()) else { return };
        let (Some(bytes), Ok(len)) = (slot.bytes.get_mut(..packet.len()), packet.len().try_into()) else { return };
        bytes.copy_from_slice(packet);
        (slot.due_ms, slot.order, slot.way, slot.len) = (due_ms, self.order, Some((way, delivery)), len);
    }
}
