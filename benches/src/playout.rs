use std::time::Duration;

use voice_core::{
    FrameLength, Instant,
    playout::{Incoming, Pace, Playout, PlayoutConfig, Sound, playout_bytes},
};

use crate::case::Task;

/// Frames of one run.
pub(crate) const FRAMES: u32 = 50;
/// Frames after which the network does the same again.
const CYCLE: u16 = 1_000;
const FRAME_US: u64 = 20_000;
const CYCLE_US: u64 = CYCLE as u64 * FRAME_US;
/// Frames that a speaker has room for, as in a `Client` on the heap.
const SLOTS: usize = 16;
const CONFIG: PlayoutConfig = PlayoutConfig::DEFAULT;
/// What a listener makes a frame longer or shorter by at most, µs.
const MOST_CHANGED_US: u32 = 15_000;

/// The network between one speaker and the listener.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Network {
    /// Every packet takes as long.
    Steady,
    /// Up to 40 ms more, each its own: one in four is overtaken.
    Jittery,
    /// As long, but one packet in twenty never comes.
    Lossy,
}

/// A packet's arrival within a cycle, and its number against the cycle's first.
#[derive(Clone, Copy)]
struct Arrival {
    at_us: u64,
    number: i32,
}

/// One speaker, heard by who pulls whenever less than a frame is queued.
pub(crate) struct Speech {
    playout: Playout,
    memory: Vec<u8>,
    arrivals: Vec<Arrival>,
    /// The next of them.
    next: usize,
    cycle: u32,
    tick: u64,
    ends_us: u64,
    heard: u32,
}

impl Speech {
    /// Two cycles have been heard, so that the delay is where it stays.
    pub(crate) fn over(network: Network) -> Self {
        let mut speech = Self {
            playout: Playout::NEW,
            memory: vec![0; playout_bytes(CONFIG.frame_bytes.into(), SLOTS)],
            arrivals: arrivals(network),
            next: 0,
            cycle: 0,
            tick: 0,
            ends_us: 0,
            heard: 0,
        };
        (0..2 * CYCLE).for_each(|_| speech.tick());
        assert!(speech.heard > u32::from(CYCLE) * 18 / 10, "most of it is heard");
        speech
    }

    /// Time for one frame: what has come, and what is to be heard.
    fn tick(&mut self) {
        let now_us = self.tick * FRAME_US;
        self.tick += 1;
        while let Some(arrival) = self.due(now_us) {
            self.insert(arrival);
        }
        self.ends_us = self.ends_us.max(now_us);
        while self.ends_us < now_us + FRAME_US {
            self.pull(now_us);
        }
    }

    fn due(&mut self, now_us: u64) -> Option<Arrival> {
        let Arrival { at_us, number } = self.arrivals[self.next];
        let at_us = u64::from(self.cycle) * CYCLE_US + at_us;
        if at_us > now_us {
            return None;
        }
        let number = number + i32::from(CYCLE) * self.cycle.cast_signed();
        self.next += 1;
        if self.next == self.arrivals.len() {
            (self.next, self.cycle) = (0, self.cycle + 1);
        }
        Some(Arrival { at_us, number })
    }

    fn insert(&mut self, Arrival { at_us, number }: Arrival) {
        let [low, high, ..] = number.to_le_bytes();
        let packet = Incoming {
            sequence: u16::from_le_bytes([low, high]),
            media_time: low,
            frame_length: FrameLength::Ms20,
            mark: false,
            end: false,
            payload: &[0x5A; 60],
        };
        self.playout.insert(Instant::from_us(at_us), &CONFIG, &mut self.memory, &packet);
    }

    fn pull(&mut self, now_us: u64) {
        let queued = Duration::from_micros(self.ends_us - now_us);
        let pulled = self.playout.next_frame(Instant::from_us(now_us), queued, &CONFIG, &self.memory);
        self.heard += u32::from(matches!(pulled.sound, Sound::Play(_)));
        self.ends_us += u64::from(pulled.length_us);
        match pulled.pace {
            Pace::Steady => {}
            Pace::Stretch(us) => self.ends_us += u64::from(us.min(MOST_CHANGED_US)),
            Pace::Shorten(us) => self.ends_us -= u64::from(us.min(MOST_CHANGED_US)),
        }
    }
}

impl Task for Speech {
    fn run(&mut self) {
        (0..FRAMES).for_each(|_| self.tick());
    }
}

/// One cycle in the order of arrival: what comes after its end is of the cycle before.
fn arrivals(network: Network) -> Vec<Arrival> {
    let mut arrivals: Vec<_> = (0..CYCLE).filter_map(|number| arrival(network, number)).collect();
    arrivals.sort_by_key(|arrival| arrival.at_us);
    arrivals
}

fn arrival(network: Network, number: u16) -> Option<Arrival> {
    // Any fixed and uneven order will do.
    let chance = u32::from(number).wrapping_add(1).wrapping_mul(0x9E37_79B1) >> 12;
    if network == Network::Lossy && chance % 20 == 0 {
        return None;
    }
    let late_us = if network == Network::Jittery { u64::from(chance % 40_000) } else { 0 };
    let at_us = u64::from(number) * FRAME_US + late_us;
    let number = i32::from(number) - if at_us < CYCLE_US { 0 } else { i32::from(CYCLE) };
    Some(Arrival { at_us: at_us % CYCLE_US, number })
}
