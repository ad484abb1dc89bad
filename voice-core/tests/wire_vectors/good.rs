//! Packets of every kind, with and without every optional part.

use serde_json::{Value, json};
use voice_core::wire::{Kind, limits};

use crate::fields::hex;

/// A packet by its fields.
pub(crate) struct Good {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) fields: Value,
}

const SESSION: u32 = 0x0A0B_0C0D;
const NONCE: u32 = 0x1122_3344;
const SECRET: &str = "000102030405060708090a0b0c0d0e0f";

pub(crate) fn all() -> Vec<Good> {
    [joining(), rooms(), states(), texts(), peers(), rosters(), unreliable(), reports(), voice(), more_voice()]
        .into_iter()
        .flatten()
        .collect()
}

fn good(name: &'static str, kind: Kind, fields: Value) -> Good {
    Good { name, kind, fields }
}

/// `base` with the fields of `more` instead or in addition.
fn with(mut base: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("fields are an object") };
    base.as_object_mut().expect("fields are an object").extend(more);
    base
}

fn lane(number: u16, more: Value) -> Value {
    with(json!({ "session": SESSION, "lane": number }), more)
}

fn long_name() -> String {
    "n".repeat(limits::MAX_NAME_BYTES)
}

fn octets(len: usize) -> String {
    hex(&vec![0x5A; len])
}

fn joining() -> Vec<Good> {
    let hello = json!({
        "version": 1, "features": 1, "nonce": NONCE, "codec": 1, "frame_ms": 20, "bitrate": 24_000,
        "muted": false, "deafened": false, "priority": 0, "name": "", "credential": "",
    });
    let resume = json!({ "session": SESSION, "client": 258, "secret": SECRET });
    let named = json!({
        "resume": resume, "name": "Zo\u{eb}", "credential": "00ff", "muted": true, "deafened": true, "priority": 3,
    });
    let own = json!({ "codec": 128, "frame_ms": 60, "bitrate": 1_000_000, "features": 0, "priority": 4 });
    let longest = json!({ "resume": resume, "name": long_name(), "credential": octets(limits::MAX_CREDENTIAL_BYTES) });
    let welcome = json!({
        "session": SESSION, "nonce": NONCE, "version": 1, "features": 1, "client": 258, "resumed": false,
        "secret": SECRET, "grace_s": 30, "max_rooms": 32,
    });
    let refused = |reason: u8| json!({ "nonce": NONCE, "reason": reason });
    vec![
        good("Hello, fresh, without name", Kind::Hello, hello.clone()),
        good("Hello, resume, name and credential", Kind::Hello, with(hello.clone(), named)),
        good("Hello, the embedder's codec, 60 ms", Kind::Hello, with(hello.clone(), own)),
        good("Hello, 10 ms", Kind::Hello, with(hello.clone(), json!({ "frame_ms": 10, "bitrate": 1, "muted": true }))),
        good(
            "Hello, 40 ms",
            Kind::Hello,
            with(hello.clone(), json!({ "frame_ms": 40, "codec": 255, "deafened": true })),
        ),
        good("Hello, the longest", Kind::Hello, with(hello, longest)),
        good("Welcome, fresh", Kind::Welcome, welcome.clone()),
        good("Welcome, resumed", Kind::Welcome, with(welcome, json!({ "resumed": true, "features": 0 }))),
        good("Refused, version", Kind::Refused, refused(1)),
        good("Refused, full", Kind::Refused, refused(2)),
        good("Refused, banned", Kind::Refused, refused(3)),
        good("Refused, busy", Kind::Refused, refused(4)),
        good("Refused, not admitted", Kind::Refused, refused(5)),
        good("Refused, the embedder's first", Kind::Refused, refused(128)),
        good("Refused, the embedder's last", Kind::Refused, refused(255)),
        good("Leave", Kind::Leave, lane(65_535, json!({}))),
        good("RosterRequest", Kind::RosterRequest, lane(7, json!({}))),
        good("Closed, kicked", Kind::Closed, lane(1, json!({ "reason": 1 }))),
        good("Closed, banned", Kind::Closed, lane(1, json!({ "reason": 2 }))),
        good("Closed, server stopping", Kind::Closed, lane(1, json!({ "reason": 3 }))),
        good("Closed, lane broken", Kind::Closed, lane(1, json!({ "reason": 4 }))),
        good("Closed, replaced", Kind::Closed, lane(1, json!({ "reason": 5 }))),
        good("Closed, flood", Kind::Closed, lane(1, json!({ "reason": 6 }))),
        good("Closed, lane stalled", Kind::Closed, lane(1, json!({ "reason": 7 }))),
        good("Closed, left", Kind::Closed, lane(1, json!({ "reason": 8 }))),
        good("Closed, the embedder's", Kind::Closed, lane(1, json!({ "reason": 200 }))),
    ]
}

fn rooms() -> Vec<Good> {
    let named = |room_use: u8, name: &str| lane(1, json!({ "use": room_use, "name": name }));
    let closed = |reason: u8| lane(2, json!({ "reason": reason, "name": "lobby" }));
    vec![
        good("UseRoom, listen", Kind::UseRoom, named(1, "lobby")),
        good("UseRoom, speak", Kind::UseRoom, named(2, "lobby")),
        good("UseRoom, both", Kind::UseRoom, named(3, "lobby")),
        good("UseRoom, the longest", Kind::UseRoom, named(3, &long_name())),
        good("LeaveRoom", Kind::LeaveRoom, lane(2, json!({ "room": 5 }))),
        good("RoomGranted", Kind::RoomGranted, lane(1, json!({ "room": 5, "use": 3, "name": "lobby" }))),
        good("RoomClosed, no room free", Kind::RoomClosed, closed(1)),
        good("RoomClosed, too many", Kind::RoomClosed, closed(2)),
        good("RoomClosed, removed", Kind::RoomClosed, closed(3)),
        good("RoomClosed, not permitted", Kind::RoomClosed, closed(4)),
    ]
}

fn states() -> Vec<Good> {
    let state = |muted: bool, deafened: bool, priority: u8| {
        lane(3, json!({ "muted": muted, "deafened": deafened, "priority": priority }))
    };
    let block = |blocked: bool| lane(4, json!({ "client": 7, "blocked": blocked }));
    vec![
        good("SetState, nothing", Kind::SetState, state(false, false, 0)),
        good("SetState, muted, low", Kind::SetState, state(true, false, 1)),
        good("SetState, deafened, default", Kind::SetState, state(false, true, 2)),
        good("SetState, both, high", Kind::SetState, state(true, true, 4)),
        good("SetBlock, block", Kind::SetBlock, block(true)),
        good("SetBlock, unblock", Kind::SetBlock, block(false)),
        good("Audience, nobody", Kind::Audience, lane(5, json!({ "heard": false, "sequence": 7 }))),
        good("Audience, somebody", Kind::Audience, lane(5, json!({ "heard": true, "sequence": 65_535 }))),
    ]
}

fn texts() -> Vec<Good> {
    let send = |last: bool, bytes: String| json!({ "number": 9, "last": last, "bytes": bytes });
    let from = |last: bool, bytes: String| json!({ "sender": 7, "last": last, "bytes": bytes });
    let refused = |reason: u8| lane(8, json!({ "number": 9, "reason": reason }));
    let part = || octets(limits::TEXT_PART_BYTES);
    vec![
        good("SendText, to a room", Kind::SendText, lane(6, with(send(true, "c3a9".into()), json!({ "room": 5 })))),
        good(
            "SendText, to a client, first part",
            Kind::SendText,
            lane(6, with(send(false, part()), json!({ "client": 7 }))),
        ),
        good(
            "SendText, the longest last part",
            Kind::SendText,
            lane(7, with(send(true, part()), json!({ "client": 7 }))),
        ),
        good("Text, to a room", Kind::Text, lane(6, with(from(true, "6869".into()), json!({ "room": 5 })))),
        good("Text, to a client, first part", Kind::Text, lane(6, with(from(false, part()), json!({ "client": 258 })))),
        good("TextRefused, nobody there", Kind::TextRefused, refused(1)),
        good("TextRefused, too many", Kind::TextRefused, refused(2)),
        good("TextRefused, store full", Kind::TextRefused, refused(3)),
        good("TextRefused, target unknown", Kind::TextRefused, refused(4)),
        good("TextRefused, bad text", Kind::TextRefused, refused(5)),
    ]
}

fn peers() -> Vec<Good> {
    let longest = octets(limits::MAX_RENDEZVOUS_BYTES);
    let greeting = |proof: &str| {
        json!({
            "session": SESSION, "sender": 258, "receiver": 7, "nonce": 0x0102_0304_0506_0708_u64,
            "pair_secret": SECRET, "proof": proof,
        })
    };
    let path_ack = |received: u32| json!({ "session": SESSION, "sender": 258, "receiver": 7, "sequence": 513, "received": received });
    vec![
        good("SendRendezvous", Kind::SendRendezvous, lane(1, json!({ "receiver": 7, "bytes": "00" }))),
        good("SendRendezvous, the longest", Kind::SendRendezvous, lane(1, json!({ "receiver": 7, "bytes": longest }))),
        good("Rendezvous", Kind::Rendezvous, lane(1, json!({ "sender": 7, "bytes": "ff00" }))),
        good("Rendezvous, the longest", Kind::Rendezvous, lane(1, json!({ "sender": 7, "bytes": longest }))),
        good("PairRequest", Kind::PairRequest, lane(2, json!({ "client": 7 }))),
        good("Pair", Kind::Pair, lane(2, json!({ "client": 7, "secret": SECRET }))),
        good("PairGone", Kind::PairGone, lane(3, json!({ "client": 7 }))),
        good("Greet", Kind::Greet, greeting("63521ef424a5573a")),
        good("GreetAck", Kind::GreetAck, greeting("265127127c54fdc2")),
        good("PathAck", Kind::PathAck, path_ack(0x8000_0001)),
        good("PathAck, one packet only", Kind::PathAck, path_ack(0)),
    ]
}

fn rosters() -> Vec<Good> {
    let page =
        |first: bool, last: bool, records: Value| lane(2, json!({ "first": first, "last": last, "records": records }));
    let person = json!({
        "client": 258, "gone": false, "muted": false, "deafened": false, "server_muted": false, "reconnecting": false,
        "codec": 1, "frame_ms": 20, "bitrate": 24_000, "priority": 2, "name": "", "rooms": [],
    });
    let gone = json!({ "client": 7, "gone": true });
    let flags = json!({ "muted": true, "deafened": true, "server_muted": true, "reconnecting": true });
    let flagged = with(person.clone(), flags);
    let named = with(person.clone(), json!({ "name": "Zo\u{eb}", "rooms": [1, 5, 65_535] }));
    let full = with(person.clone(), json!({ "name": long_name(), "rooms": Vec::from_iter(1..=32) }));
    vec![
        good("Roster, empty", Kind::Roster, page(true, true, json!([]))),
        good("Roster, gone", Kind::Roster, page(false, false, json!([gone]))),
        good("Roster, one person", Kind::Roster, page(false, false, json!([person]))),
        good("Roster, all flags", Kind::Roster, page(false, false, json!([flagged]))),
        good("Roster, first page, name and rooms", Kind::Roster, page(true, false, json!([named]))),
        good("Roster, last page, three records", Kind::Roster, page(false, true, json!([gone, full, person]))),
    ]
}

fn unreliable() -> Vec<Good> {
    let ping =
        json!({ "session": SESSION, "stamp": 258, "next": 7, "rtt_ms": 37, "loss": 3, "jitter_ms": 4, "idle": false });
    vec![
        good("Ping", Kind::Ping, ping.clone()),
        good("Ping, idle", Kind::Ping, with(ping.clone(), json!({ "idle": true }))),
        good("Ping, saturated", Kind::Ping, with(ping, json!({ "rtt_ms": 65_535, "loss": 255, "jitter_ms": 65_535 }))),
        good("Pong", Kind::Pong, json!({ "session": SESSION, "stamp": 258, "next": 7 })),
        good("LaneAck", Kind::LaneAck, json!({ "session": SESSION, "next": 16 })),
        good("Phase", Kind::Phase, json!({ "session": SESSION, "sequence": 700, "later_us": 4_321 })),
        good("Phase, the most", Kind::Phase, json!({ "session": SESSION, "sequence": 65_535, "later_us": 19_999 })),
        good("WrongSession", Kind::WrongSession, json!({ "session": SESSION, "theirs": 1 })),
        good("WrongSession, theirs is 0", Kind::WrongSession, json!({ "session": SESSION, "theirs": 0 })),
    ]
}

fn reports() -> Vec<Good> {
    let hearing = json!({ "loss": 5, "late": 2, "jitter_ms": 12, "delay": 15, "growth": 3 });
    let most = json!({ "loss": 200, "late": 55, "jitter_ms": 255, "delay": 255, "growth": 255 });
    let entry = |speaker: u16, hearing: &Value| with(hearing.clone(), json!({ "speaker": speaker }));
    let report = |entries: Vec<Value>| json!({ "session": SESSION, "entries": entries });
    let summary =
        |listeners: u8, hearing: &Value| with(hearing.clone(), json!({ "session": SESSION, "listeners": listeners }));
    let sixteen = (1..=16).map(|speaker| entry(speaker, &most)).collect();
    vec![
        good("Report, one speaker", Kind::Report, report(vec![entry(7, &hearing)])),
        good("Report, two speakers", Kind::Report, report(vec![entry(7, &most), entry(258, &hearing)])),
        good("Report, sixteen speakers", Kind::Report, report(sixteen)),
        good("Summary, one listener", Kind::Summary, summary(1, &hearing)),
        good("Summary, the most", Kind::Summary, summary(64, &most)),
    ]
}

fn spoken(more: Value) -> Value {
    let channels = json!([to("room", 5, json!({}))]);
    let voice = json!({
        "mark": false, "end": false, "tag": 0x0C0D, "speaker": 258, "sequence": 3, "media_time": 4, "frame_ms": 20,
        "channels": channels, "payload": "010203",
    });
    with(voice, more)
}

fn to(kind: &str, id: u16, more: Value) -> Value {
    with(json!({ "positional": false, "priority": 0, "volume": 100, kind: id }), more)
}

fn voice() -> Vec<Good> {
    let whisper = json!([to("client", 7, json!({}))]);
    let both = json!([to("room", 65_535, json!({ "priority": 1 })), to("client", 7, json!({ "volume": 0 }))]);
    let loud = json!([to("room", 5, json!({ "positional": true, "priority": 4, "volume": 200 }))]);
    let last = json!({ "sequence": 65_535, "media_time": 255, "tag": 0 });
    vec![
        good("Voice, one room", Kind::Voice, spoken(json!({}))),
        good("Voice, mark", Kind::Voice, spoken(json!({ "mark": true }))),
        good("Voice, 10 ms", Kind::Voice, spoken(json!({ "frame_ms": 10 }))),
        good("Voice, mark, 40 ms", Kind::Voice, spoken(json!({ "mark": true, "frame_ms": 40 }))),
        good("Voice, 60 ms", Kind::Voice, spoken(json!({ "frame_ms": 60 }))),
        good("Voice, end", Kind::Voice, spoken(json!({ "end": true }))),
        good("Voice, end without payload", Kind::Voice, spoken(json!({ "end": true, "payload": "" }))),
        good("Voice, mark and end", Kind::Voice, spoken(json!({ "mark": true, "end": true }))),
        good("Voice, the last numbers", Kind::Voice, spoken(last)),
        good("Voice, a whisper", Kind::Voice, spoken(json!({ "channels": whisper }))),
        good("Voice, a room and a whisper", Kind::Voice, spoken(json!({ "channels": both }))),
        good("Voice, positional, high, loudest", Kind::Voice, spoken(json!({ "channels": loud }))),
    ]
}

fn more_voice() -> Vec<Good> {
    let eight: Vec<Value> = (1..=8).map(|id| to("room", id, json!({ "priority": id % 5 }))).collect();
    let relay = |only: bool, clients: Vec<u16>| json!({ "only": only, "clients": clients });
    let all: Vec<u16> = (1..=32).collect();
    let longest = json!({ "channels": eight, "relay": relay(true, all.clone()), "payload": octets(1_000) });
    vec![
        good("Voice, eight channels", Kind::Voice, spoken(json!({ "channels": eight }))),
        good("Voice, all but two", Kind::Voice, spoken(json!({ "relay": relay(false, vec![7, 9]) }))),
        good("Voice, only one", Kind::Voice, spoken(json!({ "relay": relay(true, vec![7]) }))),
        good("Voice, all but 32", Kind::Voice, spoken(json!({ "relay": relay(false, all) }))),
        good("Voice, the longest", Kind::Voice, spoken(longest)),
    ]
}
