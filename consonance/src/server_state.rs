//! What a running server says of itself: the JSON of its `/state`, which `serve` writes and `inspect` reads. docs/OPERATING.md has its fields.
//!
//! It holds names, and neither keys nor anything that was said; addresses only where nobody but this machine can ask.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::printable::is_harmless;

/// A server at one moment. Counts go on from its start; who wants rates compares two moments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ServerState {
    /// The program's version; by it a reader knows that this is a Consonance server.
    pub(crate) consonance: String,
    /// What people call it; nothing if it has no name.
    #[serde(default)]
    pub(crate) name: Option<String>,
    pub(crate) uptime_s: f64,
    /// Most people, as it was told.
    pub(crate) client_limit: usize,
    /// Connections of the transport, those being made included.
    pub(crate) links: usize,
    /// Time on a processor since the start; nothing where the system doesn't tell.
    pub(crate) cpu_s: Option<f64>,
    /// Memory of its own; nothing where the system doesn't tell.
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) totals: Totals,
    /// Voice packets that were shed because more came than could be passed on.
    #[serde(default)]
    pub(crate) voice_shed: u64,
    /// Datagrams that the transport dropped, by reason.
    pub(crate) datagram_drops: BTreeMap<String, u64>,
    /// Packets that the session dropped, by reason.
    pub(crate) packet_drops: BTreeMap<String, u64>,
    pub(crate) rooms: Vec<RoomState>,
    pub(crate) people: Vec<PersonState>,
}

/// Voice since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) voice_packets_in: u64,
    /// Deliveries: one for each listener.
    pub(crate) voice_packets_out: u64,
    pub(crate) media_datagrams_in: u64,
    pub(crate) media_datagrams_out: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomState {
    pub(crate) id: u16,
    pub(crate) name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PersonState {
    pub(crate) id: u16,
    pub(crate) name: String,
    /// By the rooms' ids.
    pub(crate) rooms: Vec<u16>,
    pub(crate) speaking: bool,
    /// Its connection is lost, and its seat is kept.
    pub(crate) reconnecting: bool,
    /// Muted by itself.
    pub(crate) muted: bool,
    pub(crate) deafened: bool,
    pub(crate) server_muted: bool,
    /// As the client measured it; nothing before that.
    pub(crate) rtt_ms: Option<u16>,
    /// Variation of the arrival of voice at the client.
    pub(crate) jitter_ms: u16,
    /// Voice from the server that the client missed in the last second.
    pub(crate) loss_percent: f64,
    /// `udp` or `webrtc`; nothing while it has no connection.
    #[serde(default)]
    pub(crate) transport: Option<String>,
    /// Where it is, as the server sees it; nothing while it has no connection, or where others can ask.
    #[serde(default)]
    pub(crate) address: Option<String>,
}

impl ServerState {
    /// As JSON that is safe to show on a terminal: what steers one is escaped in it.
    pub(crate) fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("names and numbers are always JSON");
        let mut safe = String::with_capacity(json.len() + 1);
        for c in json.chars() {
            if c == '\n' || is_harmless(c) {
                safe.push(c);
            } else {
                // Within a string: there is nothing like it elsewhere in JSON.
                safe.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
        safe + "\n"
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Three people in two rooms.
    pub(crate) fn example() -> ServerState {
        let person = |id, name: &str, rooms: &[u16]| PersonState {
            id,
            name: name.into(),
            rooms: rooms.into(),
            speaking: false,
            reconnecting: false,
            muted: false,
            deafened: false,
            server_muted: false,
            rtt_ms: Some(20),
            jitter_ms: 3,
            loss_percent: 0.0,
            transport: Some("udp".into()),
            address: None,
        };
        ServerState {
            consonance: "0.1.0".into(),
            name: None,
            uptime_s: 100.0,
            client_limit: 1_024,
            links: 3,
            cpu_s: Some(2.0),
            memory_bytes: Some(12 << 20),
            totals: Totals::default(),
            voice_shed: 0,
            datagram_drops: BTreeMap::from([("forged".into(), 0), ("waited".into(), 4)]),
            packet_drops: BTreeMap::from([("late".into(), 0)]),
            rooms: vec![RoomState { id: 1, name: "Lobby".into() }, RoomState { id: 2, name: "Attic".into() }],
            people: vec![
                PersonState { speaking: true, ..person(1, "Scout", &[1]) },
                PersonState { reconnecting: true, rtt_ms: None, ..person(2, "Medic\u{1b}[2J", &[1, 2]) },
                PersonState { muted: true, deafened: true, loss_percent: 12.5, ..person(3, "Pilot", &[]) },
            ],
        }
    }

    #[test]
    fn the_page_is_read_as_it_was_written_and_steers_no_terminal() {
        let mut state = example();
        state.people[0].name = "\u{9b}2J\u{202e}\u{e0041}\"\\\n".into();
        let json = state.to_json();
        assert!(json.chars().all(|c| c == '\n' || is_harmless(c)), "{json:?}");
        assert_eq!(serde_json::from_str::<ServerState>(&json).unwrap(), state);
    }
}
