//! Texts and rendezvous: the only reliable data that is kept until it has been sent, in a bounded store.

use core::time::Duration;

use super::{
    engine::{Engine, RENDEZVOUS_RATE, TEXT_RATE},
    memory::{has_bit, set_bit},
    tables::{Cursor, Post, PostState, TextsRefused},
};
use crate::{
    types::{ClientId, DropReason, Instant, Target},
    wire::{
        FEATURE_DIRECT, Lane, Packet, TextRefuseReason,
        limits::{MAX_RENDEZVOUS_BYTES, MAX_TEXT_BYTES, TEXT_PART_BYTES},
    },
};

/// A half text that nobody finishes makes room for another after this long.
const HALF_TEXT_KEPT: Duration = Duration::from_secs(2);

impl Engine<'_> {
    pub(super) fn on_text(&mut self, now: Instant, at: u16, number: u16, last: bool, target: Target, part: &[u8]) {
        if self.is_rest_of_refused(at, number, last) {
            return;
        }
        if let Err(reason) = self.take_part(now, at, number, last, target, part) {
            self.refuse_text(at, number, reason);
            if !last {
                self.skip_rest(at, number);
            }
        }
    }

    pub(super) fn on_rendezvous(&mut self, now: Instant, at: u16, to: ClientId, bytes: &[u8]) {
        if self.seat(at).is_none_or(|seat| !seat.rates.rendezvous.take(now, RENDEZVOUS_RATE)) {
            return self.drop(DropReason::RateLimited);
        }
        let Some(receiver) = self.seat_of(to) else { return self.drop(DropReason::UnknownClient) };
        if self.seat(receiver).is_none_or(|seat| seat.connection.is_none()) || self.blocks(receiver, at) {
            return self.drop(DropReason::UnknownClient);
        }
        if self.seat(receiver).is_none_or(|seat| seat.features & FEATURE_DIRECT == 0) {
            return self.drop(DropReason::NotPermitted);
        }
        let Some(place) = self.free_place(now) else { return self.drop(DropReason::TableFull) };
        let from = self.seat(at).map_or(0, |seat| seat.id);
        let order = self.next_order();
        let post = Post { state: PostState::Whole, from, order, begun: now, left: 1, ..Post::EMPTY };
        let Some(post) = self.hold_post(place, post) else { return };
        let len = bytes.len().min(MAX_RENDEZVOUS_BYTES);
        if let (Some(room), Some(bytes)) = (post.bytes.get_mut(..len), bytes.get(..len)) {
            room.copy_from_slice(bytes);
        }
        post.len = u16::try_from(len).unwrap_or(0);
        let recipients = self.t.bits.post(place);
        recipients.fill(0);
        set_bit(recipients, usize::from(receiver), true);
        self.wake_seat(receiver);
    }

    /// A packet of another kind came between the parts of a text.
    pub(super) fn abandon_half_text(&mut self, at: u16) {
        if let Some(place) = self.half_text(at) {
            self.free_post(place);
            self.drop(DropReason::Malformed);
        }
    }

    /// Nobody at this seat gets, or finishes, any post any more.
    pub(super) fn drop_posts_for(&mut self, at: u16) {
        if let Some(seat) = self.seat(at) {
            seat.skipped_text = None;
        }
        if let Some(place) = self.half_text(at) {
            self.free_post(place);
        }
        for place in 0..self.t.posts.len() {
            if self.s.posts_held > 0 && has_bit(self.t.bits.post(place), usize::from(at)) {
                self.delivered(place, at);
            }
        }
    }

    /// Writes the next part of the next post for a seat; `half_sent` says which post was begun.
    pub(super) fn write_post(
        &mut self,
        at: u16,
        lane: Lane,
        half_sent: Option<u16>,
        told: Cursor,
        out: &mut [u8],
    ) -> Option<(usize, Option<u16>)> {
        let place = match half_sent {
            Some(place) => usize::from(place),
            None => self.next_post(at).filter(|place| self.is_introduced(*place, told))?,
        };
        let post = self.t.posts.get(place)?;
        let from = ClientId::new(post.from)?;
        let bytes = post.bytes.get(..usize::from(post.len))?;
        let (part, last) = match half_sent {
            Some(_) => (bytes.get(TEXT_PART_BYTES..)?, true),
            None if bytes.len() > TEXT_PART_BYTES => (bytes.get(..TEXT_PART_BYTES)?, false),
            None => (bytes, true),
        };
        let packet = match post.target {
            Some(target) => Packet::Text { lane, from, last, target, bytes: part },
            None => Packet::Rendezvous { lane, from, bytes: part },
        };
        let len = packet.encode(out)?;
        if let Some(post) = self.t.posts.get_mut(place) {
            post.reached = true;
        }
        if last {
            self.delivered(place, at);
            return Some((len, None));
        }
        Some((len, u16::try_from(place).ok()))
    }

    /// Whether somebody who has been told the roster so far knows who wrote a post: what was written on joining waits for the writer's record.
    fn is_introduced(&self, place: usize, told: Cursor) -> bool {
        let writer = self.t.posts.get(place).and_then(|post| self.seat_of(ClientId::new(post.from)?));
        let Some(at) = writer else { return true };
        let changed_at = self.t.seats.get(usize::from(at)).map_or(0, |seat| seat.changed_at);
        changed_at < told.at && told.sweep.is_none_or(|next| at < next)
    }

    fn next_post(&mut self, at: u16) -> Option<usize> {
        if self.s.posts_held == 0 {
            return None;
        }
        let mut next: Option<(u64, usize)> = None;
        for place in 0..self.t.posts.len() {
            let Some(order) = self.t.posts.get(place).filter(|p| p.state == PostState::Whole).map(|p| p.order) else {
                continue;
            };
            let earlier = next.is_none_or(|(before, _)| order < before);
            if earlier && has_bit(self.t.bits.post(place), usize::from(at)) {
                next = Some((order, place));
            }
        }
        next.map(|(_, place)| place)
    }

    fn delivered(&mut self, place: usize, at: u16) {
        set_bit(self.t.bits.post(place), usize::from(at), false);
        let Some(post) = self.t.posts.get_mut(place) else { return };
        post.left = post.left.saturating_sub(1);
        if post.left == 0 {
            self.free_post(place);
        }
    }

    fn half_text(&mut self, at: u16) -> Option<usize> {
        if self.s.posts_held == 0 {
            return None;
        }
        let id = self.seat(at)?.id;
        self.t.posts.iter().position(|post| post.state == PostState::Begun && post.from == id)
    }

    fn continues(&self, place: usize, number: u16, target: Target) -> bool {
        self.t.posts.get(place).is_some_and(|post| post.number == number && post.target == Some(target))
    }

    /// Whether a part is of a text that was refused at an earlier one: its writer knows, and an end is no text.
    fn is_rest_of_refused(&mut self, at: u16, number: u16, last: bool) -> bool {
        let Some(seat) = self.seat(at) else { return false };
        let is_rest = seat.skipped_text == Some(number);
        if last || !is_rest {
            seat.skipped_text = None;
        }
        is_rest
    }

    fn skip_rest(&mut self, at: u16, number: u16) {
        if let Some(seat) = self.seat(at) {
            seat.skipped_text = Some(number);
        }
    }

    fn take_part(
        &mut self,
        now: Instant,
        at: u16,
        number: u16,
        last: bool,
        target: Target,
        part: &[u8],
    ) -> Result<(), TextRefuseReason> {
        let place = match self.half_text(at) {
            Some(place) if self.continues(place, number, target) => place,
            Some(place) => {
                self.free_post(place);
                self.drop(DropReason::Malformed);
                self.begin_text(now, at, number, target)?
            }
            None => self.begin_text(now, at, number, target)?,
        };
        let refused = match self.append(place, part) {
            Ok(_) if last => self.finish_text(at, place, target).err(),
            Ok(len) if len < MAX_TEXT_BYTES => None,
            _ => Some(TextRefuseReason::BadText),
        };
        let Some(reason) = refused else { return Ok(()) };
        self.free_post(place);
        Err(reason)
    }

    /// Adds a part to a text: its bytes so far.
    fn append(&mut self, place: usize, part: &[u8]) -> Result<usize, TextRefuseReason> {
        let post = self.t.posts.get_mut(place).ok_or(TextRefuseReason::StoreFull)?;
        let from = usize::from(post.len);
        let len = from + part.len();
        post.bytes.get_mut(from..len).ok_or(TextRefuseReason::BadText)?.copy_from_slice(part);
        post.len = u16::try_from(len).unwrap_or(0);
        Ok(len)
    }

    fn begin_text(&mut self, now: Instant, at: u16, number: u16, target: Target) -> Result<usize, TextRefuseReason> {
        let seat = self.seat(at).ok_or(TextRefuseReason::StoreFull)?;
        let from = seat.id;
        if !seat.rates.text.take(now, TEXT_RATE) {
            return Err(TextRefuseReason::RateLimited);
        }
        let place = self.free_place(now).ok_or(TextRefuseReason::StoreFull)?;
        let target = Some(target);
        let post = Post { state: PostState::Begun, from, number, target, begun: now, ..Post::EMPTY };
        self.hold_post(place, post).ok_or(TextRefuseReason::StoreFull)?;
        Ok(place)
    }

    fn finish_text(&mut self, at: u16, place: usize, target: Target) -> Result<(), TextRefuseReason> {
        let post = self.t.posts.get(place).ok_or(TextRefuseReason::StoreFull)?;
        let text = post.bytes.get(..usize::from(post.len)).unwrap_or_default();
        if core::str::from_utf8(text).is_err() {
            return Err(TextRefuseReason::BadText);
        }
        self.address(at, place, target)?;
        let order = self.next_order();
        if let Some(post) = self.t.posts.get_mut(place) {
            post.state = PostState::Whole;
            post.order = order;
        }
        for word in 0..self.t.bits.width {
            let mut left = self.t.bits.post(place).get(word).copied().unwrap_or(0);
            while left != 0 {
                let seat = word * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                self.wake_seat(u16::try_from(seat).unwrap_or(u16::MAX));
            }
        }
        Ok(())
    }

    /// Notes who gets a text: those who would hear its sender there, deafened or not.
    fn address(&mut self, at: u16, place: usize, target: Target) -> Result<(), TextRefuseReason> {
        self.t.bits.post(place).fill(0);
        let mut left = 0;
        match target {
            Target::Client(client) => {
                let seat = self.seat_of(client).ok_or(TextRefuseReason::UnknownTarget)?;
                left += u16::from(self.address_one(at, seat, place));
            }
            Target::Room(room) => {
                let used = self.seat(at).is_some_and(|seat| seat.room_entry(room).is_some());
                let room = self.room_at(room).filter(|_| used).ok_or(TextRefuseReason::UnknownTarget)?;
                for word in 0..self.t.bits.width {
                    let mut members = self.t.bits.room(room).get(word).copied().unwrap_or(0);
                    while members != 0 {
                        let seat = word * 64 + members.trailing_zeros() as usize;
                        members &= members - 1;
                        let seat = u16::try_from(seat).unwrap_or(u16::MAX);
                        left += u16::from(self.address_one(at, seat, place));
                    }
                }
            }
        }
        if let Some(post) = self.t.posts.get_mut(place) {
            post.left = left;
        }
        if left == 0 { Err(TextRefuseReason::NobodyThere) } else { Ok(()) }
    }

    fn address_one(&mut self, from: u16, to: u16, place: usize) -> bool {
        let connected = self.seat(to).is_some_and(|seat| seat.connection.is_some());
        let gets = connected && from != to && !self.blocks(to, from);
        if gets {
            set_bit(self.t.bits.post(place), usize::from(to), true);
        }
        gets
    }

    fn blocks(&mut self, listener: u16, speaker: u16) -> bool {
        has_bit(self.t.bits.blockers_of(usize::from(speaker)), usize::from(listener))
    }

    /// A place for another post: a free one, else that of a half text that nobody finishes, else that of a post that can be sent to nobody now.
    fn free_place(&mut self, now: Instant) -> Option<usize> {
        let stale = |post: &Post| post.state == PostState::Begun && post.begun.after(HALF_TEXT_KEPT) <= now;
        if let Some(free) = self.t.posts.iter().position(|post| post.state == PostState::Free) {
            return Some(free);
        }
        let place = self.t.posts.iter().position(stale).or_else(|| self.oldest_stuck())?;
        self.evict(place);
        Some(place)
    }

    /// Frees the place of a post. The writer of a text that nobody has got is told, and what may still come of it is skipped.
    fn evict(&mut self, place: usize) {
        let Some(post) = self.t.posts.get(place) else { return };
        let (number, is_half) = (post.number, post.state == PostState::Begun);
        let writer = ClientId::new(post.from).filter(|_| post.target.is_some() && !post.reached);
        self.free_post(place);
        let Some(writer) = writer.and_then(|writer| self.seat_of(writer)) else {
            return self.drop(DropReason::TableFull);
        };
        self.refuse_text(writer, number, TextRefuseReason::StoreFull);
        if is_half {
            self.skip_rest(writer, number);
        }
    }

    /// The oldest post that only clients are still to get whose lanes are full. Were it kept, one that acknowledges nothing could have the whole store
    /// filled until its lane counts as stalled.
    fn oldest_stuck(&mut self) -> Option<usize> {
        let mut oldest: Option<(u64, usize)> = None;
        for place in 0..self.t.posts.len() {
            let order = self.t.posts.get(place).filter(|post| post.state == PostState::Whole).map_or(0, |p| p.order);
            if order > 0 && oldest.is_none_or(|(before, _)| order < before) && self.is_stuck(place) {
                oldest = Some((order, place));
            }
        }
        oldest.map(|(_, place)| place)
    }

    fn is_stuck(&mut self, place: usize) -> bool {
        for word in 0..self.t.bits.width {
            let mut left = self.t.bits.post(place).get(word).copied().unwrap_or(0);
            while left != 0 {
                let seat = word * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                let connection = self.t.seats.get(seat).and_then(|seat| seat.connection);
                if connection.and_then(|id| self.connection(id)).is_some_and(|to| to.lane.takes_posts()) {
                    return false;
                }
            }
        }
        true
    }

    fn hold_post(&mut self, place: usize, post: Post) -> Option<&mut Post> {
        let held = self.t.posts.get_mut(place)?;
        self.s.posts_held += u16::from(held.state == PostState::Free);
        *held = post;
        Some(held)
    }

    fn free_post(&mut self, place: usize) {
        if let Some(post) = self.t.posts.get_mut(place) {
            self.s.posts_held -= u16::from(post.state != PostState::Free);
            (post.state, post.left, post.len) = (PostState::Free, 0, 0);
        }
        self.t.bits.post(place).fill(0);
    }

    fn next_order(&mut self) -> u64 {
        self.s.posts_begun += 1;
        self.s.posts_begun
    }

    fn refuse_text(&mut self, at: u16, number: u16, reason: TextRefuseReason) {
        if reason == TextRefuseReason::RateLimited {
            self.drop(DropReason::RateLimited);
        }
        let Some(seat) = self.seat(at) else { return };
        let refused = &mut seat.tell.texts_refused;
        let next = |last: &TextsRefused| last.reason == reason && last.first.wrapping_add(last.count) == number;
        if let Some(last) = refused.last_mut().filter(|last| next(last)) {
            last.count = last.count.saturating_add(1);
        } else if refused.push(TextsRefused { first: number, count: 1, reason }).is_err() {
            self.drop(DropReason::TableFull);
        }
        self.wake_seat(at);
    }
}
