//! What people get wrong is answered with one line that says how to mend it, and leaves nothing behind.

mod common;

use common::Folder;

/// Runs the command and returns its complaint, after checking that it is one line, says so with status 2, and left nothing new.
fn complaint(folder: &Folder, arguments: &[&str]) -> String {
    let before = folder.names();
    let output = folder.consonance(arguments);
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
