//! A mouth: a recording that becomes Opus frames, 20 ms at a time.

use voice_audio::{ActivityConfig, ActivityDetector, EncoderConfig, MAX_FRAME_BYTES, OpusEncoder};

/// How frames are encoded: 20 ms, 24 kbit/s.
pub(crate) fn encoding() -> EncoderConfig {
    EncoderConfig::default()
}

/// Samples in one frame.
pub(crate) fn frame_samples() -> usize {
    encoding().frame_length.samples()
}

/// One person's mouth: the place in the recording, voice activity, and the encoder.
pub(crate) struct Voice {
    pcm: Vec<i16>,
    at: usize,
    activity: ActivityDetector,
    encoder: OpusEncoder,
}

impl Voice {
    /// Makes a mouth for a recording of 48 kHz mono, which must not be empty.
    pub(crate) fn new(pcm: Vec<i16>) -> Self {
        let samples = frame_samples();
        let activity = ActivityDetector::new(ActivityConfig::for_clip(&pcm, samples));
        let encoder = OpusEncoder::new(encoding()).expect("the default settings are in range");
        Self { pcm, at: 0, activity, encoder }
    }

    /// Begins an utterance: where the last one ended, or at the beginning if less than its length is left.
    pub(crate) fn begin(&mut self, ms: u64) {
        let samples = usize::try_from(ms).unwrap_or(usize::MAX).saturating_mul(48);
        if self.at.saturating_add(samples) > self.pcm.len() {
            self.at = 0;
        }
        self.encoder.reset();
    }

    /// The next 20 ms: an Opus frame, or `None` for silence. A recording that is at its end starts again.
    pub(crate) fn next_frame(&mut self) -> Option<Vec<u8>> {
        let pcm = self.next_samples();
        if !self.activity.update(&pcm).is_speech() {
            return None;
        }
        let mut payload = vec![0; MAX_FRAME_BYTES];
        let len = self.encoder.encode(&pcm, &mut payload).expect("a whole frame and room for the largest payload");
        payload.truncate(len);
        Some(payload)
    }

    fn next_samples(&mut self) -> Vec<i16> {
        let samples = frame_samples();
        if self.at >= self.pcm.len() {
            self.at = 0;
        }
        let end = (self.at + samples).min(self.pcm.len());
        let mut pcm = self.pcm[self.at..end].to_vec();
        pcm.resize(samples, 0);
        self.at = end;
        pcm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hum(frames: usize) -> Vec<i16> {
        (0..frames * frame_samples()).map(|n| if n / 100 % 2 == 0 { 6_000 } else { -6_000 }).collect()
    }

    #[test]
    fn a_recording_starts_again_at_its_end() {
        let mut voice = Voice::new(hum(3));
        assert!((0..10).all(|_| voice.next_frame().is_some()));
    }

    #[test]
    fn silence_gives_no_frames() {
        let mut pcm = hum(2);
        pcm.resize(40 * frame_samples(), 0);
        let mut voice = Voice::new(pcm);
        let spoken = (0..40).filter_map(|_| voice.next_frame()).count();
        assert!((2..20).contains(&spoken), "{spoken}");
    }

    #[test]
    fn an_utterance_that_does_not_fit_in_the_rest_begins_at_the_beginning() {
        let mut voice = Voice::new(hum(10));
        voice.begin(120);
        (0..6).for_each(|_| drop(voice.next_frame()));
        voice.begin(80);
        assert_eq!(voice.at, 6 * frame_samples());
        voice.begin(100);
        assert_eq!(voice.at, 0);
    }
}
