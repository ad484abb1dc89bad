//! The result in rows: for the terminal, for Markdown and for the page.

use super::{
    measure::{Figures, Outcome, Player},
    yardstick::YARDSTICKS,
};

pub(super) const HEAD: [&str; 13] = [
    "trace",
    "playout",
    "PESQ",
    "STOI",
    "delay ms",
    "concealed",
    "recovered",
    "late",
    "stretched",
    "shortened",
    "gap ms",
    "way ms",
    "lost",
];
/// How many of the first columns are words.
pub(super) const WORDS: usize = 2;

/// A headline, and one line for each trace and playout.
pub(super) fn all(outcomes: &[Outcome]) -> Vec<Vec<String>> {
    let mut lines = vec![HEAD.map(str::to_owned).to_vec()];
    for outcome in outcomes {
        for (player, figures) in Player::ALL.into_iter().zip(&outcome.figures) {
            lines.push(row(outcome, player, figures));
        }
    }
    lines
}

fn row(outcome: &Outcome, player: Player, figures: &Figures) -> Vec<String> {
    vec![
        outcome.example.trace.name.clone(),
        player.name(),
        score(figures.scores.pesq, 2),
        score(figures.scores.stoi, 3),
        format!("{:.0}", figures.delay_ms),
        percent(figures.concealed),
        percent(figures.recovered),
        percent(figures.late),
        percent(figures.stretched),
        percent(figures.shortened),
        format!("{:.0}", figures.longest_gap_ms),
        format!("{:.0}", outcome.transit_ms),
        percent(outcome.loss),
    ]
}

/// A headline, and one line for each trace that has a yardstick.
pub(super) fn yardsticks(outcomes: &[Outcome]) -> Vec<Vec<String>> {
    let head = ["trace", "NetEQ: PESQ, delay", "to reach", "ours", "reached"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    let mark = |(pesq, delay): (f64, f64)| format!("{pesq:.2}, {delay:.0} ms");
    for yardstick in &YARDSTICKS {
        let Some(outcome) = outcomes.iter().find(|outcome| outcome.example.trace.name == yardstick.trace) else {
            continue;
        };
        let ours = &outcome.figures[0];
        let goals: Vec<String> = yardstick.goals.iter().map(|goal| mark(*goal)).collect();
        let reached = yardstick.is_reached(ours).map_or("-", |reached| if reached { "yes" } else { "no" });
        lines.push(vec![
            yardstick.trace.into(),
            mark(yardstick.neteq),
            goals.join(" or "),
            format!("{}, {:.0} ms", score(ours.scores.pesq, 2), ours.delay_ms),
            reached.into(),
        ]);
    }
    lines
}

/// A table in Markdown; all columns from `words` on are figures.
pub(super) fn markdown(lines: &[Vec<String>], words: usize) -> String {
    let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let Some((head, rest)) = lines.split_first() else { return String::new() };
    let rule: String = (0..head.len()).map(|column| if column < words { "|---" } else { "|---:" }).collect();
    format!("{}{rule}|\n{}", row(head), rest.iter().map(|cells| row(cells)).collect::<String>())
}

fn score(score: Option<f64>, decimals: usize) -> String {
    score.map_or("-".into(), |score| format!("{score:.decimals$}"))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_markdown_table_has_a_rule_below_its_head() {
        let lines = [["trace", "PESQ"], ["clean", "4.64"]].map(|line| line.map(str::to_owned).to_vec());
        assert_eq!(markdown(&lines, 1), "| trace | PESQ |\n|---|---:|\n| clean | 4.64 |\n");
    }
}
