#[cfg(feature = "encode")]
use super::SetupError;
use crate::SAMPLE_RATE;

/// The furthest that DRED reaches back, in milliseconds.
pub const MAX_DRED_MS: u16 = 1_040;

/// How much sound one frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FrameLength {
    /// 10 ms: least delay, most packets.
    Ms10,
    /// 20 ms: the usual choice.
    Ms20,
    /// 40 ms: half the packets.
    Ms40,
    /// 60 ms: fewest packets, most lost with each.
    Ms60,
}

impl FrameLength {
    /// All lengths, shortest first.
    pub const ALL: [FrameLength; 4] = [FrameLength::Ms10, FrameLength::Ms20, FrameLength::Ms40, FrameLength::Ms60];

    /// Returns the length in milliseconds.
    pub const fn millis(self) -> u32 {
        match self {
            FrameLength::Ms10 => 10,
            FrameLength::Ms20 => 20,
            FrameLength::Ms40 => 40,
            FrameLength::Ms60 => 60,
        }
    }

    /// Returns the length in samples per channel at 48 kHz: 480 to 2,880.
    pub const fn samples(self) -> usize {
        (self.millis() * (SAMPLE_RATE / 1_000)) as usize
    }

    /// Returns the length of that many milliseconds, or `None` if it is not 10, 20, 40 or 60.
    pub fn from_millis(millis: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|length| length.millis() == millis)
    }
}

/// One channel of sound, or two: stereo samples are interleaved, left first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channels {
    /// One: a voice.
    Mono,
    /// Two: music, a room. Worth it from about 48 kbit/s.
    Stereo,
}

impl Channels {
    /// Returns how many channels there are: 1 or 2.
    pub const fn count(self) -> usize {
        match self {
            Channels::Mono => 1,
            Channels::Stereo => 2,
        }
    }
}

/// What the encoder is tuned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Application {
    /// Speech: low rumble is filtered out, formants are favoured, and redundancy works at every bitrate that has room for it.
    Voice,
    /// Faithful sound: music too. In-band FEC belongs to the part of Opus for speech, and with it on even music is coded by that part
    /// as soon as loss is expected.
    Audio,
}

/// A preset of bitrate and tuning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Quality {
    /// 10 kbit/s: clear enough to follow. There is no room for in-band FEC.
    Low,
    /// 17 kbit/s: wide-band speech.
    Medium,
    /// 24 kbit/s: full-band speech with room for redundancy.
    High,
    /// 48 kbit/s, tuned for [`Application::Audio`]; stereo wants 64 and more.
    Studio,
}

impl Quality {
    /// All presets, lowest first.
    pub const ALL: [Quality; 4] = [Quality::Low, Quality::Medium, Quality::High, Quality::Studio];

    /// Returns the nominal bitrate in bit/s.
    pub const fn bitrate(self) -> u32 {
        match self {
            Quality::Low => 10_000,
            Quality::Medium => 17_000,
            Quality::High => 24_000,
            Quality::Studio => 48_000,
        }
    }

    /// Returns what the encoder is tuned for.
    pub const fn application(self) -> Application {
        match self {
            Quality::Low | Quality::Medium | Quality::High => Application::Voice,
            Quality::Studio => Application::Audio,
        }
    }
}

/// What an [`OpusEncoder`](super::OpusEncoder) works by. All but channels and application may change from frame to frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncoderConfig {
    /// How much sound one frame holds.
    pub frame_length: FrameLength,
    /// Channels of the samples given; fixed for the encoder's life.
    pub channels: Channels,
    /// What the encoder is tuned for; fixed for the encoder's life.
    pub application: Application,
    /// The nominal bitrate in bit/s, 6,000 to 510,000, redundancy included; single frames vary around it.
    pub bitrate: u32,
    /// How hard the encoder works, 0 (least) to 10 (best sound); see [`CpuBudget`](super::CpuBudget).
    pub complexity: u8,
    /// Whether a frame carries a coarse copy of the one before it, where the expected loss and the bitrate make it worth while.
    pub fec: bool,
    /// The share of frames expected to be lost, 0 to 100: how much of the bitrate goes to redundancy. At 0 there is none.
    pub expected_loss_percent: u8,
    /// How far back each packet's DRED reaches at most, in ms, 0 (none) to [`MAX_DRED_MS`], in steps of 10.
    ///
    /// It takes its share, which grows with the expected loss, of what the bitrate has over 12 kbit/s, or over 20 kbit/s with `fec`: it
    /// reaches less far if that is little, and is off if it is too little. So it is a choice between the two below 40 kbit/s: see
    /// docs/CODEC.md.
    /// Without effect unless the feature `opus16` is on.
    pub dred_ms: u16,
    /// Whether silence is left out; see [`is_dtx`](super::is_dtx).
    pub dtx: bool,
}

impl EncoderConfig {
    /// Returns 20 ms mono frames of that quality at full complexity, with in-band FEC for 5 % of loss unless it is [`Quality::Studio`],
    /// without DRED and DTX.
    pub const fn of(quality: Quality) -> Self {
        Self {
            frame_length: FrameLength::Ms20,
            channels: Channels::Mono,
            application: quality.application(),
            bitrate: quality.bitrate(),
            complexity: 10,
            fec: matches!(quality.application(), Application::Voice),
            expected_loss_percent: 5,
            dred_ms: 0,
            dtx: false,
        }
    }

    /// Returns the number of samples in one frame, those of both channels counted: 480 to 5,760.
    pub const fn frame_samples(&self) -> usize {
        self.frame_length.samples() * self.channels.count()
    }

    #[cfg(feature = "encode")]
    pub(super) fn check(&self) -> Result<(), SetupError> {
        if !(6_000..=510_000).contains(&self.bitrate) {
            return Err(SetupError::Bitrate);
        }
        if self.complexity > 10 {
            return Err(SetupError::Complexity);
        }
        if self.expected_loss_percent > 100 {
            return Err(SetupError::ExpectedLoss);
        }
        if self.dred_ms > MAX_DRED_MS {
            return Err(SetupError::Dred);
        }
        Ok(())
    }
}

impl Default for EncoderConfig {
    /// The settings of [`Quality::High`].
    fn default() -> Self {
        Self::of(Quality::High)
    }
}
