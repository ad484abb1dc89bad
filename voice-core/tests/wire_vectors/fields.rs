//! Fields in JSON to packets and back. Octets are in hex; enumerations are their numbers on the wire.

use serde_json::Value;
use voice_core::{
    ChannelOptions, ClientId, CodecSettings, FrameLength, Priority, RoomId, RoomUse, Secret, SessionId, Target, Volume,
    wire::{
        Channel, CloseReason, Greeting, Hearing, Hello, Kind, Lane, Packet, PathAck, PersonFlags, Ping, Present,
        RefuseReason, Report, ReportEntry, Resume, RoomCloseReason, Roster, RosterWriter, StateFlags, Summary,
        TextRefuseReason, Voice, VoiceHeader, Welcome, limits::MAX_PACKET_BYTES,
    },
};

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a string in hex; they live as long as the test.
pub(crate) fn octets(value: &Value) -> &'static [u8] {
    let text = value.as_str().expect("octets are a string");
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("octets are in hex")).collect::<Vec<_>>().leak()
}

pub(crate) fn secret(value: &Value) -> Secret {
    Secret::from_bytes(octets(value).try_into().expect("a secret has 16 bytes"))
}

/// The packet of these fields.
pub(crate) fn encode(kind: Kind, fields: &Value) -> Vec<u8> {
    let mut out = [0xAA; MAX_PACKET_BYTES];
    let len = match kind {
        Kind::Voice => write_voice(fields, &mut out),
        Kind::Roster => write_roster(fields, &mut out),
        Kind::Report => Report::write(&mut out, session(&fields["session"]), &entries(fields)),
        _ => packet(kind, fields).encode(&mut out),
    };
    out[..len.expect("the fields are allowed")].to_vec()
}

/// Panics unless the packet holds just these fields.
pub(crate) fn check(found: &Packet<'_>, fields: &Value) {
    match found {
        Packet::Voice(voice) => check_voice(voice, fields),
        Packet::Roster(roster) => check_roster(roster, fields),
        Packet::Report(report) => {
            assert_eq!(report.session, session(&fields["session"]));
            assert!(report.entries().eq(entries(fields)));
        }
        _ => assert_eq!(*found, packet(found.kind(), fields)),
    }
}

fn number<T: TryFrom<u64>>(value: &Value) -> T {
    let number = value.as_u64().unwrap_or_else(|| panic!("{value} is no number"));
    T::try_from(number).unwrap_or_else(|_| panic!("{number} is too large"))
}

fn flag(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| panic!("{value} is neither true nor false"))
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn session(value: &Value) -> SessionId {
    SessionId::new(number(value)).expect("a session isn't 0")
}

fn client(value: &Value) -> ClientId {
    ClientId::new(number(value)).expect("a client id isn't 0")
}

fn room(value: &Value) -> RoomId {
    RoomId::new(number(value)).expect("a room id isn't 0")
}

/// Either `room` or `client` is there.
fn target(fields: &Value) -> Target {
    match fields.get("room") {
        Some(id) => Target::Room(room(id)),
        None => Target::Client(client(&fields["client"])),
    }
}

fn priority(value: &Value) -> Priority {
    Priority::from_number(number(value)).expect("a priority")
}

fn room_use(value: &Value) -> RoomUse {
    RoomUse::from_number(number(value)).expect("a use")
}

fn codec(fields: &Value) -> CodecSettings {
    CodecSettings {
        codec: number(&fields["codec"]),
        frame_length: FrameLength::from_ms(number(&fields["frame_ms"])).expect("a frame length"),
        bitrate: number(&fields["bitrate"]),
    }
}

fn state_flags(fields: &Value) -> StateFlags {
    StateFlags { muted: flag(&fields["muted"]), deafened: flag(&fields["deafened"]) }
}

fn lane(fields: &Value) -> Lane {
    Lane { session: session(&fields["session"]), number: number(&fields["lane"]) }
}

fn packet(kind: Kind, fields: &Value) -> Packet<'_> {
    match kind {
        Kind::Hello => Packet::Hello(hello(fields)),
        Kind::Welcome => Packet::Welcome(welcome(fields)),
        Kind::Greet => Packet::Greet(greeting(false, fields)),
        Kind::GreetAck => Packet::GreetAck(greeting(true, fields)),
        Kind::PathAck => Packet::PathAck(PathAck {
            session: session(&fields["session"]),
            sender: client(&fields["sender"]),
            receiver: client(&fields["receiver"]),
            sequence: number(&fields["sequence"]),
            received: number(&fields["received"]),
        }),
        Kind::Summary => Packet::Summary(Summary {
            session: session(&fields["session"]),
            listeners: number(&fields["listeners"]),
            hearing: hearing(fields),
        }),
        Kind::Refused => {
            let reason = RefuseReason::from_number(number(&fields["reason"])).unwrap();
            Packet::Refused { nonce: number(&fields["nonce"]), reason }
        }
        Kind::Ping | Kind::Pong | Kind::LaneAck | Kind::WrongSession | Kind::Phase => unreliable(kind, fields),
        _ => on_lane(kind, lane(fields), fields),
    }
}

fn hearing(fields: &Value) -> Hearing {
    Hearing {
        loss: number(&fields["loss"]),
        late: number(&fields["late"]),
        jitter_ms: number(&fields["jitter_ms"]),
        delay: number(&fields["delay"]),
        growth: number(&fields["growth"]),
    }
}

fn entries(fields: &Value) -> Vec<ReportEntry> {
    let entry = |fields: &Value| ReportEntry { speaker: client(&fields["speaker"]), hearing: hearing(fields) };
    list(&fields["entries"]).iter().map(entry).collect()
}

fn hello(fields: &Value) -> Hello<'_> {
    Hello {
        version: number(&fields["version"]),
        features: number(&fields["features"]),
        nonce: number(&fields["nonce"]),
        codec: codec(fields),
        flags: state_flags(fields),
        priority: priority(&fields["priority"]),
        resume: fields.get("resume").map(|resume| Resume {
            session: session(&resume["session"]),
            client: client(&resume["client"]),
            secret: secret(&resume["secret"]),
        }),
        name: text(&fields["name"]),
        credential: octets(&fields["credential"]),
    }
}

fn welcome(fields: &Value) -> Welcome {
    Welcome {
        session: session(&fields["session"]),
        nonce: number(&fields["nonce"]),
        version: number(&fields["version"]),
        features: number(&fields["features"]),
        client: client(&fields["client"]),
        resumed: flag(&fields["resumed"]),
        secret: secret(&fields["secret"]),
        grace_s: number(&fields["grace_s"]),
        max_rooms: number(&fields["max_rooms"]),
    }
}

fn greeting(answer: bool, fields: &Value) -> Greeting {
    let (from, to) = (client(&fields["sender"]), client(&fields["receiver"]));
    let secret = secret(&fields["pair_secret"]);
    let greeting = Greeting::new(answer, session(&fields["session"]), from, to, number(&fields["nonce"]), &secret);
    assert_eq!(hex(&greeting.proof.to_be_bytes()), text(&fields["proof"]));
    greeting
}

fn unreliable(kind: Kind, fields: &Value) -> Packet<'_> {
    let session = session(&fields["session"]);
    match kind {
        Kind::Ping => Packet::Ping(Ping {
            session,
            stamp: number(&fields["stamp"]),
            next: number(&fields["next"]),
            rtt_ms: number(&fields["rtt_ms"]),
            loss: number(&fields["loss"]),
            jitter_ms: number(&fields["jitter_ms"]),
            idle: flag(&fields["idle"]),
        }),
        Kind::Pong => Packet::Pong { session, stamp: number(&fields["stamp"]), next: number(&fields["next"]) },
        Kind::LaneAck => Packet::LaneAck { session, next: number(&fields["next"]) },
        Kind::Phase => {
            let (sequence, later_us) = (number(&fields["sequence"]), number(&fields["later_us"]));
            Packet::Phase { session, sequence, later_us }
        }
        _ => Packet::WrongSession { ours: session, theirs: number(&fields["theirs"]) },
    }
}

fn on_lane(kind: Kind, lane: Lane, fields: &Value) -> Packet<'_> {
    match kind {
        Kind::UseRoom => Packet::UseRoom { lane, room_use: room_use(&fields["use"]), name: text(&fields["name"]) },
        Kind::LeaveRoom => Packet::LeaveRoom { lane, room: room(&fields["room"]) },
        Kind::SetState => {
            Packet::SetState { lane, flags: state_flags(fields), priority: priority(&fields["priority"]) }
        }
        Kind::SetBlock => {
            Packet::SetBlock { lane, client: client(&fields["client"]), blocked: flag(&fields["blocked"]) }
        }
        Kind::SendText => Packet::SendText {
            lane,
            number: number(&fields["number"]),
            last: flag(&fields["last"]),
            target: target(fields),
            bytes: octets(&fields["bytes"]),
        },
        Kind::PairRequest => Packet::PairRequest { lane, client: client(&fields["client"]) },
        Kind::SendRendezvous => {
            Packet::SendRendezvous { lane, to: client(&fields["receiver"]), bytes: octets(&fields["bytes"]) }
        }
        Kind::Leave => Packet::Leave { lane },
        Kind::RosterRequest => Packet::RosterRequest { lane },
        _ => from_server(kind, lane, fields),
    }
}

fn from_server(kind: Kind, lane: Lane, fields: &Value) -> Packet<'_> {
    let reason = || number(&fields["reason"]);
    match kind {
        Kind::RoomGranted => Packet::RoomGranted {
            lane,
            room: room(&fields["room"]),
            room_use: room_use(&fields["use"]),
            name: text(&fields["name"]),
        },
        Kind::RoomClosed => {
            let reason = RoomCloseReason::from_number(reason()).unwrap();
            Packet::RoomClosed { lane, reason, name: text(&fields["name"]) }
        }
        Kind::Audience => {
            Packet::Audience { lane, heard: flag(&fields["heard"]), sequence: number(&fields["sequence"]) }
        }
        Kind::Text => Packet::Text {
            lane,
            from: client(&fields["sender"]),
            last: flag(&fields["last"]),
            target: target(fields),
            bytes: octets(&fields["bytes"]),
        },
        Kind::TextRefused => {
            let reason = TextRefuseReason::from_number(reason()).unwrap();
            Packet::TextRefused { lane, number: number(&fields["number"]), reason }
        }
        Kind::Pair => Packet::Pair { lane, client: client(&fields["client"]), secret: secret(&fields["secret"]) },
        Kind::PairGone => Packet::PairGone { lane, client: client(&fields["client"]) },
        Kind::Rendezvous => {
            Packet::Rendezvous { lane, from: client(&fields["sender"]), bytes: octets(&fields["bytes"]) }
        }
        Kind::Closed => Packet::Closed { lane, reason: CloseReason::from_number(reason()).unwrap() },
        _ => panic!("{} isn't on a lane", kind.name()),
    }
}

fn person_flags(fields: &Value) -> PersonFlags {
    PersonFlags {
        muted: flag(&fields["muted"]),
        deafened: flag(&fields["deafened"]),
        server_muted: flag(&fields["server_muted"]),
        reconnecting: flag(&fields["reconnecting"]),
    }
}

fn rooms(fields: &Value) -> Vec<RoomId> {
    list(&fields["rooms"]).iter().map(room).collect()
}

fn write_roster(fields: &Value, out: &mut [u8]) -> Option<usize> {
    let mut page = RosterWriter::new(out);
    for record in list(&fields["records"]) {
        let client = client(&record["client"]);
        assert!(match flag(&record["gone"]) {
            true => page.push_gone(client),
            false => {
                let (priority, name) = (priority(&record["priority"]), text(&record["name"]));
                let rooms = rooms(record);
                page.push_present(client, person_flags(record), &codec(record), priority, name, rooms.iter().copied())
            }
        });
    }
    page.finish(lane(fields), flag(&fields["first"]), flag(&fields["last"]))
}

fn check_roster(found: &Roster<'_>, fields: &Value) {
    assert_eq!(found.lane, lane(fields));
    assert_eq!((found.first, found.last), (flag(&fields["first"]), flag(&fields["last"])));
    let records = list(&fields["records"]);
    assert_eq!(found.records().count(), records.len());
    for (record, fields) in found.records().zip(records) {
        assert_eq!(record.client, client(&fields["client"]));
        assert_eq!(record.present.is_none(), flag(&fields["gone"]));
        if let Some(present) = &record.present {
            check_present(present, fields);
        }
    }
}

fn check_present(found: &Present<'_>, fields: &Value) {
    assert_eq!(found.flags, person_flags(fields));
    assert_eq!(found.codec, codec(fields));
    assert_eq!(found.priority, priority(&fields["priority"]));
    assert_eq!(found.name, text(&fields["name"]));
    assert_eq!(found.rooms.iter().collect::<Vec<_>>(), rooms(fields));
}

fn voice_header(fields: &Value) -> VoiceHeader {
    VoiceHeader {
        mark: flag(&fields["mark"]),
        end: flag(&fields["end"]),
        tag: number(&fields["tag"]),
        speaker: client(&fields["speaker"]),
        sequence: number(&fields["sequence"]),
        media_time: number(&fields["media_time"]),
        frame_length: FrameLength::from_ms(number(&fields["frame_ms"])).expect("a frame length"),
    }
}

fn channels(fields: &Value) -> Vec<Channel> {
    let channel = |fields: &Value| Channel {
        target: target(fields),
        options: ChannelOptions {
            positional: flag(&fields["positional"]),
            priority: priority(&fields["priority"]),
            volume: Volume::new(number(&fields["volume"])).expect("a volume"),
        },
    };
    list(&fields["channels"]).iter().map(channel).collect()
}

fn relay(fields: &Value) -> Option<(bool, Vec<ClientId>)> {
    let relay = fields.get("relay")?;
    Some((flag(&relay["only"]), list(&relay["clients"]).iter().map(client).collect()))
}

fn write_voice(fields: &Value, out: &mut [u8]) -> Option<usize> {
    let relay = relay(fields);
    let relay = relay.as_ref().map(|(only, clients)| (*only, clients.as_slice()));
    let start = voice_header(fields).write(out, &channels(fields), relay)?;
    let payload = octets(&fields["payload"]);
    out.get_mut(start..start + payload.len())?.copy_from_slice(payload);
    Some(start + payload.len())
}

fn check_voice(found: &Voice<'_>, fields: &Value) {
    assert_eq!(found.header, voice_header(fields));
    assert_eq!(found.channels.iter().collect::<Vec<_>>(), channels(fields));
    assert_eq!(found.relay.map(|list| (list.only, list.iter().collect())), relay(fields));
    assert_eq!(found.payload, octets(&fields["payload"]));
}
