use voice_core::{ChannelOptions, Delivery, Instant, RoomUse, ServerConfig, Sound, State, TalkTo};

use crate::{
    input::Input,
    session::{FuzzServer, Guest, new_server, settle},
};

const FRAME_MS: u64 = 20;
/// Frames that the playout delay may swallow at the end.
const TAIL: u32 = 5;

/// Lets one connection send anything to a server with two honest clients, whose voice must stay unharmed.
pub fn hostile_peer(data: &[u8]) {
    let mut input = Input::new(data);
    let mut stage = Stage::new();
    // A real client of the hostile peer's, whose packets it bends.
    let mut tool = Guest::new("three", 3);
    tool.client.connect(stage.now());
    if let Ok(room) = tool.client.use_room(stage.now(), "room", RoomUse::Both) {
        let _ = tool.client.open_channel(stage.now(), TalkTo::Room(room), ChannelOptions::DEFAULT);
    }
    for _ in 0..100 {
        if input.is_empty() {
            break;
        }
        match input.below(6) {
            0 => stage.frame(&mut tool, false),
            1 => stage.frame(&mut tool, true),
            2 => _ = tool.client.send_frame(stage.now(), &[7; 40]),
            3 => _ = tool.client.send_text(stage.now(), TalkTo::Client(person(&mut input)), "spam"),
            _ => stage.attack(&mut tool, &mut input),
        }
    }
    for _ in 0..=TAIL {
        stage.frame(&mut tool, false);
    }
    let [one, two] = &stage.honest;
    assert_eq!((one.client.state(), two.client.state()), (State::Connected, State::Connected));
    assert!(stage.heard + TAIL >= stage.spoken, "{} of {} frames heard", stage.heard, stage.spoken);
}

struct Stage {
    ms: u64,
    server: FuzzServer,
    honest: [Guest; 2],
    spoken: u32,
    heard: u32,
    last: Vec<u8>,
}

impl Stage {
    fn new() -> Self {
        let mut honest = [Guest::new("one", 1), Guest::new("two", 2)];
        for guest in &mut honest {
            let room = guest.client.use_room(Instant::ORIGIN, "room", RoomUse::Both).expect("a free room");
            let _ = guest.client.open_channel(Instant::ORIGIN, TalkTo::Room(room), ChannelOptions::DEFAULT);
            guest.client.connect(Instant::ORIGIN);
        }
        let mut stage =
            Self { ms: 0, server: new_server(ServerConfig::DEFAULT), honest, spoken: 0, heard: 0, last: Vec::new() };
        for _ in 0..3 {
            stage.ms += 60;
            stage.settle(None);
        }
        stage
    }

    fn now(&self) -> Instant {
        Instant::from_ms(self.ms)
    }

    fn settle(&mut self, tool: Option<&mut Guest>) {
        let (now, [one, two]) = (self.now(), &mut self.honest);
        match tool {
            Some(tool) => settle(now, &mut self.server, &mut [one, two, tool], |_, _, _| {}),
            None => settle(now, &mut self.server, &mut [one, two], |_, _, _| {}),
        }
    }

    /// A frame's time passes: one speaks, two listens; the tool may behave.
    fn frame(&mut self, tool: &mut Guest, behave: bool) {
        self.ms += FRAME_MS;
        let now = self.now();
        self.spoken += u32::from(self.honest[0].client.send_frame(now, &[1; 40]).is_ok());
        self.settle(behave.then_some(tool));
        let speaker_id = self.honest[0].client.id();
        let listener = &mut self.honest[1].client;
        let speakers: Vec<_> = listener.speakers().collect();
        for speaker in speakers {
            if let Sound::Play(payload) = listener.next_frame(now, speaker).sound {
                self.heard += u32::from(payload == [1; 40] && Some(speaker) == speaker_id);
            }
        }
    }

    /// The hostile peer sends whatever it likes on its connection. Before it has joined, no answer is larger than its cause.
    fn attack(&mut self, tool: &mut Guest, input: &mut Input<'_>) {
        let now = self.now();
        tool.follow_wish(now, &mut self.server);
        if input.flag() {
            let mut out = [0; 1_200];
            if let Some(transmit) = tool.client.poll_transmit(now, &mut out) {
                self.last = out[..transmit.len].to_vec();
            }
        }
        let last = self.last.clone();
        let mut packet = if input.flag() { input.packet().to_vec() } else { input.bent(&last) };
        let delivery = if input.flag() { Delivery::Reliable } else { Delivery::Unreliable };
        let Some(from) = tool.connection else { return };
        let honest = self.honest.each_ref().map(|guest| guest.connection);
        let mut forward = self.server.handle_packet(now, from, delivery, &mut packet);
        while let Some((_, to)) = forward.next() {
            assert!(to.iter().all(|to| honest.contains(&Some(*to))));
        }
        let [one, two] = &mut self.honest;
        let mut answer = 0;
        settle(now, &mut self.server, &mut [one, two], |to, _, bytes| {
            assert_eq!(to, from);
            answer += bytes.len();
        });
        let joined = self.server.clients().any(|client| client.connection() == Some(from));
        assert!(joined || answer <= packet.len().max(CLOSED), "{answer} bytes for {}", packet.len());
    }
}

/// Bytes of a Closed: the one packet that may come without a cause.
const CLOSED: usize = 8;

fn person(input: &mut Input<'_>) -> voice_core::ClientId {
    voice_core::ClientId::new(1 + u16::from(input.byte() % 8)).expect("not 0")
}
