//! docs/vectors.json: packets with their fields, and bytes with the reason why they are dropped.
//!
//! `cargo test -p voice-core --test wire_vectors -- --ignored` writes the file anew; the other tests hold the code to the file.

mod bad;
mod fields;
mod good;

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::Value;
use voice_core::{
    Delivery, DropReason, Secret,
    wire::{Kind, Packet, limits::MAX_PACKET_BYTES},
};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/vectors.json")
}

fn vectors() -> Vec<Value> {
    let text = fs::read_to_string(path()).expect("docs/vectors.json is there");
    serde_json::from_str(&text).expect("docs/vectors.json is an array")
}

fn good_ones() -> Vec<Value> {
    vectors().into_iter().filter(|vector| vector["ok"] == true).collect()
}

fn bytes_of(vector: &Value) -> Vec<u8> {
    fields::octets(&vector["hex"]).to_vec()
}

/// All vectors as the file should have them, one a line.
fn generated() -> String {
    let lines: Vec<String> = good::all().iter().map(good_line).chain(bad::all().iter().map(bad_line)).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

fn good_line(vector: &good::Good) -> String {
    let bytes = fields::encode(vector.kind, &vector.fields);
    let delivery = delivery(vector.kind);
    let (name, kind, hex, fields) = (vector.name, vector.kind.name(), fields::hex(&bytes), &vector.fields);
    format!(r#"{{"name":"{name}","ok":true,"kind":"{kind}","delivery":"{delivery}","hex":"{hex}","fields":{fields}}}"#)
}

fn bad_line(vector: &bad::Bad) -> String {
    let (name, hex, drop) = (&vector.name, fields::hex(&vector.bytes), vector.drop.name());
    format!(r#"{{"name":"{name}","ok":false,"drop":"{drop}","hex":"{hex}"}}"#)
}

fn delivery(kind: Kind) -> &'static str {
    match kind.delivery() {
        Delivery::Reliable => "reliable",
        Delivery::Unreliable => "unreliable",
    }
}

#[test]
#[ignore = "writes docs/vectors.json"]
fn write() {
    fs::write(path(), generated()).expect("docs/vectors.json can be written");
}

#[test]
fn the_file_is_what_would_be_written_now() {
    let now: Vec<Value> = serde_json::from_str(&generated()).unwrap();
    let then = vectors();
    for (now, then) in now.iter().zip(&then) {
        assert_eq!(now, then);
    }
    assert_eq!(now.len(), then.len());
}

#[test]
fn names_are_unique() {
    let all = vectors();
    let names: BTreeSet<&str> = all.iter().map(|vector| vector["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), all.len());
}

#[test]
fn each_good_vector_decodes_to_its_fields() {
    for vector in good_ones() {
        let bytes = bytes_of(&vector);
        let packet = Packet::decode(&bytes).unwrap_or_else(|drop| panic!("{}: {drop:?}", vector["name"]));
        assert_eq!(packet.kind().name(), vector["kind"], "{}", vector["name"]);
        assert_eq!(delivery(packet.kind()), vector["delivery"], "{}", vector["name"]);
        fields::check(&packet, &vector["fields"]);
    }
}

#[test]
fn the_fields_of_each_good_vector_encode_to_its_bytes() {
    for vector in good_ones() {
        let kind = Kind::ALL.iter().find(|kind| vector["kind"] == kind.name()).unwrap();
        assert_eq!(fields::encode(*kind, &vector["fields"]), bytes_of(&vector), "{}", vector["name"]);
    }
}

#[test]
fn each_good_vector_is_what_its_packet_encodes_to() {
    for vector in good_ones() {
        let bytes = bytes_of(&vector);
        let mut out = [0xAA; MAX_PACKET_BYTES];
        let len = Packet::decode(&bytes).unwrap().encode(&mut out).unwrap();
        assert_eq!(out[..len], bytes, "{}", vector["name"]);
    }
}

#[test]
fn each_bad_vector_is_dropped_for_its_reason() {
    for vector in vectors().into_iter().filter(|vector| vector["ok"] == false) {
        let drop = DropReason::ALL.iter().find(|reason| vector["drop"] == reason.name()).unwrap();
        assert_eq!(Packet::decode(&bytes_of(&vector)), Err(*drop), "{}", vector["name"]);
    }
}

#[test]
fn there_is_a_good_and_a_bad_vector_of_every_kind() {
    let all = vectors();
    for kind in Kind::ALL {
        let of_kind = |vector: &Value| bytes_of(vector).first().and_then(|first| Kind::from_first_byte(*first));
        let has = |ok: bool| all.iter().any(|vector| vector["ok"] == ok && of_kind(vector) == Some(*kind));
        assert!(has(true), "no good {}", kind.name());
        assert!(has(false), "no bad {}", kind.name());
    }
}

#[test]
fn every_proof_is_right_with_its_secret_and_wrong_with_another() {
    let mut proven = 0;
    for vector in good_ones() {
        let bytes = bytes_of(&vector);
        let (answer, greeting) = match Packet::decode(&bytes).unwrap() {
            Packet::Greet(greeting) => (false, greeting),
            Packet::GreetAck(greeting) => (true, greeting),
            _ => continue,
        };
        let secret = fields::secret(&vector["fields"]["pair_secret"]);
        assert!(greeting.is_proven(answer, &secret));
        assert!(!greeting.is_proven(!answer, &secret));
        assert!(!greeting.is_proven(answer, &Secret::from_bytes([0; 16])));
        proven += 1;
    }
    assert_eq!(proven, 2);
}

/// These bytes were put together by hand from the tables of docs/PROTOCOL.md, not by the code.
#[test]
fn packets_put_together_by_hand_are_among_the_vectors() {
    let by_hand = [
        ("Hello, fresh, without name", "01 434e5356 01 00000001 11223344 01 14 00005dc0 00 00 00 00 0000"),
        ("UseRoom, both", "02 0a0b0c0d 0001 03 05 6c6f626279"),
        ("Refused, full", "22 11223344 02"),
        ("Ping", "41 0a0b0c0d 00000102 0007 0025 03 0004 00"),
        ("Voice, one room", "80 0c0d 0102 0003 04 00 64 0005 010203"),
        ("Voice, mark, 40 ms", "c8 0c0d 0102 0003 04 00 64 0005 010203"),
        ("Report, one speaker", "45 0a0b0c0d 0007 05 02 0c 0f 03"),
        ("Summary, one listener", "46 0a0b0c0d 01 05 02 0c 0f 03"),
        ("Phase", "47 0a0b0c0d 02bc 10e1"),
        ("Voice, all but two", "90 0c0d 0102 0003 04 00 64 0005 02 0007 0009 010203"),
        ("Roster, gone", "25 0a0b0c0d 0002 00 0007 80"),
    ];
    let all = vectors();
    for (name, hex) in by_hand {
        let vector = all.iter().find(|vector| vector["name"] == name).unwrap_or_else(|| panic!("no vector {name}"));
        assert_eq!(vector["hex"], hex.replace(' ', ""), "{name}");
    }
}
