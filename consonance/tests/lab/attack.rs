//! Talk beside those who mean harm.

use std::{thread::sleep, time::Duration};

use crate::{
    flood,
    net::Faults,
    now,
    people::{Does, Person, Server},
    space::Space,
    talk::{ANNS_LINE, SERVER, Trio, assert_undisturbed, heard_by_each_other, show},
};

/// Somebody on the way sends a third of all datagrams again, and a third with a bit turned over besides.
pub(crate) fn repeated_and_bent() {
    let trio = Trio::new();
    let server = Server::start(&trio.server, &trio.home);
    trio.net.line(ANNS_LINE, |line| line.faults = Faults { again: 300, bent: 300, ..Faults::default() });
    let mut people = trio.talk(2, 26);
    let heard = heard_by_each_other(&mut people);
    show("repeated and bent", &heard);
    let counts = trio.net.line(ANNS_LINE, |line| line.counts);
    server.wait_for_metrics();
    let (replayed, forged) = (server.dropped("replayed"), server.dropped("forged"));
    println!("repeated and bent: {counts:?}; the server counts {replayed} replayed and {forged} forged");
    assert_undisturbed(&people);
    for heard in &heard {
        assert_eq!(heard.len(), 2, "{heard:?}\n{}\n{}", people[0].output(), people[1].output());
        assert!(heard.iter().all(|likeness| *likeness > 0.85), "{heard:?}");
    }
    // Half of them go the other way, and some are QUIC's, which counts by itself.
    assert!(replayed > counts.again / 5, "{replayed} of {}", counts.again);
    assert!(forged > counts.bent / 5, "{forged} of {}", counts.bent);
}

/// How a server fared during a flood.
struct Fared {
    busy: f64,
    waited: f64,
    grown: u64,
}

/// Sees how a server fares while something goes on.
fn watch<T>(server: &Server<'_>, span: Duration, what: impl FnOnce() -> T) -> (T, Fared) {
    let (memory, [busy, waited]) = (server.memory(), server.processor());
    let done = what();
    let [busy_now, waited_now] = server.processor();
    let share = |before: f64, now: f64| (now - before) / span.as_secs_f64();
    let grown = server.memory().saturating_sub(memory);
    (done, Fared { busy: share(busy, busy_now), waited: share(waited, waited_now), grown })
}

impl Fared {
    fn show(&self, test: &str) {
        let (busy, waited) = (100.0 * self.busy, 100.0 * self.waited);
        println!(
            "{test}: the server was busy for {busy:.0} % of the time and waited for a processor for {waited:.0} %; its memory grew by {} KiB",
            self.grown
        );
    }
}

const FLOOD: Duration = Duration::from_secs(12);

pub(crate) fn garbage() {
    let trio = Trio::new();
    let stranger = Space::new().expect("a namespace");
    flood::attach(&stranger, &trio.server).expect("a wire");
    let server = Server::start(&trio.server, &trio.home);
    let mut people = trio.talk(3, 27);
    people.iter().for_each(Person::is_in);
    let (flood, fared) = watch(&server, FLOOD, || flood::garbage(&stranger, 100_000, FLOOD));
    server.wait_for_metrics();
    let dropped: u64 = ["malformed", "unknown_link", "forged"].iter().map(|reason| server.dropped(reason)).sum();
    let heard = heard_by_each_other(&mut people);
    println!(
        "garbage: {:.0} datagrams/s of 100,000 asked for; {dropped} counted; {} answered with {} bytes",
        flood.per_second(),
        flood.answers,
        flood.bytes_back
    );
    show("garbage", &heard);
    fared.show("garbage");
    assert!(dropped > flood.sent / 10, "{dropped} are counted");
    assert!(flood.bytes_back <= flood.bytes_sent, "{flood:?}");
    assert!(fared.grown < 4_096, "{} KiB", fared.grown);
    assert_undisturbed(&people);
    for heard in &heard {
        assert!(heard.len() >= 3 && heard.iter().all(|likeness| *likeness > 0.85), "{heard:?}");
    }
}

pub(crate) fn forged_handshakes() {
    let trio = Trio::new();
    let stranger = Space::new().expect("a namespace");
    flood::attach(&stranger, &trio.server).expect("a wire");
    let server = Server::start(&trio.server, &trio.home);
    let mut people = trio.talk(3, 27);
    people.iter().for_each(Person::is_in);
    let ((flood, joined), fared) = watch(&server, FLOOD, || {
        std::thread::scope(|scope| {
            let newcomer = scope.spawn(|| join_after(&trio, Duration::from_secs(4)));
            (flood::handshakes(&stranger, 5_000, FLOOD), newcomer.join().expect("somebody who joins"))
        })
    });
    let heard = heard_by_each_other(&mut people);
    let times = flood.bytes_back as f64 / flood.bytes_sent as f64;
    println!(
        "forged handshakes: {:.0} a second of 5,000 asked for; {} answers, {times:.2} times as many bytes; somebody else got in after {joined:.1?}",
        flood.per_second(),
        flood.answers
    );
    show("forged handshakes", &heard);
    fared.show("forged handshakes");
    assert!(flood.answers > 0, "the server answers no beginning at all");
    assert!(times <= 3.0, "{times}");
    assert!(fared.grown < 16_384, "{} KiB", fared.grown);
    assert_undisturbed(&people);
    for heard in &heard {
        assert!(heard.len() >= 3 && heard.iter().all(|likeness| *likeness > 0.85), "{heard:?}");
    }
    assert!(joined.is_some_and(|after| after < Duration::from_secs(5)), "{joined:?}");
}

/// One host makes all the links that it gets and says nothing on them, for longer than it takes to hold all that the server has.
pub(crate) fn links_in_silence() {
    let trio = Trio::new();
    let stranger = Space::new().expect("a namespace");
    flood::attach(&stranger, &trio.server).expect("a wire");
    let server = Server::start(&trio.server, &trio.home);
    let mut people = trio.talk(4, 34);
    people.iter().for_each(Person::is_in);
    let span = Duration::from_secs(20);
    let ((flood, joined, links), fared) = watch(&server, span, || {
        std::thread::scope(|scope| {
            let newcomer = scope.spawn(|| join_after(&trio, Duration::from_secs(13)));
            let links = scope.spawn(|| {
                sleep(Duration::from_secs(12));
                server.metric("links")
            });
            let flood = flood::silent_links(&stranger, 160, span);
            (flood, newcomer.join().expect("somebody who joins"), links.join().expect("a figure"))
        })
    });
    server.wait_for_metrics();
    let too_often = server.dropped("too_often");
    let heard = heard_by_each_other(&mut people);
    println!(
        "links in silence: {:.0} a second were asked for, {} came up and {too_often} were refused; the server had {links} after 12 s; somebody else got in after \
         {joined:.1?}",
        flood.per_second(),
        flood.answers
    );
    show("links in silence", &heard);
    fared.show("links in silence");
    assert!(joined.is_some_and(|after| after < Duration::from_secs(5)), "{joined:?}");
    assert!(links <= 256 + 32 + 3 && too_often > 100 && server.dropped("full") == 0, "{links} links, {too_often}");
    assert_undisturbed(&people);
    for heard in &heard {
        assert!(heard.len() >= 3 && heard.iter().all(|likeness| *likeness > 0.85), "{heard:?}");
    }
}

/// How long it takes somebody to get in who comes after a while.
fn join_after(trio: &Trio, wait: Duration) -> Option<Duration> {
    sleep(wait);
    let begin = now();
    let does = Does { room: "Lobby", clip: 1, times: 0, seconds: 4, direct: false };
    let person = Person::join(&trio.ben, &trio.home, "Newcomer", SERVER, does);
    person.says("connected to", begin, Duration::from_secs(10)).map(|at| at - begin)
}
