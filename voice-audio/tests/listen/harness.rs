//! People who talk in encoded speech, and a listener who hears them.

use std::sync::LazyLock;

use voice_audio::{
    EncoderConfig, FrameLength, MAX_FRAME_BYTES, OpusDecoder, OpusEncoder,
    listen::{Channels, Listener, ListenerConfig, Presence, Pull, Tap},
};
use voice_core::{ClientId, Frame, Pace, Sound};

use crate::common::clip;

/// Samples by which the limiter delays.
pub(crate) const DELAY: usize = 120;
/// Samples over which a voice fades in at its beginning.
pub(crate) const ONSET: usize = 120;

/// A listener with one ear at 48 kHz.
pub(crate) const MONO: ListenerConfig = ListenerConfig {
    voices: 4,
    rate: 48_000,
    channels: Channels::Mono,
    space: voice_audio::listen::Space { min_distance: 1.0, max_distance: 50.0, rolloff: 1.0, width: 1.0 },
    ducking: None,
};

/// The same with two ears.
pub(crate) const STEREO: ListenerConfig = ListenerConfig { channels: Channels::Stereo, ..MONO };

/// Packets, and what they sound like to a decoder of their own.
pub(crate) struct Speech {
    pub(crate) packets: Vec<Vec<u8>>,
    pub(crate) whole: Vec<i16>,
}

impl Speech {
    pub(crate) fn encode(pcm: &[i16], config: EncoderConfig) -> Self {
        let (mut encoder, mut decoder) = (OpusEncoder::new(config).unwrap(), OpusDecoder::new().unwrap());
        let (mut packets, mut whole) = (Vec::new(), Vec::new());
        for frame in pcm.chunks_exact(config.frame_length.samples()) {
            let (mut packet, mut decoded) = ([0; MAX_FRAME_BYTES], vec![0; frame.len()]);
            let len = encoder.encode(frame, &mut packet).unwrap();
            decoder.decode(&packet[..len], &mut decoded).unwrap();
            packets.push(packet[..len].to_vec());
            whole.extend(decoded);
        }
        Self { packets, whole }
    }
}

/// Three seconds of a clip's speech, in the usual way.
pub(crate) fn speech(number: usize) -> &'static Speech {
    static ALL: [LazyLock<Speech>; 3] =
        [LazyLock::new(|| part(1)), LazyLock::new(|| part(2)), LazyLock::new(|| part(3))];
    &ALL[number]
}

fn part(number: usize) -> Speech {
    Speech::encode(&clip(number)[24_000..168_000], EncoderConfig::default())
}

/// A tone of so many hertz, as loud as said, through a good encoder.
pub(crate) fn tone(hertz: f64, level: f64, seconds: usize) -> Speech {
    let sample = |n: usize| (level * (std::f64::consts::TAU * hertz * n as f64 / 48_000.0).sin()) as i16;
    let pcm: Vec<i16> = (0..seconds * 48_000).map(sample).collect();
    let config = EncoderConfig { bitrate: 128_000, fec: false, expected_loss_percent: 0, ..EncoderConfig::default() };
    Speech::encode(&pcm, config)
}

/// Somebody who says packets one after the other.
pub(crate) struct Talker<'p> {
    pub(crate) id: ClientId,
    pub(crate) packets: &'p [Vec<u8>],
    pub(crate) next: usize,
    pub(crate) volume_percent: u16,
    pub(crate) positional: bool,
    pub(crate) audible: bool,
    pub(crate) presence: Presence,
    pub(crate) length_us: u32,
}

impl<'p> Talker<'p> {
    pub(crate) fn new(number: u16, speech: &'p Speech) -> Self {
        Self {
            id: id(number),
            packets: &speech.packets,
            next: 0,
            volume_percent: 100,
            positional: false,
            audible: true,
            presence: Presence::default(),
            length_us: FrameLength::Ms20.millis() * 1_000,
        }
    }

    pub(crate) fn at(self, position: [f32; 3]) -> Self {
        Self { positional: true, presence: Presence { position: Some(position), ..self.presence }, ..self }
    }

    pub(crate) fn frame(&mut self) -> Frame<'_> {
        let sound = self.packets.get(self.next).map_or(Sound::Silence, |packet| Sound::Play(packet));
        self.next += 1;
        Frame {
            sound,
            length_us: self.length_us,
            pace: Pace::Steady,
            volume_percent: self.volume_percent,
            positional: self.positional,
            audible: self.audible,
        }
    }
}

/// A listener and those who talk to it.
pub(crate) struct Room<'p> {
    pub(crate) listener: Listener,
    pub(crate) talkers: Vec<Talker<'p>>,
    pub(crate) pulls: usize,
}

impl<'p> Room<'p> {
    pub(crate) fn new(config: ListenerConfig, talkers: impl IntoIterator<Item = Talker<'p>>) -> Self {
        Self { listener: Listener::new(config).unwrap(), talkers: talkers.into_iter().collect(), pulls: 0 }
    }

    /// What is heard in so many samples of all channels, in blocks of 10 ms at 48 kHz.
    pub(crate) fn hear(&mut self, samples: usize) -> Vec<i16> {
        self.hear_in(samples, 480)
    }

    pub(crate) fn hear_in(&mut self, samples: usize, block: usize) -> Vec<i16> {
        let mut heard = vec![77; samples];
        heard.chunks_mut(block).for_each(|block| self.block(block, |_| {}));
        heard
    }

    pub(crate) fn block(&mut self, block: &mut [i16], tap: impl FnMut(Tap<'_>)) {
        for talker in &self.talkers {
            _ = self.listener.attend(talker.id, talker.presence);
        }
        let (talkers, pulls) = (&mut self.talkers, &mut self.pulls);
        let pull = |pull: Pull<'_>| {
            *pulls += 1;
            if let Some(talker) = talkers.iter_mut().find(|talker| talker.id == pull.speaker()) {
                pull.give(talker.frame());
            }
        };
        self.listener.render_tapped(block, pull, tap);
    }
}

pub(crate) fn id(number: u16) -> ClientId {
    ClientId::new(number).unwrap()
}

/// One of two interleaved channels.
pub(crate) fn channel(stereo: &[i16], number: usize) -> Vec<i16> {
    stereo.iter().skip(number).step_by(2).copied().collect()
}

/// The largest difference of neighbouring samples.
pub(crate) fn largest_step(pcm: &[i16]) -> i32 {
    pcm.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
}

pub(crate) fn largest(pcm: &[i16]) -> i32 {
    pcm.iter().map(|&sample| i32::from(sample).abs()).max().unwrap_or(0)
}

pub(crate) fn loudness(pcm: &[i16]) -> f64 {
    (crate::common::energy(pcm) / pcm.len() as f64).sqrt()
}

/// Whole sounds are too long to be printed.
#[track_caller]
pub(crate) fn assert_same(found: &[i16], wanted: &[i16]) {
    assert_eq!(found.len(), wanted.len(), "samples");
    if let Some(at) = (0..found.len()).find(|&at| found[at] != wanted[at]) {
        panic!("sample {at} is {} instead of {}", found[at], wanted[at]);
    }
}
