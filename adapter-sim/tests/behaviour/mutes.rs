use voice_core::{ClientEvent, State, StateReason, Volume, wire::CloseReason};

use crate::party::Party;

#[test]
fn who_mutes_itself_is_not_heard_and_is_seen_to_be_muted() {
    let mut party = Party::new(2);
    party.command(0, |now, client| client.set_muted(now, true));
    party.run(200);
    party.speak(&[0, 1]);
    assert!(!party.hears(1, 0) && party.hears(0, 1));
    let zero = party.id(0);
    assert!(party.world.client(1).person(zero).unwrap().flags().muted);
}

#[test]
fn who_is_deafened_hears_nothing_and_costs_the_server_nothing() {
    let mut party = Party::new(3);
    party.command(2, |now, client| client.set_deafened(now, true));
    party.run(200);
    let before = party.world.client(2).counters().voice_in.packets;
    party.speak(&[0]);
    assert!(party.hears(1, 0) && !party.hears(2, 0));
    assert_eq!(party.world.client(2).counters().voice_in.packets, before);
}

#[test]
fn a_local_mute_is_one_listeners_own_and_is_enforced_at_the_server() {
    let mut party = Party::new(3);
    let zero = party.id(0);
    party.command(1, |now, client| client.set_client_muted(now, zero, true)).unwrap();
    party.run(200);
    let before = party.world.client(1).counters().voice_in.packets;
    party.speak(&[0]);
    assert!(!party.hears(1, 0) && party.hears(2, 0));
    assert_eq!(party.world.client(1).counters().voice_in.packets, before);
}

#[test]
fn a_local_volume_is_one_listeners_own() {
    let mut party = Party::new(3);
    let zero = party.id(0);
    party.command(1, |_, client| client.set_client_volume(zero, Volume::new(30).unwrap())).unwrap();
    party.speak(&[0]);
    assert!(party.heard(1, 0).iter().all(|heard| heard.volume_percent == 30));
    assert!(party.heard(2, 0).iter().all(|heard| heard.volume_percent == 100));
}

#[test]
fn who_is_muted_by_the_server_is_told_and_heard_by_nobody() {
    let mut party = Party::new(2);
    let zero = party.id(0);
    party.server(|now, server| server.set_server_mute(now, zero, true)).unwrap();
    party.run(200);
    assert!(party.events(0).contains(&ClientEvent::ServerMuted(true)));
    party.speak(&[0]);
    assert!(!party.hears(1, 0));
    party.server(|now, server| server.set_server_mute(now, zero, false)).unwrap();
    party.run(200);
    party.speak(&[0]);
    assert!(party.hears(1, 0));
}

#[test]
fn who_is_kicked_is_told_why_and_stays_out_until_it_wants_in_again() {
    let mut party = Party::new(2);
    let one = party.id(1);
    party.server(|now, server| server.kick(now, one, 150)).unwrap();
    party.run(30_000);
    let client = party.world.client(1);
    assert_eq!(client.state(), State::Disconnected);
    assert_eq!(client.state_reason(), StateReason::Closed(CloseReason::Embedder(150)));
    assert_eq!(party.world.client(0).roster().count(), 1);
    party.world.connect(1);
    party.run(1_000);
    assert_eq!(party.world.client(1).state(), State::Connected);
}
