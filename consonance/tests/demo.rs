//! The demonstration as a newcomer runs it.

mod common;

use std::{collections::BTreeMap, fs, path::Path};

use common::Folder;

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("the output folder");
    entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a file"))
        })
        .collect()
}

#[test]
fn the_story_holds_and_the_same_seed_gives_the_same_bytes() {
    let folder = Folder::new("demo-twice");
    let first = folder.consonance(&["demo", "--seed", "11", "--out", "first"]);
    let printed = String::from_utf8_lossy(&first.stdout).into_owned();
    assert!(first.status.success(), "{printed}");
    assert!(printed.contains("Scout") && !printed.contains("FAILED"), "{printed}");

    let second = folder.consonance(&["--seed", "11", "--out", "second"]);
    assert!(second.status.success());
    assert_eq!(folder.names(), ["first", "second"]);
    let (first, second) = (files(&folder.0.join("first")), files(&folder.0.join("second")));
    let names: Vec<_> = first.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "heard-by-builder.wav",
            "heard-by-captain.wav",
            "heard-by-engineer.wav",
            "heard-by-medic.wav",
            "heard-by-pilot.wav",
            "heard-by-ranger.wav",
            "heard-by-scout.wav",
            "report.html",
            "summary.json"
        ]
    );
    for (name, bytes) in &first {
        assert!(second.get(name) == Some(bytes), "{name} differs");
    }
    playouts_were_at_work(&first["summary.json"]);
}

/// Everybody's playout played, and the encoders, told of the loss, gave some of them copies to recover from.
fn playouts_were_at_work(summary: &[u8]) {
    let summary: serde_json::Value = serde_json::from_slice(summary).expect("JSON");
    let listeners = summary["listeners"].as_array().expect("listeners");
    let counts =
        |name: &str| listeners.iter().map(|one| one["playout"][name].as_u64().expect(name)).collect::<Vec<_>>();
    assert!(counts("played").iter().all(|played| *played > 0), "{listeners:?}");
    assert!(listeners.iter().any(|one| one["recovered"].as_u64() > Some(0)), "{listeners:?}");
    assert!(listeners.iter().any(|one| one["encoder"].as_array().is_some_and(|advice| !advice.is_empty())));
}

#[test]
fn an_earlier_result_is_replaced() {
    let folder = Folder::new("demo-again");
    fs::create_dir(folder.0.join("demo")).expect("a folder");
    folder.put("demo/summary.json", b"old");
    folder.put("demo/heard-by-nobody.wav", b"old");
    let output = folder.consonance(&["--network", "lan", "--out", "demo"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let files = files(&folder.0.join("demo"));
    assert!(!files.contains_key("heard-by-nobody.wav"));
    assert_ne!(files["summary.json"], b"old");
    assert_eq!(folder.names(), ["demo"]);
}
