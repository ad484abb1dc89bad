//! A fixed seeded scenario of voice-core, reduced to one number that must be equal in wasm, debug and release.
//!
//! The linked wasm is made with the feature `artefact`; its size and its imports are checked too. See `step_wasm` in tools/test.
#![no_std]

mod scenario;
mod stage;

pub use scenario::{EVENTS, scenario_digest, scenario_events};

#[cfg(feature = "artefact")]
mod artefact {
    /// Exports [`crate::scenario_digest`] to whoever loads the wasm.
    #[unsafe(no_mangle)]
    pub extern "C" fn digest() -> u64 {
        crate::scenario_digest()
    }

    #[panic_handler]
    fn trap(_: &core::panic::PanicInfo<'_>) -> ! {
        core::arch::wasm32::unreachable()
    }
}
