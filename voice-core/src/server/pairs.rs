//! Secrets for direct paths between two clients.

use super::engine::{Engine, PAIR_RATE};
use crate::{
    types::{ClientId, DropReason, Instant, Secret},
    wire::FEATURE_DIRECT,
};

impl Engine<'_> {
    pub(super) fn on_pair_request(&mut self, now: Instant, at: u16, client: ClientId) {
        if self.seat(at).is_none_or(|seat| !seat.rates.pair.take(now, PAIR_RATE)) {
            return self.drop(DropReason::RateLimited);
        }
        let Some(other) = self.seat_of(client).filter(|other| *other != at) else {
            return self.drop(DropReason::UnknownClient);
        };
        if [at, other].into_iter().any(|at| self.seat(at).is_none_or(|seat| seat.features & FEATURE_DIRECT == 0)) {
            return self.drop(DropReason::NotPermitted);
        }
        if self.either_blocks(at, other) {
            return self.drop(DropReason::NotPermitted);
        }
        if !self.has_room_to_tell(at, other) || !self.has_room_to_tell(other, at) {
            // Neither: whoever has another secret than the other greets in vain.
            return self.drop(DropReason::TableFull);
        }
        let secret = self.s.rng.next_secret();
        self.tell_pair(at, other, Some(secret));
    }

    fn has_room_to_tell(&mut self, at: u16, about: u16) -> bool {
        let about = self.seat(about).and_then(|seat| seat.client());
        let untold = self.seat(at).map(|seat| &seat.tell.pairs);
        untold.is_some_and(|pairs| !pairs.is_full() || pairs.iter().any(|(client, _)| Some(*client) == about))
    }

    pub(super) fn void_pair(&mut self, at: u16, other: u16) {
        self.tell_pair(at, other, None);
    }

    /// A leaving client needs no word of its own: its roster record says that it is gone, which voids its pairs everywhere.
    pub(super) fn void_pairs(&mut self, at: u16) {
        if let Some(seat) = self.seat(at) {
            seat.tell.pairs.clear();
        }
    }

    fn tell_pair(&mut self, at: u16, other: u16, secret: Option<Secret>) {
        let (Some(a), Some(b)) =
            (self.seat(at).and_then(|seat| seat.client()), self.seat(other).and_then(|seat| seat.client()))
        else {
            return;
        };
        for (to, about) in [(at, b), (other, a)] {
            let Some(seat) = self.seat(to) else { continue };
            seat.tell.pairs.retain(|(client, _)| *client != about);
            if seat.tell.pairs.push((about, secret)).is_err() {
                self.drop(DropReason::TableFull);
            }
            self.wake_seat(to);
        }
    }

    fn either_blocks(&mut self, a: u16, b: u16) -> bool {
        use super::memory::has_bit;
        has_bit(self.t.bits.blockers_of(usize::from(a)), usize::from(b))
            || has_bit(self.t.bits.blockers_of(usize::from(b)), usize::from(a))
    }
}
