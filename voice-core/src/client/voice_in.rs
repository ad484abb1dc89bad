//! Voice that comes in: checked, given to its speaker's playout, and pulled from there by the audio clock.

use core::time::Duration;

use heapless::Vec;

use super::{Frame, engine::Engine, events::ClientEvent, tables::SpeakerSlot};
use crate::{
    playout::{Incoming, Sound},
    types::{ChannelOptions, ClientId, DropReason, Instant, PathId, Priority, Target, Volume},
    wire::{Voice, limits::MAX_CHANNELS},
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
        self.check_wishes(path, speaker)?;
        let channels: Vec<(Target, ChannelOptions), MAX_CHANNELS> = voice
            .channels
            .iter()
            .filter(|channel| self.listens_to(seat.id, channel.target))
            .map(|channel| (channel.target, channel.options))
            .collect();
        if channels.is_empty() {
            return Err(DropReason::NotPermitted);
        }
        self.insert(now, speaker, &voice, path.is_some(), &channels)
    }

    /// The server keeps away what isn't wanted; what was on its way, or came directly, is stopped here.
    fn check_wishes(&mut self, path: Option<PathId>, speaker: ClientId) -> Result<(), DropReason> {
        if self.s.declared.flags.deafened {
            return Err(DropReason::NotPermitted);
        }
        match self.person(speaker) {
            Some(person) if person.blocked => Err(DropReason::NotPermitted),
            Some(person) if path.is_some() && person.flags.server_muted => Err(DropReason::Muted),
            _ => Ok(()),
        }
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
        client: ClientId,
        voice: &Voice<'_>,
        direct: bool,
        channels: &[(Target, ChannelOptions)],
    ) -> Result<(), DropReason> {
        let at = self.speaker_slot(client, voice.header.sequence)?;
        // The roster may learn of somebody only after the first packets.
        let own_default = self.person(client).map(|person| person.priority);
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
        let memory = self.t.frames.get_mut(at * share..(at + 1) * share).unwrap_or_default();
        let slot = self.t.speakers.get_mut(at).ok_or(DropReason::TableFull)?;
        if let Some(own_default) = own_default {
            slot.heard.set_own_default(own_default);
        }
        let config = self.s.config.playout.reaching(slot.redundancy);
        let inserted = slot.playout.insert(now, &config, memory, &packet);
        if inserted.newest {
            slot.heard.set_channels(channels);
            slot.arrivals.note(now, packet.media_time, packet.frame_length, direct);
        }
        if inserted.started {
            self.s.event(ClientEvent::StartedSpeaking(client));
        }
        if inserted.stopped {
            self.s.event(ClientEvent::StoppedSpeaking(client));
        }
        // Most packets only put the end of a talkspurt off: that is noticed when it would have ended.
        if inserted.stopped || self.s.talk_due.is_none() {
            self.reckon_talk();
        }
        inserted.dropped.map_or(Ok(()), Err)
    }

    /// The speaker's slot: its own, a free one, or that of whoever has been silent the longest.
    fn speaker_slot(&mut self, client: ClientId, sequence: u16) -> Result<usize, DropReason> {
        if let Some(at) = self.t.speakers.iter().position(|slot| slot.client == Some(client)) {
            return Ok(at);
        }
        let gave_way = self.person(client).and_then(|person| person.gave_way).map(u16::from_be_bytes);
        if gave_way.is_some_and(|newest| newest.wrapping_sub(sequence) < STRAGGLERS) {
            return Err(DropReason::Late);
        }
        let free = self.t.speakers.iter().position(|slot| slot.client.is_none());
        let at = free.or_else(|| {
            let silent = |slot: &SpeakerSlot| !slot.playout.is_active() && !slot.playout.is_talking();
            let slots = self.t.speakers.iter().enumerate().filter(|(_, slot)| silent(slot));
            slots.min_by_key(|(_, slot)| slot.playout.heard_at()).map(|(at, _)| at)
        });
        let (at, slot) = at.and_then(|at| Some((at, self.t.speakers.get_mut(at)?))).ok_or(DropReason::TableFull)?;
        let before = core::mem::replace(slot, SpeakerSlot { client: Some(client), ..SpeakerSlot::EMPTY });
        if let Some(person) = before.client.and_then(|gone| self.person(gone)) {
            person.gave_way = before.playout.newest().map(u16::to_be_bytes);
        }
        Ok(at)
    }

    /// What is to be heard next of somebody.
    pub(super) fn next_frame(self, now: Instant, queued: Duration, client: ClientId) -> Frame<'a> {
        let top = self.top_priority();
        let local = self.person_at(client).and_then(|at| self.t.roster.get(at)).map_or(Volume::FULL, |p| p.volume);
        let share = share(self.t.frames.len(), self.t.speakers.len());
        let index = used(self.t.speakers).position(|slot| slot.client == Some(client));
        let slot = index.and_then(|index| self.t.speakers.get_mut(index));
        let (Some(index), Some(slot)) = (index, slot) else { return Frame::SILENCE };
        let frames: &'a [u8] = self.t.frames;
        let memory = frames.get(index * share..(index + 1) * share).unwrap_or_default();
        let merged = slot.heard.merged();
        let config = self.s.config.playout.reaching(slot.redundancy);
        let pulled = slot.playout.next_frame(now, queued, &config, memory);
        Frame {
            sound: if self.s.declared.flags.deafened { Sound::Silence } else { pulled.sound },
            length_us: pulled.length_us,
            pace: pulled.pace,
            volume_percent: u16::from(merged.volume.percent()) * u16::from(local.percent()) / 100,
            positional: merged.positional,
            audible: top.is_none_or(|top| merged.priority >= top),
        }
    }

    /// The highest priority among the speakers who are heard now.
    pub(super) fn top_priority(&self) -> Option<Priority> {
        let heard = used(self.t.speakers).filter(|slot| slot.playout.is_active());
        heard.map(|slot| slot.heard.merged().priority).max()
    }

    pub(super) fn talk_timeout(&mut self, now: Instant) {
        if self.s.talk_due.is_none_or(|due| due > now) {
            return;
        }
        for at in 0..self.t.speakers.len() {
            let Some(slot) = self.t.speakers.get_mut(at) else { return };
            if slot.playout.handle_timeout(now)
                && let Some(client) = slot.client
            {
                self.s.event(ClientEvent::StoppedSpeaking(client));
            }
        }
        self.reckon_talk();
    }

    fn reckon_talk(&mut self) {
        self.s.talk_due = used(self.t.speakers).filter_map(|slot| slot.playout.poll_timeout()).min();
    }

    /// The speaker is gone. What was received of it is remembered until the slot is needed, so that packets that come after the word of
    /// its leaving, out of order, don't begin to play anew.
    pub(super) fn silence_speaker(&mut self, client: ClientId) {
        let Some(slot) = self.t.speakers.iter_mut().find(|slot| slot.client == Some(client)) else { return };
        if slot.playout.silence() {
            self.s.event(ClientEvent::StoppedSpeaking(client));
        }
        self.reckon_talk();
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

/// Bytes of the frames' memory that each speaker has.
pub(super) const fn share(frames: usize, speakers: usize) -> usize {
    match frames.checked_div(speakers) {
        Some(share) => share,
        None => 0,
    }
}
