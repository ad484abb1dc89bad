//! What the people of a scenario really wanted, and when: the side of the judgement that owes nothing to the core.

use std::collections::BTreeMap;

use crate::stamp::Audience;

/// A span of true time in µs; `until` is `u64::MAX` while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: u64,
    until: u64,
}

/// Spans in which something held, in order and apart.
#[derive(Debug, Clone, Default)]
struct Spans(Vec<Span>);

impl Spans {
    fn set(&mut self, now: u64, on: bool) {
        let open = self.0.last().is_some_and(|span| span.until == u64::MAX);
        match (on, open) {
            (true, false) => self.0.push(Span { from: now, until: u64::MAX }),
            (false, true) => self.0.last_mut().expect("open span").until = now,
            _ => {}
        }
    }

    fn held_within(&self, from: u64, until: u64) -> bool {
        self.0.iter().rev().take_while(|span| span.until >= from).any(|span| span.from <= until)
    }

    fn holds_throughout(&self, from: u64, until: u64) -> bool {
        self.0.iter().rev().any(|span| span.from <= from && span.until >= until)
    }
}

/// The wishes of everybody over the whole scenario.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    listens: BTreeMap<(u16, u16), Spans>,
    deaf: BTreeMap<u16, Spans>,
    blocks: BTreeMap<(u16, u16), Spans>,
    silenced: BTreeMap<u16, Spans>,
}

impl Truth {
    /// From `now` on the person listens to the room, or no longer.
    pub fn set_listens(&mut self, now: u64, person: u16, room: u16, on: bool) {
        self.listens.entry((person, room)).or_default().set(now, on);
    }

    /// From `now` on the person is deafened, or no longer.
    pub fn set_deaf(&mut self, now: u64, person: u16, on: bool) {
        self.deaf.entry(person).or_default().set(now, on);
    }

    /// From `now` on the listener doesn't want to hear the speaker, or does again.
    pub fn set_blocks(&mut self, now: u64, listener: u16, speaker: u16, on: bool) {
        self.blocks.entry((listener, speaker)).or_default().set(now, on);
    }

    /// From `now` on the person is muted, by itself or the server, or no longer.
    pub fn set_silenced(&mut self, now: u64, person: u16, on: bool) {
        self.silenced.entry(person).or_default().set(now, on);
    }

    /// Whether the person belonged to the audience at any time between `from` and `until`.
    pub fn is_meant(&self, person: u16, audience: Audience, from: u64, until: u64) -> bool {
        match audience {
            Audience::Person(number) => number == person,
            Audience::Room(room) => self.listens.get(&(person, room)).is_some_and(|s| s.held_within(from, until)),
        }
    }

    /// Whether the person listened to the room all the time between `from` and `until`.
    pub fn listened_throughout(&self, person: u16, room: u16, from: u64, until: u64) -> bool {
        self.listens.get(&(person, room)).is_some_and(|spans| spans.holds_throughout(from, until))
    }

    /// Whether the listener wanted silence all the time between `from` and `until`: from this speaker, or from everybody.
    pub fn wanted_silence(&self, listener: u16, speaker: u16, from: u64, until: u64) -> bool {
        let holds = |spans: Option<&Spans>| spans.is_some_and(|spans| spans.holds_throughout(from, until));
        holds(self.deaf.get(&listener)) || holds(self.blocks.get(&(listener, speaker)))
    }

    /// Whether the speaker was muted all the time between `from` and `until`.
    pub fn silenced_throughout(&self, speaker: u16, from: u64, until: u64) -> bool {
        self.silenced.get(&speaker).is_some_and(|spans| spans.holds_throughout(from, until))
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
