//! The people's mouths and ears, and the scribe who writes down what passes through them.

use std::{collections::BTreeMap, time::Duration};

use adapter_sim::world::HeapClient;
use voice_audio::{Recovery, write_wav};
use voice_core::{ClientId, EncoderAdvice, Frame, FrameLength, Instant, Sound};

use super::{
    ear::Ear,
    playout::Watch,
    record::{Filled, Gap, Record, Text, Utterance},
    script::{CAST, Say, Who},
    voice::Voice,
};
use crate::speech::Clip;

/// One tick of somebody's audio clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tick {
    /// True time, µs.
    pub(crate) now: u64,
    /// The same by the person's own clock.
    pub(crate) local: Instant,
    pub(crate) length: Duration,
}

/// Everybody's audio side.
pub(crate) struct Stage {
    pub(crate) record: Record,
    voices: Vec<Voice>,
    ears: Vec<Ear>,
    watches: Vec<Watch>,
    /// The utterance under way of each person, as its place in the record.
    speaking: Vec<Option<usize>>,
}

impl Stage {
    /// Gives each person one of the recordings in turn.
    pub(crate) fn new(record: Record, clips: &[Clip]) -> Self {
        let voices = clips.iter().cycle().take(CAST.len()).map(|clip| Voice::new(clip.pcm.clone())).collect();
        let ears = CAST.iter().map(|_| Ear::new()).collect();
        let watches = CAST.iter().map(|_| Watch::default()).collect();
        Self { record, voices, ears, watches, speaking: vec![None; CAST.len()] }
    }

    /// Begins an utterance.
    pub(crate) fn begin(&mut self, now: u64, act: usize, say: &Say) {
        self.speaking[say.who] = Some(self.record.utterances.len());
        self.record.utterances.push(Utterance {
            act,
            who: say.who,
            to: say.to,
            from: now,
            until: now + say.ms * 1_000,
            meant_for: say.heard_by,
        });
        self.voices[say.who].begin(say.ms);
    }

    /// Ends the utterance under way.
    pub(crate) fn end(&mut self, who: Who) {
        self.speaking[who] = None;
    }

    /// Writes down that a text was sent.
    pub(crate) fn wrote(&mut self, text: Text) {
        self.record.texts.push(text);
    }

    /// Writes down that a text was read. One that nobody wrote is a note of trouble.
    pub(crate) fn read(&mut self, now: u64, reader: Who, writer: Option<Who>, text: &str) {
        let written = self.record.texts.iter_mut().rev().find(|sent| Some(sent.who) == writer && sent.text == text);
        match written {
            Some(sent) => sent.read.push((reader, now)),
            None => {
                let what = format!("a text that nobody wrote: {text}");
                self.record.note(now, Some(reader), super::record::Mark::Trouble, what);
            }
        }
    }

    /// The next frame that a person speaks; `None` for silence.
    pub(crate) fn speak(&mut self, now: u64, who: Who) -> Option<Vec<u8>> {
        let utterance = self.speaking[who]?;
        let length_us = self.voices[who].frame_us();
        let payload = self.voices[who].next_frame()?;
        self.record.spoke(now, who, utterance, length_us, &payload);
        Some(payload)
    }

    /// A person's client has advice for the encoder.
    pub(crate) fn advise(&mut self, now: u64, who: Who, advice: EncoderAdvice) {
        self.record.advice[who].push((now, advice));
        self.voices[who].advise(advice);
    }

    /// The person follows the advice: how long frames are from now on, if there was any.
    pub(crate) fn follow_advice(&mut self, who: Who) -> Option<FrameLength> {
        self.voices[who].follow()
    }

    /// One tick of a listener's audio clock.
    pub(crate) fn listen(&mut self, tick: Tick, who: Who, client: &mut HeapClient, ids: &BTreeMap<ClientId, Who>) {
        let Tick { now, local, length } = tick;
        let speakers: Vec<ClientId> = client.speakers().collect();
        let (ear, record) = (&mut self.ears[who], &mut self.record);
        let latency_us = ear.latency_us();
        ear.tick(now, length, speakers.iter().copied(), |pull| {
            let (speaker, queued) = (pull.speaker(), pull.queued());
            client.set_speaker_redundancy(speaker, pull.redundancy());
            let frame = client.next_frame(local, queued, speaker);
            let filled = pull.give_and_see(frame);
            if let Some(&speaker) = ids.get(&speaker) {
                let at = now + u64::try_from(queued.as_micros()).unwrap_or(0) + latency_us;
                heard(record, at, [who, speaker], &frame, filled);
            }
        });
        if !self.watches[who].is_due(now) {
            return;
        }
        for (&id, &speaker) in ids {
            if let Some(stats) = client.speaker_stats(id) {
                let playout = &mut record.playouts[who][speaker];
                self.watches[who].look(now, id, &stats, speakers.contains(&id), playout);
            }
        }
    }

    /// Ends the run: the record, and a WAV file for each listener.
    pub(crate) fn finish(mut self, end: u64) -> (Record, Vec<Vec<u8>>) {
        self.record.end = end;
        let wavs = self.ears.into_iter().map(|ear| write_wav(&ear.finish(end)).expect("minutes fit in a WAV file"));
        (self.record, wavs.collect())
    }
}

/// Writes down what a listener's playout gave, to be heard at true time `at`.
fn heard(record: &mut Record, at: u64, pair: [Who; 2], frame: &Frame<'_>, filled: Option<Recovery>) {
    let &Frame { sound, length_us, audible, .. } = frame;
    let filled = match sound {
        Sound::Play(payload) => return record.played(at, pair, payload, audible),
        Sound::Silence => return,
        _ => match filled {
            Some(Recovery::Fec | Recovery::Dred) => Filled::Copy,
            _ => Filled::Guess,
        },
    };
    let [listener, speaker] = pair;
    record.gaps[listener].push(Gap { at, length_us, speaker, audible, filled });
}
