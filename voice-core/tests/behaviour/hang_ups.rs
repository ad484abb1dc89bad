//! Connections that the core ends, and the adapter has to be told of.

use std::collections::BTreeSet;

use voice_core::{Instant, Server, ServerConfig, ServerEvent, server_storage_vec};

const MANY: usize = 1_000;

#[test]
fn however_many_connections_end_at_once_the_adapter_is_told_of_each_and_their_places_are_free_then() {
    let mut server = Server::new(ServerConfig::DEFAULT, 3, server_storage_vec!(clients: MANY, rooms: 4));
    let mut now = Instant::ORIGIN;
    for round in 0..3 {
        let connections: BTreeSet<_> = std::iter::from_fn(|| server.handle_connected(now).ok()).collect();
        assert!(connections.len() >= MANY, "round {round}: {} places", connections.len());
        now = now.after(core::time::Duration::from_secs(60));
        server.handle_timeout(now);
        let told = |event| if let ServerEvent::Disconnect { connection } = event { Some(connection) } else { None };
        let told: Vec<_> = std::iter::from_fn(|| server.poll_event()).filter_map(told).collect();
        assert_eq!(told.len(), connections.len(), "round {round}");
        assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), connections, "round {round}");
    }
    assert_eq!(server.counters().events_dropped, 0);
}

#[test]
fn who_never_asks_for_events_runs_out_of_no_places() {
    let mut server = Server::new(ServerConfig::DEFAULT, 3, server_storage_vec!(clients: 4, rooms: 4));
    let mut now = Instant::ORIGIN;
    for round in 0..100 {
        assert!(server.handle_connected(now).is_ok(), "round {round}");
        now = now.after(core::time::Duration::from_secs(60));
        server.handle_timeout(now);
    }
}
