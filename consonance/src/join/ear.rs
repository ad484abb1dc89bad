//! What is heard: all together, and each speaker alone.

use std::{collections::BTreeMap, time::Duration};

use voice_audio::listen::{Channels, Listener, ListenerConfig, Presence, Tapped};
use voice_core::{Client, ClientId, ClientMemory, Instant};

use crate::{fail::Fail, out_dir::File};

pub(crate) struct Ear {
    listener: Listener,
    block: Vec<i16>,
    mixed: Vec<i16>,
    alone: BTreeMap<ClientId, Vec<i16>>,
}

impl Ear {
    pub(crate) fn new() -> Self {
        let config = ListenerConfig { channels: Channels::Mono, ducking: None, ..ListenerConfig::default() };
        let listener = Listener::new(config).expect("the settings are in range");
        Self { listener, block: Vec::new(), mixed: Vec::new(), alone: BTreeMap::new() }
    }

    /// Hears a block whose first sample is heard `now`.
    pub(crate) fn tick<M: ClientMemory>(&mut self, now: Instant, span: Duration, client: &mut Client<M>) {
        for speaker in client.speakers() {
            // Who finds no voice is counted by the listener.
            let _ = self.listener.attend(speaker, Presence::default());
        }
        let Self { listener, block, mixed, alone } = self;
        block.resize((span.as_micros() as usize) * 48 / 1_000, 0);
        let begin = mixed.len() as u64;
        listener.render_tapped(
            block,
            |pull| {
                client.set_speaker_redundancy(pull.speaker(), pull.redundancy());
                let frame = client.next_frame(now, pull.queued(), pull.speaker());
                pull.give(frame);
            },
            |tap| {
                if let Tapped::Voice(speaker) = tap.of {
                    let voice = alone.entry(speaker).or_default();
                    voice.resize((tap.at.max(begin)) as usize, 0);
                    voice.extend_from_slice(tap.pcm);
                }
            },
        );
        mixed.extend_from_slice(block);
    }

    /// The recordings: heard.wav, and a file for each speaker, all of the same length.
    pub(crate) fn files(&self, name_of: impl Fn(ClientId) -> String) -> Result<Vec<File>, Fail> {
        let wav = |pcm: &[i16]| {
            voice_audio::write_wav(pcm)
                .map_err(|_| Fail::new("--record: more than a WAV file holds", "record less than 12 hours"))
        };
        let mut files = vec![("heard.wav".to_owned(), wav(&self.mixed)?)];
        for (id, pcm) in &self.alone {
            let name: String = name_of(*id).chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
            let mut pcm = pcm.clone();
            pcm.resize(self.mixed.len(), 0);
            files.push((format!("{name}-{id}.wav"), wav(&pcm)?));
        }
        Ok(files)
    }
}
