//! A host: a client and a server in one program, and others who join it.

mod node_harness;

use node_harness::{ROOM, World};
use voice_core::{
    ClientEvent, Delivery, Instant, Message, Mode, Route, ServerEvent, Source, State, StateReason, TalkTo,
};

fn host_with(remotes: usize) -> World {
    let mut world = World::new(remotes);
    world.node.set_mode(world.now, Mode::Host);
    world.run(1_000);
    assert!(world.joined(), "{:?}", world.node.client().state_reason());
    assert_eq!(world.node.server().client_count(), remotes + 1);
    world
}

#[test]
fn the_host_and_its_guests_hear_each_other() {
    let mut world = host_with(2);
    world.voice.says = Some(1);
    world.remotes[0].voice.says = Some(2);
    world.run(2_000);
    let heard = |heard: &[u8], byte| heard.iter().filter(|b| **b == byte).count();
    for (name, voice) in [("guest", &world.remotes[1].voice), ("guest", &world.remotes[0].voice)] {
        assert!(heard(&voice.heard, 1) > 90, "{name}: {:?}", voice.heard);
    }
    assert!(heard(&world.voice.heard, 2) > 90, "{:?}", world.voice.heard);
    assert!(heard(&world.remotes[1].voice.heard, 2) > 90);
    assert_eq!(world.node.loopback_drops(), 0);
}

#[test]
fn the_host_never_hears_itself() {
    let mut world = host_with(1);
    world.voice.says = Some(1);
    world.remotes[0].voice.says = Some(2);
    world.run(2_000);
    assert!(!world.voice.heard.is_empty());
    assert!(world.voice.heard.iter().all(|byte| *byte == 2));
    assert!(world.remotes[0].voice.heard.iter().all(|byte| *byte == 1));
}

#[test]
fn a_host_alone_is_told_that_nobody_hears_it() {
    let mut world = host_with(0);
    world.voice.says = Some(1);
    world.run(500);
    assert!(world.node.client().is_unheard());
}

#[test]
fn a_text_of_the_hosts_reaches_a_guest_and_back() {
    let mut world = host_with(1);
    let (room, now) = (world.voice.room, world.now);
    world.node.client_mut().send_text(now, TalkTo::Room(room), "to the guest").unwrap();
    let room = world.remotes[0].voice.room;
    world.remotes[0].client.send_text(now, TalkTo::Room(room), "to the host").unwrap();
    world.run(100);
    let got = |message: Option<Message<'_>>| match message {
        Some(Message::Text { text, .. }) => text.to_string(),
        other => panic!("no text: {other:?}"),
    };
    assert_eq!(got(world.remotes[0].client.take_message()), "to the guest");
    assert_eq!(got(world.node.client_mut().take_message()), "to the host");
}

#[test]
fn both_ends_of_the_loopback_know_the_same_people() {
    let world = host_with(3);
    assert_eq!(world.node.client().roster().count(), 4);
    assert_eq!(world.node.server().rooms().count(), 1);
    assert!(world.remotes.iter().all(|remote| remote.client.roster().count() == 4));
}

#[test]
fn nothing_is_delivered_while_it_is_being_sent() {
    let mut world = World::new(0);
    let now = Instant::from_ms(1);
    world.node.set_mode(now, Mode::Host);
    world.node.handle_timeout(now);
    assert_eq!(world.node.client().state(), State::Joining);
    let mut out = [0; 1_200];
    assert!(world.node.poll_transmit(now, &mut out).is_none());
    assert_eq!(world.node.server().client_count(), 0);
    assert_eq!(world.node.poll_timeout(), Some(now));
    assert!(world.node.poll_loopback(now).is_some());
    assert_eq!(world.node.server().client_count(), 1);
    assert!(world.node.poll_transmit(now, &mut out).is_none());
    assert_eq!(world.node.client().state(), State::Joining);
    world.node.handle_timeout(now);
    assert_eq!(world.node.client().state(), State::Connected);
}

#[test]
fn packets_of_the_loopback_are_none_of_the_adapters() {
    let mut world = host_with(1);
    let local = world.node.local_connection().unwrap();
    world.voice.says = Some(1);
    world.node.client_mut().send_frame(world.now, &[1; 40]).unwrap();
    let mut out = [0; 1_200];
    while let Some(transmit) = world.node.poll_transmit(world.now, &mut out) {
        assert_ne!(transmit.to, Route::Server);
        assert_ne!(transmit.to, Route::Client(local));
    }
    let mut forward = world.node.poll_loopback(world.now).unwrap();
    while let Some((_, to)) = forward.next() {
        assert!(!to.contains(&local));
    }
}

#[test]
fn the_adapter_can_neither_close_nor_speak_for_the_local_connection() {
    let mut world = host_with(1);
    let local = world.node.local_connection().unwrap();
    let now = world.now;
    world.node.handle_server_disconnected(now, local);
    let mut forged = [0x41; 16];
    assert!(world.node.handle_server_packet(now, local, Delivery::Unreliable, &mut forged).next().is_none());
    world.node.handle_client_packet(now, Source::Server, Delivery::Unreliable, &forged);
    world.node.handle_client_connected(now);
    world.node.handle_client_disconnected(now);
    world.run(1_000);
    assert_eq!(world.node.local_connection(), Some(local));
    assert!(world.joined());
    assert_eq!(world.node.client().drops().total(), 0);
    assert_eq!(world.node.loopback_drops(), 2);
}

#[test]
fn when_the_server_restarts_everybody_comes_back_to_the_same_rooms() {
    let mut world = host_with(2);
    world.voice.says = Some(1);
    world.remotes[0].voice.says = Some(2);
    let before = world.node.server_mut().session();
    world.node.restart_server(world.now);
    world.run(3_000);
    assert_ne!(world.node.server_mut().session(), before);
    assert!(world.joined());
    assert_eq!(world.node.server().client_count(), 3);
    world.clear_heard();
    world.run(1_000);
    assert!(world.voice.heard.len() > 40);
    assert!(world.remotes[1].voice.heard.len() > 80);
    let room = world.node.client().room_id(world.voice.room).unwrap();
    assert_eq!(world.node.client().room_name(room), Some(ROOM));
}

#[test]
fn a_host_that_is_kicked_by_its_own_server_is_disconnected_with_the_reason() {
    let mut world = host_with(1);
    let id = world.node.client().id().unwrap();
    world.node.server_mut().kick(world.now, id, 200).unwrap();
    world.run(500);
    assert_eq!(world.node.client().state(), State::Disconnected);
    assert!(matches!(world.node.client().state_reason(), StateReason::Closed(_)));
    assert_eq!(world.node.local_connection(), None);
    assert_eq!(world.node.server().client_count(), 1);
    world.node.client_mut().connect(world.now);
    world.run(500);
    assert!(world.joined());
}

#[test]
fn a_client_that_leaves_its_own_server_leaves_at_once() {
    let mut world = host_with(1);
    world.node.client_mut().disconnect(world.now);
    world.run(100);
    assert_eq!(world.node.server().client_count(), 1);
    assert!(world.server_events.iter().any(|event| matches!(event, ServerEvent::Left { .. })));
    assert!(world.remotes[0].voice.events.iter().any(|event| matches!(event, ClientEvent::Left(_))));
    assert_eq!(world.node.local_connection(), None);
}

#[test]
fn a_loopback_that_is_just_large_enough_carries_everything() {
    let mut world = World::with_loopback(3, 2 * 1_204);
    world.node.set_mode(world.now, Mode::Host);
    world.voice.says = Some(1);
    for remote in &mut world.remotes {
        remote.voice.says = Some(2);
    }
    world.run(3_000);
    assert!(world.joined());
    assert_eq!(world.node.client().roster().count(), 4);
    assert!(world.remotes.iter().all(|remote| remote.voice.heard.contains(&1)));
}

#[test]
fn without_memory_for_the_loopback_a_host_is_a_server_without_a_client() {
    let mut world = World::with_loopback(1, 0);
    world.node.set_mode(world.now, Mode::Host);
    world.run(20_000);
    assert!(!world.joined());
    assert_eq!(world.remotes[0].client.state(), State::Connected);
}

#[test]
fn who_never_drains_a_host_loses_voice_and_nothing_else() {
    let mut world = host_with(1);
    world.remotes[0].voice.says = Some(2);
    for i in 0..2_000 {
        _ = world.node.client_mut().send_frame(world.now, &[1; 40]);
        world.node.handle_timeout(Instant::from_us(world.now.as_us() + i * 1_000));
    }
    world.skip(2_000);
    world.run(5_000);
    assert!(world.joined());
    world.clear_heard();
    world.run(1_000);
    assert!(world.voice.heard.len() > 40);
}
