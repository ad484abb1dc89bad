//! `report.html`: the run as one page that needs nothing from elsewhere. The sound players beside the table take the WAV files of the
//! same folder.

mod playout;
mod plots;
mod timeline;

use std::fmt::Write;

use super::{
    figures::{Listener, percentile},
    proof::Verdict,
    record::{Record, Way, name_of},
    script::{CAST, STORY},
};
use crate::page::{document, escape, keys, section};

/// The whole page.
pub(crate) fn html(record: &Record, listeners: &[Listener], verdicts: &[Verdict]) -> String {
    let sections = [
        head(record, listeners, verdicts),
        story(record, listeners),
        acts(record, verdicts),
        heard(listeners),
        playout(record, listeners),
        delay(record, listeners),
        loss(record),
        words(record),
        drops(record),
        network(record),
    ];
    document(&format!("Consonance: {}, seed {}", record.network.name, record.seed), &sections.concat())
}

fn head(record: &Record, listeners: &[Listener], verdicts: &[Verdict]) -> String {
    let held = verdicts.iter().filter(|verdict| verdict.holds()).count();
    let (class, verdict) = if held == verdicts.len() { ("ok", "held") } else { ("failed", "failed") };
    let meant: u64 = listeners.iter().map(|one| one.all.meant).sum();
    let played: u64 = listeners.iter().map(|one| one.all.played).sum();
    let facts = [
        ("people and a dedicated server", CAST.len().to_string()),
        ("network of everybody", record.network.name.to_owned()),
        ("seed", record.seed.to_string()),
        ("virtual time", format!("{} s", record.end / 1_000_000)),
        ("frames spoken", record.spoken.iter().map(Vec::len).sum::<usize>().to_string()),
        ("of those meant for an ear were played", percent(played, meant)),
        ("acts as expected", format!("<span class=\"{class}\">{held} of {} {verdict}</span>", verdicts.len())),
    ];
    let facts = facts.map(|(what, value)| format!("<div><b>{value}</b><span>{what}</span></div>\n"));
    format!(
        "<h1>One session, heard from every seat</h1>\n<p class=\"soft\">Real speech, encoded with Opus as each client advises, through real sessions of the voice core \
         over a simulated network. Every WAV file is exactly what that listener heard.</p>\n<div class=\"facts\">\n{}</div>\n",
        facts.concat()
    )
}

fn percent(part: u64, whole: u64) -> String {
    let tenths = (part * 1_000 + whole / 2).checked_div(whole).unwrap_or(0);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn story(record: &Record, listeners: &[Listener]) -> String {
    let keys = keys(&[
        ("speak", "speaks"),
        ("relay", "heard by the relay"),
        ("direct", "heard by a direct path"),
        ("faint", "received, but outranked by a higher priority"),
        ("lost", "missing and concealed"),
        ("copy", "missing and recovered from a later packet"),
        ("outage", "cut off"),
    ]);
    let drawing = timeline::draw(record, listeners);
    let about = "<p class=\"soft\">Each block is one person: the thick bar is what they say, the thin bars below are whom they hear. Flags are events, \
                 envelopes texts; point at anything for its words.</p>\n";
    section("Who spoke, and who heard whom", &format!("{about}{keys}<div class=\"scroll\">\n{drawing}</div>\n"))
}

fn acts(record: &Record, verdicts: &[Verdict]) -> String {
    let rows = verdicts.iter().map(|verdict| {
        let act = &STORY[verdict.act];
        let (class, word) = if verdict.holds() { ("ok", "ok") } else { ("failed", "FAILED") };
        let mut outcome = escape(&verdict.claim);
        for failure in &verdict.failures {
            let _ = write!(outcome, "<br><span class=\"failed\">{}</span>", escape(failure));
        }
        let from = record.acts[verdict.act][0] / 100_000;
        format!(
            "<tr><td class=\"n\">{}</td><td class=\"t\">{}</td><td class=\"n\">{}.{} s</td><td>{}</td><td>{outcome}</td><td class=\"{class}\">{word}</td></tr>\n",
            verdict.act + 1,
            act.title,
            from / 10,
            from % 10,
            act.about
        )
    });
    let head = "<tr><th class=\"n\"></th><th>act</th><th class=\"n\">from</th><th>what happens</th><th>what was checked</th><th></th></tr>\n";
    section("The acts", &format!("<div class=\"scroll\"><table>\n{head}{}</table></div>\n", rows.collect::<String>()))
}

fn heard(listeners: &[Listener]) -> String {
    let head = "<tr><th>listener</th><th>heard</th><th class=\"n\">played</th><th class=\"n\">recovered</th><th class=\"n\">concealed</th><th class=\"n\">late</th><th class=\"n\">lost</th>\
                <th class=\"n\">median</th><th class=\"n\">p95</th><th class=\"n\">relay / direct</th><th>what they heard</th></tr>\n";
    let rows: String = listeners.iter().map(listener_row).collect();
    let note = "<p class=\"soft\">Played, recovered, late and lost are frames. Recovered: missing when due, decoded from the coarse copy in the next \
                packet. Concealed: missing when due, filled with the decoder's guess. Late: arrived after that. Lost: never arrived. Delay is from \
                mouth to ear: from the first sample of a frame to its being heard, with the frame itself, 6.5 ms of codec look-ahead and 2.5 ms of \
                limiter, without sound cards.</p>\n";
    section("What each listener heard", &format!("{note}<div class=\"scroll\"><table>\n{head}{rows}</table></div>\n"))
}

fn listener_row(listener: &Listener) -> String {
    let all = &listener.all;
    let delays = all.all_delays();
    let ms = |percent| percentile(&delays, percent).map_or("–".into(), |us| format!("{} ms", (us + 500) / 1_000));
    let names: Vec<_> = listener.heard().map(|who| CAST[who].name).collect();
    let share = |way| all.share_percent(way).unwrap_or(0);
    format!(
        "<tr><td class=\"t\"><b>{}</b></td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{} ms</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
         <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{} / {} %</td><td><audio controls preload=\"none\" src=\"{}\"></audio></td></tr>\n",
        CAST[listener.who].name,
        names.join(", "),
        all.played,
        listener.recovered,
        listener.concealed_ms,
        all.late,
        all.lost,
        ms(50),
        ms(95),
        share(Way::Relay),
        share(Way::Direct),
        super::wav_name(listener.who)
    )
}

fn playout(record: &Record, listeners: &[Listener]) -> String {
    let keys = keys(&[
        ("relay", "delay"),
        ("target", "delay aimed at"),
        ("lost", "concealed"),
        ("copy", "recovered from a later packet"),
    ]);
    let about = "<p class=\"soft\">Every 200 ms, for each speaker of whom there is something to hear: how much later than the fastest packets frames are \
                 played, and how much later the playout wants them to be. Point at a line for the speaker.</p>\n";
    let head = "<tr><th>listener</th><th class=\"n\">received</th><th class=\"n\">played</th><th class=\"n\">recovered</th><th class=\"n\">late</th>\
                <th class=\"n\">skipped</th><th class=\"n\">concealed</th><th class=\"n\">stretched</th><th class=\"n\">shortened</th></tr>\n";
    let rows: String = listeners.iter().map(playout_row).collect();
    let note = "<p class=\"soft\" style=\"margin-top:18px\">What the playouts counted. Recovered: as far as the later packet held a copy. Stretched and shortened: what they asked for so that the delay would \
                reach its target.</p>\n";
    let drawing = playout::draw(record, listeners);
    section(
        "What each listener's playout did",
        &format!(
            "{about}{keys}<div class=\"scroll\">\n{drawing}</div>\n{note}<div class=\"scroll\"><table>\n{head}{rows}</table></div>\n"
        ),
    )
}

fn playout_row(listener: &Listener) -> String {
    let cells = listener.playout.named().map(|(name, count)| {
        let unit = if name.ends_with("_ms") { " ms" } else { "" };
        format!("<td class=\"n\">{count}{unit}</td>")
    });
    format!("<tr><td class=\"t\"><b>{}</b></td>{}</tr>\n", CAST[listener.who].name, cells.concat())
}

fn delay(record: &Record, listeners: &[Listener]) -> String {
    let keys = keys(&[("relay", "by the relay"), ("direct", "by a direct path")]);
    let about = "<p class=\"soft\">Line: median of half a second over all listeners. Area: from the 5th to the 95th percentile.</p>\n";
    let (over_time, spread) = (plots::delay(record), plots::spread(listeners));
    let about_spread = "<p class=\"soft\" style=\"margin-top:18px\">By listener: median, 5th to 95th percentile, and the extremes.</p>\n";
    section(
        "Delay from mouth to ear",
        &format!(
            "{about}{keys}<div class=\"scroll\">\n{over_time}</div>\n{about_spread}<div class=\"scroll\">\n{spread}</div>\n"
        ),
    )
}

fn loss(record: &Record) -> String {
    let keys = keys(&[("lost", "never arrived"), ("late", "arrived too late to be played")]);
    let about = "<p class=\"soft\">Share of the frames meant for somebody that were not played, by the half second in which they were spoken.</p>\n";
    section("Loss", &format!("{about}{keys}<div class=\"scroll\">\n{}</div>\n", plots::loss(record)))
}

fn words(record: &Record) -> String {
    let texts = record.texts.iter().map(|text| {
        let read: Vec<_> =
            text.read.iter().map(|(who, at)| format!("{} after {} ms", CAST[*who].name, (at - text.at) / 1_000)).collect();
        format!(
            "<tr><td class=\"n\">{}</td><td class=\"t\">{} to {}</td><td>“{}”<br><span class=\"soft\">read by {}</span></td></tr>\n",
            seconds(text.at),
            CAST[text.who].name,
            text.to.name(),
            escape(text.text),
            read.join(", ")
        )
    });
    let notes = news(record).into_iter().map(|(at, names, what)| {
        format!("<tr><td class=\"n\">{}</td><td>{names}</td><td>{}</td></tr>\n", seconds(at), escape(what))
    });
    format!(
        "<section><div class=\"two\"><div><h2>Events</h2><table>\n{}</table></div><div><h2>Texts</h2><table>\n{}</table></div></div></section>\n",
        notes.collect::<String>(),
        texts.collect::<String>()
    )
}

/// The notes in order; the same from several people close together is one.
fn news(record: &Record) -> Vec<(u64, String, &str)> {
    const TOGETHER_US: u64 = 2_000_000;
    let mut notes: Vec<_> = record.notes.iter().collect();
    notes.sort_by_key(|note| note.at);
    let mut news: Vec<(u64, String, &str)> = Vec::new();
    for note in notes {
        let name = name_of(note.who);
        match news.iter_mut().rev().find(|(at, _, what)| *what == note.what && at + TOGETHER_US > note.at) {
            Some((_, names, _)) => names.extend([", ", name]),
            None => news.push((note.at, name.to_owned(), &note.what)),
        }
    }
    news
}

fn seconds(us: u64) -> String {
    format!("{}.{:02} s", us / 1_000_000, us / 10_000 % 100)
}

fn drops(record: &Record) -> String {
    let places = (0..CAST.len()).map(Some).chain([None]).map(name_of);
    let drops = places.filter_map(|place| {
        let reasons = record.drops.iter().filter(|drops| drops.at == place);
        let reasons: Vec<_> =
            reasons.map(|drops| format!("{} {}", drops.reason.replace('_', " "), drops.count)).collect();
        (!reasons.is_empty()).then(|| format!("<tr><td class=\"t\">{place}</td><td>{}</td></tr>\n", reasons.join(", ")))
    });
    let faults = record.network.faults.iter().filter(|(_, count)| *count > 0);
    let faults = faults
        .map(|(name, count)| format!("<tr><td>{}</td><td class=\"n\">{count}</td></tr>\n", name.replace('_', " ")));
    format!(
        "<section><div class=\"two\"><div><h2>Dropped by the core, by reason</h2><p class=\"soft\">Every counter that isn't zero; section 11 of \
         docs/PROTOCOL.md.</p><table>\n{}</table></div><div><h2>What the network did</h2><p class=\"soft\">Packets of all kinds.</p><table>\n{}</table></div></div></section>\n",
        drops.collect::<String>(),
        faults.collect::<String>()
    )
}

fn network(record: &Record) -> String {
    let rows: String = record
        .network
        .numbers
        .iter()
        .map(|[what, up, down]| {
            format!("<tr><td>{what}</td><td class=\"n\">{up}</td><td class=\"n\">{down}</td></tr>\n")
        })
        .collect();
    let speech: String = (0..CAST.len())
        .map(|who| {
            format!("<tr><td class=\"t\">{}</td><td>{}</td></tr>\n", CAST[who].name, escape(&record.speech[who]))
        })
        .collect();
    let body = format!(
        "<div class=\"two\"><div><h2>Network: {}</h2><p class=\"soft\">{}.</p><table>\n<tr><th>each person's link</th><th class=\"n\">up</th><th class=\"n\">down</th></tr>\n{rows}</table></div>\
         <div><h2>Speech</h2><table>\n{speech}</table><p style=\"margin-top:16px\">The same again, to the byte:<br><code>consonance demo --network {} --seed {}</code></p></div></div>\n",
        record.network.name,
        escape(&record.network.about),
        record.network.name,
        record.seed
    );
    format!("<section>{body}</section>\n")
}
