//! Sections 8 and 9 of docs/PROTOCOL.md.

use core::time::Duration;

/// No packet is larger: a datagram of this size passes nearly every path whole.
pub const MAX_PACKET_BYTES: usize = 1_200;
/// Names of people and rooms.
pub const MAX_NAME_BYTES: usize = 64;
/// What a client shows the embedder to be let in.
pub const MAX_CREDENTIAL_BYTES: usize = 512;
/// One encoded frame: far above what a voice codec makes.
pub const MAX_PAYLOAD_BYTES: usize = 1_000;
/// Channels of one voice packet.
pub const MAX_CHANNELS: usize = 8;
/// Clients in a relay list.
pub const MAX_RELAY_LIST: usize = 32;
/// Rooms that one client uses.
pub const MAX_ROOMS_PER_CLIENT: usize = 32;
/// UseRoom packets of a client that the server hasn't answered: it keeps no more refusals.
pub const MAX_UNANSWERED_ROOMS: usize = 4;
/// One text.
pub const MAX_TEXT_BYTES: usize = 2_000;
/// Every part of a text but the last has just this many bytes.
pub const TEXT_PART_BYTES: usize = 1_000;
/// One rendezvous message.
pub const MAX_RENDEZVOUS_BYTES: usize = 1_000;
/// Speakers of whom one report tells.
pub const MAX_REPORT_ENTRIES: usize = 16;
/// Packets of a lane that may be unacknowledged.
pub const LANE_WINDOW: u16 = 64;
/// Received packets of a lane after which an acknowledgement is due.
pub const LANE_ACK_EVERY: u16 = 16;

/// Between two Pings.
pub const PING_INTERVAL: Duration = Duration::from_secs(1);
/// No voice either way: idle.
pub const IDLE_AFTER: Duration = Duration::from_secs(10);
/// Between two Pings of a client that is idle, whose last one was answered: NATs keep what is used every 30 s (RFC 4787 wants 120 s of them), and a server
/// hardly notices its idle clients.
pub const IDLE_PING_INTERVAL: Duration = Duration::from_secs(20);
/// Nothing heard: Degraded.
pub const DEGRADED_AFTER: Duration = Duration::from_secs(3);
/// Nothing heard: Reconnecting.
pub const CLIENT_TIMEOUT: Duration = Duration::from_secs(8);
/// Transport not up: next attempt.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// No Welcome: next attempt.
pub const JOIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Nothing heard: the seat waits for a resume.
pub const SERVER_TIMEOUT: Duration = Duration::from_secs(10);
/// The same, of a client that is idle.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection without a seat is closed.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// A seat without a connection is freed, unless the embedder says otherwise.
pub const GRACE: Duration = Duration::from_secs(30);
/// Something unacknowledged for so long, and nothing acknowledged: the lane has failed.
pub const LANE_STALL: Duration = Duration::from_secs(15);
/// Roster changes are gathered, at least so long.
pub const ROSTER_INTERVAL: Duration = Duration::from_millis(50);
/// And so long for each client that will be told of them: a change is a packet for everybody, and so there are at most 10,000 packets of changes a second,
/// however many people come and go.
pub const ROSTER_SHARE: Duration = Duration::from_micros(100);
/// Between two requests of a client for the whole roster.
pub const ROSTER_REQUEST_INTERVAL: Duration = Duration::from_secs(5);
/// Between two reports of a listener.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Between two summaries for a speaker. A little less than between reports, so that a lone listener's every report makes one.
pub const SUMMARY_INTERVAL: Duration = Duration::from_millis(900);
/// Between two phase hints to a speaker, at least: each tells the whole of what the last one left.
pub const PHASE_INTERVAL: Duration = Duration::from_secs(2);
/// No voice: stopped speaking.
pub const TALKSPURT_TIMEOUT: Duration = Duration::from_millis(400);
/// Between greetings until a path is proven.
pub const GREET_INTERVAL: Duration = Duration::from_millis(200);
/// Between greetings on a proven path, or one given up.
pub const GREET_REFRESH: Duration = Duration::from_secs(1);
/// Until the server is asked for a pair again, at first.
pub const PAIR_RETRY: Duration = Duration::from_secs(5);
/// Nothing from the other end: direct and relay.
pub const PATH_DOUBT: Duration = Duration::from_millis(1_200);
/// Nothing proven: relay only.
pub const PATH_PROVEN: Duration = Duration::from_millis(2_500);

const _: () =
    assert!(DEGRADED_AFTER.as_micros() > 2 * PING_INTERVAL.as_micros(), "two lost Pings are no reason to worry");
const _: () = assert!(CLIENT_TIMEOUT.as_micros() > DEGRADED_AFTER.as_micros());
const _: () = assert!(SERVER_TIMEOUT.as_micros() > CLIENT_TIMEOUT.as_micros(), "the client gives up first");
const _: () = assert!(
    IDLE_TIMEOUT.as_micros() > IDLE_PING_INTERVAL.as_micros() + CLIENT_TIMEOUT.as_micros(),
    "the client gives up first"
);
const _: () = assert!(IDLE_AFTER.as_micros() > CLIENT_TIMEOUT.as_micros());
const _: () = assert!(PATH_PROVEN.as_micros() > 2 * GREET_REFRESH.as_micros(), "a proof outlives one lost greeting");
const _: () = assert!(SUMMARY_INTERVAL.as_micros() < REPORT_INTERVAL.as_micros());
const _: () = assert!(MAX_TEXT_BYTES <= 2 * TEXT_PART_BYTES);
const _: () = assert!(LANE_ACK_EVERY < LANE_WINDOW / 2);
