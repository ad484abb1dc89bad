use std::collections::BTreeMap;

use crate::{check::Violations, stamp::Stamp};

/// The last serial by receiver, and there by source: a sender, and the client id by which it was heard. Who was heard lately is near the front:
/// one hears few people at once, and often.
type LastOf = Vec<Vec<((u16, u16), u32)>>;

/// Nobody hears a frame twice or out of order; texts come once, in order, and unchanged.
#[derive(Debug, Default)]
pub struct OrderChecker {
    frames: LastOf,
    texts: LastOf,
    /// By sender and serial.
    written: BTreeMap<(u16, u32), String>,
}

impl OrderChecker {
    /// Judges a frame that came out at a listener's ear, heard of this client id. A speaker who rejoined has another, and for a moment
    /// both may sound.
    pub fn heard(&mut self, now: u64, listener: u16, id: u16, stamp: &Stamp, violations: &mut Violations) {
        Self::judge(&mut self.frames, "frame", now, listener, ((stamp.speaker, id), stamp.serial), violations);
    }

    /// Judges a text that a person read: the `serial`-th of its sender, counted over the scenario.
    pub fn read(&mut self, now: u64, reader: u16, sender: u16, serial: u32, violations: &mut Violations) {
        Self::judge(&mut self.texts, "text", now, reader, ((sender, 0), serial), violations);
    }

    /// Notes a text that a person writes: the `serial`-th of its own, different from all its others. Needed for [`OrderChecker::read_text`].
    pub fn wrote(&mut self, sender: u16, serial: u32, text: &str) {
        self.written.insert((sender, serial), text.into());
    }

    /// Judges a text that a person read, said to be by `sender`: whether it is one of those noted, word by word, and then its order.
    pub fn read_text(&mut self, now: u64, reader: u16, sender: u16, text: &str, violations: &mut Violations) {
        let of_sender = self.written.range((sender, 0)..=(sender, u32::MAX)).rev();
        let Some(serial) = of_sender.filter(|(_, written)| *written == text).map(|((_, serial), _)| *serial).next()
        else {
            let start: String = text.chars().take(40).collect();
            violations.push("order", now, format!("person {reader} read a text that {sender} didn't write: '{start}'"));
            return;
        };
        self.read(now, reader, sender, serial, violations);
    }

    fn judge(
        last: &mut LastOf,
        what: &str,
        now: u64,
        to: u16,
        (from, serial): ((u16, u16), u32),
        violations: &mut Violations,
    ) {
        let to_index = usize::from(to);
        if last.len() <= to_index {
            last.resize_with(to_index + 1, Vec::new);
        }
        let sources = &mut last[to_index];
        let Some(at) = sources.iter().position(|(source, _)| *source == from) else {
            return sources.push((from, serial));
        };
        let before = std::mem::replace(&mut sources[at].1, serial);
        sources.swap(at, at / 2);
        if before >= serial {
            let how = if before == serial { "twice" } else { "out of order" };
            violations.push(
                "order",
                now,
                format!("person {to} got {what} {serial} of {} {how} (after {before})", from.0),
            );
        }
    }
}
