//! What a path does to packets: links, partitions, clogging, machines that stop.

use adapter_sim::net::{EndpointId, LinkProfile, NatKind, NetEvent, Network, Preset};
use bytes::Bytes;

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
    net.send_direct(slow, server, Bytes::from_static(b"first sent"));
    net.send_direct(fast, server, Bytes::from_static(b"first there"));
    let first = net.poll(SECOND).unwrap();
    assert!(matches!(first, NetEvent::Direct { from, .. } if from == fast), "{first:?}");
    assert!(net.now() < 1_000);
}
