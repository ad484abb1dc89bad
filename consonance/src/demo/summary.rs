//! The run as JSON, for programs.

use serde_json::{Map, Value, json};
use voice_core::EncoderAdvice;

use super::{
    figures::{Heard, Listener, percentile},
    proof::Verdict,
    record::{Record, name_of},
    script::{CAST, STORY},
};

/// The content of `summary.json`.
pub(crate) fn json(record: &Record, listeners: &[Listener], verdicts: &[Verdict]) -> String {
    let value = json!({
        "seed": record.seed,
        "network": network(record),
        "virtual_seconds": seconds(record.end),
        "held": verdicts.iter().all(Verdict::holds),
        "acts": verdicts.iter().map(|verdict| act(record, verdict)).collect::<Vec<_>>(),
        "listeners": listeners.iter().map(|one| listener(record, one)).collect::<Vec<_>>(),
        "texts": texts(record),
        "notes": notes(record),
        "drops": drops(record, None),
        "faults": counts(&record.network.faults),
    });
    let mut text = serde_json::to_string_pretty(&value).expect("plain values");
    text.push('\n');
    text
}

fn network(record: &Record) -> Value {
    let numbers =
        record.network.numbers.iter().map(|[what, up, down]| (what.clone(), json!({ "up": up, "down": down })));
    json!({ "preset": record.network.name, "about": record.network.about, "numbers": numbers.collect::<Map<_, _>>() })
}

fn act(record: &Record, verdict: &Verdict) -> Value {
    json!({
        "title": STORY[verdict.act].title,
        "from_s": seconds(record.acts[verdict.act][0]),
        "until_s": seconds(record.acts[verdict.act][1]),
        "held": verdict.holds(),
        "claim": verdict.claim,
        "failures": verdict.failures,
    })
}

fn listener(record: &Record, listener: &Listener) -> Value {
    let speakers = listener.by_speaker.iter().enumerate().filter(|(_, heard)| heard.meant > 0);
    json!({
        "name": CAST[listener.who].name,
        "file": super::wav_name(listener.who),
        "speech": record.speech[listener.who],
        "frames": frames(&listener.all),
        "recovered": listener.recovered,
        "concealed_ms": listener.concealed_ms,
        "playout": counts(&listener.playout.named()),
        "speakers": speakers.map(|(who, heard)| {
            let mut value = frames(heard);
            value["playout"] = counts(&record.playouts[listener.who][who].counts.named());
            (CAST[who].name.to_owned(), value)
        }).collect::<Map<_, _>>(),
        "encoder": record.advice[listener.who].iter().map(|(at, advice)| encoder(*at, advice)).collect::<Vec<_>>(),
        "drops": drops(record, Some(CAST[listener.who].name)),
    })
}

/// What the encoder was told, and when.
fn encoder(at: u64, advice: &EncoderAdvice) -> Value {
    json!({
        "at_s": seconds(at),
        "bitrate": advice.bitrate,
        "fec": advice.fec,
        "expected_loss_percent": advice.expected_loss_percent,
        "frame_ms": advice.frame_length.ms(),
    })
}

fn frames(heard: &Heard) -> Value {
    let delays = heard.all_delays();
    json!({
        "meant": heard.meant,
        "played": heard.played,
        "outranked": heard.outranked,
        "late": heard.late,
        "lost": heard.lost,
        "not_meant": heard.leaked,
        "relay": heard.ways[0],
        "direct": heard.ways[1],
        "mouth_to_ear_median_us": percentile(&delays, 50),
        "mouth_to_ear_p95_us": percentile(&delays, 95),
    })
}

fn texts(record: &Record) -> Vec<Value> {
    let text = |text: &super::record::Text| {
        let read = text.read.iter().map(|(who, at)| (CAST[*who].name.to_owned(), json!((at - text.at) / 1_000)));
        json!({
            "at_s": seconds(text.at),
            "from": CAST[text.who].name,
            "to": text.to.name(),
            "text": text.text,
            "read_after_ms": read.collect::<Map<_, _>>(),
        })
    };
    record.texts.iter().map(text).collect()
}

fn notes(record: &Record) -> Vec<Value> {
    let note =
        |note: &super::record::Note| json!({ "at_s": seconds(note.at), "who": name_of(note.who), "what": note.what });
    record.notes.iter().map(note).collect()
}

fn drops(record: &Record, of: Option<&str>) -> Value {
    let mut places: Map<String, Value> = Map::new();
    for drops in record.drops.iter().filter(|drops| of.is_none_or(|name| name == drops.at)) {
        let place = places.entry(drops.at.clone()).or_insert_with(|| json!({}));
        place[drops.reason] = json!(drops.count);
    }
    match of {
        Some(name) => places.remove(name).unwrap_or_else(|| json!({})),
        None => Value::Object(places),
    }
}

fn counts(counts: &[(&'static str, u64)]) -> Value {
    counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect::<Map<_, _>>().into()
}

/// Thousandths are enough, and are written the same everywhere.
fn seconds(us: u64) -> f64 {
    (us / 1_000) as f64 / 1e3
}
