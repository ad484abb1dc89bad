//! Each listener's playout over time: the delay it kept, the delay it aimed at, and the gaps it had to fill.

use super::{
    super::{
        figures::Listener,
        playout::{Sample, runs, watched},
        record::{Filled, Gap, Record, Way},
        script::{CAST, Who},
    },
    timeline::join,
};
use crate::page::{Svg, TimeAxis};

const WIDTH: f64 = 1_180.0;
const LEFT: f64 = 112.0;
const TOP: f64 = 18.0;
const LANE: f64 = 76.0;
/// Between lanes: the marks of gaps, and the names of speakers.
const BETWEEN: f64 = 30.0;
/// About how wide a small letter is.
const LETTER: f64 = 6.2;
/// Gaps closer together than this are one mark, µs.
const JOIN_US: u64 = 30_000;

/// The upright axis ends at a multiple of this.
const SCALE_US: u64 = 100_000;

/// One lane of the drawing.
struct Lane {
    axis: TimeAxis,
    top: f64,
    most: u64,
}

impl Lane {
    fn y(&self, us: u64) -> f64 {
        self.top + LANE * (1.0 - us as f64 / self.most as f64)
    }

    fn points(&self, run: &[Sample], value: impl Fn(&Sample) -> u32) -> Vec<[f64; 2]> {
        let mut points: Vec<_> =
            run.iter().map(|sample| [self.axis.x(sample.at), self.y(value(sample).into())]).collect();
        if let [[x, y]] = points[..] {
            // A sample alone would be a line without length.
            points.push([x + 1.5, y]);
        }
        points
    }
}

/// Draws a lane for each listener.
pub(super) fn draw(record: &Record, listeners: &[Listener]) -> String {
    let axis = TimeAxis { left: LEFT, right: WIDTH - 12.0, end: record.end };
    let samples = record.playouts.iter().flatten().flat_map(|playout| &playout.samples);
    let most = u64::from(samples.map(|sample| sample.delay_us.max(sample.target_us)).max().unwrap_or(1));
    let most = most.next_multiple_of(SCALE_US);
    let mut svg = Svg::new(WIDTH);
    let bottom = TOP + (LANE + BETWEEN) * listeners.len() as f64 - 12.0;
    axis.draw(&mut svg, 10, TOP, bottom);
    for (number, listener) in listeners.iter().enumerate() {
        let lane = Lane { axis, top: TOP + (LANE + BETWEEN) * number as f64, most };
        frame(&mut svg, &lane, listener.who);
        delays(&mut svg, &lane, record, listener.who);
        gaps(&mut svg, &lane, &record.gaps[listener.who]);
    }
    svg.finish(bottom + 24.0, "Delay, target and gaps of each listener's playout over time")
}

fn frame(svg: &mut Svg, lane: &Lane, who: Who) {
    svg.text("name", "start", [4.0, lane.top + LANE * 0.3], CAST[who].name);
    for us in [0, lane.most / 2, lane.most] {
        svg.line("rule", [LEFT, lane.y(us), lane.axis.right, lane.y(us)], "");
        svg.text("soft", "end", [LEFT - 7.0, lane.y(us) + 4.0], &format!("{} ms", us / 1_000));
    }
}

fn delays(svg: &mut Svg, lane: &Lane, record: &Record, listener: Who) {
    let watched = watched(&record.playouts[listener]);
    let mut all: Vec<(Who, &[Sample])> =
        watched.flat_map(|(speaker, playout)| runs(&playout.samples).map(move |run| (speaker, run))).collect();
    all.sort_by_key(|(speaker, run)| (run[0].at, *speaker));
    let mut free_from = 0.0;
    for (speaker, run) in all {
        let name = CAST[speaker].name;
        let tip = format!("{name}: delay {}, target {}", range(run, |it| it.delay_us), range(run, |it| it.target_us));
        svg.path("curve target", &lane.points(run, |sample| sample.target_us), false, &tip);
        svg.path(&format!("curve {}", Way::Relay.name()), &lane.points(run, |sample| sample.delay_us), false, &tip);
        let x = lane.axis.x(run[0].at);
        if x >= free_from {
            svg.text("soft", "start", [x, lane.top - 3.0], name);
            free_from = x + LETTER * name.len() as f64 + 4.0;
        }
    }
}

fn range(run: &[Sample], value: impl Fn(&Sample) -> u32) -> String {
    let ms = || run.iter().map(|sample| value(sample) / 1_000);
    format!("{} to {} ms", ms().min().unwrap_or(0), ms().max().unwrap_or(0))
}

fn gaps(svg: &mut Svg, lane: &Lane, gaps: &[Gap]) {
    let mut gaps: Vec<_> = gaps.iter().collect();
    gaps.sort_by_key(|gap| (gap.speaker, gap.at));
    let spans = gaps.into_iter().map(|gap| (gap.at, u64::from(gap.length_us), (gap.speaker, gap.filled)));
    for mark in join(spans, JOIN_US) {
        let (speaker, filled) = mark.kind;
        let (class, words) = match filled {
            Filled::Guess => ("lost", "concealed"),
            Filled::Copy => ("copy", "recovered from a later packet"),
        };
        let ms = (mark.until - mark.from) / 1_000;
        let tip = format!("{:.2} s: about {ms} ms of {} {words}", mark.from as f64 / 1e6, CAST[speaker].name);
        let (x, width) = (lane.axis.x(mark.from), lane.axis.x(mark.until) - lane.axis.x(mark.from));
        svg.rect(class, [x, lane.y(0) + 2.0, width.max(1.2), 7.0], &tip);
    }
}
