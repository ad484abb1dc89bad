use std::collections::BTreeMap;

use crate::{check::Violations, stamp::Stamp};

/// Nobody hears a frame twice or out of order; texts come once, in order, and unchanged.
#[derive(Debug, Default)]
pub struct OrderChecker {
    frames: BTreeMap<(u16, u16), u32>,
    texts: BTreeMap<(u16, u16), u32>,
}

impl OrderChecker {
    /// Judges a frame that came out at a listener's ear.
    pub fn heard(&mut self, now: u64, listener: u16, stamp: &Stamp, violations: &mut Violations) {
        Self::judge(&mut self.frames, "frame", now, listener, (stamp.speaker, stamp.serial), violations);
    }

    /// Judges a text that a person read: the `serial`-th of its sender, counted over the scenario.
    pub fn read(&mut self, now: u64, reader: u16, sender: u16, serial: u32, violations: &mut Violations) {
        Self::judge(&mut self.texts, "text", now, reader, (sender, serial), violations);
    }

    fn judge(
        last: &mut BTreeMap<(u16, u16), u32>,
        what: &str,
        now: u64,
        to: u16,
        (from, serial): (u16, u32),
        violations: &mut Violations,
    ) {
        if let Some(before) = last.insert((to, from), serial)
            && before >= serial
        {
            let how = if before == serial { "twice" } else { "out of order" };
            violations.push("order", now, format!("person {to} got {what} {serial} of {from} {how} (after {before})"));
        }
    }
}
