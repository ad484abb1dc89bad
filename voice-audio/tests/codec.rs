//! Real speech through the codec, without loss, with loss, and hostile packets.

#![cfg(all(feature = "wav", feature = "encode"))]

mod common;

use common::{clip, correlation, energy};
use proptest::prelude::*;
use voice_audio::{
    DecodeError, EncodeError, EncoderConfig, FrameLength, MAX_FRAME_BYTES, MAX_PACKET_SAMPLES, OpusDecoder,
    OpusEncoder, SetupError, is_dtx, packet_samples,
};

const LOOKAHEAD: usize = 312;

#[test]
fn speech_survives_the_round_trip_at_every_frame_length() {
    let spoken = clip(1);
    for frame_length in FrameLength::ALL {
        let config = EncoderConfig { frame_length, ..EncoderConfig::default() };
        let frames = encode(&spoken, config);
        let likeness = likeness(&spoken, &decode(&frames, frame_length.samples(), |_| Fate::Played));
        assert!(likeness > 0.85, "{frame_length:?}: {likeness}");
    }
}

#[test]
fn the_encoder_states_its_delay_and_the_sound_confirms_it() {
    let mut encoder = OpusEncoder::new(EncoderConfig::default()).unwrap();
    assert_eq!(encoder.lookahead(), LOOKAHEAD);

    let spoken = clip(2);
    let heard = decode(&encode(&spoken, EncoderConfig::default()), 960, |_| Fate::Played);
    let at = |delay: usize| correlation(&spoken[..96_000], &heard[delay..][..96_000]);
    let best = (0..960).step_by(8).max_by(|a, b| at(*a).total_cmp(&at(*b)));
    assert_eq!(best, Some(LOOKAHEAD));
}

#[test]
fn loudness_is_kept() {
    let spoken = clip(3);
    let heard = decode(&encode(&spoken, EncoderConfig::default()), 960, |_| Fate::Played);
    let ratio = energy(&heard) / energy(&spoken);
    assert!((0.7..1.2).contains(&ratio), "{ratio}");
}

#[test]
fn the_bitrate_is_kept_over_a_clip_and_can_change() {
    let spoken = clip(4);
    let average = |bitrate| {
        let config = EncoderConfig { bitrate, ..EncoderConfig::default() };
        let frames = encode(&spoken, config);
        frames.iter().map(Vec::len).sum::<usize>() * 8 * 50 / frames.len()
    };
    for wanted in [10_000, 24_000, 48_000] {
        let found = average(wanted);
        assert!(found.abs_diff(wanted as usize) < wanted as usize / 5, "{wanted} became {found}");
    }

    let mut encoder = OpusEncoder::new(EncoderConfig::default()).unwrap();
    let mut out = [0; MAX_FRAME_BYTES];
    let before = encoder.encode(&spoken[48_000..48_960], &mut out).unwrap();
    encoder.set_bitrate(96_000).unwrap();
    let after = encoder.encode(&spoken[48_000..48_960], &mut out).unwrap();
    assert!(after > 2 * before, "{before} {after}");
    assert_eq!(encoder.config().bitrate, 96_000);
}

#[test]
fn redundancy_recovers_lost_speech_better_than_concealment() {
    let spoken = clip(1);
    let config = EncoderConfig { expected_loss_percent: 20, ..EncoderConfig::default() };
    let frames = encode(&spoken, config);
    let lost = |number: usize| number % 5 == 3;
    let recovered = decode(&frames, 960, |n| if lost(n) { Fate::Recovered } else { Fate::Played });
    let concealed = decode(&frames, 960, |n| if lost(n) { Fate::Concealed } else { Fate::Played });
    let whole = decode(&frames, 960, |_| Fate::Played);
    let (recovered, concealed) = (correlation(&whole, &recovered), correlation(&whole, &concealed));
    assert!(recovered > concealed + 0.02, "{recovered} {concealed}");
    assert!(concealed > 0.5, "{concealed}");
}

#[test]
fn a_long_gap_fades_to_silence() {
    let frames = encode(&clip(5), EncoderConfig::default());
    let heard = decode(&frames, 960, |n| if n < 60 { Fate::Played } else { Fate::Concealed });
    let gap = &heard[60 * 960..];
    assert!(energy(&gap[48_000..]) < energy(&gap[..960]) / 1_000.0 + 1.0);
}

#[test]
fn dtx_leaves_silence_out_and_keeps_speech() {
    let config = EncoderConfig { dtx: true, ..EncoderConfig::default() };
    let silent = encode(&vec![0; 48_000 * 2], config);
    assert!(silent.iter().filter(|frame| is_dtx(frame)).count() > 50);
    let spoken = encode(&clip(6), config);
    assert!(spoken.iter().filter(|frame| !is_dtx(frame)).count() > spoken.len() / 2);
    assert!(!encode(&vec![0; 48_000], EncoderConfig::default()).iter().any(|frame| is_dtx(frame)));
}

#[test]
fn equal_input_gives_equal_bytes() {
    let spoken = clip(7);
    let frames = encode(&spoken, EncoderConfig::default());
    assert_eq!(frames, encode(&spoken, EncoderConfig::default()));
    let twice = [0, 1].map(|_| decode(&frames, 960, |n| if n % 7 == 0 { Fate::Concealed } else { Fate::Played }));
    assert_eq!(twice[0], twice[1]);
}

#[test]
fn a_reset_codec_is_as_new() {
    let spoken = clip(8);
    let mut encoder = OpusEncoder::new(EncoderConfig::default()).unwrap();
    let first = encode_with(&mut encoder, &spoken[..48_000]);
    assert_ne!(first, encode_with(&mut encoder, &spoken[..48_000]));
    encoder.reset();
    assert_eq!(first, encode_with(&mut encoder, &spoken[..48_000]));

    let mut decoder = OpusDecoder::new().unwrap();
    let mut heard = [[0; 960]; 2];
    decoder.decode(&first[20], &mut heard[0]).unwrap();
    decoder.reset();
    decoder.decode(&first[20], &mut heard[1]).unwrap();
    assert_eq!(heard[0], heard[1]);
}

#[test]
fn settings_out_of_range_are_refused_and_change_nothing() {
    let config = EncoderConfig::default();
    let refused = |config| OpusEncoder::new(config).err();
    assert_eq!(refused(EncoderConfig { bitrate: 5_999, ..config }), Some(SetupError::Bitrate));
    assert_eq!(refused(EncoderConfig { bitrate: u32::MAX, ..config }), Some(SetupError::Bitrate));
    assert_eq!(refused(EncoderConfig { complexity: 11, ..config }), Some(SetupError::Complexity));
    assert_eq!(refused(EncoderConfig { expected_loss_percent: 101, ..config }), Some(SetupError::ExpectedLoss));

    let mut encoder = OpusEncoder::new(config).unwrap();
    assert_eq!(encoder.set_bitrate(0), Err(SetupError::Bitrate));
    assert_eq!(encoder.set_fec(true, 200), Err(SetupError::ExpectedLoss));
    assert_eq!(encoder.config(), config);
}

#[test]
fn wrong_lengths_are_refused() {
    let mut encoder = OpusEncoder::new(EncoderConfig::default()).unwrap();
    let wrong = EncodeError::WrongLength { expected: 960, found: 480 };
    assert_eq!(encoder.encode(&[0; 480], &mut [0; 100]), Err(wrong));
    assert_eq!(encoder.encode(&[0; 960], &mut []), Err(EncodeError::BufferTooSmall));

    let packet = &encode(&[1_000; 960], EncoderConfig::default())[0];
    let mut decoder = OpusDecoder::new().unwrap();
    assert_eq!(decoder.decode(&[], &mut [0; 960]), Err(DecodeError::Empty));
    assert_eq!(decoder.decode(packet, &mut []), Err(DecodeError::BufferTooSmall));
    assert_eq!(decoder.decode(packet, &mut [0; 959]), Err(DecodeError::BufferTooSmall));
    assert_eq!(decoder.decode(packet, &mut [0; 5_760]), Ok(960));
    assert_eq!(decoder.conceal(&mut [0; 100]), Err(DecodeError::WrongLength));
    assert_eq!(decoder.conceal(&mut []), Err(DecodeError::WrongLength));
    assert_eq!(decoder.decode_fec(packet, &mut [0; 5_880]), Err(DecodeError::WrongLength));
    assert_eq!(packet_samples(packet), Ok(960));
    assert_eq!(packet_samples(&[]), Err(DecodeError::Empty));
}

#[test]
fn a_small_buffer_gives_a_small_frame() {
    let mut encoder = OpusEncoder::new(EncoderConfig::default()).unwrap();
    let spoken = clip(1);
    for frame in spoken.chunks_exact(960) {
        let mut out = [0; 20];
        assert!(encoder.encode(frame, &mut out).unwrap() <= 20);
    }
}

proptest! {
    #[test]
    fn hostile_packets_never_crash_a_decoder(
        packets in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..300)), 1..12),
    ) {
        let mut decoder = OpusDecoder::new().unwrap();
        let mut out = [0; MAX_PACKET_SAMPLES];
        for (kind, packet) in &packets {
            let steps = usize::from(*kind) % 200;
            match kind % 4 {
                0 => drop(decoder.decode_fec(packet, &mut out[..steps * 24])),
                1 => drop(decoder.conceal(&mut out[..steps * 24])),
                2 => drop(decoder.decode(packet, &mut out[..steps * 20])),
                _ => {
                    let samples = decoder.decode(packet, &mut out);
                    prop_assert!(samples.is_err() || samples == packet_samples(packet));
                }
            }
        }
    }

    #[test]
    fn damaged_speech_never_crashes_a_decoder(
        damage in prop::collection::vec((0usize..100, 0usize..80, any::<u8>()), 1..60),
    ) {
        let mut frames = encode(&clip_of_noise(), EncoderConfig::default());
        for (frame, byte, value) in damage {
            let frame = frame % frames.len();
            let byte = byte % frames[frame].len();
            frames[frame][byte] = value;
        }
        let mut decoder = OpusDecoder::new().unwrap();
        let mut out = [0; MAX_PACKET_SAMPLES];
        for frame in &frames {
            let _ = decoder.decode_fec(frame, &mut out[..960]);
            let _ = decoder.decode(frame, &mut out);
        }
    }
}

/// What becomes of a frame on its way.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Played,
    Recovered,
    Concealed,
}

fn encode(pcm: &[i16], config: EncoderConfig) -> Vec<Vec<u8>> {
    encode_with(&mut OpusEncoder::new(config).unwrap(), pcm)
}

fn encode_with(encoder: &mut OpusEncoder, pcm: &[i16]) -> Vec<Vec<u8>> {
    let samples = encoder.config().frame_length.samples();
    let mut out = [0; MAX_FRAME_BYTES];
    let mut frame = |pcm: &[i16]| {
        let bytes = encoder.encode(pcm, &mut out).unwrap();
        out[..bytes].to_vec()
    };
    pcm.chunks_exact(samples).map(&mut frame).collect()
}

fn decode(frames: &[Vec<u8>], samples: usize, fate: impl Fn(usize) -> Fate) -> Vec<i16> {
    let mut decoder = OpusDecoder::new().unwrap();
    let mut heard = vec![0; frames.len() * samples];
    for (number, out) in heard.chunks_mut(samples).enumerate() {
        match (fate(number), frames.get(number + 1)) {
            (Fate::Played, _) => assert_eq!(decoder.decode(&frames[number], out), Ok(samples)),
            (Fate::Recovered, Some(next)) => decoder.decode_fec(next, out).unwrap(),
            _ => decoder.conceal(out).unwrap(),
        }
    }
    heard
}

/// How alike the sound heard is to the sound spoken, once aligned.
fn likeness(spoken: &[i16], heard: &[i16]) -> f64 {
    let heard = &heard[LOOKAHEAD..];
    correlation(&spoken[..heard.len()], heard)
}

fn clip_of_noise() -> Vec<i16> {
    (0..9_600i32).map(|n| (n.wrapping_mul(n).wrapping_mul(7_919) >> 8) as i16 / 4).collect()
}
