//! A server that dies, and networks that are gone for a while.

use std::{thread::sleep, time::Duration, time::Instant};

use crate::{
    net::{Faults, Net},
    now,
    people::{Does, Home, Person, Server},
    space::Space,
    talk::{ANN, ANNS_LINE, SERVER, Trio, assert_undisturbed},
};

/// Ten people in five rooms, all of whom speak; the server is killed in mid-talk and started again.
pub(crate) fn server_killed() {
    let [server, people] = [(); 2].map(|()| Space::new().expect("a namespace"));
    let _net = Net::new(&[(&server, SERVER), (&people, ANN)]).expect("wires");
    let home = Home::new();
    let running = Server::start(&server, &home);
    let rooms = ["Attic", "Barn", "Cellar", "Den", "Entry"];
    let name = |room: &str, seat| format!("{room}{seat}");
    let join = |room: &'static str, seat: usize| {
        let does = Does { room, clip: 1 + seat as u32, times: 6, seconds: 24, direct: false };
        Person::join(&people, &home, &name(room, seat), SERVER, does)
    };
    let joined: Vec<(&str, usize, Person)> =
        rooms.iter().flat_map(|room| (0..2).map(move |seat| (*room, seat, join(room, seat)))).collect();
    joined.iter().for_each(|(.., person)| person.is_in());
    for (room, seat, person) in &joined {
        let partner = format!("{} speaks", name(room, 1 - seat));
        assert!(person.says(&partner, began(), Duration::from_secs(10)).is_some(), "{}", person.output());
    }
    running.kill();
    sleep(Duration::from_millis(500));
    let running = Server::start(&server, &home);
    let started = now();
    let mut slowest = Duration::ZERO;
    for (room, seat, person) in &joined {
        let partner = format!("{} speaks", name(room, 1 - seat));
        let back = person.says(&partner, started, Duration::from_secs(12));
        let back = back.unwrap_or_else(|| panic!("{room} {seat} doesn't hear its partner:\n{}", person.output()));
        slowest = slowest.max(back - started);
    }
    println!("server killed: all ten hear their partners again {:.1} s after the start", slowest.as_secs_f64());
    assert!(slowest <= Duration::from_secs(5), "{slowest:?}");
    running.wait_for_metrics();
    assert_eq!((running.metric("clients"), running.metric("rooms")), (10, 5));
    for (room, _, person) in &joined {
        let others = rooms.iter().filter(|other| *other != room);
        let strays: usize =
            others.map(|other| (0..2).map(|seat| person.said(&format!("{other}{seat} speaks"))).sum::<usize>()).sum();
        assert_eq!(strays, 0, "somebody of another room is heard:\n{}", person.output());
        person.interrupt();
    }
}

/// Since before anything began.
fn began() -> Instant {
    now() - Duration::from_secs(600)
}

/// Ann's line goes silent and Ben's machine loses its interface, while they talk.
fn cut_off(trio: &Trio, span: Duration) {
    let silent = |down| trio.net.line(ANNS_LINE, |line| line.faults = Faults { down, ..Faults::default() });
    silent(true);
    trio.ben.ip("link set eth0 down").expect("an interface");
    sleep(span);
    silent(false);
    trio.ben.ip("link set eth0 up").expect("an interface");
    // What a program for networks does on a machine of people.
    trio.ben.ip("route add default dev eth0").expect("a route");
}

/// How long after a time each hears the other speak.
fn hear_again(people: &[Person; 2], since: Instant, most: Duration) -> [Duration; 2] {
    let [ann, ben] = people;
    [(ann, "Ben speaks"), (ben, "Ann speaks")].map(|(person, text)| {
        let heard = person.says(text, since, most);
        heard.unwrap_or_else(|| panic!("not within {most:?} again '{text}':\n{}", person.output())) - since
    })
}

/// Three seconds are less than what a session bears: nobody joins again.
pub(crate) fn for_three_seconds() {
    let trio = Trio::new();
    let _server = Server::start(&trio.server, &trio.home);
    let people = trio.talk(8, 60);
    hear_again(&people, began(), Duration::from_secs(20));
    sleep(Duration::from_secs(1));
    cut_off(&trio, Duration::from_secs(3));
    let again = hear_again(&people, now(), Duration::from_secs(10));
    println!("3 s without network: they hear each other again after {again:.1?}");
    assert_undisturbed(&people);
    assert!(again.iter().all(|after| *after < Duration::from_secs(3)), "{again:?}");
    people.iter().for_each(Person::interrupt);
}

/// A minute is more than the server keeps a seat: both say that they are reconnecting, and join again by themselves.
pub(crate) fn for_a_minute() {
    let trio = Trio::new();
    let _server = Server::start(&trio.server, &trio.home);
    let people = trio.talk(24, 120);
    hear_again(&people, began(), Duration::from_secs(20));
    let begin = now();
    cut_off(&trio, Duration::from_secs(60));
    let healed = now();
    for person in &people {
        let said = person.says("reconnecting (", begin, Duration::ZERO);
        let after = said.unwrap_or_else(|| panic!("doesn't say that it reconnects:\n{}", person.output())) - begin;
        println!("60 s without network: reconnecting is said after {after:.1?}");
        assert!(after < Duration::from_secs(12), "{after:?}");
    }
    let again = hear_again(&people, healed, Duration::from_secs(30));
    println!("60 s without network: they hear each other again after {again:.1?}");
    people.iter().for_each(Person::interrupt);
}
