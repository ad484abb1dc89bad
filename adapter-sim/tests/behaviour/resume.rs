use voice_core::{ClientEvent, State, StateReason};

use crate::party::Party;

/// Takes a person's network away for so long, and gives it time to come back.
fn away(party: &mut Party, person: u16, ms: u64) {
    let endpoint = party.world.endpoint(person);
    party.world.net().set_dark(endpoint, true);
    party.run(ms);
    party.world.net().set_dark(endpoint, false);
    party.run(20_000);
}

#[test]
fn who_comes_back_within_the_grace_period_has_the_same_id_and_rooms() {
    let mut party = Party::new(2);
    let before = party.id(1);
    away(&mut party, 1, 15_000);
    assert_eq!(party.world.client(1).state_reason(), StateReason::Resumed);
    assert_eq!(party.id(1), before);
    party.speak(&[0, 1]);
    assert!(party.hears(0, 1) && party.hears(1, 0));
}

#[test]
fn the_others_see_who_is_away_and_that_it_came_back() {
    let mut party = Party::new(2);
    let id = party.id(1);
    away(&mut party, 1, 15_000);
    let events = party.events(0);
    assert!(events.contains(&ClientEvent::Reconnecting(id)) && events.contains(&ClientEvent::Resumed(id)));
    assert!(!events.contains(&ClientEvent::Left(id)));
}

#[test]
fn mutes_outlast_an_absence() {
    let mut party = Party::new(3);
    let (one, two) = (party.id(1), party.id(2));
    party.command(1, |now, client| client.set_client_muted(now, two, true)).unwrap();
    party.server(|now, server| server.set_server_mute(now, one, true)).unwrap();
    party.run(200);
    away(&mut party, 1, 15_000);
    party.speak(&[1, 2]);
    assert!(!party.hears(1, 2) && party.hears(0, 2), "the local mute");
    assert!(!party.hears(0, 1), "the server's mute");
}

#[test]
fn a_mute_taken_back_while_away_is_taken_back() {
    let mut party = Party::new(2);
    let zero = party.id(0);
    party.command(1, |now, client| client.set_client_muted(now, zero, true)).unwrap();
    party.run(200);
    let endpoint = party.world.endpoint(1);
    party.world.net().set_dark(endpoint, true);
    party.run(1_000);
    party.command(1, |now, client| client.set_client_muted(now, zero, false)).unwrap();
    party.run(10_000);
    party.world.net().set_dark(endpoint, false);
    party.run(20_000);
    assert_eq!(party.world.client(1).state_reason(), StateReason::Resumed);
    party.speak(&[0]);
    assert!(party.hears(1, 0));
}

#[test]
fn after_the_grace_period_a_fresh_seat_has_all_that_was_wanted() {
    let mut party = Party::new(2);
    let before = party.id(1);
    party.command(1, |now, client| client.set_deafened(now, true));
    away(&mut party, 1, 60_000);
    assert_eq!(party.world.client(1).state_reason(), StateReason::Joined);
    assert_ne!(party.id(1), before);
    party.speak(&[0, 1]);
    assert!(party.hears(0, 1) && !party.hears(1, 0));
}

#[test]
fn a_transport_that_breaks_is_replaced_within_a_second() {
    let mut party = Party::new(2);
    let connection = party.world.connection(1).unwrap();
    party.world.net().close(connection, adapter_sim::net::Side::Server);
    party.run(1_000);
    assert_eq!(party.world.client(1).state(), State::Connected);
    assert_eq!(party.world.client(1).state_reason(), StateReason::Resumed);
}

#[test]
fn a_change_of_address_goes_unnoticed() {
    let mut party = Party::new(2);
    let endpoint = party.world.endpoint(1);
    party.world.net().change_address(endpoint);
    party.run(3_000);
    party.speak(&[0, 1]);
    assert!(party.hears(0, 1) && party.hears(1, 0));
    assert_eq!(party.world.client(1).state_reason(), StateReason::Joined);
}
