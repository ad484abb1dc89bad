//! One voice's way into the mix, like a strip of a mixing desk: volume, fade, meter, place.

use std::time::Duration;

use voice_core::{ClientId, Frame, Sound};

use super::{
    Ears, Level, Presence, RemoteVoice, STEP, STEP_US, Space, Tap, Tapped,
    meter::Meter,
    output::to_i16,
    ramp::{Ramp, Slope},
};
use crate::{Recovery, SAMPLE_RATE, SetupError};

/// Steps in which a changed volume is reached: 10 ms.
const VOLUME_STEPS: u16 = 4;
/// Steps in which a voice fades that is not to be heard, or is again: 15 ms.
const FADE_STEPS: u16 = 6;
/// Steps in which a voice is where it moved to: 20 ms, a frame of a slow game.
const PLACE_STEPS: u16 = 8;
/// Pulls for one step at most: a source that gives nothing but empty frames is not asked forever.
const MAX_PULLS: usize = 8;
/// The loudest volume of a channel times a local volume, percent.
const MAX_PERCENT: u16 = 400;

/// A question for sound of one speaker; answered by [`Pull::give`], or not at all: then the speaker is silent for a moment.
#[derive(Debug)]
pub struct Pull<'a> {
    speaker: ClientId,
    queued: Duration,
    strip: &'a mut Strip,
}

impl Pull<'_> {
    /// Returns whose sound is wanted.
    pub fn speaker(&self) -> ClientId {
        self.speaker
    }

    /// Returns how much sound of the speaker comes before it: what was pulled and is not heard yet when the block begins. To be handed to
    /// `Client::next_frame`.
    pub fn queued(&self) -> Duration {
        self.queued
    }

    /// Returns how many lost frames before it a packet of the speaker brings back: for `Client::set_speaker_redundancy`, before the next
    /// frame is asked for.
    pub fn redundancy(&self) -> u8 {
        self.strip.voice.redundancy()
    }

    /// Takes what is to be heard next of the speaker.
    pub fn give(self, frame: Frame<'_>) {
        self.strip.take(&frame);
    }

    /// The same, and returns what a lost frame was filled with; `None` for a frame that was played and for silence.
    pub fn give_and_see(self, frame: Frame<'_>) -> Option<Recovery> {
        self.strip.take(&frame)
    }
}

/// What all strips of a step have in common.
pub(super) struct Desk<'a> {
    /// Samples since the beginning, 48 kHz.
    pub(super) at: u64,
    /// What comes before this step in the block, µs.
    pub(super) ahead_us: u64,
    pub(super) space: &'a Space,
    pub(super) ears: &'a Ears,
    pub(super) duck: Slope,
    /// The mix, a channel after the other.
    pub(super) mix: &'a mut [f32],
}

/// A voice and its controls.
#[derive(Debug)]
pub(super) struct Strip {
    pub(super) speaker: Option<ClientId>,
    pub(super) voice: RemoteVoice,
    /// Whether it was asked for in this block.
    pub(super) wanted: bool,
    /// The step in which it was heard last.
    pub(super) heard_at: u64,
    pub(super) presence: Presence,
    meter: Meter,
    /// Whether there is sound, or will be.
    sounding: bool,
    /// Whether the newest that was pulled is silence.
    ended: bool,
    /// Whether sound begins after silence: then gains need no ramps.
    begins: bool,
    given: bool,
    positional: bool,
    percent: u16,
    volume: Ramp,
    fade: Ramp,
    place: [Ramp; 2],
}

impl Strip {
    pub(super) fn new() -> Result<Self, SetupError> {
        Ok(Self {
            speaker: None,
            voice: RemoteVoice::new()?,
            wanted: false,
            heard_at: 0,
            presence: Presence::default(),
            meter: Meter::default(),
            sounding: false,
            ended: true,
            begins: false,
            given: false,
            positional: false,
            percent: 100,
            volume: Ramp::at(1.0),
            fade: Ramp::at(1.0),
            place: [Ramp::at(1.0); 2],
        })
    }

    /// Becomes the voice of another speaker.
    pub(super) fn assign(&mut self, speaker: ClientId) {
        self.voice.reset();
        self.speaker = Some(speaker);
        self.presence = Presence::default();
        self.meter = Meter::default();
        (self.sounding, self.ended, self.begins) = (false, true, false);
        (self.positional, self.percent) = (false, 100);
    }

    /// Whether there is sound, or will be.
    pub(super) fn is_sounding(&self) -> bool {
        self.sounding
    }

    pub(super) fn level(&self) -> Level {
        self.meter.level()
    }

    /// One step: pulls what is missing, and adds the voice to the mix.
    pub(super) fn step(
        &mut self,
        desk: &mut Desk<'_>,
        pull: &mut dyn FnMut(Pull<'_>),
        tap: Option<&mut (dyn FnMut(Tap<'_>) + '_)>,
    ) {
        let Some(speaker) = self.speaker else { return };
        if !self.wanted && !self.sounding {
            return self.meter.add(&[]);
        }
        self.fill(speaker, desk.ahead_us, pull);
        let mut sound = [0; STEP];
        self.voice.read(&mut sound);
        let silent = sound.iter().fold(0, |all, sample| all | sample) == 0;
        if silent {
            self.sounding &= !self.ended;
            return self.meter.add(&[]);
        }
        self.heard_at = desk.at;
        self.aim(desk);
        self.mix(speaker, &sound, desk, tap);
    }

    fn fill(&mut self, speaker: ClientId, ahead_us: u64, pull: &mut dyn FnMut(Pull<'_>)) {
        for _ in 0..MAX_PULLS {
            if self.voice.queued() >= STEP {
                return;
            }
            let queued = Duration::from_micros(ahead_us + u64::from(self.voice.queued_us()));
            self.given = false;
            pull(Pull { speaker, queued, strip: self });
            if !self.given {
                break;
            }
        }
        if self.voice.queued() < STEP {
            self.voice.push(Sound::Silence, STEP_US, voice_core::Pace::Steady);
            self.ended = true;
        }
    }

    fn take(&mut self, frame: &Frame<'_>) -> Option<Recovery> {
        self.given = true;
        self.ended = matches!(frame.sound, Sound::Silence);
        // Silence says nothing of how what was heard before it is to be heard.
        if !self.ended {
            self.begins |= !self.sounding;
            self.sounding = true;
            self.positional = frame.positional;
            self.percent = frame.volume_percent.min(MAX_PERCENT);
            self.fade.to(if frame.audible { 1.0 } else { 0.0 }, FADE_STEPS);
        }
        self.voice.push(frame.sound, frame.length_us, frame.pace)
    }

    /// Sets where the gains go to.
    fn aim(&mut self, desk: &Desk<'_>) {
        self.volume.to(f32::from(self.percent) / 100.0 * self.presence.gain, VOLUME_STEPS);
        let place = match self.presence.position.filter(|_| self.positional) {
            None => [1.0; 2],
            Some(position) if desk.mix.len() == STEP => [desk.space.gain(desk.ears, position); 2],
            Some(position) => desk.space.gains(desk.ears, position),
        };
        self.place.iter_mut().zip(place).for_each(|(ramp, gain)| ramp.to(gain, PLACE_STEPS));
        if std::mem::take(&mut self.begins) {
            self.volume.jump();
            self.fade.jump();
            self.place.iter_mut().for_each(Ramp::jump);
        }
    }

    fn mix(
        &mut self,
        speaker: ClientId,
        sound: &[i16; STEP],
        desk: &mut Desk<'_>,
        tap: Option<&mut (dyn FnMut(Tap<'_>) + '_)>,
    ) {
        let level = self.volume.step().times(self.fade.step());
        let place = self.place.each_mut().map(|ramp| ramp.step().times(desk.duck));
        if level.is_silent() {
            return self.meter.add(&[]);
        }
        let mut processed = [0.0; STEP];
        level.apply(sound, &mut processed);
        self.meter.add(&processed);
        if let Some(tap) = tap {
            let pcm = processed.map(to_i16);
            tap(Tap { of: Tapped::Voice(speaker), at: desk.at, pcm: &pcm });
        }
        for (channel, place) in desk.mix.chunks_exact_mut(STEP).zip(place) {
            place.add(&processed, channel);
        }
    }
}

const _: () = assert!(STEP as u64 * 1_000_000 == STEP_US as u64 * SAMPLE_RATE as u64);
