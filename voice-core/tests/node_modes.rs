//! Every mode becomes every other, at any time.

mod node_harness;

use node_harness::World;
use voice_core::{GameSession, Mode, ServerEvent, State};

/// Longer than any back-off that a guest can be in.
const LONG: u64 = 20_000;

/// What is true of a node that has been in a mode for a while.
fn check(world: &World, mode: Mode) {
    let client = world.node.client();
    let guests = world.remotes.iter().filter(|remote| remote.client.state() == State::Connected).count();
    assert_eq!(world.node.mode(), mode);
    let (state, here, elsewhere, own) = match mode {
        Mode::None => (State::Disconnected, 0, 0, 0),
        Mode::Client => (State::Connected, 0, 1, 0),
        Mode::DedicatedServer => (State::Disconnected, 1, 0, 0),
        Mode::Host => (State::Connected, 1, 0, 1),
    };
    assert_eq!(client.state(), state, "{mode:?}: {:?}", client.state_reason());
    assert_eq!(guests, here, "guests of {mode:?}");
    assert_eq!(world.elsewhere.client_count(), elsewhere, "seats elsewhere of {mode:?}");
    assert_eq!(world.node.server().client_count(), here + own, "seats here of {mode:?}");
    assert_eq!(world.node.local_connection().is_some(), own == 1, "loopback of {mode:?}");
    assert_eq!(world.node.transport_wanted().is_some(), mode == Mode::Client, "transport of {mode:?}");
}

fn hears(world: &mut World, mode: Mode) {
    world.clear_heard();
    world.voice.says = Some(1);
    world.remotes[0].voice.says = Some(2);
    world.run(1_000);
    let both = mode == Mode::Host;
    assert_eq!(world.voice.heard.contains(&2), both, "{mode:?}");
    assert_eq!(world.remotes[0].voice.heard.contains(&1), both, "{mode:?}");
    assert!(!world.voice.heard.contains(&1), "{mode:?}");
}

#[test]
fn every_mode_becomes_every_other() {
    for from in Mode::ALL {
        for to in Mode::ALL {
            let mut world = World::new(1);
            world.node.set_mode(world.now, from);
            world.run(LONG);
            check(&world, from);
            hears(&mut world, from);
            world.node.set_mode(world.now, to);
            world.run(LONG);
            check(&world, to);
            hears(&mut world, to);
            world.node.set_mode(world.now, from);
            world.run(LONG);
            check(&world, from);
            hears(&mut world, from);
        }
    }
}

#[test]
fn a_change_in_the_middle_of_a_change_ends_in_the_last_mode() {
    for first in Mode::ALL {
        for second in Mode::ALL {
            for third in Mode::ALL {
                for pause in [0, 30] {
                    let mut world = World::new(1);
                    for mode in [first, second, third] {
                        world.node.set_mode(world.now, mode);
                        world.run(pause);
                    }
                    world.run(LONG);
                    check(&world, third);
                    hears(&mut world, third);
                }
            }
        }
    }
}

#[test]
fn a_change_without_anything_being_drained_in_between_ends_in_the_last_mode() {
    for first in Mode::ALL {
        for second in Mode::ALL {
            let mut world = World::new(1);
            world.node.set_mode(world.now, first);
            world.run(2_000);
            for mode in [second, first, Mode::None, second, Mode::Host, first, second] {
                world.node.set_mode(world.now, mode);
                world.node.handle_timeout(world.now);
            }
            world.run(LONG);
            check(&world, second);
            hears(&mut world, second);
        }
    }
}

#[test]
fn following_the_games_session_makes_voice_match_it() {
    let mut world = World::new(1);
    let session = |server, client| GameSession { server, client };
    let course = [
        (session(false, false), Mode::None),
        (session(false, true), Mode::Client),
        (session(true, true), Mode::Host),
        (session(true, false), Mode::DedicatedServer),
        (session(true, true), Mode::Host),
        (session(false, false), Mode::None),
    ];
    for (session, mode) in course {
        for _ in 0..1_000 {
            world.node.follow(world.now, session);
            world.run(16);
        }
        check(&world, mode);
    }
}

#[test]
fn following_an_unchanged_session_changes_nothing() {
    let mut world = World::new(1);
    let session = GameSession { server: true, client: true };
    world.node.follow(world.now, session);
    world.run(2_000);
    let (id, events) = (world.node.client().id(), world.server_events.len());
    for _ in 0..200 {
        world.node.follow(world.now, session);
        world.run(16);
    }
    assert_eq!(world.node.client().id(), id);
    assert_eq!(world.server_events.len(), events);
}

#[test]
fn a_client_that_becomes_a_host_takes_its_leave_elsewhere_first() {
    let mut world = World::new(0);
    world.node.set_mode(world.now, Mode::Client);
    world.run(1_000);
    assert_eq!(world.elsewhere.client_count(), 1);
    world.node.set_mode(world.now, Mode::Host);
    world.run(100);
    assert_eq!(world.elsewhere.client_count(), 0);
    assert!(world.joined());
}

#[test]
fn a_host_that_stops_tells_its_guests_at_once() {
    let mut world = World::new(1);
    world.node.set_mode(world.now, Mode::Host);
    world.run(1_000);
    world.node.set_mode(world.now, Mode::None);
    world.run(10);
    assert_eq!(world.remotes[0].client.state(), State::Reconnecting);
    assert!(world.server_events.iter().any(|event| matches!(event, ServerEvent::Disconnect { .. })));
}

#[test]
fn a_node_without_a_mode_has_nothing_to_do() {
    let mut world = World::new(0);
    world.run(1_000);
    assert_eq!(world.node.poll_timeout(), None);
    assert!(world.node.poll_loopback(world.now).is_none());
    assert!(world.node.handle_server_connected(world.now).is_err());
}
