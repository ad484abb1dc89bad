use voice_core::{
    ChannelOptions, ClientId, CodecSettings, FrameLength, Priority, RoomId, RoomUse, Secret, SessionId, Target, Volume,
    wire::{
        Channel, CloseReason, Greeting, Hello, Lane, Packet, PathAck, PersonFlags, Ping, RefuseReason, Resume,
        RoomCloseReason, RosterWriter, StateFlags, TextRefuseReason, VERSION, Voice, VoiceHeader, Welcome,
        limits::MAX_PACKET_BYTES,
    },
};

use crate::input::Input;

/// Builds packets from the bytes, encodes and decodes them: the same packet comes back.
pub fn round_trip(data: &[u8]) {
    let input = &mut Input::new(data);
    while !input.is_empty() {
        match input.below(30) {
            28 => voice(input),
            29 => roster(input),
            which => control(input, which),
        }
    }
}

fn check(packet: &Packet<'_>) {
    let mut out = [0xAA; MAX_PACKET_BYTES];
    if let Some(len) = packet.encode(&mut out) {
        assert_eq!(Packet::decode(&out[..len]).as_ref(), Ok(packet));
    }
}

fn control(input: &mut Input<'_>, which: usize) {
    let name = text(input, 70);
    let bytes = input.packet();
    let (lane, client, room) = (lane(input), client(input), room(input));
    let (number, flag) = (input.u16(), input.flag());
    check(&match which {
        0 => return hello(input, &name, bytes),
        1 => Packet::UseRoom { lane, room_use: room_use(input), name: &name },
        2 => Packet::LeaveRoom { lane, room },
        3 => Packet::SetState { lane, flags: state_flags(input), priority: priority(input) },
        4 => Packet::SetBlock { lane, client, blocked: flag },
        5 => Packet::SendText { lane, number, last: flag, target: target(input), bytes },
        6 => Packet::PairRequest { lane, client },
        7 => Packet::SendRendezvous { lane, to: client, bytes },
        8 if flag => Packet::RosterRequest { lane },
        8 => Packet::Leave { lane },
        9 => return welcome(input, flag),
        10 => Packet::Refused { nonce: input.u32(), reason: reason(input, RefuseReason::from_number) },
        11 => Packet::RoomGranted { lane, room, room_use: room_use(input), name: &name },
        12 => Packet::RoomClosed { lane, reason: reason(input, RoomCloseReason::from_number), name: &name },
        13 => Packet::Audience { lane, heard: flag },
        14 => Packet::Text { lane, from: client, last: flag, target: target(input), bytes },
        15 => Packet::TextRefused { lane, number, reason: reason(input, TextRefuseReason::from_number) },
        16 => Packet::Pair { lane, client, secret: secret(input) },
        17 => Packet::PairGone { lane, client },
        18 => Packet::Rendezvous { lane, from: client, bytes },
        19 => Packet::Closed { lane, reason: reason(input, CloseReason::from_number) },
        20 => Packet::Ping(Ping {
            session: lane.session,
            stamp: input.u32(),
            next: number,
            rtt_ms: input.u16(),
            loss: input.byte(),
            jitter_ms: input.u16(),
        }),
        21 => Packet::Pong { session: lane.session, stamp: input.u32(), next: number },
        22 => Packet::LaneAck { session: lane.session, next: number },
        23 => Packet::WrongSession { ours: lane.session, theirs: input.u32() },
        24 | 25 => {
            let greeting = Greeting::new(flag, lane.session, client, self::client(input), input.u64(), &secret(input));
            if flag { Packet::GreetAck(greeting) } else { Packet::Greet(greeting) }
        }
        _ => Packet::PathAck(PathAck {
            session: lane.session,
            sender: client,
            receiver: self::client(input),
            sequence: number,
            received: input.u32(),
        }),
    });
}

fn hello(input: &mut Input<'_>, name: &str, credential: &[u8]) {
    let resume = input.flag().then(|| Resume { session: session(input), client: client(input), secret: secret(input) });
    check(&Packet::Hello(Hello {
        version: VERSION,
        features: input.u32(),
        nonce: input.u32(),
        codec: codec(input),
        flags: state_flags(input),
        priority: priority(input),
        resume,
        name,
        credential,
    }));
}

fn welcome(input: &mut Input<'_>, resumed: bool) {
    check(&Packet::Welcome(Welcome {
        session: session(input),
        nonce: input.u32(),
        version: VERSION,
        features: input.u32(),
        client: client(input),
        resumed,
        secret: secret(input),
        grace_s: input.u16(),
        max_rooms: input.byte(),
    }));
}

fn voice(input: &mut Input<'_>) {
    let header = VoiceHeader {
        mark: input.flag(),
        end: input.flag(),
        tag: input.u16(),
        speaker: client(input),
        sequence: input.u16(),
        media_time: input.byte(),
    };
    let channels: Vec<Channel> = (0..input.below(10)).map(|_| channel(input)).collect();
    let listed: Vec<ClientId> = (0..input.below(34)).map(|_| client(input)).collect();
    let relay = input.flag().then(|| (input.flag(), listed.as_slice()));
    let payload = input.packet();
    let mut out = [0xAA; MAX_PACKET_BYTES];
    let Some(start) = header.write(&mut out, &channels, relay) else { return };
    let Some(place) = out.get_mut(start..start + payload.len()) else { return };
    place.copy_from_slice(payload);
    let Ok(voice) = Voice::decode(&out[..start + payload.len()]) else {
        assert!(payload.len() > 1_000 || (payload.is_empty() && !header.end), "a written voice packet isn't read");
        return;
    };
    assert_eq!((voice.header, voice.payload), (header, payload));
    assert!(voice.channels.iter().eq(channels.iter().copied()));
    let read = voice.relay.map(|list| (list.only, list.iter().collect::<Vec<_>>()));
    assert_eq!(read, relay.map(|(only, clients)| (only, clients.to_vec())));
}

fn roster(input: &mut Input<'_>) {
    let mut out = [0xAA; MAX_PACKET_BYTES];
    let mut page = RosterWriter::new(&mut out);
    let mut pushed = Vec::new();
    for _ in 0..input.below(20) {
        let (id, name) = (client(input), text(input, 70));
        let rooms: Vec<RoomId> = (0..input.below(34)).map(|_| room(input)).collect();
        let flags = PersonFlags { muted: input.flag(), server_muted: input.flag(), ..PersonFlags::default() };
        let done = match input.flag() {
            true => page.push_present(id, flags, &codec(input), priority(input), &name, rooms.iter().copied()),
            false => page.push_gone(id),
        };
        if done {
            pushed.push(id);
        }
    }
    let Some(len) = page.finish(lane(input), input.flag(), input.flag()) else { return };
    let Ok(Packet::Roster(read)) = Packet::decode(&out[..len]) else { panic!("a written page isn't read") };
    assert!(read.records().map(|record| record.client).eq(pushed));
}

fn text(input: &mut Input<'_>, most: usize) -> String {
    let len = input.below(most + 1);
    String::from_utf8_lossy(input.bytes(len)).into_owned()
}

fn channel(input: &mut Input<'_>) -> Channel {
    let volume = Volume::new(input.byte()).unwrap_or(Volume::FULL);
    let options = ChannelOptions { positional: input.flag(), priority: priority(input), volume };
    Channel { target: target(input), options }
}

fn session(input: &mut Input<'_>) -> SessionId {
    SessionId::new(input.u32().max(1)).expect("not 0")
}

fn lane(input: &mut Input<'_>) -> Lane {
    Lane { session: session(input), number: input.u16() }
}

fn client(input: &mut Input<'_>) -> ClientId {
    ClientId::new(input.u16().max(1)).expect("not 0")
}

fn room(input: &mut Input<'_>) -> RoomId {
    RoomId::new(input.u16().max(1)).expect("not 0")
}

fn target(input: &mut Input<'_>) -> Target {
    if input.flag() { Target::Room(room(input)) } else { Target::Client(client(input)) }
}

fn secret(input: &mut Input<'_>) -> Secret {
    let mut secret = [0; 16];
    let bytes = input.bytes(16);
    secret[..bytes.len()].copy_from_slice(bytes);
    Secret::from_bytes(secret)
}

fn priority(input: &mut Input<'_>) -> Priority {
    Priority::from_number(input.byte() % 5).expect("below 5")
}

fn room_use(input: &mut Input<'_>) -> RoomUse {
    RoomUse::from_number(1 + input.byte() % 3).expect("1 to 3")
}

fn state_flags(input: &mut Input<'_>) -> StateFlags {
    StateFlags { muted: input.flag(), deafened: input.flag() }
}

fn codec(input: &mut Input<'_>) -> CodecSettings {
    let frame_length = FrameLength::from_ms([10, 20, 40, 60][input.below(4)]).expect("one of the four");
    CodecSettings { codec: input.byte(), frame_length, bitrate: input.u32() }
}

fn reason<T>(input: &mut Input<'_>, from: fn(u8) -> Option<T>) -> T {
    from(input.byte()).or_else(|| from(1)).expect("there is a reason 1")
}
