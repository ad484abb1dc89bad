//! One client of a load: a core and a line to the server; frames that tell when they were spoken.

use std::{net::SocketAddr, time::Duration};

use voice_core::{
    ChannelOptions, ChannelSlot, Client, ClientConfig, ClientEvent, ClientStorage, Instant, PersonSlot, Priority,
    RoomHandle, RoomSlot, RoomUse, State, TalkTo,
};

use super::{
    asker::Asker,
    figures::{Came, Delays, Heard},
    line::Line,
};
use crate::{clock::Now, net_client::Core};

/// Bytes of a frame: as Opus makes them at 32 kbit/s.
const FRAME: usize = 80;
const FRAME_US: u64 = 20_000;
const MAGIC: [u8; 4] = *b"LOAD";
/// Flags of a frame.
const COUNTS: u8 = 1;
const IMPORTANT: u8 = 2;
/// While the talk is warmed up there are pauses, in which frames are moved as the server hints: after so many frames, for so many.
const TALKS: u64 = 35;
const PAUSES: u64 = 10;

/// Who it is, and when in 20 ms its frames begin, µs.
pub(super) struct Role {
    pub(super) number: usize,
    pub(super) room: usize,
    pub(super) speaks: bool,
    /// Its voice has high priority.
    pub(super) is_important: bool,
    pub(super) asks: bool,
    pub(super) phase: u64,
    /// Each frame is sent up to so much later, µs, as a network would have it.
    pub(super) jitter: u64,
    pub(super) follows_hints: bool,
}

pub(super) struct LoadClient {
    line: Line,
    role: Role,
    room: RoomHandle,
    asker: Option<Asker>,
    granted: bool,
    /// When the next frame begins, and when it is sent.
    next_frame: Option<(Instant, Instant)>,
    frames: u64,
    spoken: u64,
    talks: bool,
    warms_up: bool,
    counts: bool,
    random: u64,
}

impl LoadClient {
    /// A client whose core is given its line by `open`.
    pub(super) fn new(now: Now, role: Role, password: Option<&str>, open: impl FnOnce(Core) -> Line) -> Self {
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
            outbox: if role.asks { vec![0; 256] } else { Vec::new() },
            voice: vec![0; 1_300],
            retained: Vec::new(),
            credential: vec![0; 512],
        };
        let mut core = Client::new(config, crate::serve::seed(), memory);
        let _ = core.set_credential(password.unwrap_or_default().as_bytes());
        let room = core.use_room(now.core, &format!("load-{}", role.room), RoomUse::Both).expect("a free room");
        let priority = if role.is_important { Priority::High } else { Priority::Default };
        let options = ChannelOptions { priority, ..ChannelOptions::DEFAULT };
        core.open_channel(now.core, TalkTo::Room(room), options).expect("a free channel");
        core.connect(now.core);
        let line = open(core);
        let random = (role.number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        Self {
            line,
            asker: role.asks.then(Asker::default),
            role,
            room,
            granted: false,
            next_frame: None,
            frames: 0,
            spoken: 0,
            talks: false,
            warms_up: true,
            counts: false,
            random,
        }
    }

    /// In the session, and in its room.
    pub(super) fn is_in(&self) -> bool {
        self.granted && self.line.core().state() == State::Connected
    }

    pub(super) const fn room(&self) -> usize {
        self.role.room
    }

    pub(super) const fn is_important(&self) -> bool {
        self.role.is_important
    }

    /// How long the answers took that came since the last call.
    pub(super) fn take_answers(&mut self, now: Now) -> Option<Delays> {
        self.asker.as_mut().map(|asker| asker.take(now.core))
    }

    /// Frames spoken since they count.
    pub(super) const fn spoken(&self) -> u64 {
        self.spoken
    }

    pub(super) const fn came(&self) -> Came {
        self.line.came()
    }

    /// Why the server doesn't let it in, if it says so.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.line.refusal()
    }

    /// Everybody is in, and those speak who do.
    pub(super) const fn begin_to_talk(&mut self) {
        self.talks = self.role.speaks;
    }

    /// From now on there are no pauses.
    pub(super) const fn end_warm_up(&mut self) {
        self.warms_up = false;
    }

    pub(super) const fn begin_count(&mut self) {
        (self.spoken, self.counts) = (0, true);
    }

    pub(super) const fn stop_talking(&mut self) {
        self.talks = false;
    }

    pub(super) fn leave(&mut self, now: Now) {
        self.line.core_mut().disconnect(now.core);
    }

    /// In: a datagram. A frame in it is noted.
    pub(super) fn handle_datagram(
        &mut self,
        now: Now,
        from: SocketAddr,
        datagram: &mut [u8],
        heard: Option<&mut Heard>,
    ) {
        let mut heard = heard;
        self.line.handle_datagram(now, from, datagram, |packet| {
            if let (Some(heard), Some(stamp)) = (heard.as_deref_mut(), Stamp::of(packet))
                && stamp.counts
            {
                heard.note(stamp.spoken_at, now.core.as_us(), stamp.is_important);
            }
        });
    }

    /// Says and does what is due.
    pub(super) fn turn(&mut self, now: Now) {
        if self.talks && self.is_in() {
            self.speak(now);
        }
        if let Some(asker) = &mut self.asker {
            asker.turn(now.core, self.line.core_mut(), self.room);
        }
        self.line.turn(now);
        while let Some(event) = self.line.core_mut().poll_event() {
            self.granted |= event == ClientEvent::RoomGranted(self.room);
            if let Some(asker) = &mut self.asker {
                asker.event(now.core, event);
            }
        }
    }

    pub(super) fn poll_datagram(&mut self, now: Now, out: &mut Vec<u8>) -> Option<SocketAddr> {
        self.line.poll_datagram(now, out)
    }

    /// How long nothing will be due, at most so long.
    pub(super) fn until(&self, now: Now, most: Duration) -> Duration {
        let frame = self.next_frame.filter(|_| self.talks).map_or(most, |(_, at)| at.since(now.core));
        let asks = self.asker.as_ref().map_or(most, |asker| asker.until(now.core, most));
        self.line.until(now, most).min(frame).min(asks)
    }

    fn speak(&mut self, now: Now) {
        let first = || Instant::from_us((now.core.as_us() / FRAME_US + 1) * FRAME_US + self.role.phase);
        let (begins, due) = self.next_frame.unwrap_or_else(|| (first(), first()));
        self.next_frame = Some((begins, due));
        if due > now.core {
            return;
        }
        self.frames += 1;
        let is_pause = self.warms_up && self.frames % (TALKS + PAUSES) >= TALKS;
        let mut next = begins.after(Duration::from_micros(FRAME_US));
        if is_pause {
            self.line.core_mut().end_talkspurt(now.core);
            let later = self.line.core_mut().take_frame_shift();
            if self.role.follows_hints {
                next = next.after(later);
            }
        } else {
            self.say(now);
        }
        self.next_frame = Some((next, next.after(Duration::from_micros(self.random_below(self.role.jitter)))));
    }

    fn say(&mut self, now: Now) {
        let mut frame = [0x55; FRAME];
        frame[..4].copy_from_slice(&MAGIC);
        frame[4] = if self.counts { COUNTS } else { 0 } | if self.role.is_important { IMPORTANT } else { 0 };
        frame[FRAME - 8..].copy_from_slice(&now.core.as_us().to_be_bytes());
        if self.line.core_mut().send_frame(now.core, &frame).is_ok() {
            self.spoken += 1;
        }
    }

    /// xorshift64: good enough for jitter.
    const fn random_below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        if bound == 0 { 0 } else { self.random % bound }
    }
}

/// What a frame of a load says of itself.
struct Stamp {
    spoken_at: u64,
    counts: bool,
    is_important: bool,
}

impl Stamp {
    fn of(packet: &[u8]) -> Option<Self> {
        let frame = packet.len().checked_sub(FRAME).and_then(|at| packet.get(at..)).filter(|_| packet[0] >= 0x80)?;
        let spoken_at = u64::from_be_bytes(*frame.last_chunk()?);
        let (counts, is_important) = (frame[4] & COUNTS != 0, frame[4] & IMPORTANT != 0);
        (frame[..4] == MAGIC).then_some(Self { spoken_at, counts, is_important })
    }
}
