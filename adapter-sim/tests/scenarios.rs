//! Whole scenarios, judged by the checkers.

use adapter_sim::scenario::{Scenario, bandwidth};

#[test]
fn six_people_talk_and_no_rule_is_broken() {
    let scenario = Scenario::from_name("conversation").unwrap();
    for seed in 1..4 {
        let outcome = scenario.run(seed, 5, None);
        assert_eq!(outcome.violations, []);
        assert!(outcome.deliveries > 1_000, "{} frames heard", outcome.deliveries);
    }
}

/// So long that reordered packets come after another speaker has taken their speaker's place.
#[test]
fn in_a_long_talk_with_few_places_nobody_is_heard_out_of_order() {
    let scenario = Scenario::from_name("conversation").unwrap();
    let outcome = scenario.run(4, 330, None);
    assert_eq!(outcome.violations, []);
}

#[test]
fn equal_seeds_give_equal_traces_and_others_do_not() {
    let scenario = Scenario::from_name("swarm").unwrap();
    let trace = |seed| scenario.run(seed, 3, None).trace_hash;
    assert_eq!(trace(5), trace(5));
    assert_ne!(trace(5), trace(6));
}

#[test]
fn the_server_carries_one_stream_per_listener_and_none_when_all_paths_are_direct() {
    let relay = bandwidth(1, 5, false);
    assert!((relay.server.0 / relay.speaker.0 - 3.0).abs() < 0.1, "{relay:?}");
    let direct = bandwidth(1, 5, true);
    assert!(direct.server.0 < 1.0 && direct.speaker.0 > 2.9 * relay.speaker.0, "{direct:?}");
}

#[test]
fn a_swarm_that_did_anything_heals_and_no_rule_is_broken() {
    let scenario = Scenario::from_name("swarm").unwrap();
    for seed in 1..41 {
        assert_eq!(scenario.run(seed, 10, None).violations, [], "seed {seed}");
    }
}

#[test]
fn after_a_storm_of_joins_everybody_has_the_same_roster() {
    let scenario = Scenario::from_name("storm").unwrap();
    assert_eq!(scenario.run(1, 10, Some(1_000)).violations, []);
}
