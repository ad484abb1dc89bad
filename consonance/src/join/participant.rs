//! What this person does in the session, and what it is told of it.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use adapter_udp::{CertificateProblem, DownReason, Endpoint, Fingerprint, Trust};
use voice_core::{
    ChannelHandle, ChannelOptions, Client, ClientConfig, ClientEvent, ClientId, FrameLength, RoomHandle, RoomUse,
    State, StateReason, TalkTo, client_storage_vec,
};

use super::{mouth::Mouth, own_addresses::OwnAddresses, people::People};
use crate::{
    cli::JoinArgs,
    clock::Now,
    direct_paths::{DirectPaths, Way},
    fail::Fail,
    home::KnownServers,
    net_client::{Core, Happened, NetClient},
    printable::Printable,
    serve::{TOO_MANY_TRIES, WRONG_PASSWORD},
};

/// What voice may take of the way out, bit/s.
const UPLINK: u32 = 256_000;

/// What this person wants.
pub(crate) struct Wishes {
    server: String,
    name: String,
    rooms: Vec<String>,
    password: Option<String>,
    fingerprint: Option<Fingerprint>,
    certified: Option<Trust>,
    whisper: Option<String>,
    text: Option<String>,
    people: usize,
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
            certified: super::trust::certified(args)?,
            whisper: args.whisper.clone(),
            text: args.text.clone(),
            people: args.people.into(),
        })
    }
}

pub(crate) struct Participant {
    net: NetClient,
    addresses: OwnAddresses,
    known: KnownServers,
    wishes: Wishes,
    mouth: Mouth,
    /// Speaks by a microphone, and so is never done.
    live: bool,
    rooms: Vec<RoomHandle>,
    channels: Vec<ChannelHandle>,
    people: People,
    /// Who has been heard.
    heard: BTreeSet<ClientId>,
    next_frame: Option<voice_core::Instant>,
    /// There is something to say and somebody to say it to.
    talks: bool,
    connected: bool,
    /// In the session, and nothing has been heard for a while.
    silent: bool,
    written: bool,
    trouble: String,
}

impl Participant {
    pub(crate) fn new(
        transport: Endpoint,
        server: SocketAddr,
        direct: Option<DirectPaths>,
        known: KnownServers,
        wishes: Wishes,
        mouth: Mouth,
        live: bool,
    ) -> Result<Self, Fail> {
        let mut config = ClientConfig::new(&wishes.name).expect("a name of at most 64 bytes");
        config.direct = direct.is_some();
        // Enough for a talk among friends; a crowd is spoken to over the server, once.
        config.uplink_bits_per_second = Some(UPLINK);
        if live {
            // What captures makes frames of one length.
            config.longest_frame = FrameLength::Ms20;
        }
        config.dred = cfg!(feature = "opus16");
        let mut core =
            Client::new(config, crate::serve::seed(), client_storage_vec!(people: wishes.people, speakers: 16));
        if let Some(password) = &wishes.password {
            core.set_credential(password.as_bytes()).expect("at most 512 bytes");
        }
        let now = voice_core::Instant::from_us(0);
        let too_many = |_| Fail::new("--room: more than 32", "name fewer rooms");
        let rooms: Result<Vec<RoomHandle>, Fail> =
            wishes.rooms.iter().map(|room| core.use_room(now, room, RoomUse::Both).map_err(too_many)).collect();
        core.connect(now);
        let pinned = wishes.fingerprint.or_else(|| known.get(&wishes.server));
        let trust = wishes.certified.clone().unwrap_or_else(|| pinned.map_or(Trust::FirstUse, Trust::Pinned));
        Ok(Self {
            net: NetClient::new(core, transport, server, trust).with_direct(direct),
            addresses: OwnAddresses::new(server),
            known,
            wishes,
            mouth,
            live,
            rooms: rooms?,
            channels: Vec::new(),
            people: People::default(),
            heard: BTreeSet::new(),
            next_frame: None,
            talks: false,
            connected: false,
            silent: false,
            written: false,
            trouble: "the server didn't answer".into(),
        })
    }

    pub(crate) fn client(&mut self) -> &mut Core {
        &mut self.net.core
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
        something && written && self.mouth.is_empty() && !self.live
    }

    pub(crate) fn name_of(&self, id: ClientId) -> String {
        self.known_name(id).unwrap_or("unknown").to_owned()
    }

    /// Of those who have left, too.
    fn known_name(&self, id: ClientId) -> Option<&str> {
        self.people.name_of(id).or_else(|| Some(self.net.core.person(id)?.name()))
    }

    pub(crate) fn handle_datagram(&mut self, now: Now, from: SocketAddr, datagram: &mut [u8]) {
        self.net.handle_datagram(now, from, datagram, |_| {});
    }

    /// Does what is due and takes note of what happened.
    pub(crate) fn turn(&mut self, now: Now) -> Result<(), Fail> {
        if let Some(addresses) = self.addresses.look(now.real) {
            self.net.handle_addresses(now, addresses);
        }
        let (mut up, mut down) = (None, None);
        self.net.turn(now, |happened| match happened {
            Happened::Up(key) => up = key,
            Happened::Down(reason) => down = Some(reason),
            Happened::Packet(_) => {}
        });
        if let Some(key) = up {
            self.on_up(key)?;
        }
        if let Some(reason) = down {
            self.on_down(reason)?;
        }
        while let Some(event) = self.net.poll_event() {
            self.on_event(now, event)?;
        }
        self.catch_up();
        while let Some((speaker, way)) = self.net.ways().poll_change() {
            let name = self.name_of(speaker);
            let name = Printable(&name);
            match way {
                Way::Direct => say!("{name} is heard directly"),
                Way::Server => say!("{name} is heard over the server"),
            }
        }
        Ok(())
    }

    pub(crate) fn poll_datagram(&mut self, now: Now, out: &mut Vec<u8>) -> Option<SocketAddr> {
        self.net.poll_datagram(now, out)
    }

    pub(crate) fn until(&self, now: Now, most: Duration) -> Duration {
        let frame = self.next_frame.filter(|_| self.talks).map_or(most, |due| due.since(now.core));
        let look = self.addresses.poll_timeout().map_or(most, |at| at.saturating_duration_since(now.real));
        self.net.until(now, most).min(frame).min(look)
    }

    pub(crate) fn leave(&mut self, now: Now) {
        self.net.core.disconnect(now.core);
    }

    /// By which way those were heard who were, a line for each.
    pub(crate) fn ways(&mut self) -> Vec<String> {
        let heard: Vec<_> = self.net.ways().heard().collect();
        let line = |(id, heard): (ClientId, crate::direct_paths::Heard)| {
            let name = self.name_of(id);
            let (direct, server) = (heard.direct, heard.server);
            format!("{}: {direct} voice packets directly, {server} over the server", Printable(&name))
        };
        heard.into_iter().map(line).collect()
    }

    /// How those came through who were heard and are remembered, a line for each.
    pub(crate) fn voices(&self) -> Vec<String> {
        let line = |id| {
            let stats = self.net.core.speaker_stats(id)?;
            let (received, lost, late) = (stats.received, stats.lost, stats.late);
            let delay = f64::from(stats.target_us) / 1e3;
            let name = self.name_of(id);
            Some(format!(
                "{}: {received} voice packets, {lost} lost, {late} late; delay {delay:.0} ms",
                Printable(&name)
            ))
        };
        self.heard.iter().copied().filter_map(line).collect()
    }

    /// How the connection was, in a line.
    pub(crate) fn summary(&self) -> String {
        let rtt = self.net.core.rtt().map_or("unknown".into(), |rtt| format!("{:.1} ms", rtt.as_secs_f64() * 1e3));
        let drops: Vec<String> = self
            .net
            .core
            .drops()
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(reason, count)| format!("{} {count}", reason.name()))
            .collect();
        let drops = if drops.is_empty() { "nothing dropped".into() } else { format!("dropped: {}", drops.join(", ")) };
        let counters = self.net.core.counters();
        format!(
            "{} voice packets out, {} in; round trip {rtt}; {drops}",
            counters.voice_out.packets, counters.voice_in.packets
        )
    }

    /// Sends the frames of recordings that are due.
    pub(crate) fn talk(&mut self, now: Now) {
        loop {
            self.talks = self.may_talk(now);
            if !self.talks || *self.next_frame.get_or_insert(now.core) > now.core {
                return;
            }
            self.say_next(now);
        }
    }

    fn say_next(&mut self, now: Now) {
        let due = self.next_frame.unwrap_or(now.core);
        if let Some(length) = self.mouth.follow() {
            self.net.core.set_frame_length(now.core, length);
        }
        self.next_frame = Some(due.after(Duration::from_micros(self.mouth.frame_us())));
        match self.mouth.next_frame() {
            // What can't be sent now is not heard, as with any network that fails.
            Some(frame) => _ = self.net.core.send_frame(now.core, frame),
            None => return,
        }
        if self.mouth.is_empty() {
            self.net.core.end_talkspurt(now.core);
        } else if self.mouth.pauses() {
            // Frames move in pauses, as the server hints, and between talkspurts.
            self.net.core.end_talkspurt(now.core);
            let later = self.net.core.take_frame_shift();
            self.next_frame = self.next_frame.map(|due| due.after(later));
        }
    }

    /// Says a frame of the microphone, maybe the last of a talkspurt. While nobody hears it is as with any microphone: what is said is gone.
    #[cfg(feature = "audio")]
    pub(crate) fn say(&mut self, now: Now, pcm: &[i16], is_last: bool) {
        if !self.has_line(now) {
            return;
        }
        self.mouth.follow();
        let _ = self.net.core.send_frame(now.core, self.mouth.encode(pcm));
        if is_last {
            self.net.core.end_talkspurt(now.core);
        }
    }

    /// Something to say, and somebody to say it to.
    fn may_talk(&mut self, now: Now) -> bool {
        !self.mouth.is_empty() && self.has_line(now)
    }

    /// In the session, with somebody to speak to; it waits while nobody hears, and makes up for nothing afterwards.
    fn has_line(&mut self, now: Now) -> bool {
        let connected = self.net.core.state() == State::Connected;
        if connected && self.channels.is_empty() {
            self.open_channels(now);
        }
        let may = connected && !self.net.core.is_unheard() && !self.channels.is_empty();
        if !may {
            self.next_frame = self.next_frame.map(|_| now.core);
        }
        may
    }

    fn open_channels(&mut self, now: Now) {
        let lines: Vec<TalkTo> = match &self.wishes.whisper {
            Some(name) => {
                self.net.core.roster().filter(|who| who.name() == name).map(|who| TalkTo::Client(who.id())).collect()
            }
            None => self
                .rooms
                .iter()
                .copied()
                .filter(|room| self.net.core.room_id(*room).is_some())
                .map(TalkTo::Room)
                .collect(),
        };
        for line in lines {
            self.channels.extend(self.net.core.open_channel(now.core, line, ChannelOptions::DEFAULT));
        }
    }

    fn on_up(&mut self, key: Fingerprint) -> Result<(), Fail> {
        let server = &self.wishes.server;
        if matches!(self.net.trust, Trust::Certified(_)) && !self.connected {
            say!("{server} has a certificate for its name, of fingerprint {key}");
        }
        if matches!(self.net.trust, Trust::FirstUse) {
            say!("{server} is met for the first time; its fingerprint is kept: {key}");
            self.known.keep(server, key)?;
            self.net.trust = Trust::Pinned(key);
        }
        Ok(())
    }

    fn on_down(&mut self, reason: DownReason) -> Result<(), Fail> {
        match reason {
            DownReason::WrongServer(shown) => {
                let server = &self.wishes.server;
                let what =
                    format!("{server}: THE SERVER'S KEY HAS CHANGED, somebody may be in between; it shows {shown}");
                let cure = match self.wishes.fingerprint {
                    Some(_) => "compare it with the one of --fingerprint".into(),
                    None => format!(
                        "ask who runs the server; if it is right, remove the line of {server} from {}; if it has a certificate, use --verify",
                        self.known.path().display()
                    ),
                };
                return Err(Fail::new(what, cure));
            }
            DownReason::BadCertificate(shown, problem) => {
                let server = &self.wishes.server;
                let what = format!(
                    "{server}: its certificate doesn't prove that it is that server: {problem}; it shows {shown}"
                );
                let cure = match problem {
                    CertificateProblem::WrongName(_) => "join by a name that it is for",
                    CertificateProblem::UnknownAuthority => {
                        "name its authority by --ca FILE, or leave --verify out and pin its fingerprint"
                    }
                    CertificateProblem::NotYetValid => "look at this machine's clock, or ask who runs the server",
                    _ => "ask who runs the server to renew it",
                };
                return Err(Fail::new(what, cure));
            }
            DownReason::NoAnswer => self.trouble = "the server didn't answer".into(),
            DownReason::Failed(why) => self.trouble = why,
            _ => {}
        }
        Ok(())
    }

    fn on_event(&mut self, now: Now, event: ClientEvent) -> Result<(), Fail> {
        let core = &self.net.core;
        let said = self.people.on_event(event, |id| Some(core.person(id)?.name()));
        said.iter().for_each(|line| say!("{line}"));
        match event {
            ClientEvent::StateChanged(state) => self.on_state(state)?,
            ClientEvent::StartedSpeaking(id) => _ = self.heard.insert(id),
            ClientEvent::AdviceChanged => self.mouth.advise(self.net.core.encoder_advice()),
            ClientEvent::RoomGranted(room) => self.write_text(now, room)?,
            ClientEvent::TextReceived => {
                while let Some((from, text)) = self.net.take_text() {
                    let name = self.known_name(from).unwrap_or("somebody");
                    say!("{}: {}", Printable(name), Printable(&text));
                }
            }
            ClientEvent::DirectUp(id) => {
                let address = self.net.direct_address(id).map_or("unknown".into(), |address| address.to_string());
                say!("{}: speech goes directly, to {address}", Printable(&self.name_of(id)));
            }
            ClientEvent::DirectDown(id) if self.net.core.person(id).is_some() => {
                say!("{}: speech goes over the server", Printable(&self.name_of(id)));
            }
            ClientEvent::Unheard => say!("nobody hears: waiting"),
            ClientEvent::ServerMuted(true) => say!("the server has muted this client"),
            _ => {}
        }
        Ok(())
    }

    /// What is so, whatever was told of it.
    fn catch_up(&mut self) {
        let core = &self.net.core;
        self.people.catch_up(core).iter().for_each(|line| say!("{line}"));
        self.heard.extend(core.speakers());
        self.connected |= core.state() == State::Connected;
    }

    fn write_text(&mut self, now: Now, room: RoomHandle) -> Result<(), Fail> {
        let first = !self.written && self.rooms.first() == Some(&room);
        let Some(text) = self.wishes.text.as_ref().filter(|_| first) else { return Ok(()) };
        self.net
            .core
            .send_text(now.core, TalkTo::Room(room), text)
            .map_err(|error| Fail::new(format!("--text: {error:?}"), "write at most 2,000 bytes"))?;
        self.written = true;
        Ok(())
    }

    fn on_state(&mut self, state: State) -> Result<(), Fail> {
        let (server, reason) = (&self.wishes.server, self.net.core.state_reason());
        self.silent &= state == State::Connected;
        match (state, reason) {
            (State::Connected, _) if std::mem::take(&mut self.silent) => say!("the server is heard again"),
            (State::Connected, _) => {
                self.connected = true;
                say!("connected to {server} as {}", Printable(&self.wishes.name));
            }
            (State::Degraded, _) => {
                self.silent = true;
                say!("nothing is heard of the server: waiting");
            }
            (State::Reconnecting, _) if self.connected => say!("reconnecting ({reason:?})"),
            (State::Disconnected, StateReason::Refused(why)) => {
                let (why, cure) = match why.number() {
                    WRONG_PASSWORD => ("wrong password".into(), "say the right one by --password"),
                    TOO_MANY_TRIES => ("too many wrong passwords".into(), "wait a minute"),
                    _ => (format!("{why:?}"), "ask who runs the server"),
                };
                return Err(Fail::new(format!("{server}: refused: {why}"), cure));
            }
            (State::Disconnected, StateReason::Closed(why)) => {
                return Err(Fail::new(format!("{server}: closed: {why:?}"), "ask who runs the server"));
            }
            _ => {}
        }
        Ok(())
    }
}
