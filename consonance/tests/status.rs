//! What an operator sees of a running server.

mod process;

use std::{net::TcpListener, time::Duration};

use process::{Folder, Server, ask, end, join};

fn free_address() -> String {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    format!("127.0.0.1:{port}")
}

#[test]
fn an_operator_sees_who_is_there_by_which_way_and_what_was_before_they_looked() {
    let home = Folder::new("status");
    let http = free_address();
    let server = Server::start(&home, "127.0.0.1:0", &["--http", &http, "--name", "Fleet", "--web", "127.0.0.1:0"]);
    let clip = format!("{}/../clips/voice-1.wav", env!("CARGO_MANIFEST_DIR"));
    let more = ["--seconds", "8", "--no-direct"];
    let scout = join(&home, "<i>Scout", &server.address, &[&more[..], &["--say", &clip]].concat());
    let medic = join(&home, "Medic", &server.address, &more);
    std::thread::sleep(Duration::from_millis(5_500));
    let json = |path: &str| -> serde_json::Value {
        let answer = ask(&http, &format!("GET {path}"), &[], "");
        assert_eq!(answer.status, 200, "{path}");
        serde_json::from_slice(&answer.body).expect("JSON")
    };
    let state = json("/state");
    assert_eq!(state["name"], "Fleet");
    let people = state["people"].as_array().expect("people");
    let person = people.iter().find(|person| person["name"] == "<i>Scout").expect("Scout is there");
    assert_eq!(person["transport"], "udp");
    assert!(person["address"].as_str().is_some_and(|at| at.starts_with("127.0.0.1:")), "{person}");
    let past = json("/status/history");
    let columns = past["columns"].as_array().expect("names");
    let rows = past["rows"].as_array().expect("rows");
    assert!((3..=9).contains(&rows.len()) && rows.len() as u64 == past["last"].as_u64().expect("a number"));
    let most = |name: &str| {
        let at = columns.iter().position(|column| column == name).expect("a column");
        rows.iter().filter_map(|row| row[at].as_f64()).fold(0.0, f64::max)
    };
    assert_eq!((most("people"), most("speaking")), (2.0, 1.0));
    assert!(most("frames_out") > 20.0 && most("us_per_frame") > 0.0, "{past}");
    let last = past["last"].as_u64().expect("a number");
    let rest = json(&format!("/status/history?after={last}"));
    assert!(rest["rows"].as_array().expect("rows").len() <= 2, "only what is new");
    assert!(end(scout).0.status.success() && end(medic).0.status.success());
}

#[test]
fn the_status_page_is_for_this_machine_and_runs_nothing_but_its_own_script() {
    let home = Folder::new("status-page");
    let http = free_address();
    let server = Server::start(&home, "127.0.0.1:0", &["--http", &http]);
    server.says("what it is at: http://");
    let page = ask(&http, "GET /status", &[], "");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'; script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    for wanted in ["status.css", "status.js"] {
        assert!(page.text().contains(wanted));
        assert_eq!(ask(&http, &format!("GET /{wanted}"), &[], "").status, 200);
    }
    assert!(!ask(&http, "GET /status.js", &[], "").text().contains("innerHTML"), "names are strangers' words");
    for path in ["/status", "/status/history", "/state", "/status.js"] {
        assert_eq!(ask(&http, &format!("GET {path}"), &["Host: voice.example"], "").status, 403, "{path}");
    }
    assert_eq!(ask(&http, "GET /healthz", &["Host: voice.example"], "").status, 200);
}

#[test]
fn where_others_can_ask_nobodys_address_is_told() {
    let home = Folder::new("status-public");
    let http = free_address().replace("127.0.0.1", "0.0.0.0");
    let server = Server::start(&home, "127.0.0.1:0", &["--http", &http]);
    server.says("what it is at: http://");
    let medic = join(&home, "Medic", &server.address, &["--seconds", "4"]);
    std::thread::sleep(Duration::from_millis(2_500));
    let state = ask(&http.replace("0.0.0.0", "127.0.0.1"), "GET /state", &["Host: voice.example"], "").text();
    assert!(
        state.contains("\"Medic\"") && state.contains("\"address\": null") && !state.contains("127.0.0.1"),
        "{state}"
    );
    assert!(end(medic).0.status.success());
}
