//! A server, three clients and a host, on a network without delay that loses some packets. Everything that comes out is summed.

use voice_core::{
    ChannelHandle, ChannelOptions, ClientEvent, ClientId, GameSession, Instant, Mode, Priority, RoomUse, ServerConfig,
    TalkTo, Volume,
};

use crate::stage::{Memory, Stage, host};

/// Runs the scenario and returns the digest of all it put out.
///
/// Compiled without change for the host and for wasm: nothing here may depend on the width of a pointer.
pub fn scenario_digest() -> u64 {
    play().0
}

/// Runs the scenario and returns which kinds of a client's events came up in it: bit n for kind n of [`EVENTS`].
pub fn scenario_events() -> u32 {
    play().1
}

/// Names of the kinds of events that are told apart; the last stands for the rest.
pub const EVENTS: [&str; 17] = [
    "state changed",
    "joined",
    "left",
    "reconnecting",
    "resumed",
    "changed",
    "entered room",
    "left room",
    "room granted",
    "room closed",
    "started speaking",
    "stopped speaking",
    "text refused",
    "direct up",
    "direct down",
    "server muted",
    "others",
];

fn play() -> (u64, u32) {
    let mut memory = [const { Memory::EMPTY }; 3];
    let mut stage = Stage::new(&mut memory);
    let rooms = arrive(&mut stage);
    talk(&mut stage, rooms);
    whisper_and_write(&mut stage);
    go_direct(&mut stage);
    moderate(&mut stage);
    fall_and_rise(&mut stage);
    let events = stage.events;
    let sum = stage.digest();
    (sum ^ host::digest().rotate_left(1), events)
}

fn arrive(stage: &mut Stage<'_>) -> [Option<ChannelHandle>; 3] {
    let mut channels = [None; 3];
    for (at, channel) in channels.iter_mut().enumerate() {
        let now = stage.now();
        let client = &mut stage.peers[at].client;
        client.connect(now);
        let Ok(room) = client.use_room(now, "Camp", RoomUse::Both) else { continue };
        let options = ChannelOptions { positional: at == 1, ..ChannelOptions::DEFAULT };
        *channel = client.open_channel(now, TalkTo::Room(room), options).ok();
        _ = client.use_room(now, if at == 2 { "Höhle" } else { "Forge" }, RoomUse::Listen);
    }
    stage.run(500);
    channels
}

fn talk(stage: &mut Stage<'_>, channels: [Option<ChannelHandle>; 3]) {
    stage.peers[0].says = true;
    stage.run(700);
    stage.peers[1].says = true;
    let now = stage.now();
    if let Some(channel) = channels[0] {
        let loud = ChannelOptions { priority: Priority::High, volume: Volume::MAX, positional: true };
        _ = stage.peers[0].client.change_channel(now, channel, loud);
    }
    stage.peers[1].client.set_default_priority(now, Priority::Low);
    stage.run(700);
    stage.peers[0].says = false;
    stage.run(600);
    if let Some(channel) = channels[1] {
        let now = stage.now();
        _ = stage.peers[1].client.close_channel(now, channel);
    }
    stage.run(300);
}

fn whisper_and_write(stage: &mut Stage<'_>) {
    let now = stage.now();
    let Some(second) = stage.peers[1].client.id() else { return };
    let whisper = stage.peers[2].client.open_channel(now, TalkTo::Client(second), ChannelOptions::DEFAULT);
    stage.peers[2].says = true;
    _ = stage.peers[2].client.send_text(now, TalkTo::Client(second), "psst: über dem Tor");
    if let Ok(room) = stage.peers[0].client.use_room(now, "Camp", RoomUse::Both) {
        let text = core::str::from_utf8(&[b'x'; 1_500]).unwrap_or_default();
        _ = stage.peers[0].client.send_text(now, TalkTo::Room(room), text);
    }
    _ = stage.peers[0].client.send_rendezvous(now, second, &[1, 2, 3]);
    if let Some(nobody) = ClientId::new(4_000) {
        _ = stage.peers[1].client.send_text(now, TalkTo::Client(nobody), "hello?");
    }
    stage.run(600);
    if let Ok(whisper) = whisper {
        let now = stage.now();
        _ = stage.peers[2].client.close_channel(now, whisper);
    }
    stage.peers[2].client.set_muted(stage.now(), true);
    stage.peers[1].client.set_deafened(stage.now(), true);
    stage.run(200);
    stage.peers[2].client.set_muted(stage.now(), false);
    stage.peers[1].client.set_deafened(stage.now(), false);
    stage.run(200);
    stage.peers[2].says = false;
}

fn go_direct(stage: &mut Stage<'_>) {
    stage.offer_path(0, 2);
    stage.run(800);
    stage.peers[0].says = true;
    stage.run(500);
    stage.cut_paths = true;
    stage.run(1_500);
    stage.lose_path(0, 2);
    stage.run(500);
    stage.peers[0].says = false;
    stage.run(500);
}

fn moderate(stage: &mut Stage<'_>) {
    let now = stage.now();
    let Some(first) = stage.peers[0].client.id() else { return };
    _ = stage.peers[1].client.set_client_muted(now, first, true);
    _ = stage.peers[1].client.set_client_volume(first, Volume::FULL);
    _ = stage.server.set_server_mute(now, first, true);
    stage.peers[0].says = true;
    stage.run(300);
    _ = stage.server.set_server_mute(stage.now(), first, false);
    let room = stage.server.rooms().next().map(|room| room.id());
    if let Some(room) = room {
        _ = stage.server.remove_from_room(stage.now(), first, room);
    }
    stage.run(300);
    _ = stage.server.kick(stage.now(), first, 200);
    stage.run(300);
    stage.peers[0].client.connect(stage.now());
    stage.run(500);
}

fn fall_and_rise(stage: &mut Stage<'_>) {
    stage.drop_transport(1);
    stage.run(1_500);
    stage.server.stop(stage.now());
    stage.run(100);
    stage.server.start(stage.now());
    stage.run(2_500);
    stage.break_lane(2);
    stage.run(2_500);
    stage.peers[2].client.disconnect(stage.now());
    stage.run(3_000);
}

impl Stage<'_> {
    /// Adds an event, by what it says and about whom.
    pub(crate) fn note(&mut self, event: ClientEvent) {
        let (kind, number) = match event {
            ClientEvent::StateChanged(state) => (1, state as u16),
            ClientEvent::Joined(id) => (2, id.get()),
            ClientEvent::Left(id) => (3, id.get()),
            ClientEvent::Reconnecting(id) => (4, id.get()),
            ClientEvent::Resumed(id) => (5, id.get()),
            ClientEvent::Changed(id) => (6, id.get()),
            ClientEvent::EnteredRoom { room, .. } => (7, room.get()),
            ClientEvent::LeftRoom { room, .. } => (8, room.get()),
            ClientEvent::RoomGranted(_) => (9, 0),
            ClientEvent::RoomClosed { .. } => (10, 0),
            ClientEvent::StartedSpeaking(id) => (11, id.get()),
            ClientEvent::StoppedSpeaking(id) => (12, id.get()),
            ClientEvent::TextRefused { number, .. } => (13, number),
            ClientEvent::DirectUp(id) => (14, id.get()),
            ClientEvent::DirectDown(id) => (15, id.get()),
            ClientEvent::ServerMuted(muted) => (16, u16::from(muted)),
            _ => (17, 0),
        };
        self.events |= 1 << (kind - 1);
        self.sum.add(&[kind]);
        self.sum.add(&number.to_be_bytes());
    }
}

/// The modes that the host goes through.
pub(crate) const SESSIONS: [(GameSession, Mode); 4] = [
    (GameSession { server: true, client: true }, Mode::Host),
    (GameSession { server: true, client: false }, Mode::DedicatedServer),
    (GameSession { server: false, client: true }, Mode::Client),
    (GameSession { server: false, client: false }, Mode::None),
];

/// The configuration of all servers here.
pub(crate) const CONFIG: ServerConfig = ServerConfig::DEFAULT;

/// The beginning of time.
pub(crate) const START: Instant = Instant::ORIGIN;
