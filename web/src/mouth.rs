//! What is sent of the microphone, and when.

use std::time::Duration;

use voice_audio::{Activation, Capture, CaptureConfig, Detection, Stages};

use crate::engine::MAX_PCM;

/// What the microphone shows when there is none, dBFS.
pub(crate) const NOTHING_DBFS: f32 = -100.0;

/// Samples of a millisecond, and of a frame.
const MS: usize = 48;
const FRAME: usize = 960;

/// A microphone and what becomes of its sound.
#[derive(Debug)]
pub(crate) struct Mouth {
    capture: Capture,
    activation: Activation,
    threshold_dbfs: f32,
    pressed: bool,
    /// Something was pushed since the microphone came.
    has_microphone: bool,
    /// Samples by which frames are to begin later.
    left_out: usize,
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
        // The browser has taken out echo and noise and brought the voice to a loudness, as the person chose, and gives nothing above full scale.
        let config = CaptureConfig { stages: Stages::NONE, has_limiter: false, ..CaptureConfig::default() };
        Some(Self {
            capture: Capture::new(config).ok()?,
            activation: config.activation,
            threshold_dbfs: config.detection.quietest_dbfs,
            pressed: false,
            has_microphone: false,
            left_out: 0,
            pcm: [0; MAX_PCM],
            samples: 0,
        })
    }

    /// Takes what the microphone gave, 48 kHz mono; nothing where there is none. What was pushed before has been pulled.
    pub(crate) fn push(&mut self, samples: Option<&[f32]>) {
        match samples {
            Some(samples) => {
                self.fit_into(samples.len());
                self.capture.push_f32(samples);
            }
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

    /// Lets frames begin later by so much, from what is pushed next on.
    pub(crate) fn leave_out(&mut self, span: Duration) {
        self.left_out = (span.as_micros() as usize * MS / 1_000).min(3 * FRAME);
    }

    /// Frames are ready when a piece of the microphone's comes. Where whole pieces make a frame, each ends with one, so that none waits for sound that isn't
    /// in it; they are moved by whole pieces then, and it makes no difference to when they leave.
    fn fit_into(&mut self, piece: usize) {
        let mut wanted = std::mem::take(&mut self.left_out);
        if !self.can_move() {
            return;
        }
        if piece > 0 && FRAME.is_multiple_of(piece) {
            wanted = (wanted + piece / 2) / piece * piece + self.capture.begun() % piece;
        }
        if wanted > 0 {
            self.capture.leave_out(Duration::from_micros((wanted * 1_000).div_ceil(MS) as u64));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn push(mouth: &mut Mouth, piece: usize) -> usize {
        mouth.push(Some(&vec![0.0; piece]));
        while mouth.pull().is_some() {}
        mouth.capture.begun()
    }

    #[test]
    fn frames_end_with_pieces_of_10_ms_whatever_came_before() {
        let mut mouth = Mouth::new().unwrap();
        assert_eq!(push(&mut mouth, 100), 100);
        assert!([push(&mut mouth, 480), push(&mut mouth, 480)].iter().all(|begun| begun % 480 == 0));
    }

    #[test]
    fn frames_are_moved_by_whole_pieces_the_nearest_number_of_them() {
        for (wished_ms, samples) in [(3, 0), (6, 480), (14, 480), (19, 960)] {
            let mut mouth = Mouth::new().unwrap();
            push(&mut mouth, 480);
            mouth.leave_out(Duration::from_millis(wished_ms));
            let begun = [480; 4].map(|piece| push(&mut mouth, piece));
            assert_eq!(begun[3], (5 * 480 - samples) % 960, "{wished_ms} ms");
        }
    }

    #[test]
    fn with_the_loudspeakers_blocks_frames_are_moved_as_wished() {
        let mut mouth = Mouth::new().unwrap();
        push(&mut mouth, 128);
        mouth.leave_out(Duration::from_millis(3));
        assert_eq!(push(&mut mouth, 128), 112);
    }
}
