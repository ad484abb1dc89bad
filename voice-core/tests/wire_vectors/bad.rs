//! Every way in which bytes can fail to be a packet. Each is a good packet with one change, so that it has one fault only.

use voice_core::DropReason::{self, Empty, Malformed, TooLong, Truncated, UnknownKind, WrongVersion};

use crate::{fields, good};

/// Bytes that aren't a packet.
pub(crate) struct Bad {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) drop: DropReason,
}

pub(crate) fn all() -> Vec<Bad> {
    let parts: [fn(&mut Maker); 10] =
        [lengths, ends, ids, hello, welcome_and_reasons, control, reports, roster, voice_header, voice_lists];
    let mut maker = Maker { packets: good::all(), bad: Vec::new() };
    parts.iter().for_each(|part| part(&mut maker));
    maker.bad
}

struct Maker {
    packets: Vec<good::Good>,
    bad: Vec<Bad>,
}

/// The lane header's length.
const BODY: usize = 7;

impl Maker {
    fn good(&self, name: &str) -> Vec<u8> {
        let good = self.packets.iter().find(|good| good.name == name).unwrap_or_else(|| panic!("no packet {name}"));
        fields::encode(good.kind, &good.fields)
    }

    fn add(&mut self, name: impl Into<String>, bytes: Vec<u8>, drop: DropReason) {
        self.bad.push(Bad { name: name.into(), bytes, drop });
    }

    /// The packet `base` with the bytes at `at` replaced by `by`.
    fn patch(&mut self, base: &str, what: &str, at: usize, by: &[u8]) {
        let mut bytes = self.good(base);
        bytes[at..at + by.len()].copy_from_slice(by);
        self.add(format!("{base}: {what}"), bytes, Malformed);
    }

    /// The packet `base` with the bytes in `range` replaced by `by`, which may be longer or shorter.
    fn splice(&mut self, base: &str, what: &str, range: core::ops::Range<usize>, by: &[u8], drop: DropReason) {
        let mut bytes = self.good(base);
        bytes.splice(range, by.iter().copied());
        self.add(format!("{base}: {what}"), bytes, drop);
    }
}

fn lengths(maker: &mut Maker) {
    maker.add("no bytes", Vec::new(), Empty);
    maker.add("1,201 bytes of voice", [&[0x80], [1; 1_200].as_slice()].concat(), TooLong);
    for kind in [0x00, 0x0B, 0x20, 0x2D, 0x40, 0x48, 0x50, 0x54, 0x7F] {
        maker.add(format!("unknown kind 0x{kind:02X}"), vec![kind, 0, 0, 0, 1, 0, 0], UnknownKind);
    }
}

/// Kinds whose last field has a length of its own, each by one packet.
const CLOSED: [&str; 24] = [
    "Hello, fresh, without name",
    "Hello, resume, name and credential",
    "UseRoom, both",
    "LeaveRoom",
    "SetState, nothing",
    "SetBlock, block",
    "PairRequest",
    "Leave",
    "RosterRequest",
    "Welcome, fresh",
    "Refused, full",
    "RoomGranted",
    "RoomClosed, removed",
    "Audience, nobody",
    "TextRefused, nobody there",
    "Pair",
    "PairGone",
    "Closed, kicked",
    "Ping",
    "Pong",
    "LaneAck",
    "Phase",
    "WrongSession",
    "Greet",
];

fn ends(maker: &mut Maker) {
    for name in CLOSED.iter().chain(&["GreetAck", "PathAck", "Summary, one listener"]) {
        let bytes = maker.good(name);
        maker.add(format!("{name}: a byte too few"), bytes[..bytes.len() - 1].to_vec(), Truncated);
        maker.add(format!("{name}: a byte too many"), [bytes.as_slice(), &[0]].concat(), Malformed);
        maker.add(format!("{name}: the kind alone"), bytes[..1].to_vec(), Truncated);
    }
    let tails = [
        ("SendText, to a room", BODY + 6),
        ("Text, to a room", BODY + 6),
        ("SendRendezvous", BODY + 2),
        ("Rendezvous", BODY + 2),
    ];
    for (name, header) in tails {
        let start = maker.good(name)[..header].to_vec();
        maker.add(format!("{name}: no bytes"), start.clone(), Truncated);
        maker.add(format!("{name}: 1,001 bytes"), [start.as_slice(), &[7; 1_001]].concat(), Malformed);
    }
    for name in ["SendText, to a client, first part", "Text, to a client, first part"] {
        maker.splice(name, "999 bytes", BODY + 6..BODY + 7, &[], Truncated);
    }
}

fn ids(maker: &mut Maker) {
    for name in [
        "UseRoom, both",
        "Leave",
        "Welcome, fresh",
        "Roster, empty",
        "Ping",
        "Pong",
        "LaneAck",
        "WrongSession",
        "Greet",
    ] {
        maker.patch(name, "session 0", 1, &[0; 4]);
    }
    let at_body =
        ["SetBlock, block", "PairRequest", "SendRendezvous", "Text, to a room", "Pair", "PairGone", "Rendezvous"];
    for name in at_body {
        maker.patch(name, "client 0", BODY, &[0; 2]);
    }
    for name in ["LeaveRoom", "RoomGranted"] {
        maker.patch(name, "room 0", BODY, &[0; 2]);
    }
    maker.patch("Welcome, fresh", "client 0", 14, &[0; 2]);
    maker.patch("Hello, resume, name and credential", "session 0", 23, &[0; 4]);
    maker.patch("Hello, resume, name and credential", "client 0", 27, &[0; 2]);
    for name in ["Greet", "GreetAck", "PathAck"] {
        maker.patch(name, "sender 0", 5, &[0; 2]);
        maker.patch(name, "receiver 0", 7, &[0; 2]);
    }
    maker.patch("SendText, to a room", "target 0", BODY + 4, &[0; 2]);
    maker.patch("SendText, to a client, first part", "target 0", BODY + 4, &[0; 2]);
    maker.patch("Text, to a room", "target 0", BODY + 4, &[0; 2]);
}

fn hello(maker: &mut Maker) {
    let (fresh, resume) = ("Hello, fresh, without name", "Hello, resume, name and credential");
    maker.patch(fresh, "other magic", 1, b"CNSW");
    for version in [0, 2, 255] {
        maker.splice(fresh, &format!("version {version}"), 5..6, &[version], WrongVersion);
    }
    maker.splice(fresh, "version 2 and another body", 5..24, &[2, 0, 0, 0, 0, 1, 2, 3, 4, 9], WrongVersion);
    for codec in [0, 2, 127] {
        maker.patch(fresh, &format!("codec {codec}"), 14, &[codec]);
    }
    for ms in [0, 30, 80] {
        maker.patch(fresh, &format!("{ms} ms"), 15, &[ms]);
    }
    maker.patch(fresh, "bitrate 0", 16, &[0; 4]);
    maker.patch(fresh, "bitrate 1,000,001", 16, &1_000_001_u32.to_be_bytes());
    maker.patch(fresh, "state flag 4", 20, &[4]);
    maker.patch(fresh, "priority 5", 21, &[5]);
    maker.patch(fresh, "resume 2", 22, &[2]);
    maker.splice(fresh, "name of 65 bytes", 23..24, &[&[65], [b'n'; 65].as_slice()].concat(), Malformed);
    maker.splice(fresh, "name longer than the packet", 23..24, &[64], Truncated);
    maker.patch(resume, "name isn't UTF-8", 46, &[b'Z', b'o', 0xFF]);
    maker.patch(resume, "name ends inside a character", 45, &[3]);
    maker.splice(fresh, "credential of 513 bytes", 24..26, &[&[2, 1], [0; 513].as_slice()].concat(), Malformed);
    maker.splice(fresh, "credential longer than the packet", 24..26, &[2, 0], Truncated);
}

fn welcome_and_reasons(maker: &mut Maker) {
    maker.patch("Welcome, fresh", "version 2", 9, &[2]);
    maker.patch("Welcome, fresh", "resumed 2", 16, &[2]);
    let reasons: [(&str, usize, &[u8]); 4] = [
        ("Refused, full", 5, &[0, 6, 127]),
        ("RoomClosed, removed", BODY, &[0, 5, 128]),
        ("TextRefused, nobody there", BODY + 2, &[0, 6, 128]),
        ("Closed, kicked", BODY, &[0, 9, 127]),
    ];
    for (name, at, numbers) in reasons {
        for number in numbers {
            maker.patch(name, &format!("reason {number}"), at, &[*number]);
        }
    }
}

fn control(maker: &mut Maker) {
    for (name, at) in [("UseRoom, both", BODY), ("RoomGranted", BODY + 2)] {
        maker.patch(name, "use 0", at, &[0]);
        maker.patch(name, "use 4", at, &[4]);
    }
    for (name, at) in [("UseRoom, both", BODY + 1), ("RoomGranted", BODY + 3), ("RoomClosed, removed", BODY + 1)] {
        maker.splice(name, "no name", at..at + 6, &[0], Malformed);
        maker.splice(name, "name of 65 bytes", at..at + 6, &[&[65], [b'n'; 65].as_slice()].concat(), Malformed);
        maker.patch(name, "name isn't UTF-8", at + 1, &[0x80]);
    }
    maker.patch("SetState, nothing", "state flag 4", BODY, &[4]);
    maker.patch("SetState, nothing", "priority 5", BODY + 1, &[5]);
    maker.patch("SetBlock, block", "blocked 2", BODY + 2, &[2]);
    maker.patch("Audience, nobody", "heard 2", BODY, &[2]);
    for name in ["SendText, to a room", "Text, to a room"] {
        maker.patch(name, "last part 2", BODY + 2, &[2]);
        maker.patch(name, "kind of target 2", BODY + 3, &[2]);
    }
}

fn reports(maker: &mut Maker) {
    let (one, two, summary) = ("Report, one speaker", "Report, two speakers", "Summary, one listener");
    for name in [one, summary] {
        maker.patch(name, "session 0", 1, &[0; 4]);
    }
    maker.splice(one, "no entry", 5..12, &[], Truncated);
    maker.splice(one, "the kind alone", 1..12, &[], Truncated);
    maker.splice(two, "half an entry", 15..19, &[], Truncated);
    maker.splice("Report, sixteen speakers", "seventeen", 117..117, &[0, 17, 1, 2, 3, 4, 5], Malformed);
    maker.patch(one, "speaker 0", 5, &[0; 2]);
    maker.patch(two, "a speaker twice", 12, &[0, 7]);
    maker.patch(two, "speakers in falling order", 12, &[0, 6]);
    maker.patch(one, "lost and late more than all", 7, &[200, 56]);
    maker.patch(summary, "lost and late more than all", 6, &[200, 56]);
    maker.patch(summary, "no listener", 5, &[0]);
    maker.patch(summary, "65 listeners", 5, &[65]);
    maker.patch("Phase", "not later", 7, &[0; 2]);
    maker.patch("Phase", "later by 20 ms", 7, &20_000_u16.to_be_bytes());
}

fn roster(maker: &mut Maker) {
    let (one, named) = ("Roster, one person", "Roster, first page, name and rooms");
    maker.patch("Roster, empty", "page flag 4", BODY, &[4]);
    maker.splice("Roster, empty", "no page flags", BODY..BODY + 1, &[], Truncated);
    maker.splice("Roster, gone", "a byte too few", BODY + 3..BODY + 4, &[], Truncated);
    maker.splice("Roster, gone", "a byte too many", BODY + 4..BODY + 4, &[0], Truncated);
    maker.patch("Roster, gone", "client 0", BODY + 1, &[0; 2]);
    maker.patch("Roster, gone", "gone and muted", BODY + 3, &[0x81]);
    maker.patch(one, "flag 16", BODY + 3, &[16]);
    maker.patch(one, "flag 64", BODY + 3, &[64]);
    maker.patch(one, "codec 0", BODY + 4, &[0]);
    maker.patch(one, "30 ms", BODY + 5, &[30]);
    maker.patch(one, "bitrate 0", BODY + 6, &[0; 4]);
    maker.patch(one, "priority 5", BODY + 10, &[5]);
    maker.splice(one, "name of 65 bytes", BODY + 11..BODY + 12, &[&[65], [b'n'; 65].as_slice()].concat(), Malformed);
    maker.patch(named, "name isn't UTF-8", BODY + 12, &[0xC0]);
    maker.splice(one, "33 rooms", BODY + 12..BODY + 13, &rooms(1..=33), Malformed);
    maker.splice(one, "a room too few", BODY + 12..BODY + 13, &[2, 0, 1], Truncated);
    maker.patch(named, "rooms in falling order", BODY + 17, &[0, 6, 0, 5]);
    maker.patch(named, "a room twice", BODY + 17, &[0, 5, 0, 5]);
    maker.patch(named, "room 0", BODY + 17, &[0, 0]);
}

/// A list of rooms with its length.
fn rooms(ids: core::ops::RangeInclusive<u8>) -> Vec<u8> {
    [*ids.end()].into_iter().chain(ids.flat_map(|id| [0, id])).collect()
}

fn voice_header(maker: &mut Maker) {
    let one = "Voice, one room";
    for bit in [1, 2] {
        maker.patch(one, &format!("reserved bit {bit}"), 0, &[0x80 | bit]);
    }
    maker.patch(one, "speaker 0", 3, &[0; 2]);
    maker.splice(one, "no channel", 8..15, &[], Truncated);
    maker.splice(one, "half a channel", 10..15, &[], Truncated);
    maker.splice(one, "no payload, no end", 12..15, &[], Truncated);
    maker.splice(one, "payload of 1,001 bytes", 12..15, &[7; 1_001], Malformed);
    maker.splice(one, "the kind alone", 1..15, &[], Truncated);
    maker.patch(one, "channel's reserved bit 8", 8, &[8]);
    maker.patch(one, "channel's reserved bit 16", 8, &[16]);
    for priority in [5, 6, 7] {
        maker.patch(one, &format!("priority {priority}"), 8, &[priority]);
    }
    maker.patch(one, "volume 201", 9, &[201]);
    maker.patch(one, "room 0", 10, &[0; 2]);
    maker.patch("Voice, a whisper", "client 0", 10, &[0; 2]);
}

fn voice_lists(maker: &mut Maker) {
    let (both, eight, but) = ("Voice, a room and a whisper", "Voice, eight channels", "Voice, all but two");
    maker.splice(both, "the second channel is missing", 12..19, &[], Truncated);
    maker.patch(both, "the whisper before the room", 8, &[0xC0, 100, 0, 7, 0x00, 100, 0, 5]);
    maker.patch(eight, "rooms in falling order", 10, &[0, 3]);
    maker.patch(eight, "a room twice", 10, &[0, 2]);
    maker.splice(eight, "nine channels", 36..40, &[0x80, 100, 0, 8, 0, 100, 0, 9], Malformed);
    maker.patch(but, "relay list of none", 12, &[0]);
    maker.splice(but, "relay list of 33", 12..17, &rooms(1..=33), Malformed);
    maker.patch(but, "relay list's reserved bit", 12, &[0x42]);
    maker.patch(but, "relay list in falling order", 13, &[0, 9, 0, 7]);
    maker.patch(but, "a client twice in the relay list", 13, &[0, 7, 0, 7]);
    maker.patch(but, "client 0 in the relay list", 13, &[0, 0]);
    maker.splice(but, "a relay list cut off", 15..20, &[], Truncated);
    maker.splice(but, "no relay list", 12..20, &[], Truncated);
}
