//! Delays over time: every packet's on its way as a dot, every playout's as a line above. A dot above a line was late for it.

use super::super::{
    measure::{Example, Player},
    render::{Heard, Point},
};
use crate::page::{Svg, TimeAxis, round_up};

const WIDTH: f64 = 1_180.0;
const LEFT: f64 = 84.0;
const TOP: f64 = 10.0;
const PLOT: f64 = 190.0;
const STRIP: f64 = 15.0;
/// The playouts that are drawn; those without FEC have the same delays.
const DRAWN: [(Player, &str); 4] = [
    (Player::Fixed { delay_ms: 60, fec: true }, "fixed-60"),
    (Player::Fixed { delay_ms: 120, fec: true }, "fixed-120"),
    (Player::Hindsight, "hindsight"),
    (Player::Ours, "ours"),
];

struct Plot<'a> {
    example: &'a Example,
    axis: TimeAxis,
    most: u64,
}

pub(super) fn draw(example: &Example) -> String {
    let plot = Plot::new(example);
    let mut svg = Svg::new(WIDTH);
    let bottom = TOP + PLOT + 8.0 + STRIP * DRAWN.len() as f64;
    for step in 0..=4 {
        let value = plot.most * step / 4;
        svg.line("rule", [LEFT, plot.y(value), plot.axis.right, plot.y(value)], "");
        svg.text("soft", "end", [LEFT - 7.0, plot.y(value) + 4.0], &format!("{} ms", value / 1_000));
    }
    let step = usize::try_from(plot.axis.end / 10_000_000).unwrap_or(usize::MAX).max(1);
    plot.axis.draw(&mut svg, step, bottom, bottom);
    plot.packets(&mut svg);
    for (number, (player, class)) in DRAWN.into_iter().enumerate() {
        let Some(heard) = heard(example, player) else { continue };
        if player == Player::Ours {
            plot.curve(&mut svg, "curve target", &heard.targets);
        }
        plot.curve(&mut svg, &format!("curve {class}"), &heard.curve);
        plot.strip(&mut svg, class, heard, bottom - STRIP * (number + 1) as f64);
    }
    svg.finish(bottom + 24.0, &format!("Delays over time on {}", example.trace.name))
}

fn heard(example: &Example, player: Player) -> Option<&Heard> {
    let place = Player::ALL.iter().position(|other| *other == player)?;
    example.heard.get(place)
}

impl<'a> Plot<'a> {
    fn new(example: &'a Example) -> Self {
        let end = example.trace.packets.last().map_or(0, |packet| packet.sent_us) + example.trace.frame_us();
        let axis = TimeAxis { left: LEFT, right: WIDTH - 12.0, end };
        let curves = DRAWN.iter().filter_map(|(player, _)| heard(example, *player)).flat_map(|heard| &heard.curve);
        let most = curves.map(|point| point.delay_us).max().unwrap_or(0);
        Self { example, axis, most: round_up(most / 1_000) * 1_000 }
    }

    /// What is longer than the axis is drawn at its end.
    fn y(&self, us: u64) -> f64 {
        TOP + PLOT * (1.0 - us.min(self.most) as f64 / self.most as f64)
    }

    fn packets(&self, svg: &mut Svg) {
        let mut dots = Vec::new();
        for packet in &self.example.trace.packets {
            let x = self.axis.x(packet.sent_us);
            match packet.arrived_us {
                Some(arrived) => dots.push([x, self.y(arrived - packet.sent_us)]),
                None => svg.rect("lost", [x, self.y(0) - 5.0, 1.2, 5.0], ""),
            }
        }
        svg.dots("dots", &dots);
    }

    /// A line through all points, by the time at which they were sent; broken where nothing was played for a while.
    fn curve(&self, svg: &mut Svg, class: &str, points: &[Point]) {
        let frame_us = self.example.trace.frame_us();
        let mut runs: Vec<Vec<[f64; 2]>> = Vec::new();
        let mut before = None;
        for point in points {
            let place = [self.axis.x(point.at_us.saturating_sub(point.delay_us)), self.y(point.delay_us)];
            match runs.last_mut().filter(|_| before.is_some_and(|before| point.at_us < before + 3 * frame_us)) {
                Some(run) => push(run, place),
                None => runs.push(vec![place]),
            }
            before = Some(point.at_us);
        }
        runs.iter().filter(|run| run.len() > 1).for_each(|run| svg.path(class, run, false, ""));
    }

    /// What was concealed and recovered, below the plot.
    fn strip(&self, svg: &mut Svg, name: &str, heard: &Heard, y: f64) {
        svg.text("soft", "end", [LEFT - 7.0, y + 10.0], name);
        svg.rect("band", [LEFT, y + 1.0, self.axis.right - LEFT, STRIP - 4.0], "");
        for hole in &heard.holes {
            // It stands where it would have been sent, with the delay of what was heard before it.
            let before = heard.curve.partition_point(|point| point.at_us <= hole.at_us).checked_sub(1);
            let delay_us = before.map_or(0, |before| heard.curve[before].delay_us);
            let [x, end] = [hole.at_us, hole.at_us + hole.length_us].map(|at| self.axis.x(at.saturating_sub(delay_us)));
            let (class, word) = if hole.recovered { ("recovered", "recovered") } else { ("lost", "concealed") };
            let tip = format!("{} ms {word}", hole.length_us / 1_000);
            svg.rect(class, [x, y + 1.0, end - x, STRIP - 4.0], &tip);
        }
    }
}

/// Of points on a level only the first and the last are kept.
fn push(run: &mut Vec<[f64; 2]>, place: [f64; 2]) {
    let level = |other: &[f64; 2]| (other[1] - place[1]).abs() < 0.05;
    if run.len() >= 2 && run[run.len() - 2..].iter().all(level) {
        run.pop();
    }
    run.push(place);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_line_needs_two_points() {
        let mut run = vec![[0.0, 5.0]];
        for place in [[1.0, 5.0], [2.0, 5.0], [3.0, 6.0], [4.0, 6.0]] {
            push(&mut run, place);
        }
        assert_eq!(run, [[0.0, 5.0], [2.0, 5.0], [3.0, 6.0], [4.0, 6.0]]);
    }
}
