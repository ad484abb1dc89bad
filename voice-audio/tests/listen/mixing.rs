//! Volumes, the sum, the limiter, taps and meters.

use voice_audio::{
    SAMPLE_RATE,
    listen::{Level, Listener, Presence, Tapped},
    rms,
};

use crate::{
    common::correlation,
    harness::{
        DELAY, MONO, ONSET, Room, STEREO, Talker, assert_same, channel, id, largest, largest_step, loudness, speech,
        tone,
    },
};

const SECONDS_2: usize = 96_000;

#[test]
fn one_voice_is_heard_exactly_as_decoded_two_and_a_half_milliseconds_later() {
    let heard = Room::new(MONO, [Talker::new(1, speech(0))]).hear(SECONDS_2);
    assert_eq!(heard[..DELAY], [0; DELAY]);
    assert_same(&heard[DELAY + ONSET..], &speech(0).whole[ONSET..SECONDS_2 - DELAY]);
}

#[test]
fn two_voices_are_their_sum() {
    // At half of their volume the limiter has nothing to do, whichever libopus spoke.
    let half = |talker| Talker { presence: Presence { gain: 0.5, ..Presence::default() }, ..talker };
    let talkers = [half(Talker::new(1, speech(0))), half(Talker::new(2, speech(1)))];
    let heard = Room::new(MONO, talkers).hear(SECONDS_2);
    let (a, b) = (&speech(0).whole, &speech(1).whole);
    assert!(a.iter().zip(b).any(|(a, b)| *a > 1_000 && *b > 1_000), "they must overlap");
    for (n, heard) in heard.iter().enumerate().skip(DELAY + ONSET) {
        let sum = i32::from(a[n - DELAY]) + i32::from(b[n - DELAY]);
        assert!((2 * i32::from(*heard) - sum).abs() <= 1, "sample {n}: {heard} of {sum}");
    }
}

#[test]
fn without_a_position_both_ears_hear_what_one_would() {
    let mono = Room::new(MONO, [Talker::new(1, speech(0)), Talker::new(2, speech(1))]).hear(48_000);
    let stereo = Room::new(STEREO, [Talker::new(1, speech(0)), Talker::new(2, speech(1))]).hear(96_000);
    assert_same(&channel(&stereo, 0), &mono);
    assert_same(&channel(&stereo, 1), &mono);
}

#[test]
fn volume_and_gain_multiply_and_are_bounded() {
    let loudness = |volume_percent, gain| {
        let presence = Presence { gain, ..Presence::default() };
        let talker = Talker { volume_percent, presence, ..Talker::new(1, speech(0)) };
        loudness(&Room::new(MONO, [talker]).hear(SECONDS_2))
    };
    let full = loudness(100, 1.0);
    let is_about =
        |found: f64, share: f64| assert!((found / full - share).abs() < 0.01, "{} for {share}", found / full);
    is_about(loudness(50, 1.0), 0.5);
    is_about(loudness(50, 0.5), 0.25);
    is_about(loudness(200, 0.5), 1.0);
    assert_eq!(loudness(0, 1.0), 0.0);
    assert_eq!(loudness(100, 0.0), 0.0);
    assert_eq!(loudness(100, -3.0), 0.0);
    assert_eq!(loudness(20, f32::MAX), loudness(20, 4.0));
    assert_eq!(loudness(u16::MAX, 0.1), loudness(400, 0.1));
}

#[test]
fn a_changed_volume_comes_without_a_click() {
    let hum = tone(100.0, 8_000.0, 1);
    let mut room = Room::new(MONO, [Talker::new(1, &hum)]);
    let mut heard = room.hear(19_200);
    let steady = largest_step(&heard[9_600..]);
    for percent in [0, 100, 5, 200, 50, 100] {
        room.talkers[0].volume_percent = percent;
        heard.extend(room.hear(2_880));
    }
    // Twice as loud, and the ramp: 12,000 in 10 ms.
    let found = largest_step(&heard[9_600..]);
    assert!(found < 2 * steady + 50, "{found}, steady {steady}");
    assert!(found > steady, "the loudest was never heard");
}

#[test]
fn a_new_talkspurt_has_its_volume_at_once() {
    let quiet = Talker { volume_percent: 25, ..Talker::new(1, speech(0)) };
    let heard = Room::new(MONO, [quiet]).hear(48_000);
    for (n, heard) in heard.iter().enumerate().skip(DELAY + ONSET) {
        assert!((i32::from(*heard) * 4 - i32::from(speech(0).whole[n - DELAY])).abs() <= 2, "sample {n}");
    }
}

#[test]
fn thirty_two_shouting_at_once_are_lowered_and_not_clipped() {
    let shout = tone(200.0, 30_000.0, 1);
    let config = voice_audio::listen::ListenerConfig { voices: 32, ..MONO };
    let mut room = Room::new(config, (1..=32).map(|number| Talker::new(number, &shout)));
    let heard = room.hear(48_000);
    assert!((28_000..=29_300).contains(&largest(&heard)), "{}", largest(&heard));
    // A clipped sine would be like a square: 0.9 alike at most.
    let likeness = correlation(&heard[24_000 + DELAY..43_200 + DELAY], &shout.whole[24_000..43_200]);
    assert!(likeness > 0.995, "{likeness}");
}

#[test]
fn after_a_shout_the_others_come_back_to_their_volume() {
    let shout = tone(200.0, 30_000.0, 1);
    let loud = Talker { packets: &shout.packets[..10], volume_percent: 400, ..Talker::new(2, &shout) };
    let heard = Room::new(MONO, [Talker::new(1, speech(0)), loud]).hear(SECONDS_2);
    // From 0.2 s on it recovers with a time constant of 0.1 s.
    assert_same(&heard[SECONDS_2 - 24_000..], &speech(0).whole[SECONDS_2 - 24_000 - DELAY..SECONDS_2 - DELAY]);
}

#[test]
fn floats_are_the_same_sound() {
    let mut room = Room::new(MONO, [Talker::new(1, speech(0))]);
    let mut listener = Listener::new(MONO).unwrap();
    let mut talker = Talker::new(1, speech(0));
    for _ in 0..100 {
        let mut floats = [7.0_f32; 480];
        listener.attend(talker.id, talker.presence).unwrap();
        listener.render(&mut floats, |pull| pull.give(talker.frame()));
        assert_same(&floats.map(|sample| (sample * 32_768.0) as i16), &room.hear(480));
    }
}

#[test]
fn taps_give_each_voice_and_the_mix_at_the_same_times() {
    let mut room =
        Room::new(MONO, [Talker::new(1, speech(0)), Talker { volume_percent: 50, ..Talker::new(2, speech(1)) }]);
    let (mut voices, mut mix, mut heard) = ([vec![0; 48_120], vec![0; 48_120]], vec![0; 48_120], vec![0; 48_000]);
    for block in heard.chunks_mut(480) {
        room.block(block, |tap| {
            let to = match tap.of {
                Tapped::Voice(speaker) => &mut voices[usize::from(speaker.get()) - 1],
                _ => &mut mix,
            };
            to[usize::try_from(tap.at).unwrap()..][..tap.pcm.len()].copy_from_slice(tap.pcm);
        });
    }
    assert_same(&mix[..48_000 - DELAY], &heard[DELAY..]);
    assert_same(&voices[0][ONSET..48_000], &speech(0).whole[ONSET..48_000]);
    for n in 0..48_000 - DELAY {
        let sum = i32::from(voices[0][n]) + i32::from(voices[1][n]);
        assert!((sum - i32::from(mix[n])).abs() <= 1, "sample {n}");
    }
}

#[test]
fn a_tapped_voice_is_not_placed_and_not_ducked_and_the_mix_is_interleaved() {
    let config = voice_audio::listen::ListenerConfig { ducking: Some(Default::default()), ..STEREO };
    let mut room = Room::new(config, [Talker::new(1, speech(0)).at([5.0, 0.0, 0.0])]);
    room.listener.set_speaking(true);
    let (mut voice, mut mix, mut heard) = (vec![0; 48_000], Vec::new(), vec![0; 96_000]);
    for block in heard.chunks_mut(960) {
        room.block(block, |tap| match tap.of {
            Tapped::Voice(_) => voice[usize::try_from(tap.at).unwrap()..][..DELAY].copy_from_slice(tap.pcm),
            _ => mix.extend(tap.pcm),
        });
    }
    assert_same(&voice[ONSET..], &speech(0).whole[ONSET..48_000]);
    assert_same(&mix, &heard[2 * DELAY..]);
    assert!(loudness(&channel(&mix, 1)) < loudness(&voice) / 8.0);
    assert_eq!(largest(&channel(&mix, 0)), 0);
}

#[test]
fn levels_follow_what_is_heard() {
    let mut room = Room::new(MONO, [Talker::new(1, speech(0))]);
    assert_eq!(room.listener.level(id(1)), None);
    let mut loudest = 0;
    for tick in 0..100 {
        room.hear(960);
        let level = room.listener.level(id(1)).unwrap();
        let spoken = &speech(0).whole[tick * 960..][..960];
        if tick > 0 {
            assert!(level.rms.abs_diff(rms(spoken)) <= 1 && i32::from(level.peak) == largest(spoken), "{level:?}");
        }
        loudest = loudest.max(room.listener.mix_level().peak);
    }
    assert_eq!(i32::from(loudest), largest(&speech(0).whole[ONSET..SECONDS_2 - DELAY]));
    room.talkers.clear();
    room.hear(SAMPLE_RATE as usize);
    assert_eq!((room.listener.level(id(1)), room.listener.mix_level()), (Some(Level::default()), Level::default()));
}
