//! The result in the terminal.

use std::fmt::Write;

use super::{
    figures::{Listener, percentile},
    proof::Verdict,
    record::{Record, Way},
    script::{CAST, STORY},
};
use crate::columns::align;

/// One line for each listener: whom it heard, what became of the frames, delay, ways, drops.
pub(crate) fn listeners(record: &Record, listeners: &[Listener]) -> String {
    let head = [
        "listener",
        "heard",
        "played",
        "recovered",
        "concealed",
        "late",
        "lost",
        "median",
        "p95",
        "relay/direct",
        "drops",
    ];
    let rows: Vec<Vec<String>> = listeners.iter().map(|listener| row(record, listener)).collect();
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    lines.extend(rows);
    align(&lines, 2)
}

/// One line for each act.
pub(crate) fn verdicts(verdicts: &[Verdict]) -> String {
    let mut out = String::new();
    for verdict in verdicts {
        let word = if verdict.holds() { "ok    " } else { "FAILED" };
        let _ = writeln!(out, "  {word} {:2}. {}: {}", verdict.act + 1, STORY[verdict.act].title, verdict.claim);
        for failure in verdict.failures.iter().take(5) {
            let _ = writeln!(out, "             {failure}");
        }
        if verdict.failures.len() > 5 {
            let _ = writeln!(out, "             and {} more", verdict.failures.len() - 5);
        }
    }
    out
}

fn row(record: &Record, listener: &Listener) -> Vec<String> {
    let all = &listener.all;
    let delays = all.all_delays();
    let ms = |percent| percentile(&delays, percent).map_or("-".into(), |us| format!("{} ms", (us + 500) / 1_000));
    let share = |way| all.share_percent(way).unwrap_or(0);
    vec![
        CAST[listener.who].name.into(),
        listener.heard().map(|who| CAST[who].name).collect::<Vec<_>>().join(" "),
        all.played.to_string(),
        listener.recovered.to_string(),
        format!("{} ms", listener.concealed_ms),
        all.late.to_string(),
        all.lost.to_string(),
        ms(50),
        ms(95),
        format!("{}/{} %", share(Way::Relay), share(Way::Direct)),
        drops_of(record, CAST[listener.who].name).to_string(),
    ]
}

fn drops_of(record: &Record, name: &str) -> u64 {
    record.drops.iter().filter(|drops| drops.at == name).map(|drops| drops.count).sum()
}
