use std::error::Error;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::FrameLength;

/// The sample rates that a [`Capture`](super::Capture) takes, in hertz: 8,000 to 192,000, or 48,000 alone without the feature `resample`.
pub const CAPTURE_RATES: RangeInclusive<u32> =
    if cfg!(feature = "resample") { 8_000..=192_000 } else { crate::SAMPLE_RATE..=crate::SAMPLE_RATE };

/// The most channels that a [`Capture`](super::Capture) mixes down.
pub const MAX_CAPTURE_CHANNELS: u16 = 32;

/// The longest backlog and pre-roll of a [`Capture`](super::Capture).
pub const MAX_CAPTURE_WAIT: Duration = Duration::from_secs(2);

/// What a [`Capture`](super::Capture) is built with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CaptureConfig {
    /// What the microphone gives.
    pub input: InputFormat,
    /// The length of the frames that come out: what the encoder takes.
    pub frame_length: FrameLength,
    /// The stages that are on at first.
    pub stages: Stages,
    /// What makes a talkspurt at first.
    pub activation: Activation,
    /// How speech is told from noise.
    pub detection: Detection,
    /// How sound begins before its talkspurt was noticed; 0 to [`MAX_CAPTURE_WAIT`], rounded up to whole frames. Fixed, since its
    /// memory is.
    pub pre_roll: Duration,
    /// What loudness the automatic gain aims at.
    pub gain: GainControl,
    /// How much sound may wait to be pulled, 0 to [`MAX_CAPTURE_WAIT`] (and one hop of 10 ms). Beyond that the oldest is dropped and
    /// counted.
    pub backlog: Duration,
    /// What the loudspeaker plays, for [`Capture::push_render_f32`](super::Capture::push_render_f32). `None`: no echo canceller is
    /// built, which saves its 9 ms. Needs the crate's feature `echo`.
    pub render: Option<InputFormat>,
    /// Whether there is a limiter, which looks ahead and so delays by 2.5 ms, on or not. Without one, what is above full scale is cut off there, whatever
    /// [`Stages::limiter`] says: for a microphone that can't be too loud, as a browser's, and no gain.
    pub has_limiter: bool,
}

impl CaptureConfig {
    pub(super) fn check(&self) -> Result<(), CaptureError> {
        self.input.check()?;
        if self.pre_roll > MAX_CAPTURE_WAIT {
            return Err(CaptureError::PreRoll(self.pre_roll));
        }
        if self.backlog > MAX_CAPTURE_WAIT {
            return Err(CaptureError::Backlog(self.backlog));
        }
        Ok(())
    }
}

impl Default for CaptureConfig {
    /// Mono at 48 kHz, frames of 20 ms, all stages, a limiter, voice activation with a pre-roll of 80 ms, a backlog of 250 ms.
    fn default() -> Self {
        Self {
            input: InputFormat::default(),
            frame_length: FrameLength::Ms20,
            stages: Stages::ALL,
            activation: Activation::Voice,
            detection: Detection::default(),
            pre_roll: Duration::from_millis(80),
            gain: GainControl::default(),
            backlog: Duration::from_millis(250),
            render: None,
            has_limiter: true,
        }
    }
}

/// What a device gives or takes: interleaved samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputFormat {
    /// Samples per second and channel, any whole number in [`CAPTURE_RATES`].
    pub rate: u32,
    /// Channels, 1 to [`MAX_CAPTURE_CHANNELS`]; their average is taken.
    pub channels: u16,
}

impl InputFormat {
    pub(super) fn check(self) -> Result<(), CaptureError> {
        if !CAPTURE_RATES.contains(&self.rate) {
            return Err(CaptureError::Rate(self.rate));
        }
        if !(1..=MAX_CAPTURE_CHANNELS).contains(&self.channels) {
            return Err(CaptureError::Channels(self.channels));
        }
        Ok(())
    }
}

impl Default for InputFormat {
    /// Mono at 48 kHz, which needs no resampling.
    fn default() -> Self {
        Self { rate: crate::SAMPLE_RATE, channels: 1 }
    }
}

/// Which stages are on. Each may be switched while sound flows: it comes and goes within 10 ms, and the delay stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stages {
    /// Takes out what the loudspeaker plays; does nothing without [`CaptureConfig::render`].
    pub echo: bool,
    /// Takes out noise. Does nothing, and delays nothing, without the crate's feature `denoise`.
    pub denoise: bool,
    /// Brings speech to an even loudness. Does nothing without the crate's feature `denoise`: nobody says what is speech.
    pub gain: bool,
    /// Keeps peaks below full scale. Without it they are cut off there. Does nothing without [`CaptureConfig::has_limiter`].
    pub limiter: bool,
}

impl Stages {
    /// All stages on.
    pub const ALL: Self = Self::set(true);
    /// All stages off.
    pub const NONE: Self = Self::set(false);

    const fn set(on: bool) -> Self {
        Self { echo: on, denoise: on, gain: on, limiter: on }
    }
}

/// What makes a talkspurt. Permission is a separate gate: see [`Capture::set_muted`](super::Capture::set_muted).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// The button that [`Capture::set_pressed`](super::Capture::set_pressed) tells of.
    PushToTalk,
    /// Speech, as [`Detection`] finds it.
    Voice,
    /// All is sent.
    Open,
}

/// How speech is told from noise: RNNoise's probability of speech together with loudness. Besides, speech is always 6 dB above the
/// steady noise. Without the crate's feature `denoise`, loudness alone decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// The probability from which on a talkspurt begins, 0.0 (loudness alone decides) to 1.0. It goes on down to half of it.
    pub probability: f32,
    /// The loudness below which nothing is speech, in dB below full scale (root mean square of 10 ms): -100.0 to 0.0.
    pub quietest_dbfs: f32,
    /// How long a talkspurt outlasts the last speech.
    pub hangover: Duration,
}

impl Default for Detection {
    /// Probability 0.5, -60 dB, a hang-over of 250 ms.
    fn default() -> Self {
        Self { probability: 0.5, quietest_dbfs: -60.0, hangover: Duration::from_millis(250) }
    }
}

/// What loudness the automatic gain aims at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GainControl {
    /// The loudness of speech to reach, in dB below full scale (root mean square while speaking): -60.0 to 0.0.
    pub target_dbfs: f32,
    /// The most that is amplified, in dB: 0.0 to 60.0.
    pub most_db: f32,
    /// The loudest that amplified noise may become in pauses, in dB below full scale: it bounds the gain, too.
    pub noise_dbfs: f32,
}

impl Default for GainControl {
    /// A target of -21 dB, at most 30 dB of gain, noise up to -50 dB.
    fn default() -> Self {
        Self { target_dbfs: -21.0, most_db: 30.0, noise_dbfs: -50.0 }
    }
}

/// Why a [`Capture`](super::Capture) was not built. The text says what is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaptureError {
    /// The sample rate is outside [`CAPTURE_RATES`].
    Rate(u32),
    /// The number of channels is not 1 to [`MAX_CAPTURE_CHANNELS`].
    Channels(u16),
    /// The pre-roll is longer than [`MAX_CAPTURE_WAIT`].
    PreRoll(Duration),
    /// The backlog is longer than [`MAX_CAPTURE_WAIT`].
    Backlog(Duration),
    /// An echo canceller was asked for, and the crate was built without.
    NoEcho,
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = MAX_CAPTURE_WAIT.as_millis();
        match self {
            Self::Rate(rate) => {
                let (low, high) = (CAPTURE_RATES.start(), CAPTURE_RATES.end());
                write!(f, "a sample rate of {rate} Hz is not supported; open the device at {low} to {high} Hz")
            }
            Self::Channels(channels) => {
                write!(f, "{channels} channels are not supported; open the device with 1 to {MAX_CAPTURE_CHANNELS}")
            }
            Self::PreRoll(time) => {
                write!(f, "a pre-roll of {} ms is too long; use at most {most} ms", time.as_millis())
            }
            Self::NoEcho => f.write_str("no echo canceller is built in; build voice-audio with its feature `echo`"),
            Self::Backlog(time) => write!(f, "a backlog of {} ms is too long; use at most {most} ms", time.as_millis()),
        }
    }
}

impl Error for CaptureError {}
