//! There is one encoding per value, whatever the value and whatever the bytes.

use proptest::{collection::vec, prelude::*};
use voice_core::{
    ChannelOptions, ClientId, CodecSettings, FrameLength, Priority, RoomId, RoomUse, Secret, SessionId, Target, Volume,
    wire::{
        Channel, CloseReason, Greeting, Hearing, Hello, Kind, Lane, Packet, PathAck, PersonFlags, Ping, RefuseReason,
        Report, ReportEntry, Resume, RoomCloseReason, RosterWriter, StateFlags, Summary, TextRefuseReason, VERSION,
        Voice, VoiceHeader, Welcome,
        limits::{
            MAX_CHANNELS, MAX_PACKET_BYTES, MAX_RELAY_LIST, MAX_REPORT_ENTRIES, MAX_ROOMS_PER_CLIENT, TEXT_PART_BYTES,
        },
    },
};

fn encode(packet: &Packet<'_>) -> Vec<u8> {
    let mut out = [0xAA; MAX_PACKET_BYTES];
    let len = packet.encode(&mut out).expect("the packet is allowed");
    assert!(out[len..].iter().all(|byte| *byte == 0xAA), "wrote after its end");
    out[..len].to_vec()
}

fn assert_needs_all_its_bytes(packet: &Packet<'_>, len: usize) {
    for short in 0..len {
        assert_eq!(packet.encode(&mut vec![0xAA; short]), None);
    }
}

fn session() -> impl Strategy<Value = SessionId> {
    (1..=u32::MAX).prop_map(|id| SessionId::new(id).unwrap())
}

fn client() -> impl Strategy<Value = ClientId> {
    (1..=u16::MAX).prop_map(|id| ClientId::new(id).unwrap())
}

fn room() -> impl Strategy<Value = RoomId> {
    (1..=u16::MAX).prop_map(|id| RoomId::new(id).unwrap())
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![room().prop_map(Target::Room), client().prop_map(Target::Client)]
}

fn lane() -> impl Strategy<Value = Lane> {
    (session(), any::<u16>()).prop_map(|(session, number)| Lane { session, number })
}

fn secret() -> impl Strategy<Value = Secret> {
    any::<[u8; 16]>().prop_map(Secret::from_bytes)
}

fn priority() -> impl Strategy<Value = Priority> {
    (0..=4u8).prop_map(|number| Priority::from_number(number).unwrap())
}

fn room_use() -> impl Strategy<Value = RoomUse> {
    (1..=3u8).prop_map(|number| RoomUse::from_number(number).unwrap())
}

fn state_flags() -> impl Strategy<Value = StateFlags> {
    any::<(bool, bool)>().prop_map(|(muted, deafened)| StateFlags { muted, deafened })
}

fn frame_length() -> impl Strategy<Value = FrameLength> {
    prop::sample::select(vec![10, 20, 40, 60]).prop_map(|ms| FrameLength::from_ms(ms).unwrap())
}

fn codec() -> impl Strategy<Value = CodecSettings> {
    let id = prop_oneof![Just(1), 128..=u8::MAX];
    (id, frame_length(), 1..=1_000_000u32).prop_map(|(codec, frame_length, bitrate)| CodecSettings {
        codec,
        frame_length,
        bitrate,
    })
}

/// Text of `least` to 64 bytes, not only ASCII.
fn name(least: usize) -> impl Strategy<Value = String> {
    vec(any::<char>(), least..=64).prop_map(|letters| {
        letters.into_iter().fold(String::new(), |mut name, letter| {
            if name.len() + letter.len_utf8() <= 64 {
                name.push(letter);
            }
            name
        })
    })
}

fn number<T: Copy + core::fmt::Debug + 'static>(from: fn(u8) -> Option<T>) -> impl Strategy<Value = T> {
    prop::sample::select((0..=u8::MAX).filter_map(from).collect::<Vec<_>>())
}

fn hello() -> impl Strategy<Value = Vec<u8>> {
    let resume = prop::option::of((session(), client(), secret()));
    let fixed = (any::<u32>(), any::<u32>(), codec(), state_flags(), priority(), resume);
    (fixed, name(0), vec(any::<u8>(), 0..=512)).prop_map(|(fixed, name, credential)| {
        let (features, nonce, codec, flags, priority, resume) = fixed;
        let resume = resume.map(|(session, client, secret)| Resume { session, client, secret });
        let (name, credential) = (name.as_str(), credential.as_slice());
        let version = VERSION;
        checked(&Packet::Hello(Hello { version, features, nonce, codec, flags, priority, resume, name, credential }))
    })
}

fn welcome() -> impl Strategy<Value = Vec<u8>> {
    let numbers = (any::<u32>(), any::<u32>(), any::<bool>(), any::<u16>(), any::<u8>());
    (session(), client(), secret(), numbers).prop_map(|(session, client, secret, numbers)| {
        let (nonce, features, resumed, grace_s, max_rooms) = numbers;
        let version = VERSION;
        let welcome = Welcome { session, nonce, version, features, client, resumed, secret, grace_s, max_rooms };
        checked(&Packet::Welcome(welcome))
    })
}

fn of_rooms() -> impl Strategy<Value = Vec<u8>> {
    let reasons = number(RoomCloseReason::from_number);
    (lane(), room(), room_use(), name(1), reasons, 0..4).prop_map(|(lane, room, room_use, name, reason, which)| {
        let name = name.as_str();
        checked(&match which {
            0 => Packet::UseRoom { lane, room_use, name },
            1 => Packet::LeaveRoom { lane, room },
            2 => Packet::RoomGranted { lane, room, room_use, name },
            _ => Packet::RoomClosed { lane, reason, name },
        })
    })
}

fn of_text() -> impl Strategy<Value = Vec<u8>> {
    let bytes = vec(any::<u8>(), 1..=TEXT_PART_BYTES);
    let reasons = number(TextRefuseReason::from_number);
    (lane(), any::<u16>(), client(), any::<bool>(), target(), bytes, reasons, 0..5).prop_map(
        |(lane, number, client, last, target, mut bytes, reason, which)| {
            if !last {
                bytes.resize(TEXT_PART_BYTES, 0);
            }
            let bytes = bytes.as_slice();
            checked(&match which {
                0 => Packet::SendText { lane, number, last, target, bytes },
                1 => Packet::Text { lane, from: client, last, target, bytes },
                2 => Packet::SendRendezvous { lane, to: client, bytes },
                3 => Packet::Rendezvous { lane, from: client, bytes },
                _ => Packet::TextRefused { lane, number, reason },
            })
        },
    )
}

fn of_clients() -> impl Strategy<Value = Vec<u8>> {
    let reasons = (number(CloseReason::from_number), number(RefuseReason::from_number));
    (lane(), client(), any::<bool>(), (state_flags(), priority()), secret(), reasons, any::<u32>(), 0..9).prop_map(
        |(lane, client, yes, (flags, priority), secret, reasons, nonce, which)| {
            checked(&match which {
                0 => Packet::SetState { lane, flags, priority },
                1 => Packet::SetBlock { lane, client, blocked: yes },
                2 => Packet::PairRequest { lane, client },
                3 => {
                    if yes {
                        Packet::Leave { lane }
                    } else {
                        Packet::RosterRequest { lane }
                    }
                }
                4 => Packet::Audience { lane, heard: yes, sequence: nonce as u16 },
                5 => Packet::Pair { lane, client, secret },
                6 => Packet::PairGone { lane, client },
                7 => Packet::Closed { lane, reason: reasons.0 },
                _ => Packet::Refused { nonce, reason: reasons.1 },
            })
        },
    )
}

fn unreliable() -> impl Strategy<Value = Vec<u8>> {
    let numbers = any::<(u32, u16, u16, u8, u16, u64, u64, bool)>();
    (session(), client(), client(), numbers, 0..7).prop_map(|(session, sender, receiver, numbers, which)| {
        let (stamp, next, rtt_ms, loss, jitter_ms, nonce, proof, idle) = numbers;
        let greeting = Greeting { session, sender, receiver, nonce, proof };
        checked(&match which {
            0 => Packet::Ping(Ping { session, stamp, next, rtt_ms, loss, jitter_ms, idle }),
            1 => Packet::Pong { session, stamp, next },
            2 => Packet::LaneAck { session, next },
            3 => Packet::WrongSession { ours: session, theirs: stamp },
            4 => Packet::Greet(greeting),
            5 => Packet::GreetAck(greeting),
            _ => Packet::PathAck(PathAck { session, sender, receiver, sequence: next, received: stamp }),
        })
    })
}

fn hearing() -> impl Strategy<Value = Hearing> {
    any::<(u8, u8, u8, u8, u8)>().prop_map(|(loss, late, jitter_ms, delay, growth)| {
        let late = late.min(u8::MAX - loss);
        Hearing { loss, late, jitter_ms, delay, growth }
    })
}

fn summary() -> impl Strategy<Value = Vec<u8>> {
    (session(), 1..=64u8, hearing())
        .prop_map(|(session, listeners, hearing)| checked(&Packet::Summary(Summary { session, listeners, hearing })))
}

fn phase() -> impl Strategy<Value = Vec<u8>> {
    (session(), any::<u16>(), 1..20_000_u16)
        .prop_map(|(session, sequence, later_us)| checked(&Packet::Phase { session, sequence, later_us }))
}

fn report() -> impl Strategy<Value = Vec<u8>> {
    let entries = prop::collection::btree_map(client(), hearing(), 1..=MAX_REPORT_ENTRIES);
    (session(), entries).prop_map(|(session, entries)| {
        let entries: Vec<ReportEntry> =
            entries.into_iter().map(|(speaker, hearing)| ReportEntry { speaker, hearing }).collect();
        let mut out = [0xAA; MAX_PACKET_BYTES];
        let len = Report::write(&mut out, session, &entries).unwrap();
        match Packet::decode(&out[..len]) {
            Ok(Packet::Report(report)) => assert!(report.entries().eq(entries), "{report:?}"),
            other => panic!("{other:?}"),
        }
        out[..len].to_vec()
    })
}

/// The bytes of a packet that was seen to come back as it was.
fn checked(packet: &Packet<'_>) -> Vec<u8> {
    let bytes = encode(packet);
    assert_eq!(Packet::decode(&bytes).as_ref(), Ok(packet));
    bytes
}

fn packets() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        hello(),
        welcome(),
        of_rooms(),
        of_text(),
        of_clients(),
        unreliable(),
        summary(),
        phase(),
        report(),
        roster_page(),
        voice_packet()
    ]
}

type Person = (ClientId, Option<([bool; 4], CodecSettings, Priority, String, Vec<RoomId>)>);

fn people() -> impl Strategy<Value = Vec<Person>> {
    let rooms = prop::collection::btree_set(room(), 0..=MAX_ROOMS_PER_CLIENT).prop_map(Vec::from_iter);
    let present = (any::<[bool; 4]>(), codec(), priority(), name(0), rooms);
    vec((client(), prop::option::of(present)), 0..=6)
}

fn write_page(lane: Lane, first: bool, last: bool, people: &[Person]) -> Vec<u8> {
    let mut out = [0xAA; MAX_PACKET_BYTES];
    let mut page = RosterWriter::new(&mut out);
    for (client, present) in people {
        assert!(match present {
            None => page.push_gone(*client),
            Some((flags, codec, priority, name, rooms)) => {
                page.push_present(*client, person_flags(*flags), codec, *priority, name, rooms.iter().copied())
            }
        });
    }
    let len = page.finish(lane, first, last).unwrap();
    out[..len].to_vec()
}

fn person_flags([muted, deafened, server_muted, reconnecting]: [bool; 4]) -> PersonFlags {
    PersonFlags { muted, deafened, server_muted, reconnecting }
}

fn roster_page() -> impl Strategy<Value = Vec<u8>> {
    (lane(), any::<bool>(), any::<bool>(), people())
        .prop_map(|(lane, first, last, people)| write_page(lane, first, last, &people))
}

type Spoken = (VoiceHeader, Vec<Channel>, Option<(bool, Vec<ClientId>)>, Vec<u8>);

fn channels() -> impl Strategy<Value = Vec<Channel>> {
    let options = (any::<bool>(), priority(), 0..=200u8).prop_map(|(positional, priority, percent)| ChannelOptions {
        positional,
        priority,
        volume: Volume::new(percent).unwrap(),
    });
    prop::collection::btree_map(target(), options, 1..=MAX_CHANNELS)
        .prop_map(|map| map.into_iter().map(|(target, options)| Channel { target, options }).collect())
}

fn spoken() -> impl Strategy<Value = Spoken> {
    let header = (any::<(bool, bool, u16, u16, u8)>(), client(), frame_length()).prop_map(
        |((mark, end, tag, sequence, media_time), speaker, frame_length)| VoiceHeader {
            mark,
            end,
            tag,
            speaker,
            sequence,
            media_time,
            frame_length,
        },
    );
    let clients = prop::collection::btree_set(client(), 1..=MAX_RELAY_LIST).prop_map(Vec::from_iter);
    let relay = prop::option::of((any::<bool>(), clients));
    (header, channels(), relay, vec(any::<u8>(), 0..=1_000)).prop_map(|(header, channels, relay, mut payload)| {
        if payload.is_empty() && !header.end {
            payload.push(0);
        }
        (header, channels, relay, payload)
    })
}

fn write_voice((header, channels, relay, payload): &Spoken) -> Vec<u8> {
    let mut out = [0xAA; MAX_PACKET_BYTES];
    let relay = relay.as_ref().map(|(only, clients)| (*only, clients.as_slice()));
    let start = header.write(&mut out, channels, relay).unwrap();
    [&out[..start], payload].concat()
}

fn voice_packet() -> impl Strategy<Value = Vec<u8>> {
    spoken().prop_map(|spoken| write_voice(&spoken))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn what_is_encoded_decodes_to_the_same_packet(bytes in packets()) {
        let packet = Packet::decode(&bytes);
        prop_assert_eq!(&encode(&packet.unwrap()), &bytes);
    }

    #[test]
    fn a_buffer_that_is_too_small_gets_no_packet(bytes in packets()) {
        assert_needs_all_its_bytes(&Packet::decode(&bytes).unwrap(), bytes.len());
    }

    #[test]
    fn a_roster_page_holds_what_was_pushed(
        lane in lane(), first in any::<bool>(), last in any::<bool>(), people in people(),
    ) {
        let bytes = write_page(lane, first, last, &people);
        let Ok(Packet::Roster(page)) = Packet::decode(&bytes) else { panic!("a roster page") };
        prop_assert_eq!((page.lane, page.first, page.last), (lane, first, last));
        let read: Vec<Person> = page
            .records()
            .map(|record| (record.client, record.present.map(|p| {
                let flags = [p.flags.muted, p.flags.deafened, p.flags.server_muted, p.flags.reconnecting];
                (flags, p.codec, p.priority, p.name.to_owned(), p.rooms.iter().collect())
            })))
            .collect();
        prop_assert_eq!(read, people);
    }

    #[test]
    fn a_voice_packet_holds_what_was_written(spoken in spoken()) {
        let bytes = write_voice(&spoken);
        let voice = Voice::decode(&bytes).unwrap();
        let relay = voice.relay.map(|list| (list.only, list.iter().collect::<Vec<_>>()));
        let read = (voice.header, voice.channels.iter().collect::<Vec<_>>(), relay, voice.payload.to_vec());
        prop_assert_eq!(voice.channels.len(), read.1.len());
        prop_assert_eq!(read, spoken);
    }

    #[test]
    fn bytes_that_decode_are_what_their_packet_encodes_to(
        kind in any::<u8>(), rest in vec(prop_oneof![Just(0u8), Just(1), 0..4u8, any::<u8>()], 0..64),
    ) {
        let bytes = [&[kind], rest.as_slice()].concat();
        if let Ok(packet) = Packet::decode(&bytes) {
            prop_assert_eq!(encode(&packet), bytes);
        }
    }

    #[test]
    fn a_packet_with_some_bytes_changed_is_dropped_or_is_the_only_encoding_of_another(
        mut bytes in packets(), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..3), cut in 0..3usize,
    ) {
        for (at, to) in changes {
            let at = at.index(bytes.len().min(40));
            bytes[at] = to;
        }
        bytes.truncate(bytes.len() - cut);
        if let Ok(packet) = Packet::decode(&bytes) {
            prop_assert_eq!(encode(&packet), bytes);
        }
    }

    #[test]
    fn any_text_part_is_written_just_when_it_would_be_read(
        lane in lane(), target in target(), last in any::<bool>(), len in prop_oneof![0..3usize, 998..1_003usize],
    ) {
        let bytes = vec![7; len];
        let packet = Packet::SendText { lane, number: 1, last, target, bytes: &bytes };
        let allowed = if last { (1..=1_000).contains(&len) } else { len == 1_000 };
        prop_assert_eq!(packet.encode(&mut [0xAA; 2_000]).is_some(), allowed);
    }

    #[test]
    fn any_codec_is_written_just_when_it_would_be_read(
        lane in lane(), client in client(), id in any::<u8>(), bitrate in prop_oneof![0..3u32, 999_999..1_000_003u32],
    ) {
        let codec = CodecSettings { codec: id, frame_length: FrameLength::Ms20, bitrate };
        let mut out = [0xAA; MAX_PACKET_BYTES];
        let mut page = RosterWriter::new(&mut out);
        let flags = PersonFlags::default();
        let written = page.push_present(client, flags, &codec, Priority::None, "", core::iter::empty());
        prop_assert_eq!(written, (id == 1 || id >= 128) && (1..=1_000_000).contains(&bitrate));
        let len = page.finish(lane, true, false).unwrap();
        prop_assert!(Packet::decode(&out[..len]).is_ok());
    }
}

#[test]
fn the_generator_makes_packets_of_every_kind() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut missing: Vec<Kind> = Kind::ALL.to_vec();
    for _ in 0..2_000 {
        let bytes = packets().new_tree(&mut runner).unwrap().current();
        missing.retain(|kind| Kind::from_first_byte(bytes[0]) != Some(*kind));
    }
    assert_eq!(missing, []);
}

#[test]
fn lists_out_of_order_are_not_written() {
    let [one, two] = [1, 2].map(|id| ClientId::new(id).unwrap());
    let to = |client| Channel { target: Target::Client(client), options: ChannelOptions::DEFAULT };
    let header = VoiceHeader {
        mark: false,
        end: false,
        tag: 1,
        speaker: one,
        sequence: 1,
        media_time: 1,
        frame_length: voice_core::FrameLength::Ms20,
    };
    let mut out = [0xAA; MAX_PACKET_BYTES];
    assert_eq!(header.write(&mut out, &[], None), None);
    assert_eq!(header.write(&mut out, &[to(two), to(one)], None), None);
    assert_eq!(header.write(&mut out, &[to(one), to(one)], None), None);
    assert_eq!(header.write(&mut out, &[to(one)], Some((true, &[]))), None);
    assert_eq!(header.write(&mut out, &[to(one)], Some((true, &[two, one]))), None);
    assert_eq!(header.write(&mut out, &[to(one)], Some((true, &[two]))), Some(8 + 4 + 1 + 2));
}

#[test]
fn rooms_out_of_order_or_too_many_are_not_written() {
    let mut out = [0xAA; MAX_PACKET_BYTES];
    let mut page = RosterWriter::new(&mut out);
    let client = ClientId::new(1).unwrap();
    let mut push = |ids: &[u16]| {
        let rooms = ids.iter().filter_map(|id| RoomId::new(*id));
        page.push_present(client, PersonFlags::default(), &CodecSettings::DEFAULT, Priority::None, "", rooms)
    };
    assert!(!push(&[2, 1]));
    assert!(!push(&[1, 1]));
    assert!(!push(&Vec::from_iter(1..=33)));
    assert!(push(&Vec::from_iter(1..=32)));
}
