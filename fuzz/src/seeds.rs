//! What fuzzing starts from: the vectors of the protocol, and inputs that once found something.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// Input to start from, and the name it is stored under.
pub struct Seed {
    /// Unique within its target.
    pub name: String,
    /// What the body is given.
    pub bytes: Vec<u8>,
}

/// Returns the seeds of a target: every `hex` in docs/vectors.json, as a packet that comes in where the target takes calls, then the
/// files in `fuzz/seeds/TARGET/` by name. A target whose packets are sealed has only the files.
///
/// # Panics
///
/// When a file can't be read, or the vectors are not what they should be: this is for tests, which then show the file.
#[must_use]
pub fn of(target: &str) -> Vec<Seed> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seeds = if takes_vectors(target) { vectors(&fuzz.join("../docs/vectors.json")) } else { Vec::new() };
    if let Some(calls) = calls_before_packet(target) {
        seeds.iter_mut().for_each(|seed| seed.bytes = arriving(calls, &seed.bytes));
    }
    seeds.extend(files(&fuzz.join("seeds").join(target)));
    seeds
}

/// Whether a packet of the protocol means anything to a target.
#[must_use]
pub fn takes_vectors(target: &str) -> bool {
    !matches!(target, "transport" | "direct")
}

/// The calls after which a target that takes calls takes a packet, from its server or from somebody who has joined.
fn calls_before_packet(target: &str) -> Option<&'static [u8]> {
    match target {
        "client_ops" => Some(&[1, 0, 4, 0, 1]),
        "server_ops" => Some(&[0, 1, 4, 0, 1]),
        "host_ops" => Some(&[1, 10, 0]),
        "hostile_peer" => Some(&[4, 1]),
        _ => None,
    }
}

/// As `packet_after` reads it: the delivery, that it is to get the session and number of its lane, how long it is.
fn arriving(calls: &[u8], packet: &[u8]) -> Vec<u8> {
    let reliable = packet.first().is_some_and(|kind| *kind < 0x40);
    let length = u8::try_from(packet.len()).unwrap_or(u8::MAX);
    [calls, &[u8::from(reliable), 2, length], packet].concat()
}

fn vectors(path: &Path) -> Vec<Seed> {
    let Ok(text) = fs::read_to_string(path) else { return Vec::new() };
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut found = Vec::new();
    collect_hex(&json, &mut found);
    found.iter().enumerate().map(|(n, hex)| Seed { name: format!("vector-{n:03}"), bytes: bytes_of(hex) }).collect()
}

fn collect_hex<'json>(value: &'json Value, found: &mut Vec<&'json str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_hex(item, found)),
        Value::Object(fields) => {
            found.extend(fields.get("hex").and_then(Value::as_str));
            fields.values().for_each(|field| collect_hex(field, found));
        }
        _ => {}
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().filter(|c| !c.is_whitespace()).map(digit_of).collect();
    assert!(digits.len().is_multiple_of(2), "odd number of hex digits in {hex:?}");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn digit_of(c: char) -> u8 {
    c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or_else(|| panic!("not a hex digit: {c:?}"))
}

fn files(folder: &Path) -> Vec<Seed> {
    sorted(folder).unwrap_or_default().iter().map(|path| seed_of(path)).collect()
}

/// By name: the order in which a folder is listed differs between machines.
fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn seed_of(path: &Path) -> Seed {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Seed { name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(), bytes }
}
