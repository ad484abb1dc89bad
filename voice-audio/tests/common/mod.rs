//! What the tests of this crate share: the repository's clips and measures of likeness.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

/// Read once: resampling takes long without optimisation.
static CLIPS: [OnceLock<Vec<i16>>; 9] = [const { OnceLock::new() }; 9];

/// A clip of the repository, as the demo reads it.
pub(crate) fn clip(number: usize) -> Vec<i16> {
    CLIPS[number].get_or_init(|| read(number)).clone()
}

fn read(number: usize) -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../clips/voice-{number}.wav"));
    voice_audio::read_wav(&fs::read(path).unwrap()).unwrap()
}

/// The sum of squares, as a float: for comparing.
pub(crate) fn energy(pcm: &[i16]) -> f64 {
    pcm.iter().map(|&s| f64::from(s).powi(2)).sum()
}

/// How alike two sounds of equal length are, -1.0 to 1.0, whatever their loudness.
pub(crate) fn correlation(a: &[i16], b: &[i16]) -> f64 {
    let dot: f64 = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    dot / (energy(a) * energy(b)).sqrt()
}
