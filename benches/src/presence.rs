use std::{hint::black_box, time::Duration};

use voice_core::{RoomUse, wire::limits};

use crate::{case::Task, crowd::Crowd};

/// People of one room.
const ROOM: usize = 50;
/// Longer than changes of the roster are gathered.
const GATHERED: Duration = Duration::from_millis(60);

/// A server of `seats` with `present` clients in rooms of 50, who have been told everything.
fn settled(seats: usize, present: usize) -> Crowd {
    let mut crowd = Crowd::new(seats, 1_024);
    for at in 0..present {
        crowd.join(&room_of(at), RoomUse::Both);
    }
    crowd.pass(GATHERED);
    crowd
}

fn room_of(at: usize) -> String {
    format!("Room {}", at / ROOM)
}

/// What an event loop does when it wakes and nothing is to do.
pub(crate) struct Idle {
    crowd: Crowd,
    buffer: [u8; limits::MAX_PACKET_BYTES],
}

impl Idle {
    pub(crate) fn new(clients: usize) -> Self {
        let crowd = settled(clients, clients);
        assert!(crowd.server.poll_timeout().is_some_and(|due| due > crowd.now), "nothing is due");
        Self { crowd, buffer: [0; limits::MAX_PACKET_BYTES] }
    }
}

impl Task for Idle {
    fn run(&mut self) {
        let Crowd { server, now, .. } = &mut self.crowd;
        let now = black_box(*now);
        server.handle_timeout(now);
        assert!(server.poll_transmit(now, &mut self.buffer).is_none());
        black_box(server.poll_timeout());
    }
}

/// A client connects, says Hello, uses a room with others, and gets Welcome, the room's id and the whole roster.
pub(crate) struct Join {
    crowd: Crowd,
    present: usize,
}

impl Join {
    pub(crate) fn new(present: usize) -> Self {
        Self { crowd: settled(seats_for(present), present), present }
    }

    fn join(&mut self) {
        self.crowd.join("Room 0", RoomUse::Both);
        let packets = self.crowd.drain();
        assert!(packets > 2, "Welcome, the room and a roster were sent");
    }

    fn leave(&mut self) {
        while self.crowd.people.len() > self.present {
            self.crowd.leave();
        }
        self.crowd.pass(GATHERED);
    }
}

/// Room for one more, and the tables as large as they would be.
fn seats_for(present: usize) -> usize {
    present.next_power_of_two()
}

impl Task for Join {
    fn prepare(&mut self) {
        self.leave();
    }

    fn run(&mut self) {
        self.join();
    }
}

/// The others are told that somebody has joined.
pub(crate) struct Announcement {
    join: Join,
}

impl Announcement {
    pub(crate) fn new(present: usize) -> Self {
        Self { join: Join::new(present) }
    }
}

impl Task for Announcement {
    fn prepare(&mut self) {
        self.join.leave();
        self.join.join();
    }

    fn run(&mut self) {
        let crowd = &mut self.join.crowd;
        crowd.now = crowd.now.after(GATHERED);
        crowd.server.handle_timeout(crowd.now);
        let packets = crowd.drain();
        assert!(packets >= self.join.present, "everybody was told");
    }
}
