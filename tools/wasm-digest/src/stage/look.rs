//! Everything that can be read of a client and a server, into the digest: what nobody calls, the linker leaves out of the wasm, and its
//! size would be too small.

use core::time::Duration;

use voice_core::{
    ClientId, ClientInfo, CodecSettings, Counters, Instant, Message, Person, RoomInfo, Sound, Target, wire::PersonFlags,
};

use super::{
    sum::Sum,
    tables::{SmallClient, SmallServer},
};

/// Pulls a frame length of everybody who can be heard.
pub(crate) fn hear(sum: &mut Sum, client: &mut SmallClient<'_>, now: Instant) {
    let mut speakers = [None; 4];
    speakers.iter_mut().zip(client.speakers()).for_each(|(slot, speaker)| *slot = Some(speaker));
    for speaker in speakers.into_iter().flatten() {
        let frame = client.next_frame(now, Duration::ZERO, speaker);
        sum.number(u8::from(frame.audible) | u8::from(frame.positional) << 1);
        sum.number(frame.volume_percent);
        match frame.sound {
            Sound::Play(payload) => sum.add(payload),
            Sound::Conceal => sum.add(b"conceal"),
            _ => sum.add(b"silence"),
        }
        heard(sum, client, speaker);
    }
    sum.number(client.top_priority().map_or(0, |priority| priority as u8));
}

fn heard(sum: &mut Sum, client: &SmallClient<'_>, speaker: ClientId) {
    for (to, options) in client.heard_channels(speaker) {
        target(sum, *to);
        sum.number(options.volume.percent());
        sum.number(options.priority as u8 | u8::from(options.positional) << 7);
    }
    let stats = client.speaker_stats(speaker).unwrap_or_default();
    for count in [
        stats.received,
        stats.lost,
        stats.late,
        stats.duplicates,
        stats.played,
        stats.recovered,
        stats.concealed_ms,
        stats.skipped,
    ] {
        sum.number(count);
    }
    sum.number(stats.jitter_us);
    sum.number(stats.loss);
}

pub(crate) fn read_messages(sum: &mut Sum, client: &mut SmallClient<'_>) {
    while let Some(message) = client.take_message() {
        match message {
            Message::Text { from, target: to, text } => {
                sum.number(from.get());
                target(sum, to);
                sum.text(text);
            }
            Message::Rendezvous { from, bytes } => {
                sum.number(from.get());
                sum.add(bytes);
            }
        }
    }
}

pub(crate) fn look_at_client(sum: &mut Sum, client: &mut SmallClient<'_>) {
    sum.number(client.state() as u8);
    sum.reason(client.state_reason());
    sum.number(client.session().map_or(0, |session| session.get()));
    sum.number(client.id().map_or(0, |id| id.get()));
    sum.number(client.rtt().map_or(0, |rtt| rtt.as_micros() as u64));
    sum.number(client.rtt_variation().as_micros() as u64);
    sum.number(client.poll_timeout().map_or(0, Instant::as_us));
    let flags = client.flags();
    let bits = [flags.muted, flags.deafened, client.is_server_muted(), client.is_unheard()];
    bits.into_iter().for_each(|bit| sum.number(bit));
    counters(sum, client.counters());
    sum.drops(client.drops());
    let mut people = [None; 8];
    people.iter_mut().zip(client.roster()).for_each(|(slot, person)| *slot = Some(person.id()));
    for id in people.into_iter().flatten() {
        sum.number(client.is_direct(id));
        if let Some(found) = client.person(id) {
            person(sum, found);
        }
    }
}

fn person(sum: &mut Sum, person: Person<'_>) {
    sum.number(person.id().get());
    sum.text(person.name());
    flags(sum, person.flags());
    codec(sum, person.codec());
    sum.number(person.priority() as u8);
    sum.number(person.is_muted_here());
    sum.number(person.volume().percent());
    person.rooms().iter().for_each(|room| sum.number(room.get()));
}

pub(crate) fn look_at_server(sum: &mut Sum, server: &mut SmallServer) {
    sum.number(server.session().get());
    sum.count(server.client_count());
    sum.number(server.poll_timeout().map_or(0, Instant::as_us));
    counters(sum, server.counters());
    sum.drops(server.drops());
    for known in server.clients() {
        if let Some(client) = server.client(known.id()) {
            seat(sum, client);
        }
    }
    for known in server.rooms() {
        if let Some(found) = server.room(known.id()) {
            room(sum, found);
        }
    }
}

fn seat(sum: &mut Sum, client: ClientInfo<'_>) {
    sum.number(client.id().get());
    sum.text(client.name());
    sum.number(client.identity().0);
    if let Some(connection) = client.connection() {
        sum.connection(connection);
    }
    flags(sum, client.flags());
    codec(sum, client.codec());
    sum.number(client.priority() as u8);
    sum.number(client.is_speaking());
    let report = client.report();
    sum.number(report.rtt_ms);
    sum.number(report.loss);
    sum.number(report.jitter_ms);
    for (room, room_use) in client.rooms() {
        sum.number(room.get());
        sum.number(room_use.number());
    }
}

fn room(sum: &mut Sum, room: RoomInfo<'_>) {
    sum.number(room.id().get());
    sum.text(room.name());
    sum.count(room.users());
    sum.count(room.listeners());
}

fn target(sum: &mut Sum, target: Target) {
    match target {
        Target::Room(room) => sum.number(room.get()),
        Target::Client(client) => sum.number(0x1_0000 | u32::from(client.get())),
    }
}

fn flags(sum: &mut Sum, flags: PersonFlags) {
    let bits = [flags.muted, flags.deafened, flags.server_muted, flags.reconnecting];
    bits.into_iter().for_each(|bit| sum.number(bit));
}

pub(crate) fn codec(sum: &mut Sum, codec: CodecSettings) {
    sum.number(codec.codec);
    sum.number(codec.frame_length.ms());
    sum.number(codec.bitrate);
}

fn counters(sum: &mut Sum, counters: &Counters) {
    let Counters { reliable_out, unreliable_out, reliable_in, unreliable_in, voice_out, voice_in, .. } = *counters;
    let Counters { direct_out, direct_in, events_dropped, .. } = *counters;
    let ways = [reliable_out, unreliable_out, reliable_in, unreliable_in, voice_out, voice_in, direct_out, direct_in];
    for way in ways {
        sum.number(way.packets);
        sum.number(way.bytes);
    }
    sum.number(events_dropped);
}
