//! What a listener can be given that makes no sense.

use voice_audio::{
    EncoderConfig, FrameLength,
    listen::{Ears, Listener, ListenerConfig, Presence},
};
use voice_core::{Frame, Pace, Sound};

use crate::{
    common::clip,
    harness::{DELAY, MONO, ONSET, Room, STEREO, Speech, Talker, assert_same, id, largest, loudness, speech},
};

const FRAME: usize = 960;

fn frame(sound: Sound<'_>, length_us: u32, pace: Pace) -> Frame<'_> {
    Frame { sound, length_us, pace, volume_percent: 100, positional: true, audible: true }
}

#[test]
fn packets_that_are_no_opus_are_concealed_and_counted() {
    let mut packets = speech(0).packets.clone();
    packets[20] = vec![0xFF; 300];
    packets[21] = vec![];
    packets[22] = vec![0x03, 0xFF];
    let broken = Speech { packets, whole: Vec::new() };
    let mut room = Room::new(MONO, [Talker::new(1, &broken)]);
    let heard = room.hear(100 * FRAME);
    assert_eq!(room.listener.stats().bad_packets, 3);
    // Nothing shifts: what comes later is where it belongs.
    assert_same(&heard[DELAY + ONSET..20 * FRAME], &speech(0).whole[ONSET..20 * FRAME - DELAY]);
    let (found, whole) =
        (loudness(&heard[40 * FRAME..]), loudness(&speech(0).whole[40 * FRAME - DELAY..100 * FRAME - DELAY]));
    assert!((found / whole - 1.0).abs() < 0.05, "{found} {whole}");
}

#[test]
fn a_codec_setting_that_changes_in_the_middle_is_followed() {
    let pcm = &clip(1)[24_000..120_000];
    let settings = [
        EncoderConfig::default(),
        EncoderConfig { frame_length: FrameLength::Ms60, bitrate: 8_000, ..EncoderConfig::default() },
        EncoderConfig { frame_length: FrameLength::Ms10, bitrate: 128_000, ..EncoderConfig::default() },
        EncoderConfig { frame_length: FrameLength::Ms40, dtx: true, ..EncoderConfig::default() },
    ];
    let packets: Vec<Vec<u8>> = settings
        .iter()
        .zip(pcm.chunks_exact(24_000))
        .flat_map(|(&config, part)| Speech::encode(part, config).packets)
        .collect();
    let mixed = Speech { packets, whole: Vec::new() };
    let mut room = Room::new(MONO, [Talker::new(1, &mixed)]);
    let heard = room.hear(96_000);
    assert_eq!(room.listener.stats().bad_packets, 0);
    for (number, (heard, spoken)) in heard.chunks_exact(23_000).zip(pcm.chunks_exact(23_000)).enumerate() {
        let share = loudness(heard) / loudness(spoken);
        assert!((0.6..1.4).contains(&share), "part {number}: {share}");
    }
}

#[test]
fn a_stereo_speaker_is_heard_by_a_mono_listener() {
    // Packets of both channels from one of them: the same configuration, the stereo bit set. What is in them is not stereo, but sound.
    let packets: Vec<Vec<u8>> =
        speech(0).packets.iter().map(|packet| [&[packet[0] | 4], &packet[1..]].concat()).collect();
    let stereo = Speech { packets, whole: Vec::new() };
    let mut room = Room::new(MONO, [Talker::new(1, &stereo)]);
    assert!(loudness(&room.hear(48_000)) > 1.0);
}

#[test]
fn lengths_that_are_not_true_and_wild_paces_do_no_harm() {
    let packet = &speech(0).packets[40][..];
    let sounds =
        [Sound::Play(packet), Sound::Play(&[]), Sound::Recover { packet, back: 200 }, Sound::Conceal, Sound::Silence];
    let paces = [Pace::Steady, Pace::Stretch(u32::MAX), Pace::Shorten(u32::MAX), Pace::Stretch(0), Pace::Shorten(1)];
    for length_us in [0, 1, 999, 2_500, 7_777, 120_000, u32::MAX] {
        let mut listener = Listener::new(STEREO).unwrap();
        let mut turn = 0;
        for _ in 0..200 {
            let mut block = [0_i16; 960];
            listener.attend(id(1), Presence::default()).unwrap();
            listener.render(&mut block, |pull| {
                turn += 1;
                pull.give(frame(sounds[turn % 5], length_us, paces[turn % 3]));
            });
        }
        assert!(turn < 200 * 4 * 8, "{turn} pulls");
    }
}

#[test]
fn a_source_that_gives_nothing_is_silence() {
    let mut listener = Listener::new(MONO).unwrap();
    let mut pulls = 0;
    let mut block = [7_i16; 4_800];
    listener.attend(id(1), Presence::default()).unwrap();
    listener.render(&mut block, |_| pulls += 1);
    assert_eq!((largest(&block), pulls), (0, 40));

    // In the middle of speech as well, without a click.
    let mut room = Room::new(MONO, [Talker::new(1, speech(0))]);
    room.hear(50 * FRAME);
    room.talkers[0].id = id(9);
    let left_alone = room.hear(10 * FRAME);
    assert!(largest(&left_alone[5 * FRAME..]) < 30_000);
}

#[test]
fn places_and_gains_that_are_no_numbers_are_ignored_and_counted() {
    let mut room = Room::new(STEREO, [Talker::new(1, speech(0)).at([-1.0, 0.0, 0.0])]);
    let mut wanted = Room::new(STEREO, [Talker::new(1, speech(0)).at([-1.0, 0.0, 0.0])]);
    assert_same(&room.hear_in(960, 960), &wanted.hear_in(960, 960));
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        room.talkers[0].presence = Presence { gain: bad, position: Some([0.0, bad, 0.0]) };
        room.listener.set_ears(Ears { position: [bad, 0.0, 0.0], ..Ears::default() });
        room.listener.set_ears(Ears { right: [1.0, 0.0, bad], ..Ears::default() });
        assert_same(&room.hear_in(19_200, 960), &wanted.hear_in(19_200, 960));
    }
    // Two for each of 20 blocks, and two pairs of ears.
    assert_eq!(room.listener.stats().ignored, 3 * (2 * 20 + 2));
}

#[test]
fn the_largest_numbers_give_sound_or_silence() {
    for value in [f32::MAX, f32::MIN, f32::MIN_POSITIVE, -0.0] {
        let mut room = Room::new(STEREO, [Talker::new(1, speech(0)).at([value; 3])]);
        room.talkers[0].presence.gain = value;
        room.talkers[0].volume_percent = u16::MAX;
        room.listener.set_ears(Ears { position: [-value; 3], right: [value; 3] });
        let heard = room.hear_in(96_000, 960);
        assert!(largest(&heard) <= 29_205, "{value}: {}", largest(&heard));
    }
}

#[test]
fn blocks_without_room_change_nothing() {
    let mut room = Room::new(STEREO, [Talker::new(1, speech(0))]);
    let mut wanted = Room::new(STEREO, [Talker::new(1, speech(0))]);
    for _ in 0..50 {
        room.hear_in(0, 1);
        room.block(&mut [], |_| panic!("nothing to tap"));
        assert_same(&room.hear_in(960, 960), &wanted.hear_in(960, 960));
    }
}

#[test]
fn half_of_a_stereo_sample_stays_silent_and_is_not_lost() {
    let mut room = Room::new(STEREO, [Talker::new(1, speech(0))]);
    let mut wanted = Room::new(STEREO, [Talker::new(1, speech(0))]);
    for _ in 0..200 {
        let mut block = [7; 7];
        room.block(&mut block, |_| {});
        assert_same(&block[..6], &wanted.hear_in(6, 6));
        assert_eq!(block[6], 0);
    }
}

#[test]
fn a_minute_of_one_speaker_after_the_other_keeps_within_the_voices() {
    let config = ListenerConfig { voices: 3, ..MONO };
    let mut room = Room::new(config, []);
    for number in 1..=300_u16 {
        let packets = &speech(usize::from(number) % 3).packets[30..40];
        room.talkers = vec![Talker { packets, ..Talker::new(number, speech(0)) }];
        assert!(loudness(&room.hear(10 * FRAME)) > 10.0, "speaker {number}");
    }
    let stats = room.listener.stats();
    assert_eq!((stats.given_way, stats.refused), (297, 0));
}
