//! How many connections there may be.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Connections at once.
const MOST: usize = 512;
/// Of them, those of one address; a proxy on this machine may have all.
const MOST_OF_ONE: usize = 64;

/// By address, how many there are.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

impl Places {
    /// A place for a connection of this address, kept until it is dropped.
    pub(super) fn take(&self, of: IpAddr) -> Option<Place> {
        let mut taken = self.lock();
        let (all, own) = (taken.values().sum::<usize>(), taken.get(&of).copied().unwrap_or(0));
        if all >= MOST || (own >= MOST_OF_ONE && !of.is_loopback()) {
            return None;
        }
        taken.insert(of, own + 1);
        Some(Place { of, places: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(super) struct Place {
    of: IpAddr,
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
        let (places, one, two) = (Places::default(), IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut held: Vec<_> = (0..MOST_OF_ONE).map(|_| places.take(one).expect("a place")).collect();
        assert!(places.take(one).is_none() && places.take(two).is_some());
        held.pop();
        assert!(places.take(one).is_some());
        let proxy = IpAddr::from([127, 0, 0, 1]);
        let rest: Vec<_> = std::iter::from_fn(|| places.take(proxy)).collect();
        assert_eq!(rest.len() + held.len(), MOST);
        assert!(places.take(two).is_none());
        drop((rest, held));
        assert!(places.lock().is_empty());
    }
}
