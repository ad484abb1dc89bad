use std::{fs, rc::Rc};

use voice_audio::{
    EncoderConfig, FrameLength, MAX_FRAME_BYTES, OpusDecoder, OpusEncoder,
    listen::{Channels, Listener, ListenerConfig, Presence},
    read_wav, rms,
};
use voice_core::{ClientId, Frame, Pace, Sound};

use crate::case::Task;

const SPEAKERS: u16 = 32;
/// Clips of the repository.
const CLIPS: u16 = 4;
/// Packets of each speaker, over and over: encoding takes long under an instruction counter.
const PACKETS: usize = 20;

/// Whether speech is played as it comes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Only {
    Playing,
    Pacing,
}

struct Speaker {
    id: ClientId,
    packets: Rc<[Vec<u8>]>,
    next: usize,
}

impl Speaker {
    fn packet(&mut self) -> &[u8] {
        self.next = (self.next + 1) % self.packets.len();
        &self.packets[self.next]
    }
}

/// A part of one of the clips in frames of this length, without its pauses.
fn packets(clip: u16, frame_length: FrameLength) -> Rc<[Vec<u8>]> {
    let path = format!("{}/../clips/voice-{}.wav", env!("CARGO_MANIFEST_DIR"), clip + 1);
    let pcm = read_wav(&fs::read(path).expect("a clip of the repository")).expect("a WAV");
    let mut encoder = OpusEncoder::new(EncoderConfig { frame_length, ..EncoderConfig::default() }).expect("in range");
    let encode = |frame: &[i16]| {
        let mut packet = [0; MAX_FRAME_BYTES];
        let len = encoder.encode(frame, &mut packet).expect("a whole frame");
        packet[..len].to_vec()
    };
    pcm.chunks_exact(frame_length.samples()).filter(|frame| rms(frame) > 300).take(PACKETS).map(encode).collect()
}

/// Everybody, each at another place of one of the clips.
fn speakers(frame_length: FrameLength) -> Vec<Speaker> {
    let clips: Vec<_> = (0..CLIPS).map(|clip| packets(clip, frame_length)).collect();
    let speaker = |number: u16| Speaker {
        id: ClientId::new(number + 1).expect("not 0"),
        packets: clips[usize::from(number % CLIPS)].clone(),
        next: usize::from(number / CLIPS) * 2,
    };
    (0..SPEAKERS).map(speaker).collect()
}

/// A listener of 32 people.
pub(crate) struct Listen {
    listener: Listener,
    speakers: Vec<Speaker>,
    /// Of which nothing is mixed, only decoded.
    decoders: Vec<OpusDecoder>,
    block: Vec<i16>,
    prepared_blocks: usize,
    only: Only,
    moving: bool,
    tick: usize,
}

impl Listen {
    /// Frames of 60 ms: all are decoded in the preparation of a run, with the first 50 ms of them.
    pub(crate) fn mixing(rate: u32) -> Self {
        let mut task = Self::new(rate, FrameLength::Ms60, 5);
        // The next blocks prepare, and the one after them is in the middle of a frame.
        (0..4).for_each(|_| task.render(SPEAKERS.into()));
        task
    }

    /// Frames of 20 ms; half of the speakers begin 10 ms after the others, so that each run decodes 16.
    pub(crate) fn hearing(only: Only) -> Self {
        let mut task = Self { only, ..Self::new(48_000, FrameLength::Ms20, 0) };
        for number in 0..40 {
            task.render(if number == 0 { 16 } else { 32 });
        }
        task
    }

    pub(crate) fn decoding() -> Self {
        let mut task = Self::hearing(Only::Playing);
        task.decoders = task.speakers.iter().map(|_| OpusDecoder::new().expect("memory")).collect();
        task
    }

    pub(crate) fn moving(self) -> Self {
        Self { moving: true, ..self }
    }

    fn new(rate: u32, frame_length: FrameLength, prepared_blocks: usize) -> Self {
        let config = ListenerConfig { voices: SPEAKERS.into(), rate, channels: Channels::Stereo, ..Default::default() };
        Self {
            listener: Listener::new(config).expect("in range"),
            speakers: speakers(frame_length),
            decoders: Vec::new(),
            block: vec![0; rate as usize / 50],
            prepared_blocks,
            only: Only::Playing,
            moving: false,
            tick: 0,
        }
    }

    fn render(&mut self, speakers: usize) {
        self.tick += 1;
        for speaker in &self.speakers[..speakers] {
            let step = if self.moving { self.tick as f32 / 100.0 } else { 0.0 };
            let position = Some([f32::from(speaker.id.get()) - 16.0 + step, 3.0, 0.0]);
            self.listener.attend(speaker.id, Presence { gain: 1.0, position }).expect("a voice for each");
        }
        let (all, only) = (&mut self.speakers, self.only);
        self.listener.render(&mut self.block, |pull| {
            let speaker = &mut all[usize::from(pull.speaker().get() - 1)];
            let pace = match (only, speaker.next % 2) {
                (Only::Playing, _) => Pace::Steady,
                (Only::Pacing, 0) => Pace::Stretch(15_000),
                (Only::Pacing, _) => Pace::Shorten(15_000),
            };
            let (sound, length_us) = (Sound::Play(speaker.packet()), 20_000);
            pull.give(Frame { sound, length_us, pace, volume_percent: 100, positional: true, audible: true });
        });
    }

    fn decode_half(&mut self) {
        self.tick += 1;
        let half = self.tick % 2;
        for (speaker, decoder) in self.speakers.iter_mut().zip(&mut self.decoders).skip(half).step_by(2) {
            let mut pcm = [0; 960];
            decoder.decode(speaker.packet(), &mut pcm).expect("what was encoded");
        }
    }
}

impl Task for Listen {
    fn prepare(&mut self) {
        (0..self.prepared_blocks).for_each(|_| self.render(SPEAKERS.into()));
    }

    fn run(&mut self) {
        if self.decoders.is_empty() {
            self.render(SPEAKERS.into());
        } else {
            self.decode_half();
        }
    }
}
