use voice_core::{ConnectionId, Delivery, GameSession, Instant, Mode, Node, ServerConfig, Source};

use crate::{
    input::Input,
    session::{MOST_PACKETS, new_client, new_server},
};

/// Makes any sequence of public calls and changes of mode on a host.
pub fn host_ops(data: &[u8]) {
    let mut input = Input::new(data);
    let mut node = Node::new(new_client("host", 1), new_server(ServerConfig::DEFAULT), vec![0; 6_000]);
    let (mut now_ms, mut last, mut connections) = (0_u64, Vec::new(), Vec::<ConnectionId>::new());
    for _ in 0..200 {
        if input.is_empty() {
            break;
        }
        let now = Instant::from_ms(now_ms);
        let reliable = |flag| if flag { Delivery::Reliable } else { Delivery::Unreliable };
        match input.below(16) {
            0 => now_ms += u64::from(input.byte()) * 40,
            1 => now_ms = now_ms.saturating_sub(u64::from(input.byte())),
            2 => node.set_mode(now, Mode::ALL[input.below(4)]),
            3 => node.follow(now, GameSession { server: input.flag(), client: input.flag() }),
            4 => node.restart_server(now),
            5 => node.handle_timeout(now),
            6 => {
                for _ in 0..MOST_PACKETS {
                    let Some(mut forward) = node.poll_loopback(now) else { break };
                    while forward.next().is_some() {}
                }
            }
            7 => {
                let mut out = [0; 1_200];
                if let Some(transmit) = node.poll_transmit(now, &mut out) {
                    assert!((1..=1_200).contains(&transmit.len));
                    last = out[..transmit.len].to_vec();
                }
            }
            8 => node.handle_client_connected(now),
            9 => node.handle_client_disconnected(now),
            10 => connections.extend(node.handle_server_connected(now)),
            11 => {
                let connection = connections.get(input.below(4)).copied().or(node.local_connection());
                node.handle_server_disconnected(now, connection.unwrap_or(ConnectionId::new(1, 1)));
            }
            12 => {
                let packet = if input.flag() { input.packet().to_vec() } else { input.bent(&last) };
                node.handle_client_packet(now, Source::Server, reliable(input.flag()), &packet);
            }
            13 => {
                let mut packet = if input.flag() { input.packet().to_vec() } else { input.bent(&last) };
                let from = connections.get(input.below(4)).copied().or(node.local_connection());
                let local = node.local_connection();
                let delivery = reliable(input.flag());
                let from = from.unwrap_or(ConnectionId::new(1, 1));
                let mut forward = node.handle_server_packet(now, from, delivery, &mut packet);
                while let Some((_, to)) = forward.next() {
                    assert!(
                        to.iter().all(|to| Some(*to) != local),
                        "the host's own client is forwarded to over a network"
                    );
                }
            }
            14 => _ = node.client_mut().send_frame(now, &[1; 40]),
            _ => match input.below(4) {
                0 => node.client_mut().connect(now),
                1 => node.client_mut().disconnect(now),
                2 => node.server_mut().stop(now),
                _ => node.server_mut().start(now),
            },
        }
        while node.poll_client_event().is_some() || node.poll_server_event().is_some() {}
    }
    come_to_rest(&mut node, Instant::from_ms(now_ms));
}

/// Whatever was called: once all is drained, nothing is due at once for ever.
fn come_to_rest<C, S, B>(node: &mut Node<C, S, B>, now: Instant)
where
    C: voice_core::ClientMemory,
    S: voice_core::ServerMemory,
    B: AsMut<[u8]> + AsRef<[u8]>,
{
    let mut out = [0; 1_200];
    for _ in 0..MOST_PACKETS {
        node.handle_timeout(now);
        let mut moved = false;
        while let Some(mut forward) = node.poll_loopback(now) {
            while forward.next().is_some() {}
            moved = true;
        }
        while node.poll_transmit(now, &mut out).is_some() {
            moved = true;
        }
        while node.poll_client_event().is_some() || node.poll_server_event().is_some() {
            moved = true;
        }
        // What came out may have gone into the loopback.
        if !moved && node.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
    }
    panic!("the host never comes to rest");
}
