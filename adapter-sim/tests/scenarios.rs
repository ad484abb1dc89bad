//! Whole scenarios, judged by the checkers.

use adapter_sim::{
    net::Preset,
    scenario::{Bottleneck, BottleneckRow, Scenario, bandwidth},
};

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

/// The rows of the minute that begins at this second.
fn minute(rows: &[BottleneckRow], from: u64) -> Vec<&BottleneckRow> {
    rows.iter().filter(|row| (from..from + 60).contains(&row.second)).collect()
}

/// Frames that weren't there when they were to be played, %.
fn missing(rows: &[&BottleneckRow]) -> f64 {
    rows.iter().map(|row| row.loss_percent + row.late_percent).sum::<f64>() / rows.len() as f64
}

/// Steps of the speaker who takes the most of them.
fn most_steps(rows: &[&BottleneckRow]) -> u32 {
    let of = |speaker: usize| rows.iter().map(|row| row.steps[speaker]).sum();
    (0..5).map(of).max().unwrap_or(0)
}

#[test]
fn five_speakers_who_share_64_kbit_s_settle_within_15_s_and_stay_intelligible() {
    for seed in 1..9 {
        let rows = Bottleneck::NARROW.run(seed, 135);
        for (from, steps) in [(15, 12), (75, 12)] {
            let settled = minute(&rows, from);
            assert!(most_steps(&settled) <= steps, "seed {seed}: {} steps", most_steps(&settled));
            assert!(missing(&settled) < 2.0, "seed {seed}: {} % missing", missing(&settled));
            let mut queue: Vec<f64> = settled.iter().map(|row| row.queue_ms.0).collect();
            queue.sort_by(f64::total_cmp);
            assert!(queue[6] < 60.0 && queue[11] < 120.0, "seed {seed}: the queue takes {queue:?} ms");
            let played = settled.iter().map(|row| row.played_percent).sum::<f64>() / 12.0;
            assert!(played > 97.0, "seed {seed}: {played} % played");
        }
    }
}

#[test]
fn without_adaptation_the_same_five_drown() {
    let rows = Bottleneck { adapts: false, ..Bottleneck::NARROW }.run(1, 75);
    let rows = minute(&rows, 15);
    assert!(missing(&rows) > 60.0, "{} % missing", missing(&rows));
    assert!(rows.iter().all(|row| row.queue_ms.0 > 400.0 && row.played_percent < 50.0));
}

#[test]
fn when_the_link_is_wide_again_all_come_back_to_full_rate() {
    for seed in 1..5 {
        let rows = Bottleneck { widens_at: Some(60), ..Bottleneck::NARROW }.run(seed, 260);
        let last = rows.last().unwrap();
        assert_eq!((&last.bitrates[..], &last.frame_ms[..]), (&[24_000; 5][..], &[20; 5][..]), "seed {seed}");
    }
}

#[test]
fn on_links_that_shake_and_lose_but_have_room_nobody_steps_down() {
    for listener in [Preset::HOME_WIFI, Preset::BUSY_WIFI, Preset::LTE, Preset::SATELLITE, Preset::LOSSY] {
        let rows = Bottleneck { listener, ..Bottleneck::NARROW }.run(1, 60);
        assert!(rows.iter().all(|row| row.bitrates == [24_000; 5]), "{}", listener.name);
    }
}
