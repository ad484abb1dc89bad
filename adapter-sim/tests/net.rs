//! The network keeps its own promises, however bad it is told to be.

use adapter_sim::net::{Break, EndpointId, LinkProfile, NatKind, NetEvent, Network, PacketBytes, Preset, Rebind, Side};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000;

fn pair(seed: u64, link: LinkProfile) -> (Network, EndpointId, EndpointId) {
    let preset = Preset { name: "test", about: "", up: link, down: LinkProfile::PERFECT };
    let mut net = Network::new(seed);
    let client = net.add(&preset, NatKind::Open);
    let server = net.add(&preset, NatKind::Open);
    (net, client, server)
}

fn message(n: u32) -> PacketBytes {
    PacketBytes::from(n.to_be_bytes())
}

fn number(bytes: &PacketBytes) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

/// Sends `count` numbered messages each way over one lane; what the client and the server got.
fn exchange(net: &mut Network, client: EndpointId, server: EndpointId, count: u32) -> [Vec<u32>; 2] {
    let conn = net.connect(client, server);
    let mut got = [Vec::new(), Vec::new()];
    while let Some(event) = net.poll(600 * SECOND) {
        match event {
            NetEvent::Up(_, side) => (0..count).for_each(|n| assert!(net.send(conn, side, true, message(n)))),
            NetEvent::Packet { at, bytes, .. } => got[at as usize].push(number(&bytes)),
            NetEvent::Down(..) => break,
            NetEvent::Direct { .. } | NetEvent::Wake(_) => {}
        }
    }
    got
}

fn datagrams(net: &mut Network, from: EndpointId, to: EndpointId, count: u32) -> Vec<u32> {
    let mut got = Vec::new();
    let start = net.now();
    for n in 0..count {
        net.send_direct(from, to, message(n));
        let until = if n + 1 == count { start + 3_600 * SECOND } else { start + u64::from(n + 1) * 20_000 };
        while let Some(event) = net.poll(until) {
            if let NetEvent::Direct { bytes, .. } = event {
                got.push(number(&bytes));
            }
        }
    }
    got
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_lane_delivers_everything_once_and_in_order_on_any_network(
        seed in any::<u64>(), delay_us in 0u64..200_000, jitter_us in 0u64..100_000, loss_ppm in 0u32..120_000,
        duplicate_ppm in 0u32..200_000, reorder_ppm in 0u32..300_000, corrupt_ppm in 0u32..50_000,
    ) {
        let link = LinkProfile { delay_us, jitter_us, loss_ppm, duplicate_ppm, reorder_ppm, corrupt_ppm, ..LinkProfile::PERFECT };
        let (mut net, client, server) = pair(seed, link);
        for side in exchange(&mut net, client, server, 100) {
            prop_assert!(side.iter().copied().eq(0..100), "{side:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_trace(seed in any::<u64>()) {
        let run = |seed| {
            let (mut net, client, server) = pair(seed, Preset::LOSSY.up);
            exchange(&mut net, client, server, 50);
            datagrams(&mut net, client, server, 50);
            net.trace().hash()
        };
        prop_assert_eq!(run(seed), run(seed));
        prop_assert_ne!(run(seed), run(seed.wrapping_add(1)));
    }
}

#[test]
fn bandwidth_is_a_limit_and_its_queue_has_an_end() {
    let link = LinkProfile { bits_per_second: 100_000, queue_bytes: 5_000, ..LinkProfile::PERFECT };
    let (mut net, client, server) = pair(1, link);
    for _ in 0..1_000 {
        net.send_direct(client, server, PacketBytes::from(vec![0; 972]));
    }
    let mut arrived = 0;
    while net.poll(SECOND).is_some() {
        arrived += 1;
    }
    assert_eq!(arrived, 5, "5,000 bytes of 1,000 each wait, the rest is lost");
    assert_eq!(net.faults().queue_full, 995);
}

#[test]
fn bursts_lose_as_much_as_their_profile_says() {
    let link = LinkProfile {
        burst_begin_ppm: 20_000,
        burst_end_ppm: 100_000,
        burst_loss_ppm: 500_000,
        ..LinkProfile::PERFECT
    };
    let (mut net, client, server) = pair(3, link);
    let got = datagrams(&mut net, client, server, 40_000).len() as f64;
    let expected = 1.0 - f64::from(link.mean_loss_ppm()) / 1e6;
    assert!((got / 40_000.0 - expected).abs() < 0.01, "{got} of 40,000, expected {expected}");
    assert!(net.faults().lost_in_burst > 0 && net.faults().lost == 0);
}

#[test]
fn packets_stay_in_order_unless_told_otherwise() {
    let jittery = LinkProfile { delay_us: 50_000, jitter_us: 100_000, ..LinkProfile::PERFECT };
    let (mut net, client, server) = pair(5, jittery);
    assert!(datagrams(&mut net, client, server, 500).is_sorted());
    let (mut net, client, server) = pair(5, LinkProfile { reorder_ppm: 100_000, ..jittery });
    assert!(!datagrams(&mut net, client, server, 500).is_sorted());
}

#[test]
fn nats_let_direct_packets_in_as_their_kind_says() {
    use NatKind::{Blocked, Cone, Open, Symmetric};
    let works = |a, b| {
        let mut net = Network::new(1);
        let (a, b) = (net.add(&Preset::LAN, a), net.add(&Preset::LAN, b));
        let mut got = [false; 2];
        for _ in 0..3 {
            net.send_direct(a, b, message(1));
            net.send_direct(b, a, message(2));
            while let Some(event) = net.poll(net.now() + SECOND) {
                if let NetEvent::Direct { to, .. } = event {
                    got[usize::from(to == b)] = true;
                }
            }
        }
        got == [true; 2]
    };
    for (a, b, expected) in [
        (Open, Open, true),
        (Open, Cone, true),
        (Open, Symmetric, true),
        (Cone, Cone, true),
        (Cone, Symmetric, false),
        (Symmetric, Symmetric, false),
        (Open, Blocked, false),
        (Blocked, Cone, false),
    ] {
        assert_eq!(works(a, b), expected, "{a:?} and {b:?}");
        assert_eq!(works(b, a), expected, "{b:?} and {a:?}");
    }
}

#[test]
fn a_partition_blocks_one_way_only() {
    let (mut net, a, b) = pair(1, LinkProfile::PERFECT);
    net.set_blocked(a, b, true);
    assert_eq!(datagrams(&mut net, a, b, 10).len(), 0);
    assert_eq!(datagrams(&mut net, b, a, 10).len(), 10);
    net.set_blocked(a, b, false);
    assert_eq!(datagrams(&mut net, a, b, 10).len(), 10);
}

#[test]
fn a_clogged_direction_holds_packets_and_then_lets_them_go() {
    let (mut net, a, b) = pair(1, LinkProfile::PERFECT);
    net.set_clogged(a, true, true);
    assert_eq!(datagrams(&mut net, a, b, 10).len(), 0);
    net.set_clogged(a, true, false);
    let mut released = 0;
    while net.poll(net.now() + SECOND).is_some() {
        released += 1;
    }
    assert_eq!(released, 10);
}

#[test]
fn a_lane_told_to_break_skips_or_repeats_one_message() {
    for (how, expected) in [(Break::Skip, vec![1, 2]), (Break::Repeat, vec![0, 0, 1, 2])] {
        let (mut net, client, server) = pair(1, LinkProfile::PERFECT);
        let conn = net.connect(client, server);
        let mut got = Vec::new();
        while let Some(event) = net.poll(5 * SECOND) {
            match event {
                NetEvent::Up(_, Side::Client) => {
                    net.break_lane(conn, Side::Server, how);
                    (0..3).for_each(|n| assert!(net.send(conn, Side::Client, true, message(n))));
                }
                NetEvent::Packet { bytes, .. } => got.push(number(&bytes)),
                _ => {}
            }
        }
        assert_eq!(got, expected);
    }
}

#[test]
fn a_machine_that_dies_is_noticed_by_silence() {
    let (mut net, client, server) = pair(1, LinkProfile::PERFECT);
    let conn = net.connect(client, server);
    while net.poll(SECOND).is_some() {}
    net.set_alive(server, false);
    net.send(conn, Side::Client, true, message(0));
    assert_eq!(net.poll(60 * SECOND), Some(NetEvent::Down(conn, Side::Client)));
    assert!(net.now() > 10 * SECOND && net.now() < 20 * SECOND);
}

#[test]
fn a_new_address_is_followed_or_breaks_the_connection() {
    for (rebind, lives) in [(Rebind::Migrate, true), (Rebind::Break, false)] {
        let (mut net, client, server) = pair(1, LinkProfile::PERFECT);
        net.set_rebind(rebind);
        let conn = net.connect(client, server);
        while net.poll(SECOND).is_some() {}
        net.change_address(client);
        for side in [Side::Client, Side::Server] {
            net.send(conn, side, true, message(0));
        }
        let mut got = 0;
        while let Some(event) = net.poll(60 * SECOND) {
            got += u32::from(matches!(event, NetEvent::Packet { .. }));
        }
        assert_eq!(got == 2, lives);
        assert_eq!(net.is_open(conn, Side::Client), lives);
    }
}

#[test]
fn clocks_that_drift_can_be_converted_both_ways() {
    let (mut net, a, _) = pair(1, LinkProfile::PERFECT);
    for ppm in [-200, 0, 150] {
        net.set_drift(a, ppm);
        for local in [0, 1, 999, 20_000, 86_400 * SECOND] {
            let at = net.true_time(a, local);
            assert!(net.local(a, at) >= local && (at == 0 || net.local(a, at - 1) < local));
        }
    }
}
