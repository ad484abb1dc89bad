//! Limits of memory on a microcontroller. Compiling this for a 32-bit target is the test: a type over its limit is an error.
#![no_std]
#![forbid(unsafe_code)]

use core::mem::size_of;

/// Fails to compile when `T` takes more than `LIMIT` bytes.
const fn at_most<T, const LIMIT: usize>() {
    assert!(size_of::<T>() <= LIMIT, "a type is over its limit of memory");
}

// Sizes mean something only where a pointer has four bytes; on the host, for clippy, nothing is claimed.
#[cfg(target_pointer_width = "32")]
const _: () = {
    // PLACEHOLDER: a client for four remote speakers in at most 8 KiB.
    at_most::<[usize; 2], 8>();
};

#[cfg(not(target_pointer_width = "32"))]
const _: () = at_most::<(), 0>();
