//! What others may try: at the datagrams, and by what they say of themselves.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::{
    lab::{Lab, client},
    net::Kind,
};

fn stranger() -> SocketAddr {
    "198.51.100.66:6666".parse().unwrap()
}

/// A datagram with voice from end 0 that doesn't come.
fn lost(lab: &mut Lab) -> Vec<u8> {
    lab.net.loses = Box::new(|node, _| node == 0);
    lab.send(0, b"something said");
    lab.run(2);
    lab.net.loses = Box::new(|_, _| false);
    lab.net.log.iter().rfind(|sent| sent.node == 0).unwrap().bytes.clone()
}

fn direct() -> Lab {
    let mut lab = Lab::two(Kind::Open, Kind::Open);
    lab.run(1_000);
    assert!(lab.is_direct());
    lab
}

#[test]
fn what_is_changed_cut_or_made_up_does_nothing_and_is_counted() {
    let mut lab = direct();
    let real = lost(&mut lab);
    let (from, to) = (lab.net.address(0), lab.net.address(1));
    let heard = lab.ends[1].packets().len();
    let since = lab.now;
    for bit in 0..real.len() * 8 {
        let mut changed = real.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        lab.net.inject(since, stranger(), to, &changed);
        lab.net.inject(since, from, to, &changed);
    }
    (0..real.len()).for_each(|len| lab.net.inject(since, stranger(), to, &real[..len]));
    lab.run(100);
    let drops = lab.ends[1].direct.drops();
    assert!(drops.forged > 400 && drops.unknown == 64 && drops.malformed >= 20, "{drops:?}");
    assert_eq!(lab.ends[1].packets().len(), heard);
    assert_eq!(lab.bytes_to(1, since, |to| to == stranger()), 0);
    let now = lab.now;
    lab.net.inject(now, from, to, &real);
    lab.run(50);
    assert_eq!(lab.ends[1].packets().last().unwrap(), b"something said", "none of it is in the way of the real one");
    assert!(lab.is_direct());
}

#[test]
fn what_is_repeated_is_heard_once_and_opens_no_way_to_who_repeats_it() {
    let mut lab = direct();
    (0..5).for_each(|_| lab.send(0, b"something said"));
    lab.run(50);
    let (since, to) = (lab.now, lab.net.address(1));
    let all: Vec<Vec<u8>> = lab.net.log.iter().filter(|sent| sent.node == 0).map(|sent| sent.bytes.clone()).collect();
    let heard = lab.ends[1].packets().len();
    all.iter().for_each(|bytes| lab.net.inject(since, stranger(), to, bytes));
    lab.run(3_000);
    assert_eq!(lab.ends[1].packets().len(), heard);
    assert_eq!(lab.ends[1].direct.drops().replayed, all.len() as u64);
    assert_eq!(lab.bytes_to(1, since, |to| to == stranger()), 0);
    assert!(lab.is_direct());
}

#[test]
fn who_sends_a_datagram_on_from_elsewhere_before_it_comes_gets_a_question_and_no_voice() {
    let mut lab = direct();
    let taken = lost(&mut lab);
    let (since, to) = (lab.now, lab.net.address(1));
    lab.net.inject(since, stranger(), to, &taken);
    for _ in 0..250 {
        lab.send(0, b"voice");
        lab.send(1, b"more voice");
        lab.run(20);
    }
    let stolen = lab.bytes_to(1, since, |to| to == stranger());
    assert!(stolen <= 33, "{stolen} bytes for {}", taken.len());
    assert_eq!(lab.ends[1].direct.address(client(0)), Some(lab.net.address(0)));
}

/// Bytes a minute that somebody gets who never answers, at most: over ten minutes, whatever `each_second` does.
fn most_in_a_minute(
    lab: &mut Lab,
    victim: impl Fn(SocketAddr) -> bool,
    mut each_second: impl FnMut(&mut Lab, u64),
) -> usize {
    let begin = lab.now;
    for second in 0..600 {
        each_second(lab, second);
        lab.run(1_000);
    }
    let minute = |at: u64| begin + Duration::from_secs(60 * at);
    let until = |lab: &Lab, from: Instant| lab.bytes_to(0, from, &victim);
    (0..10).map(|at| until(lab, minute(at)) - until(lab, minute(at + 1))).max().unwrap()
}

#[test]
fn whoever_is_named_by_a_client_and_never_answers_gets_seven_questions() {
    let mut lab = Lab::new();
    lab.add(Kind::PortCone);
    lab.add(Kind::Symmetric);
    let victim: SocketAddr = "198.51.100.99:5000".parse().unwrap();
    let now = lab.now;
    lab.ends[1].direct.set_local(now, &[victim]);
    lab.want_all();
    lab.run(9_500);
    assert_eq!(lab.messages.len(), 2, "one exchange so far");
    assert_eq!(lab.bytes_to(0, now, |to| to == victim), 7 * 33);
}

#[test]
fn a_machine_that_a_client_names_again_and_again_gets_less_than_two_kilobytes_a_minute() {
    let mut lab = Lab::two(Kind::PortCone, Kind::Symmetric);
    let victim: SocketAddr = "198.51.100.99:5000".parse().unwrap();
    // It moves from port to port of the same machine every second, which means a new exchange each time.
    let most = most_in_a_minute(
        &mut lab,
        |to| to.ip() == victim.ip(),
        |lab, second| {
            let ports = (0..8).map(|port| SocketAddr::new(victim.ip(), 5_000 + 8 * second as u16 + port));
            let now = lab.now;
            lab.ends[1].direct.set_local(now, &ports.collect::<Vec<_>>());
        },
    );
    assert!((1_000..=2 * 60 * 33).contains(&most), "{most} bytes");
    // A minute of the test's may see the ends of two of the budget's.
    let all = lab.bytes_to(0, lab.now - Duration::from_secs(600), |to| to.ip() == victim.ip());
    assert!(all <= 11 * 60 * 33, "{all} bytes in ten minutes");
}

#[test]
fn a_victim_gets_no_more_because_the_client_answers_elsewhere() {
    let mut lab = Lab::two(Kind::Open, Kind::Open);
    let victim: SocketAddr = "198.51.100.99:5000".parse().unwrap();
    let (begin, address) = (lab.now, lab.net.address(1));
    lab.ends[1].direct.set_local(begin, &[victim, address]);
    lab.run(600_000);
    assert!(lab.is_direct());
    let got = lab.bytes_to(0, begin, |to| to == victim);
    assert!(got <= 3 * 33, "{got} bytes");
}

#[test]
fn somebody_who_is_not_wanted_learns_no_address() {
    let mut lab = direct();
    let stranger = lab.add(Kind::Open);
    // Its offer, as one who is wanted would make it.
    let mut other = Lab::two(Kind::Open, Kind::Open);
    other.run(100);
    let offer = other.messages.iter().find(|(from, _)| *from == 0).unwrap().1.clone();
    lab.run(5_000);
    let (before, now) = (lab.messages.len(), lab.now);
    (0..20).for_each(|_| lab.ends[1].direct.handle_rendezvous(now, client(stranger), &offer));
    lab.run(20_000);
    assert_eq!(lab.messages.len(), before);
    let address = lab.net.address(stranger);
    assert_eq!(lab.bytes_to(1, now, |to| to == address), 0);
    assert_eq!(lab.ends[1].direct.drops().rendezvous, 20);
}

#[test]
fn an_answer_that_somebody_changed_leaves_the_pair_on_the_server() {
    let mut lab = Lab::two(Kind::Open, Kind::Open);
    lab.run(10);
    let (_, offer) = lab.messages[0].clone();
    let now = lab.now;
    // The server itself, say, adds an address of its choice, and the offer comes once with it and never without.
    let mut changed = offer.clone();
    changed.truncate(45);
    changed.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 198, 51, 100, 66, 0x1A, 0x0A]);
    lab.ends[1].direct.handle_rendezvous(now, client(0), &changed);
    lab.run(900);
    assert!(lab.ends.iter().all(|end| end.path().is_none()));
    assert!(lab.ends[1].direct.drops().forged > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_comes_in_nothing_breaks(
        inputs in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..300), 0_u8..8), 0..60),
    ) {
        let mut lab = direct();
        let id = lab.net.log.iter().rfind(|sent| sent.node == 0).unwrap().bytes[1..5].to_vec();
        for (rendezvous, mut bytes, kind) in inputs {
            let now = lab.now;
            if rendezvous {
                bytes.iter_mut().take(1).for_each(|first| *first = 0x10 + kind);
                lab.ends[usize::from(kind % 2)].direct.handle_rendezvous(now, client(usize::from(kind % 3)), &bytes);
            } else {
                bytes.iter_mut().zip([0xB0].iter().chain(&id)).for_each(|(byte, with)| *byte = *with);
                lab.net.inject(now, stranger(), lab.net.address(1), &bytes);
            }
            lab.run(3);
        }
        lab.run(20_000);
        prop_assert!(lab.is_direct());
    }
}
