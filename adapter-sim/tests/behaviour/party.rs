//! People in a room called Lobby, on a local network, who are recorded.

use std::collections::BTreeMap;

use adapter_sim::{
    net::{PacketBytes, Preset},
    world::{HeapClient, HeapServer, People, PersonConfig, PersonId, World},
};
use voice_core::{
    ChannelHandle, ChannelOptions, ClientEvent, ClientId, Frame, Instant, Message, RoomHandle, RoomUse, ServerConfig,
    ServerEvent, Sound, TalkTo, Target,
};

const MS: u64 = 1_000;

/// What was heard of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) volume_percent: u16,
    pub(crate) positional: bool,
    pub(crate) audible: bool,
}

/// Everything that people do and notice.
#[derive(Default)]
pub(crate) struct Record {
    says: BTreeMap<PersonId, bool>,
    heard: BTreeMap<(PersonId, u8), Vec<Heard>>,
    pub(crate) events: BTreeMap<PersonId, Vec<ClientEvent>>,
    pub(crate) server_events: Vec<ServerEvent>,
    pub(crate) texts: BTreeMap<PersonId, Vec<(ClientId, Target, String)>>,
    pub(crate) rendezvous: BTreeMap<PersonId, Vec<(ClientId, Vec<u8>)>>,
    pub(crate) server_sent_bytes: u64,
    pub(crate) arrived_direct: BTreeMap<PersonId, u64>,
}

impl People for Record {
    fn speak(&mut self, _now: u64, person: PersonId) -> Option<Vec<u8>> {
        self.says.get(&person).copied().unwrap_or(false).then(|| vec![person as u8; 40])
    }

    fn hear(&mut self, _now: u64, listener: PersonId, _speaker: ClientId, frame: &Frame<'_>) -> u32 {
        let &Frame { sound, volume_percent, positional, audible, length_us, .. } = frame;
        if let Sound::Play(payload) = sound {
            let heard = Heard { volume_percent, positional, audible };
            self.heard.entry((listener, payload[0])).or_default().push(heard);
        }
        length_us
    }

    fn event(&mut self, _now: u64, person: PersonId, event: &ClientEvent, client: &mut HeapClient) {
        self.events.entry(person).or_default().push(*event);
        while let Some(message) = client.take_message() {
            match message {
                Message::Text { from, target, text } => {
                    self.texts.entry(person).or_default().push((from, target, text.into()));
                }
                Message::Rendezvous { from, bytes } => {
                    self.rendezvous.entry(person).or_default().push((from, bytes.into()));
                }
            }
        }
    }

    fn server_event(&mut self, _now: u64, event: &ServerEvent) {
        self.server_events.push(*event);
    }

    fn arrived(&mut self, _now: u64, at: PersonId, direct: bool, bytes: &PacketBytes) {
        if direct && bytes[0] >= 0x80 {
            *self.arrived_direct.entry(at).or_default() += 1;
        }
    }

    fn sent(&mut self, _now: u64, by: Option<PersonId>, _direct: bool, bytes: &[u8]) {
        if by.is_none() {
            self.server_sent_bytes += bytes.len() as u64;
        }
    }
}

/// A world and its record.
pub(crate) struct Party {
    pub(crate) world: World,
    pub(crate) record: Record,
    pub(crate) lobby: Vec<RoomHandle>,
    pub(crate) channel: Vec<ChannelHandle>,
}

impl Party {
    /// So many people who have joined, and listen and may speak to the Lobby.
    pub(crate) fn new(people: u16) -> Self {
        let mut party = Self::empty(ServerConfig::DEFAULT);
        (0..people).for_each(|_| _ = party.add(false));
        party.run(1_000);
        party
    }

    /// The same, with direct paths wherever they can be.
    pub(crate) fn direct(people: u16) -> Self {
        let mut party = Self::empty(ServerConfig::DEFAULT);
        (0..people).for_each(|_| _ = party.add(true));
        party.run(2_000);
        party
    }

    /// A server alone.
    pub(crate) fn empty(config: ServerConfig) -> Self {
        let mut world = World::new(1, 64, 8);
        world.set_server_config(config);
        world.start_server();
        Self { world, record: Record::default(), lobby: Vec::new(), channel: Vec::new() }
    }

    pub(crate) fn add(&mut self, direct: bool) -> PersonId {
        self.add_with(|config| config.direct = direct)
    }

    pub(crate) fn add_with(&mut self, change: impl FnOnce(&mut PersonConfig)) -> PersonId {
        let mut config = PersonConfig::new(&format!("person-{}", self.world.people()), &Preset::LAN);
        change(&mut config);
        let person = self.world.add_person(config);
        let (room, channel) = self.world.command(person, |now, client| {
            let room = client.use_room(now, "Lobby", RoomUse::Both).unwrap();
            (room, client.open_channel(now, TalkTo::Room(room), ChannelOptions::DEFAULT).unwrap())
        });
        self.lobby.push(room);
        self.channel.push(channel);
        self.world.connect(person);
        person
    }

    pub(crate) fn run(&mut self, ms: u64) {
        let until = self.world.now() + ms * MS;
        self.world.run_until(until, &mut self.record);
    }

    /// Lets these speak for half a second, and then what they said be heard.
    pub(crate) fn speak(&mut self, people: &[PersonId]) {
        self.record.heard.clear();
        self.record.says = people.iter().map(|person| (*person, true)).collect();
        self.run(500);
        self.record.says.clear();
        self.run(300);
    }

    /// What one heard of another since somebody last began to speak.
    pub(crate) fn heard(&self, listener: PersonId, speaker: PersonId) -> &[Heard] {
        self.record.heard.get(&(listener, speaker as u8)).map_or(&[], Vec::as_slice)
    }

    /// Whether nearly all of half a second was heard.
    pub(crate) fn hears(&self, listener: PersonId, speaker: PersonId) -> bool {
        let frames = self.heard(listener, speaker).len();
        assert!(frames == 0 || frames > 20, "{frames} frames: neither heard nor not");
        frames > 0
    }

    pub(crate) fn id(&self, person: PersonId) -> ClientId {
        self.world.client(person).id().unwrap()
    }

    pub(crate) fn events(&self, person: PersonId) -> &[ClientEvent] {
        self.record.events.get(&person).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn texts(&self, person: PersonId) -> Vec<&str> {
        let texts = self.record.texts.get(&person).map_or(&[][..], Vec::as_slice);
        texts.iter().map(|(_, _, text)| text.as_str()).collect()
    }

    pub(crate) fn command<R>(&mut self, person: PersonId, what: impl FnOnce(Instant, &mut HeapClient) -> R) -> R {
        self.world.command(person, what)
    }

    pub(crate) fn server<R>(&mut self, what: impl FnOnce(Instant, &mut HeapServer) -> R) -> R {
        self.world.server_command(what).expect("a server")
    }
}
