//! A running server as `inspect` shows it.

mod process;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use process::{Folder, Server, end, join, program};

fn free_address() -> String {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    format!("127.0.0.1:{port}")
}

/// Whether it went well, and all that was said.
fn inspect(home: &Folder, arguments: &[&str]) -> (bool, String) {
    let output = program(home, "inspect").arg("inspect").args(arguments).output().expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

fn ask(address: &str, host: &str) -> String {
    // Its port for voice is there a little earlier.
    let attempts = (0..50).filter_map(|_| {
        std::thread::sleep(Duration::from_millis(100));
        TcpStream::connect(address).ok()
    });
    let mut stream = { attempts }.next().expect("the server answers");
    stream.write_all(format!("GET /state HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn who_is_in_which_room_is_shown_as_a_table_and_as_json() {
    let home = Folder::new("inspect");
    let http = free_address();
    let server = Server::start(&home, "127.0.0.1:0", &["--http", &http, "--clients", "9", "--password", "sesame"]);
    let clip = format!("{}/../clips/voice-1.wav", env!("CARGO_MANIFEST_DIR"));
    // What goes directly the server doesn't see.
    let more = ["--password", "sesame", "--seconds", "7", "--no-direct"];
    let scout = join(&home, "Scout", &server.address, &[&more[..], &["--room", "Attic", "--say", &clip]].concat());
    let medic = join(&home, "Medic", &server.address, &[&more[..], &["--room", "Attic", "Bridge"]].concat());
    std::thread::sleep(Duration::from_millis(3_000));
    let (well, table) = inspect(&home, &[&http]);
    assert!(well && table.contains("2 of at most 9 people, 2 rooms, 1 speaking"), "{table}");
    assert!(table.contains("\n  Attic   Medic") && table.contains("\n          Scout"), "{table}");
    assert!(table.contains("\n  Bridge  Medic") && table.contains("  speaks  "), "{table}");
    // Fifty frames a second, or nearly so where many tests run at once.
    let per_second: Vec<&str> = table.split("voice packets/s: ").nth(1).expect("a rate").split([' ', ',']).collect();
    assert!((25..=75).contains(&per_second[0].parse::<u32>().expect("a number")), "{table}");
    let (well, json) = inspect(&home, &[&format!("http://{http}/"), "--json"]);
    assert!(well, "{json}");
    let state: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let people = state["people"].as_array().expect("people");
    let speaker = people.iter().find(|person| person["name"] == "Scout").expect("Scout is there");
    assert_eq!((&speaker["speaking"], &speaker["reconnecting"], people.len()), (&true.into(), &false.into(), 2));
    assert!(state["totals"]["voice_packets_out"].as_u64() > Some(20) && state["cpu_s"].as_f64() > Some(0.0), "{json}");
    assert!(!json.contains("sesame"), "{json}");
    assert!(end(scout).0.status.success() && end(medic).0.status.success());
}

#[test]
fn only_who_asks_by_an_address_learns_who_is_there() {
    let home = Folder::new("rebind");
    let http = free_address();
    let _server = Server::start(&home, "127.0.0.1:0", &["--http", &http]);
    for host in [&http, "localhost:7757", "[::1]:9", "127.0.0.1"] {
        assert!(ask(&http, host).starts_with("HTTP/1.0 200"), "{host}");
    }
    for host in ["voice.example", "voice.example:7757", ""] {
        assert!(ask(&http, host).starts_with("HTTP/1.0 403"), "{host}");
    }
}

#[test]
fn what_cannot_be_inspected_is_one_line_with_the_cure() {
    let home = Folder::new("uninspected");
    let (well, nobody) = inspect(&home, &[&free_address(), "--once"]);
    assert!(!well && nobody.contains("no HTTP answer") && nobody.contains("--http"), "{nobody}");
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for (stream, answer) in
            other.incoming().zip(["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "SSH-2.0-x\r\n"])
        {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 1_000]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    for _ in 0..2 {
        let (well, stranger) = inspect(&home, &[&address]);
        assert!(!well && stranger.contains("no Consonance server"), "{stranger}");
        assert_eq!(stranger.trim().lines().count(), 1, "{stranger}");
    }
}
