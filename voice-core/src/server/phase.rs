//! Frames that arrive together: a transport packs those for one listener into one datagram, and the datagram is what costs.
//!
//! Each room has a point within 20 ms at which its speakers' frames should arrive. There are two, so that not all rooms fall due at once, and those that do are
//! received and sent together; and two more where there are many rooms, so that none waits long for the others. A speaker whose frames arrive
//! elsewhere is told, and moves in a pause: docs/PROTOCOL.md, section 5.2. And for each packet it is known whether frames of other speakers of the
//! room are due within the window, for which it may wait.

use core::time::Duration;

use super::{Seat, engine::Engine, tables::Phase};
use crate::{
    storage::list::{Link, List},
    types::Instant,
    wire::{FEATURE_PHASE, Packet, ParsedVoice, limits::PHASE_INTERVAL},
};

/// Frame lengths are multiples of it or divide it.
const GRID_US: u64 = 20_000;
/// So many rooms share two points, 10 ms apart, and the next as many have two between those. With fewer points a transport wakes up more seldom, with
/// more it has less to do at once: docs/PERFORMANCE.md has both measured.
const SHARING: u16 = 24;
/// The shortest frame.
const SHORTEST: Duration = Duration::from_millis(10);
/// A mean of so many frames says where they arrive.
const ENOUGH: u8 = 25;
/// Nearer than that is near enough, µs.
const NEAR_US: u32 = 1_000;
/// Speakers of a room that are looked at for one packet, at most.
const MOST_LOOKED_AT: usize = 16;

/// When in 20 ms the frames of a room should arrive, by its place.
fn point_us(place: u16) -> u64 {
    u64::from(place / SHARING % 2) * GRID_US / 4 + u64::from(place % 2) * GRID_US / 2
}

fn room_link(seat: &mut Seat) -> &mut Link {
    &mut seat.room_link
}

impl Engine<'_> {
    /// Takes note of a packet for a room (by its place; none for a whisper): whether none of the others' frames is due soon.
    pub(super) fn note_phase(&mut self, now: Instant, at: u16, room: Option<usize>, voice: &ParsedVoice) -> bool {
        let Some(place) = room.and_then(|place| u16::try_from(place).ok()).filter(|_| !voice.header.end) else {
            self.leave_phase(at);
            return true;
        };
        if self.seat(at).is_some_and(|seat| seat.phase.room != Some(place)) {
            self.leave_phase(at);
        }
        let Some(seat) = self.seat(at) else { return true };
        let phase = &mut seat.phase;
        if phase.room.replace(place).is_none() || voice.header.mark {
            phase.frames = 0;
        }
        phase.frame_length = voice.header.frame_length;
        phase.note(now, place);
        if seat.features & FEATURE_PHASE != 0 && phase.hint(now, voice.header.sequence) {
            self.wake_seat(at);
        }
        let seats = &mut *self.t.seats;
        match self.t.rooms.get_mut(usize::from(place)) {
            Some(room) if seats.get_mut(usize::from(at)).is_some_and(|seat| seat.room_link.is_linked()) => {
                room.speakers.refresh(seats, room_link, at);
            }
            Some(room) => room.speakers.push_back(seats, room_link, at),
            None => {}
        }
        !self.expects_another(now, at, usize::from(place))
    }

    /// Forgets that somebody speaks to a room.
    pub(super) fn leave_phase(&mut self, at: u16) {
        let Some(place) = self.seat(at).and_then(|seat| seat.phase.room.take()) else { return };
        if let Some(room) = self.t.rooms.get_mut(usize::from(place)) {
            List::remove(&mut [&mut room.speakers], self.t.seats, room_link, at);
        }
    }

    /// Whether a frame of another speaker of the room is due within the window. The list goes from the longest unheard on.
    fn expects_another(&mut self, now: Instant, at: u16, place: usize) -> bool {
        let window = self.s.config.window;
        let mut next = self.t.rooms.get(place).filter(|_| !window.is_zero()).and_then(|room| room.speakers.first());
        for _ in 0..MOST_LOOKED_AT {
            let Some(other) = next else { return false };
            next = List::after(self.t.seats, room_link, other);
            let Some(seat) = self.t.seats.get(usize::from(other)).filter(|_| other != at) else { continue };
            let due = seat.voice.last_at.after(seat.phase.frame_length.span());
            if due <= now.after(window) && now <= due.after(window) {
                return true;
            }
            if seat.voice.last_at.after(SHORTEST) > now.after(window) {
                return false;
            }
        }
        false
    }

    /// Writes the hint that a speaker has to be given.
    pub(super) fn write_phase(&mut self, at: u16, out: &mut [u8]) -> Option<usize> {
        let session = self.session();
        let (sequence, later_us) = self.seat(at)?.phase.tell.take()?;
        Packet::Phase { session, sequence, later_us }.encode(out)
    }
}

impl Phase {
    fn grid_us(&self) -> i64 {
        self.frame_length.us().min(GRID_US) as i64
    }

    /// Where in the grid a frame has arrived, and how far the frames are from there: means with seven parts old, one part new (RFC 6298's way).
    fn note(&mut self, now: Instant, place: u16) {
        let grid = self.grid_us();
        let point = point_us(place);
        let off = wrap((now.as_us() % GRID_US + GRID_US - point) as i64, grid);
        if self.frames == 0 {
            (self.off_us, self.jitter_us) = (off as i32, 0);
        }
        let change = wrap(off - i64::from(self.off_us), grid);
        self.off_us = wrap(i64::from(self.off_us) + change / 8, grid) as i32;
        self.jitter_us = self.jitter_us - self.jitter_us / 8 + change.unsigned_abs() as u32 / 8;
        self.frames = self.frames.saturating_add(1);
    }

    /// Whether the speaker has to be told to move.
    fn hint(&mut self, now: Instant, sequence: u16) -> bool {
        let is_new = self.hinted_at.is_none_or(|at| now.since(at) >= PHASE_INTERVAL);
        // With jitter, nobody's frames arrive at a point: within their own spread they are where they should be.
        let is_off = self.off_us.unsigned_abs() > NEAR_US.max(self.jitter_us);
        if self.frames < ENOUGH || !is_new || !is_off {
            return false;
        }
        let later = (-i64::from(self.off_us)).rem_euclid(self.grid_us());
        self.hinted_at = Some(now);
        self.tell = u16::try_from(later).ok().filter(|later| *later > 0).map(|later| (sequence, later));
        self.tell.is_some()
    }
}

/// To the nearest number in -grid/2..grid/2 that is the same on the grid.
fn wrap(off: i64, grid: i64) -> i64 {
    (off + grid / 2).rem_euclid(grid) - grid / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rooms_share_two_points_and_many_are_spread_over_four() {
        let rooms_at = |point, rooms| (0..rooms).filter(|&place| point_us(place) == point).count();
        assert_eq!([0, 5_000, 10_000, 15_000].map(|point| rooms_at(point, 24)), [12, 0, 12, 0]);
        assert_eq!([0, 5_000, 10_000, 15_000].map(|point| rooms_at(point, 48)), [12; 4]);
        assert_eq!([0, 5_000, 10_000, 15_000].map(|point| rooms_at(point, 1_008)), [252; 4]);
    }
}
