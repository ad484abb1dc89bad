//! How much of a server's port those have who come from one address.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use adapter_udp::{Config, DownReason, Endpoint, Event, Identity, LinkId, Trust};

use super::wire::{Wire, address, machine};

/// Sixteen links of an address, eight of them at once and then four a second.
const FEW: Config = Config {
    links: 64,
    retry_above: 4,
    links_per_address: 16,
    handshakes_per_address: 8,
    handshake_every: Duration::from_millis(250),
    ..Config::DEFAULT
};

/// The server's links that are up from a machine.
fn held(wire: &Wire, from: SocketAddr) -> Vec<LinkId> {
    let server = &wire.nodes[0];
    let all: BTreeSet<LinkId> = server.ups().iter().map(|(link, _)| *link).collect();
    let is_down = |link: &LinkId| server.events.iter().any(|event| matches!(event, Event::Down(of, _) if of == link));
    let is_from = |link: &LinkId| server.endpoint.peer(*link).is_some_and(|(peer, _)| peer.ip() == from.ip());
    all.into_iter().filter(|link| !is_down(link) && is_from(link)).collect()
}

/// Lets a client ask for a link every 10 ms, which it does nothing with.
fn pester(wire: &mut Wire, client: usize, ms: u64) {
    for _ in 0..ms / 10 {
        let now = wire.now;
        let _ = wire.nodes[client].endpoint.connect(now, address(1), Trust::FirstUse);
        wire.run(10);
    }
}

#[test]
fn a_host_that_makes_links_and_says_nothing_has_its_share_and_keeps_nobody_out() {
    let mut wire = Wire::new(FEW);
    let (host, _) = wire.connect_from(machine(1), Trust::FirstUse);
    pester(&mut wire, host, 1_000);
    // Those that began before the address was proven are too many by four at most.
    let first = held(&wire, machine(1)).len();
    assert!((8..=8 + 4 + 4).contains(&first), "{first}");
    pester(&mut wire, host, 6_000);
    let most = held(&wire, machine(1)).len();
    assert!((16..=16 + 4).contains(&most), "{most}");
    let drops = wire.nodes[0].endpoint.drops();
    assert!(drops.too_often > 300 && drops.full == 0, "{drops:?}");
    for number in 2..12 {
        let (other, _) = wire.connect_from(machine(number), Trust::FirstUse);
        pester(&mut wire, host, 200);
        assert_eq!(wire.nodes[other].ups().len(), 1, "{number}");
    }
    // Who is refused is told so, and what is closed makes room again.
    let told = DownReason::Failed("the server takes no more connections now".into());
    assert!(wire.nodes[host].events.iter().any(|event| matches!(event, Event::Down(_, why) if *why == told)));
    held(&wire, machine(1)).into_iter().for_each(|link| wire.close(0, link));
    wire.run(3_000);
    pester(&mut wire, host, 1_000);
    let again = held(&wire, machine(1)).len();
    assert!((8..=16).contains(&again), "{again}");
}

#[test]
fn who_writes_the_address_of_another_on_beginnings_takes_nothing_from_it() {
    let mut wire = Wire::new(FEW);
    let mut stranger = Endpoint::client(Config::DEFAULT, Identity::generate().unwrap());
    let mut first = Vec::new();
    for port in 0..500 {
        stranger.connect(wire.now, address(1), Trust::FirstUse).unwrap();
        stranger.poll_transmit(wire.now, &mut first).unwrap();
        wire.inject(SocketAddr::new(machine(1).ip(), 10_000 + port), address(1), &first);
        wire.run(2);
    }
    let (client, _) = wire.connect_from(machine(1), Trust::FirstUse);
    wire.run(200);
    assert_eq!(wire.nodes[client].ups().len(), 1);
    assert_eq!(wire.nodes[0].endpoint.drops().too_often, 0);
}

#[test]
fn who_comes_from_the_servers_own_machine_or_with_a_hundred_behind_one_address_gets_in_at_once() {
    for (ip, people) in [([127, 0, 0, 1], 300), ([10, 2, 0, 1], 100)] {
        let mut wire = Wire::new(Config::DEFAULT);
        (0..people).for_each(|number| {
            wire.connect_from(SocketAddr::from((ip, 1_000 + number)), Trust::FirstUse);
        });
        wire.run(500);
        assert_eq!(wire.nodes[0].ups().len(), usize::from(people));
        assert_eq!(wire.nodes[0].endpoint.drops().too_often, 0);
    }
}
