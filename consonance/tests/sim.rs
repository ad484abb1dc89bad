//! The simulator on the command line.

mod common;

use common::Folder;
use serde_json::Value;

fn report(folder: &Folder, arguments: &[&str]) -> Value {
    let output = folder.consonance(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

#[test]
fn a_report_has_what_a_script_wants_of_it() {
    let folder = Folder::new("sim-report");
    let report = report(&folder, &["sim", "--scenario", "conversation", "--seed", "3", "--seconds", "2", "--json"]);
    assert_eq!((&report["scenario"], &report["seed"]), (&"conversation".into(), &3.into()));
    assert_eq!(report["virtual_seconds"], 2.0);
    assert!(report["wall_seconds"].is_f64() && report["deliveries"].as_u64() > Some(100));
    assert!(report["trace_hash"].is_string() && report["drops"].is_object());
    assert_eq!(report["violations"], Value::Array(Vec::new()));
}

#[test]
fn a_saved_run_replays_to_the_same_trace() {
    let folder = Folder::new("sim-replay");
    let saved =
        report(&folder, &["sim", "--scenario", "swarm", "--seed", "9", "--seconds", "5", "--save", "it.run", "--json"]);
    let replayed = report(&folder, &["sim", "--replay", "it.run", "--json"]);
    assert_eq!(saved["trace_hash"], replayed["trace_hash"]);
    assert_eq!(saved["deliveries"], replayed["deliveries"]);
}

#[test]
fn a_soak_says_what_it_tried() {
    let folder = Folder::new("sim-soak");
    let output = folder.consonance(&["sim", "--soak", "2", "--seconds", "3"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("2 seeds, no rule broken") && text.contains("lanes_broken"),
        "{text}"
    );
}

#[test]
fn the_bottleneck_shows_a_row_for_every_five_seconds_with_adaptation_and_without() {
    let folder = Folder::new("sim-bottleneck");
    let report = report(&folder, &["sim", "--scenario", "bottleneck", "--seconds", "20", "--json"]);
    let last = |which: &str| report[which].as_array().and_then(|rows| rows.get(3)).cloned().expect("four rows");
    assert!(last("fixed")["loss_percent"].as_f64() > Some(60.0));
    assert!(last("adapting")["loss_percent"].as_f64() < Some(5.0));
    let table = folder.consonance(&["sim", "--scenario", "bottleneck", "--seconds", "10"]);
    let table = String::from_utf8_lossy(&table.stdout);
    assert_eq!(table.lines().filter(|line| line.starts_with("| ")).count(), 2 * 3, "{table}");
}
