//! Two people behind routers of the kernel (nftables), each translating addresses in its own way, and whether their voices go straight between them.

use std::{
    fs, io,
    net::Ipv4Addr,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    now,
    people::{Does, Home, Person, Server},
    sound::{clip, levels, repetitions, samples},
    space::Space,
    talk::SERVER,
};

const ROUTERS: [Ipv4Addr; 2] = [Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(203, 0, 113, 2)];
/// Of both homes: nothing outside may depend on them.
const INSIDE: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 2);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
const CLIPS: [u32; 2] = [1, 2];
const TOLD: f64 = 0.8;
/// So many packets in a row come by another way before somebody says so, 20 ms each.
const CHANGE: Duration = Duration::from_secs(15);

/// How a router gives out ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One outside port, whoever is talked to.
    Cone,
    /// Another one for each that is talked to.
    Symmetric,
}

impl Kind {
    /// Without the second chain a stranger's datagram, though it isn't let in, takes the port that its receiver would have got for talking to the stranger.
    fn rules(self) -> String {
        let masquerade = match self {
            Kind::Cone => "masquerade",
            Kind::Symmetric => "masquerade fully-random",
        };
        format!(
            "table ip home {{
                 chain out {{ type nat hook postrouting priority 100; oifname wan {masquerade}; }}
                 chain in {{ type filter hook input priority 0; iifname wan ct state new drop; }}
                 chain pass {{ type filter hook forward priority 0; iifname wan ct state new drop; }}
             }}"
        )
    }
}

/// Two homes, each with a router, and a server, all connected by one more router.
struct Street {
    // Dropped in this order: what runs in a namespace before it.
    server: Space,
    people: [Space; 2],
    routers: [Space; 2],
    exchange: Space,
    home: Home,
}

impl Street {
    fn new(kinds: [Kind; 2]) -> Self {
        let space = || Space::new().expect("a namespace");
        let (server, people, routers, exchange) =
            (space(), [(); 2].map(|()| space()), [(); 2].map(|()| space()), space());
        let street = Self { server, people, routers, exchange, home: Home::new() };
        street.connect(kinds).expect("wires");
        street
    }

    fn connect(&self, kinds: [Kind; 2]) -> io::Result<()> {
        self.exchange.wire("server", &self.server, "eth0")?;
        self.exchange.ip(&format!("route add {SERVER} dev server"))?;
        self.server.ip(&format!("address add {SERVER}/32 dev eth0"))?;
        self.server.ip("route add default dev eth0")?;
        forward(&self.exchange)?;
        for (at, kind) in kinds.into_iter().enumerate() {
            let (router, person, outside) = (&self.routers[at], &self.people[at], ROUTERS[at]);
            let port = format!("home{at}");
            self.exchange.wire(&port, router, "wan")?;
            self.exchange.ip(&format!("route add {outside} dev {port}"))?;
            router.ip(&format!("address add {outside}/32 dev wan"))?;
            router.ip("route add default dev wan")?;
            router.wire("lan", person, "eth0")?;
            router.ip(&format!("address add {GATEWAY}/32 dev lan"))?;
            router.ip(&format!("route add {INSIDE} dev lan"))?;
            person.ip(&format!("address add {INSIDE}/32 dev eth0"))?;
            person.ip("route add default dev eth0")?;
            forward(router)?;
            nft(router, &kind.rules())?;
        }
        Ok(())
    }

    /// Both say their clips so often.
    fn talk(&self, times: usize, seconds: u64) -> [Person; 2] {
        let does = |clip| Does { room: "Lobby", clip, times, seconds, direct: true };
        let join = |at: usize, name| Person::join(&self.people[at], &self.home, name, SERVER, does(CLIPS[at]));
        [join(0, "Ann"), join(1, "Ben")]
    }

    /// What comes from the other home doesn't get through, or does again.
    fn block(&self, blocked: bool) {
        let rule = format!("ip saddr {} ip daddr {} drop", ROUTERS[0], ROUTERS[1]);
        let back = format!("ip saddr {} ip daddr {} drop", ROUTERS[1], ROUTERS[0]);
        let rules = if blocked {
            format!("table ip street {{ chain pass {{ type filter hook forward priority 0; {rule}; {back}; }}; }}")
        } else {
            "delete table ip street".to_owned()
        };
        nft(&self.exchange, &rules).expect("rules");
    }
}

fn forward(space: &Space) -> io::Result<()> {
    space.inside(|| fs::write("/proc/sys/net/ipv4/ip_forward", "1"))
}

fn nft(space: &Space, rules: &str) -> io::Result<()> {
    let output = space.inside(|| Command::new("nft").arg(rules).output())?;
    let said = String::from_utf8_lossy(&output.stderr);
    output.status.success().then_some(()).ok_or_else(|| io::Error::other(format!("nft: {said}")))
}

/// Why there are no such routers here, if there aren't any.
pub(crate) fn permit() -> Result<(), String> {
    let space = Space::new().map_err(|error| error.to_string())?;
    match nft(&space, &Kind::Symmetric.rules()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err("the command nft is missing: install nftables".to_owned())
        }
        Err(error) => Err(format!("the kernel translates no addresses here ({error})")),
    }
}

/// How often each was told in what the other has heard, after both have left.
fn heard(people: &mut [Person; 2]) -> [Vec<f64>; 2] {
    people.iter_mut().for_each(Person::end);
    let [ann, ben] = people;
    let of = |pcm: Vec<i16>, clip_number| repetitions(&levels(&samples(clip(clip_number))), &levels(&pcm), TOLD);
    [of(ann.heard("Ben"), CLIPS[1]), of(ben.heard("Ann"), CLIPS[0])]
}

fn assert_heard(people: &mut [Person; 2], times: usize) {
    let heard = heard(people);
    println!("likeness of what Ann and Ben heard: {heard:.2?}");
    for heard in &heard {
        assert_eq!(heard.len(), times, "{}{}", people[0].output(), people[1].output());
    }
}

fn wait_until_heard(people: &[Person; 2], way: &str, since: Instant) {
    for (listener, speaker) in people.iter().zip(["Ben", "Ann"]) {
        let told = listener.says(&format!("{speaker} is heard {way}"), since, CHANGE);
        assert!(told.is_some(), "not {way}: {}", listener.output());
    }
}

pub(crate) fn cones() {
    let street = Street::new([Kind::Cone, Kind::Cone]);
    let _server = Server::start(&street.server, &street.home);
    let begin = now();
    let mut people = street.talk(3, 30);
    wait_until_heard(&people, "directly", begin);
    assert_heard(&mut people, 3);
    // The change from one way to the other at the beginning.
    for (listener, speaker) in people.iter().zip(["Ben", "Ann"]) {
        let lost = listener.lost(speaker);
        assert!(lost <= 1, "{lost} lost of {speaker}: {}", listener.output());
    }
}

pub(crate) fn a_symmetric_one() {
    let street = Street::new([Kind::Cone, Kind::Symmetric]);
    let _server = Server::start(&street.server, &street.home);
    let mut people = street.talk(3, 30);
    assert_heard(&mut people, 3);
    for person in &people {
        for word in ["is heard directly", "speech goes directly"] {
            assert_eq!(person.said(word), 0, "{}", person.output());
        }
    }
}

/// Directly, over the server while nothing gets through from home to home, and directly again.
pub(crate) fn a_path_that_breaks() {
    let street = Street::new([Kind::Cone, Kind::Cone]);
    let _server = Server::start(&street.server, &street.home);
    let mut people = street.talk(6, 60);
    wait_until_heard(&people, "directly", now());
    for (blocked, way) in [(true, "over the server"), (false, "directly")] {
        sleep(Duration::from_secs(2));
        let begin = now();
        street.block(blocked);
        wait_until_heard(&people, way, begin);
    }
    assert_heard(&mut people, 6);
    for (listener, speaker) in people.iter().zip(["Ben", "Ann"]) {
        let lost = listener.lost(speaker);
        println!("{lost} packets of {speaker} were lost");
        assert!(lost <= 1, "{}", listener.output());
    }
}
