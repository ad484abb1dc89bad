use std::{error::Error, fmt};

use voice_core::ClientId;

use super::{
    Ducking, Ears, Level, OutputSample, Pull, RemoteVoice, STEP, STEP_US, Space, SpaceError,
    ducking::Ducker,
    limiter::Limiter,
    meter::Meter,
    output::{Output, to_i16},
    space,
    strip::{Desk, Strip},
};
use crate::{Recovery, SetupError};

/// The largest number of voices.
pub const MAX_VOICES: usize = 1_024;
/// The lowest output rate, hertz.
const MIN_RATE: u32 = if cfg!(feature = "resample") { 8_000 } else { crate::SAMPLE_RATE };
/// The highest output rate, hertz.
const MAX_RATE: u32 = if cfg!(feature = "resample") { 192_000 } else { crate::SAMPLE_RATE };
/// The loudest gain of a person: 12 dB.
const MAX_GAIN: f32 = 4.0;
/// Steps after which a filter has given something.
const MAX_EMPTY_STEPS: usize = 8;

/// How many ears the loudspeakers reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channels {
    /// One: direction is not heard, distance is.
    Mono,
    /// Two: left, right, left, right.
    Stereo,
}

impl Channels {
    const fn count(self) -> usize {
        match self {
            Channels::Mono => 1,
            Channels::Stereo => 2,
        }
    }
}

/// What a [`Listener`] is built with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ListenerConfig {
    /// People heard at once, at most [`MAX_VOICES`]; each costs about 42 KiB.
    pub voices: usize,
    /// The output's sample rate, 8,000 to 192,000 Hz, or 48,000 alone without the feature `resample`.
    pub rate: u32,
    /// The output's channels, interleaved.
    pub channels: Channels,
    /// How positions are heard.
    pub space: Space,
    /// How others step back while one speaks; `None`: they don't.
    pub ducking: Option<Ducking>,
}

impl Default for ListenerConfig {
    /// 16 voices, 48 kHz stereo, with ducking.
    fn default() -> Self {
        Self {
            voices: 16,
            rate: crate::SAMPLE_RATE,
            channels: Channels::Stereo,
            space: Space::default(),
            ducking: Some(Ducking::default()),
        }
    }
}

/// How the listener has a speaker: stated for each block, so that nothing of people who don't speak has to be kept or forgotten.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Presence {
    /// A gain besides the volumes of channel and person, 0 to 4; more counts as 4, less as 0.
    pub gain: f32,
    /// Where the speaker is, in the axes and units of [`Ears`]. Counts only while the speaker is heard by positional channels alone; without it a
    /// voice is in the middle.
    pub position: Option<[f32; 3]>,
}

impl Default for Presence {
    /// As loud as sent, in the middle.
    fn default() -> Self {
        Self { gain: 1.0, position: None }
    }
}

/// Sound on its way, for recording, captions or lips: a step of 2.5 ms at 48 kHz.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tap<'a> {
    /// Whose sound.
    pub of: Tapped,
    /// Where it belongs in time: samples at 48 kHz since the listener was made. Voices and mix have the same time.
    pub at: u64,
    /// The samples. A voice is mono; the mix has the channels of the output, interleaved.
    pub pcm: &'a [i16],
}

/// Whose sound a [`Tap`] gives. May grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tapped {
    /// A speaker's, with volume and fades, before it is placed, ducked and mixed. Nothing comes while it is silent or not to be heard.
    Voice(ClientId),
    /// That of all together, as it is heard.
    Mix,
}

/// What a listener has counted since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListenerStats {
    /// Voices that a silent speaker lost to another.
    pub given_way: u64,
    /// Speakers that were not heard in a block because all voices were sounding.
    pub refused: u64,
    /// Gains, positions and directions that were no finite numbers and so were ignored.
    pub ignored: u64,
    /// Packets that were no Opus and so were concealed.
    pub bad_packets: u64,
    /// Lost frames filled by in-band FEC.
    pub recovered_by_fec: u64,
    /// Lost frames filled by DRED.
    pub recovered_by_dred: u64,
}

/// Everything that one person hears, from frames to samples; [the module](super) shows how to use it.
pub struct Listener {
    strips: Vec<Strip>,
    channels: Channels,
    space: Space,
    ears: Ears,
    ducker: Ducker,
    mix: Vec<f32>,
    limiter: Limiter,
    meter: Meter,
    output: Output,
    at: u64,
    stats: ListenerStats,
}

impl Listener {
    /// Creates a listener. This is where all memory is taken.
    pub fn new(config: ListenerConfig) -> Result<Self, ListenerError> {
        let ListenerConfig { voices, rate, channels, space, ducking } = config;
        if voices > MAX_VOICES {
            return Err(ListenerError::Voices);
        }
        if !(MIN_RATE..=MAX_RATE).contains(&rate) {
            return Err(ListenerError::Rate);
        }
        space.check()?;
        let strips: Result<Vec<Strip>, SetupError> = (0..voices).map(|_| Strip::new()).collect();
        Ok(Self {
            strips: strips?,
            channels,
            space,
            ears: Ears::default(),
            ducker: Ducker::new(ducking),
            mix: vec![0.0; channels.count() * STEP],
            limiter: Limiter::new(channels.count()),
            meter: Meter::default(),
            output: Output::new(rate, channels.count()).ok_or(ListenerError::Rate)?,
            at: 0,
            stats: ListenerStats::default(),
        })
    }

    /// Returns by how much sound is behind what [`Pull::queued`] says, µs: 2,500 for the limiter, and 1,333 for the filter if the rate isn't 48 kHz. Blocks that aren't
    /// made of whole steps of 2.5 ms add up to one step.
    pub fn latency_us(&self) -> u64 {
        u64::from(STEP_US) + self.output.delay_us()
    }

    /// Returns the loudness of a speaker, as [`Tapped::Voice`] has it; `None` without a voice.
    pub fn level(&self, speaker: ClientId) -> Option<Level> {
        self.strip(speaker).map(Strip::level)
    }

    /// Returns the loudness of all together.
    pub fn mix_level(&self) -> Level {
        self.meter.level()
    }

    /// Returns whether something of a speaker sounds or is about to.
    pub fn is_sounding(&self, speaker: ClientId) -> bool {
        self.strip(speaker).is_some_and(Strip::is_sounding)
    }

    /// Returns what was counted.
    pub fn stats(&self) -> ListenerStats {
        let sum = |count: fn(&RemoteVoice) -> u64| self.strips.iter().map(|strip| count(&strip.voice)).sum();
        ListenerStats {
            bad_packets: sum(RemoteVoice::errors),
            recovered_by_fec: sum(|voice| voice.recovered(Recovery::Fec)),
            recovered_by_dred: sum(|voice| voice.recovered(Recovery::Dred)),
            ..self.stats
        }
    }

    /// Says that a speaker is to be heard in the next block: to be called before each for each of `Client::speakers`.
    ///
    /// Who has no voice yet gets a free one, or that of the speaker who has been silent the longest. If all others sound or are wanted in this
    /// block too, the speaker isn't heard, which is counted. Who isn't attended to any more is heard to the end.
    pub fn attend(&mut self, speaker: ClientId, presence: Presence) -> Result<(), VoicesBusy> {
        let Some(strip) = self.voice_for(speaker) else {
            self.stats.refused += 1;
            return Err(VoicesBusy);
        };
        let ignored = strip.attend(presence);
        self.stats.ignored += u64::from(ignored);
        Ok(())
    }

    /// Says where the listener is. What isn't finite is ignored and counted.
    pub fn set_ears(&mut self, ears: Ears) {
        if space::is_finite(ears.position) && space::is_finite(ears.right) {
            self.ears = ears;
        } else {
            self.stats.ignored += 1;
        }
    }

    /// Changes how positions are heard, within 20 ms.
    pub fn set_space(&mut self, space: Space) -> Result<(), SpaceError> {
        space.check()?;
        self.space = space;
        Ok(())
    }

    /// Says whether the listener speaks.
    pub fn set_speaking(&mut self, speaking: bool) {
        self.ducker.speaking = speaking;
    }

    /// Changes how others step back while one speaks; `None`: they don't.
    pub fn set_ducking(&mut self, ducking: Option<Ducking>) {
        self.ducker.config = ducking;
    }

    /// Fills a block of any length with what is heard, as `i16` or `f32`. `pull` is called whenever sound of a speaker is needed, a few times per 10 ms.
    ///
    /// A sample left over for want of a channel stays silent.
    pub fn render<S: OutputSample>(&mut self, block: &mut [S], mut pull: impl FnMut(Pull<'_>)) {
        self.fill(block, &mut pull, None);
    }

    /// The same, and lets `tap` have each voice and the mix on the way.
    pub fn render_tapped<S: OutputSample>(
        &mut self,
        block: &mut [S],
        mut pull: impl FnMut(Pull<'_>),
        mut tap: impl FnMut(Tap<'_>),
    ) {
        self.fill(block, &mut pull, Some(&mut tap));
    }

    fn strip(&self, speaker: ClientId) -> Option<&Strip> {
        self.strips.iter().find(|strip| strip.speaker == Some(speaker))
    }

    fn voice_for(&mut self, speaker: ClientId) -> Option<&mut Strip> {
        let own = self.strips.iter().position(|strip| strip.speaker == Some(speaker));
        if let Some(own) = own {
            return self.strips.get_mut(own);
        }
        let silent = self.strips.iter_mut().filter(|strip| !strip.wanted && !strip.is_sounding());
        let strip = silent.min_by_key(|strip| (strip.speaker.is_some(), strip.heard_at))?;
        self.stats.given_way += u64::from(strip.speaker.is_some());
        strip.assign(speaker);
        Some(strip)
    }

    fn fill<S: OutputSample>(
        &mut self,
        block: &mut [S],
        pull: &mut dyn FnMut(Pull<'_>),
        mut tap: Option<&mut (dyn FnMut(Tap<'_>) + '_)>,
    ) {
        let (mut filled, mut empty_steps) = (0, 0);
        let whole = block.len() - block.len() % self.channels.count();
        while filled < whole && empty_steps < MAX_EMPTY_STEPS {
            if self.output.is_empty() {
                self.step(self.output.us(filled), pull, tap.as_deref_mut());
            }
            let read = self.output.read(&mut block[filled..]);
            empty_steps = if read == 0 { empty_steps + 1 } else { 0 };
            filled += read;
        }
        block[filled..].fill(S::SILENT);
        self.strips.iter_mut().for_each(|strip| strip.wanted = false);
    }

    /// Mixes 2.5 ms.
    fn step(&mut self, ahead_us: u64, pull: &mut dyn FnMut(Pull<'_>), mut tap: Option<&mut (dyn FnMut(Tap<'_>) + '_)>) {
        self.mix.fill(0.0);
        let (at, duck) = (self.at, self.ducker.step());
        let mut desk = Desk { at, ahead_us, space: &self.space, ears: &self.ears, duck, mix: &mut self.mix };
        for strip in &mut self.strips {
            strip.step(&mut desk, pull, tap.as_deref_mut());
        }
        self.limiter.exchange(&mut self.mix);
        self.meter.add(&self.mix);
        // The limiter gave the step before.
        if let (Some(tap), Some(at)) = (tap, self.at.checked_sub(STEP as u64)) {
            self.tap_mix(at, tap);
        }
        self.output.take(&self.mix);
        self.at += STEP as u64;
    }

    fn tap_mix(&self, at: u64, tap: &mut dyn FnMut(Tap<'_>)) {
        let mut pcm = [0; 2 * STEP];
        let channels = self.channels.count();
        for (channel, samples) in self.mix.chunks_exact(STEP).enumerate() {
            let out = pcm.iter_mut().skip(channel).step_by(channels);
            out.zip(samples).for_each(|(out, &sample)| *out = to_i16(sample));
        }
        tap(Tap { of: Tapped::Mix, at, pcm: &pcm[..channels * STEP] });
    }
}

impl Strip {
    /// Is wanted in this block, in this way; returns how much of it was no number.
    fn attend(&mut self, presence: Presence) -> u8 {
        self.wanted = true;
        let gain = presence.gain.is_finite();
        if gain {
            self.presence.gain = presence.gain.clamp(0.0, MAX_GAIN);
        }
        let position = presence.position.is_none_or(space::is_finite);
        if position {
            self.presence.position = presence.position;
        }
        u8::from(!gain) + u8::from(!position)
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("voices", &self.strips.len())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// All voices sound or are wanted: a speaker is not heard in this block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoicesBusy;

impl fmt::Display for VoicesBusy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all voices are in use")
    }
}

impl Error for VoicesBusy {}

/// Why a listener was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerError {
    /// More voices than [`MAX_VOICES`].
    Voices,
    /// The output rate is outside 8,000 to 192,000 Hz.
    Rate,
    /// The space makes no sense.
    Space,
    /// There is no memory for the decoders.
    OutOfMemory,
}

impl From<SpaceError> for ListenerError {
    fn from(_: SpaceError) -> Self {
        Self::Space
    }
}

impl From<SetupError> for ListenerError {
    fn from(_: SetupError) -> Self {
        Self::OutOfMemory
    }
}

impl fmt::Display for ListenerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenerError::Voices => write!(f, "a listener has at most {MAX_VOICES} voices"),
            ListenerError::Rate => write!(f, "the output rate must be {MIN_RATE} to {MAX_RATE} Hz"),
            ListenerError::Space => SpaceError.fmt(f),
            ListenerError::OutOfMemory => f.write_str("not enough memory for the decoders"),
        }
    }
}

impl Error for ListenerError {}
