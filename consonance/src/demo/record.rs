//! What happened, as plain data: the only thing that the table, the report, the summary and the checks look at.

use std::collections::BTreeMap;

use voice_core::EncoderAdvice;

use super::{
    playout::Playout,
    script::{CAST, To, Who},
};

/// The way a frame came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Relay,
    Direct,
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::Relay, Self::Direct];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Direct => "direct",
        }
    }
}

/// One frame that somebody spoke.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spoken {
    /// When it was handed to the core, at its end, µs.
    pub(crate) at: u64,
    /// How much sound it holds, µs.
    pub(crate) length_us: u32,
    /// Place in [`Record::utterances`].
    pub(crate) utterance: usize,
}

/// What became of one frame at one listener.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fate {
    /// When and how it first arrived.
    pub(crate) arrived: Option<(u64, Way)>,
    /// How many copies arrived.
    pub(crate) copies: u32,
    /// When its sound began to be heard, µs.
    pub(crate) played: Option<u64>,
    /// Whether it was played aloud, not outranked by a higher priority.
    pub(crate) audible: bool,
}

/// Sound that was missing when it was due, and what was heard instead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gap {
    pub(crate) at: u64,
    pub(crate) length_us: u32,
    pub(crate) speaker: Who,
    pub(crate) audible: bool,
    pub(crate) filled: Filled,
}

/// With what a gap was filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filled {
    /// The decoder's guess.
    Guess,
    /// What a later packet holds of it.
    Copy,
}

/// Speech of the story.
#[derive(Debug, Clone)]
pub(crate) struct Utterance {
    pub(crate) act: usize,
    pub(crate) who: Who,
    pub(crate) to: To,
    pub(crate) from: u64,
    pub(crate) until: u64,
    pub(crate) meant_for: &'static [Who],
}

/// A text of the story, and who read it.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) act: usize,
    pub(crate) at: u64,
    pub(crate) who: Who,
    pub(crate) to: To,
    pub(crate) text: &'static str,
    pub(crate) meant_for: &'static [Who],
    /// By whom and when, in the order of reading.
    pub(crate) read: Vec<(Who, u64)>,
}

/// Something worth a mark in the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) at: u64,
    /// Whom it happened to; `None` is the server.
    pub(crate) who: Option<Who>,
    pub(crate) mark: Mark,
    pub(crate) what: String,
}

/// What kind of note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The story did it.
    Story,
    /// The protocol noticed or mended it.
    Noticed,
    /// Something is broken.
    Trouble,
}

/// A time in which a person, or the server, could not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outage {
    /// `None` is the server.
    pub(crate) who: Option<Who>,
    pub(crate) from: u64,
    pub(crate) until: u64,
}

/// How one person stood at the end of an act.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) connected: bool,
    pub(crate) session: Option<u32>,
    pub(crate) id: Option<u16>,
    /// Names of those in this person's roster who are connected, sorted.
    pub(crate) roster: Vec<String>,
    /// The same of those who are reconnecting.
    pub(crate) awaited: Vec<String>,
}

/// A drop counter that isn't zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drops {
    /// A person's name, or the server's.
    pub(crate) at: String,
    pub(crate) reason: &'static str,
    pub(crate) count: u64,
}

/// The network that everybody had.
#[derive(Debug, Clone, Default)]
pub(crate) struct Network {
    pub(crate) name: &'static str,
    pub(crate) about: String,
    /// Numbers in words: what, up, down.
    pub(crate) numbers: Vec<[String; 3]>,
    /// Faults that struck, by name.
    pub(crate) faults: Vec<(&'static str, u64)>,
}

/// The whole run.
pub(crate) struct Record {
    pub(crate) seed: u64,
    pub(crate) network: Network,
    pub(crate) end: u64,
    /// From when to when each act lasted.
    pub(crate) acts: Vec<[u64; 2]>,
    /// The recording that each person spoke.
    pub(crate) speech: Vec<String>,
    pub(crate) utterances: Vec<Utterance>,
    pub(crate) texts: Vec<Text>,
    pub(crate) notes: Vec<Note>,
    pub(crate) outages: Vec<Outage>,
    /// Seats of all at the end of each act.
    pub(crate) seats: Vec<Vec<Seat>>,
    /// Direct packets that routers had kept out by the end of each act.
    pub(crate) kept_out_by_nat: Vec<u64>,
    pub(crate) drops: Vec<Drops>,
    /// Frames of each person, in order.
    pub(crate) spoken: Vec<Vec<Spoken>>,
    /// Fates by listener, speaker, frame.
    fates: Vec<Vec<Vec<Fate>>>,
    /// Gaps of each listener.
    pub(crate) gaps: Vec<Vec<Gap>>,
    /// What each person's encoder was told, and when.
    pub(crate) advice: Vec<Vec<(u64, EncoderAdvice)>>,
    /// Playouts by listener and speaker.
    pub(crate) playouts: Vec<Vec<Playout>>,
    /// Frames by speaker and sequence number, as the speaker's client sent them last.
    sent: BTreeMap<(Who, u16), usize>,
    /// Payloads by speaker and frame, hashed: silence between words often gives the same bytes again.
    payloads: Vec<Vec<u64>>,
    /// By listener and speaker, the frame after the last that was played.
    to_play: Vec<Vec<usize>>,
}

impl Record {
    pub(crate) fn new(seed: u64, network: Network, speech: Vec<String>) -> Self {
        let people = CAST.len();
        Self {
            seed,
            network,
            end: 0,
            acts: Vec::new(),
            speech,
            utterances: Vec::new(),
            texts: Vec::new(),
            notes: Vec::new(),
            outages: Vec::new(),
            seats: Vec::new(),
            kept_out_by_nat: Vec::new(),
            drops: Vec::new(),
            spoken: vec![Vec::new(); people],
            fates: vec![vec![Vec::new(); people]; people],
            gaps: vec![Vec::new(); people],
            advice: vec![Vec::new(); people],
            playouts: vec![vec![Playout::default(); people]; people],
            sent: BTreeMap::new(),
            payloads: vec![Vec::new(); people],
            to_play: vec![vec![0; people]; people],
        }
    }

    /// Writes down that a frame was spoken.
    pub(crate) fn spoke(&mut self, now: u64, who: Who, utterance: usize, length_us: u32, payload: &[u8]) {
        self.payloads[who].push(hash(payload));
        self.spoken[who].push(Spoken { at: now, length_us, utterance });
        for listener in &mut self.fates {
            listener[who].push(Fate::default());
        }
    }

    /// Writes down that the frame spoken last was sent under this number.
    pub(crate) fn sent(&mut self, who: Who, sequence: u16, payload: &[u8]) {
        if self.payloads[who].last() == Some(&hash(payload)) {
            self.sent.insert((who, sequence), self.payloads[who].len() - 1);
        }
    }

    /// Writes down that a frame reached a listener's machine. One that nobody spoke, as when it was damaged, is left out.
    pub(crate) fn arrived(&mut self, now: u64, [listener, speaker]: [Who; 2], way: Way, sequence: u16, payload: &[u8]) {
        let Some(&frame) = self.sent.get(&(speaker, sequence)) else { return };
        if self.payloads[speaker][frame] == hash(payload) {
            let fate = &mut self.fates[listener][speaker][frame];
            fate.copies += 1;
            fate.arrived.get_or_insert((now, way));
        }
    }

    /// Writes down that a listener's playout gave a frame, which begins to be heard at `at`: the next of those that arrived with this payload.
    pub(crate) fn played(&mut self, at: u64, [listener, speaker]: [Who; 2], payload: &[u8], audible: bool) {
        let payload = hash(payload);
        let fates = &mut self.fates[listener][speaker];
        let next = self.to_play[listener][speaker];
        let is_it = |frame: &usize| self.payloads[speaker][*frame] == payload && fates[*frame].arrived.is_some();
        if let Some(frame) = (next..fates.len()).find(is_it) {
            fates[frame].played = Some(at);
            fates[frame].audible = audible;
            self.to_play[listener][speaker] = frame + 1;
        }
    }

    pub(crate) fn note(&mut self, at: u64, who: Option<Who>, mark: Mark, what: impl Into<String>) {
        self.notes.push(Note { at, who, mark, what: what.into() });
    }

    /// Someone can't be reached from now on.
    pub(crate) fn cut_off(&mut self, now: u64, who: Option<Who>) {
        self.outages.push(Outage { who, from: now, until: u64::MAX });
    }

    /// That is over.
    pub(crate) fn reachable(&mut self, now: u64, who: Option<Who>) {
        let open = self.outages.iter_mut().find(|outage| outage.who == who && outage.until == u64::MAX);
        if let Some(outage) = open {
            outage.until = now;
        }
    }

    /// The frames of a speaker with what became of them at a listener.
    pub(crate) fn fates(&self, listener: Who, speaker: Who) -> impl Iterator<Item = (Spoken, Fate)> + '_ {
        self.spoken[speaker].iter().copied().zip(self.fates[listener][speaker].iter().copied())
    }

    #[cfg(test)]
    pub(crate) fn fates_mut(&mut self, listener: Who, speaker: Who) -> &mut [Fate] {
        &mut self.fates[listener][speaker]
    }

    /// The same for one utterance.
    pub(crate) fn utterance_fates(&self, listener: Who, utterance: usize) -> impl Iterator<Item = (Spoken, Fate)> + '_ {
        self.fates(listener, self.utterances[utterance].who).filter(move |(spoken, _)| spoken.utterance == utterance)
    }

    /// Whether a frame was meant for a listener.
    pub(crate) fn is_meant(&self, spoken: Spoken, listener: Who) -> bool {
        self.utterances[spoken.utterance].meant_for.contains(&listener)
    }
}

/// The person's name, or the server's.
pub(crate) fn name_of(who: Option<Who>) -> &'static str {
    who.map_or("Server", |who| CAST[who].name)
}

/// FNV-1a, 64 bit.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3))
}
