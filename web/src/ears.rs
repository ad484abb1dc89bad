//! What is heard, and from where.

use std::time::Duration;

use voice_audio::listen::{Listener, ListenerConfig, Presence, Space};
use voice_core::{Client, ClientId, ClientMemory, Instant};

use crate::{engine::MAX_BLOCK, own_voice::OwnVoice};

/// People heard at once: as many as the core has places for.
pub(crate) const VOICES: usize = 24;
/// People that the page has placed, at most.
const PLACES: usize = 1_024;

/// How a speaker fared in the last block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fared {
    speaker: ClientId,
    /// No voice was free.
    pub(crate) refused: bool,
    /// Others of higher priority were heard instead; as the last pull said.
    pub(crate) outranked: bool,
    /// Channel's volume times the local one, percent; as the last pull said.
    pub(crate) volume_percent: u16,
}

/// The listener, what the page says of places, and the own voice.
#[derive(Debug)]
pub(crate) struct Ears {
    listener: Listener,
    space: Space,
    places: Vec<(ClientId, [f32; 2])>,
    own: Option<OwnVoice>,
    fared: Vec<Fared>,
    block: Box<[f32]>,
}

impl Ears {
    /// `None` if there is no memory for the decoders.
    pub(crate) fn new() -> Option<Self> {
        // Nobody steps back while one speaks: the browser takes the echo out, and a page can't know whether that is wanted.
        let config = ListenerConfig { voices: VOICES, ducking: None, ..ListenerConfig::default() };
        Some(Self {
            listener: Listener::new(config).ok()?,
            space: config.space,
            places: Vec::new(),
            own: None,
            fared: Vec::with_capacity(VOICES),
            block: vec![0.0; 2 * MAX_BLOCK].into_boxed_slice(),
        })
    }

    /// Fills a block for both ears, of at most [`MAX_BLOCK`] samples each. It is asked for `now` and sounds by `ahead` later.
    pub(crate) fn hear<M: ClientMemory>(
        &mut self,
        now: Instant,
        ahead: Duration,
        client: &mut Client<M>,
        left: &mut [f32],
        right: &mut [f32],
    ) {
        self.attend(client);
        let Self { listener, places, fared, block, .. } = self;
        let block = &mut block[..2 * left.len().min(MAX_BLOCK)];
        listener.render(block, |pull| {
            let speaker = pull.speaker();
            client.set_speaker_redundancy(speaker, pull.redundancy());
            let mut frame = client.next_frame(now, pull.queued() + ahead, speaker);
            // Whoever is placed is heard from there, whatever they say themselves.
            frame.positional = place(places, speaker).is_some();
            if let Some(fared) = fared.iter_mut().find(|fared| fared.speaker == speaker) {
                (fared.outranked, fared.volume_percent) = (!frame.audible, frame.volume_percent);
            }
            pull.give(frame);
        });
        for (at, both) in block.chunks_exact(2).enumerate() {
            if let (Some(left), Some(right)) = (left.get_mut(at), right.get_mut(at)) {
                (*left, *right) = (both[0], both[1]);
            }
        }
        if let Some(own) = &mut self.own {
            own.add_to(left, right);
        }
    }

    /// Tells the listener who speaks. How they fared is kept while they do.
    fn attend<M: ClientMemory>(&mut self, client: &Client<M>) {
        self.fared.retain(|fared| client.speakers().any(|speaker| speaker == fared.speaker));
        for speaker in client.speakers() {
            let position = place(&self.places, speaker).map(|[x, y]| [x, y, 0.0]);
            let refused = self.listener.attend(speaker, Presence { position, ..Presence::default() }).is_err();
            match self.fared.iter_mut().find(|fared| fared.speaker == speaker) {
                Some(fared) => fared.refused = refused,
                None => self.fared.push(Fared { speaker, refused, outranked: false, volume_percent: 100 }),
            }
        }
    }

    /// How a speaker fared; `None` while there is nothing to hear of them.
    pub(crate) fn fared(&self, speaker: ClientId) -> Option<Fared> {
        self.fared.iter().find(|fared| fared.speaker == speaker).copied()
    }

    /// Whether somebody sounds, now.
    pub(crate) fn is_audible(&self, speaker: ClientId) -> bool {
        let loud = |fared: Fared| !fared.refused && !fared.outranked && fared.volume_percent > 0;
        self.fared(speaker).is_some_and(loud) && self.listener.is_sounding(speaker) && !self.is_too_far(speaker)
    }

    /// How loud somebody is, dBFS; `None` while nothing of them sounds.
    pub(crate) fn level_dbfs(&self, speaker: ClientId) -> Option<f32> {
        let level = self.listener.level(speaker).filter(|_| self.listener.is_sounding(speaker))?;
        Some((20.0 * (f32::from(level.rms) / 32_768.0).log10()).max(crate::mouth::NOTHING_DBFS))
    }

    /// Whether somebody is placed beyond where anything is heard.
    pub(crate) fn is_too_far(&self, speaker: ClientId) -> bool {
        place(&self.places, speaker).is_some_and(|[x, y]| x.hypot(y) >= self.space.max_distance)
    }

    /// Places somebody, in metres; or nowhere. What is no number is ignored.
    pub(crate) fn place(&mut self, speaker: ClientId, position: Option<[f32; 2]>) {
        if position.is_some_and(|axes| axes.iter().any(|axis| !axis.is_finite())) {
            return;
        }
        let at = self.places.iter().position(|(placed, _)| *placed == speaker);
        match (at, position) {
            (Some(at), Some(position)) => self.places[at].1 = position,
            (Some(at), None) => _ = self.places.swap_remove(at),
            (None, Some(position)) if self.places.len() < PLACES => self.places.push((speaker, position)),
            (None, _) => {}
        }
    }

    /// Somebody has left: whoever gets the id next begins in the middle.
    pub(crate) fn forget(&mut self, speaker: ClientId) {
        self.place(speaker, None);
    }

    /// Forgets all who aren't to be kept.
    pub(crate) fn keep(&mut self, is_kept: impl Fn(ClientId) -> bool) {
        self.places.retain(|(placed, _)| is_kept(*placed));
    }

    /// Sets from where on voices fade, and from where on nothing is heard; ranges that make no sense are ignored.
    pub(crate) fn set_space(&mut self, near: f32, far: f32) {
        let space = Space { min_distance: near, max_distance: far, ..self.space };
        if self.listener.set_space(space).is_ok() {
            self.space = space;
        }
    }

    /// Whether one hears oneself.
    pub(crate) const fn hears_self(&self) -> bool {
        self.own.is_some()
    }

    pub(crate) fn set_hear_self(&mut self, on: bool) {
        match &mut self.own {
            Some(_) if !on => self.own = None,
            None if on => self.own = OwnVoice::new(),
            _ => {}
        }
    }

    /// Takes a packet of the own voice.
    pub(crate) fn take_own(&mut self, packet: &[u8], last: bool) {
        if let Some(own) = &mut self.own {
            own.take(packet, last);
        }
    }
}

fn place(places: &[(ClientId, [f32; 2])], speaker: ClientId) -> Option<[f32; 2]> {
    places.iter().find(|(placed, _)| *placed == speaker).map(|(_, position)| *position)
}
