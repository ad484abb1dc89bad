//! `quality.html`: the result as one page that needs nothing from elsewhere. The sound players take the WAV files of the same folder.

mod plot;

use super::{
    Setting,
    measure::{Outcome, Player},
    sound_name, table,
};
use crate::page::{document, escape, keys, section};

pub(super) fn html(setting: &Setting, outcomes: &[Outcome]) -> String {
    let mut sections = vec![head(setting, outcomes), legend()];
    sections.extend(outcomes.iter().map(network));
    sections.push(section("All figures", &table_of(&table::all(outcomes), table::WORDS)));
    document(&format!("Consonance: quality, seed {}", setting.seed), &sections.concat())
}

fn head(setting: &Setting, outcomes: &[Outcome]) -> String {
    let facts = [
        ("traces", outcomes.len().to_string()),
        ("playouts", Player::ALL.len().to_string()),
        ("tracks of speech, 20 s each", setting.tracks.to_string()),
        ("seed", setting.seed.to_string()),
    ];
    let facts = facts.map(|(what, value)| format!("<div><b>{value}</b><span>{what}</span></div>\n")).concat();
    let yardsticks = table::yardsticks(outcomes);
    let compared = if yardsticks.len() > 1 {
        let note = "<p class=\"soft\">NetEQ is the playout of WebRTC, in Chromium, measured elsewhere on traces of the same kinds. PESQ and mean delay \
                    from sending to playing.</p>\n";
        section("Beside NetEQ", &format!("{note}{}", table_of(&yardsticks, yardsticks[0].len())))
    } else {
        String::new()
    };
    format!(
        "<h1>How it sounds after the network</h1>\n<p class=\"soft\">Speech as Opus ({}), sent over recorded or made networks, and played by the product's own \
         playout and by buffers of a fixed delay. Speech: {}.</p>\n<div class=\"facts\">\n{facts}</div>\n{compared}",
        escape(&setting.codec),
        escape(&setting.speech.join(", "))
    )
}

fn legend() -> String {
    let body = "<p><b>PESQ</b> (WB, up to 4.64) judges the sound as it was heard, only shifted by its mean delay; <b>STOI</b> (up to 1) judges how much is understood, \
                on sound put back in the time of the speech. <b>Delay</b> is from sending to playing. <b>Concealed</b> is time filled with invented sound or silence, <b>recovered</b> \
                are frames taken from a later packet, <b>late</b> packets came after their time. <b>Gap</b> is the longest time in one \
                piece without sound from any packet. All figures are medians over the tracks; plots and sound show the first track. <b>Hindsight</b> is the smallest fixed buffer with FEC beyond which a \
                longer one brings nothing, which nobody can know beforehand.</p>\n";
    section("How to read this", body)
}

fn network(outcome: &Outcome) -> String {
    let trace = &outcome.example.trace;
    let keys = keys(&[
        ("dots", "a packet on its way"),
        ("lost", "lost, or concealed"),
        ("recovered", "recovered"),
        ("ours", "ours; dashed: its target"),
        ("fixed-60", "fixed, 60 ms"),
        ("fixed-120", "fixed, 120 ms"),
        ("hindsight", "fixed, in hindsight"),
    ]);
    let rows: String = table::all(std::slice::from_ref(outcome))
        .iter()
        .enumerate()
        .map(|(number, cells)| {
            let file = |what: &str| {
                format!("<audio controls preload=\"none\" src=\"{}\"></audio>", sound_name(&trace.name, what))
            };
            let last = match number {
                0 => "<th>sound</th>".to_owned(),
                _ => format!("<td>{}</td>", file(&Player::ALL[number - 1].name())),
            };
            row(&cells[1..11], number == 0, table::WORDS - 1, &last)
        })
        .collect();
    let spoken = format!(
        "<p class=\"soft\">The same without any loss:</p>\n<audio controls preload=\"none\" src=\"{}\"></audio>\n",
        sound_name(&trace.name, "spoken")
    );
    let about = format!(
        "<p class=\"soft\">{} {:.0} ms on the way in the mean, {:.1} % lost.</p>\n",
        escape(&if trace.about.is_empty() { String::new() } else { format!("{}.", trace.about) }),
        outcome.transit_ms,
        outcome.loss * 100.0
    );
    let drawing = plot::draw(&outcome.example);
    section(
        &escape(&trace.name),
        &format!(
            "{about}{keys}<div class=\"scroll\">\n{drawing}</div>\n<div class=\"scroll\"><table>\n{rows}</table></div>\n{spoken}"
        ),
    )
}

fn table_of(lines: &[Vec<String>], words: usize) -> String {
    let rows: String = lines.iter().enumerate().map(|(number, cells)| row(cells, number == 0, words, "")).collect();
    format!("<div class=\"scroll\"><table>\n{rows}</table></div>\n")
}

fn row(cells: &[String], head: bool, words: usize, last: &str) -> String {
    let tag = if head { "th" } else { "td" };
    let cells = cells.iter().enumerate().map(|(column, cell)| {
        let class = if column < words { "t" } else { "n" };
        format!("<{tag} class=\"{class}\">{}</{tag}>", escape(cell))
    });
    format!("<tr>{}{last}</tr>\n", cells.collect::<String>())
}
