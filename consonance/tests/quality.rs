//! The measuring of sound, without the scores that need Python.

mod common;

use std::{collections::BTreeMap, fs, path::Path};

use common::Folder;

/// All files below a folder, by their names with folders.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(self::files(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            files.insert(name, fs::read(&path).expect("a file"));
        }
    }
    files
}

fn measure(folder: &Folder, out: &str, more: &[&str]) -> String {
    let arguments = ["quality", "--no-scores", "--tracks", "1", "--out", out];
    let output = folder.consonance(&[&arguments, more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn traces(files: &BTreeMap<String, Vec<u8>>) -> serde_json::Value {
    let json: serde_json::Value = serde_json::from_slice(&files["quality.json"]).expect("JSON");
    json["traces"].clone()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_does_not() {
    let folder = Folder::new("quality-twice");
    let only = ["--only", "stalls,preset-lossy"];
    let printed = measure(&folder, "first", &[&only[..], &["--markdown"]].concat());
    measure(&folder, "second", &only);
    measure(&folder, "other", &[&only[..], &["--seed", "2"]].concat());
    let [first, second, other] = ["first", "second", "other"].map(|out| files(&folder.0.join(out)));
    assert!(first == second, "the same seed gave other bytes");
    assert_ne!(traces(&first), traces(&other));
    assert!(printed.contains(&*String::from_utf8_lossy(&first["quality.md"])), "{printed}");
    let of_stalls: Vec<_> = first.keys().filter(|name| name.contains("stalls")).map(String::as_str).collect();
    assert_eq!(
        of_stalls,
        [
            "sound/stalls--fixed-120-fec.wav",
            "sound/stalls--fixed-120.wav",
            "sound/stalls--fixed-60-fec.wav",
            "sound/stalls--fixed-60.wav",
            "sound/stalls--hindsight.wav",
            "sound/stalls--ours.wav",
            "sound/stalls--spoken.wav",
            "traces/stalls.json"
        ]
    );
}

#[test]
fn traces_that_were_made_give_the_same_figures_when_they_are_read() {
    let folder = Folder::new("quality-read");
    measure(&folder, "made", &["--only", "loss-20,drift-fast"]);
    fs::rename(folder.0.join("made/traces"), folder.0.join("field")).expect("renamed");
    measure(&folder, "read", &["--traces", "field", "--only", "loss-20,drift-fast"]);
    let [made, read] = ["made", "read"].map(|out| files(&folder.0.join(out)));
    let by_name = |files| {
        let traces = traces(files).as_array().expect("a list").clone();
        traces.into_iter().map(|trace| (trace["name"].to_string(), trace)).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(by_name(&made), by_name(&read));
    assert!(!read.contains_key("traces/loss-20.json"), "traces of somebody else are not copied");
}

#[test]
fn frames_of_all_lengths_are_measured() {
    let folder = Folder::new("quality-frames");
    fs::create_dir(folder.0.join("field")).expect("a folder");
    for ms in [10, 20, 40, 60] {
        let packets: Vec<String> = (0..1_000 / ms)
            .map(|n| format!(r#"{{"sent_us": {}, "arrived_us": {}}}"#, 7_000 + n * ms * 1_000, 27_000 + n * ms * 1_000))
            .collect();
        let trace = format!(r#"{{"frame_ms": {ms}, "packets": [{}]}}"#, packets.join(","));
        folder.put(&format!("field/frames-{ms}.json"), trace.as_bytes());
    }
    measure(&folder, "out", &["--traces", "field"]);
    let traces = traces(&files(&folder.0.join("out")));
    for trace in traces.as_array().expect("a list") {
        assert_eq!(trace["playouts"]["hindsight"]["delay_ms"], 20.0, "{trace}");
        for playout in ["ours", "fixed-60", "hindsight"] {
            assert_eq!(trace["playouts"][playout]["concealed"], 0.0, "{trace}");
        }
    }
}

#[test]
fn an_earlier_result_is_replaced() {
    let folder = Folder::new("quality-again");
    measure(&folder, "out", &["--only", "clean"]);
    measure(&folder, "out", &["--only", "step"]);
    let files = files(&folder.0.join("out"));
    assert!(files.contains_key("traces/step.json") && !files.contains_key("traces/clean.json"));
    assert_eq!(folder.names(), ["out"]);
}
