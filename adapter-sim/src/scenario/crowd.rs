//! What people do and notice, and what the checkers make of it.

use std::collections::BTreeMap;

use arrayvec::ArrayVec;
use voice_core::{
    ChannelHandle, ClientEvent, ClientId, Delivery, Frame, Message, RoomHandle, RoomId, SessionId, Sound, State,
    StateReason, Target, wire::Voice,
};

use crate::{
    check::{AudienceChecker, LaneChecker, LimitChecker, OrderChecker, RecoveryChecker, Violations},
    net::PacketBytes,
    stamp::{Audience, Stamp, StampReader},
    truth::Truth,
    world::{HeapClient, People, PersonId},
};

/// Bytes of every frame: as Opus makes them at 24 kbit/s.
pub(super) const PAYLOAD_BYTES: usize = 60;

/// A room that somebody uses.
#[derive(Debug, Clone, Copy)]
pub(super) struct UsedRoom {
    pub(super) number: u16,
    pub(super) handle: RoomHandle,
    /// Its number on the wire, as last granted.
    pub(super) id: Option<RoomId>,
}

/// What one person does.
#[derive(Debug, Clone, Default)]
pub(super) struct Doer {
    pub(super) rooms: Vec<UsedRoom>,
    pub(super) channels: ArrayVec<(Audience, ChannelHandle), 8>,
    pub(super) speaking: bool,
    pub(super) texts: u32,
    frames: u32,
    /// Frames since recovery is judged.
    pub(super) counted: u32,
    /// By which voice packets of its session are known.
    tag: Option<u16>,
}

impl Doer {
    pub(super) fn room(&self, number: u16) -> Option<UsedRoom> {
        self.rooms.iter().find(|room| room.number == number).copied()
    }

    /// Forgets everything but what was counted: its process has ended.
    pub(super) fn forget(&mut self) {
        self.rooms.clear();
        self.channels.clear();
        self.speaking = false;
        self.tag = None;
    }
}

/// All people, and the judges.
pub(super) struct Crowd {
    pub(super) doers: Vec<Doer>,
    /// The person of a client id in a session, as it told itself.
    person_of: BTreeMap<(u16, ClientId), PersonId>,
    pub(super) counting: bool,
    /// Damaged datagrams reach the cores: what a bit more or less does to a payload is not theirs to notice.
    pub(super) damage: bool,
    /// Whether the ticks of those who only listen may wait. It comes to the same, sooner.
    pub(super) patient: bool,
    pub(super) truth: Truth,
    stamps: StampReader,
    audience: AudienceChecker,
    order: OrderChecker,
    limits: LimitChecker,
    /// By person: the lane to the server.
    lanes: LaneChecker,
    pub(super) recovery: RecoveryChecker,
    pub(super) violations: Violations,
    pub(super) deliveries: u64,
    pub(super) texts_read: u64,
}

impl Crowd {
    pub(super) fn new(people: usize) -> Self {
        Self {
            doers: vec![Doer::default(); people],
            person_of: BTreeMap::new(),
            counting: false,
            damage: false,
            patient: true,
            truth: Truth::default(),
            stamps: StampReader::default(),
            audience: AudienceChecker,
            order: OrderChecker::default(),
            limits: LimitChecker,
            lanes: LaneChecker::default(),
            recovery: RecoveryChecker::default(),
            violations: Violations::default(),
            deliveries: 0,
            texts_read: 0,
        }
    }

    /// The text that a person writes next: it tells who wrote it, the how manieth it is, and to whom.
    pub(super) fn next_text(&mut self, person: PersonId, to: Audience) -> String {
        let doer = &mut self.doers[usize::from(person)];
        doer.texts += 1;
        let (kind, number) = match to {
            Audience::Room(number) => ("room", number),
            Audience::Person(number) => ("person", number),
        };
        let serial = doer.texts;
        // Some are longer than a packet.
        let filler = "é".repeat((serial as usize * 97) % 900);
        format!("{person} {serial} {kind} {number} {filler}")
    }

    fn fresh_seat(&mut self, now: u64, person: PersonId, same_session: bool) {
        // Nobody's mutes of a person outlive its id. Its own hold as long as the others have theirs.
        for other in 0..self.doers.len() as PersonId {
            self.truth.set_blocks(now, other, person, false);
            if !same_session {
                self.truth.set_blocks(now, person, other, false);
            }
        }
        self.truth.set_server_silenced(now, person, false);
    }

    fn read(&mut self, now: u64, reader: PersonId, from: ClientId, target: Target, text: &str) {
        self.texts_read += 1;
        let mut words = text.split(' ');
        let mut number = || words.next().and_then(|word| word.parse::<u32>().ok());
        let (Some(sender), Some(serial)) = (number(), number()) else {
            return self.wrong_text(now, reader, format!("changed: '{text}'"));
        };
        let (kind, whom, filler) = (words.next(), words.next().and_then(|word| word.parse().ok()), words.next());
        let sender = sender as PersonId;
        let expected = "é".repeat((serial as usize * 97) % 900);
        let (Some(kind), Some(whom), true) = (kind, whom, filler == Some(&expected)) else {
            return self.wrong_text(now, reader, format!("{serial} of {sender} came changed"));
        };
        if self.known_as(reader, from) != Some(sender) {
            self.wrong_text(now, reader, format!("{serial} of {sender} is said to be from client {from}"));
        }
        let meant = match (kind, target) {
            ("person", Target::Client(_)) => whom == reader,
            // Who left the room a moment ago may still get it: its lane was under way.
            ("room", Target::Room(_)) => {
                self.truth.is_meant(reader, Audience::Room(whom), now.saturating_sub(60_000_000), now)
            }
            _ => false,
        };
        if !meant {
            self.wrong_text(now, reader, format!("{serial} of {sender} was for {kind} {whom}"));
        }
        self.order.read(now, reader, sender, serial, &mut self.violations);
    }

    /// The person that has an id in the session that another is in.
    fn known_as(&self, seen_by: PersonId, id: ClientId) -> Option<PersonId> {
        let tag = self.doers[usize::from(seen_by)].tag?;
        self.person_of.get(&(tag, id)).copied()
    }

    fn wrong_text(&mut self, now: u64, reader: PersonId, what: String) {
        self.violations.push("audience", now, format!("person {reader} read a text that was not so: {what}"));
    }

    /// The channels that a packet names, by the numbers of the scenario; those of rooms whose id isn't known are left out.
    fn named(&self, at: PersonId, voice: &Voice<'_>) -> ArrayVec<Audience, 8> {
        let doer = &self.doers[usize::from(at)];
        let channels = voice.channels.iter().filter_map(|channel| match channel.target {
            Target::Client(id) => self.known_as(at, id).map(Audience::Person),
            Target::Room(id) => {
                doer.rooms.iter().find(|room| room.id == Some(id)).map(|room| Audience::Room(room.number))
            }
        });
        channels.take(8).collect()
    }
}

impl People for Crowd {
    fn speak(&mut self, now: u64, person: PersonId) -> Option<Vec<u8>> {
        let doer = &mut self.doers[usize::from(person)];
        if !doer.speaking {
            return None;
        }
        doer.frames += 1;
        doer.counted += u32::from(self.counting);
        let audience = doer.channels.iter().map(|(audience, _)| *audience).collect();
        let stamp = Stamp { speaker: person, serial: doer.frames, spoken_at: now, audience };
        Some(stamp.to_payload(PAYLOAD_BYTES))
    }

    fn hear(&mut self, now: u64, listener: PersonId, speaker: ClientId, frame: &Frame<'_>) -> u32 {
        let Sound::Play(payload) = frame.sound else { return frame.length_us };
        let Some(stamp) = self.stamps.read(payload) else {
            if !self.damage {
                self.violations.push("order", now, format!("person {listener} heard a frame that nobody spoke"));
            }
            return frame.length_us;
        };
        self.deliveries += 1;
        self.audience.heard(now, listener, stamp, &[], &self.truth, &mut self.violations);
        self.order.heard(now, listener, speaker.get(), stamp, &mut self.violations);
        self.recovery.heard(listener, stamp);
        frame.length_us
    }

    fn quiet_until(&self, _now: u64, person: PersonId) -> u64 {
        let quiet = self.patient && !self.doers[usize::from(person)].speaking;
        if quiet { u64::MAX } else { 0 }
    }

    fn event(&mut self, now: u64, person: PersonId, event: &ClientEvent, client: &mut HeapClient) {
        let doer = &mut self.doers[usize::from(person)];
        match *event {
            ClientEvent::StateChanged(State::Connected) => {
                let before = std::mem::replace(&mut doer.tag, client.session().map(SessionId::tag));
                let same_session = before == doer.tag;
                if let (Some(tag), Some(id)) = (doer.tag, client.id()) {
                    self.person_of.insert((tag, id), person);
                }
                doer.rooms.iter_mut().for_each(|room| room.id = client.room_id(room.handle));
                if client.state_reason() == StateReason::Joined {
                    self.fresh_seat(now, person, same_session);
                }
            }
            ClientEvent::RoomGranted(handle) => {
                for room in doer.rooms.iter_mut().filter(|room| room.handle == handle) {
                    room.id = client.room_id(handle);
                }
            }
            ClientEvent::RoomClosed { room, .. } => {
                if let Some(at) = doer.rooms.iter().position(|used| used.handle == room) {
                    let number = doer.rooms.remove(at).number;
                    doer.channels.retain(|(audience, _)| *audience != Audience::Room(number));
                    self.truth.set_listens(now, person, number, false);
                }
            }
            ClientEvent::ChannelClosed(handle) => doer.channels.retain(|(_, channel)| *channel != handle),
            ClientEvent::TextReceived => {
                while let Some(message) = client.take_message() {
                    if let Message::Text { from, target, text } = message {
                        self.read(now, person, from, target, text);
                    }
                }
            }
            _ => {}
        }
    }

    fn arrived(&mut self, now: u64, at: PersonId, _direct: bool, bytes: &PacketBytes) {
        if bytes.first().is_none_or(|first| *first < 0x80) {
            self.lanes.came_back(at.into(), bytes);
            return;
        }
        let Some(stamp) = self.stamps.find(bytes) else { return };
        self.audience.reached(now, at, stamp, &self.truth, &mut self.violations);
        if stamp.audience.len() > 1
            && let Ok(voice) = Voice::decode(bytes)
            && self.doers[usize::from(at)].tag == Some(voice.header.tag)
        {
            let stamp = stamp.clone();
            let named = self.named(at, &voice);
            self.audience.named(now, at, &stamp, &named, &self.truth, &mut self.violations);
        }
    }

    fn sent(&mut self, now: u64, by: Option<PersonId>, _direct: bool, bytes: &[u8]) {
        if let Some(person) = by {
            self.lanes.sent(now, person.into(), bytes, &mut self.violations);
        }
        if bytes.is_empty() || bytes.len() > LimitChecker::PACKET {
            let by = by.map_or("the server".to_owned(), |person| format!("person {person}"));
            self.limits.sent(now, &by, bytes, &mut self.violations);
        }
    }

    fn lane_full(&mut self, now: u64, by: Option<PersonId>, delivery: Delivery) {
        if delivery == Delivery::Reliable {
            let by = by.map_or("the server".to_owned(), |person| format!("person {person}"));
            self.violations.push("limits", now, format!("{by} sent more on a lane than its window holds"));
        }
    }
}
