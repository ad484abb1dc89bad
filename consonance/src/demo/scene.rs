//! What people do and notice while the simulator runs: it joins the stage to the protocol.

use std::{collections::BTreeMap, time::Duration};

use adapter_sim::{
    net::PacketBytes,
    world::{HeapClient, People, PersonId},
};
use voice_core::{ClientEvent, ClientId, Instant, Message, ServerEvent, State, StateReason, wire::Voice};

use super::{
    proof::{SEEN_BACK, SEEN_RECONNECTING},
    record::{Mark, Note, Way},
    script::{CAST, Who},
    stage::{Stage, Tick},
};

/// The same news from several people within this time is one note, µs.
const SAME_NEWS_US: u64 = 3_000_000;

/// The stage, and who the ids of the protocol are.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    ids: BTreeMap<ClientId, Who>,
}

impl Scene {
    pub(crate) fn new(stage: Stage) -> Self {
        Self { stage, ids: BTreeMap::new() }
    }

    /// The person that has, or last had, an id.
    fn who(&self, id: ClientId) -> Option<Who> {
        self.ids.get(&id).copied()
    }

    /// Writes down what others noticed of a person, once.
    fn noticed(&mut self, now: u64, id: ClientId, what: &str) {
        let Some(who) = self.who(id) else { return };
        let is_known = |note: &Note| note.who == Some(who) && note.what == what && note.at + SAME_NEWS_US > now;
        if !self.stage.record.notes.iter().any(is_known) {
            self.stage.record.note(now, Some(who), Mark::Noticed, what);
        }
    }

    fn state_changed(&mut self, now: u64, who: Who, state: State, client: &HeapClient) {
        let (mark, what) = match (state, client.state_reason()) {
            (State::Connected, StateReason::Resumed) => (Mark::Noticed, "is connected again, in the seat of before"),
            (State::Connected, StateReason::HeardAgain) => (Mark::Noticed, "hears the server again"),
            (State::Connected, _) => (Mark::Noticed, "has joined"),
            (State::Degraded, _) => (Mark::Trouble, "hears nothing from the server"),
            (State::Reconnecting, _) => (Mark::Trouble, "gives the connection up and tries anew"),
            _ => return,
        };
        if let (State::Connected, Some(id)) = (state, client.id()) {
            self.ids.insert(id, who);
        }
        self.stage.record.note(now, Some(who), mark, what);
    }

    fn text_received(&mut self, now: u64, reader: Who, client: &mut HeapClient) {
        while let Some(message) = client.take_message() {
            if let Message::Text { from, text, .. } = message {
                let writer = self.who(from);
                self.stage.read(now, reader, writer, text);
            }
        }
    }

    fn direct_changed(&mut self, now: u64, who: Who, other: ClientId, up: bool) {
        let Some(other) = self.who(other) else { return };
        let (mark, is) = if up { (Mark::Noticed, "works") } else { (Mark::Trouble, "is given up") };
        self.stage.record.note(now, Some(who), mark, format!("direct path to {} {is}", CAST[other].name));
    }
}

impl People for Scene {
    fn speak(&mut self, now: u64, person: PersonId) -> Option<Vec<u8>> {
        self.stage.speak(now, person.into())
    }

    fn listen(
        &mut self,
        now: u64,
        local: Instant,
        listener: PersonId,
        tick: Duration,
        client: &mut HeapClient,
    ) -> bool {
        let who = listener.into();
        // The frame of this tick has been sent, so that the next is the first of the new length.
        if let Some(length) = self.stage.follow_advice(who) {
            client.set_frame_length(local, length);
        }
        self.stage.listen(Tick { now, local, length: tick }, who, client, &self.ids);
        true
    }

    fn event(&mut self, now: u64, person: PersonId, event: &ClientEvent, client: &mut HeapClient) {
        let who = person.into();
        match *event {
            ClientEvent::StateChanged(state) => self.state_changed(now, who, state, client),
            ClientEvent::Reconnecting(id) => self.noticed(now, id, SEEN_RECONNECTING),
            ClientEvent::Resumed(id) => self.noticed(now, id, SEEN_BACK),
            ClientEvent::TextReceived => self.text_received(now, who, client),
            ClientEvent::AdviceChanged => self.stage.advise(now, who, client.encoder_advice()),
            ClientEvent::DirectUp(id) => self.direct_changed(now, who, id, true),
            ClientEvent::DirectDown(id) => self.direct_changed(now, who, id, false),
            _ => {}
        }
    }

    fn server_event(&mut self, now: u64, event: &ServerEvent) {
        if let ServerEvent::Left { id, .. } = *event {
            self.noticed(now, id, "has left");
        }
    }

    fn sent(&mut self, _now: u64, by: Option<PersonId>, _direct: bool, bytes: &[u8]) {
        if let (Some(who), Ok(voice)) = (by, Voice::decode(bytes)) {
            self.stage.record.sent(who.into(), voice.header.sequence, voice.payload);
        }
    }

    fn arrived(&mut self, now: u64, at: PersonId, direct: bool, bytes: &PacketBytes) {
        let Ok(voice) = Voice::decode(bytes) else { return };
        let Some(speaker) = self.who(voice.header.speaker) else { return };
        let way = if direct { Way::Direct } else { Way::Relay };
        let pair = [at.into(), speaker];
        self.stage.record.arrived(now, pair, way, voice.header.sequence, voice.payload);
    }
}
