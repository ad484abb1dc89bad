use super::{Application, EncodeError, EncoderConfig, FrameLength, RATE, SetupError, dred_share::dred_steps};
use crate::backend::{RawEncoder, Refusal, Setting, Tuning};

/// Turns one speaker's PCM into Opus frames.
///
/// Each setter takes effect with the next frame, allocates nothing, and keeps the sound going; a decoder needs no word of it.
#[derive(Debug)]
pub struct OpusEncoder {
    raw: RawEncoder,
    config: EncoderConfig,
}

impl OpusEncoder {
    /// Creates an encoder, or says which setting is out of its range.
    pub fn new(config: EncoderConfig) -> Result<Self, SetupError> {
        config.check()?;
        let tuning = match config.application {
            Application::Voice => Tuning::Voice,
            Application::Audio => Tuning::Audio,
        };
        let raw = RawEncoder::new(RATE, config.channels.count(), tuning).map_err(|_| SetupError::OutOfMemory)?;
        let mut encoder = Self { raw, config };
        encoder.apply(config)?;
        Ok(encoder)
    }

    /// Returns the settings now in force.
    pub fn config(&self) -> EncoderConfig {
        self.config
    }

    /// Encodes one frame of exactly [`EncoderConfig::frame_samples`] samples into `out` and returns its length in bytes.
    ///
    /// The frame is never longer than `out`: a short buffer lowers the quality. [`MAX_FRAME_BYTES`](super::MAX_FRAME_BYTES) fits a
    /// voice packet.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, EncodeError> {
        let expected = self.config.frame_samples();
        if pcm.len() != expected {
            return Err(EncodeError::WrongLength { expected, found: pcm.len() });
        }
        self.raw.encode(pcm, out).map_err(|refusal| match refusal {
            Refusal::BufferTooSmall | Refusal::BadArgument => EncodeError::BufferTooSmall,
            _ => EncodeError::Internal,
        })
    }

    /// Changes everything at once, or nothing: [`SetupError::Fixed`] if the channels or the application differ.
    pub fn reconfigure(&mut self, config: EncoderConfig) -> Result<(), SetupError> {
        config.check()?;
        if config.channels != self.config.channels || config.application != self.config.application {
            return Err(SetupError::Fixed);
        }
        self.apply(config)?;
        self.config = config;
        Ok(())
    }

    /// Changes how much sound a frame holds: what is encoded next must have the new length.
    pub fn set_frame_length(&mut self, frame_length: FrameLength) -> Result<(), SetupError> {
        self.reconfigure(EncoderConfig { frame_length, ..self.config })
    }

    /// Changes the nominal bitrate.
    pub fn set_bitrate(&mut self, bitrate: u32) -> Result<(), SetupError> {
        self.reconfigure(EncoderConfig { bitrate, ..self.config })
    }

    /// Changes how hard the encoder works.
    pub fn set_complexity(&mut self, complexity: u8) -> Result<(), SetupError> {
        self.reconfigure(EncoderConfig { complexity, ..self.config })
    }

    /// Sizes redundancy for the loss that listeners report, in percent: in-band FEC if it is on, and DRED if it has a reach.
    pub fn set_expected_loss(&mut self, expected_loss_percent: u8) -> Result<(), SetupError> {
        self.reconfigure(EncoderConfig { expected_loss_percent, ..self.config })
    }

    /// Turns in-band FEC on or off, and sizes redundancy for that loss in percent.
    pub fn set_fec(&mut self, fec: bool, expected_loss_percent: u8) -> Result<(), SetupError> {
        self.reconfigure(EncoderConfig { fec, expected_loss_percent, ..self.config })
    }

    /// Changes how far back DRED reaches, in ms; 0 turns it off.
    pub fn set_dred(&mut self, dred_ms: u16) -> Result<(), SetupError> {
        self.reconfigure(EncoderConfig { dred_ms, ..self.config })
    }

    /// Turns DTX on or off.
    pub fn set_dtx(&mut self, dtx: bool) -> Result<(), SetupError> {
        self.reconfigure(EncoderConfig { dtx, ..self.config })
    }

    /// Returns by how many samples decoded sound is behind the sound encoded: 312.
    pub fn lookahead(&mut self) -> usize {
        self.raw.lookahead().ok().and_then(|samples| usize::try_from(samples).ok()).unwrap_or(0)
    }

    /// Forgets all sound so far, as at the start of a stream; the settings stay.
    pub fn reset(&mut self) {
        self.raw.reset();
    }

    fn apply(&mut self, config: EncoderConfig) -> Result<(), SetupError> {
        let bitrate = i32::try_from(config.bitrate).map_err(|_| SetupError::Bitrate)?;
        self.set(Setting::Bitrate, bitrate, SetupError::Bitrate)?;
        self.set(Setting::Complexity, config.complexity.into(), SetupError::Complexity)?;
        self.set(Setting::InbandFec, config.fec.into(), SetupError::ExpectedLoss)?;
        self.set(Setting::PacketLossPercent, config.expected_loss_percent.into(), SetupError::ExpectedLoss)?;
        self.set(Setting::Dtx, config.dtx.into(), SetupError::Internal)?;
        self.set(Setting::DredDuration, dred_steps(&config).into(), SetupError::Dred)
    }

    /// What the linked library doesn't know is done without.
    fn set(&mut self, setting: Setting, value: i32, error: SetupError) -> Result<(), SetupError> {
        match self.raw.set(setting, value) {
            Ok(()) | Err(Refusal::Unimplemented) => Ok(()),
            Err(_) => Err(error),
        }
    }
}
