//! What the people of a scenario really wanted, and when: the side of the judgement that owes nothing to the core.

use std::collections::BTreeMap;

use crate::stamp::Audience;

/// A span of true time in µs; `until` is `u64::MAX` while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: u64,
    until: u64,
}

impl Span {
    /// Before anything was.
    const NEVER: Self = Self { from: u64::MAX, until: 0 };
}

/// Spans in which something held, in order and apart. The last is at hand: nearly all questions are about it.
#[derive(Debug, Clone)]
struct Spans {
    last: Span,
    earlier: Vec<Span>,
}

impl Default for Spans {
    fn default() -> Self {
        Self { last: Span::NEVER, earlier: Vec::new() }
    }
}

impl Spans {
    fn set(&mut self, now: u64, on: bool) {
        let lasts = self.last.until == u64::MAX;
        if on && !lasts {
            let before = std::mem::replace(&mut self.last, Span { from: now, until: u64::MAX });
            self.earlier.extend((before != Span::NEVER).then_some(before));
        } else if !on && lasts {
            self.last.until = now;
        }
    }

    fn held_within(&self, from: u64, until: u64) -> bool {
        let within = |span: &Span| span.until >= from && span.from <= until;
        // Those before the last ended before it began, and once one ended too soon all before it did.
        within(&self.last)
            || self.last.until >= from && self.earlier.iter().rev().take_while(|span| span.until >= from).any(within)
    }

    fn holds_throughout(&self, from: u64, until: u64) -> bool {
        let throughout = |span: &Span| span.until >= until && span.from <= from;
        throughout(&self.last)
            || self.last.until >= until
                && self.earlier.iter().rev().take_while(|span| span.until >= until).any(throughout)
    }
}

/// The wishes of everybody over the whole scenario.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    wishes: Vec<Wishes>,
}

/// The wishes of one person.
#[derive(Debug, Clone, Default)]
struct Wishes {
    /// By room; few.
    listens: Vec<(u16, Spans)>,
    /// By speaker.
    blocks: BTreeMap<u16, Spans>,
    deaf: Spans,
    silenced: Spans,
    silenced_by_server: Spans,
}

impl Truth {
    /// From `now` on the person listens to the room, or no longer.
    pub fn set_listens(&mut self, now: u64, person: u16, room: u16, on: bool) {
        let listens = &mut self.of(person).listens;
        let at = listens.iter().position(|(number, _)| *number == room).unwrap_or_else(|| {
            listens.push((room, Spans::default()));
            listens.len() - 1
        });
        listens[at].1.set(now, on);
    }

    /// From `now` on the person is deafened, or no longer.
    pub fn set_deaf(&mut self, now: u64, person: u16, on: bool) {
        self.of(person).deaf.set(now, on);
    }

    /// From `now` on the listener doesn't want to hear the speaker, or does again.
    pub fn set_blocks(&mut self, now: u64, listener: u16, speaker: u16, on: bool) {
        let blocks = &mut self.of(listener).blocks;
        if on {
            blocks.entry(speaker).or_default().set(now, true);
        } else if let Some(spans) = blocks.get_mut(&speaker) {
            // Most never block anybody, and are asked about it with every frame.
            spans.set(now, false);
        }
    }

    /// From `now` on the server mutes the person, or no longer.
    pub fn set_server_silenced(&mut self, now: u64, person: u16, on: bool) {
        self.of(person).silenced_by_server.set(now, on);
    }

    /// Whether the server muted the speaker all the time between `from` and `until`.
    pub fn silenced_by_server_throughout(&self, speaker: u16, from: u64, until: u64) -> bool {
        let wishes = self.wishes.get(usize::from(speaker));
        wishes.is_some_and(|wishes| wishes.silenced_by_server.holds_throughout(from, until))
    }

    /// From `now` on the person mutes itself, or no longer.
    pub fn set_silenced(&mut self, now: u64, person: u16, on: bool) {
        self.of(person).silenced.set(now, on);
    }

    fn of(&mut self, person: u16) -> &mut Wishes {
        let at = usize::from(person);
        if self.wishes.len() <= at {
            self.wishes.resize_with(at + 1, Wishes::default);
        }
        &mut self.wishes[at]
    }

    fn listening(&self, person: u16, room: u16) -> Option<&Spans> {
        let listens = &self.wishes.get(usize::from(person))?.listens;
        listens.iter().find(|(number, _)| *number == room).map(|(_, spans)| spans)
    }

    /// Whether the person belonged to the audience at any time between `from` and `until`.
    pub fn is_meant(&self, person: u16, audience: Audience, from: u64, until: u64) -> bool {
        match audience {
            Audience::Person(number) => number == person,
            Audience::Room(room) => self.listening(person, room).is_some_and(|spans| spans.held_within(from, until)),
        }
    }

    /// Whether the person listened to the room all the time between `from` and `until`.
    pub fn listened_throughout(&self, person: u16, room: u16, from: u64, until: u64) -> bool {
        self.listening(person, room).is_some_and(|spans| spans.holds_throughout(from, until))
    }

    /// Whether the listener wanted silence all the time between `from` and `until`: from this speaker, or from everybody.
    pub fn wanted_silence(&self, listener: u16, speaker: u16, from: u64, until: u64) -> bool {
        let Some(wishes) = self.wishes.get(usize::from(listener)) else { return false };
        let blocks = wishes.blocks.get(&speaker).is_some_and(|spans| spans.holds_throughout(from, until));
        blocks || wishes.deaf.holds_throughout(from, until)
    }

    /// Whether the speaker muted itself all the time between `from` and `until`.
    pub fn silenced_throughout(&self, speaker: u16, from: u64, until: u64) -> bool {
        self.wishes.get(usize::from(speaker)).is_some_and(|wishes| wishes.silenced.holds_throughout(from, until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_tell_ever_from_always() {
        let mut truth = Truth::default();
        truth.set_listens(100, 1, 5, true);
        truth.set_listens(200, 1, 5, false);
        assert!(truth.is_meant(1, Audience::Room(5), 150, 400));
        assert!(truth.is_meant(1, Audience::Room(5), 0, 100));
        assert!(!truth.is_meant(1, Audience::Room(5), 201, 400));
        assert!(truth.listened_throughout(1, 5, 120, 180));
        assert!(!truth.listened_throughout(1, 5, 120, 280));
        assert!(truth.is_meant(2, Audience::Person(2), 0, 0));
        assert!(!truth.is_meant(1, Audience::Person(2), 0, u64::MAX));
    }
}
