//! What listeners say of speakers, and what speakers are told of it: docs/PROTOCOL.md, section 3.14.

use super::{Kind, Read, limits::MAX_REPORT_ENTRIES, read::Reader, write::Writer};
use crate::types::{ClientId, DropReason, SessionId};

const ENTRY_BYTES: usize = 7;
/// What one step of a delay on the wire stands for, ms.
const DELAY_STEP_MS: u16 = 4;

/// How a speaker's voice arrives at a listener, or at the worst tenth of its listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hearing {
    /// Packets that never came, in 1/255 of those that were sent; together with `late` at most 255.
    pub loss: u8,
    /// Packets that came when their time to be played had passed, in 1/255.
    pub late: u8,
    /// Interarrival jitter by RFC 3550, ms, saturating.
    pub jitter_ms: u8,
    /// From a packet's arrival until it is played, in steps of 4 ms, saturating at 1,020 ms.
    pub delay: u8,
    /// By how much the one-way delay exceeds the least of the last half minute, in steps of 4 ms, saturating at 1,020 ms: a queue that has
    /// grown on the way.
    pub growth: u8,
}

impl Hearing {
    /// Steps of 4 ms for a span, rounded down; 255 for a second and more.
    pub(crate) fn steps(ms: u32) -> u8 {
        u8::try_from(ms / u32::from(DELAY_STEP_MS)).unwrap_or(u8::MAX)
    }

    /// The playout delay, ms.
    pub fn delay_ms(&self) -> u16 {
        u16::from(self.delay) * DELAY_STEP_MS
    }

    /// The growth of the one-way delay, ms.
    pub fn growth_ms(&self) -> u16 {
        u16::from(self.growth) * DELAY_STEP_MS
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let [loss, late, jitter_ms, delay, growth] = reader.array()?;
        if loss.checked_add(late).is_none() {
            return Err(DropReason::Malformed);
        }
        Ok(Self { loss, late, jitter_ms, delay, growth })
    }

    fn write(&self, writer: &mut Writer<'_>) {
        if self.loss.checked_add(self.late).is_none() {
            writer.fail();
        }
        writer.bytes(&[self.loss, self.late, self.jitter_ms, self.delay, self.growth]);
    }
}

/// What a listener says of one speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportEntry {
    /// Of whom.
    pub speaker: ClientId,
    /// How its voice arrives.
    pub hearing: Hearing,
}

impl ReportEntry {
    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        Ok(Self { speaker: reader.client()?, hearing: Hearing::read(reader)? })
    }
}

/// A listener's report: 1 to 16 entries, strictly ascending by speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report<'a> {
    /// The session.
    pub session: SessionId,
    entries: &'a [u8],
}

impl<'a> Report<'a> {
    /// The entries, ascending by speaker.
    pub fn entries(&self) -> impl Iterator<Item = ReportEntry> + use<'a> {
        let mut reader = Reader::new(self.entries);
        core::iter::from_fn(move || ReportEntry::read(&mut reader).ok())
    }

    /// Writes a report; gives its length. `None` if `out` is too small, there is no entry or more than 16, they aren't ascending, or one is out
    /// of range.
    pub fn write(out: &mut [u8], session: SessionId, entries: &[ReportEntry]) -> Option<usize> {
        let ascending = entries.is_sorted_by(|a, b| a.speaker < b.speaker);
        if entries.is_empty() || entries.len() > MAX_REPORT_ENTRIES || !ascending {
            return None;
        }
        let mut writer = Writer::new(out);
        writer.u8(Kind::Report as u8).u32(session.get());
        for entry in entries {
            writer.u16(entry.speaker.get());
            entry.hearing.write(&mut writer);
        }
        writer.finish()
    }

    pub(super) fn read(reader: &mut Reader<'a>) -> Read<Self> {
        let session = reader.session()?;
        let entries = reader.rest(ENTRY_BYTES, MAX_REPORT_ENTRIES * ENTRY_BYTES)?;
        let mut check = Reader::new(entries);
        let mut before = None;
        while check.len() > 0 {
            let speaker = ReportEntry::read(&mut check)?.speaker;
            if before.is_some_and(|before| before >= speaker) {
                return Err(DropReason::Malformed);
            }
            before = Some(speaker);
        }
        Ok(Self { session, entries })
    }

    pub(super) fn write_body(&self, writer: &mut Writer<'_>) {
        writer.u32(self.session.get()).bytes(self.entries);
    }
}

/// How a speaker's voice arrives at the worst tenth of those who reported of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The session.
    pub session: SessionId,
    /// How many listeners' reports count in it, 1 to 64.
    pub listeners: u8,
    /// Each value of the worst tenth, on its own.
    pub hearing: Hearing,
}

/// Listeners whose reports one summary counts at most.
const MAX_LISTENERS: u8 = 64;

impl Summary {
    pub(super) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let summary = Self { session: reader.session()?, listeners: reader.u8()?, hearing: Hearing::read(reader)? };
        if !(1..=MAX_LISTENERS).contains(&summary.listeners) {
            return Err(DropReason::Malformed);
        }
        reader.end().map(|()| summary)
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        if !(1..=MAX_LISTENERS).contains(&self.listeners) {
            writer.fail();
        }
        writer.u32(self.session.get()).u8(self.listeners);
        self.hearing.write(writer);
    }
}
