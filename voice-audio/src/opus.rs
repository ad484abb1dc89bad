//! Opus (RFC 6716) for one speaker: mono, 48 kHz, tuned for voice.
//!
//! One encoder per speaker, one decoder per speaker heard; both keep state from frame to frame, so frames go through them in order.
//! A decoder takes any bytes: what is not Opus is an error, never a crash.

use std::error::Error;
use std::fmt;

use crate::SAMPLE_RATE;
use crate::ffi::{self, Code, RawDecoder, RawEncoder, Setting};

/// The most samples one Opus packet can hold: 120 ms.
pub const MAX_PACKET_SAMPLES: usize = 5_760;

/// The largest payload that a voice packet carries, in bytes: a buffer of this size holds every frame that may be sent.
pub const MAX_FRAME_BYTES: usize = 1_000;

/// Opus sends at most this many bytes for a frame that DTX leaves out.
const DTX_BYTES: usize = 2;

/// Concealed and recovered sound comes in steps of 2.5 ms.
const STEP_SAMPLES: usize = 120;

const RATE: i32 = SAMPLE_RATE as i32;

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

    /// Returns the length in samples at 48 kHz: 480 to 2,880.
    pub const fn samples(self) -> usize {
        (self.millis() * (SAMPLE_RATE / 1_000)) as usize
    }

    /// Returns the length of that many milliseconds, or `None` if it is not 10, 20, 40 or 60.
    pub fn from_millis(millis: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|length| length.millis() == millis)
    }
}

/// What an [`OpusEncoder`] is built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncoderConfig {
    /// How much sound one frame holds; fixed for the encoder's life.
    pub frame_length: FrameLength,
    /// The nominal bitrate in bit/s, 6,000 to 510,000; single frames vary around it.
    pub bitrate: u32,
    /// How hard the encoder works, 0 (least) to 10 (best sound).
    pub complexity: u8,
    /// Whether a frame carries a coarse copy of the one before it. Takes effect once `expected_loss_percent` is above 0.
    pub fec: bool,
    /// The share of frames expected to be lost, 0 to 100: how much of the bitrate goes to the copies.
    pub expected_loss_percent: u8,
    /// Whether silence is left out; see [`is_dtx`].
    pub dtx: bool,
}

impl Default for EncoderConfig {
    /// 20 ms frames of 24 kbit/s at full complexity, with in-band FEC for 5 % of loss, without DTX.
    fn default() -> Self {
        Self {
            frame_length: FrameLength::Ms20,
            bitrate: 24_000,
            complexity: 10,
            fec: true,
            expected_loss_percent: 5,
            dtx: false,
        }
    }
}

/// Turns one speaker's PCM into Opus frames.
#[derive(Debug)]
pub struct OpusEncoder {
    raw: RawEncoder,
    config: EncoderConfig,
}

impl OpusEncoder {
    /// Creates an encoder, or says which setting is out of its range.
    pub fn new(config: EncoderConfig) -> Result<Self, SetupError> {
        check(config)?;
        let mut encoder = Self { raw: RawEncoder::new(RATE).map_err(|_| SetupError::OutOfMemory)?, config };
        encoder.apply(config)?;
        Ok(encoder)
    }

    /// Returns the settings now in force.
    pub fn config(&self) -> EncoderConfig {
        self.config
    }

    /// Encodes one frame of exactly [`FrameLength::samples`] samples into `out` and returns its length in bytes.
    ///
    /// The frame is never longer than `out`: a short buffer lowers the quality. [`MAX_FRAME_BYTES`] fits a voice packet.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, EncodeError> {
        let expected = self.config.frame_length.samples();
        if pcm.len() != expected {
            return Err(EncodeError::WrongLength { expected, found: pcm.len() });
        }
        self.raw.encode(pcm, out).map_err(|code| match code {
            Code::BUFFER_TOO_SMALL | Code::BAD_ARG => EncodeError::BufferTooSmall,
            _ => EncodeError::Internal,
        })
    }

    /// Changes the nominal bitrate, from the next frame on.
    pub fn set_bitrate(&mut self, bitrate: u32) -> Result<(), SetupError> {
        self.reconfigure(EncoderConfig { bitrate, ..self.config })
    }

    /// Changes redundancy, from the next frame on: in-band FEC on or off, and the loss in percent that it is sized for.
    pub fn set_fec(&mut self, fec: bool, expected_loss_percent: u8) -> Result<(), SetupError> {
        self.reconfigure(EncoderConfig { fec, expected_loss_percent, ..self.config })
    }

    /// Turns DTX on or off, from the next frame on.
    pub fn set_dtx(&mut self, dtx: bool) -> Result<(), SetupError> {
        self.reconfigure(EncoderConfig { dtx, ..self.config })
    }

    /// Returns by how many samples decoded sound is behind the sound encoded: 312 for voice.
    pub fn lookahead(&mut self) -> usize {
        self.raw.lookahead().ok().and_then(|samples| usize::try_from(samples).ok()).unwrap_or(0)
    }

    /// Forgets all sound so far, as at the start of a stream; the settings stay.
    pub fn reset(&mut self) {
        self.raw.reset();
    }

    fn reconfigure(&mut self, config: EncoderConfig) -> Result<(), SetupError> {
        check(config)?;
        self.apply(config)?;
        self.config = config;
        Ok(())
    }

    fn apply(&mut self, config: EncoderConfig) -> Result<(), SetupError> {
        let EncoderConfig { frame_length: _, bitrate, complexity, fec, expected_loss_percent, dtx } = config;
        let bitrate = i32::try_from(bitrate).map_err(|_| SetupError::Bitrate)?;
        self.set(Setting::Bitrate, bitrate, SetupError::Bitrate)?;
        self.set(Setting::Complexity, complexity.into(), SetupError::Complexity)?;
        self.set(Setting::InbandFec, fec.into(), SetupError::ExpectedLoss)?;
        self.set(Setting::PacketLossPercent, expected_loss_percent.into(), SetupError::ExpectedLoss)?;
        self.set(Setting::Dtx, dtx.into(), SetupError::OutOfMemory)
    }

    fn set(&mut self, setting: Setting, value: i32, error: SetupError) -> Result<(), SetupError> {
        self.raw.set(setting, value).map_err(|_| error)
    }
}

/// Turns one speaker's Opus frames back into PCM, and fills the gaps.
#[derive(Debug)]
pub struct OpusDecoder {
    raw: RawDecoder,
}

impl OpusDecoder {
    /// Creates a decoder; it takes every frame length and bitrate.
    pub fn new() -> Result<Self, SetupError> {
        RawDecoder::new(RATE).map(|raw| Self { raw }).map_err(|_| SetupError::OutOfMemory)
    }

    /// Decodes `packet` into the front of `out` and returns the number of samples, at most [`MAX_PACKET_SAMPLES`].
    pub fn decode(&mut self, packet: &[u8], out: &mut [i16]) -> Result<usize, DecodeError> {
        if packet.is_empty() {
            return Err(DecodeError::Empty);
        }
        if out.is_empty() {
            return Err(DecodeError::BufferTooSmall);
        }
        self.raw.decode(Some(packet), out, false).map_err(DecodeError::from)
    }

    /// Fills all of `out` with the frame lost just before `next_packet`, from the copy in it, or conceals it if there is none.
    ///
    /// `out` has the length of the lost frame: a multiple of 120 samples, at most [`MAX_PACKET_SAMPLES`]. `next_packet` itself is
    /// not played: decode it afterwards.
    pub fn decode_fec(&mut self, next_packet: &[u8], out: &mut [i16]) -> Result<(), DecodeError> {
        if next_packet.is_empty() {
            return Err(DecodeError::Empty);
        }
        self.fill(Some(next_packet), out)
    }

    /// Fills all of `out` with a guess at a lost frame (PLC), fading to silence over a long gap.
    ///
    /// `out` has the length of the lost frame: a multiple of 120 samples, at most [`MAX_PACKET_SAMPLES`].
    pub fn conceal(&mut self, out: &mut [i16]) -> Result<(), DecodeError> {
        self.fill(None, out)
    }

    /// Forgets all sound so far, as at the start of a stream.
    pub fn reset(&mut self) {
        self.raw.reset();
    }

    fn fill(&mut self, packet: Option<&[u8]>, out: &mut [i16]) -> Result<(), DecodeError> {
        if out.is_empty() || out.len() > MAX_PACKET_SAMPLES || !out.len().is_multiple_of(STEP_SAMPLES) {
            return Err(DecodeError::WrongLength);
        }
        let filled = self.raw.decode(packet, out, packet.is_some())?;
        out.iter_mut().skip(filled).for_each(|sample| *sample = 0);
        Ok(())
    }
}

/// Says whether an encoded frame only stands for silence: with DTX on it need not be sent.
pub fn is_dtx(frame: &[u8]) -> bool {
    frame.len() <= DTX_BYTES
}

/// Returns how many samples `packet` stands for, from its header alone, or an error if that can't be.
pub fn packet_samples(packet: &[u8]) -> Result<usize, DecodeError> {
    if packet.is_empty() {
        return Err(DecodeError::Empty);
    }
    ffi::packet_samples(packet, RATE).map_err(|_| DecodeError::Malformed)
}

/// Why an encoder or a decoder was not set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetupError {
    /// There is no memory for the codec.
    OutOfMemory,
    /// The bitrate is outside 6,000 to 510,000 bit/s.
    Bitrate,
    /// The complexity is above 10.
    Complexity,
    /// The expected loss is above 100 percent.
    ExpectedLoss,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SetupError::OutOfMemory => "not enough memory for the codec",
            SetupError::Bitrate => "the bitrate must be 6000 to 510000 bit/s",
            SetupError::Complexity => "the complexity must be 0 to 10",
            SetupError::ExpectedLoss => "the expected loss must be 0 to 100 percent",
        })
    }
}

impl Error for SetupError {}

/// Why a frame was not encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodeError {
    /// The PCM is not one frame long.
    WrongLength {
        /// The samples in one frame of this encoder.
        expected: usize,
        /// The samples that were given.
        found: usize,
    },
    /// The output buffer can't hold even the coarsest frame.
    BufferTooSmall,
    /// The codec failed for a reason of its own.
    Internal,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::WrongLength { expected, found } => {
                write!(f, "a frame must hold {expected} samples, not {found}")
            }
            EncodeError::BufferTooSmall => f.write_str("the buffer is too small for a frame"),
            EncodeError::Internal => f.write_str("the codec failed to encode a frame"),
        }
    }
}

impl Error for EncodeError {}

/// Why a packet was not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// The packet has no bytes.
    Empty,
    /// The packet is not Opus.
    Malformed,
    /// The output buffer is shorter than the packet's sound.
    BufferTooSmall,
    /// The output to fill is not a multiple of 120 samples from 120 to [`MAX_PACKET_SAMPLES`].
    WrongLength,
    /// The codec failed for a reason of its own.
    Internal,
}

impl From<Code> for DecodeError {
    fn from(code: Code) -> Self {
        match code {
            Code::BUFFER_TOO_SMALL => DecodeError::BufferTooSmall,
            Code::INVALID_PACKET | Code::BAD_ARG => DecodeError::Malformed,
            _ => DecodeError::Internal,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DecodeError::Empty => "the packet is empty",
            DecodeError::Malformed => "the packet is not Opus",
            DecodeError::BufferTooSmall => "the buffer is too small for the packet's sound",
            DecodeError::WrongLength => "the length to fill must be a multiple of 120 samples, at most 5760",
            DecodeError::Internal => "the codec failed to decode a packet",
        })
    }
}

impl Error for DecodeError {}

fn check(config: EncoderConfig) -> Result<(), SetupError> {
    if !(6_000..=510_000).contains(&config.bitrate) {
        return Err(SetupError::Bitrate);
    }
    if config.complexity > 10 {
        return Err(SetupError::Complexity);
    }
    if config.expected_loss_percent > 100 {
        return Err(SetupError::ExpectedLoss);
    }
    Ok(())
}
