//! No order of calls is wrong, and no bytes are: a host takes anything.

mod node_harness;

use node_harness::{TestNode, World};
use proptest::{collection::vec, prelude::*};
use voice_core::{ConnectionId, Delivery, GameSession, Instant, Mode, Source, State};

#[derive(Debug, Clone)]
enum Op {
    Mode(Mode),
    Follow(bool, bool),
    Restart,
    Wait(u64),
    Timeout,
    Loopback,
    Transmit(usize),
    Up,
    Down,
    Connected,
    Disconnected(usize),
    ToClient(bool, Vec<u8>),
    ToServer(usize, bool, Vec<u8>),
    Echo(bool),
    Speak,
    Connect,
    Disconnect,
    Stop,
}

fn packet() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop_oneof![0x01_u8..0x0A, 0x21_u8..0x2D, 0x41_u8..0x45, 0x51_u8..0x54, 0x80_u8..=0xFF];
    (kinds, vec(any::<u8>(), 0..80)).prop_map(|(kind, rest)| [&[kind], rest.as_slice()].concat())
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => (0..4_usize).prop_map(|at| Op::Mode(Mode::ALL[at])),
        1 => any::<(bool, bool)>().prop_map(|(server, client)| Op::Follow(server, client)),
        1 => Just(Op::Restart),
        4 => (0..3_000_u64).prop_map(Op::Wait),
        6 => Just(Op::Timeout),
        6 => Just(Op::Loopback),
        6 => prop_oneof![Just(1_200), 0..1_300_usize].prop_map(Op::Transmit),
        1 => Just(Op::Up),
        1 => Just(Op::Down),
        2 => Just(Op::Connected),
        1 => (0..10_usize).prop_map(Op::Disconnected),
        2 => (any::<bool>(), packet()).prop_map(|(reliable, packet)| Op::ToClient(reliable, packet)),
        2 => (0..10_usize, any::<bool>(), packet()).prop_map(|(to, reliable, packet)| Op::ToServer(to, reliable, packet)),
        2 => any::<bool>().prop_map(Op::Echo),
        3 => Just(Op::Speak),
        1 => Just(Op::Connect),
        1 => Just(Op::Disconnect),
        1 => Just(Op::Stop),
    ]
}

const fn delivery(reliable: bool) -> Delivery {
    if reliable { Delivery::Reliable } else { Delivery::Unreliable }
}

struct Caller {
    now: u64,
    connections: Vec<ConnectionId>,
    /// The last packet that came out.
    last: Vec<u8>,
}

impl Caller {
    fn call(&mut self, node: &mut TestNode, op: Op) {
        let now = Instant::from_ms(self.now);
        match op {
            Op::Mode(mode) => node.set_mode(now, mode),
            Op::Follow(server, client) => node.follow(now, GameSession { server, client }),
            Op::Restart => node.restart_server(now),
            Op::Wait(ms) => self.now += ms,
            Op::Timeout => node.handle_timeout(now),
            Op::Loopback => drop(node.poll_loopback(now)),
            Op::Transmit(len) => {
                let mut out = vec![0xEE; len];
                if let Some(transmit) = node.poll_transmit(now, &mut out) {
                    out.truncate(transmit.len);
                    self.last = out;
                }
            }
            Op::Up => node.handle_client_connected(now),
            Op::Down => node.handle_client_disconnected(now),
            Op::Connected => self.connections.extend(node.handle_server_connected(now)),
            Op::Disconnected(at) => node.handle_server_disconnected(now, self.connection(node, at)),
            Op::ToClient(reliable, packet) => {
                node.handle_client_packet(now, Source::Server, delivery(reliable), &packet);
            }
            Op::ToServer(at, reliable, packet) => self.give(node, at, reliable, packet),
            Op::Echo(reliable) => self.give(node, 0, reliable, self.last.clone()),
            Op::Speak => _ = node.client_mut().send_frame(now, &[1; 50]),
            Op::Connect => node.client_mut().connect(now),
            Op::Disconnect => node.client_mut().disconnect(now),
            Op::Stop => node.server_mut().stop(now),
        }
        while node.poll_client_event().is_some() || node.poll_server_event().is_some() {}
    }

    fn give(&mut self, node: &mut TestNode, at: usize, reliable: bool, mut packet: Vec<u8>) {
        let from = self.connection(node, at);
        let now = Instant::from_ms(self.now);
        let local = node.local_connection();
        let mut forward = node.handle_server_packet(now, from, delivery(reliable), &mut packet);
        while let Some((_, to)) = forward.next() {
            assert!(to.iter().all(|to| Some(*to) != local));
        }
    }

    fn connection(&self, node: &TestNode, at: usize) -> ConnectionId {
        let known = self.connections.get(at).copied().or(node.local_connection());
        known.unwrap_or(ConnectionId::new(3, 9))
    }
}

proptest! {
    #[test]
    fn after_any_calls_a_node_becomes_a_working_host(ops in vec(op(), 0..200)) {
        let mut world = World::new(1);
        let mut caller = Caller { now: 0, connections: Vec::new(), last: Vec::new() };
        for op in ops {
            caller.call(&mut world.node, op);
        }
        for connection in caller.connections {
            world.node.handle_server_disconnected(Instant::from_ms(caller.now), connection);
        }
        world.skip(caller.now);
        world.node.set_mode(world.now, Mode::None);
        world.run(5_000);
        world.node.set_mode(world.now, Mode::Host);
        world.run(20_000);
        prop_assert_eq!(world.node.client().state(), State::Connected);
        world.clear_heard();
        (world.voice.says, world.remotes[0].voice.says) = (Some(1), Some(2));
        world.run(1_000);
        prop_assert!(world.voice.heard.iter().filter(|byte| **byte == 2).count() > 40, "{:?}", world.voice.heard);
        prop_assert!(world.remotes[0].voice.heard.contains(&1));
    }
}
