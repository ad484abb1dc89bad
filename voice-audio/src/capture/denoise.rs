//! Noise suppression by RNNoise, and its opinion on what is speech.
//!
//! RNNoise works on windows of 20 ms that overlap by half, so what comes out of it is 10 ms late. With the stage off, sound is delayed
//! by just as much: switching then changes the sound, but not its time.
//!
//! J.-M. Valin, "A Hybrid DSP/Deep Learning Approach to Real-Time Full-Band Speech Enhancement", 2018.

use nnnoiseless::DenoiseState;

use super::blend::Blend;
use super::{HOP, Hop};

const _: () = assert!(DenoiseState::FRAME_SIZE == HOP);

/// RNNoise wants the scale of 16 bit.
const SCALE: f32 = 32_768.0;

/// Hops after a pause of the model that aren't heard: its windows still hold what was before the pause.
const WARM_UP: u8 = 3;

pub(super) struct Denoise {
    state: Box<DenoiseState<'static>>,
    before: Hop,
    scaled: Hop,
    wet: Hop,
    blend: Blend,
    warm: u8,
}

impl Denoise {
    /// How late its output is, in samples.
    pub(super) const DELAY: usize = HOP;

    pub(super) fn new(on: bool) -> Self {
        let blank = [0.0; HOP];
        let mut state = DenoiseState::new();
        // The first output fades in, and makes tables that all instances share.
        let mut wet = blank;
        (0..WARM_UP).for_each(|_| _ = state.process_frame(&mut wet, &blank));
        Self { state, before: blank, scaled: blank, wet: blank, blend: Blend::new(on), warm: WARM_UP }
    }

    /// Lets the calling thread make the tables that RNNoise's Fourier transform keeps per thread.
    pub(super) fn prepare_thread() {
        Self::new(true);
    }

    /// Turns the hop into the one before it, denoised if the stage is `on`. Returns the probability that the hop *given* is speech, if
    /// that is `wanted`, so that the answer is known 10 ms before its sound is.
    pub(super) fn process(&mut self, hop: &mut Hop, on: bool, wanted: bool) -> Option<f32> {
        let runs = on || wanted || !self.blend.is_off();
        let speech = runs.then(|| self.run(hop));
        std::mem::swap(hop, &mut self.before);
        if runs {
            self.blend.mix(on && self.warm == WARM_UP, hop, &self.wet);
            self.warm = (self.warm + 1).min(WARM_UP);
        } else {
            self.warm = 0;
        }
        speech
    }

    fn run(&mut self, hop: &Hop) -> f32 {
        for (scaled, sample) in self.scaled.iter_mut().zip(hop) {
            *scaled = sample * SCALE;
        }
        let speech = self.state.process_frame(&mut self.wet, &self.scaled);
        for sample in &mut self.wet {
            *sample /= SCALE;
        }
        speech
    }
}
