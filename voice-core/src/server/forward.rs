use heapless::Vec;

use super::{engine::Engine, voice::emit};
use crate::{
    types::ConnectionId,
    wire::{ParsedVoice, limits::MAX_CHANNELS},
};

/// The set of listeners of one channel.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mask {
    One { word: usize, bits: u64 },
    Room { place: usize, first: usize, last: usize },
}

impl Mask {
    pub(super) fn word(&self, at: usize, members: &[u64], width: usize) -> u64 {
        match *self {
            Self::One { word, bits } if word == at => bits,
            Self::Room { place, first, last } if (first..=last).contains(&at) => {
                members.get(place * width + at).copied().unwrap_or(0)
            }
            _ => 0,
        }
    }
}

/// Who gets a packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fanout {
    /// One group that is already among the recipients: its channels, and how many. Otherwise groups are found one by one.
    pub(super) ready: Option<(u8, usize)>,
    /// Channels by which the local client is reached.
    pub(super) local: Option<u8>,
}

/// Voice to send on at once, unreliably: groups of listeners with the bytes that each of a group gets.
///
/// Nearly always there are none or one. Listeners that are reached by different channels are in different groups, and none learns of
/// the others' channels. What is not asked for is not sent.
pub struct Forward<'a, 'p> {
    packet: &'p mut [u8],
    job: Option<Job<'a>>,
    is_last: bool,
}

struct Job<'a> {
    engine: Engine<'a>,
    voice: ParsedVoice,
    masks: Vec<(u8, Mask), MAX_CHANNELS>,
    fanout: Fanout,
    /// Words before this have nobody left.
    word: usize,
}

impl<'a, 'p> Forward<'a, 'p> {
    pub(crate) fn nothing(packet: &'p mut [u8]) -> Self {
        Self { packet, job: None, is_last: true }
    }

    pub(super) fn new(
        engine: Engine<'a>,
        voice: ParsedVoice,
        masks: Vec<(u8, Mask), MAX_CHANNELS>,
        fanout: Fanout,
        packet: &'p mut [u8],
        is_last: bool,
    ) -> Self {
        Self { packet, job: Some(Job { engine, voice, masks, fanout, word: 0 }), is_last }
    }

    /// Whether no other speaker's frame for the same listeners is due within the window of [`ServerConfig`](crate::ServerConfig). If one is, a transport
    /// that packs several packets into one datagram does well to let this one wait; at most for the window, and until a packet that is the
    /// last. What waits for the speaker itself may leave then, too: its own voice doesn't come there.
    pub const fn is_last(&self) -> bool {
        self.is_last
    }

    /// The next group: the bytes, and who gets them.
    #[allow(clippy::should_implement_trait)] // It lends what it gives.
    pub fn next(&mut self) -> Option<(&[u8], &[ConnectionId])> {
        let job = self.job.as_mut()?;
        let (keep, count) = match job.fanout.ready.take() {
            Some(ready) => {
                job.word = usize::MAX;
                ready
            }
            None => job.next_group()?,
        };
        let bytes = job.voice.rewrite(self.packet, keep);
        let counters = &mut job.engine.s.counters;
        counters.voice_out.add_many(count, bytes.len());
        counters.unreliable_out.add_many(count, bytes.len());
        Some((bytes, job.engine.t.recipients.get(..count).unwrap_or_default()))
    }

    /// The packet as the local client of a host gets it, if it gets it.
    pub(crate) fn local_copy(&mut self) -> Option<&[u8]> {
        let job = self.job.as_mut()?;
        let keep = job.fanout.local.take()?;
        Some(job.voice.rewrite(self.packet, keep))
    }
}

impl Job<'_> {
    fn next_group(&mut self) -> Option<(u8, usize)> {
        let tables = &mut self.engine.t;
        let bits = &mut tables.bits;
        let rest = bits.remaining.get(self.word..)?;
        self.word += rest.iter().position(|left| *left != 0)?;
        let somebody = bits.remaining.get(self.word)?.trailing_zeros();
        let mut keep = 0;
        for (bit, mask) in &self.masks {
            if mask.word(self.word, bits.members, bits.width) >> somebody & 1 != 0 {
                keep |= bit;
            }
        }
        let mut count = 0;
        for word in self.word..bits.width {
            let Some(left) = bits.remaining.get_mut(word).filter(|left| **left != 0) else { continue };
            let mut group = *left;
            for (bit, mask) in &self.masks {
                let members = mask.word(word, bits.members, bits.width);
                group &= if keep & bit != 0 { members } else { !members };
            }
            *left &= !group;
            count = emit(group, word, tables.connection_of, tables.recipients, count);
        }
        (keep != 0).then_some((keep, count))
    }
}
