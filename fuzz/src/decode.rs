use voice_core::wire::{Packet, Voice, limits::MAX_PACKET_BYTES};

/// Decodes any bytes as a packet: no panic, and what is accepted encodes to the same bytes.
pub fn decode(data: &[u8]) {
    let mut out = [0xAA; MAX_PACKET_BYTES + 8];
    match Packet::decode(data) {
        Ok(packet) => {
            let len = packet.encode(&mut out).expect("what decodes can be encoded");
            assert_eq!(&out[..len], data, "two encodings of one packet");
            assert!(packet.encode(&mut out[..len - 1]).is_none(), "written without room");
            read_lists(&packet);
        }
        Err(reason) => assert!(!reason.name().is_empty()),
    }
}

/// Lists inside packets are read when they are asked for.
fn read_lists(packet: &Packet<'_>) {
    match packet {
        Packet::Roster(page) => {
            for present in page.records().filter_map(|record| record.present) {
                assert!(present.name.len() <= 64 && present.rooms.iter().count() <= 32);
            }
        }
        Packet::Report(report) => {
            assert!((1..=16).contains(&report.entries().count()));
            assert!(report.entries().is_sorted_by(|a, b| a.speaker < b.speaker));
        }
        Packet::Voice(Voice { channels, relay, payload, .. }) => {
            assert!((1..=8).contains(&channels.iter().count()) && payload.len() <= 1_000);
            assert!(relay.is_none_or(|relay| (1..=32).contains(&relay.iter().count())));
        }
        _ => {}
    }
}
