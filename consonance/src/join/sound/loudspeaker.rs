//! From what is heard to the loudspeaker's callback.
//!
//! The loop keeps so much ready as the device takes at a time, and a cushion for being late itself, which grows when something was missing. So sound is
//! made at the device's own pace, and a device whose clock is off by a little needs nothing else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rtrb::{Consumer, Producer, RingBuffer};
use voice_audio::{
    InputFormat,
    listen::{Channels, Listener, ListenerConfig, ListenerError, Presence, Pull},
};
use voice_core::ClientId;

/// Sound is made in steps of so many ms.
const STEP_MS: usize = 5;
/// How late the loop may be, at first and at most, and by how much more after it was later.
const CUSHION_MS: usize = 15;
const MOST_CUSHION_MS: usize = 100;
const MORE_MS: usize = 5;
/// More than a device takes at a time, and the cushion.
const RING_MS: usize = 500;

/// What both ends know.
#[derive(Default)]
struct Shared {
    /// Samples of a channel that weren't there when the device wanted them.
    missed: AtomicU64,
    /// The most samples of a channel that the device wanted at a time.
    largest: AtomicUsize,
}

/// The callback's end.
pub(in crate::join) struct Outlet {
    ring: Consumer<f32>,
    /// Of the ring: 1 or 2.
    channels: usize,
    device_channels: usize,
    /// Something was there once: devices want sound before anybody can have made some.
    begun: bool,
    shared: Arc<Shared>,
}

impl Outlet {
    /// Fills a block of the device, interleaved. What isn't ready is silence, and counted; channels beyond the second are silent.
    pub(in crate::join) fn give<T>(&mut self, block: &mut [T], sample: impl Fn(f32) -> T) {
        let wanted = block.len() / self.device_channels;
        let ready = wanted.min(self.ring.slots() / self.channels);
        for (number, frame) in block.chunks_mut(self.device_channels).enumerate() {
            for (channel, to) in frame.iter_mut().enumerate() {
                let is_ready = number < ready && channel < self.channels;
                *to = sample(if is_ready { self.ring.pop().unwrap_or(0.0) } else { 0.0 });
            }
        }
        self.shared.largest.fetch_max(wanted, Ordering::Relaxed);
        self.begun |= ready > 0;
        if self.begun && ready < wanted {
            self.shared.missed.fetch_add((wanted - ready) as u64, Ordering::Relaxed);
        }
    }
}

/// The loop's end.
pub(in crate::join) struct Loudspeaker {
    ring: Producer<f32>,
    listener: Listener,
    rate: usize,
    channels: usize,
    block: Vec<f32>,
    cushion_ms: usize,
    /// What was missing when the loop looked last.
    missed: u64,
    shared: Arc<Shared>,
}

impl Loudspeaker {
    /// A loudspeaker that plays this.
    pub(in crate::join) fn new(output: InputFormat) -> Result<(Self, Outlet), ListenerError> {
        let (channels, ears) = if output.channels == 1 { (1, Channels::Mono) } else { (2, Channels::Stereo) };
        let config = ListenerConfig { rate: output.rate, channels: ears, ..ListenerConfig::default() };
        let rate = output.rate as usize;
        let (producer, consumer) = RingBuffer::new(rate * RING_MS / 1_000 * channels);
        let shared = Arc::new(Shared::default());
        let outlet = Outlet {
            ring: consumer,
            channels,
            device_channels: usize::from(output.channels).max(1),
            begun: false,
            shared: shared.clone(),
        };
        let loudspeaker = Self {
            ring: producer,
            listener: Listener::new(config)?,
            rate,
            channels,
            block: vec![0.0; rate * STEP_MS / 1_000 * channels],
            cushion_ms: CUSHION_MS,
            missed: 0,
            shared,
        };
        Ok((loudspeaker, outlet))
    }

    /// What is put into the ring.
    pub(in crate::join) fn format(&self) -> InputFormat {
        InputFormat { rate: self.rate as u32, channels: self.channels as u16 }
    }

    /// Makes as much sound of these speakers as has to be ready. `pull` gives their frames, for a block before which so much is to be heard as it is
    /// told; `played` gets what will be played.
    pub(in crate::join) fn fill(
        &mut self,
        speakers: &[ClientId],
        mut pull: impl FnMut(Duration, Pull<'_>),
        mut played: impl FnMut(&[f32]),
    ) {
        self.grow_cushion();
        let largest = self.shared.largest.load(Ordering::Relaxed);
        let wanted = largest + self.rate * self.cushion_ms / 1_000;
        while self.queued() < wanted && self.ring.slots() >= self.block.len() {
            for speaker in speakers {
                // Who finds no voice is counted by the listener.
                let _ = self.listener.attend(*speaker, Presence::default());
            }
            let ahead = Duration::from_micros(self.queued() as u64 * 1_000_000 / self.rate as u64);
            self.listener.render(&mut self.block, |wants| pull(ahead, wants));
            played(&self.block);
            // There was room, and nobody else puts anything in.
            let _ = self.ring.push_entire_slice(&self.block);
        }
    }

    /// Samples of a channel that were missing when the device wanted them.
    pub(in crate::join) fn missed(&self) -> u64 {
        self.shared.missed.load(Ordering::Relaxed)
    }

    /// Samples of a channel that are ready.
    fn queued(&self) -> usize {
        (self.ring.buffer().capacity() - self.ring.slots()) / self.channels
    }

    fn grow_cushion(&mut self) {
        let missed = self.missed();
        if missed > self.missed {
            self.cushion_ms = (self.cushion_ms + MORE_MS).min(MOST_CUSHION_MS);
        }
        self.missed = missed;
    }
}

#[cfg(test)]
mod tests {
    use voice_audio::{EncoderConfig, OpusEncoder};
    use voice_core::{Frame, Pace, Sound};

    use super::*;

    /// Somebody who hums without end.
    struct Hum {
        encoder: OpusEncoder,
        packet: [u8; 240],
        said: usize,
    }

    impl Hum {
        fn new() -> Self {
            Self { encoder: OpusEncoder::new(EncoderConfig::default()).unwrap(), packet: [0; 240], said: 0 }
        }

        fn give(&mut self, pull: Pull<'_>) {
            let sample = |n: usize| (8_000.0 * (n as f32 * std::f32::consts::TAU * 300.0 / 48_000.0).sin()) as i16;
            let pcm: Vec<i16> = (self.said..self.said + 960).map(sample).collect();
            self.said += 960;
            let len = self.encoder.encode(&pcm, &mut self.packet).unwrap();
            let sound = Sound::Play(&self.packet[..len]);
            let pace = Pace::Steady;
            pull.give(Frame { sound, length_us: 20_000, pace, volume_percent: 100, positional: false, audible: true });
        }
    }

    /// A device that takes blocks of changing sizes for some seconds, with a loop that sleeps between its turns.
    struct Device {
        loudspeaker: Loudspeaker,
        outlet: Outlet,
        hum: Hum,
        channels: usize,
        heard: Vec<f32>,
        /// What the loop makes between two blocks.
        played: usize,
    }

    impl Device {
        fn new(rate: u32, channels: u16) -> Self {
            let (loudspeaker, outlet) = Loudspeaker::new(InputFormat { rate, channels }).unwrap();
            Self { loudspeaker, outlet, hum: Hum::new(), channels: channels.into(), heard: Vec::new(), played: 0 }
        }

        fn turn(&mut self, now_us: u64) {
            let somebody = [ClientId::new(1).unwrap()];
            let Self { loudspeaker, hum, played, .. } = self;
            let (now, mut last) = (Duration::from_micros(now_us), Duration::ZERO);
            loudspeaker.fill(
                &somebody,
                |ahead, pull| {
                    let at = now + ahead;
                    assert!(at >= last, "time goes on from block to block");
                    last = at;
                    hum.give(pull);
                },
                |block| *played += block.len(),
            );
        }

        fn take(&mut self, samples: usize) {
            let mut block = vec![9.0; samples * self.channels];
            self.outlet.give(&mut block, |sample| sample);
            self.heard.extend(block.iter().step_by(self.channels));
            for frame in block.chunks(self.channels).filter(|_| self.channels > 2) {
                assert!(frame[2..].iter().all(|sample| *sample == 0.0), "nobody is behind");
            }
        }
    }

    fn loudness(pcm: &[f32]) -> f32 {
        (pcm.iter().map(|sample| sample * sample).sum::<f32>() / pcm.len() as f32).sqrt()
    }

    #[test]
    fn a_device_of_any_rate_and_block_hears_all_without_a_gap() {
        for (rate, channels, block) in
            [(48_000, 2, 480), (44_100, 1, 441), (48_000, 6, 1_024), (16_000, 2, 37), (96_000, 2, 4_000)]
        {
            let mut device = Device::new(rate, channels);
            let (mut taken, mut next_turn) = (0, 0);
            // Once, so that it is known how much is taken at a time.
            device.take(block);
            let missed = device.loudspeaker.missed();
            while taken < rate as usize * 2 {
                while next_turn * rate as usize / 1_000 <= taken {
                    device.turn(next_turn as u64 * 1_000);
                    next_turn += 5 + next_turn % 4;
                }
                let size = block - (taken % 7).min(block / 2);
                device.take(size);
                taken += size;
            }
            assert_eq!(device.loudspeaker.missed(), missed, "{rate} Hz, blocks of {block}");
            let late = &device.heard[rate as usize / 2..];
            for part in late.chunks_exact(rate as usize / 50) {
                assert!(loudness(part) > 0.05, "a gap at {rate} Hz, blocks of {block}");
            }
        }
    }

    #[test]
    fn a_loop_that_was_late_is_counted_and_has_more_ready_from_then_on() {
        let mut device = Device::new(48_000, 2);
        for ms in 0..20 {
            device.turn(ms * 10_000);
            device.take(480);
        }
        let before = device.loudspeaker.missed();
        // The loop sleeps for 60 ms.
        (0..6).for_each(|_| device.take(480));
        let missed = device.loudspeaker.missed() - before;
        assert!((1_500..=2_160).contains(&missed), "{missed}");
        device.turn(300_000);
        assert_eq!(device.loudspeaker.cushion_ms, CUSHION_MS + MORE_MS);
        let queued = device.loudspeaker.queued();
        assert!(queued >= 480 + 48 * (CUSHION_MS + MORE_MS), "{queued}");
        for _ in 0..100 {
            (0..50).for_each(|_| device.take(480));
            device.turn(300_000);
        }
        assert_eq!(device.loudspeaker.cushion_ms, MOST_CUSHION_MS);
        assert_eq!(device.played % 480, 0);
    }

    #[test]
    fn a_format_that_no_loudspeaker_has_is_refused() {
        assert!(Loudspeaker::new(InputFormat { rate: 1_000, channels: 2 }).is_err());
    }
}
