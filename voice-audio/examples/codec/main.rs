//! Measures the codec that is linked: what loss leaves of speech, and what a frame costs. `tools/codec-bench` calls it for both.
//!
//! ```text
//! codec loss OUT SPEECH.wav..   every way to fill gaps, on every pattern of loss: WAV files, and a line about each on standard output
//! codec count WHAT SPEECH.wav   does one thing often, in functions that callgrind knows by name, and prints how often
//! ```

mod cases;
mod cost;
mod loss;

use std::{env, fs, path::Path, process::ExitCode};

type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["loss", out, ref speech @ ..] if !speech.is_empty() => cases::measure(Path::new(out), speech),
        ["count", what, speech] => read(speech).and_then(|pcm| cost::count(what, &pcm)),
        _ => Err("usage: codec loss OUT SPEECH.wav.. | codec count WHAT SPEECH.wav".to_owned()),
    };
    done.map_or_else(
        |message| {
            eprintln!("codec: {message}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// Reads speech as 48 kHz mono.
fn read(file: &str) -> Result<Vec<i16>, String> {
    let bytes = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    voice_audio::read_wav(&bytes).map_err(|error| format!("{file}: {error}"))
}
