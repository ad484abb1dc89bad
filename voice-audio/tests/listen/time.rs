//! With the core's playout in virtual time: how much is queued is told right, and a loop that hangs or hurries does no harm.

use voice_audio::listen::{Listener, ListenerConfig, Presence};
use voice_core::{
    ClientId, Frame, FrameLength, Instant, Pace, Sound,
    playout::{Incoming, Playout, PlayoutConfig, playout_bytes},
};

use crate::{
    common::correlation,
    harness::{DELAY, MONO, id, largest, loudness, speech},
};

/// Frames that may wait, as in a client.
const FRAMES: usize = 32;
const FRAME_US: u64 = 20_000;

/// A speaker on a perfect network, its playout, and a listener.
struct Line {
    playout: Playout,
    config: PlayoutConfig,
    memory: Vec<u8>,
    sent: usize,
    listener: Listener,
}

impl Line {
    fn new(config: ListenerConfig) -> Self {
        let playout = PlayoutConfig::DEFAULT;
        let memory = vec![0; playout_bytes(playout.frame_bytes.into(), FRAMES)];
        Self { playout: Playout::NEW, config: playout, memory, sent: 0, listener: Listener::new(config).unwrap() }
    }

    /// Whatever was sent until `now` comes in; the speaker talks all the time, over and over.
    fn receive(&mut self, now: u64) {
        while self.sent as u64 * FRAME_US <= now {
            let (at, number) = (self.sent as u64 * FRAME_US, self.sent);
            let packets = &speech(0).packets;
            let incoming = Incoming {
                sequence: number as u16,
                media_time: number as u8,
                frame_length: FrameLength::Ms20,
                mark: number == 0,
                end: false,
                payload: &packets[number % packets.len()],
            };
            self.playout.insert(Instant::from_us(at), &self.config, &mut self.memory, &incoming);
            self.sent += 1;
        }
    }

    fn hear(&mut self, now: u64, block: &mut [i16]) {
        let (playout, config, memory) = (&mut self.playout, &self.config, &self.memory[..]);
        self.listener.attend(speaker(), Presence::default()).unwrap();
        self.listener.render(block, |pull| {
            let pulled = playout.next_frame(Instant::from_us(now), pull.queued(), config, memory);
            let (sound, length_us, pace) = (pulled.sound, pulled.length_us, pulled.pace);
            pull.give(Frame { sound, length_us, pace, volume_percent: 100, positional: false, audible: true });
        });
    }
}

fn speaker() -> ClientId {
    id(1)
}

#[test]
fn blocks_of_any_size_and_rate_hear_every_frame() {
    for (rate, block) in [(48_000, 480), (48_000, 1_024), (44_100, 441), (44_100, 1_000), (16_000, 37)] {
        let mut line = Line::new(ListenerConfig { rate, ..MONO });
        let (mut samples, mut out) = (0_u64, vec![0; block]);
        while samples < u64::from(rate) * 2 {
            let now = samples * 1_000_000 / u64::from(rate);
            line.receive(now);
            line.hear(now, &mut out);
            samples += block as u64;
        }
        let stats = line.playout.stats();
        // A block longer than the playout's shortest delay reaches for a frame that hasn't come, once: then the delay is as long as needed.
        let concealed_ms = if block * 50 > rate as usize { 20 } else { 0 };
        assert!(stats.concealed_ms <= concealed_ms, "{rate} {block}: {stats:?}");
        assert!(stats.late == 0 && stats.skipped == 0, "{rate} {block}: {stats:?}");
        assert!(stats.played >= 97, "{rate} {block}: {stats:?}");
    }
}

#[test]
fn speech_comes_out_whole_after_the_playout_delay() {
    let mut line = Line::new(MONO);
    let mut heard = vec![0; 96_000];
    for (tick, block) in heard.chunks_mut(480).enumerate() {
        line.receive(tick as u64 * 10_000);
        line.hear(tick as u64 * 10_000, block);
    }
    let delay = line.playout.stats().delay_us as usize * 48 / 1_000 + DELAY;
    let likeness = correlation(&heard[delay..], &speech(0).whole[..96_000 - delay]);
    assert!(likeness > 0.99, "{likeness} at {delay}");
}

#[test]
fn blocks_of_one_second_are_full_of_speech() {
    let mut line = Line::new(MONO);
    let mut block = vec![0; 48_000];
    for second in 0..5 {
        line.receive(second * 1_000_000);
        line.hear(second * 1_000_000, &mut block);
    }
    // What has come by then is 32 frames at most, and concealment after it.
    assert!(loudness(&block) > 100.0);
    assert!(largest(&block) < 32_767);
}

#[test]
fn a_caller_who_pulls_a_hundred_times_too_fast_hears_speech_and_then_silence() {
    let mut line = Line::new(MONO);
    line.receive(100_000);
    let (mut block, mut heard) = ([0; 480], Vec::new());
    for _ in 0..2_000 {
        line.hear(100_000, &mut block);
        heard.extend(block);
    }
    assert!(loudness(&heard[..9_600]) > 100.0);
    assert_eq!(largest(&heard[48_000..]), 0);
}

#[test]
fn after_a_minute_without_a_pull_the_newest_speech_is_heard() {
    let mut line = Line::new(MONO);
    let mut block = [0; 480];
    let mut tick = |line: &mut Line, tick: u64| {
        line.receive(tick * 10_000);
        line.hear(tick * 10_000, &mut block);
        loudness(&block)
    };
    assert!((0..100).map(|now| tick(&mut line, now)).sum::<f64>() > 0.0);
    let minute = 6_100;
    line.receive(minute * 10_000);
    let heard: Vec<f64> = (minute..minute + 100).map(|now| tick(&mut line, now)).collect();
    assert!(heard[10..].iter().sum::<f64>() / 90.0 > 100.0);
    let stats = line.playout.stats();
    assert!(stats.delay_us < 100_000, "{stats:?}");
}

#[test]
fn what_is_queued_counts_what_the_block_holds_already() {
    for rate in [48_000, 44_100, 8_000] {
        let mut listener = Listener::new(ListenerConfig { rate, ..MONO }).unwrap();
        let mut block = vec![0_i16; rate as usize];
        let mut queued = Vec::new();
        listener.attend(speaker(), Presence::default()).unwrap();
        listener.render(&mut block, |pull| {
            queued.push(pull.queued().as_micros() as u64);
            let sound = Sound::Play(&speech(0).packets[queued.len()]);
            let (length_us, pace) = (20_000, Pace::Steady);
            pull.give(Frame { sound, length_us, pace, volume_percent: 100, positional: false, audible: true });
        });
        assert!((50..=51).contains(&queued.len()));
        for (number, queued) in queued.into_iter().enumerate() {
            // The filter is filled first, and a step is not cut.
            assert!(queued.abs_diff(number as u64 * 20_000) <= 6_000, "{rate} Hz: frame {number} at {queued} µs");
        }
    }
}
