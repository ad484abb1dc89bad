//! What is due when. Order is by time, then by rank, then by insertion.
//!
//! Time is cut into millisecond boxes, and the one that is open into slots. What is due within the next quarter of a second is appended to its
//! box, so that a thousand packets under way are written and read in a row, as caches like it; a box that is opened is dealt into its slots, and
//! a slot whose time has come is sorted. Nearly nothing is due later, and waits in a heap.

use std::{cmp::Reverse, collections::BinaryHeap};

/// Ranks are below 2^2. A moment is a time and, in its lowest bits, a rank.
const RANK_BITS: u32 = 2;
/// A slot spans 2^6 = 64 µs, a box 2^4 of them.
const SLOT_BITS: u32 = RANK_BITS + 6;
const BOX_BITS: u32 = 4;
const SLOTS: u64 = 1 << BOX_BITS;
const BOXES: u64 = 256;
/// A box with so few entries isn't worth dealing out: it is sorted as a whole.
const FEW: usize = 16;

/// Small, and copied about: what is due is a name or a number, and the thing itself lies elsewhere.
#[derive(Debug, Clone, Copy)]
struct Entry<T> {
    moment: u64,
    what: T,
}

/// What lies beyond the boxes. Only here insertion has to be numbered: boxes and slots keep their order, and the heap gives up the entries of a
/// box before anything else can go there.
#[derive(Debug)]
struct Far<T> {
    order: u64,
    entry: Entry<T>,
}

/// A queue by time.
#[derive(Debug)]
pub(super) struct Timeline<T> {
    /// All entries of slots up to `cursor`, the next one last.
    ready: Vec<Entry<T>>,
    /// The slots of the open box, and a bit for each that isn't empty; those up to `cursor` are.
    slots: [Vec<Entry<T>>; SLOTS as usize],
    filled_slots: u64,
    /// The boxes after the open one, and a bit for each that isn't empty.
    boxes: Vec<Vec<Entry<T>>>,
    filled_boxes: [u64; BOXES as usize / 64],
    /// Entries from box `open + BOXES` on.
    far: BinaryHeap<Reverse<Far<T>>>,
    cursor: u64,
    /// The number of the open box.
    open: u64,
    order: u64,
}

const fn time_of(moment: u64) -> u64 {
    moment >> RANK_BITS
}

const fn slot_of(moment: u64) -> u64 {
    moment >> SLOT_BITS
}

const fn box_of(moment: u64) -> u64 {
    moment >> (SLOT_BITS + BOX_BITS)
}

impl<T: Copy> Timeline<T> {
    pub(super) fn new() -> Self {
        Self {
            ready: Vec::new(),
            slots: std::array::from_fn(|_| Vec::new()),
            filled_slots: 0,
            boxes: (0..BOXES).map(|_| Vec::new()).collect(),
            filled_boxes: [0; BOXES as usize / 64],
            far: BinaryHeap::new(),
            cursor: 0,
            open: 0,
            order: 0,
        }
    }

    /// Puts something in that is due at this time, after all of a lower rank, which is below 4.
    pub(super) fn push(&mut self, at: u64, rank: u8, what: T) {
        let moment = at << RANK_BITS | u64::from(rank);
        let entry = Entry { moment, what };
        if slot_of(moment) <= self.cursor {
            let before = self.ready.iter().rev().take_while(|other| other.moment <= moment).count();
            self.ready.insert(self.ready.len() - before, entry);
        } else if box_of(moment) <= self.open {
            self.put_in_slot(entry);
        } else if box_of(moment) - self.open < BOXES {
            self.put_in_box(entry);
        } else {
            self.order += 1;
            self.far.push(Reverse(Far { order: self.order, entry }));
        }
    }

    /// When the next is due.
    pub(super) fn next_at(&self) -> Option<u64> {
        if let Some(entry) = self.ready.last() {
            return Some(time_of(entry.moment));
        }
        let first = |entries: &Vec<Entry<T>>| entries.iter().map(|entry| time_of(entry.moment)).min();
        if let Some(slot) = self.next_slot() {
            return first(&self.slots[(slot % SLOTS) as usize]);
        }
        match self.next_box() {
            Some(number) => first(&self.boxes[(number % BOXES) as usize]),
            None => self.far.peek().map(|Reverse(far)| time_of(far.entry.moment)),
        }
    }

    /// Takes the next if it is due at `until`.
    pub(super) fn pop(&mut self, until: u64) -> Option<(u64, T)> {
        if self.ready.is_empty() {
            self.turn(until << RANK_BITS);
        }
        let entry = self.ready.pop_if(|entry| time_of(entry.moment) <= until)?;
        Some((time_of(entry.moment), entry.what))
    }

    fn put_in_slot(&mut self, entry: Entry<T>) {
        let slot = slot_of(entry.moment) % SLOTS;
        self.filled_slots |= 1 << slot;
        self.slots[slot as usize].push(entry);
    }

    fn put_in_box(&mut self, entry: Entry<T>) {
        let number = box_of(entry.moment) % BOXES;
        self.filled_boxes[(number / 64) as usize] |= 1 << (number % 64);
        self.boxes[number as usize].push(entry);
    }

    /// Moves on to the next slot with entries, at most to that of `until`, when all that was ready is gone.
    fn turn(&mut self, until: u64) {
        while self.ready.is_empty() {
            if let Some(slot) = self.next_slot() {
                self.cursor = slot.min(slot_of(until));
                if slot == self.cursor {
                    self.filled_slots &= !(1 << (slot % SLOTS));
                    self.ready.append(&mut self.slots[(slot % SLOTS) as usize]);
                    self.sort();
                }
                return;
            }
            let far = self.far.peek().map(|Reverse(far)| box_of(far.entry.moment));
            match self.next_box().or(far).filter(|number| *number <= box_of(until)) {
                Some(number) => self.open(number),
                None => {
                    self.cursor = self.cursor.max(slot_of(until));
                    return self.reach(self.open.max(box_of(until)));
                }
            }
        }
    }

    /// Opens a box that is not empty, or whose entries are still far, when the one before it is.
    fn open(&mut self, number: u64) {
        self.cursor = (number << BOX_BITS) - 1;
        self.reach(number);
        let index = (number % BOXES) as usize;
        self.filled_boxes[index / 64] &= !(1 << (index % 64));
        let mut entries = std::mem::take(&mut self.boxes[index]);
        if entries.len() <= FEW {
            self.cursor += SLOTS;
            self.ready.append(&mut entries);
            self.sort();
        } else {
            entries.drain(..).for_each(|entry| self.put_in_slot(entry));
        }
        // Kept for its memory.
        self.boxes[index] = entries;
    }

    /// The open box is this one from now on: what is no longer far gets into its box.
    fn reach(&mut self, open: u64) {
        self.open = open;
        while let Some(Reverse(far)) = self.far.peek()
            && box_of(far.entry.moment) - open < BOXES
        {
            let entry = far.entry;
            self.far.pop();
            self.put_in_box(entry);
        }
    }

    /// The next comes to lie last; what is due at one time stays in its order, which makes it lie backwards.
    fn sort(&mut self) {
        self.ready.reverse();
        self.ready.sort_by_key(|entry| Reverse(entry.moment));
    }

    /// The first slot after the cursor that has entries, in the open box.
    const fn next_slot(&self) -> Option<u64> {
        if self.filled_slots == 0 {
            return None;
        }
        Some((self.open << BOX_BITS) + self.filled_slots.trailing_zeros() as u64)
    }

    /// The first box after the open one that has entries.
    fn next_box(&self) -> Option<u64> {
        let from = self.open + 1;
        let words = self.filled_boxes.len();
        let (first, bit) = ((from % BOXES / 64) as usize, from % 64);
        (0..=words).find_map(|step| {
            let mask = match step {
                0 => u64::MAX << bit,
                last if last == words => !(u64::MAX << bit),
                _ => u64::MAX,
            };
            let word = self.filled_boxes[(first + step) % words] & mask;
            let found = from - bit + step as u64 * 64 + u64::from(word.trailing_zeros());
            (word != 0).then_some(found)
        })
    }
}

impl<T> Far<T> {
    const fn key(&self) -> (u64, u64) {
        (self.entry.moment, self.order)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_timeline_gives_what_a_sorted_set_gives(
            steps in prop::collection::vec((any::<bool>(), 0u8..4, prop_oneof![0u64..600, 0u64..100_000, 0u64..5_000_000]), 1..300),
        ) {
            let (mut timeline, mut model) = (Timeline::new(), BTreeSet::new());
            let mut now = 0;
            let next = |model: &mut BTreeSet<(u64, u8, usize)>| model.pop_first().map(|(at, _, number)| (at, number));
            for (number, (push, rank, span)) in steps.into_iter().enumerate() {
                if push {
                    timeline.push(now + span, rank, number);
                    model.insert((now + span, rank, number));
                    continue;
                }
                now += span;
                prop_assert_eq!(timeline.next_at(), model.first().map(|(at, ..)| *at));
                while let Some(due) = timeline.pop(now) {
                    prop_assert_eq!(Some(due), next(&mut model));
                }
                prop_assert!(model.first().is_none_or(|(at, ..)| *at > now));
            }
            while let Some(due) = timeline.pop(u64::MAX >> RANK_BITS) {
                prop_assert_eq!(Some(due), next(&mut model));
            }
            prop_assert!(model.is_empty());
        }
    }
}
