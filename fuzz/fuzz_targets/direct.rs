#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| consonance_fuzz::direct(data));
