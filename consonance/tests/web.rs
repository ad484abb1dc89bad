//! A server that lets browsers in, a client as a browser has it, and somebody who joins over UDP: each on real sockets of this machine.
#![expect(clippy::disallowed_methods, reason = "real sockets, and so a real clock")]

mod browser;
mod process;

use std::{fs, process::Stdio, time::Instant};

use adapter_webrtc::Client as Transport;
use browser::{Page, clip, frames, post};
use process::{Folder, Server, ask, program};
use voice_core::State;

#[test]
fn a_browser_and_somebody_over_udp_hear_each_other() {
    let home = Folder::new("web-talk");
    let server = Server::start(&home, "127.0.0.1:0", &["--web", "127.0.0.1:0"]);
    let web = server.web();
    let record = home.at("heard");
    let mut join = program(&home, "joined");
    join.args(["join", &server.address, "--name", "Joined", "--seconds", "12", "--say", &clip(1)]);
    join.args(["--record", record.to_str().expect("a path in UTF-8")]);
    let joined = join.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
    let mut page = Page::open("Page");
    let in_company = |page: &Page| page.core.roster().any(|person| person.name() == "Joined");
    let begun = page.go_on(&web, 8, |page| page.core.state() == State::Connected && in_company(page));
    assert!(begun, "{:?}", page.core.state());
    let (frames, mut said) = (frames(2), 0);
    page.go_on(&web, 14, |page| {
        let now = page.now();
        page.listen(now);
        if said < frames.len() && page.core.send_frame(now, &frames[said]).is_ok() {
            said += 1;
        }
        !in_company(page)
    });
    let output = joined.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout);
    let number = |after: &str, before: &str| -> usize {
        let part = text.split(before).next().and_then(|part| part.rsplit(after).next());
        part.and_then(|part| part.trim().parse().ok()).unwrap_or_else(|| panic!("{text}"))
    };
    let (out, came) = (number("\n", " voice packets out"), number("out,", " in;"));
    assert!(out > 100 && page.heard * 10 > out * 8, "said {out}, the page heard {}", page.heard);
    assert!(said > 100 && came * 10 > said * 8, "the page said {said}, {came} came");
    let heard = voice_audio::read_wav(&fs::read(record.join("heard.wav")).expect("a recording")).expect("a WAV file");
    assert!(
        heard.chunks(960).filter(|part| voice_audio::rms(part) > 300).count() > 50,
        "as speech, not only as packets"
    );
}

#[test]
fn what_is_no_offer_is_refused_with_a_status_that_says_why() {
    let home = Folder::new("web-offers");
    let server = Server::start(&home, "127.0.0.1:0", &["--web", "127.0.0.1:0"]);
    let web = server.web();
    let (_, offer) = Transport::new(Instant::now(), "127.0.0.1:9".parse().expect("an address")).expect("an offer");
    let sdp = "Content-Type: application/sdp";
    let cases: [(&str, &[&str], &str, u16); 7] = [
        ("GET /offer", &[], "", 405),
        ("POST /offer/", &[sdp], "v=0\n", 405),
        ("POST /offer", &["Content-Type: text/plain"], "v=0\n", 415),
        ("POST /offer", &[sdp, "Transfer-Encoding: chunked"], "", 411),
        ("POST /offer", &[sdp], &"x".repeat(17_000), 413),
        ("POST /offer", &[sdp], "v=0\n", 400),
        ("POST /offer", &[sdp], &offer, 200),
    ];
    for (what, head, body, wanted) in cases {
        let answer = ask(&web, what, head, body);
        assert_eq!(answer.status, wanted, "{what} {head:?}: {}", answer.text());
        assert!(!answer.text().trim().is_empty());
    }
    // More than an address may have: it is told to wait, and the server goes on.
    let statuses: Vec<u16> = (0..80).map(|_| post(&web, &offer).status).collect();
    assert!(statuses.contains(&429) && statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
}

#[test]
fn a_load_of_browsers_hears_itself_over_webrtc() {
    let home = Folder::new("web-load");
    let server = Server::start(&home, "127.0.0.1:0", &["--web", "127.0.0.1:0"]);
    let page = format!("http://{}/", server.web());
    let mut load = program(&home, "load");
    load.args(["load", "--web", &page, "--clients", "6", "--speakers", "2", "--seconds", "1", "--json"]);
    let output = load.output().expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let number = |name: &str| -> f64 {
        let rest = text.split(&format!("\"{name}\":")).nth(1).and_then(|rest| rest.split([',', '}']).next());
        let number = rest.and_then(|rest| rest.parse().ok());
        number.unwrap_or_else(|| panic!("{text} {}", String::from_utf8_lossy(&output.stderr)))
    };
    // Two speakers, each heard by five others, 50 frames a second.
    assert!(number("delivered_per_second") > 400.0, "{text}");
    assert!(number("lost_percent") < 5.0 && number("frames_per_datagram") >= 1.0, "{text}");
    assert!(server.log().contains("load-5"), "each comes in by name: {}", server.log());
}

#[test]
fn who_closes_the_lid_is_reconnecting_and_comes_back_to_the_seat() {
    let home = Folder::new("web-lid");
    let server = Server::start(&home, "127.0.0.1:0", &["--web", "127.0.0.1:0"]);
    let web = server.web();
    let (mut sleeper, mut watcher) = (Page::open("Sleeper"), Page::open("Watcher"));
    let met = (0..400).any(|_| {
        sleeper.turn(&web);
        watcher.turn(&web);
        sleeper.core.state() == State::Connected && watcher.core.roster().any(|person| person.name() == "Sleeper")
    });
    assert!(met, "{:?} {:?}", sleeper.core.state(), watcher.core.state());
    let (seat, attempt) = (sleeper.core.id(), sleeper.core.transport_wanted());
    let is_away =
        |watcher: &Page| watcher.core.roster().any(|person| person.name() == "Sleeper" && person.flags().reconnecting);
    // A machine that sleeps does nothing at all.
    assert!(watcher.go_on(&web, 20, |watcher| is_away(watcher)), "the server tells the others");
    assert!(watcher.core.roster().any(|person| person.name() == "Sleeper"), "the seat is kept");
    let opened = Instant::now();
    let back = (0..4_000).any(|_| {
        sleeper.turn(&web);
        watcher.turn(&web);
        sleeper.core.state() == State::Connected && !is_away(&watcher)
    });
    println!("back {:?} after the lid was opened", opened.elapsed());
    assert!(back && opened.elapsed().as_secs() < 5, "{:?} after {:?}", sleeper.core.state(), opened.elapsed());
    assert_eq!(sleeper.core.id(), seat, "the same seat");
    assert_ne!(sleeper.core.transport_wanted(), attempt, "by a new connection");
}
