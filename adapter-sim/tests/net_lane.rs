//! Connections and their reliable lane: opening, closing, dying, full queues, bad networks.

use adapter_sim::net::{
    Break, ConnId, EndpointId, LANE_MESSAGE_BYTES, LANE_QUEUE_MESSAGES, LinkProfile, NatKind, NetEvent, Network,
    PacketBytes, Preset, Rebind, Side,
};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000;

fn pair(seed: u64, up: LinkProfile, down: LinkProfile) -> (Network, EndpointId, EndpointId) {
    let mut net = Network::new(seed);
    let client = net.add(&Preset { name: "test", about: "", up, down }, NatKind::Cone);
    let perfect = Preset { name: "test", about: "", up: LinkProfile::PERFECT, down: LinkProfile::PERFECT };
    let server = net.add(&perfect, NatKind::Open);
    (net, client, server)
}

fn open_pair(seed: u64, up: LinkProfile, down: LinkProfile) -> (Network, EndpointId, EndpointId, ConnId) {
    let (mut net, client, server) = pair(seed, up, down);
    let conn = net.connect(client, server);
    while !net.is_open(conn, Side::Client) {
        assert!(net.poll(20 * SECOND).is_some());
    }
    (net, client, server, conn)
}

fn numbered(n: u32, len: usize) -> PacketBytes {
    let mut bytes = n.to_be_bytes().to_vec();
    bytes.resize(len.max(4), 0xA5);
    bytes.into()
}

fn events(net: &mut Network, until: u64) -> Vec<NetEvent> {
    std::iter::from_fn(|| net.poll(until)).collect()
}

/// The numbers of the reliable messages among the events, at one side.
fn messages(events: &[NetEvent], side: Side) -> Vec<u32> {
    let number = |event: &NetEvent| match event {
        NetEvent::Packet { at, reliable: true, bytes, .. } if *at == side => {
            Some(u32::from_be_bytes(bytes[..4].try_into().unwrap()))
        }
        _ => None,
    };
    events.iter().filter_map(number).collect()
}

fn any_link() -> impl Strategy<Value = LinkProfile> {
    let times = (0u64..300_000, 0u64..100_000);
    let losses = (0u32..100_000, 0u32..20_000, 50_000u32..500_000, 0u32..1_000_000);
    let others = (0u32..200_000, 0u32..300_000, 0u32..50_000);
    let rate = prop_oneof![Just((0, 0)), (200_000u64..10_000_000, 8_000u64..100_000)];
    (times, losses, others, rate).prop_map(|((delay_us, jitter_us), losses, others, (bits_per_second, queue_bytes))| {
        LinkProfile {
            delay_us,
            jitter_us,
            loss_ppm: losses.0,
            burst_begin_ppm: losses.1,
            burst_end_ppm: losses.2,
            burst_loss_ppm: losses.3,
            duplicate_ppm: others.0,
            reorder_ppm: others.1,
            corrupt_ppm: others.2,
            bits_per_second,
            queue_bytes,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_the_links_do_messages_come_once_and_in_order(
        seed in any::<u64>(), up in any_link(), down in any_link(), count in 1u32..150, len in 4usize..LANE_MESSAGE_BYTES,
    ) {
        let (mut net, client, server) = pair(seed, up, down);
        // So that no link is bad enough to be taken for dead.
        net.set_dead_after(600 * SECOND);
        let conn = net.connect(client, server);
        let mut all = Vec::new();
        while let Some(event) = net.poll(3_600 * SECOND) {
            if let NetEvent::Up(_, side) = event {
                for n in 0..count {
                    prop_assert!(net.send(conn, side, true, numbered(n, len)));
                    net.send(conn, side, false, numbered(n, 80));
                }
            }
            all.push(event);
        }
        for side in [Side::Client, Side::Server] {
            prop_assert!(messages(&all, side).into_iter().eq(0..count), "at the {side:?}'s: {:?}", messages(&all, side));
            prop_assert_eq!(net.queued(conn, side), 0);
            prop_assert!(net.is_open(conn, side));
        }
    }
}

#[test]
fn a_lane_on_every_preset_delivers_a_roster_in_a_few_seconds() {
    for preset in &Preset::ALL {
        let (mut net, _, _, conn) = open_pair(3, preset.up, preset.down);
        let begun = net.now();
        (0..100).for_each(|n| assert!(net.send(conn, Side::Server, true, numbered(n, 1_200))));
        let mut got = 0;
        while got < 100 && net.poll(begun + 60 * SECOND).is_some() {
            got += 1;
        }
        let took = net.now() - begun;
        assert!(took < 15 * SECOND, "{} took {} ms", preset.name, took / 1_000);
    }
}

#[test]
fn a_long_message_and_a_full_queue_are_refused() {
    let (mut net, _, server, conn) = open_pair(1, LinkProfile::PERFECT, LinkProfile::PERFECT);
    assert!(net.send(conn, Side::Client, true, numbered(0, LANE_MESSAGE_BYTES)));
    assert!(!net.send(conn, Side::Client, true, numbered(1, LANE_MESSAGE_BYTES + 1)));
    events(&mut net, SECOND);
    net.set_dark(server, true);
    (0..LANE_QUEUE_MESSAGES as u32).for_each(|n| assert!(net.send(conn, Side::Client, true, numbered(n, 4))));
    assert!(!net.send(conn, Side::Client, true, numbered(0, 4)));
    assert_eq!(net.queued(conn, Side::Client), LANE_QUEUE_MESSAGES);
    assert_eq!(net.faults().lane_full, 2);
    net.set_dark(server, false);
    let got = events(&mut net, 60 * SECOND);
    assert_eq!(messages(&got, Side::Server).len(), LANE_QUEUE_MESSAGES);
}

#[test]
fn a_lane_does_not_drown_a_narrow_link() {
    let narrow =
        LinkProfile { delay_us: 20_000, bits_per_second: 500_000, queue_bytes: 30_000, ..LinkProfile::PERFECT };
    let (mut net, _, _, conn) = open_pair(1, narrow, LinkProfile::PERFECT);
    (0..500).for_each(|n| assert!(net.send(conn, Side::Client, true, numbered(n, 1_200))));
    let begun = net.now();
    let mut got = 0;
    while got < 500 && net.poll(begun + 60 * SECOND).is_some() {
        got += 1;
    }
    // 500 messages of 1,240 bytes on the link take 9.9 s.
    let took = net.now() - begun;
    assert!((9_900_000..13_000_000).contains(&took), "took {took} µs");
    assert!(net.faults().queue_full < 100, "{} lost to the full queue", net.faults().queue_full);
}

#[test]
fn a_connection_opens_through_loss_and_gives_up_without_a_server() {
    let half = LinkProfile { loss_ppm: 500_000, ..LinkProfile::PERFECT };
    for seed in 0..20 {
        let (mut net, client, server) = pair(seed, half, half);
        let conn = net.connect(client, server);
        let got = events(&mut net, 30 * SECOND);
        let ups = |side| got.iter().filter(|event| **event == NetEvent::Up(conn, side)).count();
        assert_eq!((ups(Side::Client), ups(Side::Server)), (1, 1), "seed {seed}");
    }
    let (mut net, client, server) = pair(1, LinkProfile::PERFECT, LinkProfile::PERFECT);
    net.set_alive(server, false);
    let conn = net.connect(client, server);
    assert_eq!(events(&mut net, 30 * SECOND), [NetEvent::Down(conn, Side::Client)]);
    assert!(!net.send(conn, Side::Client, false, numbered(0, 4)));
}

#[test]
fn a_closed_end_tells_the_other_even_when_the_word_is_lost() {
    let (mut net, client, server, conn) = open_pair(1, LinkProfile::PERFECT, LinkProfile::PERFECT);
    net.set_blocked(client, server, true);
    net.close(conn, Side::Client);
    assert_eq!(events(&mut net, 2 * SECOND), []);
    net.set_blocked(client, server, false);
    assert!(net.is_open(conn, Side::Server));
    net.send(conn, Side::Server, false, numbered(0, 80));
    assert_eq!(events(&mut net, 4 * SECOND), [NetEvent::Down(conn, Side::Server)]);
}

#[test]
fn a_connection_closed_while_it_opens_stays_closed_at_both_ends() {
    let slow = LinkProfile { delay_us: 100_000, ..LinkProfile::PERFECT };
    let (mut net, client, server) = pair(1, slow, slow);
    let conn = net.connect(client, server);
    net.poll(50_000);
    net.set_blocked(client, server, true);
    net.set_path_clogged(client, server, true);
    net.heal();
    net.close(conn, Side::Client);
    events(&mut net, 10 * SECOND);
    assert!(!net.is_open(conn, Side::Client) && !net.is_open(conn, Side::Server));
}

#[test]
fn finishing_delivers_what_was_sent_before_it_closes() {
    let link = LinkProfile { delay_us: 50_000, loss_ppm: 200_000, ..LinkProfile::PERFECT };
    for seed in 0..20 {
        let (mut net, _, _, conn) = open_pair(seed, link, link);
        (0..30).for_each(|n| assert!(net.send(conn, Side::Server, true, numbered(n, 100))));
        net.finish(conn, Side::Server);
        assert!(!net.send(conn, Side::Server, true, numbered(30, 100)));
        let got = events(&mut net, 60 * SECOND);
        assert!(messages(&got, Side::Client).into_iter().eq(0..30), "seed {seed}");
        assert!(!net.is_open(conn, Side::Server));
    }
}

#[test]
fn a_restarted_server_refuses_what_it_has_forgotten() {
    let (mut net, client, server, conn) = open_pair(1, LinkProfile::PERFECT, LinkProfile::PERFECT);
    net.set_alive(server, false);
    net.set_alive(server, true);
    assert_eq!(events(&mut net, 2 * SECOND), [], "nobody has said anything");
    net.send(conn, Side::Client, false, numbered(0, 80));
    assert_eq!(events(&mut net, 3 * SECOND), [NetEvent::Down(conn, Side::Client)]);
    let conn = net.connect(client, server);
    assert_eq!(events(&mut net, 5 * SECOND), [NetEvent::Up(conn, Side::Server), NetEvent::Up(conn, Side::Client)]);
}

#[test]
fn a_lane_is_down_after_the_time_that_was_set() {
    for seconds in [2, 5, 30] {
        let (mut net, client, server, conn) = open_pair(1, LinkProfile::PERFECT, LinkProfile::PERFECT);
        net.set_dead_after(seconds * SECOND);
        net.set_blocked(client, server, true);
        let begun = net.now();
        net.send(conn, Side::Client, true, numbered(0, 4));
        assert_eq!(net.poll(begun + 60 * SECOND), Some(NetEvent::Down(conn, Side::Client)));
        let took = net.now() - begun;
        assert!((seconds * SECOND..(seconds + 2) * SECOND).contains(&took), "{took} µs");
    }
}

#[test]
fn a_broken_promise_is_counted_when_it_shows() {
    for (how, expected) in [(Break::Skip, vec![1, 2]), (Break::Repeat, vec![0, 0, 1, 2])] {
        let (mut net, _, _, conn) = open_pair(1, LinkProfile::PERFECT, LinkProfile::PERFECT);
        net.break_lane(conn, Side::Client, how);
        assert_eq!(net.faults().lanes_broken, 0);
        (0..3).for_each(|n| assert!(net.send(conn, Side::Server, true, numbered(n, 4))));
        assert_eq!(messages(&events(&mut net, SECOND), Side::Client), expected);
        assert_eq!(net.faults().lanes_broken, 1);
    }
}

#[test]
fn a_lane_survives_a_change_of_address_in_the_middle() {
    let link = LinkProfile { delay_us: 30_000, jitter_us: 20_000, loss_ppm: 20_000, ..LinkProfile::PERFECT };
    let (mut net, client, _, conn) = open_pair(1, link, link);
    (0..200).for_each(|n| assert!(net.send(conn, Side::Client, true, numbered(n, 500))));
    (0..200).for_each(|n| assert!(net.send(conn, Side::Server, true, numbered(n, 500))));
    let mut got = Vec::new();
    for _ in 0..5 {
        let until = net.now() + 40_000;
        got.extend(events(&mut net, until));
        net.change_address(client);
    }
    got.extend(events(&mut net, 60 * SECOND));
    for side in [Side::Client, Side::Server] {
        assert!(messages(&got, side).into_iter().eq(0..200));
    }
    assert!(net.faults().wrong_address > 0);
    net.set_rebind(Rebind::Break);
    net.change_address(client);
    net.send(conn, Side::Client, true, numbered(0, 4));
    assert_eq!(events(&mut net, 200 * SECOND), [NetEvent::Down(conn, Side::Client)]);
}

#[test]
fn timers_do_not_pile_up_on_a_busy_lane() {
    let link = LinkProfile { delay_us: 30_000, jitter_us: 60_000, loss_ppm: 100_000, ..LinkProfile::PERFECT };
    let (mut net, _, _, conn) = open_pair(1, link, link);
    for n in 0..2_000 {
        net.send(conn, Side::Client, true, numbered(n, 100));
        let until = net.now() + 20_000;
        events(&mut net, until);
    }
    events(&mut net, 600 * SECOND);
    assert_eq!(net.queued(conn, Side::Client), 0);
    assert_eq!(net.next_at(), None, "an idle lane has no timer");
}

/// A change of the network's behaviour changes the number, and nothing else may: no platform, no build profile.
#[test]
fn a_seed_gives_this_trace_everywhere() {
    let mut net = Network::new(42);
    let machines: Vec<_> = Preset::ALL.iter().map(|preset| net.add(preset, NatKind::Cone)).collect();
    net.set_deliver_damaged(true);
    let conns: Vec<_> = machines[1..].iter().map(|machine| net.connect(*machine, machines[0])).collect();
    for turn in 0..500 {
        for (conn, machine) in conns.iter().zip(&machines[1..]) {
            net.send(*conn, Side::Client, turn % 7 == 0, numbered(turn, 100));
            net.send(*conn, Side::Server, turn % 5 == 0, numbered(turn, 100));
            net.send_direct(*machine, machines[3], numbered(turn, 60));
            net.send_direct(machines[3], *machine, numbered(turn, 60));
        }
        events(&mut net, u64::from(turn) * 20_000);
    }
    events(&mut net, 60 * SECOND);
    assert_eq!(net.trace().hash(), 0xF1E2_5471_2332_0BEA, "{:#018x}", net.trace().hash());
}
