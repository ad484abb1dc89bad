use core::time::Duration;

use voice_core::{
    ChannelOptions, ClientId, Delivery, DropReason, Instant, RoomUse, ServerConfig, SessionId, Sound, State,
    StateReason, TalkTo,
};

use crate::{
    draw::packet_after,
    input::Input,
    session::{FuzzServer, Guest, is_sent_on, new_server, settle},
};

const FRAME_MS: u64 = 20;
/// Frames that the playout delay may swallow at the end.
const TAIL: u32 = 5;
/// Bytes of a Closed: the one packet that may come without a cause.
const CLOSED: usize = 8;
/// Most bytes by which the answers to a joined connection may be more than what it sent and what [`granted_for`] adds: the sweeps of
/// the roster that it may ask for in the two seconds of a run, of 300 each.
const LEGITIMATE: usize = 4 * 300;
/// Every frame's share in the changes of its own record, which are told every 50 ms.
const OWN_RECORD: usize = 64;

/// How much longer than this packet its answer may be, once the sender has joined.
const fn granted_for(packet: &[u8]) -> usize {
    match packet {
        // Welcome, a sweep, its three rooms, and its record in place of that of before.
        [0x01, ..] => 36 + 300 + 3 * 75 + 100,
        // The room's id.
        [0x02, ..] => 2,
        // The pair's secret.
        [0x07, ..] => 16,
        // Audience.
        [0x80..=0xFF, ..] => 10,
        // A Leave is shorter than the Closed that answers it.
        _ => 1,
    }
}

/// What a client drops when it was sent something that no honest server sends.
const NEVER: [DropReason; 8] = [
    DropReason::Empty,
    DropReason::TooLong,
    DropReason::UnknownKind,
    DropReason::Truncated,
    DropReason::WrongDelivery,
    DropReason::WrongSession,
    DropReason::LaneBroken,
    DropReason::UnprovenPath,
];

/// Lets one connection send anything to a server with two honest clients, whose voice must stay unharmed.
pub fn hostile_peer(data: &[u8]) {
    let mut input = Input::new(data);
    let mut stage = Stage::new();
    for _ in 0..100 {
        if input.is_empty() {
            break;
        }
        match input.below(8) {
            0 => stage.frame(false),
            1 => stage.frame(true),
            2 => _ = stage.tool.client.send_frame(stage.now(), &[7; 40]),
            3 => _ = stage.tool.client.send_text(stage.now(), TalkTo::Client(person(&mut input)), "spam"),
            _ => stage.attack(&mut input),
        }
    }
    for _ in 0..=TAIL {
        stage.frame(false);
    }
    stage.check();
}

struct Stage {
    ms: u64,
    server: FuzzServer,
    honest: [Guest; 2],
    seats: [Option<(SessionId, ClientId)>; 2],
    /// A real client of the hostile peer's, whose session it uses and whose packets it bends.
    tool: Guest,
    spoken: u32,
    heard: u32,
    /// Bytes that it may be answered with.
    granted: usize,
    answered: usize,
}

impl Stage {
    fn new() -> Self {
        let mut honest = [Guest::new("one", 1), Guest::new("two", 2)];
        let mut tool = Guest::new("three", 3);
        for guest in honest.iter_mut().chain([&mut tool]) {
            let room = guest.client.use_room(Instant::ORIGIN, "room", RoomUse::Both).expect("a free room");
            let _ = guest.client.open_channel(Instant::ORIGIN, TalkTo::Room(room), ChannelOptions::DEFAULT);
            guest.client.connect(Instant::ORIGIN);
        }
        let mut stage = Self {
            ms: 60,
            server: new_server(ServerConfig::DEFAULT),
            honest,
            seats: [None; 2],
            tool,
            spoken: 0,
            heard: 0,
            granted: LEGITIMATE,
            answered: 0,
        };
        stage.settle_all();
        stage.ms += 60;
        stage.settle_all();
        stage.seats = stage.seats_now();
        assert!(stage.seats.iter().all(Option::is_some));
        stage
    }

    fn now(&self) -> Instant {
        Instant::from_ms(self.ms)
    }

    fn seats_now(&self) -> [Option<(SessionId, ClientId)>; 2] {
        self.honest.each_ref().map(|guest| guest.client.session().zip(guest.client.id()))
    }

    /// The honest clients and the server talk; bytes of the answers to the hostile peer, apart from others' voices.
    fn settle(&mut self) -> usize {
        let (now, [one, two], tool) = (self.now(), &mut self.honest, &mut self.tool);
        let mut answer = 0;
        settle(now, &mut self.server, &mut [one, two], |to, delivery, bytes| {
            assert_eq!(Some(to), tool.connection);
            answer += if bytes[0] < 0x80 { bytes.len() } else { 0 };
            tool.receive(now, delivery, bytes);
        });
        self.answered += answer;
        answer
    }

    /// The same, and the hostile peer's client behaves.
    fn settle_all(&mut self) {
        let (now, [one, two]) = (self.now(), &mut self.honest);
        settle(now, &mut self.server, &mut [one, two, &mut self.tool], |_, _, _| {});
    }

    /// A frame's time passes: one speaks, two listens; the tool may behave.
    fn frame(&mut self, behave: bool) {
        self.ms += FRAME_MS;
        let now = self.now();
        assert_eq!(self.honest[0].client.send_frame(now, &[1; 40]), Ok(()), "one is kept from speaking");
        self.spoken += 1;
        match behave {
            true => self.settle_all(),
            false => _ = self.settle(),
        }
        self.granted += OWN_RECORD;
        let speaker = self.honest[0].client.id();
        let listener = &mut self.honest[1].client;
        let speakers: Vec<_> = listener.speakers().collect();
        for heard in speakers {
            if let Sound::Play(payload) = listener.next_frame(now, Duration::ZERO, heard).sound {
                self.heard += u32::from(payload == [1; 40] && Some(heard) == speaker);
            }
        }
    }

    /// The hostile peer sends whatever it likes on its connection. Before it has joined, no answer is larger than its cause.
    fn attack(&mut self, input: &mut Input<'_>) {
        let now = self.now();
        self.tool.follow_wish(now, &mut self.server);
        let own = input.below(4) == 0;
        let drawn = match own.then(|| self.own_packet(now, input)) {
            Some(own) => own,
            None => packet_after(input, self.server.session(), &self.tool.sent),
        };
        let (Some(from), Some((delivery, mut packet))) = (self.tool.connection, drawn) else { return };
        self.tool.sent.note(&packet);
        let honest = self.honest.each_ref().map(|guest| guest.connection);
        let session = self.server.session();
        let speaker = self.server.clients().find(|client| client.connection() == Some(from)).map(|client| client.id());
        let mut forward = self.server.handle_packet(now, from, delivery, &mut packet);
        while let Some((bytes, to)) = forward.next() {
            assert!(is_sent_on(bytes, session, speaker), "voice was sent on in another's name");
            assert!(to.iter().all(|to| honest.contains(&Some(*to))), "voice went to a connection that hears nothing");
        }
        let cause = granted_for(&packet);
        let answer = self.settle();
        let joined = self.server.clients().any(|client| client.connection() == Some(from));
        assert!(joined || answer <= packet.len().max(CLOSED), "{answer} bytes for {}", packet.len());
        self.granted += packet.len() + cause;
        assert!(self.answered <= self.granted, "{} bytes for {}", self.answered, self.granted);
    }

    /// What its client would send, with bytes changed.
    fn own_packet(&mut self, now: Instant, input: &mut Input<'_>) -> Option<(Delivery, Vec<u8>)> {
        let mut out = [0; 1_200];
        let transmit = self.tool.client.poll_transmit(now, &mut out)?;
        Some((transmit.delivery, input.bent(&out[..transmit.len])))
    }

    /// The honest clients have noticed nothing.
    fn check(&self) {
        for client in self.honest.each_ref().map(|guest| &guest.client) {
            assert_eq!((client.state(), client.state_reason()), (State::Connected, StateReason::Joined));
            for reason in NEVER {
                assert_eq!(
                    client.drops().get(reason),
                    0,
                    "an honest client was sent a packet that is {}",
                    reason.name()
                );
            }
        }
        assert_eq!(self.seats_now(), self.seats, "an honest client lost its seat");
        assert!(self.heard + TAIL >= self.spoken, "{} of {} frames heard", self.heard, self.spoken);
    }
}

fn person(input: &mut Input<'_>) -> ClientId {
    ClientId::new(1 + u16::from(input.byte() % 8)).expect("not 0")
}
