//! Direct paths without a socket: two clients, their NATs, and what may happen between them.

mod hostile;
mod lab;
mod net;
mod talk;

use adapter_udp::{DirectEvent, Families};
use lab::{Lab, client};
use net::Kind;

const KINDS: [Kind; 5] = [Kind::Open, Kind::FullCone, Kind::Cone, Kind::PortCone, Kind::Symmetric];

#[test]
fn two_homes_with_the_usual_nats_speak_directly() {
    let mut lab = Lab::two(Kind::PortCone, Kind::PortCone);
    lab.run(500);
    assert!(lab.is_direct());
    for (at, other) in [(0, 1), (1, 0)] {
        let used = lab.ends[at].direct.address(client(other)).unwrap();
        assert_eq!(used, lab.net.outside(other, lab::SERVER), "by the NAT's address");
    }
    lab.run(60_000);
    assert!(lab.is_direct());
    assert_eq!(lab.ends[0].changes().len(), 1, "it stays, though nothing is said");
}

#[test]
fn every_pair_of_nats_goes_direct_but_those_of_which_both_look_at_ports_and_one_changes_them() {
    for one in KINDS {
        for other in KINDS {
            let mut lab = Lab::two(one, other);
            lab.run(20_000);
            let strict = |kind| matches!(kind, Kind::PortCone | Kind::Symmetric);
            let hopeless = strict(one) && strict(other) && (one == Kind::Symmetric || other == Kind::Symmetric);
            assert_eq!(lab.is_direct(), !hopeless, "{one:?} and {other:?}");
        }
    }
}

#[test]
fn behind_the_same_nat_the_own_network_is_used() {
    let mut lab = Lab::new();
    let one = lab.add(Kind::PortCone);
    let address = "192.168.0.3:5000".parse().unwrap();
    let other = lab.net.add_beside(address, one);
    lab.join(other, Families::V4);
    lab.want_all();
    lab.run(2_000);
    assert!(lab.is_direct());
    assert_eq!(lab.ends[one].direct.address(client(other)), Some(address));
    assert_eq!(lab.ends[other].direct.address(client(one)), Some(lab.net.address(one)));
}

#[test]
fn ipv6_is_used_where_both_have_it() {
    for families in [Families::V6, Families::Both] {
        let mut lab = Lab::new();
        for address in ["[2001:db8::1]:5000", "[2001:db8::2]:5000"] {
            let node = lab.net.add(address.parse().unwrap(), Kind::Open);
            lab.join(node, families);
        }
        lab.want_all();
        lab.run(2_000);
        assert!(lab.is_direct());
        assert_eq!(lab.ends[0].direct.address(client(1)), Some(lab.net.address(1)));
    }
}

#[test]
fn a_path_that_falls_silent_is_given_up_after_five_seconds_and_comes_back() {
    let mut lab = Lab::two(Kind::PortCone, Kind::Cone);
    lab.run(1_000);
    assert!(lab.is_direct());
    lab.net.loses = Box::new(|_, _| true);
    lab.run(4_000);
    assert!(lab.ends.iter().all(|end| end.path().is_some()), "a short silence is the core's business");
    lab.run(2_500);
    assert!(lab.ends.iter().all(|end| end.path().is_none()));
    lab.run(30_000);
    lab.net.loses = Box::new(|_, _| false);
    lab.run(40_000);
    assert!(lab.is_direct());
}

#[test]
fn what_never_works_is_tried_ever_more_seldom() {
    let mut lab = Lab::two(Kind::Symmetric, Kind::Symmetric);
    lab.run(600_000);
    let early = lab.messages.len();
    lab.run(1_200_000);
    let late = lab.messages.len() - early;
    assert!((4..=20).contains(&late), "{early} messages in 10 minutes, {late} in the next 20");
    assert!(lab.ends.iter().all(|end| end.changes().is_empty()));
}

#[test]
fn a_client_whose_nat_starts_anew_is_followed_without_the_server() {
    let mut lab = Lab::two(Kind::PortCone, Kind::Cone);
    lab.run(6_000);
    assert!(lab.is_direct());
    let (before, said) = (lab.ends[1].direct.address(client(0)).unwrap(), lab.messages.len());
    lab.net.restart_nat(0);
    let mut heard = 0;
    for _ in 0..50 {
        lab.send(0, b"here I am");
        lab.send(1, b"here, too");
        let count = lab.ends[0].packets().len();
        lab.run(20);
        heard += lab.ends[0].packets().len() - count;
    }
    assert_ne!(lab.ends[1].direct.address(client(0)).unwrap(), before);
    assert!(heard >= 40, "{heard} of 50 came to the new address");
    assert_eq!(lab.messages.len(), said);
    assert!(lab.ends.iter().all(|end| end.changes().len() == 1), "to the core it is the same path");
}

#[test]
fn when_the_own_addresses_change_new_keys_are_made_and_the_path_goes_on() {
    let mut lab = Lab::two(Kind::PortCone, Kind::PortCone);
    lab.run(5_000);
    assert!(lab.is_direct());
    for (moves, address) in [(0, "192.168.0.77:5000"), (1, "192.168.1.77:5000")] {
        let (log, said) = (lab.net.log.len(), lab.messages.len());
        let address = address.parse().unwrap();
        lab.net.set_address(moves, address);
        let now = lab.now;
        lab.ends[moves].direct.set_local(now, &[address]);
        for _ in 0..300 {
            lab.send(0, b"voice");
            lab.run(20);
        }
        lab.run(100);
        assert!(lab.is_direct());
        assert!(lab.messages.len() > said);
        let ids = |sent: &[net::Sent]| -> Vec<Vec<u8>> {
            let of_one = sent.iter().filter(|sent| sent.node == 0);
            of_one.map(|sent| sent.bytes[1..5].to_vec()).collect()
        };
        let (first, last) = (ids(&lab.net.log[log..])[0].clone(), ids(&lab.net.log).last().unwrap().clone());
        assert_ne!(first, last, "another exchange, with other keys");
        assert!(lab.ends.iter().all(|end| end.changes().len() == 1), "{:?}", lab.ends[0].changes());
    }
}

#[test]
fn who_is_wanted_no_longer_gets_nothing_more() {
    let mut lab = Lab::two(Kind::Open, Kind::Open);
    lab.run(1_000);
    assert!(lab.is_direct());
    let now = lab.now;
    lab.ends[0].direct.set_wanted(now, &[]);
    lab.run(1);
    assert!(matches!(lab.ends[0].changes()[..], [DirectEvent::Available(..), DirectEvent::Lost(_)]));
    let (log, said) = (lab.net.log.len(), lab.messages.len());
    lab.run(60_000);
    assert!(lab.net.log[log..].iter().all(|sent| sent.node == 1));
    assert!(lab.messages[said..].iter().all(|(from, _)| *from == 1));
    assert!(lab.ends[1].path().is_none());
}

#[test]
fn no_more_pairs_are_tried_than_were_allowed_and_both_ends_choose_alike() {
    let mut lab = Lab::new();
    (0..40).for_each(|_| _ = lab.add(Kind::Open));
    lab.want_all();
    lab.run(3_000);
    let paths: Vec<usize> = lab.ends.iter().map(|end| end.changes().len()).collect();
    assert!(paths.iter().all(|paths| *paths <= 16), "{paths:?}");
    assert!(paths.iter().filter(|paths| **paths >= 8).count() >= 32, "{paths:?}");
}
