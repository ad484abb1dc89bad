//! Gaps filled from what later packets carry: in-band FEC with either library, DRED with libopus 1.6.

#![cfg(all(feature = "wav", feature = "encode"))]

mod common;
#[path = "common/encoded.rs"]
mod encoded;

use common::{clip, correlation};
use encoded::{encode, encode_one};
use voice_audio::{
    Application, Channels, EncoderConfig, FrameLength, MAX_PACKET_SAMPLES, OpusDecoder, OpusEncoder, Quality, Recovery,
    codec_version, has_fec,
};

const DEEP: bool = cfg!(feature = "opus16");
const FRAME: usize = 960;
const BURST: usize = 5;

#[test]
fn the_library_that_the_features_ask_for_is_linked() {
    assert_eq!(codec_version().contains("1.6"), DEEP, "{}", codec_version());
}

#[test]
fn packets_say_whether_they_carry_the_frame_before() {
    let frames = encode(fec(20));
    assert!(frames.iter().filter(|frame| has_fec(frame)).count() > frames.len() / 3);
    assert!(!encode(EncoderConfig { fec: false, ..fec(20) }).iter().any(|frame| has_fec(frame)));
    assert!(!encode(fec(0)).iter().any(|frame| has_fec(frame)));
    for length in FrameLength::ALL {
        let frames = encode(EncoderConfig { frame_length: length, ..fec(20) });
        let marked = frames.iter().filter(|frame| has_fec(frame)).count();
        assert!(marked > frames.len() / 4, "{length:?}: {marked} of {}", frames.len());
    }
}

#[test]
fn one_frame_back_comes_from_in_band_fec() {
    let frames = encode(fec(20));
    let mut decoder = OpusDecoder::new().unwrap();
    let mut out = [0; FRAME];
    let mut recovered = 0;
    for pair in frames.windows(2).step_by(2) {
        let expected = if has_fec(&pair[1]) { Recovery::Fec } else { Recovery::Concealed };
        assert_eq!(decoder.redundancy(&pair[1]), usize::from(has_fec(&pair[1])));
        assert_eq!(decoder.recover(&pair[1], 1, &mut out), Ok(expected));
        decoder.decode(&pair[1], &mut out).unwrap();
        recovered += usize::from(expected == Recovery::Fec);
    }
    assert!(recovered > frames.len() / 6, "{recovered}");
}

#[test]
fn in_band_fec_works_in_stereo_and_at_every_frame_length() {
    for frame_length in FrameLength::ALL {
        let config = EncoderConfig { frame_length, channels: Channels::Stereo, ..fec(20) };
        let frames = encode(EncoderConfig { bitrate: 40_000, ..config });
        let Some(marked) = frames.windows(2).position(|pair| has_fec(&pair[1])) else { continue };
        let mut decoder = OpusDecoder::with_channels(Channels::Stereo).unwrap();
        let mut out = [0; MAX_PACKET_SAMPLES];
        frames[..marked].iter().for_each(|frame| _ = decoder.decode(frame, &mut out).unwrap());
        let out = &mut out[..config.frame_samples()];
        assert_eq!(decoder.recover(&frames[marked + 1], 1, out), Ok(Recovery::Fec), "{frame_length:?}");
    }
}

#[test]
fn without_room_for_it_there_is_no_in_band_fec() {
    let frames = encode(EncoderConfig { expected_loss_percent: 5, ..EncoderConfig::of(Quality::Low) });
    let marked = frames.iter().filter(|frame| has_fec(frame)).count();
    assert!(marked < frames.len() / 10, "{marked} of {}", frames.len());
}

#[test]
fn sound_for_music_has_no_in_band_fec_and_is_concealed() {
    let frames = encode(EncoderConfig::of(Quality::Studio));
    let mut decoder = OpusDecoder::new().unwrap();
    let mut out = [0; FRAME];
    decoder.decode(&frames[30], &mut out).unwrap();
    assert_eq!(decoder.redundancy(&frames[32]), 0);
    assert_eq!(decoder.recover(&frames[32], 1, &mut out), Ok(Recovery::Concealed));
}

#[test]
fn after_a_packet_without_a_speech_part_fec_is_not_counted_on() {
    let speech = encode(fec(20));
    let marked = speech.iter().rposition(|frame| has_fec(frame)).unwrap();
    let music = encode(EncoderConfig { application: Application::Audio, bitrate: 96_000, ..fec(0) });
    let mut decoder = OpusDecoder::new().unwrap();
    let mut out = [0; FRAME];
    decoder.decode(&music[40], &mut out).unwrap();
    assert_eq!(decoder.redundancy(&speech[marked]), 0);
    assert_eq!(decoder.recover(&speech[marked], 1, &mut out), Ok(Recovery::Concealed));
}

#[test]
fn a_burst_is_filled_from_the_packet_after_it_where_the_library_can() {
    let frames = encode(deep());
    let whole = decode(&frames, |_| None);
    let filled = decode(&frames, |at| burst(at).then(|| BURST - at % 25));
    let concealed = decode(&frames, |at| burst(at).then_some(0));
    let (filled, concealed) = (gaps(&whole, &filled), gaps(&whole, &concealed));
    if DEEP {
        assert!(filled > concealed + 0.1, "{filled} {concealed}");
    } else {
        assert!((filled - concealed).abs() < 1e-9, "{filled} {concealed}");
    }
}

#[test]
fn packets_reach_as_far_back_as_they_were_told_and_can_afford() {
    let mut decoder = OpusDecoder::new().unwrap();
    // The usual reach: just after a pause it is further, for a while.
    let mut usual = |config| {
        let mut reaches: Vec<_> = encode(config).iter().map(|frame| decoder.redundancy(frame)).collect();
        reaches.sort_unstable();
        reaches[reaches.len() / 2]
    };
    let far = usual(EncoderConfig { dred_ms: 1_000, bitrate: 48_000, ..deep() });
    let near = usual(EncoderConfig { dred_ms: 100, bitrate: 48_000, ..deep() });
    if DEEP {
        assert!(far > near && (2..=8).contains(&near), "{far} {near}");
    } else {
        assert_eq!((far, near), (0, 0));
    }
    assert_eq!(usual(EncoderConfig { dred_ms: 0, ..deep() }), 0);
    assert_eq!(usual(EncoderConfig { expected_loss_percent: 0, ..deep() }), 0);
}

#[test]
fn redundancy_stays_within_the_bitrate() {
    for frame_length in [FrameLength::Ms20, FrameLength::Ms60] {
        for (bitrate, fec) in [(20_000, false), (24_000, false), (32_000, true), (32_000, false), (48_000, true)] {
            for expected_loss_percent in [3, 5, 8, 20, 60] {
                let config = EncoderConfig { frame_length, bitrate, fec, expected_loss_percent, ..deep() };
                let frames = encode(config);
                let seconds = frames.len() as f64 * f64::from(frame_length.millis()) / 1_000.0;
                let found = 8.0 * frames.iter().map(Vec::len).sum::<usize>() as f64 / seconds;
                let most = f64::from(bitrate) * 1.15;
                assert!(
                    found < most,
                    "{bitrate} became {found}: {frame_length:?}, fec {fec}, {expected_loss_percent} %"
                );
            }
        }
    }
}

#[test]
fn what_a_packet_does_not_reach_is_concealed() {
    let frames = encode(EncoderConfig { dred_ms: 100, ..deep() });
    let mut decoder = OpusDecoder::new().unwrap();
    let mut out = [0; FRAME];
    decoder.decode(&frames[50], &mut out).unwrap();
    for back in [60, 255] {
        assert_eq!(decoder.recover(&frames[100], back, &mut out), Ok(Recovery::Concealed));
    }
    let near = if DEEP { Recovery::Dred } else { Recovery::Concealed };
    assert_eq!(decoder.recover(&frames[100], 2, &mut out), Ok(near));
    assert_eq!(decoder.recover(&frames[100], 0, &mut out), Ok(near));
}

#[test]
fn asking_before_recovering_changes_nothing() {
    let frames = encode(deep());
    let mut heard = [const { [0; BURST * FRAME] }; 2];
    for (asks, heard) in heard.iter_mut().enumerate() {
        let mut decoder = OpusDecoder::new().unwrap();
        frames[..60].iter().for_each(|frame| _ = decoder.decode(frame, &mut [0; FRAME]).unwrap());
        for (back, out) in (1..=BURST as u8).rev().zip(heard.chunks_mut(FRAME)) {
            (0..asks).for_each(|_| _ = (decoder.redundancy(&frames[64]), decoder.redundancy(&frames[65])));
            decoder.recover(&frames[65], back, out).unwrap();
        }
    }
    assert_eq!(heard[0], heard[1]);
}

#[test]
fn redundancy_starts_and_stops_in_the_middle() {
    let spoken = clip(2);
    let mut encoder = OpusEncoder::new(EncoderConfig { expected_loss_percent: 0, ..deep() }).unwrap();
    let mut decoder = OpusDecoder::new().unwrap();
    let mut reach = |encoder: &mut OpusEncoder, from: usize| {
        let frames = spoken[from * FRAME..][..40 * FRAME].chunks(FRAME).map(|pcm| encode_one(encoder, pcm));
        frames.map(|frame| decoder.redundancy(&frame)).max().unwrap()
    };
    assert_eq!(reach(&mut encoder, 0), 0);
    encoder.set_expected_loss(20).unwrap();
    assert_eq!(reach(&mut encoder, 40) > 3, DEEP);
    encoder.set_dred(0).unwrap();
    assert_eq!(reach(&mut encoder, 80), 0);
    encoder.set_fec(true, 20).unwrap();
    assert_eq!(reach(&mut encoder, 120), 1);
}

fn fec(expected_loss_percent: u8) -> EncoderConfig {
    EncoderConfig { expected_loss_percent, ..EncoderConfig::default() }
}

fn deep() -> EncoderConfig {
    EncoderConfig { fec: false, dred_ms: 200, expected_loss_percent: 20, ..EncoderConfig::default() }
}

/// Whether the frame is in one of the bursts: five of 25, after a second.
fn burst(at: usize) -> bool {
    at > 50 && at % 25 < BURST
}

/// Plays all, but frames of which `back` says how far before a later packet they lie are recovered from that, or concealed for 0.
fn decode(frames: &[Vec<u8>], back: impl Fn(usize) -> Option<usize>) -> Vec<i16> {
    let mut decoder = OpusDecoder::new().unwrap();
    let mut heard = vec![0; frames.len() * FRAME];
    for (at, out) in heard.chunks_mut(FRAME).enumerate() {
        match back(at) {
            None => _ = decoder.decode(&frames[at], out).unwrap(),
            Some(back @ 1..) if at + back < frames.len() => {
                decoder.recover(&frames[at + back], u8::try_from(back).unwrap(), out).unwrap();
            }
            Some(_) => decoder.conceal(out).unwrap(),
        }
    }
    heard
}

/// How alike the loudness of 5 ms pieces is inside the bursts, which is what speech is followed by.
fn gaps(whole: &[i16], heard: &[i16]) -> f64 {
    let levels = |pcm: &[i16]| -> Vec<i16> {
        let inside =
            pcm.chunks(FRAME).enumerate().filter(|(at, _)| burst(*at)).flat_map(|(_, frame)| frame.chunks(240));
        inside.map(|piece| voice_audio::rms(piece).cast_signed()).collect()
    };
    correlation(&levels(whole), &levels(heard))
}
