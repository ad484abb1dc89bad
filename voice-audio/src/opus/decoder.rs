use super::{
    Channels, CpuBudget, DecodeError, MAX_PACKET_SAMPLES, RATE, SetupError, has_fec,
    packet::{check_packet, frame_samples, is_celt},
    packet_samples,
    redundancy::Redundancy,
};
use crate::backend::{RawDecoder, Refusal};

/// Concealed and recovered sound comes in steps of 2.5 ms.
const STEP_SAMPLES: usize = 120;

/// What a lost frame was filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recovery {
    /// The coarse copy in the packet after it: in-band FEC.
    Fec,
    /// The picture of the past in a later packet: DRED.
    Dred,
    /// A guess: no redundancy reached that far.
    Concealed,
}

/// Turns one speaker's Opus frames back into PCM, and fills the gaps.
///
/// It takes any frame length, bitrate and number of channels, changing from packet to packet: stereo is mixed down for a mono decoder, and
/// mono comes out of both channels of a stereo one. After a packet that is an error the next good one decodes as if the bad one had not been.
#[derive(Debug)]
pub struct OpusDecoder {
    raw: RawDecoder,
    channels: Channels,
    redundancy: Redundancy,
    /// Whether the last packet had no SILK part: then there is nothing that in-band FEC could go on from.
    celt: bool,
}

impl OpusDecoder {
    /// Creates a mono decoder with the complexity of [`CpuBudget::High`].
    pub fn new() -> Result<Self, SetupError> {
        Self::with_channels(Channels::Mono)
    }

    /// Creates a decoder that gives that many channels, whatever the packets have.
    pub fn with_channels(channels: Channels) -> Result<Self, SetupError> {
        let raw = RawDecoder::new(RATE, channels.count()).map_err(|_| SetupError::OutOfMemory)?;
        let redundancy = Redundancy::new().map_err(|_| SetupError::OutOfMemory)?;
        let mut decoder = Self { raw, channels, redundancy, celt: false };
        decoder.set_complexity(CpuBudget::High.decoder_complexity())?;
        Ok(decoder)
    }

    /// Returns the channels of the samples that come out.
    pub fn channels(&self) -> Channels {
        self.channels
    }

    /// Changes how hard the decoder works on gaps, 0 to 10: from 5 on libopus 1.6 conceals with a neural network; 1.3 knows only one way.
    pub fn set_complexity(&mut self, complexity: u8) -> Result<(), SetupError> {
        if complexity > 10 {
            return Err(SetupError::Complexity);
        }
        match self.raw.set_complexity(complexity.into()) {
            Ok(()) | Err(Refusal::Unimplemented) => Ok(()),
            Err(_) => Err(SetupError::Internal),
        }
    }

    /// Decodes `packet` into the front of `out` and returns the number of samples per channel, at most [`MAX_PACKET_SAMPLES`].
    pub fn decode(&mut self, packet: &[u8], out: &mut [i16]) -> Result<usize, DecodeError> {
        let samples = check_packet(packet)?;
        let out = out.get_mut(..samples * self.channels.count()).ok_or(DecodeError::BufferTooSmall)?;
        let decoded = self.raw.decode(Some(packet), out, false)?;
        self.celt = is_celt(packet);
        Ok(decoded)
    }

    /// Fills all of `out` with the frame lost `back` frames before `packet`, as well as that packet allows, and says from what.
    ///
    /// `back` counts in the length of `out`: 1 is the frame just before the packet, and 0 is taken as 1. For that one in-band FEC is
    /// used before DRED; where neither is there, it is concealed. A burst is filled oldest first, then `packet` itself is decoded.
    ///
    /// `out` has the length of the lost frame: per channel a multiple of 120 samples, at most [`MAX_PACKET_SAMPLES`].
    pub fn recover(&mut self, packet: &[u8], back: u8, out: &mut [i16]) -> Result<Recovery, DecodeError> {
        check_packet(packet)?;
        let samples = self.samples_to_fill(out)?;
        if back <= 1 && self.can_use_fec(packet, samples) {
            let filled = self.raw.decode(Some(packet), out, true);
            self.finish(filled, out)?;
            return Ok(Recovery::Fec);
        }
        let offset = usize::from(back.max(1)) * samples;
        match self.redundancy.decode(packet, offset, &mut self.raw, out) {
            Some(filled) => self.finish(filled, out).map(|()| Recovery::Dred),
            None => self.conceal(out).map(|()| Recovery::Concealed),
        }
    }

    /// Returns how many frames before `packet`, of its own length, [`recover`](Self::recover) can rebuild from it. What is not Opus has none.
    ///
    /// It costs little; asking again about the same packet, or recovering from it afterwards, does not read it twice.
    pub fn redundancy(&mut self, packet: &[u8]) -> usize {
        let Ok(samples) = packet_samples(packet) else { return 0 };
        (self.redundancy.reach(packet) / samples).max(usize::from(self.can_use_fec(packet, samples)))
    }

    /// Fills all of `out` with the frame lost just before `next_packet`: [`recover`](Self::recover) for one frame back.
    pub fn decode_fec(&mut self, next_packet: &[u8], out: &mut [i16]) -> Result<(), DecodeError> {
        self.recover(next_packet, 1, out).map(drop)
    }

    /// Fills all of `out` with a guess at a lost frame (PLC), fading to silence or to the background's noise over a long gap.
    ///
    /// `out` has the length of the lost frame: per channel a multiple of 120 samples, at most [`MAX_PACKET_SAMPLES`].
    pub fn conceal(&mut self, out: &mut [i16]) -> Result<(), DecodeError> {
        self.samples_to_fill(out)?;
        let filled = self.raw.decode(None, out, false);
        self.finish(filled, out)
    }

    /// Forgets all sound so far, as at the start of a stream; channels and complexity stay.
    pub fn reset(&mut self) {
        self.raw.reset();
        self.redundancy.forget();
        self.celt = false;
    }

    fn samples_to_fill(&self, out: &[i16]) -> Result<usize, DecodeError> {
        let channels = self.channels.count();
        let samples = out.len() / channels;
        let whole = out.len().is_multiple_of(channels * STEP_SAMPLES);
        if samples == 0 || samples > MAX_PACKET_SAMPLES || !whole { Err(DecodeError::WrongLength) } else { Ok(samples) }
    }

    /// FEC restores a whole frame of the packet's length, and libopus fills what is before it with a guess.
    fn can_use_fec(&self, packet: &[u8], samples: usize) -> bool {
        !self.celt && has_fec(packet) && frame_samples(packet) <= samples
    }

    fn finish(&mut self, filled: Result<usize, Refusal>, out: &mut [i16]) -> Result<(), DecodeError> {
        let filled = filled? * self.channels.count();
        out.iter_mut().skip(filled).for_each(|sample| *sample = 0);
        Ok(())
    }
}
