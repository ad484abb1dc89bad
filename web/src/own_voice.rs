//! The own voice, heard as the others would: encoded, sent nowhere, decoded.

use voice_audio::{MAX_PACKET_SAMPLES, OpusDecoder};

/// Samples that wait before sound begins: packets come when the encoder has them, two frames of 20 ms even that out.
const BEGIN: usize = 1_920;
/// Samples that wait at most; what is more is left out.
const MOST: usize = 9_600;

/// A decoder, and sound that waits.
#[derive(Debug)]
pub(crate) struct OwnVoice {
    decoder: OpusDecoder,
    decoded: Box<[i16]>,
    /// A ring.
    waiting: Box<[i16]>,
    start: usize,
    len: usize,
    playing: bool,
}

impl OwnVoice {
    /// `None` if there is no memory for a decoder.
    pub(crate) fn new() -> Option<Self> {
        Some(Self {
            decoder: OpusDecoder::new().ok()?,
            decoded: vec![0; MAX_PACKET_SAMPLES].into_boxed_slice(),
            waiting: vec![0; MOST].into_boxed_slice(),
            start: 0,
            len: 0,
            playing: false,
        })
    }

    /// Takes a packet; what is not Opus is ignored.
    pub(crate) fn take(&mut self, packet: &[u8], last: bool) {
        let samples = self.decoder.decode(packet, &mut self.decoded).unwrap_or(0);
        for at in 0..samples.min(MOST - self.len) {
            self.waiting[(self.start + self.len + at) % MOST] = self.decoded[at];
        }
        self.len += samples.min(MOST - self.len);
        // A talkspurt shorter than the wait is heard, too.
        self.playing |= self.len >= BEGIN || last;
    }

    /// Adds what is heard now to both ears of a block.
    pub(crate) fn add_to(&mut self, left: &mut [f32], right: &mut [f32]) {
        if !self.playing {
            return;
        }
        for (left, right) in left.iter_mut().zip(right).take(self.len) {
            let sample = f32::from(self.waiting[self.start]) / 32_768.0;
            (*left, *right) = ((*left + sample).clamp(-1.0, 1.0), (*right + sample).clamp(-1.0, 1.0));
            self.start = (self.start + 1) % MOST;
            self.len -= 1;
        }
        self.playing = self.len > 0;
    }
}
