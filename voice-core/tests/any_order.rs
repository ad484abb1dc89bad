//! No order of calls is wrong, and no bytes are: whatever is called on a client, a server or a host with whatever packets, nothing panics,
//! and the bounds hold that the bodies in `fuzz/src` check after the calls. Here a failure is made as short as can be.

use proptest::{collection::vec, prelude::*};

/// Programs of calls, as bytes.
fn program() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..700)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn a_client_takes_any_calls_with_any_bytes(program in program()) {
        consonance_fuzz::client_ops(&program);
    }

    #[test]
    fn a_server_takes_any_calls_with_any_bytes(program in program()) {
        consonance_fuzz::server_ops(&program);
    }

    #[test]
    fn a_host_takes_any_calls_with_any_bytes(program in program()) {
        consonance_fuzz::host_ops(&program);
    }

    #[test]
    fn two_honest_clients_talk_on_whatever_a_third_sends(program in program()) {
        consonance_fuzz::hostile_peer(&program);
    }
}
