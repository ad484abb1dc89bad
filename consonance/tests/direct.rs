//! People whose voice goes straight from one to the other, each a process of its own, on real sockets of this machine.

mod common;

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    time::Duration,
};

use common::Folder;

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(home: &Folder, who: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_consonance"));
    command.args(arguments).env("CONSONANCE_HOME", home.0.join(who)).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// A server on a port that the system chose, and its address.
fn serve(home: &Folder) -> (Running, String) {
    let mut command = program(home, "server", &["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.spawn().expect("the program runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    lines.read_line(&mut line).expect("the server says where it listens");
    std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
    (Running(child), line.trim().rsplit(' ').next().expect("an address").to_owned())
}

fn join(home: &Folder, who: &str, server: &str, more: &[&str]) -> Running {
    let mut arguments = vec!["join", server, "--name", who];
    arguments.extend(more);
    Running(program(home, who, &arguments).spawn().expect("the program runs"))
}

/// What somebody has printed when it is through.
fn end(mut who: Running) -> String {
    let mut text = String::new();
    who.0.stdout.take().expect("piped").read_to_string(&mut text).expect("text");
    assert!(who.0.wait().expect("it ends").success(), "{text}");
    text
}

/// How many of a speaker's packets came directly, and how many over the server.
fn ways(said: &str, speaker: &str) -> (u64, u64) {
    let line = said.lines().find(|line| line.starts_with(&format!("{speaker}: ")) && line.contains(" voice packets "));
    let line = line.unwrap_or_else(|| panic!("no word of {speaker}: {said}"));
    let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    (numbers[0], numbers[1])
}

/// A speaker and a listener; what the listener and the speaker said in the end.
fn talk(test: &str, of_listener: &[&str]) -> (String, String) {
    let home = Folder::new(test);
    let (_server, address) = serve(&home);
    let clip = |number| format!("{}/../clips/voice-{number}.wav", env!("CARGO_MANIFEST_DIR"));
    let listener = join(&home, "Listener", &address, &[&["--seconds", "13"], of_listener].concat());
    std::thread::sleep(Duration::from_millis(1_000));
    let speaker = join(&home, "Speaker", &address, &["--say", &clip(1), &clip(2)]);
    let speaker = end(speaker);
    (end(listener), speaker)
}

#[test]
fn two_people_on_one_machine_are_heard_directly() {
    let (listener, speaker) = talk("direct", &[]);
    let (direct, server) = ways(&listener, "Speaker");
    assert!(direct > 200 && direct > 4 * server, "{direct} directly, {server} over the server: {listener}");
    assert!(listener.contains("Speaker is heard directly"), "{listener}");
    assert!(speaker.contains("Listener: speech goes directly, to "), "{speaker}");
}

#[test]
fn who_wants_no_direct_paths_is_spoken_to_over_the_server_alone() {
    let (listener, speaker) = talk("no-direct", &["--no-direct"]);
    assert!(!listener.contains("directly") && !speaker.contains("speech goes directly"), "{listener}{speaker}");
    assert!(listener.contains(" in; round trip") && !listener.contains(" 0 in;"), "{listener}");
}
