//! `quality.json` and `quality.md`: the same figures for programs and for documents.

use serde_json::{Map, Value, json};

use super::{
    Setting,
    measure::{Figures, Outcome, Player},
    table,
};

pub(super) fn json(setting: &Setting, outcomes: &[Outcome]) -> String {
    let traces: Vec<Value> = outcomes.iter().map(trace).collect();
    let summary = json!({
        "seed": setting.seed,
        "tracks": setting.tracks,
        "speech": setting.speech,
        "codec": setting.codec,
        "traces": traces,
    });
    format!("{summary:#}\n")
}

fn trace(outcome: &Outcome) -> Value {
    let trace = &outcome.example.trace;
    let playouts: Map<String, Value> =
        Player::ALL.iter().zip(&outcome.figures).map(|(player, figures)| (player.name(), playout(figures))).collect();
    json!({
        "name": trace.name,
        "about": trace.about,
        "frame_ms": trace.frame_ms,
        "packets": trace.packets.len(),
        "mean_transit_ms": rounded(outcome.transit_ms),
        "lost": rounded(outcome.loss),
        "playouts": playouts,
    })
}

fn playout(figures: &Figures) -> Value {
    json!({
        "pesq_wb": figures.scores.pesq.map(rounded),
        "stoi": figures.scores.stoi.map(rounded),
        "delay_ms": rounded(figures.delay_ms),
        "concealed": rounded(figures.concealed),
        "recovered": rounded(figures.recovered),
        "late": rounded(figures.late),
        "stretched": rounded(figures.stretched),
        "shortened": rounded(figures.shortened),
        "longest_gap_ms": rounded(figures.longest_gap_ms),
    })
}

/// Four decimals tell all that means something.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

pub(super) fn markdown(setting: &Setting, outcomes: &[Outcome]) -> String {
    let mut out = format!(
        "Seed {}, {} of 20 s from {}; {}.\n",
        setting.seed,
        if setting.tracks == 1 { "1 track".into() } else { format!("{} tracks", setting.tracks) },
        setting.speech.join(", "),
        setting.codec
    );
    let yardsticks = table::yardsticks(outcomes);
    if yardsticks.len() > 1 {
        out += &format!("\n{}", table::markdown(&yardsticks, yardsticks[0].len()));
    }
    out + &format!("\n{}", table::markdown(&table::all(outcomes), table::WORDS))
}
