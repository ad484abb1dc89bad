//! What is heard where there is no loudspeaker: all together and each speaker alone, for a recording. Without one it is only pulled, so that it is known how it would
//! have been heard.

use std::{collections::BTreeMap, time::Duration};

use voice_audio::listen::{Channels, Listener, ListenerConfig, Presence, Tapped};
use voice_core::{Client, ClientId, ClientMemory, Instant};

use super::recording::Recording;

pub(crate) enum Ear {
    Recording(Box<Recorder>),
    /// How much of each speaker has been pulled beyond what is over.
    Deaf(BTreeMap<ClientId, Duration>),
}

pub(crate) struct Recorder {
    listener: Listener,
    block: Vec<i16>,
    recording: Recording,
}

impl Ear {
    pub(crate) fn new(recording: Option<Recording>) -> Self {
        let Some(recording) = recording else { return Self::Deaf(BTreeMap::new()) };
        let config = ListenerConfig { channels: Channels::Mono, ducking: None, ..ListenerConfig::default() };
        let listener = Listener::new(config).expect("the settings are in range");
        Self::Recording(Box::new(Recorder { listener, block: Vec::new(), recording }))
    }

    /// Hears a block whose first sample is heard `now`.
    pub(crate) fn tick<M: ClientMemory>(&mut self, now: Instant, span: Duration, client: &mut Client<M>) {
        match self {
            Self::Recording(recorder) => recorder.tick(now, span, client),
            Self::Deaf(pulled) => pull(pulled, now, span, client),
        }
    }

    pub(crate) fn into_recording(self) -> Option<Recording> {
        match self {
            Self::Recording(recorder) => Some(recorder.recording),
            Self::Deaf(_) => None,
        }
    }
}

impl Recorder {
    fn tick<M: ClientMemory>(&mut self, now: Instant, span: Duration, client: &mut Client<M>) {
        for speaker in client.speakers() {
            // Who finds no voice is counted by the listener.
            let _ = self.listener.attend(speaker, Presence::default());
        }
        let Self { listener, block, recording } = self;
        block.resize((span.as_micros() as usize) * 48 / 1_000, 0);
        listener.render_tapped(
            block,
            |pull| {
                client.set_speaker_redundancy(pull.speaker(), pull.redundancy());
                let frame = client.next_frame(now, pull.queued(), pull.speaker());
                pull.give(frame);
            },
            |tap| {
                if let Tapped::Voice(speaker) = tap.of {
                    recording.hear_alone(speaker, tap.at, tap.pcm);
                }
            },
        );
        recording.hear(block);
    }
}

/// Takes what would be heard of each speaker within a block.
fn pull<M: ClientMemory>(
    pulled: &mut BTreeMap<ClientId, Duration>,
    now: Instant,
    span: Duration,
    client: &mut Client<M>,
) {
    let speakers: Vec<_> = client.speakers().collect();
    pulled.retain(|speaker, _| speakers.contains(speaker));
    for speaker in speakers {
        let queued = pulled.entry(speaker).or_default();
        while *queued < span {
            let frame = client.next_frame(now, *queued, speaker);
            // No frame is empty, and the loop ends in any case.
            *queued += Duration::from_micros(frame.length_us.max(1_000).into());
        }
        *queued -= span;
    }
}
