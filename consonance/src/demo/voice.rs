//! A mouth: a recording that becomes Opus frames, as long as the client wants them.

use voice_audio::{ActivityConfig, ActivityDetector, EncoderConfig, OpusEncoder};
use voice_core::EncoderAdvice;

/// Voice activity is judged by so many samples at a time: 20 ms.
const JUDGED: usize = 960;
/// The longest frame that listeners take, see `PersonConfig::frame_bytes`.
const MAX_BYTES: usize = 240;

/// One person's mouth: the place in the recording, voice activity, and the encoder. It begins with 20 ms frames of 24 kbit/s and redundancy for 5 % of loss.
pub(crate) struct Voice {
    pcm: Vec<i16>,
    at: usize,
    activity: ActivityDetector,
    encoder: OpusEncoder,
    advice: Option<EncoderAdvice>,
}

impl Voice {
    /// Makes a mouth for a recording of 48 kHz mono, which must not be empty.
    pub(crate) fn new(pcm: Vec<i16>) -> Self {
        let activity = ActivityDetector::new(ActivityConfig::for_clip(&pcm, JUDGED));
        let encoder = OpusEncoder::new(EncoderConfig::default()).expect("the default settings are in range");
        Self { pcm, at: 0, activity, encoder, advice: None }
    }

    /// Begins an utterance: where the last one ended, or at the beginning if less than its length is left.
    pub(crate) fn begin(&mut self, ms: u64) {
        let samples = usize::try_from(ms).unwrap_or(usize::MAX).saturating_mul(48);
        if self.at.saturating_add(samples) > self.pcm.len() {
            self.at = 0;
        }
        self.encoder.reset();
    }

    /// Takes advice, to be followed before a frame.
    pub(crate) fn advise(&mut self, advice: EncoderAdvice) {
        self.advice = Some(advice);
    }

    /// Follows the advice that has come since the last call: how long frames are from now on.
    pub(crate) fn follow(&mut self) -> Option<voice_core::FrameLength> {
        let advice = self.advice.take()?;
        self.encoder.reconfigure(self.encoder.config().advised(&advice)).ok()?;
        Some(advice.frame_length)
    }

    /// How much sound the next frame holds, µs.
    pub(crate) fn frame_us(&self) -> u32 {
        self.encoder.config().frame_length.millis() * 1_000
    }

    /// The next frame, or `None` for silence. A recording that is at its end starts again.
    pub(crate) fn next_frame(&mut self) -> Option<Vec<u8>> {
        let pcm = self.next_samples();
        let activity = &mut self.activity;
        let speech = pcm.chunks(JUDGED).fold(false, |speech, pcm| activity.update(pcm).is_speech() | speech);
        if !speech {
            return None;
        }
        let mut payload = vec![0; MAX_BYTES];
        let len = self.encoder.encode(&pcm, &mut payload).expect("a whole frame and room for a payload");
        payload.truncate(len);
        Some(payload)
    }

    fn next_samples(&mut self) -> Vec<i16> {
        let samples = self.encoder.config().frame_samples();
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
        (0..frames * JUDGED).map(|n| if n / 100 % 2 == 0 { 6_000 } else { -6_000 }).collect()
    }

    #[test]
    fn a_recording_starts_again_at_its_end() {
        let mut voice = Voice::new(hum(3));
        assert!((0..10).all(|_| voice.next_frame().is_some()));
    }

    #[test]
    fn silence_gives_no_frames() {
        let mut pcm = hum(2);
        pcm.resize(40 * JUDGED, 0);
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
        assert_eq!(voice.at, 6 * JUDGED);
        voice.begin(100);
        assert_eq!(voice.at, 0);
    }

    #[test]
    fn advice_is_followed_from_the_next_frame_on() {
        let mut voice = Voice::new(hum(10));
        let length = voice_core::FrameLength::Ms60;
        voice.advise(EncoderAdvice {
            bitrate: 12_000,
            expected_loss_percent: 10,
            fec: true,
            frame_length: length,
            dred_ms: 0,
        });
        assert_eq!((voice.follow(), voice.frame_us()), (Some(length), 60_000));
        assert_eq!(voice.follow(), None);
        let frame = voice.next_frame().expect("a hum");
        assert_eq!(voice_audio::packet_samples(&frame), Ok(3 * JUDGED));
        assert_eq!(voice.encoder.config().bitrate, 12_000);
    }
}
