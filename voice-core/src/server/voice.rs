//! The hot path: one voice packet in, "these bytes to those connections" out.

use core::time::Duration;

use heapless::Vec;

use super::{
    engine::{Engine, VOICE_RATE, talking_link, unheard_link},
    events::ServerEvent,
    forward::{Fanout, Forward, Mask},
    memory::{has_bit, set_bit},
    tables::VoiceState,
};
use crate::{
    storage::list::List,
    types::{ClientId, ConnectionId, DropReason, Instant, Target},
    wire::{
        ParsedVoice, Voice,
        limits::{MAX_CHANNELS, MAX_RELAY_LIST},
    },
};

type Listed = (bool, Vec<ClientId, MAX_RELAY_LIST>);

/// Sequence numbers further behind the newest than this are too old.
const REPLAY_WINDOW: u16 = 64;
/// After so long without voice it may begin with any number: what went directly meanwhile may have taken half of all there are.
const FORGET_AFTER: Duration = Duration::from_secs(30);

impl<'a> Engine<'a> {
    pub(super) fn on_voice<'p>(mut self, now: Instant, from: ConnectionId, packet: &'p mut [u8]) -> Forward<'a, 'p> {
        match self.check_voice(now, from, packet) {
            Ok((at, voice, listed)) => self.fan_out(now, at, voice, listed, packet),
            Err(reason) => {
                self.drop(reason);
                Forward::nothing(packet)
            }
        }
    }

    fn check_voice(
        &mut self,
        now: Instant,
        from: ConnectionId,
        packet: &[u8],
    ) -> Result<(u16, ParsedVoice, Option<Listed>), DropReason> {
        let voice = Voice::decode(packet)?;
        let at = self.connection(from).ok_or(DropReason::UnknownConnection)?.seat.ok_or(DropReason::NotJoined)?;
        if voice.header.tag != self.session().tag() {
            return Err(DropReason::WrongSession);
        }
        let seat = self.seat(at).ok_or(DropReason::NotJoined)?;
        let id = seat.client().ok_or(DropReason::NotJoined)?;
        if voice.header.speaker != id {
            self.s.event(ServerEvent::SpoofedSender { id, claimed: voice.header.speaker });
            return Err(DropReason::WrongSender);
        }
        if !seat.rates.voice.take(now, VOICE_RATE) {
            return Err(DropReason::RateLimited);
        }
        if seat.flags.muted || seat.flags.server_muted {
            return Err(DropReason::Muted);
        }
        let listed = voice.relay.map(|relay| (relay.only, relay.iter().collect::<Vec<_, MAX_RELAY_LIST>>()));
        let again = listed.as_ref().is_some_and(|(only, _)| *only);
        seat.voice.accept(now, voice.header.sequence, again)?;
        let parsed = ParsedVoice::new(&voice, packet.len());
        self.keep_alive(now, from);
        self.note_talking(now, at, voice.header.end);
        Ok((at, parsed, listed))
    }

    fn note_talking(&mut self, now: Instant, at: u16, end: bool) {
        let Some(seat) = self.t.seats.get_mut(usize::from(at)) else { return };
        seat.voice.last_at = now;
        let talked = seat.talking_link.is_linked();
        let id = seat.client();
        if end {
            return self.stop_talking(at);
        }
        self.s.talking.refresh(self.t.seats, talking_link, at);
        if !talked && let Some(id) = id {
            self.s.event(ServerEvent::StartedSpeaking { id });
        }
    }

    fn fan_out<'p>(
        mut self,
        now: Instant,
        at: u16,
        voice: ParsedVoice,
        listed: Option<Listed>,
        packet: &'p mut [u8],
    ) -> Forward<'a, 'p> {
        let (masks, targets) = self.masks(at, &voice);
        if masks.is_empty() {
            return Forward::nothing(packet);
        }
        let room =
            masks.iter().find_map(|(_, mask)| if let Mask::Room { place, .. } = mask { Some(*place) } else { None });
        let is_last = self.note_phase(now, at, room, &voice);
        // One that was overtaken doesn't tell whom its speaker speaks to now.
        let newest = self.seat(at).filter(|seat| seat.voice.newest == voice.header.sequence);
        let (is_newest, others) = match newest {
            Some(seat) => (true, core::mem::replace(&mut seat.voice.targets, targets.clone()) != targets),
            None => (false, false),
        };
        if others {
            // What was said of the ones before doesn't hold for these.
            self.forget_unheard(at);
        }
        let local = self.local_seat();
        let fanout = match (masks.as_slice(), &listed) {
            ([(keep, Mask::Room { place, .. })], None) => self.one_room(at, *place, *keep, local),
            _ => self.several(at, &masks, listed.as_ref(), local),
        };
        let Some(fanout) = fanout else {
            self.drop(DropReason::NobodyHears);
            if is_newest {
                self.tell_unheard(at);
            }
            return Forward::nothing(packet);
        };
        if self.forget_unheard(at) {
            self.tell_audience(at, true);
        }
        Forward::new(self, voice, masks, fanout, packet, is_last)
    }

    /// Those channels that the speaker may use, each with the set of its listeners. Others are counted once, under the first one's reason.
    fn masks(
        &mut self,
        at: u16,
        voice: &ParsedVoice,
    ) -> (Vec<(u8, Mask), MAX_CHANNELS>, Vec<Target, MAX_CHANNELS, u8>) {
        let (mut masks, mut targets, mut refused) = (Vec::new(), Vec::new(), None);
        for (bit, channel) in voice.channels().iter().enumerate() {
            match self.mask(at, channel.target) {
                Ok(mask) => {
                    _ = masks.push((1 << bit, mask));
                    _ = targets.push(channel.target);
                }
                Err(reason) => refused = refused.or(Some(reason)),
            }
        }
        if let Some(reason) = refused {
            self.drop(reason);
        }
        (masks, targets)
    }

    fn mask(&mut self, at: u16, target: Target) -> Result<Mask, DropReason> {
        match target {
            Target::Client(client) => {
                let seat = usize::from(self.seat_of(client).ok_or(DropReason::UnknownClient)?);
                Ok(Mask::One { word: seat / 64, bits: 1 << (seat % 64) })
            }
            Target::Room(room) => {
                let place = self.room_at(room).ok_or(DropReason::UnknownRoom)?;
                let speaks = |seat: &mut super::Seat| seat.room_entry(room).is_some_and(|e| e.room_use.speaks());
                if !self.seat(at).is_some_and(speaks) {
                    return Err(DropReason::NotPermitted);
                }
                let (first, last) = self.t.rooms.get(place).map_or((u16::MAX, 0), |room| room.span);
                Ok(Mask::Room { place, first: usize::from(first), last: usize::from(last) })
            }
        }
    }

    /// The usual case: all listeners of one room, who get the bytes as they came.
    fn one_room(&mut self, at: u16, place: usize, keep: u8, local: Option<u16>) -> Option<Fanout> {
        let (first, last) = self.t.rooms.get(place).map(|room| (usize::from(room.span.0), usize::from(room.span.1)))?;
        if first > last {
            return None;
        }
        let (width, speaker) = (self.t.bits.width, usize::from(at));
        let members = self.t.bits.members.get(place * width..(place + 1) * width)?.get(first..=last)?;
        let blockers = self.t.bits.blockers.get(speaker * width..(speaker + 1) * width)?.get(first..=last)?;
        let hears = self.t.bits.hears.get(first..=last)?;
        let mut to_local = false;
        let mut count = 0;
        for (step, ((members, hears), blockers)) in members.iter().zip(hears).zip(blockers).enumerate() {
            let word = first + step;
            let mut left = members & hears & !blockers;
            if word == speaker / 64 {
                left &= !(1 << (speaker % 64));
            }
            if let Some(local) = local.map(usize::from)
                && word == local / 64
            {
                to_local = left >> (local % 64) & 1 != 0;
                left &= !(1 << (local % 64));
            }
            count = emit(left, word, self.t.connection_of, self.t.recipients, count);
        }
        (count > 0 || to_local).then_some(Fanout { ready: Some((keep, count)), local: to_local.then_some(keep) })
    }

    /// Several channels, whispers, or a relay list: who is left goes to `remaining`, and is taken from there by groups.
    fn several(
        &mut self,
        at: u16,
        masks: &[(u8, Mask)],
        listed: Option<&Listed>,
        local: Option<u16>,
    ) -> Option<Fanout> {
        let bits = &mut self.t.bits;
        bits.remaining.fill(0);
        for (_, mask) in masks {
            for (word, left) in bits.remaining.iter_mut().enumerate() {
                *left |= mask.word(word, bits.members, bits.width);
            }
        }
        let blockers = bits.blockers.get(usize::from(at) * bits.width..).unwrap_or_default();
        for ((left, hears), blockers) in bits.remaining.iter_mut().zip(bits.hears.iter()).zip(blockers) {
            *left &= hears & !blockers;
        }
        set_bit(bits.remaining, usize::from(at), false);
        if bits.remaining.iter().all(|left| *left == 0) {
            return None;
        }
        if let Some((only, clients)) = listed {
            self.apply_relay_list(*only, clients);
        }
        let mut keep = None;
        if let Some(local) = local.map(usize::from).filter(|local| has_bit(self.t.bits.remaining, *local)) {
            set_bit(self.t.bits.remaining, local, false);
            let bits = &self.t.bits;
            let reaches = |mask: &Mask| mask.word(local / 64, bits.members, bits.width) >> (local % 64) & 1 != 0;
            keep = Some(masks.iter().filter(|(_, mask)| reaches(mask)).fold(0, |keep, (bit, _)| keep | bit));
        }
        Some(Fanout { ready: None, local: keep })
    }

    fn apply_relay_list(&mut self, only: bool, clients: &[ClientId]) {
        let seats: Vec<usize, MAX_RELAY_LIST> =
            clients.iter().filter_map(|client| self.seat_of(*client)).map(usize::from).collect();
        let remaining = &mut self.t.bits.remaining;
        if !only {
            return seats.iter().for_each(|seat| set_bit(remaining, *seat, false));
        }
        let kept: Vec<usize, MAX_RELAY_LIST> = seats.into_iter().filter(|seat| has_bit(remaining, *seat)).collect();
        remaining.fill(0);
        kept.iter().for_each(|seat| set_bit(remaining, *seat, true));
    }

    fn local_seat(&mut self) -> Option<u16> {
        let local = self.s.local?;
        self.connection(local)?.seat
    }

    /// Tells a speaker once that nobody hears it, and remembers to tell when that has changed.
    fn tell_unheard(&mut self, at: u16) {
        if self.seat(at).is_some_and(|seat| seat.unheard_link.is_linked()) {
            return;
        }
        self.s.unheard.push_back(self.t.seats, unheard_link, at);
        self.tell_audience(at, false);
    }

    /// Forgets that a speaker was told that nobody hears it; `false` if it wasn't.
    pub(super) fn forget_unheard(&mut self, at: u16) -> bool {
        let was_told = self.seat(at).is_some_and(|seat| seat.unheard_link.is_linked());
        if was_told {
            List::remove(&mut [&mut self.s.unheard], self.t.seats, unheard_link, at);
        }
        was_told
    }
}

/// Writes the connection of each set bit behind the first `count` recipients.
#[inline]
pub(super) fn emit(
    mut left: u64,
    word: usize,
    connection_of: &[ConnectionId],
    recipients: &mut [ConnectionId],
    mut count: usize,
) -> usize {
    let connections = connection_of.get(word * 64..).unwrap_or_default();
    while left != 0 {
        let bit = left.trailing_zeros() as usize;
        left &= left - 1;
        if let (Some(to), Some(connection)) = (recipients.get_mut(count), connections.get(bit)) {
            *to = *connection;
            count += 1;
        }
    }
    count
}

impl VoiceState {
    /// Takes a sequence number once; `again` ones may repeat the last 64.
    fn accept(&mut self, now: Instant, sequence: u16, again: bool) -> Result<(), DropReason> {
        let ahead = sequence.wrapping_sub(self.newest);
        let is_old = ahead > u16::MAX / 2 && ahead <= REPLAY_WINDOW.wrapping_neg();
        if !self.started || is_old && self.last_at.after(FORGET_AFTER) <= now {
            (self.started, self.newest, self.seen) = (true, sequence, 1);
        } else if ahead == 0 || ahead > u16::MAX / 2 {
            let behind = self.newest.wrapping_sub(sequence);
            if behind >= REPLAY_WINDOW {
                return Err(DropReason::Late);
            }
            if self.seen >> behind & 1 != 0 && !again {
                return Err(DropReason::Duplicate);
            }
            self.seen |= 1 << behind;
        } else {
            self.seen = self.seen.checked_shl(ahead.into()).unwrap_or(0) | 1;
            self.newest = sequence;
        }
        Ok(())
    }
}
