//! From a frame of the microphone's to packets: numbered, addressed, split between direct paths and the server.

use heapless::Vec;

use super::{
    SendError,
    direct::Load,
    engine::{Engine, VoiceOut},
    tables::PersonSlot,
};
use crate::{
    types::{ClientId, DropReason, FrameLength, Instant, PathId, Target},
    wire::{
        Channel, Voice, VoiceHeader,
        limits::{MAX_CHANNELS, MAX_PACKET_BYTES, MAX_PAYLOAD_BYTES},
    },
};

const TO_SERVER: u16 = 0;
const TO_PATH: u16 = 1;

/// What is remembered of a sequence number is never further behind than this, so that it isn't taken for one to come.
const LONGEST_MEMORY: u16 = 1 << 14;

impl VoiceOut {
    fn count(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
        for remembered in [&mut self.moved_at, &mut self.audience_from] {
            let behind = self.sequence.wrapping_sub(*remembered);
            if (LONGEST_MEMORY..=u16::MAX / 2).contains(&behind) {
                *remembered = self.sequence.wrapping_sub(LONGEST_MEMORY);
            }
        }
    }
}

impl Engine<'_> {
    pub(super) fn send_frame(&mut self, now: Instant, payload: &[u8]) -> Result<(), SendError> {
        if payload.is_empty() {
            return Err(SendError::Empty);
        }
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(SendError::TooLong);
        }
        let channels = self.may_speak().inspect_err(|_| self.s.voice.talking = false)?;
        self.s.adapt(|adaptation| adaptation.handle_frame(now));
        self.advance_media_time(now);
        let mark = !self.s.voice.talking;
        self.s.voice.talking = true;
        self.send_voice(now, (mark, false), &channels, payload)
    }

    pub(super) fn end_talkspurt(&mut self, now: Instant) {
        if !self.s.voice.talking {
            return;
        }
        self.s.voice.talking = false;
        if let Ok(channels) = self.may_speak() {
            self.end_media_time(now);
            // Full: the listeners find out by silence.
            _ = self.send_voice(now, (false, true), &channels, &[]);
        }
    }

    /// Frames are of this length from the next one on, which begins anew.
    pub(super) fn set_frame_length(&mut self, length: FrameLength) {
        if self.s.voice.frame_length != length {
            self.s.voice.frame_length = length;
            self.s.voice.talking = false;
        }
    }

    /// Ends a talkspurt at once, as muting does.
    pub(super) fn stop_talking(&mut self) {
        let now = self.s.now;
        if !self.s.voice.talking {
            return;
        }
        self.s.voice.talking = false;
        let channels = self.open_channels();
        if self.s.is_joined() && !channels.is_empty() {
            self.end_media_time(now);
            _ = self.send_voice(now, (false, true), &channels, &[]);
        }
    }

    fn may_speak(&self) -> Result<Vec<Channel, MAX_CHANNELS>, SendError> {
        if !self.s.is_joined() {
            return Err(SendError::NotConnected);
        }
        if self.s.declared.flags.muted || self.s.server_muted {
            return Err(SendError::Muted);
        }
        let channels = self.open_channels();
        if channels.is_empty() {
            return Err(SendError::NoChannel);
        }
        if self.s.voice.unheard {
            return Err(SendError::NobodyHears);
        }
        Ok(channels)
    }

    /// +1 for each frame length that has passed; nearest, since the audio clock is not exact.
    fn advance_media_time(&mut self, now: Instant) {
        let frame = self.s.voice.frame_length.us();
        let passed = match self.s.voice.last_at {
            None => 1,
            Some(last) => now.as_us().saturating_sub(last.as_us()).saturating_add(frame / 2) / frame,
        };
        let [low, ..] = passed.max(1).to_le_bytes();
        self.s.voice.media_time = self.s.voice.media_time.wrapping_add(low);
        self.s.voice.last_at = Some(now);
    }

    /// An end may follow its last frame at once, and takes a frame length of media time all the same.
    fn end_media_time(&mut self, now: Instant) {
        let ended = self.s.voice.last_at.map(|last| last.after(self.s.voice.frame_length.span()));
        self.advance_media_time(now);
        self.s.voice.last_at = self.s.voice.last_at.max(ended);
    }

    fn send_voice(
        &mut self,
        now: Instant,
        (mark, end): (bool, bool),
        channels: &[Channel],
        payload: &[u8],
    ) -> Result<(), SendError> {
        let Some(seat) = self.s.seat else { return Err(SendError::NotConnected) };
        self.note_voice(now, true);
        self.s.voice.count();
        let header = VoiceHeader {
            mark,
            end,
            tag: seat.session.tag(),
            speaker: seat.id,
            sequence: self.s.voice.sequence,
            media_time: self.s.voice.media_time,
            frame_length: self.s.voice.frame_length,
        };
        if self.s.links.poll_timeout().is_none() {
            return self.queue_voice((TO_SERVER, 0), &header, channels, None, payload);
        }
        self.send_split(now, seat.id, &header, channels, payload)
    }

    fn send_split(
        &mut self,
        now: Instant,
        me: ClientId,
        header: &VoiceHeader,
        channels: &[Channel],
        payload: &[u8],
    ) -> Result<(), SendError> {
        let roster = &*self.t.roster;
        let others = roster.iter().filter(|person| person.id != me.get());
        let known = others.filter(|person| reach(person, channels) != 0).count();
        // Whom the roster doesn't know may be listening as well.
        let listeners = if self.s.strangers { usize::MAX } else { known };
        let load = Load {
            sequence: header.sequence,
            packet_bytes: payload.len() + 8 + 4 * channels.len(),
            frame_length: self.s.voice.frame_length,
            uplink: self.s.config.uplink_bits_per_second,
            listeners,
        };
        let displaced = self.s.displaced;
        let mut direct = super::direct::Direct { peers: self.t.peers, links: &mut self.s.links };
        let split = direct.split(now, load, |client| {
            super::roster::find(roster, displaced, client)
                .and_then(|at| roster.get(at))
                .map_or(0, |person| reach(person, channels))
        });
        if !split.listed.is_empty() {
            self.retain(header, channels, payload);
        }
        for (PathId(path), keep) in &split.direct {
            let kept: Vec<Channel, MAX_CHANNELS> =
                (0..).zip(channels).filter(|(bit, _)| keep >> bit & 1 != 0).map(|(_, channel)| *channel).collect();
            _ = self.queue_voice((TO_PATH, *path), header, &kept, None, payload);
        }
        if !split.relay && !split.direct.is_empty() {
            return Ok(());
        }
        let relay = (!split.listed.is_empty()).then_some((false, split.listed.as_slice()));
        self.queue_voice((TO_SERVER, 0), header, channels, relay, payload)
    }

    fn queue_voice(
        &mut self,
        (route, path): (u16, u32),
        header: &VoiceHeader,
        channels: &[Channel],
        relay: Option<(bool, &[ClientId])>,
        payload: &[u8],
    ) -> Result<(), SendError> {
        let mut head = [0; 8 + 4 * MAX_CHANNELS + 1 + 64];
        let len = header.write(&mut head, channels, relay).ok_or(SendError::NoChannel)?;
        let head = head.get(..len).unwrap_or_default();
        if len + payload.len() > MAX_PACKET_BYTES {
            return Err(SendError::TooLong);
        }
        self.s.pending = true;
        let mut ring = self.s.voice.ring.over(self.t.voice);
        let parts: [&[u8]; 3] = [&path.to_be_bytes(), head, payload];
        // Old sound is worth less than new: the oldest makes room.
        while ring.push(route, &parts).is_err() {
            if ring.is_empty() {
                return Err(SendError::QueueFull);
            }
            ring.pop();
            self.s.drops.add(DropReason::TableFull);
        }
        Ok(())
    }

    /// Writes the next voice packet; gives its length and its path, if it goes to one.
    pub(super) fn write_voice(&mut self, out: &mut [u8]) -> Option<(usize, Option<PathId>)> {
        let mut ring = self.s.voice.ring.over(self.t.voice);
        let (route, record) = ring.front()?;
        let (path, packet) = record.split_first_chunk::<4>()?;
        out.get_mut(..packet.len())?.copy_from_slice(packet);
        let path = (route == TO_PATH).then_some(PathId(u32::from_be_bytes(*path)));
        let len = packet.len();
        ring.pop();
        Some((len, path))
    }

    /// A packet that a path couldn't take goes to its receiver over the server.
    pub(super) fn relay_unsent(&mut self, now: Instant, path: PathId, packet: &[u8]) {
        let Ok(voice) = Voice::decode(packet) else { return };
        if self.s.seat.is_none_or(|seat| seat.session.tag() != voice.header.tag) {
            return;
        }
        let client = self.direct().handle_unsent(now, path, voice.header.sequence);
        if let Some(client) = client {
            self.relay(&voice, &[client]);
        }
        self.relay_overdue(now);
    }

    /// What paths alone were given and didn't acknowledge goes to its receivers over the server.
    pub(super) fn relay_overdue(&mut self, now: Instant) {
        while let Some((sequence, clients)) = self.direct().poll_overdue(now) {
            let mut packet = [0; MAX_PACKET_BYTES];
            let Some(len) = self.recall(sequence, &mut packet) else { continue };
            if let Ok(voice) = Voice::decode(packet.get(..len).unwrap_or_default()) {
                self.relay(&voice, &clients);
            }
        }
    }

    fn relay(&mut self, voice: &Voice<'_>, only: &[ClientId]) {
        if self.s.is_joined() {
            let channels: Vec<Channel, MAX_CHANNELS> = voice.channels.iter().collect();
            _ = self.queue_voice((TO_SERVER, 0), &voice.header, &channels, Some((true, only)), voice.payload);
        }
    }

    /// Keeps a packet that goes to paths alone; the oldest make room.
    fn retain(&mut self, header: &VoiceHeader, channels: &[Channel], payload: &[u8]) {
        let mut head = [0; 8 + 4 * MAX_CHANNELS];
        let Some(len) = header.write(&mut head, channels, None) else { return };
        let parts = [head.get(..len).unwrap_or_default(), payload];
        let mut ring = self.s.voice.retained.over(self.t.retained);
        while ring.push(header.sequence, &parts).is_err() && !ring.is_empty() {
            ring.pop();
        }
    }

    fn recall(&mut self, sequence: u16, out: &mut [u8]) -> Option<usize> {
        let ring = self.s.voice.retained.over(self.t.retained);
        let packet = ring.find(sequence)?;
        out.get_mut(..packet.len())?.copy_from_slice(packet);
        Some(packet.len())
    }
}

/// By which channels (bit i: channel i) a person is reached, as its record says.
fn reach(person: &PersonSlot, channels: &[Channel]) -> u8 {
    if person.id == 0 || person.flags.deafened || person.flags.reconnecting {
        return 0;
    }
    let mut reached = 0;
    for (bit, channel) in channels.iter().enumerate() {
        let reaches = match channel.target {
            Target::Room(room) => person.rooms.contains(&room),
            Target::Client(client) => client.get() == person.id,
        };
        if reaches {
            reached |= 1 << bit;
        }
    }
    reached
}
