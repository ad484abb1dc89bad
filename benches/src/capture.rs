use std::hint::black_box;

use voice_audio::{Activation, Capture, CaptureConfig, InputFormat, Stages, read_wav};

use crate::case::Task;

const SPEECH: &[u8] = include_bytes!("../../clips/voice-1.wav");

/// 10 ms of a microphone, pushed and pulled, over and over through a clip of speech.
pub(crate) struct TenMs {
    capture: Capture,
    pcm: Vec<i16>,
    block: usize,
    at: usize,
}

impl TenMs {
    /// All is sent, through these stages alone.
    pub(crate) fn with(stages: Stages) -> Self {
        Self::new(CaptureConfig { stages, activation: Activation::Open, ..CaptureConfig::default() })
    }

    /// From a device at another rate, with two channels.
    pub(crate) fn from_stereo(rate: u32) -> Self {
        let input = InputFormat { rate, channels: 2 };
        Self::new(CaptureConfig {
            input,
            stages: Stages::NONE,
            activation: Activation::Open,
            ..CaptureConfig::default()
        })
    }

    /// With the echo canceller alone, and sound that is played.
    pub(crate) fn with_echo() -> Self {
        let stages = Stages { echo: true, ..Stages::NONE };
        let render = Some(InputFormat::default());
        Self::new(CaptureConfig { render, stages, activation: Activation::Open, ..CaptureConfig::default() })
    }

    /// As a microphone is used: voice activation and all stages but the echo canceller.
    pub(crate) fn usual() -> Self {
        Self::new(CaptureConfig::default())
    }

    fn new(config: CaptureConfig) -> Self {
        let capture = Capture::new(config).expect("the settings are in range");
        let pcm = read_wav(SPEECH).expect("the clip is a WAV file");
        let block = (config.input.rate / 100) as usize * usize::from(config.input.channels);
        // Not from the silence at the clip's beginning.
        Self { capture, pcm, block, at: 24_000 }
    }
}

impl Task for TenMs {
    fn run(&mut self) {
        if self.at + self.block > self.pcm.len() {
            self.at = 0;
        }
        let block = &self.pcm[self.at..][..self.block];
        self.capture.push_render_i16(block);
        self.capture.push_i16(black_box(block));
        while let Some(frame) = self.capture.pull() {
            black_box(frame.samples);
        }
        self.at += self.block;
    }
}
