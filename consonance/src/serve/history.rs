//! The last quarter of an hour, second by second, so that who opens `/status` later sees it too.

use std::collections::VecDeque;

use serde::Serialize;

/// Seconds that are kept; those before are forgotten.
const KEPT: usize = 900;

/// What a row holds, in this order.
pub(super) const COLUMNS: [&str; 10] = [
    "people",
    "reconnecting",
    "speaking",
    "frames_in",
    "frames_out",
    "datagrams_out",
    "loss_mean",
    "loss_worst",
    "us_per_frame",
    "dropped",
];

/// The server at one moment. Counts go on from its start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reading {
    pub(super) uptime_s: f64,
    pub(super) cpu_s: Option<f64>,
    pub(super) people: usize,
    pub(super) reconnecting: usize,
    pub(super) speaking: usize,
    pub(super) frames_in: u64,
    pub(super) frames_out: u64,
    pub(super) datagrams_out: u64,
    pub(super) dropped: u64,
    /// Percent, over those who are connected, and of the one who misses most.
    pub(super) loss_mean: f64,
    pub(super) loss_worst: f64,
}

/// A second: rates are per second, and nothing is known of what can't be.
type Row = [Option<f64>; COLUMNS.len()];

/// The past, of bounded length.
#[derive(Debug, Default)]
pub(super) struct History {
    rows: VecDeque<Row>,
    /// Rows since the start.
    count: u64,
    before: Option<Reading>,
}

/// A part of the past, as JSON has it.
#[derive(Debug, Serialize)]
pub(super) struct Part {
    columns: [&'static str; COLUMNS.len()],
    /// How many a page shows at most.
    kept: usize,
    /// The number of the last row, which the next question names.
    last: u64,
    rows: Vec<Row>,
}

impl History {
    /// Adds what there is now. The first reading only begins.
    pub(super) fn add(&mut self, now: Reading) {
        let Some(before) = self.before.replace(now) else { return };
        let seconds = (now.uptime_s - before.uptime_s).max(0.001);
        let rate = |now: u64, before: u64| Some(round(now.saturating_sub(before) as f64 / seconds));
        let frames = now.frames_out.saturating_sub(before.frames_out);
        let cpu_s = now.cpu_s.zip(before.cpu_s).map(|(now, before)| now - before);
        if self.rows.len() == KEPT {
            self.rows.pop_front();
        }
        self.count += 1;
        self.rows.push_back([
            Some(now.people as f64),
            Some(now.reconnecting as f64),
            Some(now.speaking as f64),
            rate(now.frames_in, before.frames_in),
            rate(now.frames_out, before.frames_out),
            rate(now.datagrams_out, before.datagrams_out),
            Some(round(now.loss_mean)),
            Some(round(now.loss_worst)),
            cpu_s.filter(|_| frames > 0).map(|cpu_s| round(cpu_s * 1e6 / frames as f64)),
            rate(now.dropped, before.dropped),
        ]);
    }

    /// The rows after this number; all that are kept if there is no such one.
    pub(super) fn after(&self, number: u64) -> Part {
        let new = self.count.checked_sub(number).and_then(|new| usize::try_from(new).ok()).unwrap_or(usize::MAX);
        let from = self.rows.len().saturating_sub(new);
        Part { columns: COLUMNS, kept: KEPT, last: self.count, rows: self.rows.range(from..).copied().collect() }
    }
}

/// To hundredths, which is all that a plot shows.
fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(second: u64) -> Reading {
        Reading {
            uptime_s: second as f64,
            cpu_s: Some(second as f64 / 10.0),
            frames_out: second * 1_000,
            ..Reading::default()
        }
    }

    #[test]
    fn the_past_is_bounded_and_who_has_a_part_gets_the_rest() {
        let mut history = History::default();
        (0..=2_000).for_each(|second| history.add(reading(second)));
        let all = history.after(0);
        assert_eq!((all.rows.len(), all.last), (KEPT, 2_000));
        assert_eq!((all.rows[0][4], all.rows[0][8]), (Some(1_000.0), Some(100.0)));
        assert_eq!(history.after(1_997).rows.len(), 3);
        assert!(history.after(2_000).rows.is_empty());
        // Of a server before this one.
        assert_eq!(history.after(5_000).rows.len(), KEPT);
    }

    #[test]
    fn a_second_without_frames_has_no_cost_for_each() {
        let mut history = History::default();
        history.add(reading(1));
        history.add(Reading { uptime_s: 2.0, ..reading(1) });
        assert_eq!(history.after(0).rows[0][8], None);
    }
}
