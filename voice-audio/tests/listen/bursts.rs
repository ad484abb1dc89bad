//! Losses in bursts: what a later packet holds of them is heard, as far back as it reaches, and the playout waits for it.

use std::sync::LazyLock;

use voice_audio::{
    EncoderConfig, Recovery,
    listen::{Listener, ListenerStats, Presence, RemoteVoice},
};
use voice_core::{
    Frame, FrameLength, Instant, Pace, Sound,
    playout::{Incoming, Playout, PlayoutConfig, SpeakerStats, playout_bytes},
};

use crate::{
    common::{clip, correlation},
    harness::{DELAY, MONO, Speech, id},
};

/// Only libopus 1.6 has DRED.
const DEEP: bool = cfg!(feature = "opus16");
/// Frames that may wait, as in a client.
const FRAMES: usize = 32;
const FRAME: usize = 960;
const FRAME_US: u64 = 20_000;
/// Five of fifty frames are lost in a row.
const BURST: usize = 5;
const EVERY: usize = 50;
/// The first seconds are for the listener to find out what packets hold, and for the playout to learn of bursts.
const LEARNING: usize = 200;

static WITH_DRED: LazyLock<Speech> = LazyLock::new(|| {
    let config = EncoderConfig { fec: false, dred_ms: 200, expected_loss_percent: 20, ..EncoderConfig::default() };
    Speech::encode(&spoken(), EncoderConfig { bitrate: 32_000, ..config })
});

static WITH_FEC: LazyLock<Speech> = LazyLock::new(|| {
    let config = EncoderConfig { expected_loss_percent: 20, ..EncoderConfig::default() };
    Speech::encode(&spoken(), EncoderConfig { bitrate: 32_000, ..config })
});

/// 12 s.
fn spoken() -> Vec<i16> {
    (1..=8).flat_map(clip).take(600 * FRAME).collect()
}

fn is_lost(number: usize) -> bool {
    number % EVERY >= EVERY - BURST
}

/// What a listener heard, and what it and the playout counted.
struct Heard {
    pcm: Vec<i16>,
    listener: ListenerStats,
    playout: SpeakerStats,
    /// How deep packets were found to reach, at the end.
    redundancy: u8,
}

/// Hears all of it over a network that takes no time and loses bursts; `tells` passes on what the listener finds.
fn hear(speech: &Speech, tells: bool) -> Heard {
    let (mut playout, mut config) = (Playout::NEW, PlayoutConfig::DEFAULT);
    let mut memory = vec![0; playout_bytes(config.frame_bytes.into(), FRAMES)];
    let mut listener = Listener::new(MONO).unwrap();
    let (mut pcm, mut redundancy, mut sent) = (vec![0; speech.packets.len() * FRAME], 0, 0);
    for (tick, block) in pcm.chunks_mut(480).enumerate() {
        let now = Instant::from_us(tick as u64 * 10_000);
        while sent < speech.packets.len() && sent as u64 * FRAME_US <= now.as_us() {
            let packet = Incoming {
                sequence: sent as u16,
                media_time: sent as u8,
                frame_length: FrameLength::Ms20,
                mark: sent == 0,
                end: false,
                payload: &speech.packets[sent],
            };
            if !is_lost(sent) {
                playout.insert(now, &config, &mut memory, &packet);
            }
            sent += 1;
        }
        listener.attend(id(1), Presence::default()).unwrap();
        listener.render(block, |pull| {
            redundancy = pull.redundancy();
            config = config.reaching(tells.then_some(redundancy));
            let pulled = playout.next_frame(now, pull.queued(), &config, &memory);
            let (sound, length_us, pace) = (pulled.sound, pulled.length_us, pulled.pace);
            pull.give(Frame { sound, length_us, pace, volume_percent: 100, positional: false, audible: true });
        });
    }
    Heard { pcm, listener: listener.stats(), playout: playout.stats(), redundancy }
}

/// How alike the loudness of 5 ms pieces of lost frames is to that of the whole speech, once the playout has learnt.
fn likeness(heard: &Heard, speech: &Speech) -> f64 {
    let delay = heard.playout.delay_us as usize * 48 / 1_000 + DELAY;
    let levels = |pcm: &[i16], delay: usize| -> Vec<i16> {
        let lost = (LEARNING..speech.packets.len() - EVERY).filter(|number| is_lost(*number));
        let pieces = lost.flat_map(|number| pcm[number * FRAME + delay..][..FRAME].chunks(240));
        pieces.map(|piece| voice_audio::rms(piece).cast_signed()).collect()
    };
    correlation(&levels(&heard.pcm, delay), &levels(&speech.whole, 0))
}

#[test]
fn bursts_are_filled_from_the_packet_after_them_where_the_library_can() {
    let (told, untold) = (hear(&WITH_DRED, true), hear(&WITH_DRED, false));
    let (filled, guessed) = (likeness(&told, &WITH_DRED), likeness(&untold, &WITH_DRED));
    let lost = (0..WITH_DRED.packets.len()).filter(|number| is_lost(*number)).count() as u64;
    let by_dred = told.listener.recovered_by_dred;
    if DEEP {
        assert!(by_dred * 3 > lost * 2, "{by_dred} of {lost}: {:?}", told.playout);
        assert!(untold.listener.recovered_by_dred * 3 < lost, "{:?}", untold.listener);
        assert!(filled > guessed + 0.1, "{filled} {guessed}");
        assert!(told.playout.concealed_ms * 2 < untold.playout.concealed_ms, "{:?}", told.playout);
        assert!(u64::from(told.playout.recovered).abs_diff(by_dred) < 20, "{by_dred}: {:?}", told.playout);
    } else {
        assert_eq!((by_dred, told.pcm == untold.pcm), (0, true));
    }
}

#[test]
fn how_deep_packets_reach_is_found_by_listening() {
    let deep = hear(&WITH_DRED, true).redundancy;
    assert!(if DEEP { (4..=12).contains(&deep) } else { deep == 1 }, "{deep}");
    assert_eq!(hear(&WITH_FEC, true).redundancy, 1);
}

#[test]
fn nothing_is_waited_for_that_packets_do_not_hold() {
    let heard = hear(&WITH_FEC, true);
    assert!(heard.playout.delay_us < 60_000, "{:?}", heard.playout);
    assert!(heard.listener.recovered_by_fec > 0 && heard.listener.recovered_by_dred == 0, "{:?}", heard.listener);
}

#[test]
fn a_frame_beyond_the_reach_is_concealed_at_its_full_length() {
    let mut voice = RemoteVoice::new().unwrap();
    for packet in &WITH_DRED.packets[..100] {
        voice.push(Sound::Play(packet), 20_000, Pace::Steady);
        voice.read(&mut [0; FRAME]);
    }
    for back in [0, 1, 2, 60, 255] {
        voice.push(Sound::Recover { packet: &WITH_DRED.packets[110], back }, 20_000, Pace::Steady);
        assert_eq!(voice.read(&mut [0; 2 * FRAME]), FRAME, "{back}");
    }
    assert_eq!(voice.recovered(Recovery::Dred), if DEEP { 3 } else { 0 });
    assert_eq!((voice.recovered(Recovery::Fec), voice.recovered(Recovery::Concealed), voice.errors()), (0, 0, 0));
}

#[test]
fn another_speaker_is_not_believed_to_have_the_same_redundancy() {
    let mut voice = RemoteVoice::new().unwrap();
    for packet in &WITH_DRED.packets[..200] {
        voice.push(Sound::Play(packet), 20_000, Pace::Steady);
        voice.read(&mut [0; FRAME]);
    }
    assert_eq!(voice.redundancy() > 1, DEEP);
    voice.reset();
    assert_eq!(voice.redundancy(), 1);
}
