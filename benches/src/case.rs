use voice_audio::Stages;

use crate::{
    capture::TenMs,
    codec::{DecodeRoster, DecodeVoice, EncodeRoster, EncodeVoice},
    fan_out::FanOut,
    listen::{Listen, Only},
    playout::{FRAMES, Network, Speech},
    presence::{Announcement, Idle, Join},
};

/// Work that is repeated to be measured.
pub trait Task {
    /// Brings about what [`Task::run`] starts from; not measured.
    fn prepare(&mut self) {}

    /// Does the work once.
    fn run(&mut self);
}

/// A task and what its figure is divided by.
pub struct Case {
    /// Name without spaces, as the benchmark filter takes it.
    pub name: &'static str,
    /// What one run does, for a reader.
    pub what: &'static str,
    /// Deliveries (or other pieces of work) of one run.
    pub pieces: u32,
    /// Runs that are enough to count instructions: so many that a warm-up no longer shows.
    pub runs: u32,
    /// Whether every run needs [`Task::prepare`] before it.
    pub prepared: bool,
    /// Whether setting the stage takes a while, and without optimisation far too long.
    pub slow: bool,
    make: fn() -> Box<dyn Task>,
}

impl Case {
    const fn slow(self) -> Self {
        Self { slow: true, ..self }
    }

    /// Sets the stage.
    pub fn make(&self) -> Box<dyn Task> {
        (self.make)()
    }
}

const fn quick(name: &'static str, what: &'static str, pieces: u32, make: fn() -> Box<dyn Task>) -> Case {
    Case { name, what, pieces, runs: 1_000, prepared: false, slow: false, make }
}

const fn with_preparation(name: &'static str, what: &'static str, make: fn() -> Box<dyn Task>) -> Case {
    Case { name, what, pieces: 1, runs: 4, prepared: true, slow: false, make }
}

/// A second of one speaker: each packet taken, and each frame decided on.
const fn speech(name: &'static str, what: &'static str, make: fn() -> Box<dyn Task>) -> Case {
    Case { name, what, pieces: FRAMES, runs: 40, prepared: false, slow: false, make }
}

/// 10 ms of 32 voices, of which half pull a frame in every other run.
const fn voices(name: &'static str, what: &'static str, make: fn() -> Box<dyn Task>) -> Case {
    Case { name, what, pieces: 32, runs: 20, prepared: true, slow: true, make }
}

/// 10 ms of a microphone.
const fn sound(name: &'static str, what: &'static str, make: fn() -> Box<dyn Task>) -> Case {
    Case { name, what, pieces: 1, runs: 300, prepared: false, slow: false, make }
}

/// All cases, in the order of the tables.
pub const fn cases() -> &'static [Case] {
    const CASES: &[Case] = &[
        quick("decode/voice", "a voice packet, one room, 60 B payload", 1, || Box::new(DecodeVoice::new())),
        quick("decode/roster", "a roster page of 47 people, all records read", 47, || Box::new(DecodeRoster::new())),
        quick("encode/voice", "a voice packet, one room, 60 B payload", 1, || Box::new(EncodeVoice::new())),
        quick("encode/roster", "a roster page of 47 people", 47, || Box::new(EncodeRoster::new())),
        quick("fan-out/10", "10 listeners, nobody else", 10, || Box::new(FanOut::to_room(10, 11))),
        quick("fan-out/100", "100 listeners, nobody else", 100, || Box::new(FanOut::to_room(100, 101))),
        quick("fan-out/1000", "1,000 listeners, nobody else", 1_000, || Box::new(FanOut::to_room(1_000, 1_001))),
        quick("fan-out/4000", "4,000 listeners, nobody else", 4_000, || Box::new(FanOut::to_room(4_000, 4_001))),
        quick("fan-out/500-alone", "500 listeners, nobody else", 500, || Box::new(FanOut::to_room(500, 501))),
        quick("fan-out/500-of-4096", "500 listeners strewn among 4,096 clients", 500, || {
            Box::new(FanOut::to_room(500, 4_096))
        }),
        quick("fan-out/500-of-4096-whisper", "the same, and a whisper to one of another room", 501, || {
            Box::new(FanOut::to_room(500, 4_096).with_whisper())
        }),
        quick("idle/10", "a turn with nothing due, 10 clients", 1, || Box::new(Idle::new(10))),
        quick("idle/4096", "a turn with nothing due, 4,096 clients", 1, || Box::new(Idle::new(4_096))).slow(),
        with_preparation("join/10", "Hello to a whole roster, 10 present", || Box::new(Join::new(10))),
        with_preparation("join/4000", "Hello to a whole roster, 4,000 present", || Box::new(Join::new(4_000))).slow(),
        with_preparation("join-told/10", "telling 10 others of it", || Box::new(Announcement::new(10))),
        with_preparation("join-told/4000", "telling 4,000 others of it", || Box::new(Announcement::new(4_000))).slow(),
        speech("playout/steady", "50 packets and what is heard of them, each taking as long", || {
            Box::new(Speech::over(Network::Steady))
        }),
        speech("playout/jitter", "the same with a jitter of 40 ms, some overtaken", || {
            Box::new(Speech::over(Network::Jittery))
        }),
        speech("playout/loss", "the same with 5 % loss", || Box::new(Speech::over(Network::Lossy))),
        voices("listen/mix-32", "10 ms of 32 decoded voices in 48 kHz stereo", || Box::new(Listen::mixing(48_000))),
        voices("listen/mix-32-placed", "the same, all of them moving", || Box::new(Listen::mixing(48_000).moving())),
        voices("listen/mix-32-to-44100", "the same at rest, to 44.1 kHz", || Box::new(Listen::mixing(44_100))),
        voices("listen/hear-32", "10 ms of 32 voices, decoding included", || Box::new(Listen::hearing(Only::Playing))),
        voices("listen/hear-32-paced", "the same, every frame stretched or shortened", || {
            Box::new(Listen::hearing(Only::Pacing))
        }),
        voices("listen/decode-32", "the decoding alone: 16 frames of 20 ms", || Box::new(Listen::decoding())),
        sound("capture/none", "no stage: mono at 48 kHz in, meters, gate, frames", || {
            Box::new(TenMs::with(Stages::NONE))
        }),
        sound("capture/44100-stereo", "the same from 44.1 kHz stereo", || Box::new(TenMs::from_stereo(44_100))),
        sound("capture/16000-stereo", "the same from 16 kHz stereo", || Box::new(TenMs::from_stereo(16_000))),
        sound("capture/limiter", "the limiter alone", || {
            Box::new(TenMs::with(Stages { limiter: true, ..Stages::NONE }))
        }),
        sound("capture/denoise", "noise suppression alone", || {
            Box::new(TenMs::with(Stages { denoise: true, ..Stages::NONE }))
        }),
        sound("capture/denoise-gain", "noise suppression and automatic gain", || {
            Box::new(TenMs::with(Stages { denoise: true, gain: true, ..Stages::NONE }))
        }),
        sound("capture/usual", "voice activation, all stages but echo cancellation", || Box::new(TenMs::usual())),
        sound("capture/echo", "echo cancellation alone, with 10 ms played", || Box::new(TenMs::with_echo())),
    ];
    CASES
}
