//! Sound devices in a program that was built without.
#![cfg(not(feature = "audio"))]

mod process;

use process::{Folder, program};

#[test]
fn who_asks_for_a_device_is_told_how_to_build_it_in() {
    let home = Folder::new("devices");
    let cases: [&[&str]; 4] = [
        &["devices"],
        &["join", "127.0.0.1", "--microphone", "any"],
        &["join", "127.0.0.1", "--loudspeaker", "any"],
        &["join", "127.0.0.1", "--open"],
    ];
    for arguments in cases {
        let output = program(&home, "wrong").args(arguments).output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains("--features audio") && said.trim().lines().count() == 1, "{arguments:?}: {said}");
    }
}
