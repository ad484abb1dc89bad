//! Two people talk by a server: over a wire, over a bad network, and from changing addresses.

use std::{
    net::{Ipv4Addr, UdpSocket},
    thread::sleep,
    time::Duration,
};

use crate::{
    nat::{Kind, Nat},
    net::{Faults, Net},
    now,
    people::{Does, Home, Person, Server},
    sound::{clip, levels, repetitions, samples},
    space::Space,
};

pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
pub(crate) const ANN: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const BEN: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// Two people and a server, each in a network of its own, with the internet between them.
pub(crate) struct Trio {
    // Dropped in this order: the wires last.
    pub(crate) net: Net,
    pub(crate) server: Space,
    pub(crate) ann: Space,
    pub(crate) ben: Space,
    pub(crate) home: Home,
}

/// Her number on the internet of a [`Trio`]; the server has 0 and Ben 2.
pub(crate) const ANNS_LINE: usize = 1;

impl Trio {
    pub(crate) fn new() -> Self {
        let [server, ann, ben] = [(); 3].map(|()| Space::new().expect("a namespace"));
        let net = Net::new(&[(&server, SERVER), (&ann, ANN), (&ben, BEN)]).expect("wires");
        Self { net, server, ann, ben, home: Home::new() }
    }

    /// Both say a clip of their own several times, and leave after so long.
    pub(crate) fn talk(&self, times: usize, seconds: u64) -> [Person; 2] {
        self.talk_in("Lobby", times, seconds)
    }

    /// Gives Ann's machine another address.
    fn move_ann(&self) {
        let moved = Ipv4Addr::new(192, 0, 2, 99);
        self.net.line(ANNS_LINE, |line| line.address = moved);
        self.ann.ip(&format!("address add {moved}/32 dev eth0")).expect("an address");
        self.ann.ip(&format!("address del {ANN}/32 dev eth0")).expect("its address of before");
    }

    fn talk_in(&self, room: &str, times: usize, seconds: u64) -> [Person; 2] {
        let join = |space, name, clip| {
            Person::join(space, &self.home, name, SERVER, Does { room, clip, times, seconds, direct: false })
        };
        [join(&self.ann, "Ann", ANNS_CLIP), join(&self.ben, "Ben", BENS_CLIP)]
    }
}

const ANNS_CLIP: u32 = 1;
const BENS_CLIP: u32 = 2;
/// A repetition that is less like its clip isn't told; other clips are below.
const TOLD: f64 = 0.8;

/// How like their clips those are that each hears of the other, after both have left.
pub(crate) fn heard_by_each_other([ann, ben]: &mut [Person; 2]) -> [Vec<f64>; 2] {
    ann.end();
    ben.end();
    let of = |pcm: Vec<i16>, number| repetitions(&levels(&samples(clip(number))), &levels(&pcm), TOLD);
    [of(ann.heard("Ben"), BENS_CLIP), of(ben.heard("Ann"), ANNS_CLIP)]
}

pub(crate) fn show(test: &str, heard: &[Vec<f64>; 2]) {
    for (who, heard) in ["Ann", "Ben"].iter().zip(heard) {
        let all: Vec<String> = heard.iter().map(|likeness| format!("{likeness:.2}")).collect();
        println!("{test}: {who} hears {} repetitions, likeness {}", heard.len(), all.join(" "));
    }
}

/// Nobody has joined again or noticed anything.
pub(crate) fn assert_undisturbed(people: &[Person]) {
    for person in people {
        assert_eq!(person.said("connected to"), 1, "{}", person.output());
        assert_eq!(person.said("reconnecting ("), 0, "{}", person.output());
    }
}

/// Over wires of the kernel's alone.
pub(crate) fn two_people() {
    let [server, ann, ben] = [(); 3].map(|()| Space::new().expect("a namespace"));
    let home = Home::new();
    let (here, there) = (SERVER, [ANN, BEN]);
    for (number, (space, address)) in [&ann, &ben].into_iter().zip(there).enumerate() {
        let port = format!("eth{number}");
        let wired = || {
            server.wire(&port, space, "eth0")?;
            server.ip(&format!("address add {here} peer {address} dev {port}"))?;
            space.ip(&format!("address add {address} peer {here} dev eth0"))
        };
        wired().expect("a wire");
    }
    let running = Server::start(&server, &home);
    let join = |space, name, clip, times| {
        Person::join(space, &home, name, here, Does { room: "Lobby", clip, times, seconds: 24, direct: false })
    };
    let mut people = [join(&ann, "Ann", ANNS_CLIP, 2), join(&ben, "Ben", BENS_CLIP, 2)];
    let heard = heard_by_each_other(&mut people);
    show("wire", &heard);
    assert_undisturbed(&people);
    for heard in &heard {
        assert_eq!(heard.len(), 2, "{heard:?}");
        assert!(heard.iter().all(|likeness| *likeness > 0.9), "{heard:?}");
    }
    for reason in ["malformed", "unknown_link", "forged", "replayed", "full", "waited"] {
        assert_eq!(running.dropped(reason), 0, "{reason}");
    }
}

/// 4 % are lost, each way takes 60 ms and every tenth datagram 100 ms more: four or five others overtake it.
pub(crate) fn on_a_bad_network() {
    let trio = Trio::new();
    let _server = Server::start(&trio.server, &trio.home);
    let (delay, late_by) = (Duration::from_millis(60), Duration::from_millis(100));
    let faults = Faults { lost: 40, delay, late: 100, late_by, ..Faults::default() };
    trio.net.line(ANNS_LINE, |line| line.faults = faults);
    let mut people = trio.talk(3, 30);
    let heard = heard_by_each_other(&mut people);
    show("bad network", &heard);
    println!("bad network: {:?}", trio.net.line(ANNS_LINE, |line| line.counts));
    assert_undisturbed(&people);
    for heard in &heard {
        assert_eq!(heard.len(), 3, "{heard:?}");
        assert!(heard.iter().all(|likeness| *likeness > 0.85), "{heard:?}");
    }
    let counts = trio.net.line(ANNS_LINE, |line| line.counts);
    assert!(counts.lost > 20 && counts.late > 50, "{counts:?}");
}

/// First the router in front of Ann forgets which port was hers, then her machine gets another address; she speaks and listens meanwhile.
pub(crate) fn on_the_move() {
    let trio = Trio::new();
    let server = Server::start(&trio.server, &trio.home);
    let home_router = Nat::new(Kind::Cone, Ipv4Addr::new(203, 0, 113, 7));
    trio.net.line(ANNS_LINE, |line| line.nat = Some(home_router));
    let mut people = trio.talk(4, 36);
    people.iter().for_each(Person::is_in);
    sleep(Duration::from_secs(5));
    trio.net.line(ANNS_LINE, |line| line.nat.as_mut().expect("her router").forget());
    sleep(Duration::from_secs(7));
    trio.move_ann();
    let begin = now();
    let heard = heard_by_each_other(&mut people);
    println!("on the move: {:.0} s after the second change", begin.elapsed().as_secs_f64());
    show("on the move", &heard);
    assert_undisturbed(&people);
    // Two changes may each spoil a repetition.
    for heard in &heard {
        assert!(heard.len() >= 3, "{heard:?}");
    }
    assert_eq!(server.metric("clients_reconnecting"), 0);
}

/// Ann hears and says nothing for so long that she is idle, and pings seldom. Then her machine gets another address, and Ben comes and speaks.
pub(crate) fn on_the_move_in_silence() {
    let trio = Trio::new();
    let server = Server::start(&trio.server, &trio.home);
    let join = |space, name, clip, times, seconds| {
        Person::join(space, &trio.home, name, SERVER, Does { room: "Lobby", clip, times, seconds, direct: false })
    };
    let mut ann = join(&trio.ann, "Ann", ANNS_CLIP, 0, 36);
    ann.is_in();
    sleep(Duration::from_secs(13));
    trio.move_ann();
    // Her program looks at its addresses every 2 s.
    sleep(Duration::from_millis(3_500));
    let mut ben = join(&trio.ben, "Ben", BENS_CLIP, 2, 18);
    ben.end();
    ann.end();
    let heard = repetitions(&levels(&samples(clip(BENS_CLIP))), &levels(&ann.heard("Ben")), TOLD);
    println!("on the move in silence: Ann hears {} repetitions, likeness {heard:.2?}", heard.len());
    assert_undisturbed(&[ann, ben]);
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert!(heard.iter().all(|likeness| *likeness > 0.9), "{heard:?}");
    assert_eq!(server.metric("clients_reconnecting"), 0);
}

/// Four people say recordings, begun at any time. Once they have moved their frames in pauses, as the server hints, what is for the same listener leaves together.
pub(crate) fn in_step() {
    let trio = Trio::new();
    let server = Server::start(&trio.server, &trio.home);
    let four = [(&trio.ann, "Ann", 1), (&trio.ben, "Ben", 2), (&trio.ann, "Cleo", 3), (&trio.ben, "Dan", 4)];
    let people: Vec<Person> = four
        .map(|(space, name, clip)| {
            sleep(Duration::from_millis(207));
            let does = Does { room: "Lobby", clip, times: 6, seconds: 26, direct: false };
            Person::join(space, &trio.home, name, SERVER, does)
        })
        .into();
    people.iter().for_each(Person::is_in);
    sleep(Duration::from_secs(12));
    let sent =
        || ["packets", "datagrams"].map(|what| server.metric(&format!("media_{what}_total{{way=\"out\"}}")) as f64);
    let [packets, datagrams] = sent();
    sleep(Duration::from_secs(8));
    let [more_packets, more_datagrams] = sent();
    let together = (more_packets - packets) / (more_datagrams - datagrams);
    println!("in step: {together:.2} packets in a datagram, of the three that each listener gets");
    assert_undisturbed(&people);
    assert!(together > 2.0, "{together:.2} packets in a datagram");
}

/// What stands for the routers of homes does what it is said to do.
pub(crate) fn two_kinds_of_routers() {
    let trio = Trio::new();
    let at = |space: &Space| {
        let socket = space.inside(|| UdpSocket::bind(("0.0.0.0", 5_000))).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a socket");
        socket
    };
    let (server, ann, ben) = (at(&trio.server), at(&trio.ann), at(&trio.ben));
    let seen = |by: &UdpSocket, address: Ipv4Addr| {
        ann.send_to(b"it is me", (address, 5_000)).expect("a route");
        by.recv_from(&mut [0; 64]).expect("a datagram").1
    };
    for (kind, same) in [(Kind::Cone, true), (Kind::Symmetric, false)] {
        let router = Nat::new(kind, Ipv4Addr::new(203, 0, 113, 7));
        trio.net.line(ANNS_LINE, |line| line.nat = Some(router));
        let by_server = seen(&server, SERVER);
        server.send_to(b"seen", by_server).expect("a route");
        assert!(ann.recv_from(&mut [0; 64]).is_ok(), "{kind:?}: no answer comes back");
        ben.send_to(b"not asked for", by_server).expect("a route");
        assert!(ann.recv_from(&mut [0; 64]).is_err(), "{kind:?}: somebody who wasn't talked to is let in");
        assert_eq!(seen(&server, SERVER), by_server, "{kind:?}: the port changes");
        assert_eq!(seen(&ben, BEN) == by_server, same, "{kind:?}");
        trio.net.line(ANNS_LINE, |line| line.nat.as_mut().expect("a router").forget());
        assert_ne!(seen(&server, SERVER), by_server, "{kind:?}: the old port is remembered");
    }
}
