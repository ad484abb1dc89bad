//! How many connections there may be.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use adapter_kit::Source;

/// Connections at once.
const MOST: usize = 512;
/// Of them, those of one IPv4 address or IPv6 network; a proxy on this machine may have all.
const MOST_OF_ONE: usize = 64;

/// By address, how many there are.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Arc<Mutex<BTreeMap<Source, usize>>>);

impl Places {
    /// A place for a connection of this address, kept until it is dropped.
    pub(super) fn take(&self, of: Source) -> Option<Place> {
        let mut taken = self.lock();
        let (all, own) = (taken.values().sum::<usize>(), taken.get(&of).copied().unwrap_or(0));
        if all >= MOST || (own >= MOST_OF_ONE && !of.is_this_machine()) {
            return None;
        }
        taken.insert(of, own + 1);
        Some(Place { of, places: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Source, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(super) struct Place {
    of: Source,
    places: Places,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        match taken.get_mut(&self.of) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&self.of)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_share_of_the_places_and_gets_them_back() {
        let source = |address: [u8; 4]| Source::of(address.into());
        let (places, one, two) = (Places::default(), source([10, 0, 0, 1]), source([10, 0, 0, 2]));
        let mut held: Vec<_> = (0..MOST_OF_ONE).map(|_| places.take(one).expect("a place")).collect();
        assert!(places.take(one).is_none() && places.take(two).is_some());
        held.pop();
        assert!(places.take(one).is_some());
        let proxy = source([127, 0, 0, 1]);
        let rest: Vec<_> = std::iter::from_fn(|| places.take(proxy)).collect();
        assert_eq!(rest.len() + held.len(), MOST);
        assert!(places.take(two).is_none());
        drop((rest, held));
        assert!(places.lock().is_empty());
    }
}
