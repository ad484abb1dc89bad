//! A server of 4,096 clients and 1,024 rooms, in a static and on the heap, in whatever build, by a thread with a small stack: so no frame
//! of the core's is large. And any calls on a server or a client, with as little.

use std::{sync::Mutex, thread};

use voice_core::{
    Client, ClientConfig, Connection, ConnectionId, Instant, PendingJoin, Post, Room, RoomUse, Route, Seat, Server,
    ServerConfig, ServerMemory, ServerStorage, Source, State, TalkTo, client_storage_vec, server_storage,
    server_storage_vec, server_words,
};

const CLIENTS: usize = 4_096;
const ROOMS: usize = 1_024;
/// All frames together get what a single one is allowed.
const STACK_BYTES: usize = 64 * 1_024;

type BigTables = ServerStorage<
    [Seat; CLIENTS],
    [Room; ROOMS],
    [u64; server_words(CLIENTS, ROOMS, 32)],
    [Connection; CLIENTS + CLIENTS / 4 + 8],
    [Post; 32],
    [PendingJoin; 8],
    [ConnectionId; 2 * CLIENTS],
>;

static BIG: Mutex<Server<BigTables>> =
    Mutex::new(Server::new(ServerConfig::DEFAULT, 7, server_storage!(clients: CLIENTS, rooms: ROOMS)));

/// Two clients join and one speaks; gives the connections that its frame goes to.
fn serve<M: ServerMemory>(server: &mut Server<M>) -> usize {
    let now = Instant::from_ms(1);
    let mut clients: Vec<_> = (0..2)
        .map(|seed| {
            let config = ClientConfig::new("somebody").unwrap();
            let mut client = Client::new(config, seed, client_storage_vec!(people: 8, speakers: 2));
            let room = client.use_room(now, "hall", RoomUse::Both).unwrap();
            client.open_channel(now, TalkTo::Room(room), Default::default()).unwrap();
            client.connect(now);
            client.handle_connected(now);
            (server.handle_connected(now).unwrap(), client)
        })
        .collect();
    let mut out = [0; 1_200];
    let mut reached = 0;
    for step in 1..10 {
        let now = Instant::from_ms(100 * step);
        for (connection, client) in &mut clients {
            client.handle_timeout(now);
            if step == 9 {
                _ = client.send_frame(now, &[1; 40]);
            }
            while let Some(transmit) = client.poll_transmit(now, &mut out) {
                let packet = &mut out[..transmit.len];
                let mut forward = server.handle_packet(now, *connection, transmit.delivery, packet);
                while let Some((_, to)) = forward.next() {
                    reached += to.len();
                }
            }
        }
        server.handle_timeout(now);
        while let Some(transmit) = server.poll_transmit(now, &mut out) {
            let Route::Client(to) = transmit.to else { continue };
            for (_, client) in clients.iter_mut().filter(|(connection, _)| *connection == to) {
                client.handle_packet(now, Source::Server, transmit.delivery, &out[..transmit.len]);
            }
        }
    }
    assert!(clients.iter().all(|(_, client)| client.state() == State::Connected));
    reached
}

fn with_small_stack(what: impl FnOnce() -> usize + Send + 'static) -> usize {
    thread::Builder::new().stack_size(STACK_BYTES).spawn(what).unwrap().join().unwrap()
}

#[test]
fn a_big_server_lives_in_a_static() {
    assert_eq!(with_small_stack(|| serve(&mut *BIG.lock().unwrap())), 2);
}

#[test]
fn a_big_server_lives_on_the_heap() {
    let reached = with_small_stack(|| {
        let tables = server_storage_vec!(clients: CLIENTS, rooms: ROOMS);
        let mut server = Box::new(Server::new(ServerConfig::DEFAULT, 7, tables));
        serve(&mut server)
    });
    assert_eq!(reached, 2);
}

#[test]
fn no_call_needs_a_large_stack() {
    let programs = with_small_stack(|| {
        let mut state = 1_u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let programs = (0..300).map(|_| (0..700).map(|_| byte()).collect::<Vec<u8>>());
        programs
            .inspect(|program| consonance_fuzz::server_ops(program))
            .inspect(|p| consonance_fuzz::client_ops(p))
            .count()
    });
    assert_eq!(programs, 300);
}
