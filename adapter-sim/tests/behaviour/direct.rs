use adapter_sim::net::NatKind;
use voice_core::{ClientEvent, TalkTo};

use crate::party::Party;

#[test]
fn voice_goes_straight_where_a_path_is_proven_and_the_server_carries_nothing() {
    let mut party = Party::direct(2);
    assert!(party.events(0).contains(&ClientEvent::DirectUp(party.id(1))));
    let before = party.server(|_, server| server.counters().voice_out.packets);
    party.speak(&[0]);
    assert!(party.hears(1, 0));
    assert_eq!(party.server(|_, server| server.counters().voice_out.packets), before);
    assert!(party.record.arrived_direct[&1] > 20);
}

#[test]
fn those_without_a_path_hear_the_same_speaker_by_the_relay() {
    let mut party = Party::direct(2);
    let third = party.add(false);
    party.run(1_000);
    party.speak(&[0]);
    assert!(party.hears(1, 0) && party.hears(third, 0));
    assert_eq!(party.record.arrived_direct.get(&third), None);
}

#[test]
fn a_path_that_nats_forbid_leaves_the_pair_on_the_relay() {
    let mut party = Party::direct(0);
    for person in [party.add(true), party.add(true)] {
        let endpoint = party.world.endpoint(person);
        party.world.net().set_nat(endpoint, NatKind::Blocked);
    }
    party.run(3_000);
    assert!(!party.events(0).iter().any(|event| matches!(event, ClientEvent::DirectUp(_))));
    party.speak(&[0]);
    assert!(party.hears(1, 0));
}

#[test]
fn when_a_path_dies_the_relay_takes_over_with_a_frame_lost_at_most() {
    let mut party = Party::direct(2);
    let (a, b) = (party.world.endpoint(0), party.world.endpoint(1));
    party.speak(&[0]);
    let whole = party.heard(1, 0).len();
    party.world.net().set_partition(&[a], &[b], true, true);
    party.speak(&[0]);
    assert!(party.heard(1, 0).len() + 1 >= whole, "{} of {whole}", party.heard(1, 0).len());
    party.run(5_000);
    assert!(party.events(0).contains(&ClientEvent::DirectDown(party.id(1))));
}

#[test]
fn a_local_mute_ends_the_path_and_is_kept_there_too() {
    let mut party = Party::direct(2);
    let zero = party.id(0);
    party.command(1, |now, client| client.set_client_muted(now, zero, true)).unwrap();
    party.run(500);
    party.speak(&[0]);
    assert!(!party.hears(1, 0));
    assert!(party.events(1).contains(&ClientEvent::DirectDown(zero)));
}

#[test]
fn a_whisper_over_a_path_stays_between_the_two() {
    let mut party = Party::direct(3);
    let (channel, one) = (party.channel[0], party.id(1));
    party.command(0, |now, client| {
        client.close_channel(now, channel).unwrap();
        client.open_channel(now, TalkTo::Client(one), Default::default()).unwrap();
    });
    party.speak(&[0]);
    assert!(party.hears(1, 0) && !party.hears(2, 0));
    assert_eq!(party.record.arrived_direct.get(&2), None);
}

#[test]
fn a_speaker_keeps_within_its_uplink_and_gives_the_rest_to_the_relay() {
    // A frame of 40 B is about 13 kbit/s with its headers: two direct copies fit beside the one for the relay, four don't.
    let budget = 100_000;
    let mut party = Party::direct(0);
    party.add_with(|config| (config.direct, config.uplink_bits_per_second) = (true, Some(budget)));
    (0..4).for_each(|_| _ = party.add(true));
    party.run(2_000);
    let sent = |party: &Party| {
        let counters = party.world.client(0).counters();
        (counters.direct_out, counters.voice_out)
    };
    let before = sent(&party);
    party.speak(&[0]);
    let after = sent(&party);
    let (direct, relay) = (after.0.packets - before.0.packets, after.1.packets - before.1.packets);
    assert!((1..5).all(|listener| party.hears(listener, 0)));
    assert!(direct > 20 && relay > 20, "{direct} direct, {relay} relayed");
    let datagrams = direct + relay;
    let bits = 8 * (after.0.bytes - before.0.bytes + after.1.bytes - before.1.bytes + 28 * datagrams);
    // In half a second of speech, with the greetings of all.
    assert!(bits <= u64::from(budget) / 2 * 11 / 10, "{bits} bits");
}
