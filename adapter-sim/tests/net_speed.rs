//! How much a packet costs. Run with `cargo test --release -p adapter-sim --test net_speed -- --ignored --nocapture`.

#![expect(clippy::disallowed_methods, reason = "wall time is what is measured; nothing in the run sees it")]

use std::time::Instant;

use adapter_sim::net::{LinkProfile, NatKind, NetEvent, Network, PacketBytes, Preset, Side};

const CLIENTS: usize = 1_000;
const ROOM: usize = 50;
const FRAME_US: u64 = 20_000;
const VIRTUAL_SECONDS: u64 = 2;
/// The best of so many runs counts: what else the computer does only makes them slower.
const RUNS: usize = 5;

/// A server and 1,000 clients in 20 rooms, two of each room speaking; what is delivered, and the time it took.
fn crowd(preset: &Preset) -> (u64, f64) {
    let wide = Preset { name: "server", about: "", up: LinkProfile::PERFECT, down: LinkProfile::PERFECT };
    let mut net = Network::new(1);
    let server = net.add(&wide, NatKind::Open);
    let clients: Vec<_> = (0..CLIENTS).map(|_| net.add(preset, NatKind::Cone)).collect();
    let conns: Vec<_> = clients.iter().map(|client| net.connect(*client, server)).collect();
    while net.poll(5_000_000).is_some() {}
    let (frame, mut delivered) = (PacketBytes::from(vec![0x5A; 80]), 0);
    let (begun, started) = (Instant::now(), net.now());
    for turn in 0..VIRTUAL_SECONDS * 1_000_000 / FRAME_US {
        for speaker in (0..CLIENTS).filter(|client| client % ROOM < 2) {
            net.send(conns[speaker], Side::Client, false, frame.clone());
        }
        while let Some(event) = net.poll(started + (turn + 1) * FRAME_US) {
            let NetEvent::Packet { conn, at, bytes, .. } = event else { continue };
            delivered += 1;
            if at == Side::Server {
                let room = conn.index() / ROOM * ROOM;
                for listener in (room..room + ROOM).filter(|listener| *listener != conn.index()) {
                    net.send(conns[listener], Side::Server, false, bytes.clone());
                }
            }
        }
    }
    (delivered, begun.elapsed().as_secs_f64())
}

#[test]
#[ignore = "a measurement, to be run in a release build"]
fn the_cost_of_a_packet() {
    for preset in &Preset::ALL {
        let runs = (0..RUNS).map(|_| crowd(preset));
        let (delivered, seconds) = runs.min_by(|one, other| one.1.total_cmp(&other.1)).expect("a run");
        let each = seconds * 1e9 / delivered as f64;
        let speed = VIRTUAL_SECONDS as f64 / seconds;
        println!("{:<10} {delivered:>8} packets, {each:>6.1} ns each, {speed:>6.1} times real time", preset.name);
    }
}
