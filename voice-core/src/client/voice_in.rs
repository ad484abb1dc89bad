//! Voice that comes in: checked, given to its speaker's playout, and pulled from there by the audio clock.

use core::time::Duration;

use super::{
    Frame,
    engine::Engine,
    events::ClientEvent,
    heard::Heard,
    tables::{SpeakerSlot, Wishes},
};
use crate::{
    playout::{Incoming, Sound},
    types::{ClientId, DropReason, Instant, PathId, Priority, Target},
    wire::{Channels, Voice},
};

/// So many numbers up to the newest of a speaker whose slot another took are stragglers, not a new beginning: what a speaker with a slot can
/// tell from new ones, too. Numbers return only after 65,536 packets.
const STRAGGLERS: u16 = 64;

impl<'a> Engine<'a> {
    pub(super) fn on_voice(&mut self, now: Instant, path: Option<PathId>, bytes: &[u8]) {
        if let Err(reason) = self.take_voice(now, path, bytes) {
            self.drop(reason);
        }
    }

    fn take_voice(&mut self, now: Instant, path: Option<PathId>, bytes: &[u8]) -> Result<(), DropReason> {
        let voice = Voice::decode(bytes)?;
        let seat = self.s.seat.filter(|_| self.s.is_joined()).ok_or(DropReason::NotJoined)?;
        if voice.header.tag != seat.session.tag() {
            return Err(DropReason::WrongSession);
        }
        let speaker = voice.header.speaker;
        match path {
            None => self.heard(now),
            Some(path) => self.direct().handle_voice(now, path, speaker, voice.header.sequence)?,
        }
        if speaker == seat.id {
            return Err(DropReason::WrongSender);
        }
        if voice.relay.is_some() {
            return Err(DropReason::Malformed);
        }
        self.note_voice(now, false);
        let place = used(self.t.speakers).position(|slot| slot.client == Some(speaker));
        self.check_wishes(path, speaker, place)?;
        let listened = self.listened_channels(seat.id, voice.channels);
        if listened == 0 {
            return Err(DropReason::NotPermitted);
        }
        let place = match place {
            Some(place) => place,
            None => self.new_place(&voice, listened)?,
        };
        self.insert(now, place, &voice, path.is_some(), listened)
    }

    /// The server keeps away what isn't wanted; what was on its way, or came directly, is stopped here.
    fn check_wishes(&self, path: Option<PathId>, speaker: ClientId, place: Option<usize>) -> Result<(), DropReason> {
        if self.s.declared.flags.deafened {
            return Err(DropReason::NotPermitted);
        }
        let wishes = match place.and_then(|at| self.t.speakers.get(at)) {
            Some(slot) => slot.wishes,
            None => Wishes::about(self.person_at(speaker).and_then(|at| self.t.roster.get(at))),
        };
        match wishes {
            Wishes { blocked: true, .. } => Err(DropReason::NotPermitted),
            Wishes { server_muted: true, .. } if path.is_some() => Err(DropReason::Muted),
            _ => Ok(()),
        }
    }

    /// A bit for each channel that this client listens to.
    fn listened_channels(&self, me: ClientId, channels: Channels<'_>) -> u8 {
        let listened = channels.iter().enumerate().filter(|(_, channel)| self.listens_to(me, channel.target));
        listened.fold(0, |bits, (at, _)| bits | 1 << at)
    }

    fn listens_to(&self, me: ClientId, target: Target) -> bool {
        match target {
            Target::Client(client) => client == me,
            Target::Room(room) => {
                self.t.rooms.iter().any(|slot| slot.used && slot.id == Some(room) && slot.room_use.listens())
            }
        }
    }

    fn insert(
        &mut self,
        now: Instant,
        place: usize,
        voice: &Voice<'_>,
        direct: bool,
        listened: u8,
    ) -> Result<(), DropReason> {
        self.plan_report(now);
        let packet = Incoming {
            sequence: voice.header.sequence,
            media_time: voice.header.media_time,
            frame_length: voice.header.frame_length,
            mark: voice.header.mark,
            end: voice.header.end,
            payload: voice.payload,
        };
        let share = share(self.t.frames.len(), self.t.speakers.len());
        let memory = self.t.frames.get_mut(place * share..(place + 1) * share).unwrap_or_default();
        let slot = self.t.speakers.get_mut(place).ok_or(DropReason::TableFull)?;
        let standing = slot.standing();
        let config = self.s.config.playout.reaching(slot.redundancy);
        let inserted = slot.playout.insert(now, &config, memory, &packet);
        if inserted.newest {
            slot.heard.set_channels(voice.channels, listened);
            slot.arrivals.note(now, packet.media_time, packet.frame_length, direct);
        }
        let changed = slot.standing() != standing;
        if changed {
            self.reckon_top();
        }
        if inserted.started {
            self.s.event(ClientEvent::StartedSpeaking(voice.header.speaker));
        }
        if inserted.stopped {
            self.s.event(ClientEvent::StoppedSpeaking(voice.header.speaker));
        }
        // Most packets only put the end of a talkspurt off: that is noticed when it would have ended.
        if inserted.stopped || self.s.talk_due.is_none() {
            self.reckon_talk();
        }
        inserted.dropped.map_or(Ok(()), Err)
    }

    /// A slot for a speaker who has none: a free one; or that of who has been silent for the longest; or, with all of them speaking, that of the
    /// lowest priority if the newcomer's is higher, and there of who was heard of the longest ago.
    fn new_place(&mut self, voice: &Voice<'_>, listened: u8) -> Result<usize, DropReason> {
        let (client, sequence) = (voice.header.speaker, voice.header.sequence);
        let person = self.person_at(client).and_then(|at| self.t.roster.get(at));
        let gave_way = person.and_then(|person| person.gave_way).map(u16::from_be_bytes);
        if gave_way.is_some_and(|newest| newest.wrapping_sub(sequence) < STRAGGLERS) {
            return Err(DropReason::Late);
        }
        let mut heard = Heard::NOTHING;
        heard.set_own_default(person.map_or(Priority::None, |person| person.priority));
        heard.set_channels(voice.channels, listened);
        let wishes = Wishes::about(person);
        // Free ones come first, then the silent ones: they have no priority.
        let rank = |slot: &SpeakerSlot| slot.client.map(|_| (slot.standing_or_talking(), slot.playout.heard_at()));
        let slots = self.t.speakers.iter_mut().enumerate();
        let (at, slot) = slots.min_by_key(|(_, slot)| rank(slot)).ok_or(DropReason::TableFull)?;
        if slot.standing_or_talking() >= Some(heard.merged().priority) {
            return Err(DropReason::TableFull);
        }
        let (gone, newest) = (slot.client, slot.playout.newest());
        let (was_heard, talked) = (slot.standing_or_talking().is_some(), slot.playout.is_talking());
        *slot = SpeakerSlot { client: Some(client), wishes, heard, ..SpeakerSlot::EMPTY };
        if let Some(gone) = gone {
            self.gave_way(gone, newest, was_heard, talked);
        }
        Ok(at)
    }

    /// Somebody's slot is another's now.
    fn gave_way(&mut self, client: ClientId, newest: Option<u16>, was_heard: bool, talked: bool) {
        if let Some(person) = self.person(client) {
            person.gave_way = newest.map(u16::to_be_bytes);
        }
        if was_heard {
            self.s.counters.speakers_displaced += 1;
            self.reckon_top();
        }
        if talked {
            self.s.event(ClientEvent::StoppedSpeaking(client));
            self.reckon_talk();
        }
    }

    /// What is to be heard next of somebody.
    pub(super) fn next_frame(self, now: Instant, queued: Duration, client: ClientId) -> Frame<'a> {
        let share = share(self.t.frames.len(), self.t.speakers.len());
        let index = used(self.t.speakers).position(|slot| slot.client == Some(client));
        let slot = index.and_then(|index| self.t.speakers.get_mut(index));
        let (Some(index), Some(slot)) = (index, slot) else { return Frame::SILENCE };
        let frames: &'a [u8] = self.t.frames;
        let memory = frames.get(index * share..(index + 1) * share).unwrap_or_default();
        let (merged, local) = (slot.heard.merged(), slot.wishes.volume);
        let top = self.s.top;
        let config = self.s.config.playout.reaching(slot.redundancy);
        let pulled = slot.playout.next_frame(now, queued, &config, memory);
        let fell_silent = slot.standing().is_none();
        if fell_silent && top.is_some() {
            self.s.top = top_of(self.t.speakers);
        }
        Frame {
            sound: if self.s.declared.flags.deafened { Sound::Silence } else { pulled.sound },
            length_us: pulled.length_us,
            pace: pulled.pace,
            volume_percent: u16::from(merged.volume.percent()) * u16::from(local.percent()) / 100,
            positional: merged.positional,
            audible: top.is_none_or(|top| merged.priority >= top),
        }
    }

    /// The highest priority among the speakers who are heard now. Asked for every frame of every speaker, so it is kept.
    pub(super) fn reckon_top(&mut self) {
        self.s.top = top_of(self.t.speakers);
    }

    /// What the roster or the embedder says of a person has changed.
    pub(super) fn tell_speaker(&mut self, client: ClientId) {
        let person = self.person_at(client).and_then(|at| self.t.roster.get(at));
        let slot = self.t.speakers.iter_mut().take_while(|slot| slot.client.is_some());
        let Some(slot) = slot.into_iter().find(|slot| slot.client == Some(client)) else { return };
        slot.know(person);
        self.reckon_top();
    }

    pub(super) fn talk_timeout(&mut self, now: Instant) {
        if self.s.talk_due.is_none_or(|due| due > now) {
            return;
        }
        for at in 0..self.t.speakers.len() {
            let Some(slot) = self.t.speakers.get_mut(at) else { return };
            if slot.handle_timeout(now)
                && let Some(client) = slot.client
            {
                self.s.event(ClientEvent::StoppedSpeaking(client));
            }
        }
        self.reckon_talk();
        self.reckon_top();
    }

    fn reckon_talk(&mut self) {
        self.s.talk_due = used(self.t.speakers).filter_map(SpeakerSlot::poll_timeout).min();
    }

    /// The speaker is gone. What was received of it is remembered until the slot is needed, so that packets that come after the word of
    /// its leaving, out of order, don't begin to play anew.
    pub(super) fn silence_speaker(&mut self, client: ClientId) {
        let Some(slot) = self.t.speakers.iter_mut().find(|slot| slot.client == Some(client)) else { return };
        if slot.playout.silence() {
            self.s.event(ClientEvent::StoppedSpeaking(client));
        }
        self.reckon_talk();
        self.reckon_top();
    }

    pub(super) fn forget_speakers(&mut self) {
        for at in 0..self.t.speakers.len() {
            if let Some(client) = self.t.speakers.get(at).and_then(|slot| slot.client) {
                self.silence_speaker(client);
            }
            if let Some(slot) = self.t.speakers.get_mut(at) {
                *slot = SpeakerSlot::EMPTY;
            }
        }
    }
}

/// The slots that have been taken: the first ones, since none becomes free by itself.
pub(super) fn used(speakers: &[SpeakerSlot]) -> impl Iterator<Item = &SpeakerSlot> {
    speakers.iter().take_while(|slot| slot.client.is_some())
}

fn top_of(speakers: &[SpeakerSlot]) -> Option<Priority> {
    used(speakers).filter_map(SpeakerSlot::standing).max()
}

/// Bytes of the frames' memory that each speaker has.
pub(super) const fn share(frames: usize, speakers: usize) -> usize {
    match frames.checked_div(speakers) {
        Some(share) => share,
        None => 0,
    }
}
