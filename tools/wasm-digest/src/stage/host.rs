//! A host that goes through all modes, with nobody else there.

use voice_core::{ChannelOptions, Instant, Node, RoomUse, Route, ServerEvent, TalkTo};

use super::{ClientTables, Memory, ServerTables, SmallClient, Sum, new_server};
use crate::scenario::{SESSIONS, START};

type Host<'a> = Node<ClientTables<'a>, ServerTables, [u8; 6_000]>;

/// The sum of what the host did.
pub(crate) fn digest() -> u64 {
    let mut memory = Memory::EMPTY;
    let mut client = memory.client("Host", 5);
    speak_in(&mut client, "Tent");
    let mut node = Node::new(client, new_server(6), [0; 6_000]);
    let mut sum = Sum::NEW;
    let mut ms = 0;
    for (session, mode) in SESSIONS {
        node.follow(at(ms), session);
        assert!(node.mode() == mode);
        for _ in 0..100 {
            ms += 20;
            turn(&mut node, at(ms), &mut sum);
        }
    }
    node.set_mode(at(ms), SESSIONS[0].1);
    node.restart_server(at(ms));
    for _ in 0..200 {
        ms += 20;
        turn(&mut node, at(ms), &mut sum);
    }
    sum.get()
}

fn at(ms: u64) -> Instant {
    START.after(core::time::Duration::from_millis(ms))
}

fn speak_in(client: &mut SmallClient<'_>, room: &str) {
    if let Ok(room) = client.use_room(START, room, RoomUse::Both) {
        _ = client.open_channel(START, TalkTo::Room(room), ChannelOptions::DEFAULT);
    }
}

fn turn(node: &mut Host<'_>, now: Instant, sum: &mut Sum) {
    node.handle_timeout(now);
    _ = node.client_mut().send_frame(now, &[9; 30]);
    let mut out = [0; 1_200];
    for _ in 0..4 {
        while let Some(transmit) = node.poll_transmit(now, &mut out) {
            sum.add(&out[..transmit.len]);
            sum.add(&[u8::from(matches!(transmit.to, Route::Server))]);
        }
        while let Some(mut forward) = node.poll_loopback(now) {
            while let Some((bytes, _)) = forward.next() {
                sum.add(bytes);
            }
        }
    }
    while let Some(event) = node.poll_server_event() {
        if let ServerEvent::Disconnect { connection } = event {
            node.handle_server_disconnected(now, connection);
        }
    }
    while node.poll_client_event().is_some() {}
    if node.transport_wanted().is_some() {
        node.handle_client_connected(now);
    }
    sum.add(&[node.client().state() as u8, node.mode() as u8]);
}
