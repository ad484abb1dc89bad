use adapter_sim::net::{Break, Side};
use voice_core::{ClientEvent, State};

use crate::party::Party;

#[test]
fn when_the_server_starts_a_new_session_everybody_rejoins_by_itself() {
    let mut party = Party::new(3);
    let before = party.world.client(0).session();
    party.world.replace_server();
    party.run(15_000);
    for person in 0..3 {
        assert_eq!(party.world.client(person).state(), State::Connected);
        assert_ne!(party.world.client(person).session(), before);
    }
    party.speak(&[0]);
    assert!(party.hears(1, 0) && party.hears(2, 0));
}

#[test]
fn a_client_says_that_it_reconnects_while_it_does() {
    let mut party = Party::new(1);
    party.world.replace_server();
    party.run(15_000);
    let events = party.events(0);
    let reconnecting = events.iter().position(|event| *event == ClientEvent::StateChanged(State::Reconnecting));
    let connected = events.iter().rposition(|event| *event == ClientEvent::StateChanged(State::Connected));
    assert!(reconnecting.is_some() && reconnecting < connected);
}

#[test]
fn a_lane_that_loses_or_repeats_a_message_leads_to_a_clean_start() {
    for (side, how) in [
        (Side::Client, Break::Skip),
        (Side::Client, Break::Repeat),
        (Side::Server, Break::Skip),
        (Side::Server, Break::Repeat),
    ] {
        let mut party = Party::new(2);
        let before = party.id(1);
        let connection = party.world.connection(1).unwrap();
        party.world.net().break_lane(connection, side, how);
        party.command(1, |now, client| client.set_muted(now, true));
        party.command(1, |now, client| client.set_muted(now, false));
        party.command(0, |now, client| client.set_muted(now, true));
        party.run(200);
        party.command(1, |now, client| client.set_muted(now, true));
        party.command(0, |now, client| client.set_muted(now, false));
        party.run(200);
        party.command(1, |now, client| client.set_muted(now, false));
        party.run(15_000);
        assert_ne!(party.id(1), before, "{side:?} {how:?}");
        party.speak(&[0, 1]);
        assert!(party.hears(0, 1) && party.hears(1, 0), "{side:?} {how:?}");
    }
}

#[test]
fn a_server_that_stops_says_good_bye_and_its_clients_come_to_the_next() {
    let mut party = Party::new(2);
    party.server(|now, server| server.stop(now));
    party.run(300);
    assert_eq!(party.world.client(0).state(), State::Reconnecting);
    party.server(|now, server| server.start(now));
    party.run(15_000);
    assert_eq!(party.world.client(0).state(), State::Connected);
    party.speak(&[1]);
    assert!(party.hears(0, 1));
}

#[test]
fn while_nothing_is_heard_a_client_says_so_and_then_recovers() {
    let mut party = Party::new(1);
    let (server, endpoint) = (party.world.server_endpoint(), party.world.endpoint(0));
    party.world.net().set_blocked(server, endpoint, true);
    party.run(5_000);
    assert_eq!(party.world.client(0).state(), State::Degraded);
    party.world.net().set_blocked(server, endpoint, false);
    party.run(2_000);
    assert_eq!(party.world.client(0).state(), State::Connected);
}
