//! Whom this person knows of: what happens to them, in words.

use std::collections::{BTreeMap, BTreeSet};

use voice_core::{Client, ClientEvent, ClientId, ClientMemory};

use crate::printable::Printable;

#[derive(Default)]
pub(super) struct People {
    /// Those who have left, too: what was heard of them is named after them.
    names: BTreeMap<ClientId, String>,
    there: BTreeSet<ClientId>,
    /// Heard before anything was known of them: voice is faster than the lane.
    heard: BTreeSet<ClientId>,
    /// How many events the core had no room for.
    events_dropped: u64,
}

impl People {
    pub(super) fn name_of(&self, id: ClientId) -> Option<&str> {
        self.names.get(&id).map(String::as_str)
    }

    /// What is to be said of an event; `name_of` knows those who are there.
    pub(super) fn on_event<'n>(
        &mut self,
        event: ClientEvent,
        name_of: impl Fn(ClientId) -> Option<&'n str>,
    ) -> Vec<String> {
        match event {
            ClientEvent::Joined(id) | ClientEvent::Changed(id) => {
                name_of(id).map_or(Vec::new(), |name| self.on_record(id, name))
            }
            ClientEvent::Left(id) => self.on_gone(id),
            ClientEvent::Reconnecting(id) => self.say(id, "is reconnecting"),
            ClientEvent::Resumed(id) => self.say(id, "is back"),
            ClientEvent::StartedSpeaking(id) if self.there.contains(&id) => self.say(id, "speaks"),
            ClientEvent::StartedSpeaking(id) => {
                self.heard.insert(id);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// What is to be said of those of whom more happened at once than the core has room to tell, as when a crowd is met: the roster knows of all.
    pub(super) fn catch_up<M: ClientMemory>(&mut self, core: &Client<M>) -> Vec<String> {
        let dropped = core.counters().events_dropped;
        let Some(me) = core.id().filter(|_| dropped != self.events_dropped) else { return Vec::new() };
        self.events_dropped = dropped;
        let gone: Vec<ClientId> = self.there.iter().copied().filter(|id| core.person(*id).is_none()).collect();
        let mut said: Vec<String> = gone.into_iter().flat_map(|id| self.on_gone(id)).collect();
        for person in core.roster().filter(|person| person.id() != me) {
            said.extend(self.on_record(person.id(), person.name()));
        }
        said
    }

    fn on_gone(&mut self, id: ClientId) -> Vec<String> {
        self.there.remove(&id);
        self.heard.remove(&id);
        self.say(id, "has left")
    }

    fn on_record(&mut self, id: ClientId, name: &str) -> Vec<String> {
        let other = self.names.insert(id, name.to_owned()).is_some_and(|before| before != name);
        let mut said = Vec::new();
        if self.there.insert(id) || other {
            said.extend(self.say(id, "is there"));
        }
        if self.heard.remove(&id) {
            said.extend(self.say(id, "speaks"));
        }
        said
    }

    /// Nothing of somebody whose name never came.
    fn say(&self, id: ClientId, what: &str) -> Vec<String> {
        self.name_of(id).map(|name| format!("{} {what}", Printable(name))).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use voice_core::{
        ClientConfig, CodecSettings, Delivery, Instant, Priority, RoomId, Secret, SessionId, Source, State,
        client_storage_vec,
        wire::{Lane, Packet, PersonFlags, RosterWriter, VERSION, Welcome},
    };

    use super::*;

    /// A client that was let in and told of people in one room, all in one go.
    fn told_of(people: u16) -> Client<impl ClientMemory> {
        let (now, session) = (Instant::from_us(0), SessionId::new(9).unwrap());
        let me = ClientId::new(people + 1).unwrap();
        let mut core = Client::new(ClientConfig::new("I").unwrap(), 1, client_storage_vec!(people: 99, speakers: 1));
        core.connect(now);
        core.handle_connected(now);
        let (mut packet, mut page) = ([0; 1_200], [0; 1_200]);
        let len = core.poll_transmit(now, &mut packet).unwrap().len;
        let Ok(Packet::Hello(hello)) = Packet::decode(&packet[..len]) else { panic!("a Hello") };
        let (nonce, secret) = (hello.nonce, Secret::from_bytes([1; 16]));
        let (resumed, grace_s, max_rooms) = (false, 30, 32);
        let welcome =
            Welcome { session, nonce, version: VERSION, features: 0, client: me, resumed, secret, grace_s, max_rooms };
        let len = Packet::Welcome(welcome).encode(&mut packet).unwrap();
        core.handle_packet(now, Source::Server, Delivery::Reliable, &packet[..len]);
        let mut writer = RosterWriter::new(&mut page);
        let (flags, codec, room) = (PersonFlags::default(), CodecSettings::DEFAULT, RoomId::new(3).unwrap());
        for id in 1..=people {
            let (id, name) = (ClientId::new(id).unwrap(), format!("p{id}"));
            assert!(writer.push_present(id, flags, &codec, Priority::Default, &name, [room].into_iter()));
        }
        let len = writer.finish(Lane { session, number: 1 }, true, true).unwrap();
        core.handle_packet(now, Source::Server, Delivery::Reliable, &page[..len]);
        core
    }

    #[test]
    fn a_crowd_that_comes_in_one_packet_is_announced_to_the_last_and_each_once() {
        let mut core = told_of(60);
        let (mut people, mut said, mut connected) = (People::default(), BTreeMap::new(), false);
        let mut note = |lines: Vec<String>| lines.into_iter().for_each(|line| *said.entry(line).or_insert(0) += 1);
        while let Some(event) = core.poll_event() {
            connected |= event == ClientEvent::StateChanged(State::Connected);
            note(people.on_event(event, |id| Some(core.person(id)?.name())));
        }
        note(people.catch_up(&core));
        note(people.catch_up(&core));
        assert!(connected);
        let wanted: BTreeMap<String, i32> = (1..=60).map(|id| (format!("p{id} is there"), 1)).collect();
        assert_eq!(said, wanted);
    }

    #[test]
    fn somebody_who_is_heard_before_they_are_known_speaks_when_they_are() {
        let (scout, medic) = (ClientId::new(1).unwrap(), ClientId::new(2).unwrap());
        let mut people = People::default();
        let known = |id: ClientId| (id == scout).then_some("Scout");
        let events = [
            (ClientEvent::StartedSpeaking(scout), &[][..]),
            (ClientEvent::StoppedSpeaking(scout), &[]),
            (ClientEvent::StartedSpeaking(medic), &[]),
            (ClientEvent::Joined(scout), &["Scout is there", "Scout speaks"]),
            (ClientEvent::Changed(scout), &[]),
            (ClientEvent::StartedSpeaking(scout), &["Scout speaks"]),
            // Nobody ever says who that was.
            (ClientEvent::Left(medic), &[]),
            (ClientEvent::Left(scout), &["Scout has left"]),
            (ClientEvent::Joined(scout), &["Scout is there"]),
        ];
        for (event, wanted) in events {
            assert_eq!(people.on_event(event, known), wanted, "{event:?}");
        }
        assert_eq!(people.on_event(ClientEvent::Changed(scout), |_| Some("S\u{1b}")), ["S\\u{1b} is there"]);
        assert_eq!((people.name_of(scout), people.name_of(medic)), (Some("S\u{1b}"), None));
    }
}
