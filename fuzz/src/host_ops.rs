/// Makes any sequence of public calls and changes of mode on a host.
pub fn host_ops(data: &[u8]) {
    // PLACEHOLDER: nothing is called until the core is there.
    core::hint::black_box(data);
}
