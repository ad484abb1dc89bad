//! One client of a load: a core, a transport and a socket; frames that tell when they were spoken.

use std::{net::SocketAddr, time::Duration};

use adapter_udp::{Endpoint, Socket, Traffic, Trust};
use voice_core::{
    ChannelOptions, ChannelSlot, Client, ClientConfig, ClientEvent, ClientStorage, Instant, PersonSlot, RoomHandle,
    RoomSlot, RoomUse, State, TalkTo,
};

use super::figures::Delays;
use crate::{
    clock::Now,
    net_client::{Happened, NetClient},
};

/// Bytes of a frame: as Opus makes them at 32 kbit/s.
const FRAME: usize = 80;
const FRAME_US: u64 = 20_000;
const MAGIC: [u8; 4] = *b"LOAD";

/// Who it is, and when in 20 ms its frames begin, µs.
pub(super) struct Role {
    pub(super) number: usize,
    pub(super) room: usize,
    pub(super) speaks: bool,
    pub(super) phase: u64,
}

pub(super) struct LoadClient {
    net: NetClient,
    socket: Socket,
    role: Role,
    room: RoomHandle,
    granted: bool,
    next_frame: Option<Instant>,
    spoken: u64,
    counts: bool,
}

impl LoadClient {
    pub(super) fn new(
        transport: Endpoint,
        server: SocketAddr,
        socket: Socket,
        now: Now,
        role: Role,
        password: Option<&str>,
    ) -> Self {
        let mut config = ClientConfig::new(&format!("load-{}", role.number)).expect("a short name");
        config.direct = false;
        let memory = ClientStorage {
            roster: vec![PersonSlot::EMPTY; 2],
            rooms: vec![RoomSlot::EMPTY; 1],
            channels: vec![ChannelSlot::EMPTY; 1],
            // Frames are judged as they come, not played.
            speakers: Vec::new(),
            peers: Vec::new(),
            frames: Vec::new(),
            inbox: Vec::new(),
            outbox: Vec::new(),
            voice: vec![0; 1_300],
            retained: Vec::new(),
            credential: vec![0; 512],
        };
        let mut core = Client::new(config, crate::serve::seed(), memory);
        let _ = core.set_credential(password.unwrap_or_default().as_bytes());
        let room = core.use_room(now.core, &format!("load-{}", role.room), RoomUse::Both).expect("a free room");
        core.open_channel(now.core, TalkTo::Room(room), ChannelOptions::DEFAULT).expect("a free channel");
        core.connect(now.core);
        let net = NetClient::new(core, transport, server, Trust::FirstUse);
        Self { net, socket, role, room, granted: false, next_frame: None, spoken: 0, counts: false }
    }

    /// In the session, and in its room.
    pub(super) fn is_in(&self) -> bool {
        self.granted && self.net.core.state() == State::Connected
    }

    /// Frames spoken since they count.
    pub(super) const fn spoken(&self) -> u64 {
        self.spoken
    }

    pub(super) const fn traffic(&self) -> Traffic {
        self.net.traffic()
    }

    pub(super) const fn begin_count(&mut self) {
        (self.spoken, self.counts) = (0, true);
    }

    pub(super) const fn stop_talking(&mut self) {
        self.role.speaks = false;
    }

    pub(super) fn leave(&mut self, now: Now) {
        self.net.core.disconnect(now.core);
    }

    /// In, due, out. Frames that come in are noted.
    pub(super) fn turn(&mut self, now: Now, mut delays: Option<&mut Delays>) {
        let mut buffer = [0; 1_500];
        while let Some((len, from)) = self.socket.receive(&mut buffer) {
            self.net.handle_datagram(now, from, &mut buffer[..len]);
        }
        if self.role.speaks && self.is_in() {
            self.speak(now);
        }
        self.net.turn(now, |happened| {
            if let (Happened::Packet(packet), Some(delays)) = (happened, delays.as_deref_mut())
                && let Some((when, true)) = stamp(packet)
            {
                delays.note(now.core.as_us().saturating_sub(when));
            }
        });
        while let Some(event) = self.net.poll_event() {
            self.granted |= event == ClientEvent::RoomGranted(self.room);
        }
        let mut out = Vec::new();
        while let Some(to) = self.net.poll_datagram(now, &mut out) {
            self.socket.send(to, &out);
        }
    }

    fn speak(&mut self, now: Now) {
        let first = || Instant::from_us((now.core.as_us() / FRAME_US + 1) * FRAME_US + self.role.phase);
        let due = *self.next_frame.get_or_insert_with(first);
        if due > now.core {
            return;
        }
        self.next_frame = Some(due.after(Duration::from_micros(FRAME_US)));
        let mut frame = [0x55; FRAME];
        frame[..4].copy_from_slice(&MAGIC);
        frame[4] = u8::from(self.counts);
        frame[FRAME - 8..].copy_from_slice(&now.core.as_us().to_be_bytes());
        if self.net.core.send_frame(now.core, &frame).is_ok() {
            self.spoken += 1;
        }
    }
}

/// When a frame of a load was spoken, and whether it counts.
fn stamp(packet: &[u8]) -> Option<(u64, bool)> {
    let frame = packet.len().checked_sub(FRAME).and_then(|at| packet.get(at..)).filter(|_| packet[0] >= 0x80)?;
    let time = u64::from_be_bytes(*frame.last_chunk()?);
    (frame[..4] == MAGIC).then_some((time, frame[4] != 0))
}
