//! The state that the page shows: looked at twenty times a second, told when it has changed.

use std::time::Duration;

use voice_audio::Activation;
use voice_core::{Client, ClientId, ClientMemory, Instant, Person, Priority, State, StateReason, Target};

use crate::{
    arrivals::Arrivals,
    ears::Ears,
    json::Json,
    lines::Lines,
    mouth::Mouth,
    unheard::{Facts, Unheard},
    words,
};

/// State is told at most so often.
const EVERY: Duration = Duration::from_millis(50);

/// What a snapshot is made of.
pub(crate) struct Scene<'a, M> {
    pub(crate) client: &'a Client<M>,
    pub(crate) mouth: &'a Mouth,
    pub(crate) ears: &'a Ears,
    pub(crate) lines: &'a Lines,
    pub(crate) arrivals: &'a Arrivals,
    /// Those whose talkspurts come in.
    pub(crate) speaking: &'a [ClientId],
    pub(crate) name: &'a str,
    pub(crate) priority: Priority,
    pub(crate) sending: bool,
}

/// What may change of this person without an event.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Me {
    status: State,
    reason: StateReason,
    id: Option<ClientId>,
    speaking: bool,
    muted: bool,
    deafened: bool,
    server_muted: bool,
    nobody_hears: bool,
    priority: Priority,
    activation: Activation,
    threshold_dbfs: f32,
}

/// The same of somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Other {
    id: ClientId,
    speaking: bool,
    audible: bool,
    whispering: bool,
    muted_here: bool,
    volume: u8,
    unheard: Option<Unheard>,
}

/// The last state told, as far as it must be compared.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    me: Option<Me>,
    others: Vec<Other>,
    /// As they are now; taken over when told.
    seen: Vec<Other>,
    /// Names, rooms, or people changed.
    changed: bool,
    due: Instant,
    json: Json,
}

impl Snapshot {
    /// Something changed that isn't compared.
    pub(crate) const fn touch(&mut self) {
        self.changed = true;
    }

    /// Looks whether there is something to tell, if it is time to.
    pub(crate) fn look<M: ClientMemory>(&mut self, now: Instant, scene: &Scene<'_, M>) -> bool {
        if now < self.due {
            return false;
        }
        self.due = now.after(EVERY);
        let me = scene.me();
        self.seen.clear();
        self.seen.extend(scene.others().map(|person| scene.look_at(&person)));
        self.seen.sort_unstable_by_key(|other| other.id);
        let differs = self.me != Some(me) || self.seen != self.others;
        self.me = Some(me);
        std::mem::swap(&mut self.seen, &mut self.others);
        std::mem::take(&mut self.changed) || differs
    }

    /// Writes what was looked at last.
    pub(crate) fn write<M: ClientMemory>(&mut self, scene: &Scene<'_, M>) -> &str {
        let Self { me, others, json, .. } = self;
        json.clear();
        json.object(|json| {
            json.key("kind").string("state");
            if let Some(me) = me {
                json.key("status").string(words::status(me.status));
                json.key("reason").string(words::reason(me.reason));
                json.key("me").object(|json| me.write(scene, json));
            }
            json.key("rooms").array(|json| scene.write_rooms(json));
            json.key("people").array(|json| {
                for other in others {
                    if let Some(person) = scene.client.person(other.id) {
                        json.object(|json| other.write(&person, json));
                    }
                }
            });
        });
        self.json.as_str()
    }
}

impl<M: ClientMemory> Scene<'_, M> {
    fn me(&self) -> Me {
        let flags = self.client.flags();
        Me {
            status: self.client.state(),
            reason: self.client.state_reason(),
            id: self.client.id(),
            speaking: self.sending,
            muted: flags.muted,
            deafened: flags.deafened,
            server_muted: self.client.is_server_muted(),
            nobody_hears: self.client.is_unheard(),
            priority: self.priority,
            activation: self.mouth.activation(),
            threshold_dbfs: self.mouth.threshold_dbfs(),
        }
    }

    /// Nobody without a seat: what the roster has then is of a session that is over.
    fn others(&self) -> impl Iterator<Item = Person<'_>> {
        let me = self.client.id();
        self.client.roster().filter(move |person| me.is_some_and(|me| me != person.id()))
    }

    fn look_at(&self, person: &Person<'_>) -> Other {
        let id = person.id();
        let speaking = self.speaking.contains(&id);
        let audible = self.ears.is_audible(id);
        Other {
            id,
            speaking,
            audible,
            whispering: speaking && self.is_whispering(id),
            muted_here: person.is_muted_here(),
            volume: person.volume().percent(),
            unheard: self.facts(person, speaking, audible).unheard(),
        }
    }

    fn facts(&self, person: &Person<'_>, speaking: bool, audible: bool) -> Facts {
        let (id, flags) = (person.id(), person.flags());
        let fared = self.ears.fared(id);
        let local = u16::from(person.volume().percent());
        Facts {
            connected: matches!(self.client.state(), State::Connected | State::Degraded),
            deafened: self.client.flags().deafened,
            muted_here: person.is_muted_here(),
            reconnecting: flags.reconnecting,
            server_muted: flags.server_muted,
            muted: flags.muted,
            volume_percent: fared.map_or(local, |fared| fared.volume_percent),
            too_far: self.ears.is_too_far(id),
            no_voice_free: fared.is_some_and(|fared| fared.refused),
            outranked: fared.is_some_and(|fared| fared.outranked),
            trouble: self.arrivals.trouble(id),
            shares_a_room: self.lines.ids(self.client).any(|room| person.rooms().contains(&room)),
            speaking,
            audible,
        }
    }

    fn is_whispering(&self, id: ClientId) -> bool {
        self.client.heard_channels(id).iter().any(|(target, _)| matches!(target, Target::Client(_)))
    }

    fn write_rooms(&self, json: &mut Json) {
        for room in self.lines.rooms() {
            json.object(|json| {
                json.key("handle").number(room.number);
                json.key("name").string(&room.name);
                json.key("id").optional(self.client.room_id(room.handle), Json::number);
                json.key("talking").bool(room.talking);
            });
        }
    }
}

impl Me {
    fn write<M>(&self, scene: &Scene<'_, M>, json: &mut Json) {
        json.key("id").optional(self.id, Json::number);
        json.key("name").string(scene.name);
        json.key("speaking").bool(self.speaking);
        json.key("muted").bool(self.muted);
        json.key("deafened").bool(self.deafened);
        json.key("serverMuted").bool(self.server_muted);
        json.key("nobodyHears").bool(self.nobody_hears);
        json.key("priority").string(words::priority(self.priority));
        json.key("activation").string(match self.activation {
            Activation::PushToTalk => "push",
            Activation::Voice => "voice",
            Activation::Open => "open",
        });
        json.key("threshold").number(self.threshold_dbfs);
        json.key("whisperingTo").array(|json| scene.lines.whispers().for_each(|id| json.number(id)));
    }
}

impl Other {
    fn write(&self, person: &Person<'_>, json: &mut Json) {
        let flags = person.flags();
        json.key("id").number(self.id);
        json.key("name").string(person.name());
        json.key("rooms").array(|json| person.rooms().iter().for_each(|room| json.number(room)));
        json.key("speaking").bool(self.speaking);
        json.key("audible").bool(self.audible);
        json.key("muted").bool(flags.muted);
        json.key("deafened").bool(flags.deafened);
        json.key("serverMuted").bool(flags.server_muted);
        json.key("reconnecting").bool(flags.reconnecting);
        json.key("mutedHere").bool(self.muted_here);
        json.key("volume").number(self.volume);
        json.key("whispering").bool(self.whispering);
        json.key("unheard").optional(self.unheard.map(Unheard::name), Json::string);
    }
}
