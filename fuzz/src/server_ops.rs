/// Makes any sequence of public calls on a server, with any packets from any connection in between.
pub fn server_ops(data: &[u8]) {
    // PLACEHOLDER: nothing is called until the core is there.
    core::hint::black_box(data);
}
