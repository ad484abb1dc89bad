//! Whom this person knows of: what happens to them, in words.

use std::collections::{BTreeMap, BTreeSet};

use voice_core::{ClientEvent, ClientId};

use crate::printable::Printable;

#[derive(Default)]
pub(super) struct People {
    /// Those who have left, too: what was heard of them is named after them.
    names: BTreeMap<ClientId, String>,
    there: BTreeSet<ClientId>,
    /// Heard before anything was known of them: voice is faster than the lane.
    heard: BTreeSet<ClientId>,
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
            ClientEvent::Left(id) => {
                self.there.remove(&id);
                self.heard.remove(&id);
                self.say(id, "has left")
            }
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
    use super::*;

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
