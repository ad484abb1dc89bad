//! The tables of docs/PROTOCOL.md say what the code does.

use std::time::Duration;

use voice_core::{
    ChannelOptions, ClientId, CodecSettings, Delivery, DropReason, Priority, RoomId, RoomUse, Secret, SessionId,
    Target,
    wire::{
        Channel, CloseReason, Greeting, Hearing, Hello, Kind, Lane, Packet, PathAck, PersonFlags, Ping, RefuseReason,
        Report, ReportEntry, Resume, RoomCloseReason, RosterWriter, StateFlags, Summary, TextRefuseReason, VERSION,
        VoiceHeader, Welcome, limits,
    },
};

const DOCUMENT: &str = include_str!("../../docs/PROTOCOL.md");

/// The rows of the table whose heading is `heading`, as cells without their back-quotes.
fn table(heading: &str) -> Vec<Vec<String>> {
    let lines: Vec<&str> = DOCUMENT.lines().collect();
    let at = lines.iter().position(|line| *line == heading).expect("the document has this table");
    let rows = lines[at + 2..].iter().take_while(|line| line.starts_with('|'));
    rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()).collect()
}

fn kinds() -> Vec<Vec<String>> {
    table("| kind | name | direction | delivery | body | most bytes |")
}

#[test]
fn the_document_names_all_kinds_with_their_numbers_and_deliveries() {
    let written: Vec<_> = kinds().into_iter().map(|row| (row[0].clone(), row[1].clone(), row[3].clone())).collect();
    let known: Vec<_> = Kind::ALL
        .iter()
        .filter(|kind| **kind != Kind::Voice)
        .map(|kind| (format!("0x{:02X}", *kind as u8), kind.name().to_owned(), delivery(*kind).to_owned()))
        .collect();
    assert_eq!(written, known);
}

#[test]
fn every_first_byte_outside_the_table_is_voice_or_unknown() {
    let written: Vec<u8> = kinds().iter().map(|row| u8::from_str_radix(&row[0][2..], 16).unwrap()).collect();
    for byte in 0..=u8::MAX {
        let kind = Kind::from_first_byte(byte);
        match byte {
            0x80.. => assert_eq!(kind, Some(Kind::Voice)),
            _ => assert_eq!(kind.map(|kind| kind as u8), written.contains(&byte).then_some(byte)),
        }
    }
}

#[test]
fn the_largest_packet_of_each_kind_is_as_long_as_the_document_says() {
    let mut written: Vec<_> = kinds().into_iter().map(|row| (row[1].clone(), row[5].parse().unwrap())).collect();
    written.push(("Voice".to_owned(), 8 + 4 * 8 + 1 + 2 * 32 + 1_000));
    let mut longest: Vec<_> = largest().iter().map(|packet| (packet.kind().name().to_owned(), len(packet))).collect();
    let (mut roster, mut report, mut voice) = ([0; 2_000], [0; 2_000], [0; 2_000]);
    longest.push(("Roster".to_owned(), full_page(&mut roster)));
    longest.push(("Report".to_owned(), full_report(&mut report)));
    longest.push(("Voice".to_owned(), full_voice(&mut voice)));
    written.sort();
    longest.sort();
    assert_eq!(longest, written);
}

#[test]
fn a_field_one_byte_longer_than_in_the_largest_packet_is_not_written() {
    for packet in too_large() {
        assert_eq!(packet.encode(&mut [0; 2_000]), None, "{packet:?}");
    }
}

#[test]
fn the_document_names_all_limits_with_their_values() {
    let known = [
        ("MAX_PACKET_BYTES", limits::MAX_PACKET_BYTES),
        ("MAX_NAME_BYTES", limits::MAX_NAME_BYTES),
        ("MAX_CREDENTIAL_BYTES", limits::MAX_CREDENTIAL_BYTES),
        ("MAX_PAYLOAD_BYTES", limits::MAX_PAYLOAD_BYTES),
        ("MAX_CHANNELS", limits::MAX_CHANNELS),
        ("MAX_RELAY_LIST", limits::MAX_RELAY_LIST),
        ("MAX_ROOMS_PER_CLIENT", limits::MAX_ROOMS_PER_CLIENT),
        ("MAX_UNANSWERED_ROOMS", limits::MAX_UNANSWERED_ROOMS),
        ("MAX_TEXT_BYTES", limits::MAX_TEXT_BYTES),
        ("TEXT_PART_BYTES", limits::TEXT_PART_BYTES),
        ("MAX_RENDEZVOUS_BYTES", limits::MAX_RENDEZVOUS_BYTES),
        ("MAX_REPORT_ENTRIES", limits::MAX_REPORT_ENTRIES),
        ("LANE_WINDOW", usize::from(limits::LANE_WINDOW)),
        ("LANE_ACK_EVERY", usize::from(limits::LANE_ACK_EVERY)),
    ];
    let rows = table("| name | value |");
    let written: Vec<(&str, usize)> =
        rows.iter().map(|row| (row[0].as_str(), row[1].replace(',', "").parse().unwrap())).collect();
    assert_eq!(written, known);
}

#[test]
fn the_document_names_all_timers_with_their_values() {
    let known = [
        ("PING_INTERVAL", limits::PING_INTERVAL),
        ("IDLE_AFTER", limits::IDLE_AFTER),
        ("IDLE_PING_INTERVAL", limits::IDLE_PING_INTERVAL),
        ("DEGRADED_AFTER", limits::DEGRADED_AFTER),
        ("CLIENT_TIMEOUT", limits::CLIENT_TIMEOUT),
        ("CONNECT_TIMEOUT", limits::CONNECT_TIMEOUT),
        ("JOIN_TIMEOUT", limits::JOIN_TIMEOUT),
        ("SERVER_TIMEOUT", limits::SERVER_TIMEOUT),
        ("IDLE_TIMEOUT", limits::IDLE_TIMEOUT),
        ("HELLO_TIMEOUT", limits::HELLO_TIMEOUT),
        ("GRACE", limits::GRACE),
        ("LANE_STALL", limits::LANE_STALL),
        ("ROSTER_INTERVAL", limits::ROSTER_INTERVAL),
        ("ROSTER_REQUEST_INTERVAL", limits::ROSTER_REQUEST_INTERVAL),
        ("REPORT_INTERVAL", limits::REPORT_INTERVAL),
        ("PHASE_INTERVAL", limits::PHASE_INTERVAL),
        ("SUMMARY_INTERVAL", limits::SUMMARY_INTERVAL),
        ("TALKSPURT_TIMEOUT", limits::TALKSPURT_TIMEOUT),
        ("GREET_INTERVAL", limits::GREET_INTERVAL),
        ("GREET_REFRESH", limits::GREET_REFRESH),
        ("PAIR_RETRY", limits::PAIR_RETRY),
        ("PATH_DOUBT", limits::PATH_DOUBT),
        ("PATH_PROVEN", limits::PATH_PROVEN),
    ];
    let rows = table("| name | value | who | what |");
    let written: Vec<(&str, Duration)> = rows.iter().map(|row| (row[0].as_str(), span(&row[1]))).collect();
    assert_eq!(written, known);
}

#[test]
fn the_document_names_all_drop_reasons_in_their_order() {
    let written: Vec<String> = table("| reason | when |").into_iter().map(|row| row[0].clone()).collect();
    let known: Vec<&str> = DropReason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(written, known);
}

/// `1.2 s` or `50 ms`.
fn span(text: &str) -> Duration {
    let (number, unit) = text.split_once(' ').unwrap();
    let (whole, tenths) = number.split_once('.').unwrap_or((number, "0"));
    let tenths = whole.parse::<u64>().unwrap() * 10 + tenths.parse::<u64>().unwrap();
    Duration::from_micros(tenths * if unit == "ms" { 100 } else { 100_000 })
}

fn delivery(kind: Kind) -> &'static str {
    match kind.delivery() {
        Delivery::Reliable => "reliable",
        Delivery::Unreliable => "unreliable",
    }
}

fn len(packet: &Packet<'_>) -> usize {
    packet.encode(&mut [0xAA; limits::MAX_PACKET_BYTES]).expect("the largest packet is allowed")
}

const NAME_65: &str = "12345678901234567890123456789012345678901234567890123456789012345";
const BYTES: &[u8] = &[7; 1_001];

fn lane() -> Lane {
    Lane { session: SessionId::new(9).unwrap(), number: 1 }
}

fn client() -> ClientId {
    ClientId::new(1).unwrap()
}

fn room() -> RoomId {
    RoomId::new(1).unwrap()
}

fn hello<'a>(name: &'a str, credential: &'a [u8]) -> Packet<'a> {
    let resume = Resume { session: lane().session, client: client(), secret: Secret::from_bytes([1; 16]) };
    Packet::Hello(Hello {
        version: VERSION,
        features: 1,
        nonce: 2,
        codec: CodecSettings::DEFAULT,
        flags: StateFlags::default(),
        priority: Priority::None,
        resume: Some(resume),
        name,
        credential,
    })
}

/// The packets with a variable part, holding this name or these bytes.
fn sized<'a>(name: &'a str, bytes: &'a [u8]) -> Vec<Packet<'a>> {
    let (lane, client, room, target) = (lane(), client(), room(), Target::Room(room()));
    vec![
        Packet::UseRoom { lane, room_use: RoomUse::Both, name },
        Packet::SendText { lane, number: 1, last: true, target, bytes },
        Packet::SendText { lane, number: 1, last: false, target, bytes },
        Packet::SendRendezvous { lane, to: client, bytes },
        Packet::RoomGranted { lane, room, room_use: RoomUse::Listen, name },
        Packet::RoomClosed { lane, reason: RoomCloseReason::TooMany, name },
        Packet::Text { lane, from: client, last: true, target, bytes },
        Packet::Rendezvous { lane, from: client, bytes },
    ]
}

fn fixed() -> Vec<Packet<'static>> {
    let (lane, client, room, session) = (lane(), client(), room(), lane().session);
    let secret = Secret::from_bytes([3; 16]);
    let welcome = Welcome {
        session,
        nonce: 2,
        version: VERSION,
        features: 1,
        client,
        resumed: true,
        secret,
        grace_s: 30,
        max_rooms: 32,
    };
    let greeting = Greeting::new(false, session, client, client, 4, &secret);
    vec![
        Packet::LeaveRoom { lane, room },
        Packet::SetState { lane, flags: StateFlags { muted: true, deafened: true }, priority: Priority::High },
        Packet::SetBlock { lane, client, blocked: true },
        Packet::PairRequest { lane, client },
        Packet::Leave { lane },
        Packet::RosterRequest { lane },
        Packet::Welcome(welcome),
        Packet::Refused { nonce: 2, reason: RefuseReason::Full },
        Packet::Audience { lane, heard: true, sequence: 7 },
        Packet::TextRefused { lane, number: 1, reason: TextRefuseReason::BadText },
        Packet::Pair { lane, client, secret },
        Packet::PairGone { lane, client },
        Packet::Closed { lane, reason: CloseReason::Left },
        Packet::Ping(Ping { session, stamp: 1, next: 2, rtt_ms: 3, loss: 4, jitter_ms: 5, idle: false }),
        Packet::Pong { session, stamp: 1, next: 2 },
        Packet::LaneAck { session, next: 2 },
        Packet::WrongSession { ours: session, theirs: 0 },
        Packet::Greet(greeting),
        Packet::GreetAck(greeting),
        Packet::PathAck(PathAck { session, sender: client, receiver: client, sequence: 1, received: 2 }),
        Packet::Summary(Summary { session, listeners: 64, hearing: HEARING }),
        Packet::Phase { session, sequence: 1, later_us: 19_999 },
    ]
}

fn largest() -> Vec<Packet<'static>> {
    let mut packets = sized(&NAME_65[..64], &BYTES[..1_000]);
    packets.retain(|packet| !matches!(packet, Packet::SendText { last: false, .. }));
    packets.push(hello(&NAME_65[..64], &BYTES[..512]));
    packets.extend(fixed());
    packets
}

fn too_large() -> Vec<Packet<'static>> {
    let mut packets = sized(NAME_65, BYTES);
    packets.push(hello(NAME_65, &[]));
    packets.push(hello("", &BYTES[..513]));
    packets
}

/// A roster page to which nothing can be added: 393 ids that are gone and one person with a name of one byte.
fn full_page(out: &mut [u8]) -> usize {
    let mut page = RosterWriter::new(out);
    let none = PersonFlags::default();
    assert!(page.push_present(client(), none, &CodecSettings::DEFAULT, Priority::None, "x", core::iter::empty()));
    let mut gone = 0;
    while page.push_gone(client()) {
        gone += 1;
    }
    assert_eq!(gone, 393);
    page.finish(lane(), true, true).unwrap()
}

const HEARING: Hearing = Hearing { loss: 255, late: 0, jitter_ms: 255, delay: 255, growth: 255 };

fn full_report(out: &mut [u8]) -> usize {
    let entry = |id| ReportEntry { speaker: ClientId::new(id).unwrap(), hearing: HEARING };
    let entries: Vec<_> = (1..=17).map(entry).collect();
    assert_eq!(Report::write(out, lane().session, &entries), None);
    Report::write(out, lane().session, &entries[..16]).unwrap()
}

fn full_voice(out: &mut [u8]) -> usize {
    let header = VoiceHeader {
        mark: true,
        end: true,
        tag: 9,
        speaker: client(),
        sequence: 1,
        media_time: 2,
        frame_length: voice_core::FrameLength::Ms20,
    };
    let channel = |id| Channel { target: Target::Room(RoomId::new(id).unwrap()), options: ChannelOptions::DEFAULT };
    let channels: Vec<_> = (1..=8).map(channel).collect();
    let relay: Vec<_> = (1..=32).map(|id| ClientId::new(id).unwrap()).collect();
    let start = header.write(out, &channels, Some((true, &relay))).unwrap();
    let end = start + limits::MAX_PAYLOAD_BYTES;
    assert!(Packet::decode(&out[..end]).is_ok());
    assert_eq!(Packet::decode(&out[..end + 1]), Err(DropReason::Malformed));
    end
}
