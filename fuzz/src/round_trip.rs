use voice_core::wire::{Packet, Voice, limits::MAX_PACKET_BYTES};

use crate::{draw::Draw, input::Input};

/// Builds packets from the bytes, encodes and decodes them: the same packet comes back.
pub fn round_trip(data: &[u8]) {
    let input = &mut Input::new(data);
    while !input.is_empty() {
        let which = input.below(31);
        let mut draw = Draw::any(input);
        match which {
            28 => voice(&mut draw),
            29 => roster(&mut draw),
            30 => report(&mut draw),
            which => draw.control(which, check),
        }
    }
}

fn check(packet: &Packet<'_>) {
    let mut out = [0xAA; MAX_PACKET_BYTES];
    if let Some(len) = packet.encode(&mut out) {
        assert_eq!(Packet::decode(&out[..len]).as_ref(), Ok(packet));
    }
}

fn voice(draw: &mut Draw<'_, '_>) {
    let parts = draw.voice();
    let mut out = [0xAA; MAX_PACKET_BYTES];
    let Some(len) = parts.write(&mut out) else { return };
    let (header, payload) = (parts.header, parts.payload);
    let Ok(voice) = Voice::decode(&out[..len]) else {
        assert!(payload.len() > 1_000 || (payload.is_empty() && !header.end), "a written voice packet isn't read");
        return;
    };
    assert_eq!((voice.header, voice.payload), (header, payload));
    assert!(voice.channels.iter().eq(parts.channels.iter().copied()));
    assert_eq!(voice.relay.map(|list| (list.only, list.iter().collect::<Vec<_>>())), parts.relay);
}

fn report(draw: &mut Draw<'_, '_>) {
    let mut out = [0xAA; MAX_PACKET_BYTES];
    let Some(len) = draw.report(&mut out) else { return };
    assert!(matches!(Packet::decode(&out[..len]), Ok(Packet::Report(_))), "a written report isn't read");
}

fn roster(draw: &mut Draw<'_, '_>) {
    let mut out = [0xAA; MAX_PACKET_BYTES];
    let (pushed, len) = draw.roster(&mut out);
    let Some(len) = len else { return };
    let Ok(Packet::Roster(read)) = Packet::decode(&out[..len]) else { panic!("a written page isn't read") };
    assert!(read.records().map(|record| record.client).eq(pushed));
}
