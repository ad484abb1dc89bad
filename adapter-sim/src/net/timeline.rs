//! What is due when: a wheel of slots for the next half second, a heap for what comes later. Slots are chains through one slab, so
//! that an entry costs no allocation and touches one place. Order is by time, then by insertion.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

/// A slot spans 2^6 = 64 µs, the wheel half a second: longer than nearly every delay.
const SLOT_BITS: u32 = 6;
const SLOTS: u64 = 8_192;
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    at: u64,
    order: u64,
    entry: u32,
}

impl Key {
    const fn slot(self) -> u64 {
        self.at >> SLOT_BITS
    }
}

#[derive(Debug)]
struct Entry<T> {
    key: Key,
    next: u32,
    what: Option<T>,
}

/// A queue by time.
#[derive(Debug)]
pub(super) struct Timeline<T> {
    entries: Vec<Entry<T>>,
    /// The first of the chain of unused entries.
    free: u32,
    /// The first entry of each slot between `cursor` and `cursor + SLOTS`, both excluded.
    heads: Vec<u32>,
    occupied: [u64; SLOTS as usize / 64],
    /// All entries of slots up to `cursor`, sorted.
    ready: VecDeque<Key>,
    /// Entries from slot `cursor + SLOTS` on.
    far: BinaryHeap<Reverse<Key>>,
    cursor: u64,
    order: u64,
}

impl<T> Timeline<T> {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: NONE,
            heads: vec![NONE; SLOTS as usize],
            occupied: [0; SLOTS as usize / 64],
            ready: VecDeque::new(),
            far: BinaryHeap::new(),
            cursor: 0,
            order: 0,
        }
    }

    pub(super) fn push(&mut self, at: u64, what: T) {
        let key = self.store(at, what);
        if key.slot() <= self.cursor {
            let place = match self.ready.back() {
                Some(last) if *last > key => self.ready.partition_point(|other| *other < key),
                _ => self.ready.len(),
            };
            self.ready.insert(place, key);
        } else if key.slot() - self.cursor < SLOTS {
            self.link(key);
        } else {
            self.far.push(Reverse(key));
        }
    }

    /// When the next is due.
    pub(super) fn next_at(&self) -> Option<u64> {
        if let Some(key) = self.ready.front() {
            return Some(key.at);
        }
        match self.next_occupied() {
            Some(slot) => chain(&self.entries, self.heads[(slot % SLOTS) as usize]).map(|key| key.at).min(),
            None => self.far.peek().map(|Reverse(key)| key.at),
        }
    }

    /// Takes the next if it is due at `until`.
    pub(super) fn pop(&mut self, until: u64) -> Option<(u64, T)> {
        if self.ready.is_empty() {
            self.turn(until >> SLOT_BITS);
        }
        let key = *self.ready.front().filter(|key| key.at <= until)?;
        self.ready.pop_front();
        let entry = &mut self.entries[key.entry as usize];
        entry.next = std::mem::replace(&mut self.free, key.entry);
        entry.what.take().map(|what| (key.at, what))
    }

    fn store(&mut self, at: u64, what: T) -> Key {
        self.order += 1;
        let mut key = Key { at, order: self.order, entry: self.free };
        match self.entries.get_mut(self.free as usize) {
            Some(entry) => {
                self.free = entry.next;
                entry.key = key;
                entry.what = Some(what);
            }
            None => {
                key.entry = u32::try_from(self.entries.len()).expect("fewer than 2^32 things under way");
                self.entries.push(Entry { key, next: NONE, what: Some(what) });
            }
        }
        key
    }

    fn link(&mut self, key: Key) {
        let slot = (key.slot() % SLOTS) as usize;
        self.entries[key.entry as usize].next = std::mem::replace(&mut self.heads[slot], key.entry);
        self.occupied[slot / 64] |= 1 << (slot % 64);
    }

    /// Moves on to the next slot with entries, at most to slot `last`, when all that was ready is gone.
    fn turn(&mut self, last: u64) {
        let far = self.far.peek().map(|Reverse(key)| key.slot());
        let to = self.next_occupied().or(far).map_or(last, |slot| slot.min(last));
        if to <= self.cursor {
            return;
        }
        self.cursor = to;
        while let Some(Reverse(key)) = self.far.peek().copied()
            && key.slot() - to < SLOTS
        {
            self.far.pop();
            self.link(key);
        }
        let Self { entries, heads, ready, .. } = self;
        ready.extend(chain(entries, heads[(to % SLOTS) as usize]));
        ready.make_contiguous().sort_unstable();
        let slot = (to % SLOTS) as usize;
        self.heads[slot] = NONE;
        self.occupied[slot / 64] &= !(1 << (slot % 64));
    }

    /// The first slot after the cursor that has entries.
    fn next_occupied(&self) -> Option<u64> {
        let from = self.cursor + 1;
        let words = self.occupied.len();
        let (first, bit) = ((from % SLOTS / 64) as usize, from % 64);
        (0..=words).find_map(|step| {
            let mask = match step {
                0 => u64::MAX << bit,
                last if last == words => !(u64::MAX << bit),
                _ => u64::MAX,
            };
            let word = self.occupied[(first + step) % words] & mask;
            let found = from - bit + step as u64 * 64 + u64::from(word.trailing_zeros());
            (word != 0).then_some(found)
        })
    }
}

fn chain<T>(entries: &[Entry<T>], head: u32) -> impl Iterator<Item = Key> {
    std::iter::successors(entries.get(head as usize), |entry| entries.get(entry.next as usize)).map(|entry| entry.key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_timeline_gives_what_a_sorted_set_gives(
            steps in prop::collection::vec((any::<bool>(), prop_oneof![0u64..600, 0u64..100_000, 0u64..5_000_000]), 1..300),
        ) {
            let (mut timeline, mut model) = (Timeline::new(), BTreeSet::new());
            let mut now = 0;
            for (number, (push, span)) in steps.into_iter().enumerate() {
                if push {
                    timeline.push(now + span, number);
                    model.insert((now + span, number));
                    continue;
                }
                now += span;
                prop_assert_eq!(timeline.next_at(), model.first().map(|(at, _)| *at));
                while let Some(due) = timeline.pop(now) {
                    prop_assert_eq!(Some(due), model.pop_first());
                }
                prop_assert!(model.first().is_none_or(|(at, _)| *at > now));
            }
            while let Some(due) = timeline.pop(u64::MAX) {
                prop_assert_eq!(Some(due), model.pop_first());
            }
            prop_assert!(model.is_empty());
        }
    }
}
