//! The end of a link that one end closes: what was said last gets there, and nobody can put the end off.

use adapter_udp::{Config, DownReason, Event, LinkId};
use voice_core::{
    Client, ClientConfig, Connection, ConnectionId, Delivery::Reliable, Instant, PendingJoin, Post, Room, Seat, Server,
    ServerConfig, ServerEvent, ServerStorage, Source, State, StateReason, client_storage_vec, server_storage_vec,
    wire::CloseReason,
};

use super::wire::{Wire, address};

/// A client on whose lane something was said, which opens it: its number, its link, and the server's link to it.
fn with_a_lane() -> (Wire, usize, LinkId, LinkId) {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link, there) = wire.connected();
    wire.send(client, link, Reliable, b"the client says the first word on the lane");
    wire.run(50);
    (wire, client, link, there)
}

#[test]
fn what_was_said_last_comes_before_the_end() {
    let (mut wire, client, link, there) = with_a_lane();
    (0..100_u8).for_each(|number| wire.send(0, there, Reliable, &[number; 300]));
    wire.close(0, there);
    assert!(wire.nodes[0].endpoint.send(wire.now, there, Reliable, b"too late").is_err());
    wire.run(1_000);
    let lane: Vec<u8> = wire.nodes[client].packets(Reliable).iter().map(|packet| packet[0]).collect();
    assert_eq!(lane, (0..100).collect::<Vec<u8>>());
    assert_eq!(wire.nodes[client].events.last(), Some(&Event::Down(link, DownReason::ClosedByPeer)));
    assert_eq!(wire.nodes[0].events.last(), Some(&Event::Down(there, DownReason::Closed)));
    assert_eq!((wire.nodes[0].endpoint.links(), wire.nodes[client].endpoint.links()), (0, 0));
}

#[test]
fn a_lost_last_word_is_said_again() {
    let (mut wire, client, _, there) = with_a_lane();
    wire.send(0, there, Reliable, b"the last word");
    wire.close(0, there);
    wire.loses = Box::new(|_| true);
    wire.run(20);
    wire.loses = Box::new(|_| false);
    wire.run(500);
    assert_eq!(wire.nodes[client].packets(Reliable), [b"the last word"]);
}

#[test]
fn who_takes_no_last_word_is_closed_after_a_third_of_a_second_all_the_same() {
    let (mut wire, client, _, there) = with_a_lane();
    wire.send(0, there, Reliable, b"the last word");
    wire.close(0, there);
    // The client isn't where it was, and acknowledges nothing.
    wire.nodes[client].address = address(9_999);
    let before = wire.log.len();
    wire.run(320);
    let closed = wire.log.len();
    assert!(wire.log[before..].iter().any(|(from, ..)| *from == address(1)));
    wire.run(400);
    let later = wire.log[closed..].iter().filter(|(from, ..)| *from == address(1)).count();
    assert_eq!((later, wire.nodes[0].endpoint.links()), (0, 0), "nothing is said again, and the place is free");
}

type Core = Server<
    ServerStorage<Vec<Seat>, Vec<Room>, Vec<u64>, Vec<Connection>, Vec<Post>, Vec<PendingJoin>, Vec<ConnectionId>>,
>;

/// What a client believes to be the reason when its server does this to end the connection.
fn told(ends: impl FnOnce(&mut Core, Instant)) -> StateReason {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link, there) = wire.connected();
    let mut server = Server::new(ServerConfig::DEFAULT, 1, server_storage_vec!(clients: 4, rooms: 4));
    let config = ClientConfig::new("Scout").unwrap();
    let mut core = Client::new(config, 2, client_storage_vec!(people: 4, speakers: 2));
    let begin = Instant::from_us(0);
    core.connect(begin);
    core.handle_connected(begin);
    let connection = server.handle_connected(begin).unwrap();
    let (mut ends, mut buffer) = (Some(ends), [0; 1_200]);
    for ms in 1..3_000 {
        let now = Instant::from_us(ms * 1_000);
        if let Some(ends) = ends.take_if(|_| ms == 500) {
            assert_eq!(core.state(), State::Connected);
            ends(&mut server, now);
        }
        wire.run(1);
        for event in std::mem::take(&mut wire.nodes[0].events) {
            if let Event::Packet(_, bytes) = event {
                server.handle_packet(now, connection, Reliable, &mut bytes.to_vec());
            }
        }
        for event in std::mem::take(&mut wire.nodes[client].events) {
            match event {
                Event::Packet(_, bytes) => core.handle_packet(now, Source::Server, Reliable, &bytes),
                Event::Down(..) => core.handle_disconnected(now),
                Event::Up(..) => {}
            }
        }
        server.handle_timeout(now);
        core.handle_timeout(now);
        while let Some(transmit) = server.poll_transmit(now, &mut buffer) {
            let _ = wire.nodes[0].endpoint.send(wire.now, there, transmit.delivery, &buffer[..transmit.len]);
        }
        while let Some(event) = server.poll_event() {
            if matches!(event, ServerEvent::Disconnect { .. }) {
                wire.close(0, there);
            }
        }
        while let Some(transmit) = core.poll_transmit(now, &mut buffer) {
            let _ = wire.nodes[client].endpoint.send(wire.now, link, transmit.delivery, &buffer[..transmit.len]);
        }
        if matches!(core.state(), State::Reconnecting | State::Disconnected) {
            return core.state_reason();
        }
    }
    panic!("{:?}", core.state())
}

#[test]
fn who_is_thrown_out_or_whose_server_stops_is_told_so() {
    let kick = |server: &mut Core, now| {
        let client = server.clients().next().unwrap().id();
        server.kick(now, client, 0).unwrap();
    };
    assert_eq!(told(kick), StateReason::Closed(CloseReason::Kicked));
    assert_eq!(told(Core::stop), StateReason::Closed(CloseReason::ServerStopping));
}

#[test]
fn a_server_that_turns_newcomers_away_answers_none_and_those_who_are_in_talk_on() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link, there) = wire.connected();
    wire.nodes[0].endpoint.turn_away();
    let before = wire.log.len();
    let (late, _) = wire.connect(adapter_udp::Trust::FirstUse);
    wire.run(4_000);
    let to = wire.nodes[late].address;
    assert!(wire.log[before..].iter().all(|(_, whom, _)| *whom != to));
    wire.send(client, link, Reliable, b"still in");
    wire.run(50);
    wire.send(0, there, Reliable, b"and heard");
    wire.run(50);
    assert_eq!(wire.nodes[client].packets(Reliable), [b"and heard"]);
    // The next server of the same key finds it at the next of its own repetitions.
    wire.restart_server();
    wire.run(5_000);
    assert_eq!(wire.nodes[late].ups().len(), 1);
}
