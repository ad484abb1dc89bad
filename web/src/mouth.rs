//! What is sent of the microphone, and when.

use std::time::Duration;

use voice_audio::{Activation, Capture, CaptureConfig, Detection, GainControl, Stages};

use crate::engine::MAX_PCM;

/// What the microphone shows when there is none, dBFS.
pub(crate) const NOTHING_DBFS: f32 = -100.0;

/// The browser has taken out echo and noise and brought the voice to a loudness, as the person chose; what is left is to keep it below full scale.
const STAGES: Stages = Stages { echo: false, denoise: false, gain: false, limiter: true };

/// A microphone and what becomes of its sound.
#[derive(Debug)]
pub(crate) struct Mouth {
    capture: Capture,
    activation: Activation,
    threshold_dbfs: f32,
    pressed: bool,
    /// Something was pushed since the microphone came.
    has_microphone: bool,
    /// The frame that was pulled last.
    pcm: [i16; MAX_PCM],
    samples: usize,
}

/// A frame that was pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spoken {
    /// The last of a talkspurt.
    pub(crate) last: bool,
}

impl Mouth {
    /// With voice activation; `None` if there is no memory for it.
    pub(crate) fn new() -> Option<Self> {
        let config = CaptureConfig { stages: STAGES, gain: GainControl::default(), ..CaptureConfig::default() };
        Some(Self {
            capture: Capture::new(config).ok()?,
            activation: config.activation,
            threshold_dbfs: config.detection.quietest_dbfs,
            pressed: false,
            has_microphone: false,
            pcm: [0; MAX_PCM],
            samples: 0,
        })
    }

    /// Takes what the microphone gave, 48 kHz mono; nothing where there is none.
    pub(crate) fn push(&mut self, samples: Option<&[f32]>) {
        match samples {
            Some(samples) => self.capture.push_f32(samples),
            // It was taken away: what was being said is over.
            None if self.has_microphone => self.capture.finish(),
            None => {}
        }
        self.has_microphone = samples.is_some();
    }

    /// Pulls until there is a frame to be sent, which [`Mouth::pcm`] then has.
    pub(crate) fn pull(&mut self) -> Option<Spoken> {
        loop {
            let frame = self.capture.pull()?;
            if frame.kind.is_speech() {
                let samples = frame.samples.len().min(MAX_PCM);
                self.pcm[..samples].copy_from_slice(&frame.samples[..samples]);
                self.samples = samples;
                return Some(Spoken { last: frame.kind.is_last() });
            }
        }
    }

    /// The frame that was pulled last.
    pub(crate) fn pcm(&self) -> &[i16] {
        &self.pcm[..self.samples]
    }

    /// Whether frames may be moved: not within a talkspurt.
    pub(crate) fn can_move(&self) -> bool {
        !self.capture.is_talking()
    }

    /// Lets frames begin later by so much.
    pub(crate) fn leave_out(&mut self, span: Duration) {
        self.capture.leave_out(span);
    }

    pub(crate) const fn activation(&self) -> Activation {
        self.activation
    }

    pub(crate) fn set_activation(&mut self, activation: Activation) {
        self.activation = activation;
        self.capture.set_activation(activation);
    }

    pub(crate) const fn threshold_dbfs(&self) -> f32 {
        self.threshold_dbfs
    }

    /// Sets the level from which voice activation takes a sound for speech, brought into -100 to 0 dBFS.
    pub(crate) fn set_threshold(&mut self, dbfs: f32) {
        if dbfs.is_finite() {
            self.threshold_dbfs = dbfs.clamp(NOTHING_DBFS, 0.0);
            self.capture.set_detection(Detection { quietest_dbfs: self.threshold_dbfs, ..Detection::default() });
        }
    }

    pub(crate) fn set_pressed(&mut self, pressed: bool) {
        self.pressed = pressed;
        self.capture.set_pressed(pressed);
    }

    pub(crate) fn set_muted(&mut self, muted: bool) {
        self.capture.set_muted(muted);
    }

    pub(crate) fn set_permitted(&mut self, permitted: bool) {
        self.capture.set_permitted(permitted);
    }

    /// How loud the microphone is, dBFS.
    pub(crate) fn level_dbfs(&self) -> f32 {
        if self.has_microphone { self.capture.input_level().rms_dbfs() } else { NOTHING_DBFS }
    }

    /// Whether what is said now would be sent, if it may be: the key is held, or it is speech.
    pub(crate) fn is_open(&self) -> bool {
        match self.activation {
            Activation::PushToTalk => self.pressed,
            Activation::Voice | Activation::Open => self.has_microphone && self.capture.is_talking(),
        }
    }
}
