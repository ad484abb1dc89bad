//! The real program on the real kernel: servers and clients in network namespaces that the tests make themselves.
//!
//! They need Linux, the command `ip`, and either root or user namespaces; elsewhere each test is printed as skipped, with the reason. So is one
//! that fails while other programs of the machine keep its own from running.
//! `CONSONANCE_LAB=0` switches them off: `tools/test` runs them in a step of its own. Each test has networks of its own, so they run side
//! by side as far as two cores carry them; those that flood run alone, last.
//!
//! | to look up | open |
//! |---|---|
//! | namespaces and wires | `space.rs` |
//! | loss, delay, repetition, bent bits between hosts | `net.rs` |
//! | cone and symmetric address translation of the tests' own internet | `nat.rs` |
//! | routers of the kernel, and direct paths through them | `routers.rs` |
//! | the programs that run, and what they say | `people.rs` |
//! | floods and forged senders | `flood.rs` |
//! | whether the machine carries it | `turn.rs`, `carried.rs` |

#[cfg(target_os = "linux")]
mod attack;
#[cfg(target_os = "linux")]
mod carried;
#[cfg(target_os = "linux")]
mod flood;
#[cfg(target_os = "linux")]
mod nat;
#[cfg(target_os = "linux")]
mod net;
#[cfg(target_os = "linux")]
mod outage;
#[cfg(target_os = "linux")]
mod packet;
#[cfg(target_os = "linux")]
mod people;
#[cfg(target_os = "linux")]
mod routers;
#[cfg(target_os = "linux")]
#[path = "../common/sound.rs"]
mod sound;
#[cfg(target_os = "linux")]
mod space;
#[cfg(target_os = "linux")]
mod talk;
mod turn;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
use carried::excuse;
use libtest_mimic::{Arguments, Completion, Trial};

/// A test: its name, how many programs it runs at once, and what it does.
type Test = (&'static str, usize, fn());

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    // More than there are tests: who may run at the same time is decided by `turn`.
    args.test_threads.get_or_insert(32);
    // Before any thread begins.
    let permit = if args.list { Ok(()) } else { permit() };
    if let Err(why) = &permit {
        println!("SKIPPED: the tests in network namespaces: {why}");
    }
    let routers = if args.list || permit.is_err() { permit.clone() } else { routers_permit() };
    if let (Ok(()), Err(why)) = (&permit, &routers) {
        println!("SKIPPED: the tests with routers of the kernel: {why}");
    }
    let tests = ROUTER_TESTS.iter().map(|test| (test, &routers)).chain(TESTS.iter().map(|test| (test, &permit)));
    let trials = tests.map(|((name, programs, body), permit)| {
        let permit = permit.clone();
        Trial::ignorable_test(*name, move || match permit {
            Err(why) => Ok(Completion::ignored_with(why)),
            Ok(()) => {
                let _turn = turn::wait_for(*programs);
                let panic = std::panic::catch_unwind(*body).err();
                Ok(panic.map_or(Completion::Completed, |panic| match excuse() {
                    Some(why) => skipped(name, &why),
                    None => std::panic::resume_unwind(panic),
                }))
            }
        })
    });
    libtest_mimic::run(&args, trials.collect()).exit_code()
}

/// Printed so that `tools/test` finds it.
fn skipped(name: &str, why: &str) -> Completion {
    println!("SKIPPED: {name}: {why}");
    Completion::ignored_with(why)
}

#[cfg(target_os = "linux")]
fn permit() -> Result<(), String> {
    if std::env::var_os("CONSONANCE_LAB").is_some_and(|value| value == "0") {
        return Err("switched off by CONSONANCE_LAB=0".into());
    }
    space::permit()
}

#[cfg(target_os = "linux")]
fn routers_permit() -> Result<(), String> {
    routers::permit()
}

#[cfg(not(target_os = "linux"))]
fn routers_permit() -> Result<(), String> {
    permit()
}

#[cfg(not(target_os = "linux"))]
fn excuse() -> Option<String> {
    None
}

#[cfg(not(target_os = "linux"))]
fn permit() -> Result<(), String> {
    Err("only Linux has them".into())
}

/// The tests wait for things to happen in real time.
#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "these tests are of the real kernel, whose clock goes on by itself")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// In the order in which they get their turn: the longest first.
#[cfg(target_os = "linux")]
const TESTS: &[Test] = &[
    ("a_network_that_is_gone_for_a_minute_heals_by_itself", 3, outage::for_a_minute),
    ("cone_and_symmetric_routers_give_out_ports_and_let_in_as_they_should", 0, talk::two_kinds_of_routers),
    ("what_one_says_the_other_hears_in_another_namespace", 3, talk::two_people),
    ("talk_goes_on_with_loss_delay_and_reordering", 3, talk::on_a_bad_network),
    ("a_client_whose_address_changes_in_mid_talk_goes_on_without_joining_again", 3, talk::on_the_move),
    ("who_is_silent_when_its_address_changes_hears_the_next_word", 3, talk::on_the_move_in_silence),
    ("frames_of_several_who_say_recordings_come_to_leave_together", 5, talk::in_step),
    ("a_network_that_is_gone_for_three_seconds_is_no_reason_to_reconnect", 3, outage::for_three_seconds),
    ("repeated_and_bent_datagrams_are_counted_and_do_no_harm", 3, attack::repeated_and_bent),
    ("ten_people_are_back_in_their_rooms_within_five_seconds_of_a_crash", 11, outage::server_killed),
    ("garbage_at_a_hundred_thousand_a_second_does_no_harm", turn::ALL, attack::garbage),
    ("a_flood_of_forged_handshakes_does_no_harm", turn::ALL, attack::forged_handshakes),
    ("a_host_that_holds_links_in_silence_keeps_nobody_out", turn::ALL, attack::links_in_silence),
];

/// The same, with the kernel's address translation.
#[cfg(target_os = "linux")]
const ROUTER_TESTS: &[Test] = &[
    ("a_direct_path_that_breaks_and_comes_back_loses_at_most_one_packet", 3, routers::a_path_that_breaks),
    ("two_people_behind_cone_routers_of_the_kernel_speak_directly", 3, routers::cones),
    ("behind_a_symmetric_router_of_the_kernel_voice_stays_on_the_server", 3, routers::a_symmetric_one),
];

#[cfg(not(target_os = "linux"))]
const ROUTER_TESTS: &[Test] = &[];

#[cfg(not(target_os = "linux"))]
const TESTS: &[Test] = &[("the_program_in_network_namespaces", 1, || ())];
