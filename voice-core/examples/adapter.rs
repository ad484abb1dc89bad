//! An adapter of about a hundred lines: a server and two clients, each in a thread, on channels of the standard library.
//!
//! `cargo run -p voice-core --example adapter` lets two people greet each other for two seconds.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "an adapter is where real time and threads come in"
)]

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use voice_core::{
    ChannelOptions, Client, ClientConfig, ClientId, ConnectionId, Delivery, Instant, RoomUse, Route, Server,
    ServerConfig, ServerEvent, Sound, Source, TalkTo, client_storage_vec, server_storage_vec,
};

/// What goes through a channel. A closed channel means that the transport is down.
enum Message {
    /// A client's transport, by its number, comes up: this is the way back to it.
    Up(u32, Sender<Message>),
    /// It goes down.
    Down(u32),
    /// A packet of it, or for it.
    Packet(u32, Delivery, Vec<u8>),
}

/// The adapter's clock: the core has none.
fn clock() -> impl Fn() -> Instant + Copy {
    let start = std::time::Instant::now();
    move || Instant::from_us(start.elapsed().as_micros() as u64)
}

/// How long to wait for input, when the core wants to be woken then.
fn until(due: Option<Instant>, now: Instant) -> Duration {
    due.map_or(Duration::from_millis(20), |due| due.since(now).min(Duration::from_millis(20)))
}

/// Runs a server until all senders to it are gone.
fn serve(inbox: &Receiver<Message>, now: impl Fn() -> Instant) {
    let mut server = Server::new(ServerConfig::DEFAULT, 42, server_storage_vec!(clients: 8, rooms: 4));
    // Connections have dense indexes; a transport's number finds its connection.
    let mut links: Vec<Option<(u32, ConnectionId, Sender<Message>)>> = vec![None; 32];
    let mut out = [0; 1_200];
    loop {
        match inbox.recv_timeout(until(server.poll_timeout(), now())) {
            Ok(Message::Up(transport, back)) => {
                if let Ok(connection) = server.handle_connected(now()) {
                    links[connection.index()] = Some((transport, connection, back));
                }
            }
            Ok(Message::Down(transport)) => {
                for link in links.iter_mut() {
                    if let Some((_, connection, _)) = link.take_if(|(number, ..)| *number == transport) {
                        server.handle_disconnected(now(), connection);
                    }
                }
            }
            Ok(Message::Packet(transport, delivery, mut bytes)) => {
                let Some(&(_, from, _)) = links.iter().flatten().find(|(number, ..)| *number == transport) else {
                    continue;
                };
                let mut forward = server.handle_packet(now(), from, delivery, &mut bytes);
                while let Some((bytes, to)) = forward.next() {
                    to.iter().for_each(|to| send(&links, *to, Delivery::Unreliable, bytes));
                }
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => server.handle_timeout(now()),
        }
        while let Some(transmit) = server.poll_transmit(now(), &mut out) {
            let Route::Client(to) = transmit.to else { continue };
            send(&links, to, transmit.delivery, &out[..transmit.len]);
        }
        while let Some(event) = server.poll_event() {
            if let ServerEvent::Disconnect { connection } = event {
                server.handle_disconnected(now(), connection);
                links[connection.index()] = None;
            }
        }
    }
}

fn send(links: &[Option<(u32, ConnectionId, Sender<Message>)>], to: ConnectionId, delivery: Delivery, bytes: &[u8]) {
    if let Some((transport, _, back)) = &links[to.index()] {
        // A receiver that is gone will be reported as down.
        let _ = back.send(Message::Packet(*transport, delivery, bytes.to_vec()));
    }
}

/// Lets somebody be in the room and talk for so long; how many frames were heard.
fn take_part(name: &str, number: u32, server: &Sender<Message>, now: impl Fn() -> Instant, frames: u64) -> usize {
    let config = ClientConfig::new(name).expect("a name of at most 64 bytes");
    let mut client = Client::new(config, number.into(), client_storage_vec!(people: 8, speakers: 4));
    let room = client.use_room(now(), "Lobby", RoomUse::Both).expect("a free room");
    client.open_channel(now(), TalkTo::Room(room), ChannelOptions::DEFAULT).expect("a free channel");
    client.connect(now());
    let (mut attempt, mut heard, mut next_frame, mut out) = (None, 0, now(), [0; 1_200]);
    let (mut back, mut inbox) = channel();
    while next_frame < Instant::from_ms(frames * 20) {
        if client.transport_wanted() != attempt {
            let transport = |attempt: u32| number << 16 | attempt;
            attempt.into_iter().for_each(|old| _ = server.send(Message::Down(transport(old))));
            attempt = client.transport_wanted();
            (back, inbox) = channel();
            if let Some(attempt) = attempt {
                let _ = server.send(Message::Up(transport(attempt), back.clone()));
                client.handle_connected(now());
            }
        }
        match inbox.recv_timeout(until(client.poll_timeout(), now())) {
            Ok(Message::Packet(_, delivery, bytes)) => client.handle_packet(now(), Source::Server, delivery, &bytes),
            _ => client.handle_timeout(now()),
        }
        while now() >= next_frame {
            // The audio clock of a real program calls these.
            let _ = client.send_frame(now(), b"hello");
            let speakers: Vec<ClientId> = client.speakers().collect();
            heard +=
                speakers.iter().filter(|id| matches!(client.next_frame(now(), Duration::ZERO, **id).sound, Sound::Play(_))).count();
            next_frame = next_frame.after(Duration::from_millis(20));
        }
        while let Some(transmit) = client.poll_transmit(now(), &mut out) {
            let transport = number << 16 | attempt.unwrap_or(0);
            let _ = server.send(Message::Packet(transport, transmit.delivery, out[..transmit.len].to_vec()));
        }
        while let Some(event) = client.poll_event() {
            println!("{name}: {event:?}");
        }
    }
    drop(back);
    heard
}

/// Lets two people talk for so many frames of 20 ms; how many each heard.
fn talk(frames: u64) -> [usize; 2] {
    let now = clock();
    let (to_server, inbox) = channel();
    let server = thread::spawn(move || serve(&inbox, now));
    let people = [("Scout", 1), ("Medic", 2)].map(|(name, number)| {
        let to_server = to_server.clone();
        thread::spawn(move || take_part(name, number, &to_server, now, frames))
    });
    let heard = people.map(|person| person.join().expect("a client's thread"));
    drop(to_server);
    server.join().expect("the server's thread");
    heard
}

fn main() {
    println!("frames heard: {:?}", talk(100));
}

#[test]
fn two_people_hear_each_other_over_channels() {
    assert!(talk(50).iter().all(|heard| *heard > 0));
}
