//! Compares what was recorded with what was said.

use std::{fs, path::Path};

/// One of the clips of this repository.
pub(crate) fn clip(number: u32) -> String {
    format!("{}/../clips/voice-{number}.wav", env!("CARGO_MANIFEST_DIR"))
}

/// The sound of a WAV file.
pub(crate) fn samples(path: impl AsRef<Path>) -> Vec<i16> {
    let path = path.as_ref();
    voice_audio::read_wav(&fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .expect("a WAV file")
}

/// How loud each tenth of a second is, every 10 ms.
pub(crate) fn levels(pcm: &[i16]) -> Vec<f64> {
    pcm.windows(4_800).step_by(480).map(|part| f64::from(voice_audio::rms(part))).collect()
}

/// The best correlation of two courses of loudness, whatever the delay between them.
#[allow(dead_code)] // Each file of tests uses a part of it.
pub(crate) fn likeness(spoken: &[f64], heard: &[f64]) -> f64 {
    (0..heard.len().saturating_sub(spoken.len())).map(|at| correlation(spoken, &heard[at..])).fold(0.0, f64::max)
}

fn correlation(spoken: &[f64], heard: &[f64]) -> f64 {
    let pairs = || spoken.iter().zip(heard);
    let count = spoken.len().min(heard.len()) as f64;
    let (x, y) = pairs().fold((0.0, 0.0), |(x, y), (a, b)| (x + a / count, y + b / count));
    let (xy, xx, yy) = pairs().fold((0.0, 0.0, 0.0), |(xy, xx, yy), (a, b)| {
        (xy + (a - x) * (b - y), xx + (a - x).powi(2), yy + (b - y).powi(2))
    });
    xy / (xx * yy).sqrt().max(1e-9)
}

/// How like the clip each of its repetitions is that can be told in a recording: those above `least`, in their order.
#[allow(dead_code)] // Each file of tests uses a part of it.
pub(crate) fn repetitions(clip: &[f64], heard: &[f64], least: f64) -> Vec<f64> {
    let (mut found, mut at) = (Vec::new(), 0);
    let like = |at: usize| (at + clip.len() <= heard.len()).then(|| likeness_at(clip, heard, at));
    while let Some(likeness) = like(at) {
        if likeness < least {
            at += 1;
            continue;
        }
        // The best within the next half second.
        let best = (at..at + 50).filter_map(|at| Some((at, like(at)?))).max_by(|a, b| a.1.total_cmp(&b.1));
        let (best, likeness) = best.unwrap_or((at, likeness));
        found.push(likeness);
        at = best + clip.len() * 9 / 10;
    }
    found
}

/// How like the clip it is that begins about here. The playout learns the network's delay in the first seconds, so each second may come up to
/// 80 ms sooner or later than the whole; what is said otherwise stays below 0.7.
fn likeness_at(clip: &[f64], heard: &[f64], at: usize) -> f64 {
    let (second, farthest) = (100, 8);
    let mut fitting = Vec::with_capacity(clip.len());
    for (number, part) in clip.chunks(second).enumerate() {
        let begin = at + number * second;
        let fits = |from: usize| heard.get(from..from + part.len());
        let places = (begin.saturating_sub(farthest)..=begin + farthest).filter_map(fits);
        let best = places.max_by(|a, b| correlation(part, a).total_cmp(&correlation(part, b)));
        fitting.extend_from_slice(best.unwrap_or(&[]));
    }
    correlation(clip, &fitting)
}
