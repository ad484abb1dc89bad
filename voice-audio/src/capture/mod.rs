//! The speaker's side: microphone samples in, frames for the encoder out.
//!
//! ```text
//! push --> mix down --> backlog --> 48 kHz --> echo --> noise --> gain --> limiter --> gate --> talkspurts --> pull
//!                                               ^          `-- speech? ---^------------------------^
//!                                          push_render
//! ```
//!
//! All work is done in hops of 10 ms, when frames are pulled. `docs/AUDIO.md` says what each stage does and what it costs.

mod blend;
mod config;
mod decibel;
#[cfg_attr(not(feature = "denoise"), path = "no_denoise.rs")]
mod denoise;
mod detector;
#[cfg_attr(not(feature = "echo"), path = "no_echo.rs")]
mod echo;
mod gain;
mod gate;
mod intake;
mod limiter;
mod loudspeaker;
mod meter;
mod noise_floor;
#[cfg_attr(not(feature = "resample"), path = "no_resampling.rs")]
mod resampling;
mod ring;
mod talk;

use std::fmt;
use std::time::Duration;

pub use config::{
    Activation, CAPTURE_RATES, CaptureConfig, CaptureError, Detection, GainControl, InputFormat, MAX_CAPTURE_CHANNELS,
    MAX_CAPTURE_WAIT, Stages,
};
pub use meter::Level;
pub use talk::{CaptureFrame, FrameKind};

use denoise::Denoise;
use detector::Detector;
use gain::Gain;
use gate::Gate;
use intake::Intake;
use limiter::Limiter;
use loudspeaker::Loudspeaker;
use meter::Meter;
use talk::Talk;

/// The samples of 10 ms, which is what every stage works on.
const HOP: usize = 480;
const HOP_TIME: Duration = Duration::from_millis(10);
type Hop = [f32; HOP];

/// Makes a microphone's samples into frames for the encoder, and says which of them to send.
///
/// The caller pushes whatever the device gives, in blocks of any size, and pulls until there is no frame. There is no clock: time is
/// what was pushed. Nothing allocates after construction except the echo canceller, if it is built and on; see
/// [`Self::prepare_thread`].
///
/// ```
/// use voice_audio::{Capture, CaptureConfig, InputFormat};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let input = InputFormat { rate: 48_000, channels: 2 };
/// let mut capture = Capture::new(CaptureConfig { input, ..CaptureConfig::default() })?;
///
/// let from_device = [0.0f32; 2 * 480];
/// capture.push_f32(&from_device);
/// while let Some(frame) = capture.pull() {
///     if frame.kind.is_speech() {
///         // Encode `frame.samples`, and give them to `Client::send_frame`.
///     }
///     if frame.kind.is_last() {
///         // `Client::end_talkspurt`
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Pacing
///
/// When voice activation notices speech, the frames of the pre-roll come at once with the one in which it was noticed;
/// [`CaptureFrame::waiting`] says how many follow. Send them at once, in order: they are the past already, and a listener that has
/// them early has that much more against jitter. To spread them out would make all of the talkspurt late by their length.
///
/// # The own voice
///
/// All frames together are a gapless record of exactly what is encoded, with zeros for what isn't: for recording, captions or
/// moving lips. To hear oneself without being sent, use a second `Capture` with [`Activation::Open`].
///
/// # Stalls
///
/// Of what isn't pulled, [`CaptureConfig::backlog`] is kept, and the oldest beyond it is dropped and counted
/// ([`Self::dropped`]); the gap is smoothed. When nothing is pushed, nothing comes out; a device that has stopped for good is told by
/// [`Self::finish`]. Neither resets anything.
pub struct Capture {
    intake: Intake,
    loudspeaker: Option<Loudspeaker>,
    denoise: Denoise,
    gain: Gain,
    limiter: Option<Limiter>,
    detector: Detector,
    gate: Gate,
    talk: Talk,
    input_meter: Meter,
    voice_meter: Meter,
    stages: Stages,
    pre_roll_frames: usize,
    frame_length: crate::FrameLength,
    finished: bool,
}

impl Capture {
    /// Builds the pipeline, with all the memory that it will use (but see [`Self::prepare_thread`]): at most 512 KiB at 48 kHz, and
    /// about 1 MB more with the echo canceller.
    ///
    /// # Errors
    ///
    /// For rates, channels and times out of range; the error says what is allowed.
    pub fn new(config: CaptureConfig) -> Result<Self, CaptureError> {
        config.check()?;
        let frame = config.frame_length.samples();
        let pre_roll_frames = config.pre_roll.as_micros().div_ceil(frame_time(frame).as_micros()) as usize;
        Ok(Self {
            intake: Intake::new(config.input, config.backlog)?,
            loudspeaker: Loudspeaker::new(&config)?,
            denoise: Denoise::new(config.stages.denoise),
            gain: Gain::new(config.gain),
            limiter: config.has_limiter.then(|| Limiter::new(config.stages.limiter)),
            detector: Detector::new(config.detection),
            gate: Gate::new(config.activation),
            talk: Talk::new(frame, pre_roll_frames),
            input_meter: Meter::default(),
            voice_meter: Meter::default(),
            stages: config.stages,
            pre_roll_frames,
            frame_length: config.frame_length,
            finished: false,
        })
    }

    /// Makes the calling thread ready to pull without allocating, from any [`Capture`]: RNNoise's Fourier transform keeps its tables
    /// per thread and makes them on first use. The thread that builds a `Capture` is ready.
    pub fn prepare_thread() {
        Denoise::prepare_thread();
    }

    /// Returns by how much the frames' samples are later than the input's, in samples at 48 kHz: resampling, echo cancellation,
    /// noise suppression and limiter, whether they are on or not. Collecting a hop and a frame, and the pre-roll, come on top.
    pub fn latency(&self) -> usize {
        let echo = if self.loudspeaker.is_some() { Loudspeaker::DELAY } else { 0 };
        let limiter = if self.limiter.is_some() { Limiter::DELAY } else { 0 };
        self.intake.delay() + echo + Denoise::DELAY + limiter
    }

    /// Returns how much of the frame that comes next was pushed already, in samples at 48 kHz, when all frames are pulled: a device that gives 10 ms at a
    /// time, of which this isn't a multiple, lets the end of each frame wait for sound that isn't in it.
    pub fn begun(&self) -> usize {
        self.intake.waiting() + self.talk.filled()
    }

    /// Returns the length of the frames.
    pub fn frame_length(&self) -> crate::FrameLength {
        self.frame_length
    }

    /// Returns how many samples of each channel were dropped because they were not pulled in time, at the input's rate.
    pub fn dropped(&self) -> u64 {
        self.intake.dropped()
    }

    /// Returns how loud the microphone is.
    pub fn input_level(&self) -> Level {
        self.input_meter.level()
    }

    /// Returns how loud the voice is after all stages, whether it is sent or not.
    pub fn voice_level(&self) -> Level {
        self.voice_meter.level()
    }

    /// Returns by how much the automatic gain amplifies now, in dB: -30.0 to the most it may.
    pub fn gain_db(&self) -> f32 {
        self.gain.db()
    }

    /// Says whether a talkspurt has begun and not ended.
    pub fn is_talking(&self) -> bool {
        self.talk.is_talking()
    }

    /// Returns which stages are on.
    pub fn stages(&self) -> Stages {
        self.stages
    }

    /// Returns what makes a talkspurt.
    pub fn activation(&self) -> Activation {
        self.gate.activation()
    }

    /// Takes samples of the microphone, full scale 1.0, interleaved. What is not finite counts as silence. A block may be empty, and
    /// may end between the channels of a sample.
    pub fn push_f32(&mut self, samples: &[f32]) {
        self.intake.push(samples.iter().copied());
    }

    /// Takes samples of the microphone as 16-bit integers; else as [`Self::push_f32`].
    pub fn push_i16(&mut self, samples: &[i16]) {
        self.intake.push(samples.iter().copied().map(from_i16));
    }

    /// Leaves out the next so much of the microphone's sound, at most 60 ms, so that frames end later by that from then on: in a pause, as a server may wish
    /// (`Client::take_frame_shift` of the core). While a talkspurt is on it does nothing.
    pub fn leave_out(&mut self, span: Duration) {
        if !self.is_talking() {
            self.intake.leave_out(span.min(Duration::from_millis(60)));
        }
    }

    /// Takes samples of what is played, as close to the loudspeaker as they can be had: the mix that the listener hears. Full
    /// scale 1.0, in the format of [`CaptureConfig::render`]; without it they are dropped.
    ///
    /// Push what is played in the same turn in which the microphone is pushed, or before: the canceller finds the delay between them
    /// itself, but sound can't be taken out before it is known.
    pub fn push_render_f32(&mut self, samples: &[f32]) {
        if let Some(loudspeaker) = &mut self.loudspeaker {
            loudspeaker.push(samples.iter().copied());
        }
    }

    /// Takes samples of what is played as 16-bit integers; else as [`Self::push_render_f32`].
    pub fn push_render_i16(&mut self, samples: &[i16]) {
        if let Some(loudspeaker) = &mut self.loudspeaker {
            loudspeaker.push(samples.iter().copied().map(from_i16));
        }
    }

    /// Switches stages, from the next hop on, within 10 ms and without a click. The delay stays the same.
    pub fn set_stages(&mut self, stages: Stages) {
        self.stages = stages;
    }

    /// Changes what makes a talkspurt. One that is under way goes on only if the new mode would have it.
    pub fn set_activation(&mut self, activation: Activation) {
        self.gate.set_activation(activation);
    }

    /// Changes how speech is told from noise. Settings out of range are brought into it.
    pub fn set_detection(&mut self, detection: Detection) {
        self.detector.set_detection(detection);
    }

    /// Changes what the automatic gain aims at. Aims out of range are brought into it.
    pub fn set_gain(&mut self, control: GainControl) {
        self.gain.set_control(control);
    }

    /// Tells that the button of [`Activation::PushToTalk`] is down, or is let go: what was said until then is sent to its end.
    pub fn set_pressed(&mut self, pressed: bool) {
        let under_way = self.hops_under_way();
        self.gate.set_pressed(pressed, under_way);
    }

    /// Mutes, at once, or unmutes. What was said while muted is never sent, not even the part of it that is still on its way through
    /// the stages when unmuted.
    pub fn set_muted(&mut self, muted: bool) {
        let (permitted, under_way) = (self.gate.may_speak(), self.hops_under_way());
        self.gate.set_permission(muted, permitted, under_way);
    }

    /// Permits speaking, or forbids it as muting does: for rules that aren't the person's own, like a server's mute, a token or a
    /// zone. Permitted at first.
    pub fn set_permitted(&mut self, permitted: bool) {
        let (muted, under_way) = (self.gate.is_muted(), self.hops_under_way());
        self.gate.set_permission(muted, permitted, under_way);
    }

    /// Returns the next frame, or `None` until more is pushed. Does the work of all stages for the hops of this frame, and at the
    /// end of a talkspurt of at most those of a pre-roll.
    pub fn pull(&mut self) -> Option<CaptureFrame<'_>> {
        let mut hop = [0.0; HOP];
        while !self.talk.has_released() {
            if self.intake.next_hop(&mut hop) {
                self.process(&mut hop);
            } else if std::mem::take(&mut self.finished) {
                self.talk.finish(self.held_frames());
                self.detector.reset();
            } else {
                return None;
            }
        }
        Some(self.talk.take())
    }

    /// Tells that the device has stopped. When all that was pushed is pulled, a talkspurt under way ends, its last frame filled up
    /// with silence. What is pushed later is another talkspurt.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    fn process(&mut self, hop: &mut Hop) {
        self.input_meter.update(hop);
        let Stages { echo, denoise, gain, limiter } = self.stages;
        if let Some(loudspeaker) = &mut self.loudspeaker {
            loudspeaker.process(hop, echo);
        }
        let voice = self.gate.activation() == Activation::Voice;
        let strength = detector::strength(hop);
        let speech = self.denoise.process(hop, denoise, gain || voice);
        let active = self.detector.update(strength, speech) || !voice;
        self.gain.process(hop, gain, speech);
        if let Some(stage) = &mut self.limiter {
            stage.process(hop, limiter);
        }
        self.voice_meter.update(hop);
        let passage = self.gate.process(hop);
        if !passage.heard {
            self.detector.reset();
        }
        let goes_on = active && passage.open;
        self.talk.push(hop, active && passage.heard, goes_on, self.held_frames());
    }

    /// How many frames are held back for a pre-roll: only voice activation notices speech late.
    fn held_frames(&self) -> usize {
        if self.gate.activation() == Activation::Voice { self.pre_roll_frames } else { 0 }
    }

    /// How many hops have been captured, or begun, and have not reached the gate, rounded up.
    fn hops_under_way(&self) -> usize {
        self.intake.hops_waiting() + (self.latency() + HOP).div_ceil(HOP)
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").field("stages", &self.stages).field("gate", &self.gate).finish_non_exhaustive()
    }
}

fn frame_time(samples: usize) -> Duration {
    Duration::from_micros(samples as u64 * 1_000_000 / u64::from(crate::SAMPLE_RATE))
}

fn from_i16(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}
