//! A day of a session on the simulator's clock: sequence numbers and media time pass their ends by the dozen, the journal of the roster by the hundred.

use adapter_sim::scenario::Scenario;

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes without the optimizer: 'tools/test day' runs it with it")]
fn after_a_day_of_talk_faults_and_crashes_all_rules_hold_and_everybody_hears_everybody() {
    let outcome = Scenario::from_name("day").unwrap().run(1, 86_400, None);
    assert_eq!(outcome.violations, []);
    assert!(outcome.deliveries > 10_000_000, "{} frames were heard", outcome.deliveries);
    let struck = outcome.faults.iter().filter(|(_, count)| *count > 0).count();
    assert!(struck > 8, "{:?}", outcome.faults);
}
