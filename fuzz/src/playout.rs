use std::time::Duration;

use voice_core::{
    FrameLength, Instant,
    playout::{Incoming, Playout, PlayoutConfig},
};

use crate::{
    ear::{Answer, Ear, Heard, Packet},
    input::Input,
};

const LENGTHS: [FrameLength; 4] = [FrameLength::Ms10, FrameLength::Ms20, FrameLength::Ms40, FrameLength::Ms60];
/// What a speaker sends steadily is heard without a hole at the latest after this, ms.
const RECOVERED_AFTER_MS: u64 = 30_000;
/// All that waits has been heard or left out after this many pulls, 100 ms apart: 64 frames with 7.7 s of silence before each.
const HEARD_OUT_AFTER: usize = 6_000;

/// Calls a playout in any order with any packets, at any time: an [`Ear`] judges what sounds, all that waits is heard or left out after a while, and
/// a speaker who then speaks steadily is heard without a hole.
pub fn playout(data: &[u8]) {
    let mut input = Input::new(data);
    if input.byte() == 255 {
        return changes_of_memory(&mut input);
    }
    let config = config(&mut input);
    let slots = input.below(70);
    // Past the end of the bytes everything is 0: what is to be done then has to be drawn before.
    let (hear_out, length, silence) = (input.flag(), LENGTHS[input.below(4)], input.byte());
    let mut stage = Stage { ear: Ear::new(config, slots), length: FrameLength::Ms20, media: 0, free: Instant::ORIGIN };
    input.steps(|input| stage.step(input));
    if hear_out {
        stage.hear_out();
    }
    if slots > 0 && config.frame_bytes >= 2 {
        stage.recover(length, silence);
    }
}

struct Stage {
    ear: Ear,
    length: FrameLength,
    media: u8,
    /// When the sound that was pulled is over.
    free: Instant,
}

impl Stage {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(16) {
            0..=2 => self.follow(input.below(8), input),
            3 => self.insert_any(input),
            4 => self.ear.wait(Duration::from_millis(input.byte().into())),
            5 => self.wait_long(input),
            6 => self.go_back(input.byte()),
            7 => _ = self.ear.pull(Duration::from_millis(input.byte().into())),
            8 => _ = self.ear.pull(Duration::from_micros(input.u64() >> input.below(64))),
            9 => self.ear.timeout(),
            10 => self.ear.silence(),
            11 => self.change_config(input),
            12 => self.burst(input),
            13 => self.pass(u64::from(input.byte()) * 1_000, Duration::from_micros(1)),
            _ => self.speak(input),
        }
    }

    /// The packet that a speaker sends next, or one that was overtaken, with the media time that follows from its number.
    fn follow(&mut self, skipped: usize, input: &mut Input<'_>) {
        let flags = input.byte();
        let back = if flags & 1 != 0 { u16::from(flags >> 4) } else { 0 };
        let skipped = if flags & 2 != 0 { u16::try_from(skipped).unwrap_or(0) } else { 0 };
        let silence = if flags & 4 != 0 { input.byte() } else { 0 };
        let sequence = self.ear.next_number().wrapping_add(skipped).wrapping_sub(back);
        let [low, _] = skipped.wrapping_sub(back).to_le_bytes();
        let media = self.media.wrapping_add(low).wrapping_add(silence);
        let end = flags & 0xF0 == 0xF0;
        let bytes = if flags & 8 != 0 { input.byte().into() } else { 2 };
        let packet = Packet { sequence, media, length: self.length, mark: flags & 0xF0 == 0xE0, end, bytes };
        self.insert(packet);
    }

    fn insert_any(&mut self, input: &mut Input<'_>) {
        let (sequence, media, flags) = (input.u16(), input.byte(), input.byte());
        self.length = LENGTHS[usize::from(flags >> 6)];
        let packet = Packet {
            sequence,
            media,
            length: self.length,
            mark: flags & 1 != 0,
            end: flags & 2 != 0,
            bytes: usize::from(input.byte()),
        };
        self.insert(packet);
    }

    fn insert(&mut self, packet: Packet) {
        if self.ear.insert(packet).newest {
            self.media = packet.media.wrapping_add(1);
        }
    }

    fn wait_long(&mut self, input: &mut Input<'_>) {
        let ms = u64::from(input.u16()) << input.below(12);
        self.ear.wait(Duration::from_millis(ms));
    }

    fn go_back(&mut self, ms: u8) {
        self.ear.now = self.ear.now.before(Duration::from_millis((ms % 100).into()));
    }

    fn change_config(&mut self, input: &mut Input<'_>) {
        self.ear.config = PlayoutConfig { frame_bytes: self.ear.config.frame_bytes, ..config(input) };
    }

    /// Everything of a stall at once; or of somebody who jumps in media time with every packet.
    fn burst(&mut self, input: &mut Input<'_>) {
        let (count, jump) = (input.byte(), input.byte());
        let jump = if jump & 1 == 0 { 0 } else { jump >> 1 };
        for _ in 0..count {
            let (sequence, media) = (self.ear.next_number(), self.media.wrapping_add(jump));
            self.insert(Packet { sequence, media, length: self.length, mark: false, end: false, bytes: 2 });
        }
    }

    /// A while of speech, pulled as sound is needed; every packet is late by something, and some are lost.
    fn speak(&mut self, input: &mut Input<'_>) {
        let (count, jitter, loss) = (input.byte() / 8, input.byte(), input.byte());
        for n in 0..count {
            let sequence = self.ear.next_number().wrapping_add(u16::from(n % 16 < loss / 16));
            self.insert(Packet { sequence, media: self.media, length: self.length, mark: false, end: false, bytes: 2 });
            let late = u64::from(n.wrapping_mul(37) % jitter.max(1));
            self.pass(self.length.us() + late * 1_000, Duration::from_micros(10_000));
            self.go_back(u8::try_from(late.min(99)).unwrap_or(0));
        }
    }

    /// Time passes, and pulls come when they must.
    fn pass(&mut self, us: u64, block: Duration) {
        let end = self.ear.now.after(Duration::from_micros(us));
        while self.ear.now < end {
            self.pull_until(block);
            self.ear.now = end.min(self.ear.now.after(Duration::from_millis(10)));
        }
    }

    /// Pulls until so much is queued, which is more than nothing. The answers.
    fn pull_until(&mut self, block: Duration) -> Vec<Answer> {
        let now = self.ear.now;
        self.free = self.free.max(now);
        let mut answers = Vec::new();
        while self.free < now.after(block) {
            let answer = self.ear.pull(self.free.since(now));
            self.free = self.free.after(Duration::from_micros(answer.length_us.into()));
            answers.push(answer);
        }
        answers
    }

    fn hear_out(&mut self) {
        for _ in 0..HEARD_OUT_AFTER {
            self.ear.timeout();
            self.ear.pull(Duration::ZERO);
            if !self.ear.playout.is_active() {
                return;
            }
            self.ear.wait(Duration::from_millis(100));
        }
        panic!("something is never heard out");
    }

    /// Speaks steadily until a second went by in which all was heard.
    fn recover(&mut self, length: FrameLength, silence: u8) {
        self.length = length;
        self.media = self.media.wrapping_add(silence);
        let (mut whole_us, mut mark) = (0, true);
        for _ in 0..RECOVERED_AFTER_MS * 1_000 / length.us() {
            let sequence = self.ear.next_number();
            self.insert(Packet { sequence, media: self.media, length, mark, end: false, bytes: 2 });
            mark = false;
            for _ in 0..length.us() / 10_000 {
                for answer in self.pull_until(Duration::from_millis(10)) {
                    let whole = matches!(answer.heard, Heard::Played(_));
                    whole_us = if whole { whole_us + u64::from(answer.length_us) } else { 0 };
                }
                self.ear.wait(Duration::from_millis(10));
            }
            if whole_us >= 1_000_000 {
                return;
            }
        }
        panic!("a steady speaker isn't heard: {:?}", self.ear.playout.stats());
    }
}

fn config(input: &mut Input<'_>) -> PlayoutConfig {
    if input.flag() {
        return PlayoutConfig::DEFAULT;
    }
    let mut delay = || Duration::from_micros(input.u64() >> (input.byte() % 64));
    let (min_delay, max_delay) = (delay(), delay());
    PlayoutConfig {
        min_delay,
        max_delay,
        concealment_worth_ms: input.u16(),
        redundancy: input.byte(),
        frame_bytes: input.byte().into(),
    }
}

/// An embedder who hands over another memory each time: nonsense may sound, but in pieces that can be played.
fn changes_of_memory(input: &mut Input<'_>) {
    let mut playout = Playout::NEW;
    let mut memory = vec![0xA5; 4_096];
    let mut now = Instant::ORIGIN;
    let calls = |input: &mut Input<'_>| {
        let config = PlayoutConfig { frame_bytes: input.u16() >> input.below(16), ..PlayoutConfig::DEFAULT };
        let memory = &mut memory[..usize::from(input.u16() % 4_096)];
        now = now.after(Duration::from_millis(input.byte().into()));
        if input.flag() {
            let (mark, end) = (input.flag(), input.flag());
            let (sequence, media_time, frame_length) = (input.u16(), input.byte(), LENGTHS[input.below(4)]);
            let payload = input.packet();
            playout.insert(now, &config, memory, &Incoming { sequence, media_time, frame_length, mark, end, payload });
        } else {
            let pulled = playout.next_frame(now, Duration::ZERO, &config, memory);
            assert!((1_000..=60_000).contains(&pulled.length_us), "{pulled:?}");
        }
    };
    input.steps(calls);
}
