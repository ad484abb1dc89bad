//! Whether the machine carries the programs of a test: one that others keep from running says nothing about the network.

use std::{
    fs,
    sync::{Mutex, MutexGuard, Once, PoisonError},
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use crate::now;

/// Share of its time that a program may wait for a processor; a test that fails with more isn't judged.
const MOST_WAITED: f64 = 0.25;
const LOOKS_EVERY: Duration = Duration::from_millis(250);

struct Program {
    test: ThreadId,
    pid: u32,
    began: Instant,
    ended: Instant,
    waited: f64,
}

static PROGRAMS: Mutex<Vec<Program>> = Mutex::new(Vec::new());

fn programs() -> MutexGuard<'static, Vec<Program>> {
    PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches a program of the test that this thread runs.
pub(crate) fn watch(pid: u32) {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| _ = thread::spawn(look));
    let test = thread::current().id();
    programs().push(Program { test, pid, began: now(), ended: now(), waited: 0.0 });
}

/// Forgets the programs of the test that this thread ran before.
pub(crate) fn begin() {
    let test = thread::current().id();
    programs().retain(|program| program.test != test);
}

fn look() {
    loop {
        thread::sleep(LOOKS_EVERY);
        for program in &mut *programs() {
            if let Some([_, waited]) = processor(program.pid) {
                (program.waited, program.ended) = (waited, now());
            }
        }
    }
}

/// For how long a program's first thread has had a processor, and for how long it has waited for one (proc(5), schedstat), s.
pub(crate) fn processor(pid: u32) -> Option<[f64; 2]> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
    let mut seconds = text.split_whitespace().map(|ns| ns.parse().map_or(0.0, |ns: f64| ns / 1e9));
    Some([seconds.next()?, seconds.next()?])
}

/// Why the test that this thread ran says nothing, if so.
pub(crate) fn excuse() -> Option<String> {
    let test = thread::current().id();
    let share = |program: &Program| program.waited / (program.ended - program.began).as_secs_f64().max(1.0);
    let worst = programs().iter().filter(|program| program.test == test).map(share).fold(0.0, f64::max);
    (worst > MOST_WAITED)
        .then(|| format!("other programs kept one of the test from running for {:.0} % of its time", 100.0 * worst))
}
