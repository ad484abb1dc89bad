//! How many programs run at the same time: what a machine with two cores carries without being late.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// All that may run at once: a test that asks for them runs alone.
pub(crate) const ALL: usize = 16;

#[derive(Debug)]
struct Queue {
    free: usize,
    /// First come, first served: else those that run alone would wait for ever.
    next: u64,
    serving: u64,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { free: ALL, next: 0, serving: 0 });
static CHANGED: Condvar = Condvar::new();

/// The right to run so many programs, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(usize);

/// Waits until so many programs may run.
pub(crate) fn wait_for(programs: usize) -> Turn {
    let mut queue = locked();
    let ticket = queue.next;
    queue.next += 1;
    while queue.serving != ticket || queue.free < programs {
        queue = CHANGED.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
    queue.serving += 1;
    queue.free -= programs;
    CHANGED.notify_all();
    Turn(programs)
}

impl Drop for Turn {
    fn drop(&mut self) {
        locked().free += self.0;
        CHANGED.notify_all();
    }
}

fn locked() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}
