//! How speech sounds after a bad network: the product's playout beside buffers of a fixed delay, on traces of packets.
//!
//! `trace` reads and writes when packets came, `kinds` makes such traces; `render` and `fixed` play one, `unwarp` and `scores` judge what was heard;
//! `measure` does it for everything, and `table`, `summary` and `report` show it.

mod fixed;
mod kinds;
mod measure;
mod render;
mod report;
mod scores;
mod summary;
mod table;
mod trace;
mod unwarp;
mod yardstick;

use std::{path::Path, process::ExitCode, time::Duration};

use voice_core::playout::PlayoutConfig;

use crate::{
    cli::QualityArgs,
    clock::Clock,
    columns::align,
    fail::Fail,
    out_dir::{File, OutDir},
    speech,
};
use kinds::KINDS;
use measure::{Method, Network, Outcome, Player};
use render::{Protection, Redundancy};
use scores::Environment;

/// The most of recorded traces in one run, s: their sounds are kept until all is done, 40 MB for a minute.
const LONGEST_TOGETHER_S: u64 = 1_800;

/// What the result depends on.
struct Setting {
    seed: u64,
    tracks: usize,
    /// Names of the clips.
    speech: Vec<String>,
    /// Which codec it was, for whoever compares.
    codec: String,
}

/// Measures, writes the files and prints the tables.
pub(crate) fn run(args: &QualityArgs) -> Result<ExitCode, Fail> {
    let networks = networks(args)?;
    let method = Method {
        protection: Protection { kbit: args.kbit, redundancy: redundancy(args)? },
        playout: playout(args),
        with_codec: args.with_codec,
    };
    let clips = speech::load(&args.speech)?;
    let out = OutDir::find("--out", &args.out, is_result)?;
    let environment = if args.no_scores { None } else { Some(Environment::prepare()?) };
    let setting = Setting {
        seed: args.seed,
        tracks: args.tracks.into(),
        speech: clips.iter().map(|clip| clip.name.clone()).collect(),
        codec: codec(method),
    };
    let pcm: Vec<&[i16]> = clips.iter().map(|clip| &*clip.pcm).collect();
    let tracks = measure::tracks(&pcm, setting.tracks);
    say!("{} traces, {} playouts, {} tracks of speech", networks.len(), Player::ALL.len(), setting.tracks);
    let watch = Clock::start();
    let mut outcomes = measure::all(&networks, &tracks, method, environment.as_ref(), |done, name| {
        say!("{done:>4} of {}  {name}", networks.len());
    })?;
    let markdown = summary::markdown(&setting, &outcomes);
    out.publish(&files(&setting, &mut outcomes, &markdown, args.traces.is_none()))?;
    if args.markdown {
        crate::say::text(format_args!("\n{markdown}"));
    } else {
        say!("\n{}", align(&table::all(&outcomes), table::WORDS));
        say!("{}", align(&table::yardsticks(&outcomes), 4));
    }
    let shown = args.out.display();
    say!("\nIt took {:.0} s. Look at {shown}/quality.html, listen to {shown}/sound/*.wav", watch.seconds());
    Ok(ExitCode::SUCCESS)
}

fn redundancy(args: &QualityArgs) -> Result<Redundancy, Fail> {
    match (args.dred, cfg!(feature = "opus16")) {
        (false, _) => Ok(Redundancy::Fec),
        (true, true) => Ok(Redundancy::Dred),
        (true, false) => Err(Fail::new(
            "--dred: this build has no DRED",
            "build it with libopus 1.6: cargo run --release -p consonance --no-default-features --features opus16 -- quality --dred",
        )),
    }
}

fn playout(args: &QualityArgs) -> PlayoutConfig {
    let max_delay = Duration::from_millis(args.max_delay.into());
    PlayoutConfig { max_delay, concealment_worth_ms: args.concealment_worth, ..PlayoutConfig::DEFAULT }
}

/// Which settings of the playout aren't the usual ones, in words.
fn settings_of(playout: PlayoutConfig) -> String {
    let usual = PlayoutConfig::DEFAULT;
    let delay = (playout.max_delay != usual.max_delay)
        .then(|| format!(", ours with a delay of at most {} ms", playout.max_delay.as_millis()));
    let worth = (playout.concealment_worth_ms != usual.concealment_worth_ms)
        .then(|| format!(", a percent concealed being worth {} ms to ours", playout.concealment_worth_ms));
    delay.unwrap_or_default() + &worth.unwrap_or_default()
}

/// The codec in words. The copy of libopus that is built by default calls itself unknown.
fn codec(method: Method) -> String {
    let library = match voice_audio::codec_version() {
        "libopus unknown" => "libopus of audiopus_sys (after 1.3.1)",
        version => version,
    };
    let counts = if method.with_codec { ", compared with the speech before encoding" } else { "" };
    let Protection { kbit, redundancy } = method.protection;
    format!("{library}, {kbit} kbit/s with {}{counts}{}", redundancy.name(), settings_of(method.playout))
}

fn networks(args: &QualityArgs) -> Result<Vec<Network>, Fail> {
    let networks: Vec<Network> = match &args.traces {
        None => KINDS.iter().map(|kind| Network::Made(kind, args.seed)).collect(),
        Some(folder) => {
            // The result takes the place of the whole folder.
            if is_inside(folder, &args.out) {
                return Err(Fail::new(
                    format!("--traces {}: lies in --out {}, which is replaced", folder.display(), args.out.display()),
                    "copy the traces elsewhere, or name another --out",
                ));
            }
            trace::load(folder)?.into_iter().map(Network::Recorded).collect()
        }
    };
    if let Some(unknown) = args.only.iter().find(|only| !networks.iter().any(|network| network.name() == **only)) {
        let names: Vec<&str> = networks.iter().map(Network::name).collect();
        return Err(Fail::new(
            format!("--only {unknown}: there is no such trace"),
            format!("choose from {}", names.join(", ")),
        ));
    }
    let wanted = |network: &Network| args.only.is_empty() || args.only.iter().any(|only| network.name() == only);
    let networks: Vec<Network> = networks.into_iter().filter(wanted).collect();
    let recorded_s: u64 = networks.iter().map(Network::recorded_s).sum();
    if recorded_s > LONGEST_TOGETHER_S {
        return Err(Fail::new(
            format!("--traces: {recorded_s} s together are more than {LONGEST_TOGETHER_S} s"),
            "choose some with --only, and run the others after them",
        ));
    }
    Ok(networks)
}

fn is_inside(folder: &Path, outer: &Path) -> bool {
    match (folder.canonicalize(), outer.canonicalize()) {
        (Ok(folder), Ok(outer)) => folder.starts_with(outer),
        _ => false,
    }
}

/// All files; the sounds are moved out of the outcomes, as they are large.
fn files(setting: &Setting, outcomes: &mut [Outcome], markdown: &str, with_traces: bool) -> Vec<File> {
    let mut files = vec![
        ("quality.html".to_owned(), report::html(setting, outcomes).into_bytes()),
        ("quality.json".to_owned(), summary::json(setting, outcomes).into_bytes()),
        ("quality.md".to_owned(), markdown.as_bytes().to_vec()),
    ];
    for outcome in outcomes {
        let example = &mut outcome.example;
        let name = &example.trace.name;
        if with_traces {
            files.push((format!("traces/{name}.json"), example.trace.json().into_bytes()));
        }
        let what = std::iter::once("spoken".to_owned()).chain(Player::ALL.map(Player::name));
        let names = what.map(|what| sound_name(name, &what));
        files.extend(names.zip(core::mem::take(&mut example.sounds)));
    }
    files
}

/// The file with what was spoken, or heard of it by a playout.
fn sound_name(trace: &str, what: &str) -> String {
    format!("sound/{trace}--{what}.wav")
}

/// Whether a file of this name comes from an earlier run.
fn is_result(name: &str) -> bool {
    let is_sound = |name: &str| {
        let what = name.strip_suffix(".wav").and_then(|name| name.rsplit_once("--")).map(|(_, what)| what);
        what.is_some_and(|what| what == "spoken" || Player::ALL.iter().any(|player| player.name() == what))
    };
    match name.split_once('/') {
        None => ["quality.html", "quality.json", "quality.md"].contains(&name),
        Some(("traces", name)) => KINDS.iter().any(|kind| name.strip_suffix(".json") == Some(kind.name)),
        Some(("sound", name)) => is_sound(name),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_run_writes_is_a_result() {
        for name in ["quality.json", "traces/clean.json", "sound/my-wifi--ours.wav", "sound/a--b--fixed-60-fec.wav"] {
            assert!(is_result(name), "{name}");
        }
        for name in
            ["thesis.txt", "traces/mine.json", "sound/song.wav", "sound/ours.wav", "other/clean.json", "clean.json"]
        {
            assert!(!is_result(name), "{name}");
        }
    }

    #[test]
    fn the_document_has_a_line_for_every_kind_and_playout() {
        let document = include_str!("../../../docs/QUALITY.md");
        for kind in KINDS {
            for player in Player::ALL {
                let row = format!("| {} | {} | ", kind.name, player.name());
                let line = document.lines().find(|line| line.starts_with(&row));
                let line = line.unwrap_or_else(|| panic!("docs/QUALITY.md has no line '{row}': run tools/quality"));
                assert!(!line.contains("| - |"), "no score: {line}");
            }
        }
    }
}
