/// Makes any sequence of public calls on a client, with any packets in between.
pub fn client_ops(data: &[u8]) {
    // PLACEHOLDER: nothing is called until the core is there.
    core::hint::black_box(data);
}
