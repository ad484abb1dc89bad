//! The sound devices of this machine: found, opened, and their callbacks tied to the rings of `sound/`. Kept thin, since no test has a device.

use std::{
    fmt::Write,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    time::{Duration, Instant},
};

use cpal::{
    ErrorKind, FromSample, Sample, SampleFormat, SizedSample, Stream, SupportedStreamConfig,
    traits::{DeviceTrait, HostTrait, StreamTrait},
};
use voice_audio::{Activation, InputFormat};

use super::{
    participant::Participant,
    sound::{Intake, Loudspeaker, Microphone, Outlet},
};
use crate::{cli::JoinArgs, clock::Now, fail::Fail, printable::Printable};

/// Troubles that may wait for the loop; a device that is broken has the same one again and again.
const TROUBLES: usize = 16;
/// More in a second, and the device is of no use.
const MOST_TROUBLES: u32 = 40;

/// The loop looks after the devices so often.
pub(super) const NAP: Duration = Duration::from_millis(5);

/// Those that are used.
pub(super) struct Devices {
    microphone: Option<Microphone>,
    loudspeaker: Option<Loudspeaker>,
    troubles: Receiver<(Kind, cpal::Error)>,
    /// How many came since when.
    count: (u32, Option<Instant>),
    /// They play and record as long as they are kept.
    streams: Vec<Stream>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Microphone,
    Loudspeaker,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Microphone => "microphone",
            Self::Loudspeaker => "loudspeaker",
        }
    }
}

impl Devices {
    /// A microphone, unless files are said, and a loudspeaker, unless it is recorded instead.
    pub(super) fn open(args: &JoinArgs) -> Result<Self, Fail> {
        let (trouble, troubles) = sync_channel(TROUBLES);
        let mut devices = Self { microphone: None, loudspeaker: None, troubles, count: (0, None), streams: Vec::new() };
        if args.no_sound {
            return Ok(devices);
        }
        if args.record.is_none() {
            let found = Found::find(Kind::Loudspeaker, args.loudspeaker.as_deref())?;
            let (loudspeaker, outlet) =
                Loudspeaker::new(found.format()).map_err(|error| found.unusable(format!("{error:?}")))?;
            devices.streams.push(found.play(outlet, trouble.clone())?);
            devices.loudspeaker = Some(loudspeaker);
        }
        if args.say.is_empty() {
            let found = Found::find(Kind::Microphone, args.microphone.as_deref())?;
            let render = devices.loudspeaker.as_ref().filter(|_| cfg!(feature = "echo")).map(Loudspeaker::format);
            let activation = if args.open { Activation::Open } else { Activation::Voice };
            let (microphone, intake) =
                Microphone::new(found.format(), render, activation).map_err(|error| found.unusable(error))?;
            devices.streams.push(found.listen(intake, trouble)?);
            devices.microphone = Some(microphone);
        }
        Ok(devices)
    }

    pub(super) const fn has_microphone(&self) -> bool {
        self.microphone.is_some()
    }

    pub(super) const fn has_loudspeaker(&self) -> bool {
        self.loudspeaker.is_some()
    }

    /// Plays what is heard, and says what was captured.
    pub(super) fn turn(&mut self, now: Now, somebody: &mut Participant) -> Result<(), Fail> {
        self.look_for_trouble(now)?;
        if let Some(loudspeaker) = &mut self.loudspeaker {
            let client = somebody.client();
            let speakers: Vec<_> = client.speakers().collect();
            loudspeaker.fill(
                &speakers,
                |ahead, pull| {
                    client.set_speaker_redundancy(pull.speaker(), pull.redundancy());
                    let frame = client.next_frame(now.core, pull.queued() + ahead, pull.speaker());
                    pull.give(frame);
                },
                |block| self.microphone.iter_mut().for_each(|microphone| microphone.hear_played(block)),
            );
        }
        if let Some(microphone) = &mut self.microphone {
            microphone.move_frames(|| somebody.client().take_frame_shift());
            microphone.poll(|pcm, is_last| somebody.say(now, pcm, is_last));
        }
        Ok(())
    }

    /// How the devices fared, if not well.
    pub(super) fn summary(&self) -> Option<String> {
        let lost = self.microphone.as_ref().map_or(0, Microphone::lost);
        let missed = self.loudspeaker.as_ref().map_or(0, Loudspeaker::missed);
        (lost + missed > 0)
            .then(|| format!("sound: {lost} samples of the microphone lost, {missed} missing at the loudspeaker"))
    }

    /// Most troubles pass: a gap is heard, and it goes on. A device that is gone, or has nothing but troubles, ends it.
    fn look_for_trouble(&mut self, now: Now) -> Result<(), Fail> {
        if self.count.1.is_none_or(|since| now.real.saturating_duration_since(since) >= Duration::from_secs(1)) {
            self.count = (0, Some(now.real));
        }
        while let Ok((kind, error)) = self.troubles.try_recv() {
            let is_gone = matches!(
                error.kind(),
                ErrorKind::DeviceNotAvailable | ErrorKind::StreamInvalidated | ErrorKind::HostUnavailable
            );
            self.count.0 += u32::from(!matches!(error.kind(), ErrorKind::Xrun));
            if is_gone || self.count.0 > MOST_TROUBLES {
                let what = format!("the {}: {error}", kind.name());
                return Err(Fail::new(what, "look whether it is plugged in, and join again"));
            }
        }
        Ok(())
    }
}

/// The devices of this machine, as a table.
pub(super) fn list() -> Result<String, Fail> {
    let mut text = String::new();
    for kind in [Kind::Loudspeaker, Kind::Microphone] {
        let usual = usual(kind).map(|device| name_of(&device));
        let _ = writeln!(text, "--{}", kind.name());
        let names: Vec<String> = all(kind)?.iter().map(name_of).collect();
        if names.is_empty() {
            text.push_str("  none\n");
        }
        for name in names {
            let mark = if Some(&name) == usual.as_ref() { "  (used unless another is named)" } else { "" };
            let _ = writeln!(text, "  {}{mark}", Printable(&name));
        }
    }
    Ok(text)
}

fn all(kind: Kind) -> Result<Vec<cpal::Device>, Fail> {
    let host = cpal::default_host();
    let found = match kind {
        Kind::Microphone => host.input_devices().map(Iterator::collect),
        Kind::Loudspeaker => host.output_devices().map(Iterator::collect),
    };
    found.map_err(|error| Fail::new(format!("no sound devices: {error}"), "look whether this machine's sound works"))
}

fn usual(kind: Kind) -> Option<cpal::Device> {
    let host = cpal::default_host();
    match kind {
        Kind::Microphone => host.default_input_device(),
        Kind::Loudspeaker => host.default_output_device(),
    }
}

fn name_of(device: &cpal::Device) -> String {
    device.description().map_or_else(|_| "a device without a name".into(), |about| about.name().to_owned())
}

/// A device, and how it is used.
struct Found {
    kind: Kind,
    device: cpal::Device,
    config: SupportedStreamConfig,
}

impl Found {
    /// The one of this name or with this in its name, or the usual one.
    fn find(kind: Kind, name: Option<&str>) -> Result<Self, Fail> {
        let device = match name {
            None => usual(kind),
            Some(name) => {
                let wanted = name.to_lowercase();
                let devices = all(kind)?;
                let exact = devices.iter().position(|device| name_of(device) == name);
                let part = || devices.iter().position(|device| name_of(device).to_lowercase().contains(&wanted));
                exact.or_else(part).and_then(|at| devices.into_iter().nth(at))
            }
        };
        let what = name
            .map_or_else(|| format!("no {}", kind.name()), |name| format!("--{} {name}: there is none", kind.name()));
        let cure = "'consonance devices' lists what there is; --no-sound does without";
        let device = device.ok_or_else(|| Fail::new(what, cure))?;
        let config = match kind {
            Kind::Microphone => device.default_input_config(),
            Kind::Loudspeaker => device.default_output_config(),
        };
        let config =
            config.map_err(|error| Fail::new(format!("{} {}: {error}", kind.name(), name_of(&device)), cure))?;
        Ok(Self { kind, device, config })
    }

    fn format(&self) -> InputFormat {
        InputFormat { rate: self.config.sample_rate(), channels: self.config.channels() }
    }

    fn unusable(&self, why: impl std::fmt::Display) -> Fail {
        Fail::new(
            format!("{} {}: {why}", self.kind.name(), name_of(&self.device)),
            "name another; 'consonance devices' lists them",
        )
    }

    fn listen(&self, intake: Intake, trouble: SyncSender<(Kind, cpal::Error)>) -> Result<Stream, Fail> {
        match self.config.sample_format() {
            SampleFormat::F32 => self.listen_as::<f32>(intake, trouble),
            SampleFormat::I16 => self.listen_as::<i16>(intake, trouble),
            SampleFormat::I32 => self.listen_as::<i32>(intake, trouble),
            SampleFormat::U8 => self.listen_as::<u8>(intake, trouble),
            SampleFormat::U16 => self.listen_as::<u16>(intake, trouble),
            other => Err(self.unusable(format!("samples as {other} aren't understood"))),
        }
    }

    fn play(&self, outlet: Outlet, trouble: SyncSender<(Kind, cpal::Error)>) -> Result<Stream, Fail> {
        match self.config.sample_format() {
            SampleFormat::F32 => self.play_as::<f32>(outlet, trouble),
            SampleFormat::I16 => self.play_as::<i16>(outlet, trouble),
            SampleFormat::I32 => self.play_as::<i32>(outlet, trouble),
            SampleFormat::U8 => self.play_as::<u8>(outlet, trouble),
            SampleFormat::U16 => self.play_as::<u16>(outlet, trouble),
            other => Err(self.unusable(format!("samples as {other} aren't understood"))),
        }
    }

    fn listen_as<T: SizedSample>(
        &self,
        mut intake: Intake,
        trouble: SyncSender<(Kind, cpal::Error)>,
    ) -> Result<Stream, Fail>
    where
        f32: FromSample<T>,
    {
        let take = move |block: &[T], _: &_| intake.take(block.iter().map(|sample| f32::from_sample(*sample)));
        // Who has enough of them, or has gone, needs no more.
        let fail = move |error| _ = trouble.try_send((Kind::Microphone, error));
        self.begin(self.device.build_input_stream(self.config.config(), take, fail, None))
    }

    fn play_as<T: SizedSample + FromSample<f32>>(
        &self,
        mut outlet: Outlet,
        trouble: SyncSender<(Kind, cpal::Error)>,
    ) -> Result<Stream, Fail> {
        let give = move |block: &mut [T], _: &_| outlet.give(block, T::from_sample);
        let fail = move |error| _ = trouble.try_send((Kind::Loudspeaker, error));
        self.begin(self.device.build_output_stream(self.config.config(), give, fail, None))
    }

    fn begin(&self, stream: Result<Stream, cpal::Error>) -> Result<Stream, Fail> {
        let stream = stream.map_err(|error| self.unusable(error))?;
        stream.play().map_err(|error| self.unusable(error))?;
        Ok(stream)
    }
}
