//! Left and right, near and far.

use voice_audio::listen::{Ears, ListenerConfig, Presence, Space};

use crate::harness::{
    DELAY, MONO, ONSET, Room, STEREO, Talker, channel, largest, largest_step, loudness, speech, tone,
};

const STEREO_2_SECONDS: usize = 192_000;

/// Loudness left and right, as shares of that without a position.
fn ears(talker: Talker<'_>, ears: Ears) -> [f64; 2] {
    let mut room = Room::new(STEREO, [talker]);
    room.listener.set_ears(ears);
    let heard = room.hear_in(STEREO_2_SECONDS, 960);
    let whole = loudness(&speech(0).whole[ONSET..96_000 - DELAY]);
    [0, 1].map(|number| loudness(&channel(&heard, number)[DELAY + ONSET..]) / whole)
}

fn from(position: [f32; 3]) -> [f64; 2] {
    ears(Talker::new(1, speech(0)).at(position), Ears::default())
}

#[track_caller]
fn assert_about(found: [f64; 2], wanted: [f64; 2]) {
    for (found, wanted) in found.into_iter().zip(wanted) {
        assert!((found - wanted).abs() < 0.01, "{found} instead of {wanted}");
    }
}

#[test]
fn left_is_left_and_right_is_right() {
    assert_about(from([-1.0, 0.0, 0.0]), [2.0_f64.sqrt(), 0.0]);
    assert_about(from([1.0, 0.0, 0.0]), [0.0, 2.0_f64.sqrt()]);
    assert_about(from([0.0, 1.0, 0.0]), [1.0, 1.0]);
    let half_left = 0.5_f64.sqrt();
    assert_about(from([-0.5_f32.sqrt(), 0.5_f32.sqrt(), 0.0]), [(1.0 + half_left).sqrt(), (1.0 - half_left).sqrt()]);
}

#[test]
fn the_place_is_relative_to_the_listener() {
    let talker = || Talker::new(1, speech(0)).at([100.0, 200.0, 301.0]);
    let there = Ears { position: [100.0, 200.0, 300.0], right: [0.0, 0.0, -3.0] };
    assert_about(ears(talker(), there), [2.0_f64.sqrt(), 0.0]);
}

#[test]
fn distance_fades_in_one_ear_too() {
    let heard = |distance| {
        let talker = Talker::new(1, speech(0)).at([0.0, distance, 0.0]);
        loudness(&Room::new(MONO, [talker]).hear(96_000))
    };
    let near = heard(0.5);
    assert_eq!(near, heard(1.0));
    let share = heard(4.0) / near;
    // The inverse, 0.25, less 0.02 so that it is silent at 50.
    assert!((share - 0.2347).abs() < 0.005, "{share}");
    assert_eq!(heard(50.0), 0.0);
    assert_eq!(heard(1e38), 0.0);
}

#[test]
fn who_speaks_by_a_channel_without_places_is_in_the_middle_wherever_they_are() {
    let talker = Talker { positional: false, ..Talker::new(1, speech(0)).at([-30.0, 0.0, 0.0]) };
    assert_about(ears(talker, Ears::default()), [1.0, 1.0]);
}

#[test]
fn a_positional_voice_without_a_position_is_in_the_middle() {
    let talker = Talker { positional: true, ..Talker::new(1, speech(0)) };
    assert_about(ears(talker, Ears::default()), [1.0, 1.0]);
}

#[test]
fn a_narrow_space_leaves_something_in_both_ears() {
    let space = Space { width: 0.5, ..STEREO.space };
    let mut room = Room::new(ListenerConfig { space, ..STEREO }, [Talker::new(1, speech(0)).at([1.0, 0.0, 0.0])]);
    let heard = room.hear_in(STEREO_2_SECONDS, 960);
    let ratio = loudness(&channel(&heard, 0)) / loudness(&channel(&heard, 1));
    assert!((ratio - (0.5_f64 / 1.5).sqrt()).abs() < 0.01, "{ratio}");
}

#[test]
fn jumping_from_side_to_side_makes_no_click() {
    let hum = tone(100.0, 8_000.0, 2);
    let mut room = Room::new(STEREO, [Talker::new(1, &hum).at([0.0, 1.0, 0.0])]);
    let steady = largest_step(&channel(&room.hear_in(38_400, 960), 0)[9_600..]);
    let mut heard = Vec::new();
    for tick in 0..40 {
        let side = if tick % 2 == 0 { -1.0 } else { 1.0 };
        room.talkers[0].presence = Presence { position: Some([side, 0.0, 0.0]), ..Presence::default() };
        heard.extend(room.hear_in(3_840, 960));
    }
    let left = channel(&heard, 0);
    // 3 dB louder, and the ramp: 11,300 in 20 ms.
    assert!(largest_step(&left) < steady * 3 / 2 + 15, "{}, steady {steady}", largest_step(&left));
    // After 20 ms they are there.
    let (on, off): (Vec<_>, Vec<_>) = left.chunks_exact(1_920).enumerate().partition(|(tick, _)| tick % 2 == 0);
    assert!(on.iter().all(|(_, heard)| largest(&heard[DELAY + 960..]) > 10_000));
    assert!(off.iter().all(|(_, heard)| largest(&heard[DELAY + 960..]) == 0));
}

#[test]
fn a_move_takes_20_ms() {
    let hum = tone(1_000.0, 8_000.0, 1);
    let mut room = Room::new(STEREO, [Talker::new(1, &hum).at([1.0, 0.0, 0.0])]);
    room.hear_in(38_400, 960);
    room.talkers[0].presence = Presence { position: Some([-1.0, 0.0, 0.0]), ..Presence::default() };
    let left = channel(&room.hear_in(9_600, 960), 0);
    let end = loudness(&left[2_400..4_800]);
    for (ms, share) in [(5, 0.25), (10, 0.5), (15, 0.75)] {
        let around = &left[DELAY + ms * 48 - 48..][..96];
        let found = loudness(around) / end;
        assert!((found - share).abs() < 0.05, "{found} after {ms} ms");
    }
}
