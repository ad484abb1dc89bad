//! The core's client and a transport, brought together, and what this person does.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use adapter_udp::{DownReason, Endpoint, Event, Fingerprint, LinkId, Trust};
use voice_core::{
    ChannelHandle, ChannelOptions, ChannelSlot, Client, ClientConfig, ClientEvent, ClientId, ClientStorage, Delivery,
    Message, PeerLink, PersonSlot, RoomHandle, RoomSlot, RoomUse, Source, SpeakerSlot, State, StateReason, TalkTo,
    client_storage_vec,
};

use super::mouth::Mouth;
use crate::{
    cli::JoinArgs,
    clock::Now,
    fail::Fail,
    home::KnownServers,
    serve::{TOO_MANY_TRIES, WRONG_PASSWORD},
};

type Core =
    Client<ClientStorage<Vec<PersonSlot>, Vec<RoomSlot>, Vec<ChannelSlot>, Vec<SpeakerSlot>, Vec<PeerLink>, Vec<u8>>>;

/// What this person wants.
pub(crate) struct Wishes {
    server: String,
    name: String,
    rooms: Vec<String>,
    password: Option<String>,
    fingerprint: Option<Fingerprint>,
    whisper: Option<String>,
    text: Option<String>,
}

impl Wishes {
    pub(crate) fn of(args: &JoinArgs) -> Result<Self, Fail> {
        let long = |what: &str, name: &str| {
            let fits = (1..=64).contains(&name.len());
            let fail =
                || Fail::new(format!("{what} '{name}': has {} bytes", name.len()), "choose one of 1 to 64 bytes");
            fits.then_some(()).ok_or_else(fail)
        };
        long("--name", &args.name)?;
        args.room.iter().try_for_each(|room| long("--room", room))?;
        if args.password.as_ref().is_some_and(|password| password.len() > 512) {
            return Err(Fail::new("--password: has more than 512 bytes", "no server has one that long"));
        }
        Ok(Self {
            server: args.server.clone(),
            name: args.name.clone(),
            rooms: args.room.clone(),
            password: args.password.clone(),
            fingerprint: args.fingerprint,
            whisper: args.whisper.clone(),
            text: args.text.clone(),
        })
    }
}

pub(crate) struct Participant {
    core: Core,
    transport: Endpoint,
    server: SocketAddr,
    known: KnownServers,
    wishes: Wishes,
    mouth: Mouth,
    rooms: Vec<RoomHandle>,
    channels: Vec<ChannelHandle>,
    names: BTreeMap<ClientId, String>,
    attempt: Option<u32>,
    link: Option<LinkId>,
    next_frame: Option<voice_core::Instant>,
    connected: bool,
    written: bool,
    /// What has to end it all.
    fatal: Option<Fail>,
    trouble: String,
}

impl Participant {
    pub(crate) fn new(
        transport: Endpoint,
        server: SocketAddr,
        known: KnownServers,
        wishes: Wishes,
        mouth: Mouth,
    ) -> Result<Self, Fail> {
        let mut config = ClientConfig::new(&wishes.name).expect("a name of at most 64 bytes");
        config.direct = false;
        let mut core = Client::new(config, crate::serve::seed(), client_storage_vec!(people: 4_096, speakers: 16));
        if let Some(password) = &wishes.password {
            core.set_credential(password.as_bytes()).expect("at most 512 bytes");
        }
        let now = voice_core::Instant::from_us(0);
        let too_many = |_| Fail::new("--room: more than 32", "name fewer rooms");
        let rooms: Result<Vec<RoomHandle>, Fail> =
            wishes.rooms.iter().map(|room| core.use_room(now, room, RoomUse::Both).map_err(too_many)).collect();
        core.connect(now);
        Ok(Self {
            core,
            transport,
            server,
            known,
            wishes,
            mouth,
            rooms: rooms?,
            channels: Vec::new(),
            names: BTreeMap::new(),
            attempt: None,
            link: None,
            next_frame: None,
            connected: false,
            written: false,
            fatal: None,
            trouble: "the server didn't answer".into(),
        })
    }

    pub(crate) fn client(&mut self) -> &mut Core {
        &mut self.core
    }

    pub(crate) fn was_connected(&self) -> bool {
        self.connected
    }

    pub(crate) fn last_trouble(&self) -> &str {
        &self.trouble
    }

    /// Whether there was something to say, and it is said.
    pub(crate) fn has_said_all(&self) -> bool {
        let written = self.wishes.text.is_none() || self.written;
        let something = self.next_frame.is_some() || self.wishes.text.is_some();
        something && written && self.mouth.is_empty()
    }

    pub(crate) fn name_of(&self, id: ClientId) -> String {
        self.names.get(&id).cloned().unwrap_or_else(|| "unknown".into())
    }

    pub(crate) fn handle_datagram(&mut self, now: Now, from: SocketAddr, datagram: &mut [u8]) {
        self.transport.handle_datagram(now.real, from, datagram);
        self.on_events(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) -> Result<(), Fail> {
        self.follow_wish(now);
        self.transport.handle_timeout(now.real);
        self.core.handle_timeout(now.core);
        self.on_events(now);
        self.drain(now);
        self.fatal.take().map_or(Ok(()), Err)
    }

    pub(crate) fn poll_datagram(&mut self, now: Now, out: &mut Vec<u8>) -> Option<SocketAddr> {
        self.transport.poll_transmit(now.real, out).map(|transmit| transmit.to)
    }

    pub(crate) fn until(&self, now: Now, most: Duration) -> Duration {
        now.until(self.transport.poll_timeout(), self.core.poll_timeout(), most)
    }

    pub(crate) fn leave(&mut self, now: Now) {
        self.core.disconnect(now.core);
        self.drain(now);
    }

    /// How the connection was, in a line.
    pub(crate) fn summary(&self) -> String {
        let rtt = self.core.rtt().map_or("unknown".into(), |rtt| format!("{:.1} ms", rtt.as_secs_f64() * 1e3));
        let drops: Vec<String> = self
            .core
            .drops()
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(reason, count)| format!("{} {count}", reason.name()))
            .collect();
        let drops = if drops.is_empty() { "nothing dropped".into() } else { format!("dropped: {}", drops.join(", ")) };
        let counters = self.core.counters();
        format!(
            "{} voice packets out, {} in; round trip {rtt}; {drops}",
            counters.voice_out.packets, counters.voice_in.packets
        )
    }

    /// The microphone's clock: sends the frames that are due.
    pub(crate) fn talk(&mut self, now: Now) {
        if !self.may_talk(now) {
            return;
        }
        let due = *self.next_frame.get_or_insert(now.core);
        if due > now.core {
            return;
        }
        if let Some(length) = self.mouth.follow(self.core.encoder_advice()) {
            self.core.set_frame_length(now.core, length);
        }
        self.next_frame = Some(due.after(Duration::from_micros(self.mouth.frame_us())));
        match self.mouth.next_frame() {
            // What can't be sent now is not heard, as with any network that fails.
            Some(frame) => _ = self.core.send_frame(now.core, frame),
            None => return,
        }
        if self.mouth.is_empty() {
            self.core.end_talkspurt(now.core);
        }
    }

    /// In the session, with somebody to speak to; it waits while nobody hears.
    fn may_talk(&mut self, now: Now) -> bool {
        if self.mouth.is_empty() || self.core.state() != State::Connected {
            return false;
        }
        if self.channels.is_empty() {
            self.open_channels(now);
        }
        if self.core.is_unheard() {
            self.next_frame = self.next_frame.map(|_| now.core);
            return false;
        }
        !self.channels.is_empty()
    }

    fn open_channels(&mut self, now: Now) {
        let lines: Vec<TalkTo> = match &self.wishes.whisper {
            Some(name) => {
                self.core.roster().filter(|who| who.name() == name).map(|who| TalkTo::Client(who.id())).collect()
            }
            None => {
                self.rooms.iter().copied().filter(|room| self.core.room_id(*room).is_some()).map(TalkTo::Room).collect()
            }
        };
        for line in lines {
            self.channels.extend(self.core.open_channel(now.core, line, ChannelOptions::DEFAULT));
        }
    }

    fn follow_wish(&mut self, now: Now) {
        let wanted = self.core.transport_wanted();
        if wanted == self.attempt {
            return;
        }
        self.attempt = wanted;
        if let Some(link) = self.link.take() {
            self.transport.close(now.real, link);
        }
        if wanted.is_some() {
            let pinned = self.wishes.fingerprint.or_else(|| self.known.get(&self.wishes.server));
            let trust = pinned.map_or(Trust::FirstUse, Trust::Pinned);
            match self.transport.connect(now.real, self.server, trust) {
                Ok(link) => self.link = Some(link),
                Err(error) => {
                    self.fatal = Some(Fail::new(format!("{}: {error}", self.wishes.server), "name another server"))
                }
            }
        }
    }

    fn on_events(&mut self, now: Now) {
        while let Some(event) = self.transport.poll_event() {
            match event {
                Event::Up(link, key) if Some(link) == self.link => self.on_up(now, key),
                Event::Packet(link, delivery, bytes) if Some(link) == self.link => {
                    self.core.handle_packet(now.core, Source::Server, delivery, &bytes);
                }
                Event::Down(link, reason) if Some(link) == self.link => {
                    self.link = None;
                    self.on_down(now, reason);
                }
                _ => {}
            }
        }
    }

    fn on_up(&mut self, now: Now, key: Option<Fingerprint>) {
        let server = self.wishes.server.clone();
        if let Some(key) = key
            && self.wishes.fingerprint.is_none()
            && self.known.get(&server).is_none()
        {
            println!("{server} is met for the first time; its fingerprint is kept: {key}");
            if let Err(fail) = self.known.keep(&server, key) {
                self.fatal = Some(fail);
            }
        }
        self.core.handle_connected(now.core);
    }

    fn on_down(&mut self, now: Now, reason: DownReason) {
        match reason {
            DownReason::WrongServer(shown) => {
                let server = &self.wishes.server;
                let what =
                    format!("{server}: THE SERVER'S KEY HAS CHANGED, somebody may be in between; it shows {shown}");
                let cure = match self.wishes.fingerprint {
                    Some(_) => "compare it with the one of --fingerprint".into(),
                    None => format!(
                        "ask who runs the server; if it is right, remove the line of {server} from {}",
                        self.known.path().display()
                    ),
                };
                self.fatal = Some(Fail::new(what, cure));
            }
            DownReason::NoAnswer => self.trouble = "the server didn't answer".into(),
            DownReason::Failed(why) => self.trouble = why,
            _ => {}
        }
        self.core.handle_disconnected(now.core);
    }

    fn drain(&mut self, now: Now) {
        let mut buffer = [0; 1_200];
        while let Some(transmit) = self.core.poll_transmit(now.core, &mut buffer) {
            let Some(link) = self.link else { continue };
            let sent = self.transport.send(now.real, link, transmit.delivery, &buffer[..transmit.len]);
            if sent.is_err() && transmit.delivery == Delivery::Reliable {
                self.transport.close(now.real, link);
            }
        }
        while let Some(event) = self.core.poll_event() {
            self.on_event(now, event);
        }
        self.follow_wish(now);
    }

    fn on_event(&mut self, now: Now, event: ClientEvent) {
        match event {
            ClientEvent::StateChanged(state) => self.on_state(state),
            ClientEvent::Joined(id) | ClientEvent::Changed(id) => {
                if let Some(person) = self.core.person(id) {
                    let name = person.name().to_owned();
                    if self.names.insert(id, name.clone()).is_none() {
                        println!("{name} is there");
                    }
                }
            }
            ClientEvent::Left(id) => println!("{} has left", self.name_of(id)),
            ClientEvent::Reconnecting(id) => println!("{} is reconnecting", self.name_of(id)),
            ClientEvent::Resumed(id) => println!("{} is back", self.name_of(id)),
            ClientEvent::StartedSpeaking(id) => println!("{} speaks", self.name_of(id)),
            ClientEvent::RoomGranted(room) => self.write_text(now, room),
            ClientEvent::TextReceived => {
                while let Some(message) = self.core.take_message() {
                    if let Message::Text { from, text, .. } = message {
                        let name = self.names.get(&from).map_or("somebody", String::as_str);
                        println!("{name}: {}", text.replace(char::is_control, " "));
                    }
                }
            }
            ClientEvent::Unheard => println!("nobody hears: waiting"),
            ClientEvent::ServerMuted(true) => println!("the server has muted this client"),
            _ => {}
        }
    }

    fn write_text(&mut self, now: Now, room: RoomHandle) {
        let Some(text) = self.wishes.text.as_ref().filter(|_| !self.written && self.rooms.first() == Some(&room))
        else {
            return;
        };
        match self.core.send_text(now.core, TalkTo::Room(room), text) {
            Ok(_) => self.written = true,
            Err(error) => self.fatal = Some(Fail::new(format!("--text: {error:?}"), "write at most 2,000 bytes")),
        }
    }

    fn on_state(&mut self, state: State) {
        let reason = self.core.state_reason();
        match (state, reason) {
            (State::Connected, _) => {
                self.connected = true;
                println!("connected to {} as {}", self.wishes.server, self.wishes.name);
            }
            (State::Reconnecting, _) if self.connected => println!("reconnecting ({reason:?})"),
            (State::Disconnected, StateReason::Refused(why)) => {
                let refused =
                    |why: &str, cure: &str| Fail::new(format!("{}: refused: {why}", self.wishes.server), cure);
                self.fatal = Some(match why.number() {
                    WRONG_PASSWORD => refused("wrong password", "say the right one by --password"),
                    TOO_MANY_TRIES => refused("too many wrong passwords", "wait a minute"),
                    _ => refused(&format!("{why:?}"), "ask who runs the server"),
                });
            }
            (State::Disconnected, StateReason::Closed(why)) => {
                self.fatal =
                    Some(Fail::new(format!("{}: closed: {why:?}", self.wishes.server), "ask who runs the server"));
            }
            _ => {}
        }
    }
}
