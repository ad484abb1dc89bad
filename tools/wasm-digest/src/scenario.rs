//! A server and three clients on a bad network, and a host with a guest. Everything that comes out of them is summed.

use core::time::Duration;

use voice_core::{
    Admission, ChannelHandle, ChannelOptions, ClientId, Identity, Priority, RoomUse, ServerConfig, TalkTo, Volume,
};

use crate::stage::{Memory, Stage, host};

/// Runs the scenario and returns the digest of all it put out.
///
/// Compiled without change for the host and for wasm: nothing here may depend on the width of a pointer.
pub fn scenario_digest() -> u64 {
    play().0 ^ host::digest().rotate_left(1)
}

/// Runs the scenario and returns which kinds of events came up in it: bit n for kind n of [`EVENTS`].
pub fn scenario_events() -> u64 {
    play().1
}

/// Names of the kinds of events, a client's first.
pub const EVENTS: [&str; 33] = [
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
    "channel closed",
    "text received",
    "rendezvous received",
    "unheard",
    "heard",
    "server: join requested",
    "server: joined",
    "server: reconnecting",
    "server: left",
    "server: entered room",
    "server: left room",
    "server: room created",
    "server: room removed",
    "server: started speaking",
    "server: stopped speaking",
    "server: spoofed sender",
    "server: disconnect",
];

const LONG_TEXT: [u8; 1_500] = [b'x'; 1_500];

#[inline(never)] // So that its tables and those of the host don't stand on the stack together.
fn play() -> (u64, u64) {
    let mut memory = [const { Memory::EMPTY }; 3];
    let mut stage = Stage::new(&mut memory);
    arrive(&mut stage);
    talk(&mut stage);
    whisper(&mut stage);
    write(&mut stage);
    mute(&mut stage);
    go_direct(&mut stage);
    lose_connections(&mut stage);
    moderate(&mut stage);
    meet_another_server(&mut stage);
    part(&mut stage);
    (stage.digest(), stage.events)
}

/// All meet in the camp, each also uses another room.
fn arrive(stage: &mut Stage<'_>) {
    let others = [("Forge", RoomUse::Both), ("Forge", RoomUse::Listen), ("Höhle", RoomUse::Speak)];
    for (at, (other, room_use)) in others.into_iter().enumerate() {
        let now = stage.now();
        let client = &mut stage.peers[at].client;
        client.connect(now);
        let home = client.use_room(now, "Camp", RoomUse::Both).ok();
        let other = client.use_room(now, other, room_use);
        stage.peers[at].home = home;
        stage.note(other.is_ok());
        open(stage, at, home.map(TalkTo::Room), ChannelOptions::DEFAULT);
    }
    stage.run(600);
}

/// One speaks to two rooms, which another hears both and the third only one; somebody of less priority speaks too.
fn talk(stage: &mut Stage<'_>) {
    let now = stage.now();
    let forge = stage.peers[0].client.use_room(now, "Forge", RoomUse::Both).ok();
    if let Some(forge) = forge {
        let (id, client) = (stage.peers[0].client.room_id(forge), &stage.peers[0].client);
        let named = id.and_then(|id| client.room_name(id)) == Some("Forge");
        stage.note(named);
    }
    let loud = ChannelOptions { positional: true, priority: Priority::Medium, volume: Volume::MAX };
    let channel = open(stage, 0, forge.map(TalkTo::Room), loud);
    stage.peers[0].says = true;
    stage.run(600);
    stage.peers[1].says = true;
    stage.peers[1].client.set_default_priority(stage.now(), Priority::Low);
    stage.run(400);
    if let Some(channel) = channel {
        let urgent = ChannelOptions { priority: Priority::High, ..ChannelOptions::DEFAULT };
        let changed = stage.peers[0].client.change_channel(stage.now(), channel, urgent);
        stage.note(changed.is_ok());
    }
    stage.run(400);
    close(stage, 0, channel);
    stage.hush(0);
    if let Some(forge) = forge {
        let left = stage.peers[0].client.leave_room(stage.now(), forge);
        stage.note(left.is_ok());
    }
    stage.run(600);
    stage.hush(1);
    stage.run(200);
}

/// A whisper beside the talk in the room, of which the room must not learn.
fn whisper(stage: &mut Stage<'_>) {
    let second = stage.id(1).map(TalkTo::Client);
    let whisper = open(stage, 2, second, ChannelOptions::DEFAULT);
    stage.peers[2].says = true;
    stage.run(500);
    stage.hush(2);
    close(stage, 2, whisper);
    stage.run(200);
}

fn write(stage: &mut Stage<'_>) {
    let now = stage.now();
    let texts = [
        (0, stage.peers[0].home.map(TalkTo::Room), core::str::from_utf8(&LONG_TEXT).unwrap_or_default()),
        (2, stage.id(1).map(TalkTo::Client), "psst: über dem Tor"),
        (1, ClientId::new(4_000).map(TalkTo::Client), "hello?"),
    ];
    for (at, to, text) in texts {
        if let Some(to) = to {
            let sent = stage.peers[at].client.send_text(now, to, text);
            stage.note(sent.is_ok());
        }
    }
    if let Some(second) = stage.id(1) {
        let sent = stage.peers[0].client.send_rendezvous(now, second, &[1, 2, 3]);
        stage.note(sent.is_ok());
    }
    stage.run(400);
}

/// Mutes of all sorts, until nobody hears.
fn mute(stage: &mut Stage<'_>) {
    let (Some(first), Some(third)) = (stage.id(0), stage.id(2)) else { return };
    stage.peers[0].says = true;
    stage.peers[2].says = true;
    let now = stage.now();
    let muted = stage.peers[1].client.set_client_muted(now, first, true);
    let turned = stage.peers[1].client.set_client_volume(third, Volume::new(50).unwrap_or(Volume::FULL));
    stage.note(muted.is_ok() && turned.is_ok());
    stage.run(300);
    stage.peers[2].client.set_muted(stage.now(), true);
    stage.peers[2].client.set_deafened(stage.now(), true);
    stage.run(400);
    let heard_again = stage.peers[1].client.set_client_muted(stage.now(), first, false);
    stage.note(heard_again.is_ok());
    stage.peers[2].client.set_muted(stage.now(), false);
    stage.peers[2].client.set_deafened(stage.now(), false);
    stage.run(300);
    stage.hush(2);
    stage.hush(0);
    stage.run(200);
}

/// A direct path: proven, used, refused by the transport, jammed, lost.
fn go_direct(stage: &mut Stage<'_>) {
    stage.offer_path(0, 2);
    stage.run(600);
    stage.peers[0].says = true;
    stage.run(600);
    stage.paths_refuse = true;
    stage.run(200);
    stage.paths_refuse = false;
    stage.run(1_200);
    stage.net.jammed = true;
    stage.run(400);
    stage.net.jammed = false;
    stage.run(1_400);
    stage.lose_path(0, 2);
    stage.run(300);
    stage.hush(0);
}

/// A transport is lost, everything unreliable stops for so long that all notice, and a lane breaks.
fn lose_connections(stage: &mut Stage<'_>) {
    stage.drop_transport(1);
    stage.run(1_500);
    stage.net.jammed = true;
    stage.run(3_600);
    stage.net.jammed = false;
    stage.run(1_200);
    stage.break_lane(2);
    stage.run(1_500);
}

fn moderate(stage: &mut Stage<'_>) {
    let (Some(first), Some(second)) = (stage.id(0), stage.id(1)) else { return };
    open(stage, 1, Some(TalkTo::Client(first)), ChannelOptions::DEFAULT);
    stage.spoof(1, first);
    stage.peers[0].says = true;
    stage.run(200);
    let muted = stage.server.set_server_mute(stage.now(), first, true);
    stage.note(muted.is_ok());
    stage.run(300);
    let unmuted = stage.server.set_server_mute(stage.now(), first, false);
    stage.note(unmuted.is_ok());
    let room = stage.server.rooms().next().map(|room| room.id());
    if let Some(room) = room {
        let removed = stage.server.remove_from_room(stage.now(), second, room);
        stage.note(removed.is_ok());
    }
    stage.run(300);
    let kicked = stage.server.kick(stage.now(), first, 200);
    stage.note(kicked.is_ok());
    stage.run(400);
    stage.peers[0].client.connect(stage.now());
    stage.run(600);
}

/// The server's process is replaced by one that asks who may join, under the clients' feet.
fn meet_another_server(stage: &mut Stage<'_>) {
    let config = ServerConfig { admission: Admission::Ask, grace: Duration::from_secs(2), ..ServerConfig::DEFAULT };
    stage.unwelcome = Some(b'P');
    stage.replace_server(config, 77);
    stage.run(3_000);
    stage.peers[2].client.connect(stage.now());
    stage.run(600);
    if let Some(first) = stage.id(0) {
        let banned = stage.server.ban(stage.now(), first);
        stage.note(banned.is_ok());
    }
    let banned = stage.server.ban_identity(stage.now(), Identity(b'M'.into()));
    stage.note(banned.is_ok());
    stage.run(600);
    stage.server.unban(Identity(b'S'.into()));
    stage.peers[0].client.connect(stage.now());
    stage.peers[1].client.connect(stage.now());
    stage.run(1_000);
}

/// The server stops and starts, one client takes its leave, another never comes back.
fn part(stage: &mut Stage<'_>) {
    stage.server.stop(stage.now());
    stage.run(100);
    stage.server.start(stage.now());
    stage.run(2_000);
    stage.peers[2].client.disconnect(stage.now());
    stage.run(400);
    stage.drop_transport(0);
    stage.peers[0].client.disconnect(stage.now());
    stage.run(3_000);
}

fn open(stage: &mut Stage<'_>, at: usize, to: Option<TalkTo>, options: ChannelOptions) -> Option<ChannelHandle> {
    let now = stage.now();
    let channel = stage.peers[at].client.open_channel(now, to?, options).ok();
    stage.note(channel.is_some());
    channel
}

fn close(stage: &mut Stage<'_>, at: usize, channel: Option<ChannelHandle>) {
    let now = stage.now();
    let closed = channel.map(|channel| stage.peers[at].client.close_channel(now, channel));
    stage.note(closed.is_some_and(|closed| closed.is_ok()));
}
