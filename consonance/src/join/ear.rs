//! What is heard where there is no loudspeaker: all together, and each speaker alone, to be recorded if that is wanted.

use std::time::Duration;

use voice_audio::listen::{Channels, Listener, ListenerConfig, Presence, Tapped};
use voice_core::{Client, ClientMemory, Instant};

use super::recording::Recording;

pub(crate) struct Ear {
    listener: Listener,
    block: Vec<i16>,
    recording: Option<Recording>,
}

impl Ear {
    pub(crate) fn new(recording: Option<Recording>) -> Self {
        let config = ListenerConfig { channels: Channels::Mono, ducking: None, ..ListenerConfig::default() };
        let listener = Listener::new(config).expect("the settings are in range");
        Self { listener, block: Vec::new(), recording }
    }

    /// Hears a block whose first sample is heard `now`.
    pub(crate) fn tick<M: ClientMemory>(&mut self, now: Instant, span: Duration, client: &mut Client<M>) {
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
                if let (Tapped::Voice(speaker), Some(recording)) = (tap.of, &mut *recording) {
                    recording.hear_alone(speaker, tap.at, tap.pcm);
                }
            },
        );
        if let Some(recording) = recording {
            recording.hear(block);
        }
    }

    pub(crate) fn into_recording(self) -> Option<Recording> {
        self.recording
    }
}
