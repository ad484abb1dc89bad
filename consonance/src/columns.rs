//! Tables in the terminal.

use std::fmt::Write;

/// Lines of cells, the first of them the headlines, with columns as wide as they need: the first `left` of them begin at the left, the
/// others end at the right.
pub(crate) fn align(lines: &[Vec<String>], left: usize) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| lines.iter().filter_map(|line| Some(line.get(column)?.chars().count())).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for line in lines {
        let cells =
            line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| pad(cell, *width, column < left));
        let _ = writeln!(out, "  {}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    out
}

fn pad(cell: &str, width: usize, left: bool) -> String {
    if left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_begin_at_the_left_and_figures_end_at_the_right() {
        let lines = [["who", "ms"], ["Scout", "7"], ["Pilot", "142"]].map(|line| line.map(str::to_owned).to_vec());
        assert_eq!(align(&lines, 1), "  who     ms\n  Scout    7\n  Pilot  142\n");
    }
}
