use std::error::Error;
use std::fmt;

use crate::backend::Refusal;

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
    /// DRED can't reach back that far.
    Dred,
    /// Channels and application can't change after an encoder is created.
    Fixed,
    /// The codec failed for a reason of its own.
    Internal,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SetupError::OutOfMemory => "not enough memory for the codec",
            SetupError::Bitrate => "the bitrate must be 6000 to 510000 bit/s",
            SetupError::Complexity => "the complexity must be 0 to 10",
            SetupError::ExpectedLoss => "the expected loss must be 0 to 100 percent",
            SetupError::Dred => "DRED reaches back at most 1040 ms",
            SetupError::Fixed => "channels and application need a new encoder",
            SetupError::Internal => "the codec refused a setting",
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
    /// The output to fill is not, per channel, a multiple of 120 samples from 120 to
    /// [`MAX_PACKET_SAMPLES`](super::MAX_PACKET_SAMPLES).
    WrongLength,
    /// The codec failed for a reason of its own.
    Internal,
}

impl From<Refusal> for DecodeError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::BufferTooSmall => DecodeError::BufferTooSmall,
            Refusal::InvalidPacket | Refusal::BadArgument => DecodeError::Malformed,
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
            DecodeError::WrongLength => {
                "the length to fill must be a multiple of 120 samples per channel, at most 5760"
            }
            DecodeError::Internal => "the codec failed to decode a packet",
        })
    }
}

impl Error for DecodeError {}
