//! An allocator that ends the process when it is used while it is armed: for tests of what must not allocate, of any crate.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    io::Write,
};

thread_local! {
    static ARMED: Cell<bool> = const { Cell::new(false) };
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

struct Guarded;

fn refuse_when_armed() {
    if ARMED.with(|armed| armed.replace(false)) {
        // Not by a macro: what those print in a test is lost when the process ends.
        let what = b"something allocated: run this under a debugger with a break point at `refuse_when_armed`\n";
        _ = std::io::stderr().write_all(what);
        std::process::abort();
    }
}

// SAFETY: every call is the system allocator's.
unsafe impl GlobalAlloc for Guarded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        refuse_when_armed();
        TAKEN.with(|taken| taken.set(taken.get() + layout.size()));
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

/// Does something that must not allocate.
pub(crate) fn armed<T>(what: impl FnOnce() -> T) -> T {
    ARMED.with(|armed| armed.set(true));
    let result = what();
    ARMED.with(|armed| armed.set(false));
    result
}

/// Bytes that this thread has asked for so far.
#[allow(dead_code, reason = "not every test looks")]
pub(crate) fn taken() -> usize {
    TAKEN.with(Cell::get)
}
