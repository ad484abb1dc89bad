//! Ctrl-C, and what else asks a program to end.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Set when the program is asked to end.
pub(crate) fn stop_flag() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    // Where signals can't be caught the program ends at once, as it would without.
    let _ = ctrlc::set_handler(move || asked.store(true, Ordering::Relaxed));
    stop
}
