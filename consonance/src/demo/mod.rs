//! The demonstration: a scripted session of seven people and a dedicated server, fed with real speech.
//!
//! `script` is the story, `play` plays it in the simulator, `stage` gives people mouths and ears and writes down what passes, and
//! everything that is shown afterwards is made from that `record` alone.
//!
//! A mouth is an encoder that follows its client's advice on bitrate, redundancy and frame length. The recordings are clean, so no capture pipeline
//! (`voice_audio::Capture`) stands before it; voice activity is told by loudness alone. An ear is a `voice_audio::listen::Listener` without places
//! and ducking, so that its WAV file tells what came through.

mod conditions;
mod ear;
mod figures;
mod play;
mod playout;
mod proof;
mod record;
#[cfg(test)]
mod rehearsal;
mod report;
mod scene;
mod script;
mod stage;
mod summary;
mod table;
mod voice;

use std::process::ExitCode;

use adapter_sim::net::Preset;

use crate::{
    cli::DemoArgs,
    clock::Clock,
    fail::Fail,
    out_dir::{File, OutDir},
    speech,
};
use script::{CAST, Who};

/// Plays the story, writes the files, prints the result. The exit status is 1 if the story didn't hold.
pub(crate) fn run(args: &DemoArgs) -> Result<ExitCode, Fail> {
    let preset = preset(&args.network)?;
    let clips = speech::load(&args.speech)?;
    let out = OutDir::find("--out", &args.out, is_result)?;
    say!("Seed {}, network {}", args.seed, preset.describe());
    let watch = Clock::start();
    let (record, wavs) = play::play(args.seed, preset, &clips, progress);
    let (listeners, verdicts) = (figures::listeners(&record), proof::judge(&record));
    let mut files: Vec<File> = wavs.into_iter().enumerate().map(|(who, wav)| (wav_name(who), wav)).collect();
    files.push(("report.html".into(), report::html(&record, &listeners, &verdicts).into_bytes()));
    files.push(("summary.json".into(), summary::json(&record, &listeners, &verdicts).into_bytes()));
    out.publish(&files)?;
    say!("\n{}\n{}", table::listeners(&record, &listeners), table::verdicts(&verdicts));
    let shown = args.out.display();
    say!(
        "{} s of session took {:.1} s. Look at {shown}/report.html, listen to {shown}/heard-by-*.wav",
        record.end / 1_000_000,
        watch.seconds()
    );
    Ok(if verdicts.iter().all(proof::Verdict::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn progress(at: u64, number: usize, act: &script::Act) {
    say!("{:>4} s  {:2}. {}: {}", at / 1_000_000, number + 1, act.title, act.about);
}

fn preset(name: &str) -> Result<&'static Preset, Fail> {
    Preset::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Preset::ALL.iter().map(|preset| preset.name).collect();
        Fail::new(format!("--network {name}: there is no such preset"), format!("choose one of {}", names.join(", ")))
    })
}

/// The file that holds what a person heard.
fn wav_name(who: Who) -> String {
    format!("heard-by-{}.wav", CAST[who].name.to_lowercase())
}

/// Whether a file of this name comes from an earlier run.
fn is_result(name: &str) -> bool {
    ["report.html", "summary.json"].contains(&name) || name.starts_with("heard-by-") && name.ends_with(".wav")
}
