//! What a path does to packets: links, partitions, clogging, machines that stop.

use adapter_sim::net::{EndpointId, LinkProfile, NatKind, NetEvent, Network, PacketBytes, Preset};

const SECOND: u64 = 1_000_000;

fn machine(net: &mut Network, up: LinkProfile, down: LinkProfile) -> EndpointId {
    net.add(&Preset { name: "test", about: "", up, down }, NatKind::Open)
}

#[test]
fn a_slow_sender_does_not_hold_up_a_fast_one() {
    let mut net = Network::new(1);
    let slow = LinkProfile { delay_us: 130_000, ..LinkProfile::PERFECT };
    let slow = machine(&mut net, slow, LinkProfile::PERFECT);
    let fast = machine(&mut net, LinkProfile::PERFECT, LinkProfile::PERFECT);
    let limited = LinkProfile { bits_per_second: 1_000_000, queue_bytes: 10_000, ..LinkProfile::PERFECT };
    let server = machine(&mut net, LinkProfile::PERFECT, limited);
    net.send_direct(slow, server, PacketBytes::from(*b"first sent"));
    net.send_direct(fast, server, PacketBytes::from(*b"first there"));
    let first = net.poll(SECOND).unwrap();
    assert!(matches!(first, NetEvent::Direct { from, .. } if from == fast), "{first:?}");
    assert!(net.now() < 1_000);
}

fn perfect(net: &mut Network, nat: NatKind) -> EndpointId {
    net.add(&Preset { name: "test", about: "", up: LinkProfile::PERFECT, down: LinkProfile::PERFECT }, nat)
}

fn number(n: u32) -> PacketBytes {
    PacketBytes::from(n.to_be_bytes())
}

/// Sends ten packets; how many arrive within a second.
fn arriving(net: &mut Network, from: EndpointId, to: EndpointId) -> usize {
    (0..10).for_each(|n| net.send_direct(from, to, number(n)));
    drain(net).len()
}

/// The numbers of all direct packets of the next second.
fn drain(net: &mut Network) -> Vec<u32> {
    let mut got = Vec::new();
    let until = net.now() + SECOND;
    while let Some(event) = net.poll(until) {
        let NetEvent::Direct { bytes, .. } = event else { continue };
        got.push(u32::from_be_bytes(bytes[..].try_into().unwrap()));
    }
    got
}

#[test]
fn a_partition_parts_two_groups_and_nobody_else() {
    let mut net = Network::new(1);
    let all: Vec<_> = (0..4).map(|_| perfect(&mut net, NatKind::Open)).collect();
    for both_ways in [false, true] {
        net.set_partition(&all[..2], &all[2..], both_ways, true);
        assert_eq!(arriving(&mut net, all[0], all[3]), 0);
        assert_eq!(arriving(&mut net, all[3], all[0]), if both_ways { 0 } else { 10 });
        assert_eq!(arriving(&mut net, all[0], all[1]), 10);
        net.set_partition(&all[..2], &all[2..], both_ways, false);
        assert_eq!(arriving(&mut net, all[0], all[3]), 10);
        assert_eq!(arriving(&mut net, all[3], all[0]), 10);
    }
    assert_eq!(net.faults().partitioned, 30);
}

#[test]
fn a_clogged_path_holds_its_own_packets_and_lets_them_go_in_order() {
    let mut net = Network::new(1);
    let [a, b, c] = [(); 3].map(|()| perfect(&mut net, NatKind::Open));
    net.set_path_clogged(a, b, true);
    assert_eq!(arriving(&mut net, a, b), 0);
    assert_eq!(arriving(&mut net, b, a), 10);
    assert_eq!(arriving(&mut net, a, c), 10);
    net.set_path_clogged(a, b, false);
    assert_eq!(drain(&mut net), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_packet_held_twice_is_let_go_by_the_last() {
    let mut net = Network::new(1);
    let [a, b] = [(); 2].map(|()| perfect(&mut net, NatKind::Open));
    net.set_clogged(a, true, true);
    net.set_clogged(b, false, true);
    assert_eq!(arriving(&mut net, a, b), 0);
    net.set_clogged(a, true, false);
    assert_eq!(drain(&mut net), []);
    net.set_clogged(b, false, false);
    assert_eq!(drain(&mut net).len(), 10);
}

#[test]
fn a_clogged_machine_holds_no_more_than_it_may() {
    let mut net = Network::new(1);
    let [a, b] = [(); 2].map(|()| perfect(&mut net, NatKind::Open));
    net.set_clogged(b, false, true);
    (0..300).for_each(|_| assert_eq!(arriving(&mut net, a, b), 0));
    net.heal();
    assert_eq!(drain(&mut net).len(), 2_000);
    assert_eq!((net.faults().clogged, net.faults().clog_full), (2_000, 1_000));
}

#[test]
fn healing_ends_every_fault_of_the_path() {
    let mut net = Network::new(1);
    let [a, b] = [(); 2].map(|()| perfect(&mut net, NatKind::Open));
    net.set_blocked(a, b, true);
    net.set_dark(a, true);
    net.set_clogged(a, true, true);
    net.set_path_clogged(a, b, true);
    assert_eq!(arriving(&mut net, a, b), 0);
    net.heal();
    assert_eq!(arriving(&mut net, a, b), 10);
}

#[test]
fn a_dark_machine_neither_sends_nor_hears() {
    let mut net = Network::new(1);
    let [a, b] = [(); 2].map(|()| perfect(&mut net, NatKind::Open));
    net.set_dark(a, true);
    assert_eq!(arriving(&mut net, a, b) + arriving(&mut net, b, a), 0);
    assert_eq!(net.faults().blacked_out, 20);
    net.set_dark(a, false);
    assert_eq!(arriving(&mut net, a, b) + arriving(&mut net, b, a), 20);
}

#[test]
fn a_crashed_machine_gets_nothing_even_of_what_has_just_arrived() {
    let mut net = Network::new(1);
    let [a, b] = [(); 2].map(|()| perfect(&mut net, NatKind::Open));
    (0..10).for_each(|n| net.send_direct(a, b, number(n)));
    assert!(net.poll(SECOND).is_some());
    net.set_alive(b, false);
    assert_eq!(drain(&mut net), []);
    net.set_alive(b, true);
    assert_eq!(arriving(&mut net, a, b), 10);
    assert_eq!(net.faults().crashes, 1);
}

#[test]
fn an_old_address_is_not_reached_until_the_new_one_is_known() {
    let mut net = Network::new(1);
    let [a, b] = [(); 2].map(|()| perfect(&mut net, NatKind::Open));
    assert_eq!(arriving(&mut net, b, a), 10);
    net.change_address(a);
    assert_eq!(arriving(&mut net, b, a), 0);
    assert_eq!(net.faults().wrong_address, 10);
    assert_eq!(arriving(&mut net, a, b), 10);
    assert_eq!(arriving(&mut net, b, a), 10, "b has heard from the new address");
}

#[test]
fn a_cone_lets_a_new_address_in_only_after_sending_to_it() {
    let mut net = Network::new(1);
    let [a, b] = [(); 2].map(|()| perfect(&mut net, NatKind::Cone));
    arriving(&mut net, a, b);
    assert_eq!(arriving(&mut net, b, a) + arriving(&mut net, a, b), 20);
    net.change_address(a);
    assert_eq!(arriving(&mut net, a, b) + arriving(&mut net, b, a), 0);
    net.learn_address(b, a);
    assert_eq!(arriving(&mut net, a, b), 0, "b's NAT has not sent to the new address");
    assert_eq!(arriving(&mut net, b, a), 10);
    assert_eq!(arriving(&mut net, a, b), 10);
}

#[test]
fn damaged_datagrams_are_dropped_or_delivered_with_one_bit_changed() {
    let damaging = LinkProfile { corrupt_ppm: 1_000_000, ..LinkProfile::PERFECT };
    let mut net = Network::new(1);
    let a = machine(&mut net, damaging, LinkProfile::PERFECT);
    let b = machine(&mut net, LinkProfile::PERFECT, LinkProfile::PERFECT);
    net.send_direct(a, b, number(0));
    assert_eq!(drain(&mut net), []);
    net.set_deliver_damaged(true);
    for _ in 0..50 {
        net.send_direct(a, b, number(0));
        assert!(drain(&mut net).iter().all(|got| got.count_ones() == 1));
    }
    assert_eq!(net.faults().corrupted, 51);
}

#[test]
fn bandwidth_spaces_packets_by_their_size() {
    let narrow = LinkProfile { bits_per_second: 1_000_000, queue_bytes: 100_000, ..LinkProfile::PERFECT };
    let mut net = Network::new(1);
    let a = machine(&mut net, narrow, LinkProfile::PERFECT);
    let b = machine(&mut net, LinkProfile::PERFECT, LinkProfile::PERFECT);
    (0..50).for_each(|_| net.send_direct(a, b, PacketBytes::from(vec![0; 1_222])));
    for n in 1..=50 {
        assert!(net.poll(SECOND).is_some());
        // 1,222 bytes and 28 of headers are 10,000 bits.
        assert_eq!(net.now(), n * 10_000);
    }
}

#[test]
fn a_rate_that_no_whole_microsecond_fits_is_kept_in_the_mean() {
    let fast = LinkProfile { bits_per_second: 1_000_000_000, queue_bytes: 10_000_000, ..LinkProfile::PERFECT };
    let mut net = Network::new(1);
    let a = machine(&mut net, fast, LinkProfile::PERFECT);
    let b = machine(&mut net, LinkProfile::PERFECT, LinkProfile::PERFECT);
    (0..50_000).for_each(|_| net.send_direct(a, b, PacketBytes::from(vec![0; 72])));
    while net.poll(39_000).is_some() {}
    assert!(net.next_at().is_some(), "50,000 packets of 100 bytes take 40 ms");
    while net.poll(41_000).is_some() {}
    assert_eq!(net.next_at(), None);
}

#[test]
fn the_clock_jumps_to_the_next_deadline_and_no_further() {
    let slow = LinkProfile { delay_us: 123_456, ..LinkProfile::PERFECT };
    let mut net = Network::new(1);
    let a = machine(&mut net, slow, LinkProfile::PERFECT);
    let b = machine(&mut net, LinkProfile::PERFECT, LinkProfile::PERFECT);
    net.send_direct(a, b, number(0));
    assert_eq!(net.next_at(), Some(123_456));
    assert_eq!(net.poll(123_455), None);
    assert_eq!(net.now(), 123_455);
    assert!(net.poll(10 * SECOND).is_some());
    assert_eq!(net.now(), 123_456);
    assert_eq!(net.next_at(), None);
    assert_eq!(net.poll(u64::MAX), None);
    net.send_direct(a, b, number(0));
}

#[test]
fn a_clock_that_changes_its_drift_does_not_jump() {
    let mut net = Network::new(1);
    let a = perfect(&mut net, NatKind::Open);
    net.poll(100 * SECOND);
    net.set_drift(a, 1_000);
    assert_eq!(net.local(a, net.now()), 100 * SECOND);
    net.poll(200 * SECOND);
    assert_eq!(net.local(a, net.now()), 200 * SECOND + 100_000);
    net.set_drift(a, -1_000);
    assert_eq!(net.local(a, net.now()), 200 * SECOND + 100_000);
    net.poll(300 * SECOND);
    assert_eq!(net.local(a, net.now()), 300 * SECOND);
}
