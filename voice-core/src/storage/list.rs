//! Doubly linked lists of table indexes. The links lie in the table's entries, so that nothing is allocated and any entry leaves its
//! list in one step.

/// An entry's place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    before: u16,
    after: u16,
    linked: bool,
}

const NOBODY: u16 = u16::MAX;

impl Link {
    pub(crate) const FREE: Self = Self { before: NOBODY, after: NOBODY, linked: false };

    pub(crate) const fn is_linked(&self) -> bool {
        self.linked
    }
}

/// The ends of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct List {
    first: u16,
    last: u16,
}

/// Where the entries of a table have their link for one kind of list.
pub(crate) type LinkOf<T> = fn(&mut T) -> &mut Link;

impl List {
    pub(crate) const EMPTY: Self = Self { first: NOBODY, last: NOBODY };

    pub(crate) const fn first(&self) -> Option<u16> {
        if self.first == NOBODY { None } else { Some(self.first) }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.first == NOBODY
    }

    /// The entry after `at`.
    pub(crate) fn after<T>(table: &mut [T], link: LinkOf<T>, at: u16) -> Option<u16> {
        let after = link(table.get_mut(usize::from(at))?).after;
        (after != NOBODY).then_some(after)
    }

    /// Puts a free entry at the end.
    pub(crate) fn push_back<T>(&mut self, table: &mut [T], link: LinkOf<T>, at: u16) {
        let Some(entry) = table.get_mut(usize::from(at)) else { return };
        *link(entry) = Link { before: self.last, after: NOBODY, linked: true };
        match table.get_mut(usize::from(self.last)) {
            Some(last) => link(last).after = at,
            None => self.first = at,
        }
        self.last = at;
    }

    /// Takes an entry out of whichever of `lists` it is in, if any.
    pub(crate) fn remove<T>(lists: &mut [&mut Self], table: &mut [T], link: LinkOf<T>, at: u16) {
        let Some(entry) = table.get_mut(usize::from(at)) else { return };
        let Link { before, after, linked } = core::mem::replace(link(entry), Link::FREE);
        if !linked {
            return;
        }
        match table.get_mut(usize::from(before)) {
            Some(entry) => link(entry).after = after,
            None => lists.iter_mut().filter(|list| list.first == at).for_each(|list| list.first = after),
        }
        match table.get_mut(usize::from(after)) {
            Some(entry) => link(entry).before = before,
            None => lists.iter_mut().filter(|list| list.last == at).for_each(|list| list.last = before),
        }
    }

    /// Takes the first entry.
    pub(crate) fn pop_front<T>(&mut self, table: &mut [T], link: LinkOf<T>) -> Option<u16> {
        let first = self.first()?;
        Self::remove(&mut [self], table, link, first);
        Some(first)
    }

    /// Moves an entry to the end, or puts it there.
    pub(crate) fn refresh<T>(&mut self, table: &mut [T], link: LinkOf<T>, at: u16) {
        Self::remove(&mut [self], table, link, at);
        self.push_back(table, link, at);
    }

    /// Appends all of `other`, in one step.
    pub(crate) fn append<T>(&mut self, other: &mut Self, table: &mut [T], link: LinkOf<T>) {
        let moved = core::mem::replace(other, Self::EMPTY);
        let Some(entry) = table.get_mut(usize::from(moved.first)) else { return };
        link(entry).before = self.last;
        match table.get_mut(usize::from(self.last)) {
            Some(last) => link(last).after = moved.first,
            None => self.first = moved.first,
        }
        self.last = moved.last;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{vec, vec::Vec};

    #[test]
    fn lists_behave_like_vectors() {
        let link: LinkOf<Link> = |link| link;
        let mut table = vec![Link::FREE; 16];
        let (mut a, mut b) = (List::EMPTY, List::EMPTY);
        let (mut model_a, mut model_b): (Vec<u16>, Vec<u16>) = (vec![], vec![]);
        let mut seed = 1_u64;
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (seed >> 40) as u16 % 16;
            match (seed >> 60) % 5 {
                0 if !table[usize::from(at)].is_linked() => {
                    a.push_back(&mut table, link, at);
                    model_a.push(at);
                }
                1 if !table[usize::from(at)].is_linked() => {
                    b.push_back(&mut table, link, at);
                    model_b.push(at);
                }
                2 => {
                    List::remove(&mut [&mut a, &mut b], &mut table, link, at);
                    model_a.retain(|x| *x != at);
                    model_b.retain(|x| *x != at);
                }
                3 => {
                    let popped = (!model_a.is_empty()).then(|| model_a.remove(0));
                    assert_eq!(a.pop_front(&mut table, link), popped);
                }
                4 => {
                    a.append(&mut b, &mut table, link);
                    model_a.append(&mut model_b);
                }
                _ => {}
            }
            for (list, model) in [(&a, &model_a), (&b, &model_b)] {
                let mut seen = vec![];
                let mut next = list.first();
                while let Some(at) = next {
                    seen.push(at);
                    next = List::after(&mut table, link, at);
                }
                assert_eq!(&seen, model);
            }
        }
    }
}
