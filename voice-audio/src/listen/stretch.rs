//! Making speech longer or shorter without changing its pitch: whole pitch periods are taken out or put in where they resemble their neighbours.
//!
//! The same idea as PSOLA and WSOLA (Verhelst and Roelands, ICASSP 1993), reduced to one splice per frame.

use super::buffer::{Buffer, HISTORY};

/// Pitch periods that are looked for: 2.5 to 15 ms, 400 to 66 Hz.
const SHORTEST: usize = 120;
const LONGEST: usize = HISTORY;
/// The search looks at every fourth sample first.
const COARSE: usize = 4;
/// How much sound is compared and cross-faded: 5 ms.
const WINDOW: usize = 240;
/// Places to splice are this far apart: 5 ms.
const PLACES: usize = 240;

/// For so long, 1.5 s, a delay that is 60 to 120 ms too long waits for a pause. Then it is too long for who wants it settled within two seconds.
const PATIENCE: usize = 72_000;

/// A splice that can be made.
#[derive(Debug, Clone, Copy)]
struct Splice {
    at: usize,
    lag: usize,
    /// How alike both sides are, -1 to 1.
    likeness: f64,
}

/// Makes waiting sound shorter by at most `most` samples, if it can be done without being heard; the likelier, the more there is to
/// shorten, and the longer it has been `asked` for, in samples. Returns by how much.
pub(super) fn shorten(buffer: &mut Buffer, most: usize, asked: usize, quiet: f64) -> usize {
    let needed = needed_to_shorten(most, asked >= PATIENCE);
    if needed >= 1.0 && quiet == 0.0 {
        return 0;
    }
    let (samples, start) = buffer.all();
    let room = samples.len() - start;
    let longest = LONGEST.min(most).min(room.saturating_sub(WINDOW));
    let places = (start..).step_by(PLACES);
    let best = places
        .take_while(|at| at + SHORTEST + WINDOW <= samples.len())
        .filter_map(|at| likeliest(samples, at, longest.min(samples.len() - at - WINDOW), quiet))
        .max_by(|a, b| a.likeness.total_cmp(&b.likeness));
    match best {
        Some(best) if best.likeness >= needed => {
            buffer.cut(best.at, best.lag, WINDOW);
            best.lag
        }
        _ => 0,
    }
}

/// Makes waiting sound longer by at most `most` samples, on the same conditions. Returns by how much.
pub(super) fn stretch(buffer: &mut Buffer, most: usize, quiet: f64) -> usize {
    let needed = needed_to_stretch(most);
    if needed >= 1.0 && quiet == 0.0 {
        return 0;
    }
    let longest = LONGEST.min(most).min(buffer.free());
    let (samples, start) = buffer.all();
    // The seam, one lag after the place, must not have been heard yet.
    let best = (start..)
        .step_by(PLACES)
        .take_while(|seam| seam + WINDOW.max(SHORTEST) <= samples.len())
        .filter_map(|seam| likeliest_back(samples, seam, longest.min(samples.len() - seam), quiet))
        .max_by(|a, b| a.likeness.total_cmp(&b.likeness));
    match best {
        Some(best) if best.likeness >= needed => {
            buffer.repeat(best.at, best.lag);
            best.lag
        }
        _ => 0,
    }
}

/// The likeness that is asked for: a little waits for a pause, where 1 is certain; much is made up in speech.
fn needed_to_stretch(most: usize) -> f64 {
    match most {
        0..1_920 => 1.0,
        1_920..3_840 => 0.9,
        _ => 0.7,
    }
}

fn needed_to_shorten(most: usize, impatient: bool) -> f64 {
    match most {
        0..2_880 => 1.0,
        2_880..5_760 if !impatient => 1.0,
        2_880..5_760 => 0.9,
        5_760..9_600 => 0.8,
        _ => 0.6,
    }
}

/// The lag at which the sound after `at` is most like that at `at`.
fn likeliest(samples: &[i16], at: usize, longest: usize, quiet: f64) -> Option<Splice> {
    search(longest, |lag, step| {
        likeness(samples.get(at..at + WINDOW)?, samples.get(at + lag..at + lag + WINDOW)?, step, quiet)
    })
    .map(|(lag, likeness)| Splice { at, lag, likeness })
}

/// The lag at which the sound before `seam` is most like that after it.
fn likeliest_back(samples: &[i16], seam: usize, longest: usize, quiet: f64) -> Option<Splice> {
    search(longest, |lag, step| {
        let at = seam.checked_sub(lag)?;
        likeness(samples.get(at..at + WINDOW)?, samples.get(seam..seam + WINDOW)?, step, quiet)
    })
    .map(|(lag, likeness)| Splice { at: seam - lag, lag, likeness })
}

/// Tries lags coarsely, then those around the best one by one.
fn search(longest: usize, like: impl Fn(usize, usize) -> Option<f64>) -> Option<(usize, f64)> {
    let best = |lags: &mut dyn Iterator<Item = usize>, step| {
        let scored = lags.filter_map(|lag| Some((lag, like(lag, step)?)));
        scored.max_by(|(_, a), (_, b)| a.total_cmp(b))
    };
    let (coarse, _) = best(&mut (SHORTEST..=longest).step_by(COARSE), COARSE)?;
    let around = coarse.saturating_sub(COARSE - 1).max(SHORTEST)..=(coarse + COARSE - 1).min(longest);
    best(&mut around.into_iter(), 1)
}

/// Normalized cross-correlation over every `step`th sample: 1 where both are silent.
fn likeness(a: &[i16], b: &[i16], step: usize, quiet: f64) -> Option<f64> {
    let (mut ab, mut aa, mut bb) = (0_i64, 0_i64, 0_i64);
    for (&a, &b) in a.iter().step_by(step).zip(b.iter().step_by(step)) {
        let (a, b) = (i64::from(a), i64::from(b));
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    let count = a.len().div_ceil(step) as f64;
    if ((aa.max(bb)) as f64) < quiet * count {
        return Some(1.0);
    }
    let energy = (aa as f64 * bb as f64).sqrt();
    Some(if energy > 0.0 { ab as f64 / energy } else { 0.0 })
}
