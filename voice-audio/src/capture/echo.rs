//! Echo cancellation by a port of WebRTC's AEC3.
//!
//! It finds out by itself by how much the echo is late, up to about half a second, and follows changes. Its output is late by its
//! filter bank and its blocks; with the stage off, sound is delayed by as much.
//!
//! The library allocates small blocks at work and frees them at once, about forty in 10 ms.

use sonora::config::{EchoCanceller, MaxProcessingRate, Pipeline};
use sonora::{AudioProcessing, Config, StreamConfig};

use super::blend::Blend;
use super::{HOP, Hop};
use crate::SAMPLE_RATE;

/// Hops after a pause that aren't heard, while old sound leaves the filter bank.
const WARM_UP: u8 = 3;

pub(super) struct Echo {
    canceller: Box<AudioProcessing>,
    /// The last two hops and the one that came in.
    dry: [f32; 3 * HOP],
    wet: Hop,
    blend: Blend,
    warm: u8,
}

impl Echo {
    /// How late its output is, in samples: 430 to 434, by frequency.
    pub(super) const DELAY: usize = 432;

    /// Always makes one, since the crate was built with it.
    pub(super) fn new(on: bool) -> Option<Self> {
        let canceller = AudioProcessing::builder()
            .config(settings())
            .capture_config(StreamConfig::new(SAMPLE_RATE, 1))
            .render_config(StreamConfig::new(SAMPLE_RATE, 1))
            .build();
        Some(Self {
            canceller: Box::new(canceller),
            dry: [0.0; 3 * HOP],
            wet: [0.0; HOP],
            blend: Blend::new(on),
            warm: 0,
        })
    }

    /// Takes what is about to be played.
    pub(super) fn render(&mut self, played: &Hop, on: bool) {
        if self.runs(on) {
            // The mono format that it was built with can't be refused. Its copy of the sound isn't wanted.
            _ = self.canceller.process_render_f32(&[played], &mut [&mut self.wet]);
        }
    }

    /// Delays the hop, and takes the echo out of it if the stage is `on`.
    pub(super) fn process(&mut self, hop: &mut Hop, on: bool) {
        self.dry.copy_within(HOP.., 0);
        self.dry[2 * HOP..].copy_from_slice(hop);
        if self.runs(on) {
            _ = self.canceller.process_capture_f32(&[hop], &mut [&mut self.wet]);
            self.warm = (self.warm + 1).min(WARM_UP);
        } else {
            self.warm = 0;
        }
        hop.copy_from_slice(&self.dry[2 * HOP - Self::DELAY..][..HOP]);
        self.blend.mix(on && self.warm == WARM_UP, hop, &self.wet);
    }

    fn runs(&self, on: bool) -> bool {
        on || !self.blend.is_off()
    }
}

/// Echo cancellation alone, over the whole band: the other stages are ours.
fn settings() -> Config {
    let pipeline = Pipeline {
        maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz,
        multi_channel_render: false,
        multi_channel_capture: false,
        ..Pipeline::default()
    };
    let echo_canceller = EchoCanceller { enforce_high_pass_filtering: false, ..EchoCanceller::default() };
    Config { pipeline, echo_canceller: Some(echo_canceller), ..Config::default() }
}
