//! The highest priority, and stepping back while one speaks oneself.

use std::time::Duration;

use voice_audio::listen::{Ducking, ListenerConfig};

use crate::harness::{DELAY, MONO, ONSET, Room, Talker, assert_same, largest, largest_step, loudness, speech, tone};

/// Samples of a fade: 15 ms.
const FADE: usize = 720;
/// Samples of a frame: until the next one is pulled, nothing changes.
const FRAME: usize = 960;

#[test]
fn who_is_not_to_be_heard_fades_in_15_ms_and_comes_back_in_as_many() {
    let hum = tone(500.0, 8_000.0, 2);
    let mut room = Room::new(MONO, [Talker::new(1, &hum)]);
    room.hear(20 * FRAME);

    room.talkers[0].audible = false;
    let out = room.hear(5 * FRAME);
    assert!(largest(&out[DELAY..DELAY + FADE / 2]) > 4_000);
    assert!(largest(&out[DELAY + FADE / 2..DELAY + FADE]) < 4_400);
    assert_eq!(largest(&out[DELAY + FADE..]), 0);

    room.talkers[0].audible = true;
    let back = room.hear(5 * FRAME);
    assert_eq!(largest(&back[..DELAY]), 0);
    assert!(largest(&back[DELAY..DELAY + FADE / 2]) < 4_400);
    assert!(largest(&back[DELAY + FADE..]) > 7_500);

    let steady = largest_step(&back[DELAY + FADE..]);
    let whole = [out, back].concat();
    assert!(largest_step(&whole) < steady + 15, "{} {steady}", largest_step(&whole));
}

#[test]
fn whoever_is_not_heard_is_decoded_on() {
    let mut room = Room::new(MONO, [Talker::new(1, speech(0))]);
    room.hear(20 * FRAME);
    room.talkers[0].audible = false;
    room.hear(20 * FRAME);
    room.talkers[0].audible = true;
    room.hear(2 * FRAME);
    // As if nothing had been: the decoder's state is the same.
    let heard = room.hear(50 * FRAME);
    assert_same(&heard, &speech(0).whole[42 * FRAME - DELAY..92 * FRAME - DELAY]);
}

#[test]
fn who_begins_to_speak_is_heard_from_the_first_sample_after_having_been_silenced() {
    let mut room = Room::new(MONO, [Talker { packets: &speech(0).packets[..5], ..Talker::new(1, speech(0)) }]);
    room.talkers[0].audible = false;
    assert_eq!(largest(&room.hear(20 * FRAME)), 0);
    room.talkers[0] = Talker::new(1, speech(1));
    let heard = room.hear(4 * FRAME);
    // No fade of 15 ms but that of the beginning, 2.5 ms: the decoder starts from other speech, so that only loudness compares.
    let (found, spoken) = (&heard[DELAY + ONSET..][..FRAME], &speech(1).whole[ONSET..][..FRAME]);
    assert!((0.7..1.4).contains(&(loudness(found) / loudness(spoken))));
}

fn ducked(depth_db: f32) -> ListenerConfig {
    let (attack, release) = (Duration::from_millis(50), Duration::from_millis(200));
    ListenerConfig { ducking: Some(Ducking { depth_db, attack, release }), ..MONO }
}

#[test]
fn others_step_back_as_far_and_as_fast_as_was_said() {
    let hum = tone(500.0, 8_000.0, 2);
    for depth_db in [6.0, 12.0, 40.0] {
        let mut room = Room::new(ducked(depth_db), [Talker::new(1, &hum)]);
        let before = loudness(&room.hear(20 * FRAME)[10 * FRAME..]);
        room.listener.set_speaking(true);
        let down = room.hear(10 * FRAME);
        let found = 20.0 * (before / loudness(&down[5 * FRAME..])).log10();
        assert!((found - f64::from(depth_db)).abs() < 0.2, "{found} dB instead of {depth_db}");
        // After 25 of 50 ms it is half way.
        let half = f64::from(1.0 + 10.0_f32.powf(-depth_db / 20.0)) / 2.0;
        let found = loudness(&down[DELAY + 1_104..][..192]) / before;
        assert!((found - half).abs() < 0.05, "{found} instead of {half}");

        room.listener.set_speaking(false);
        let up = room.hear(20 * FRAME);
        let found = loudness(&up[DELAY + 4_704..][..192]) / before;
        assert!((found - half).abs() < 0.05, "{found} instead of {half}");
        assert!((loudness(&up[11 * FRAME..]) / before - 1.0).abs() < 0.01);
        let all = [down, up].concat();
        assert!(largest_step(&all) <= largest_step(&all[15 * FRAME..]) + 5, "a click");
    }
}

#[test]
fn ducking_can_be_switched_while_one_speaks() {
    let hum = tone(500.0, 8_000.0, 2);
    let mut room = Room::new(MONO, [Talker::new(1, &hum)]);
    room.listener.set_speaking(true);
    let full = loudness(&room.hear(20 * FRAME)[10 * FRAME..]);
    room.listener.set_ducking(Some(Ducking { depth_db: 20.0, ..Ducking::default() }));
    let lowered = loudness(&room.hear(20 * FRAME)[10 * FRAME..]);
    room.listener.set_ducking(None);
    let again = loudness(&room.hear(40 * FRAME)[30 * FRAME..]);
    assert!((full / lowered - 10.0).abs() < 0.1, "{}", full / lowered);
    assert!((full / again - 1.0).abs() < 0.01, "{}", full / again);
}
