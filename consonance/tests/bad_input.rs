//! What people get wrong is answered with one line that says how to mend it, and leaves nothing behind.

mod common;

use common::Folder;

/// Runs the command and returns its complaint, after checking that it is one line, says so with status 2, and left nothing new.
fn complaint(folder: &Folder, arguments: &[&str]) -> String {
    complaint_in(folder, &[], arguments)
}

/// The same with these variables of the environment.
fn complaint_in(folder: &Folder, variables: &[(&str, &str)], arguments: &[&str]) -> String {
    let before = folder.names();
    let output = folder.consonance_in(variables, arguments);
    let complaint = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    assert!(complaint.contains("; "), "no cure: {complaint}");
    assert_eq!(folder.names(), before, "something was left behind");
    complaint
}

/// A WAV file of 16-bit mono at 8 kHz with these samples.
fn wav(samples: &[i16]) -> Vec<u8> {
    let bytes = u32::try_from(samples.len() * 2).expect("a short file");
    let mut file = b"RIFF".to_vec();
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    file.extend([1u16, 1].map(u16::to_le_bytes).concat());
    file.extend([8_000u32, 16_000].map(u32::to_le_bytes).concat());
    file.extend([2u16, 16].map(u16::to_le_bytes).concat());
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

#[test]
fn a_missing_speech_file_is_named() {
    let folder = Folder::new("missing-speech");
    assert!(complaint(&folder, &["demo", "--speech", "nobody.wav"]).contains("nobody.wav"));
}

#[test]
fn an_empty_speech_file_is_refused() {
    let folder = Folder::new("empty-speech");
    folder.put("empty.wav", b"");
    assert!(complaint(&folder, &["demo", "--speech", "empty.wav"]).contains("empty"));
}

#[test]
fn a_speech_file_that_is_not_audio_is_refused() {
    let folder = Folder::new("text-speech");
    folder.put("notes.wav", b"Dear diary, today I recorded nothing at all.");
    assert!(complaint(&folder, &["demo", "--speech", "notes.wav"]).contains("notes.wav"));
}

#[test]
fn a_folder_is_no_speech_file() {
    let folder = Folder::new("folder-speech");
    complaint(&folder, &["demo", "--speech", "."]);
}

#[test]
fn a_silent_speech_file_is_refused() {
    let folder = Folder::new("silent-speech");
    folder.put("silent.wav", &wav(&[0; 8_000]));
    assert!(complaint(&folder, &["demo", "--speech", "silent.wav"]).contains("silence"));
}

#[test]
fn one_bad_speech_file_among_good_ones_is_found() {
    let folder = Folder::new("mixed-speech");
    let hum: Vec<i16> = (0..8_000).map(|n| if n / 20 % 2 == 0 { 8_000 } else { -8_000 }).collect();
    folder.put("good.wav", &wav(&hum));
    folder.put("bad.wav", &wav(&hum)[..30]);
    assert!(complaint(&folder, &["demo", "--speech", "good.wav", "bad.wav"]).contains("bad.wav"));
}

#[test]
fn an_unknown_preset_is_answered_with_those_there_are() {
    let folder = Folder::new("preset");
    let complaint = complaint(&folder, &["demo", "--network", "carrier-pigeon"]);
    assert!(complaint.contains("carrier-pigeon") && complaint.contains("busy-wifi") && complaint.contains("lossy"));
}

#[test]
fn a_file_in_the_place_of_the_output_folder_is_kept() {
    let folder = Folder::new("out-file");
    folder.put("taken", b"mine");
    assert!(complaint(&folder, &["demo", "--out", "taken"]).contains("taken"));
}

#[test]
fn a_folder_with_other_files_is_never_replaced() {
    let folder = Folder::new("out-other");
    std::fs::create_dir(folder.0.join("home")).expect("a folder");
    folder.put("home/summary.json", b"{}");
    folder.put("home/thesis.txt", b"years of work");
    assert!(complaint(&folder, &["demo", "--out", "home"]).contains("thesis.txt"));
    assert!(folder.0.join("home/thesis.txt").is_file());
}

#[test]
fn an_output_folder_below_a_file_can_not_be_written() {
    let folder = Folder::new("out-below");
    folder.put("file", b"");
    assert!(complaint(&folder, &["demo", "--out", "file/below/demo"]).contains("file/below/demo"));
}

#[test]
fn an_output_folder_without_a_name_is_refused() {
    let folder = Folder::new("out-nameless");
    complaint(&folder, &["demo", "--out", ".."]);
}

#[test]
fn line_breaks_in_a_file_name_do_not_break_the_line() {
    let folder = Folder::new("newline");
    complaint(&folder, &["demo", "--speech", "two\nlines.wav"]);
}

#[test]
fn a_replay_of_what_is_no_saved_run_names_the_line() {
    let folder = Folder::new("bad-replay");
    assert!(complaint(&folder, &["sim", "--replay", "nothing.run"]).contains("nothing.run"));
    folder.put("notes.run", b"Dear diary");
    assert!(complaint(&folder, &["sim", "--replay", "notes.run"]).contains("line 1"));
    folder.put("bad.run", b"consonance run 1\nseed many\n");
    assert!(complaint(&folder, &["sim", "--replay", "bad.run"]).contains("line 2"));
}

#[test]
fn a_run_that_can_not_be_saved_is_not_begun() {
    let folder = Folder::new("bad-save");
    assert!(complaint(&folder, &["sim", "--scenario", "swarm", "--save", "no/such/folder.run"]).contains("folder.run"));
}

/// Complains about a folder with this one trace.
fn complaint_about_trace(test: &str, trace: &str) -> String {
    let folder = Folder::new(test);
    std::fs::create_dir(folder.0.join("field")).expect("a folder");
    folder.put("field/mine.json", trace.as_bytes());
    let complaint = complaint(&folder, &["quality", "--no-scores", "--traces", "field"]);
    assert!(complaint.contains("mine.json"), "{complaint}");
    complaint
}

#[test]
fn a_trace_that_can_not_be_used_is_named_with_what_is_wrong() {
    assert!(complaint_about_trace("trace-text", "Dear diary,\ntoday").contains("not JSON"));
    assert!(complaint_about_trace("trace-list", "[1, 2]").contains("frame_ms"));
    let packet = |sent: u32| format!(r#"{{"sent_us": {sent}, "arrived_us": {}}}"#, sent + 9);
    let trace = |ms: u32, packets: &[String]| format!(r#"{{"frame_ms": {ms}, "packets": [{}]}}"#, packets.join(","));
    assert!(complaint_about_trace("trace-empty", &trace(20, &[])).contains("no packet"));
    assert!(complaint_about_trace("trace-frames", &trace(30, &[packet(0)])).contains("30"));
    let back = trace(20, &[packet(20_000), packet(0)]);
    assert!(complaint_about_trace("trace-back", &back).contains("packet 1: sent before"));
}

#[test]
fn a_trace_that_is_no_text_is_named() {
    let folder = Folder::new("trace-bytes");
    std::fs::create_dir(folder.0.join("field")).expect("a folder");
    folder.put("field/bytes.json", &[0xff, 0xfe, 0]);
    assert!(complaint(&folder, &["quality", "--traces", "field"]).contains("bytes.json"));
}

#[test]
fn two_traces_of_one_name_are_refused() {
    let folder = Folder::new("trace-twins");
    std::fs::create_dir(folder.0.join("field")).expect("a folder");
    let trace = br#"{"name": "twin", "frame_ms": 20, "packets": [{"sent_us": 0, "arrived_us": 5}]}"#;
    folder.put("field/a.json", trace);
    folder.put("field/b.json", trace);
    assert!(complaint(&folder, &["quality", "--traces", "field"]).contains("b.json"));
}

#[test]
fn a_folder_without_traces_is_refused() {
    let folder = Folder::new("trace-none");
    assert!(complaint(&folder, &["quality", "--traces", "."]).contains("*.json"));
    assert!(complaint(&folder, &["quality", "--traces", "nowhere"]).contains("nowhere"));
}

#[test]
fn traces_in_the_output_folder_are_kept() {
    let folder = Folder::new("trace-in-out");
    std::fs::create_dir_all(folder.0.join("out/traces")).expect("folders");
    folder.put("out/traces/clean.json", b"{}");
    complaint(&folder, &["quality", "--traces", "out/traces", "--out", "out"]);
    assert!(folder.0.join("out/traces/clean.json").is_file());
}

#[test]
fn a_foreign_file_among_the_traces_of_an_earlier_result_is_kept() {
    let folder = Folder::new("trace-foreign");
    std::fs::create_dir_all(folder.0.join("out/traces")).expect("folders");
    folder.put("out/traces/mine.json", b"{}");
    assert!(complaint(&folder, &["quality", "--out", "out"]).contains("mine.json"));
}

#[test]
fn traces_of_more_than_half_an_hour_are_refused_unless_some_are_chosen() {
    let folder = Folder::new("trace-hours");
    std::fs::create_dir(folder.0.join("field")).expect("a folder");
    let packets: Vec<String> =
        (0..2_000).map(|n| format!(r#"{{"sent_us": {}, "arrived_us": {}}}"#, n * 60_000, n * 60_000)).collect();
    let trace = format!(r#"{{"frame_ms": 60, "packets": [{}]}}"#, packets.join(","));
    (0..16).for_each(|n| folder.put(&format!("field/{n}.json"), trace.as_bytes()));
    assert!(complaint(&folder, &["quality", "--no-scores", "--traces", "field"]).contains("1920 s"));
}

#[test]
fn an_unknown_trace_is_answered_with_those_there_are() {
    let folder = Folder::new("trace-unknown");
    let complaint = complaint(&folder, &["quality", "--only", "clean,pigeon"]);
    assert!(complaint.contains("pigeon") && complaint.contains("busy-wifi"));
}

#[test]
fn speech_that_can_not_be_used_is_refused_before_anything_is_measured() {
    let folder = Folder::new("quality-speech");
    assert!(complaint(&folder, &["quality", "--speech", "nobody.wav"]).contains("nobody.wav"));
}

#[test]
fn without_python_it_is_said_how_to_get_it() {
    let folder = Folder::new("no-python");
    let variables = [("PATH", "."), ("CONSONANCE_CACHE", "cache")];
    let complaint = complaint_in(&folder, &variables, &["quality", "--only", "clean"]);
    assert!(complaint.contains("install Python") && complaint.contains("--no-scores"), "{complaint}");
}

/// Complains of this shell script in the place of Python.
#[cfg(unix)]
fn complaint_with_python(test: &str, script: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new(test);
    folder.put("python3", format!("#!/bin/sh\n{script}").as_bytes());
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.0.join("python3"), executable).expect("an executable");
    let path = format!("{}:/usr/bin:/bin", folder.0.display());
    let variables = [("PATH", &*path), ("CONSONANCE_CACHE", "cache")];
    let complaint = complaint_in(&folder, &variables, &["quality", "--only", "clean"]);
    assert!(complaint.contains("--no-scores"), "{complaint}");
    complaint
}

#[cfg(unix)]
#[test]
fn a_python_without_its_venv_module_is_found_out() {
    let complaint = complaint_with_python("no-venv", "echo 'No module named venv' >&2\nexit 1\n");
    assert!(complaint.contains("No module named venv"), "{complaint}");
}

#[cfg(unix)]
#[test]
fn packages_that_can_not_be_installed_leave_no_half_made_environment() {
    let script = r#"
mkdir -p "$3/bin"
printf '#!/bin/sh\necho "ERROR: no network" >&2\nexit 1\n' >"$3/bin/python"
chmod +x "$3/bin/python"
"#;
    let complaint = complaint_with_python("no-packages", script);
    assert!(complaint.contains("ERROR: no network"), "{complaint}");
}
