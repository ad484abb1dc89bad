//! The story from left to right: who spoke, and below each listener whom it heard, by which way, and what was missing.

use super::super::{
    figures::Listener,
    record::{Filled, Mark, Record, Way, name_of},
    script::{CAST, STORY, To, Who},
};
use crate::page::{Svg, TimeAxis};

/// Frames closer together than this are drawn as one bar, µs.
const JOIN_US: u64 = 130_000;
/// The same for what somebody says: pauses between words don't cut it.
const SPEECH_JOIN_US: u64 = 1_500_000;
/// Gaps closer together than this are one mark, µs.
const GAP_JOIN_US: u64 = 30_000;
const WIDTH: f64 = 1_180.0;
const GUTTER: f64 = 120.0;
const HEAD: f64 = 66.0;
const SPEAK_HEIGHT: f64 = 13.0;
const ROW: f64 = 12.0;
const BAR: f64 = 8.0;
const GAP: f64 = 15.0;
/// About how wide a small letter is, and a bold one.
const LETTER: f64 = 5.8;
const BOLD: f64 = 6.4;

/// A bar of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bar<K> {
    pub(super) from: u64,
    pub(super) until: u64,
    pub(super) kind: K,
    frames: u64,
}

/// Draws the whole story.
pub(super) fn draw(record: &Record, listeners: &[Listener]) -> String {
    let axis = TimeAxis { left: GUTTER, right: WIDTH - 12.0, end: record.end };
    let tops = tops(listeners);
    let bottom = tops[CAST.len()] + SPEAK_HEIGHT + 4.0;
    let mut svg = Svg::new(WIDTH);
    acts(&mut svg, axis, record, bottom);
    axis.draw(&mut svg, 10, HEAD, bottom);
    outages(&mut svg, axis, record, &tops);
    for listener in listeners {
        person(&mut svg, axis, record, listener, tops[listener.who]);
    }
    server(&mut svg, axis, record, tops[CAST.len()]);
    texts(&mut svg, axis, record, &tops);
    svg.finish(bottom + 24.0, "Time line of who spoke and who heard whom by which way")
}

/// Where each person's block begins, and the server's line.
fn tops(listeners: &[Listener]) -> Vec<f64> {
    let mut top = HEAD + 8.0;
    let mut tops = Vec::new();
    for listener in listeners {
        tops.push(top);
        top += SPEAK_HEIGHT + 3.0 + ROW * listener.heard().count() as f64 + GAP;
    }
    tops.push(top);
    tops
}

fn acts(svg: &mut Svg, axis: TimeAxis, record: &Record, bottom: f64) {
    for (number, (act, times)) in STORY.iter().zip(&record.acts).enumerate() {
        let [from, until] = times.map(|at| axis.x(at));
        if number % 2 == 0 {
            svg.rect("band", [from, 4.0, until - from, bottom - 4.0], act.about);
        }
        svg.text("name", "start", [from + 5.0, 20.0], &(number + 1).to_string());
        let letters = ((until - from - 4.0) / LETTER) as usize;
        let lines = wrap(act.title, letters);
        let fits = lines.len() <= 3 && lines.iter().all(|words| words.len() <= letters);
        for (line, words) in lines.iter().enumerate().filter(|_| fits) {
            svg.text("soft", "start", [from + 5.0, 34.0 + 12.0 * line as f64], words);
        }
    }
}

/// Cuts a title into lines of about that many letters.
fn wrap(text: &str, letters: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= letters => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Shades the time in which a person, or everybody, was cut off.
fn outages(svg: &mut Svg, axis: TimeAxis, record: &Record, tops: &[f64]) {
    for outage in &record.outages {
        let (top, bottom) = match outage.who {
            Some(who) => (tops[who] - 6.0, tops[who + 1] - 6.0),
            None => (tops[0] - 6.0, tops[CAST.len()] + SPEAK_HEIGHT + 2.0),
        };
        let tip = format!("{} is cut off", name_of(outage.who));
        svg.rect("outage", [axis.x(outage.from), top, axis.x(outage.until) - axis.x(outage.from), bottom - top], &tip);
    }
}

fn person(svg: &mut Svg, axis: TimeAxis, record: &Record, listener: &Listener, top: f64) {
    let who = listener.who;
    svg.line("rule", [0.0, top - 6.0, axis.right, top - 6.0], "");
    svg.text("name", "start", [4.0, top + 11.0], CAST[who].name);
    speech(svg, axis, record, who, top);
    let mut y = top + SPEAK_HEIGHT + 3.0;
    for speaker in listener.heard() {
        svg.text("soft", "end", [GUTTER - 8.0, y + BAR], CAST[speaker].name);
        heard(svg, axis, record, [who, speaker], y);
        gaps(svg, axis, record, [who, speaker], y);
        y += ROW;
    }
    moments(svg, axis, record, Some(who), [top - 5.0, y]);
}

fn speech(svg: &mut Svg, axis: TimeAxis, record: &Record, who: Who, top: f64) {
    let frames = record.spoken[who].iter().map(|spoken| {
        let length_us = u64::from(spoken.length_us);
        (spoken.at.saturating_sub(length_us), length_us, spoken.utterance)
    });
    for bar in join(frames, SPEECH_JOIN_US) {
        let utterance = &record.utterances[bar.kind];
        let to = utterance.to.name();
        let (x, width) = place(axis, &bar);
        svg.rect("speak", [x, top, width, SPEAK_HEIGHT], &format!("{} to {to}, {} frames", CAST[who].name, bar.frames));
    }
    for utterance in record.utterances.iter().filter(|utterance| utterance.who == who) {
        let label = target(utterance.to);
        let (from, until) = (axis.x(utterance.from), axis.x(utterance.until));
        if BOLD * (label.len() as f64) < until - from {
            svg.text("onpath", "middle", [(from + until) / 2.0, top + 10.0], label);
        }
    }
}

fn target(to: To) -> &'static str {
    match to {
        To::All(room) => room.name(),
        To::Only(who) => CAST[who].name,
    }
}

fn heard(svg: &mut Svg, axis: TimeAxis, record: &Record, [listener, speaker]: [Who; 2], y: f64) {
    let played = record.fates(listener, speaker).filter_map(|(spoken, fate)| {
        let (_, way) = fate.arrived?;
        Some((fate.played?, spoken.length_us.into(), (way, fate.audible)))
    });
    for bar in join(played, JOIN_US) {
        let (way, audible) = bar.kind;
        let class = format!("{}{}", way.name(), if audible { "" } else { " faint" });
        let silent = if audible { "" } else { ", outranked by a higher priority" };
        let tip = format!(
            "{} heard {} by {}{silent}, {} frames",
            CAST[listener].name,
            CAST[speaker].name,
            way_words(way),
            bar.frames
        );
        let (x, width) = place(axis, &bar);
        svg.rect(&class, [x, y, width, BAR], &tip);
    }
}

fn way_words(way: Way) -> &'static str {
    match way {
        Way::Relay => "the relay",
        Way::Direct => "a direct path",
    }
}

fn gaps(svg: &mut Svg, axis: TimeAxis, record: &Record, [listener, speaker]: [Who; 2], y: f64) {
    let gaps = record.gaps[listener].iter().filter(|gap| gap.speaker == speaker && gap.audible);
    let spans = gaps.map(|gap| (gap.at, u64::from(gap.length_us), gap.filled));
    for gap in join(spans, GAP_JOIN_US) {
        let (x, width) = place(axis, &gap);
        let (class, words) = match gap.kind {
            Filled::Guess => ("lost", "was missing here and concealed"),
            Filled::Copy => ("copy", "was recovered here from a later packet"),
        };
        let tip = format!("about {} ms of {} {words}", (gap.until - gap.from) / 1_000, CAST[speaker].name);
        svg.rect(class, [x, y - 0.5, width.max(1.2), BAR + 1.0], &tip);
    }
}

fn server(svg: &mut Svg, axis: TimeAxis, record: &Record, top: f64) {
    svg.line("rule", [0.0, top - 6.0, axis.right, top - 6.0], "");
    svg.text("name", "start", [4.0, top + 11.0], "Server");
    moments(svg, axis, record, None, [top - 5.0, top + SPEAK_HEIGHT]);
}

/// Small flags on a person's lane.
fn moments(svg: &mut Svg, axis: TimeAxis, record: &Record, who: Option<Who>, [top, bottom]: [f64; 2]) {
    for note in record.notes.iter().filter(|note| note.who == who) {
        let x = axis.x(note.at);
        let bad = note.mark == Mark::Trouble;
        let tip = format!("{:.2} s, {}: {}", note.at as f64 / 1e6, name_of(note.who), note.what);
        svg.line(if bad { "moment trouble" } else { "moment" }, [x, top, x, bottom], &tip);
        let flag = [[x, top], [x + 6.5, top + 3.0], [x, top + 6.0]];
        svg.path(if bad { "flag bad" } else { "flag" }, &flag, true, &tip);
    }
}

/// An envelope where a text was written, and one wherever it was read.
fn texts(svg: &mut Svg, axis: TimeAxis, record: &Record, tops: &[f64]) {
    for text in &record.texts {
        let tip = format!("{} to {}: {}", CAST[text.who].name, text.to.name(), text.text);
        envelope(svg, axis.x(text.at), tops[text.who], &format!("{tip} (written)"));
        for (reader, at) in &text.read {
            envelope(svg, axis.x(*at), tops[*reader], &format!("{tip} (read by {})", CAST[*reader].name));
        }
    }
}

fn envelope(svg: &mut Svg, x: f64, y: f64, tip: &str) {
    svg.rect("letter", [x, y + 1.0, 14.0, 10.0], tip);
    svg.path("letter", &[[x, y + 1.0], [x + 7.0, y + 7.0], [x + 14.0, y + 1.0]], false, tip);
}

fn place<K>(axis: TimeAxis, bar: &Bar<K>) -> (f64, f64) {
    (axis.x(bar.from), axis.x(bar.until) - axis.x(bar.from))
}

/// Joins what is of one kind and follows each other within `gap`; all is in µs: from when, how long, of which kind.
pub(super) fn join<K: Copy + PartialEq>(spans: impl Iterator<Item = (u64, u64, K)>, gap: u64) -> Vec<Bar<K>> {
    let mut bars: Vec<Bar<K>> = Vec::new();
    for (at, length, kind) in spans {
        match bars.last_mut() {
            Some(bar) if bar.kind == kind && (bar.from..=bar.until + gap).contains(&at) => {
                bar.until = at + length;
                bar.frames += 1;
            }
            _ => bars.push(Bar { from: at, until: at + length, kind, frames: 1 }),
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_one_kind_close_together_are_one_bar() {
        let frames = [(0, 'a'), (20_000, 'a'), (40_000, 'b'), (60_000, 'b'), (900_000, 'b')];
        let bars = join(frames.map(|(at, kind)| (at, 20_000, kind)).into_iter(), JOIN_US);
        let spans: Vec<_> = bars.iter().map(|bar| (bar.from, bar.until, bar.kind, bar.frames)).collect();
        assert_eq!(spans, [(0, 40_000, 'a', 2), (40_000, 80_000, 'b', 2), (900_000, 920_000, 'b', 1)]);
    }

    #[test]
    fn titles_are_cut_at_spaces() {
        assert_eq!(wrap("A pair that stays", 7), ["A pair", "that", "stays"]);
        assert_eq!(wrap("Whisper", 3), ["Whisper"]);
    }
}
