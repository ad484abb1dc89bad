use adapter_sim::world::PersonId;

use crate::{
    assert_caught, broken,
    node::{Node, Packet},
};

/// All speak; person 2 loses its transport, gets it back, and in the end all has to be well.
const LOSS: &str = "
    400 open-room 0 0 none
    400 open-room 1 0 none
    400 open-room 2 0 none
    500 speak 0 on
    500 speak 1 on
    500 speak 2 on
    2000 break-lane 2 client skip
    47000 all-is-well
    52000
";

/// Lets nobody connect after the first second.
struct NoWayBack;

impl Node for NoWayBack {
    fn connects(&mut self, now: u64, _: PersonId) -> bool {
        now < 1_000_000
    }
}

#[test]
fn a_person_that_never_comes_back_is_caught() {
    assert_caught(LOSS, &mut NoWayBack, "recovery", "person 2 is still");
    assert_caught(LOSS, &mut NoWayBack, "recovery", "person 2 heard 0 of 250 frames of 0 after");
}

/// Passes only every so manieth voice packet on to person 2, from some time on.
struct Sieve {
    from: u64,
    pass: u64,
    of: u64,
    count: u64,
}

impl Node for Sieve {
    fn down(&mut self, now: u64, to: PersonId, packet: Packet) -> Vec<(PersonId, Packet)> {
        if packet.voice().is_none() || to != 2 || now < self.from {
            return vec![(to, packet)];
        }
        self.count += 1;
        if self.count % self.of < self.pass { vec![(to, packet)] } else { Vec::new() }
    }
}

#[test]
fn a_listener_that_is_connected_and_hears_under_the_share_is_caught() {
    let mut sieve = Sieve { from: 2_000_000, pass: 1, of: 3, count: 0 };
    assert_caught(LOSS, &mut sieve, "recovery", "frames of 1 after the faults stopped");
}

#[test]
fn what_was_heard_before_the_faults_stopped_counts_for_nothing() {
    let mut sieve = Sieve { from: 47_000_000, pass: 0, of: 1, count: 0 };
    assert_caught(LOSS, &mut sieve, "recovery", "of 250 frames of 0 after");
}

#[test]
fn a_listener_that_hears_more_than_the_share_is_well() {
    let mut sieve = Sieve { from: 2_000_000, pass: 2, of: 3, count: 0 };
    assert_eq!(broken(LOSS, &mut sieve), []);
}
