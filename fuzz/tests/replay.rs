//! Runs the fuzz bodies without a fuzzer: over their seeds, over everything one step away from a seed, and over random bytes.
//! It finds less than libFuzzer does, but on every machine and in seconds.

use std::{collections::BTreeSet, fs, path::Path};

use consonance_fuzz::{Body, TARGETS, seeds};

const RANDOM_INPUTS: usize = 2_000;
/// Each of its runs makes keys for several connections.
const RANDOM_INPUTS_OF_TRANSPORT: usize = 500;
const LONGEST_RANDOM_INPUT: u64 = 1_500;

fn body_of(target: &str) -> Body {
    TARGETS.iter().find(|(name, _)| *name == target).expect("a target of this name").1
}

/// The finalizer of SplitMix64, over a counter: enough to spread inputs, and the same on every machine.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn random_byte(state: &mut u64) -> u8 {
    random(state).to_le_bytes()[0]
}

fn replay_seeds(target: &str) {
    let body = body_of(target);
    for seed in seeds::of(target) {
        println!("{target}: {}", seed.name);
        body(&seed.bytes);
    }
}

fn replay_neighbours(target: &str) {
    let body = body_of(target);
    let state = &mut 1;
    for seed in seeds::of(target) {
        println!("{target}: cut and bent {}", seed.name);
        for at in 0..seed.bytes.len() {
            body(&seed.bytes[..at]);
            let mut bent = seed.bytes.clone();
            bent[at] ^= random_byte(state).max(1);
            body(&bent);
        }
    }
}

fn replay_random(target: &str) {
    let body = body_of(target);
    let inputs = if target == "transport" { RANDOM_INPUTS_OF_TRANSPORT } else { RANDOM_INPUTS };
    for n in 0..inputs {
        println!("{target}: random input {n}");
        let state = &mut u64::try_from(n).expect("a small number");
        let length = random(state) % LONGEST_RANDOM_INPUT;
        body(&(0..length).map(|_| random_byte(state)).collect::<Vec<_>>());
    }
}

macro_rules! replay {
    ($($target:ident)*) => {$(
        mod $target {
            #[test]
            fn survives_its_seeds() {
                super::replay_seeds(stringify!($target));
            }

            #[test]
            fn survives_seeds_cut_short_or_with_a_byte_changed() {
                super::replay_neighbours(stringify!($target));
            }

            #[test]
            fn survives_random_bytes() {
                super::replay_random(stringify!($target));
            }
        }
    )*};
}

replay!(client_ops decode decode_sound direct host_ops hostile_peer playout round_trip sealed server_ops transport);

#[test]
fn every_fuzz_target_is_replayed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let wrappers: BTreeSet<String> = fs::read_dir(folder)
        .expect("the folder of targets")
        .map(|entry| entry.expect("an entry").path().file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(wrappers, TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect());
}

#[test]
fn the_vectors_are_seeds_of_every_target_that_takes_them() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/vectors.json");
    let text = fs::read_to_string(vectors).expect("docs/vectors.json");
    let written = text.matches("\"hex\"").count();
    assert!(written > 0, "docs/vectors.json has no \"hex\"");
    for (target, _) in TARGETS.into_iter().filter(|(target, _)| seeds::takes_vectors(target)) {
        assert!(seeds::of(target).len() >= written, "{target} has too few seeds");
    }
}
