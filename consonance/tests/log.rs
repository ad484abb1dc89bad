//! What a server writes about those who come and go, and that nobody can make it write something else.

mod process;

use std::{fs, time::Duration};

use process::{Folder, Server, end, join, program};

/// A name that would clear the screen, begin a line of its own, and write the rest of it backwards.
const HOSTILE: &str = "x\u{1b}[2J\n2026 INFO joined\u{202e}\u{9b}";

fn steers(text: &str) -> bool {
    text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}')
}

#[test]
fn the_log_says_who_comes_and_goes_and_who_guesses() {
    let home = Folder::new("log");
    let server = Server::start(&home, "127.0.0.1:0", &["--password", "sesame"]);
    assert!(end(join(&home, "Scout", &server.address, &["--password", "sesame", "--seconds", "2"])).0.status.success());
    assert!(!end(join(&home, "Thief", &server.address, &[])).0.status.success());
    std::thread::sleep(Duration::from_millis(300));
    let log = server.log();
    for wanted in [
        " INFO joined client=1024 name=\"Scout\"",
        " INFO left client=1024 reason=Left",
        " WARN refused: wrong password from=127.0.0.1:",
    ] {
        assert!(log.contains(wanted), "{wanted}: {log}");
    }
    assert!(log.contains("name=\"Thief\"") && !log.contains("sesame") && !log.contains("DEBUG"), "{log}");
}

#[test]
fn a_level_keeps_the_log_short_or_long() {
    let home = Folder::new("level");
    let config = home.at("serve.toml");
    fs::write(&config, "log = \"debug\"\n").expect("a file");
    let config = config.to_str().expect("a path in UTF-8");
    for (more, short, long) in [
        (&["--log", "warn"][..], true, false),
        (&["--config", config], false, true),
        (&["--config", config, "--log", "info"], false, false),
    ] {
        let server = Server::start(&home, "127.0.0.1:0", more);
        assert!(end(join(&home, "Scout", &server.address, &["--seconds", "2"])).0.status.success());
        std::thread::sleep(Duration::from_millis(300));
        let log = server.log();
        assert_eq!((log.is_empty(), log.contains("DEBUG connected")), (short, long), "{more:?}: {log}");
    }
    fs::write(config, "clients = 9\nlog = \"loud\"\n").expect("a file");
    let output = program(&home, "server").args(["serve", "--config", config]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("line 2") && said.contains("info"), "{said}");
}

#[test]
fn a_name_can_neither_forge_a_line_nor_steer_a_terminal() {
    let home = Folder::new("hostile");
    let server = Server::start(&home, "127.0.0.1:0", &["--log", "debug"]);
    let watcher = join(&home, "Watcher", &server.address, &["--seconds", "5"]);
    std::thread::sleep(Duration::from_millis(1_500));
    let (output, said) = end(join(&home, HOSTILE, &server.address, &["--text", HOSTILE, "--seconds", "2"]));
    assert!(output.status.success(), "{said}");
    let (_, seen) = end(watcher);
    let log = server.log();
    for text in [&seen, &log, &said] {
        assert!(!steers(text) && !text.contains("\n2026 INFO"), "{text}");
    }
    assert!(
        seen.contains("x\\u{1b}[2J\\u{a}2026 INFO joined") && log.contains("name=\"x\\u{1b}[2J\\n2026"),
        "{seen}{log}"
    );
}
