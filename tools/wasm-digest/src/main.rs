//! Prints the digest natively.

fn main() {
    println!("{:016x}", wasm_digest::scenario_digest());
}
