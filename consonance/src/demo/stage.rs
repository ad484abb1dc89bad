//! The people's mouths and ears, and the scribe who writes down what passes through them.

use voice_audio::{Gain, write_wav};

use super::{
    ear::{Ear, Sound},
    record::{Concealed, Record, Text, Utterance},
    script::{CAST, Say, Who},
    voice::Voice,
};
use crate::speech::Clip;

/// Everybody's audio side.
pub(crate) struct Stage {
    pub(crate) record: Record,
    voices: Vec<Voice>,
    ears: Vec<Ear>,
    /// The utterance under way of each person, as its place in the record.
    speaking: Vec<Option<usize>>,
}

impl Stage {
    /// Gives each person one of the recordings in turn.
    pub(crate) fn new(record: Record, clips: &[Clip]) -> Self {
        let voices = clips.iter().cycle().take(CAST.len()).map(|clip| Voice::new(clip.pcm.clone())).collect();
        let ears = CAST.iter().map(|_| Ear::default()).collect();
        Self { record, voices, ears, speaking: vec![None; CAST.len()] }
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
        let payload = self.voices[who].next_frame()?;
        self.record.spoke(now, who, utterance, &payload);
        Some(payload)
    }

    /// A listener's playout gave a frame of a speaker.
    pub(crate) fn hear(&mut self, now: u64, pair: [Who; 2], sound: Sound<'_>, gain: Gain, audible: bool) {
        let [listener, speaker] = pair;
        match sound {
            Sound::Play(payload) => self.record.played(now, pair, payload, audible),
            Sound::Conceal => self.record.concealed[listener].push(Concealed { at: now, speaker, audible }),
        }
        self.ears[listener].add(speaker, sound, gain, audible);
    }

    /// A tick of a listener's audio clock is over.
    pub(crate) fn tick(&mut self, now: u64, listener: Who) {
        self.ears[listener].tick(now);
    }

    /// Ends the run: the record, and a WAV file for each listener.
    pub(crate) fn finish(mut self, end: u64) -> (Record, Vec<Vec<u8>>) {
        self.record.end = end;
        let wavs = self.ears.into_iter().map(|ear| write_wav(&ear.finish(end)).expect("minutes fit in a WAV file"));
        (self.record, wavs.collect())
    }
}
