//! The core allocates nothing, through a whole session.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    io::Write,
};

thread_local! {
    static ARMED: Cell<bool> = const { Cell::new(false) };
}

/// The system's allocator, which ends the process when it is used while it is armed.
struct Guarded;

fn refuse_when_armed() {
    if ARMED.with(|armed| armed.replace(false)) {
        // Not by a macro: what those print in a test is lost when the process ends.
        let what = b"the core allocated: run this under a debugger with a break point at `refuse_when_armed`\n";
        _ = std::io::stderr().write_all(what);
        std::process::abort();
    }
}

// SAFETY: every call is the system allocator's.
unsafe impl GlobalAlloc for Guarded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        refuse_when_armed();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        refuse_when_armed();
        // SAFETY: the caller keeps the contract of `dealloc`, and the pointer came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Guarded = Guarded;

fn armed<T>(what: impl FnOnce() -> T) -> T {
    ARMED.with(|armed| armed.set(true));
    let result = what();
    ARMED.with(|armed| armed.set(false));
    result
}

/// The session of the wasm check: joins, rooms, voice by both ways, whispers, texts, mutes, a kick, a lost transport, a new session,
/// a broken lane, and a host in every mode.
#[test]
fn a_whole_session_allocates_nothing() {
    let digest = armed(wasm_digest::scenario_digest);
    assert_eq!(digest, wasm_digest::scenario_digest());
}

#[test]
fn in_that_session_every_kind_of_event_comes_up() {
    let came = wasm_digest::scenario_events();
    let missing: Vec<_> = wasm_digest::EVENTS.iter().enumerate().filter(|(n, _)| came >> n & 1 == 0).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
