//! What is due when: a wheel of slots for the next quarter of a second, a heap for what comes later. Slots are chains through one slab, so
//! that an entry costs no allocation and touches one place. Order is by time, then by insertion.

use std::{cmp::Reverse, collections::BinaryHeap};

/// A slot spans 2^5 = 32 µs, the wheel a quarter of a second: longer than nearly every delay.
const SLOT_BITS: u32 = 5;
const SLOTS: u64 = 8_192;
const NONE: u32 = u32::MAX;

/// Small, and copied about: what is due is a name or a number, and the thing itself lies elsewhere.
#[derive(Debug, Clone, Copy)]
struct Entry<T> {
    at: u64,
    what: T,
}

#[derive(Debug)]
struct Link<T> {
    entry: Entry<T>,
    next: u32,
}

/// What lies beyond the wheel. Only here insertion has to be numbered: a slot's chain keeps its order, and the heap gives up a slot's entries
/// before anything else can go there.
#[derive(Debug)]
struct Far<T> {
    order: u64,
    entry: Entry<T>,
}

/// A queue by time.
#[derive(Debug)]
pub(super) struct Timeline<T> {
    links: Vec<Link<T>>,
    /// The first of the chain of unused links.
    free: u32,
    /// The last entry of each slot between `cursor` and `cursor + SLOTS`, both excluded; chains lead to the first.
    heads: Vec<u32>,
    occupied: [u64; SLOTS as usize / 64],
    /// All entries of slots up to `cursor`, the next one last.
    ready: Vec<Entry<T>>,
    /// Entries from slot `cursor + SLOTS` on.
    far: BinaryHeap<Reverse<Far<T>>>,
    cursor: u64,
    order: u64,
}

impl<T: Copy> Timeline<T> {
    pub(super) fn new() -> Self {
        Self {
            links: Vec::new(),
            free: NONE,
            heads: vec![NONE; SLOTS as usize],
            occupied: [0; SLOTS as usize / 64],
            ready: Vec::new(),
            far: BinaryHeap::new(),
            cursor: 0,
            order: 0,
        }
    }

    pub(super) fn push(&mut self, at: u64, what: T) {
        let entry = Entry { at, what };
        let slot = at >> SLOT_BITS;
        if slot <= self.cursor {
            let before = self.ready.iter().rev().take_while(|other| other.at <= at).count();
            self.ready.insert(self.ready.len() - before, entry);
        } else if slot - self.cursor < SLOTS {
            self.link(entry);
        } else {
            self.order += 1;
            self.far.push(Reverse(Far { order: self.order, entry }));
        }
    }

    /// When the next is due.
    pub(super) fn next_at(&self) -> Option<u64> {
        if let Some(entry) = self.ready.last() {
            return Some(entry.at);
        }
        match self.next_occupied() {
            Some(slot) => chain(&self.links, self.heads[(slot % SLOTS) as usize]).map(|entry| entry.at).min(),
            None => self.far.peek().map(|Reverse(far)| far.entry.at),
        }
    }

    /// Takes the next if it is due at `until`.
    pub(super) fn pop(&mut self, until: u64) -> Option<(u64, T)> {
        if self.ready.is_empty() {
            self.turn(until >> SLOT_BITS);
        }
        let entry = self.ready.pop_if(|entry| entry.at <= until)?;
        Some((entry.at, entry.what))
    }

    fn link(&mut self, entry: Entry<T>) {
        let slot = (entry.at >> SLOT_BITS) % SLOTS;
        let head = &mut self.heads[slot as usize];
        let link = Link { entry, next: *head };
        *head = self.free;
        match self.links.get_mut(self.free as usize) {
            Some(unused) => self.free = std::mem::replace(unused, link).next,
            None => {
                *head = u32::try_from(self.links.len()).expect("fewer than 2^32 things under way");
                self.links.push(link);
            }
        }
        self.occupied[slot as usize / 64] |= 1 << (slot % 64);
    }

    /// Moves on to the next slot with entries, at most to slot `last`, when all that was ready is gone.
    fn turn(&mut self, last: u64) {
        let to = match (self.next_occupied(), self.far.peek()) {
            (Some(slot), _) => slot.min(last),
            (None, Some(Reverse(far))) => (far.entry.at >> SLOT_BITS).min(last),
            (None, None) => last,
        };
        if to <= self.cursor {
            return;
        }
        self.cursor = to;
        while let Some(Reverse(far)) = self.far.peek()
            && (far.entry.at >> SLOT_BITS) - to < SLOTS
        {
            let entry = far.entry;
            self.far.pop();
            self.link(entry);
        }
        self.empty((to % SLOTS) as usize);
    }

    /// Makes a slot's entries the ready ones.
    fn empty(&mut self, slot: usize) {
        let mut at = std::mem::replace(&mut self.heads[slot], NONE);
        self.occupied[slot / 64] &= !(1 << (slot % 64));
        while let Some(link) = self.links.get_mut(at as usize) {
            self.ready.push(link.entry);
            let unused = std::mem::replace(&mut self.free, at);
            at = std::mem::replace(&mut link.next, unused);
        }
        // The chain gives the last first, as is wanted here, and of one time it stays so: the sort is stable.
        self.ready.sort_by_key(|entry| Reverse(entry.at));
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

impl<T> Far<T> {
    const fn key(&self) -> (u64, u64) {
        (self.entry.at, self.order)
    }
}

impl<T> Ord for Far<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl<T> PartialOrd for Far<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Far<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Far<T> {}

fn chain<T>(links: &[Link<T>], head: u32) -> impl Iterator<Item = &Entry<T>> {
    std::iter::successors(links.get(head as usize), |link| links.get(link.next as usize)).map(|link| &link.entry)
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
