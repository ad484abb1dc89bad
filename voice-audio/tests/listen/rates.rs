//! Any output rate, any block size.

use voice_audio::listen::ListenerConfig;

use crate::{
    common::correlation,
    harness::{MONO, Room, STEREO, Talker, assert_same, channel, largest, loudness, speech, tone},
};

const RATES: [u32; 9] = [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 88_200, 96_000, 192_000];

fn at(rate: u32) -> ListenerConfig {
    ListenerConfig { rate, ..MONO }
}

fn crossings(pcm: &[i16]) -> usize {
    pcm.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count()
}

#[test]
fn every_rate_keeps_pitch_length_and_loudness() {
    let hum = tone(1_000.0, 8_000.0, 2);
    let full = loudness(&hum.whole[24_000..72_000]);
    for rate in RATES {
        let mut room = Room::new(at(rate), [Talker::new(1, &hum)]);
        let second = rate as usize;
        let heard = room.hear_in(3 * second, second / 100);
        let middle = &heard[second / 2..second * 3 / 2];
        assert!(crossings(middle).abs_diff(2_000) <= 2, "{rate} Hz: {} crossings", crossings(middle));
        assert!((loudness(middle) / full - 1.0).abs() < 0.02, "{rate} Hz: {}", loudness(middle) / full);
        let end = heard.iter().rposition(|sample| sample.abs() > 1_000).unwrap() as f64 / second as f64;
        assert!((1.99..2.03).contains(&end), "{rate} Hz: ends at {end} s");
    }
}

#[test]
fn speech_at_another_rate_comes_after_the_latency_that_is_stated() {
    // Every second sample of 96 kHz is one of 48 kHz; between two delays that are heard there is half a sample.
    let mut room = Room::new(at(96_000), [Talker::new(1, speech(0))]);
    let heard = room.hear_in(288_000, 960);
    let stated = usize::try_from(room.listener.latency_us() * 96 / 1_000).unwrap();
    let part = |delay: usize| heard[96_000 + delay..].iter().step_by(2).copied().take(24_000).collect::<Vec<i16>>();
    let at = |delay: usize| correlation(&part(delay), &speech(0).whole[48_000..72_000]);
    let best = (0..800).step_by(4).max_by(|a, b| at(*a).total_cmp(&at(*b))).unwrap();
    let best = (best.max(4) - 4..best + 4).max_by(|a, b| at(*a).total_cmp(&at(*b))).unwrap();
    assert!(best.abs_diff(stated) <= 2, "{best} samples, stated are {stated}");
    assert!(at(best) > 0.999, "{}", at(best));
    assert_eq!(Room::new(MONO, []).listener.latency_us(), 2_500);
}

#[test]
fn what_a_low_rate_cannot_hold_is_removed_and_not_mirrored() {
    let high = tone(6_000.0, 8_000.0, 1);
    assert!(loudness(&high.whole[9_600..]) > 5_000.0);
    let heard = Room::new(at(8_000), [Talker::new(1, &high)]).hear_in(8_000, 80);
    assert!(loudness(&heard[1_600..]) < 20.0, "{}", loudness(&heard[1_600..]));
}

#[test]
fn both_channels_are_converted_alike() {
    let config = ListenerConfig { rate: 44_100, ..STEREO };
    let middle = Room::new(config, [Talker::new(1, speech(0))]).hear_in(88_200, 882);
    assert!(loudness(&middle) > 100.0);
    assert_same(&channel(&middle, 0), &channel(&middle, 1));
    let left = Room::new(config, [Talker::new(1, speech(0)).at([-1.0, 0.0, 0.0])]).hear_in(88_200, 882);
    assert!(loudness(&channel(&left, 0)) > 100.0);
    assert_eq!(largest(&channel(&left, 1)), 0);
}

#[test]
fn the_size_of_blocks_changes_no_sample() {
    for config in [MONO, STEREO, at(44_100), ListenerConfig { rate: 44_100, ..STEREO }] {
        let heard = |block| Room::new(config, [Talker::new(1, speech(0)).at([2.0, 1.0, 0.0])]).hear_in(52_920, block);
        let whole = heard(960);
        assert!(largest(&whole) > 100);
        for block in [2, 6, 478, 882, 1_024, 52_920] {
            assert_same(&heard(block), &whole);
        }
    }
}

#[test]
fn rates_and_numbers_out_of_range_are_refused() {
    use voice_audio::listen::{Listener, ListenerError, Space};
    let refused = |config| Listener::new(config).err();
    assert_eq!(refused(at(7_999)), Some(ListenerError::Rate));
    assert_eq!(refused(at(192_001)), Some(ListenerError::Rate));
    assert_eq!(refused(ListenerConfig { voices: 1_025, ..MONO }), Some(ListenerError::Voices));
    let space = Space { min_distance: f32::NAN, ..Space::default() };
    assert_eq!(refused(ListenerConfig { space, ..MONO }), Some(ListenerError::Space));
    assert_eq!(refused(ListenerConfig { voices: 0, ..MONO }), None);
}
