//! What a server tells its clients of their own addresses.

use adapter_udp::Config;
use voice_core::Delivery::Unreliable;

use super::wire::{Wire, address};

#[test]
fn a_client_that_asks_learns_the_address_that_its_datagrams_come_from() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link, there) = wire.connected();
    assert_eq!(wire.nodes[client].endpoint.outside_address(link), None);
    wire.nodes[client].endpoint.ask_address(link);
    wire.run(50);
    assert_eq!(wire.nodes[client].endpoint.outside_address(link), Some(wire.nodes[client].address));
    assert_eq!(wire.nodes[0].endpoint.outside_address(there), None, "a server asks nobody");
    // It moves, and asks again once the server knows.
    wire.nodes[client].address = address(999);
    for _ in 0..5 {
        wire.nodes[client].endpoint.ask_address(link);
        wire.run(50);
    }
    assert_eq!(wire.nodes[client].endpoint.outside_address(link), Some(address(999)));
}

#[test]
fn who_asks_from_an_address_that_is_not_the_connections_gets_no_more_than_was_sent() {
    let mut wire = Wire::new(Config::DEFAULT);
    let (client, link, _) = wire.connected();
    wire.send(client, link, Unreliable, &[0x81; 50]);
    wire.run(50);
    wire.loses = Box::new(|_| true);
    wire.nodes[client].endpoint.ask_address(link);
    wire.run(1);
    wire.loses = Box::new(|_| false);
    let (_, server, question) = wire.log.iter().rfind(|(_, _, bytes)| bytes[0] == 0xA0).unwrap().clone();
    let thief = address(666);
    wire.inject(thief, server, &question);
    wire.run(100);
    let sent: usize = wire.log.iter().filter(|(_, to, _)| *to == thief).map(|(.., bytes)| bytes.len()).sum();
    assert!((1..=question.len()).contains(&sent), "{sent} bytes for {}", question.len());
}
