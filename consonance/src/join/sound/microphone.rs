//! From the microphone's callback to frames for the encoder.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rtrb::{Consumer, Producer, RingBuffer};
use voice_audio::{Activation, Capture, CaptureConfig, CaptureError, InputFormat};

/// Samples that may wait for the loop, as a part of a second: a quarter.
const PART: usize = 4;

/// The callback's end.
pub(in crate::join) struct Intake {
    ring: Producer<f32>,
    channels: usize,
    lost: Arc<AtomicU64>,
}

impl Intake {
    /// Takes a block of the device, interleaved. What finds no room, since the loop is late, is lost and counted, samples of all channels together.
    pub(in crate::join) fn take(&mut self, block: impl ExactSizeIterator<Item = f32>) {
        let (came, free) = (block.len(), self.ring.slots());
        let room = came.min(free - free % self.channels);
        if let Ok(chunk) = self.ring.write_chunk_uninit(room) {
            chunk.fill_from_iter(block);
        }
        if came > room {
            self.lost.fetch_add(((came - room) / self.channels) as u64, Ordering::Relaxed);
        }
    }
}

/// The loop's end.
pub(in crate::join) struct Microphone {
    ring: Consumer<f32>,
    capture: Capture,
    lost: Arc<AtomicU64>,
}

impl Microphone {
    /// A microphone that gives this, beside a loudspeaker that plays that if its echo is to be taken out.
    pub(in crate::join) fn new(
        input: InputFormat,
        render: Option<InputFormat>,
        activation: Activation,
    ) -> Result<(Self, Intake), CaptureError> {
        let capture = Capture::new(CaptureConfig { input, render, activation, ..CaptureConfig::default() })?;
        let channels = usize::from(input.channels);
        let (producer, consumer) = RingBuffer::new(input.rate as usize / PART * channels);
        let lost = Arc::new(AtomicU64::new(0));
        let intake = Intake { ring: producer, channels, lost: lost.clone() };
        Ok((Self { ring: consumer, capture, lost }, intake))
    }

    /// In a pause, moves the frames that come so much later, as `shift` says it when it is asked.
    pub(in crate::join) fn move_frames(&mut self, shift: impl FnOnce() -> Duration) {
        if !self.capture.is_talking() {
            let later = shift();
            if !later.is_zero() {
                self.capture.leave_out(later);
            }
        }
    }

    /// What is played meanwhile.
    pub(in crate::join) fn hear_played(&mut self, block: &[f32]) {
        self.capture.push_render_f32(block);
    }

    /// Gives `say` each frame of speech that is ready, and whether it ends a talkspurt.
    pub(in crate::join) fn poll(&mut self, mut say: impl FnMut(&[i16], bool)) {
        if let Ok(chunk) = self.ring.read_chunk(self.ring.slots()) {
            let (first, second) = chunk.as_slices();
            self.capture.push_f32(first);
            self.capture.push_f32(second);
            chunk.commit_all();
        }
        while let Some(frame) = self.capture.pull() {
            if frame.kind.is_speech() {
                say(frame.samples, frame.kind.is_last());
            }
        }
    }

    /// Samples of a channel that were lost since the loop was late.
    pub(in crate::join) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed) + self.capture.dropped()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Speech at a rate of the device's own, as its callback would give it: interleaved, all channels the same.
    fn speech(rate: u32, channels: u16) -> Vec<f32> {
        let clip = concat!(env!("CARGO_MANIFEST_DIR"), "/../clips/voice-1.wav");
        let pcm = voice_audio::read_wav(&std::fs::read(clip).unwrap()).unwrap();
        let samples = pcm.len() as u64 * u64::from(rate) / 48_000;
        let at = |n: u64| f32::from(pcm[(n * 48_000 / u64::from(rate)) as usize]) / 32_768.0;
        (0..samples).flat_map(|n| std::iter::repeat_n(at(n), channels.into())).collect()
    }

    #[test]
    fn speech_in_blocks_of_odd_sizes_and_rates_comes_out_as_talkspurts() {
        for (rate, channels) in [(48_000, 1), (44_100, 2), (16_000, 1), (96_000, 3)] {
            let format = InputFormat { rate, channels };
            let (mut microphone, mut intake) = Microphone::new(format, None, Activation::Voice).unwrap();
            let (pcm, mut frames, mut spurts, mut at) = (speech(rate, channels), 0, 0, 0);
            for turn in 0.. {
                let block = (rate as usize / 150 + turn * 37 % 101) * usize::from(channels);
                let block = &pcm[at..(at + block).min(pcm.len())];
                if block.is_empty() {
                    break;
                }
                at += block.len();
                intake.take(block.iter().copied());
                microphone.poll(|frame, is_last| {
                    assert_eq!(frame.len(), 960);
                    (frames, spurts) = (frames + 1, spurts + usize::from(is_last));
                });
            }
            let whole = pcm.len() / usize::from(channels) * 50 / rate as usize;
            assert!(frames > whole / 3 && frames <= whole, "{frames} of {whole} at {rate}");
            assert!(spurts >= 1 && microphone.lost() == 0, "{spurts} at {rate}, {} lost", microphone.lost());
        }
    }

    #[test]
    fn what_finds_no_room_is_counted_and_channels_stay_apart() {
        let format = InputFormat { rate: 48_000, channels: 2 };
        let (mut microphone, mut intake) = Microphone::new(format, None, Activation::Open).unwrap();
        // A second, left loud and right silent, while the loop sleeps.
        for _ in 0..1_000 {
            intake.take((0..96).map(|n| if n % 2 == 0 { 0.5 } else { 0.0 }));
        }
        let mut frames = 0;
        microphone.poll(|_, _| frames += 1);
        assert!((10..=13).contains(&frames), "a quarter of a second is kept: {frames} frames");
        assert_eq!(microphone.lost(), 36_000);
        // It goes on where it is now, and no half of a sample was left behind.
        let mut loudest = 0;
        for _ in 0..100 {
            intake.take((0..960).map(|n| if n % 2 == 0 { 0.0 } else { 0.0001 }));
            microphone.poll(|frame, _| loudest = frame.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0));
        }
        assert!(loudest < 1_000 && microphone.lost() == 36_000, "{loudest}");
    }
}
