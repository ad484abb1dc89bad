/// Lets one connection send anything to a server with two honest clients, whose voice must stay unharmed.
pub fn hostile_peer(data: &[u8]) {
    // PLACEHOLDER: nothing is called until the core is there.
    core::hint::black_box(data);
}
