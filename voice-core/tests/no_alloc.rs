//! The core allocates nothing, through a whole session.

mod armed;

use armed::armed;

/// The session of the wasm check: joins, rooms, voice by both ways, whispers, texts, mutes, a kick, a lost transport, a new session,
/// a broken lane, and a host in every mode.
#[test]
fn a_whole_session_allocates_nothing() {
    let digest = armed(wasm_digest::scenario_digest);
    assert_eq!(digest, wasm_digest::scenario_digest());
}

#[test]
fn in_that_session_every_kind_of_event_comes_up() {
    let came = wasm_digest::scenario_events();
    let missing: Vec<_> = wasm_digest::EVENTS.iter().enumerate().filter(|(n, _)| came >> n & 1 == 0).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
