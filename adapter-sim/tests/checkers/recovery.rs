use adapter_sim::{
    check::{RecoveryChecker, Violations},
    stamp::Stamp,
    world::PersonId,
};
use arrayvec::ArrayVec;

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

#[test]
fn just_the_share_is_enough_and_frames_spoken_before_are_not_of_it() {
    let heard = |spoken_at: [u64; 2]| {
        let mut checker = RecoveryChecker::default();
        checker.start(1_000);
        for spoken_at in spoken_at {
            checker.heard(1, &Stamp { speaker: 0, serial: 1, spoken_at, audience: ArrayVec::new() });
        }
        let mut violations = Violations::default();
        checker.finish(2_000, [((1, 0), 4)], 50, &mut violations);
        violations.count()
    };
    assert_eq!(heard([1_000, 1_001]), 0);
    assert_eq!(heard([999, 1_001]), 1);
}
