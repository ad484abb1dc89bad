//! Delay and loss.

use super::{
    super::{
        figures::{Heard, Listener, mouth_to_ear_us, percentile},
        record::{Record, Way},
        script::CAST,
    },
    svg::{Svg, TimeAxis},
};

const WIDTH: f64 = 1_180.0;
const LEFT: f64 = 54.0;
const TOP: f64 = 10.0;
const PLOT: f64 = 170.0;
const BIN_US: u64 = 500_000;

/// Mouth to ear over time: the median as a line, from the 5th to the 95th percentile as an area, for each way.
pub(super) fn delay(record: &Record) -> String {
    let mut bins = vec![[Vec::new(), Vec::new()]; bin_count(record)];
    for_each_meant(record, |spoken, fate| {
        if let (Some((_, way)), Some(delay)) = (fate.arrived, mouth_to_ear_us(spoken, fate)) {
            bins[bin(spoken.at)][way as usize].push(delay);
        }
    });
    bins.iter_mut().flatten().for_each(|delays| delays.sort_unstable());
    let most = bins.iter().flatten().filter_map(|delays| percentile(delays, 95)).max().unwrap_or(1);
    let plot = Plot::new(record, round_up(most));
    let mut svg = plot.frame(|us| format!("{} ms", us / 1_000));
    for way in Way::ALL {
        for run in runs(&bins, way as usize) {
            curve(&mut svg, &plot, way, &bins, run);
        }
    }
    svg.finish(TOP + PLOT + 24.0, "Delay from mouth to ear over time")
}

/// Frames that were meant for somebody and not played, over time.
pub(super) fn loss(record: &Record) -> String {
    let mut bins = vec![[0u64; 3]; bin_count(record)];
    for_each_meant(record, |spoken, fate| {
        let [meant, lost, late] = &mut bins[bin(spoken.at)];
        *meant += 1;
        *lost += u64::from(fate.arrived.is_none());
        *late += u64::from(fate.arrived.is_some() && fate.played.is_none());
    });
    let per_mille = |part: u64, meant: u64| (part * 1_000).checked_div(meant).unwrap_or(0);
    let most = bins.iter().map(|[meant, lost, late]| per_mille(lost + late, *meant)).max().unwrap_or(1);
    let plot = Plot::new(record, round_up(most.max(20)));
    let mut svg = plot.frame(|per_mille| format!("{} %", per_mille as f64 / 10.0));
    for (number, [meant, lost, late]) in bins.iter().enumerate() {
        let (x, width) = plot.slot(number);
        let (y_lost, y_both) = (plot.y(per_mille(*lost, *meant)), plot.y(per_mille(lost + late, *meant)));
        let tip = format!("{:.1} s: of {meant} frames {lost} were lost, {late} too late", number as f64 * 0.5);
        if *lost > 0 {
            svg.rect("lost", [x, y_lost, width, plot.y(0) - y_lost], &tip);
        }
        if *late > 0 {
            svg.rect("late", [x, y_both, width, y_lost - y_both], &tip);
        }
    }
    svg.finish(TOP + PLOT + 24.0, "Loss over time")
}

/// For each listener and way the spread of the delay from mouth to ear.
pub(super) fn spread(listeners: &[Listener]) -> String {
    let most = listeners.iter().filter_map(|one| one.all.all_delays().last().copied()).max().unwrap_or(1);
    let most = round_up(most);
    let left = 84.0;
    let x = |us: u64| left + (WIDTH - left - 24.0) * us as f64 / most as f64;
    let mut svg = Svg::new(WIDTH);
    let rows: Vec<_> = listeners
        .iter()
        .flat_map(|one| Way::ALL.map(|way| (one, way)))
        .filter(|(one, way)| one.all.ways[*way as usize] > 0)
        .collect();
    let bottom = TOP + 20.0 * rows.len() as f64;
    for step in 0..=5 {
        let us = most * step / 5;
        svg.line("rule", [x(us), TOP - 4.0, x(us), bottom], "");
        svg.text("soft", "middle", [x(us), bottom + 14.0], &format!("{} ms", us / 1_000));
    }
    let mut last = None;
    for (row, (listener, way)) in rows.into_iter().enumerate() {
        let y = TOP + 20.0 * row as f64;
        if last != Some(listener.who) {
            svg.text("name", "start", [0.0, y + 12.0], CAST[listener.who].name);
        }
        last = Some(listener.who);
        strip(&mut svg, &listener.all, way, y, x);
    }
    svg.finish(bottom + 22.0, "Spread of the delay from mouth to ear by listener")
}

fn strip(svg: &mut Svg, heard: &Heard, way: Way, y: f64, x: impl Fn(u64) -> f64) {
    let delays = &heard.delays[way as usize];
    let at = |percent| percentile(delays, percent).unwrap_or(0);
    let (low, median, high) = (at(5), at(50), at(95));
    let tip = format!(
        "{} frames by {}: median {} ms, 5 % below {} ms, 5 % above {} ms",
        delays.len(),
        way.name(),
        median / 1_000,
        low / 1_000,
        high / 1_000
    );
    svg.rect(&format!("{} area", way.name()), [x(at(0)), y + 6.0, x(at(100)) - x(at(0)), 3.0], &tip);
    svg.rect(&format!("{} area", way.name()), [x(low), y + 2.0, x(high) - x(low), 11.0], &tip);
    svg.rect(way.name(), [x(median) - 1.5, y + 1.0, 3.0, 13.0], &tip);
    svg.text("soft", "start", [x(at(100)) + 6.0, y + 11.0], &format!("{} ms", (median + 500) / 1_000));
}

/// A plot over time with an upright axis from 0 to `most`.
struct Plot {
    axis: TimeAxis,
    most: u64,
}

impl Plot {
    fn new(record: &Record, most: u64) -> Self {
        Self { axis: TimeAxis { left: LEFT, right: WIDTH - 12.0, end: record.end }, most }
    }

    fn y(&self, value: u64) -> f64 {
        TOP + PLOT * (1.0 - value as f64 / self.most as f64)
    }

    fn slot(&self, bin: usize) -> (f64, f64) {
        let from = bin as u64 * BIN_US;
        (self.axis.x(from), self.axis.x(from + BIN_US) - self.axis.x(from) - 0.8)
    }

    fn middle(&self, bin: usize) -> f64 {
        self.axis.x(bin as u64 * BIN_US + BIN_US / 2)
    }

    fn frame(&self, words: impl Fn(u64) -> String) -> Svg {
        let mut svg = Svg::new(WIDTH);
        for step in 0..=4 {
            let value = self.most * step / 4;
            svg.line("rule", [LEFT, self.y(value), self.axis.right, self.y(value)], "");
            svg.text("soft", "end", [LEFT - 7.0, self.y(value) + 4.0], &words(value));
        }
        self.axis.draw(&mut svg, TOP + PLOT, TOP + PLOT);
        svg
    }
}

fn curve(svg: &mut Svg, plot: &Plot, way: Way, bins: &[[Vec<u64>; 2]], run: std::ops::Range<usize>) {
    let at = |bin: usize, percent| plot.y(percentile(&bins[bin][way as usize], percent).unwrap_or(0));
    // A bin alone would be a line without length.
    let edges = |bin: usize| {
        let (x, width) = plot.slot(bin);
        if run.len() == 1 { vec![x, x + width] } else { vec![plot.middle(bin)] }
    };
    let points = |percent: usize| -> Vec<[f64; 2]> {
        run.clone().flat_map(|bin| edges(bin).into_iter().map(move |x| [x, at(bin, percent)])).collect()
    };
    let mut area = points(95);
    area.extend(points(5).into_iter().rev());
    svg.path(&format!("{} area", way.name()), &area, true, "");
    svg.path(&format!("curve {}", way.name()), &points(50), false, "");
}

/// Stretches of bins that hold something.
fn runs(bins: &[[Vec<u64>; 2]], way: usize) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (number, _) in bins.iter().enumerate().filter(|(_, bin)| !bin[way].is_empty()) {
        match runs.last_mut() {
            Some(run) if run.end == number => run.end += 1,
            _ => runs.push(number..number + 1),
        }
    }
    runs
}

fn for_each_meant(record: &Record, mut each: impl FnMut(super::super::record::Spoken, super::super::record::Fate)) {
    for listener in 0..CAST.len() {
        for speaker in 0..CAST.len() {
            let meant = record.fates(listener, speaker).filter(|(spoken, _)| record.is_meant(*spoken, listener));
            meant.for_each(|(spoken, fate)| each(spoken, fate));
        }
    }
}

fn bin_count(record: &Record) -> usize {
    bin(record.end) + 1
}

fn bin(at: u64) -> usize {
    usize::try_from(at / BIN_US).unwrap_or(usize::MAX)
}

/// The next round number, at least 20: its first digit is even or it is a power of ten.
fn round_up(value: u64) -> u64 {
    let mut unit = 10;
    loop {
        for factor in [2, 4, 6, 8, 10] {
            if value <= unit * factor {
                return unit * factor;
            }
        }
        unit *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!(round_up(0), 20);
        assert_eq!(round_up(21), 40);
        assert_eq!(round_up(151_000), 200_000);
        assert_eq!(round_up(450_000), 600_000);
    }

    #[test]
    fn a_run_ends_where_nothing_was_heard() {
        let full = [vec![1], Vec::new()];
        let empty = [Vec::new(), vec![1]];
        let bins = [full.clone(), full.clone(), empty, full];
        assert_eq!(runs(&bins, 0), [0..2, 3..4]);
        assert_eq!(runs(&bins, 1).first(), Some(&(2..3)));
    }
}
