//! Bytes that nobody should send: an error or sound, and the next good packet plays.

#![cfg(all(feature = "wav", feature = "encode"))]

mod common;
#[path = "common/encoded.rs"]
mod encoded;

use common::{clip, correlation, energy};
use encoded::{encode, encode_one};
use proptest::prelude::*;
use voice_audio::{
    Application, Channels, DecodeError, EncoderConfig, FrameLength, MAX_PACKET_SAMPLES, OpusDecoder, OpusEncoder,
    Quality, has_fec, is_dtx, packet_samples,
};

const FRAME: usize = 960;

/// A code 3 packet says in its second byte how many frames it has, whether they differ in size, and whether there is padding.
const CODE_3: u8 = 3;
const VARIABLE: u8 = 0x80;
const PADDED: u8 = 0x40;

#[test]
fn an_empty_packet_is_an_error() {
    let mut good = Good::new(EncoderConfig::default());
    good.after(|decoder, out| {
        assert_eq!(decoder.decode(&[], out), Err(DecodeError::Empty));
        assert_eq!(decoder.decode_fec(&[], out), Err(DecodeError::Empty));
        assert!(decoder.recover(&[], 3, out).is_err());
        assert_eq!(decoder.redundancy(&[]), 0);
    });
}

#[test]
fn a_packet_cut_anywhere_leaves_the_decoder_usable() {
    for config in configs() {
        let mut good = Good::new(config);
        let victim = good.frames[60].clone();
        for len in 1..victim.len() {
            good.after(|decoder, out| {
                let _ = decoder.decode(&victim[..len], out);
            });
        }
    }
}

#[test]
fn a_packet_cut_anywhere_may_be_asked_for_redundancy() {
    for config in configs() {
        let mut good = Good::new(config);
        let victim = good.frames[60].clone();
        for len in (1..victim.len()).step_by(3) {
            good.after(|decoder, out| {
                decoder.redundancy(&victim[..len]);
                let _ = decoder.recover(&victim[..len], (len % 8) as u8, &mut out[..FRAME]);
            });
        }
    }
}

#[test]
fn code_3_packets_with_any_count_are_taken_or_refused() {
    let mut good = Good::new(EncoderConfig::default());
    for config in 0..32u8 {
        for count in 0..=u8::MAX {
            let packet = [config << 3 | CODE_3, count, 3, 1, 2, 200, 100, 50, 25, 12, 6, 3, 1];
            let samples = packet_samples(&packet);
            assert!(samples.is_err() || (1..=MAX_PACKET_SAMPLES).contains(&samples.unwrap()));
            good.after_a_few(|decoder, out| {
                let decoded = decoder.decode(&packet, out);
                assert!(decoded.is_err() || decoded == samples, "{packet:?}");
                let _ = decoder.recover(&packet, 2, &mut out[..FRAME]);
            });
        }
    }
}

#[test]
fn silly_frame_counts_are_malformed() {
    let mut decoder = OpusDecoder::new().unwrap();
    let mut out = [0; MAX_PACKET_SAMPLES];
    let twenty_ms = 9 << 3;
    for packet in [
        &[twenty_ms | CODE_3][..],
        &[twenty_ms | CODE_3, 0],
        &[twenty_ms | CODE_3, 7, 0, 0],
        &[twenty_ms | CODE_3, 63, 0, 0],
        &[twenty_ms | CODE_3, 3, 1, 2],
        &[twenty_ms | CODE_3, 2 | VARIABLE, 252],
        &[twenty_ms | CODE_3, 1 | PADDED, 255, 255, 255],
        &[twenty_ms | 1, 1, 2, 3],
        &[twenty_ms | 2, 200, 1],
    ] {
        assert_eq!(decoder.decode(packet, &mut out), Err(DecodeError::Malformed), "{packet:?}");
        assert_eq!(decoder.recover(packet, 1, &mut out[..FRAME]).err(), decoder.decode(packet, &mut out).err());
        assert!(!has_fec(packet) && decoder.redundancy(packet) == 0);
    }
}

#[test]
fn a_packet_of_120_ms_plays_if_there_is_room() {
    let frames = encode(EncoderConfig { frame_length: FrameLength::Ms20, ..EncoderConfig::of(Quality::Low) });
    // Code 3, variable sizes, six frames: RFC 6716, section 3.2.5.
    let inside: Vec<&[u8]> = frames[20..26].iter().map(|frame| &frame[1..]).collect();
    let sizes = inside[..5].iter().map(|frame| u8::try_from(frame.len()).unwrap());
    let header = [frames[20][0] | CODE_3, 6 | VARIABLE].into_iter().chain(sizes);
    let packet: Vec<u8> = header.chain(inside.concat()).collect();
    assert_eq!(packet_samples(&packet), Ok(MAX_PACKET_SAMPLES));

    let mut decoder = OpusDecoder::new().unwrap();
    assert_eq!(decoder.decode(&packet, &mut [0; MAX_PACKET_SAMPLES - 1]), Err(DecodeError::BufferTooSmall));
    let mut out = [0; MAX_PACKET_SAMPLES];
    assert_eq!(decoder.decode(&packet, &mut out), Ok(MAX_PACKET_SAMPLES));
    assert!(energy(&out) > 1_000.0);
    assert_eq!(decoder.decode(&frames[26], &mut out), Ok(FRAME));
}

#[test]
fn stereo_is_mixed_down_for_a_mono_listener() {
    let spoken = clip(1);
    let stereo: Vec<i16> = spoken.iter().flat_map(|&sample| [sample, sample]).collect();
    let config = EncoderConfig { channels: Channels::Stereo, bitrate: 64_000, ..EncoderConfig::of(Quality::Studio) };
    let mut encoder = OpusEncoder::new(config).unwrap();
    let frames: Vec<_> = stereo.chunks_exact(2 * FRAME).map(|pcm| encode_one(&mut encoder, pcm)).collect();
    let delay = encoder.lookahead();

    let mut mono = OpusDecoder::new().unwrap();
    let mut both = OpusDecoder::with_channels(Channels::Stereo).unwrap();
    let (mut heard, mut out) = ([vec![], vec![]], [0; 2 * FRAME]);
    for frame in &frames {
        assert_eq!(mono.decode(frame, &mut out), Ok(FRAME));
        heard[0].extend_from_slice(&out[..FRAME]);
        assert_eq!(both.decode(frame, &mut out), Ok(FRAME));
        heard[1].extend(out.chunks(2).map(|pair| pair[0]));
    }
    for heard in &heard {
        let likeness = correlation(&spoken[..heard.len() - delay], &heard[delay..]);
        assert!(likeness > 0.9, "{likeness}");
    }
}

#[test]
fn sides_stay_apart_for_a_stereo_listener() {
    let config = EncoderConfig { channels: Channels::Stereo, bitrate: 96_000, ..EncoderConfig::of(Quality::Studio) };
    let mut encoder = OpusEncoder::new(config).unwrap();
    let mut decoder = OpusDecoder::with_channels(Channels::Stereo).unwrap();
    let left_only: Vec<i16> = clip(2).iter().flat_map(|&sample| [sample, 0]).collect();
    let (mut left, mut right) = (vec![], vec![]);
    let mut out = [0; 2 * FRAME];
    for pcm in left_only.chunks_exact(2 * FRAME) {
        assert_eq!(decoder.decode(&encode_one(&mut encoder, pcm), &mut out), Ok(FRAME));
        left.extend(out.chunks(2).map(|pair| pair[0]));
        right.extend(out.chunks(2).map(|pair| pair[1]));
    }
    assert!(energy(&left) > 100.0 * energy(&right));
    assert_eq!(decoder.decode(&[0xFC], &mut out[..FRAME]), Err(DecodeError::BufferTooSmall));
    assert_eq!(decoder.conceal(&mut out[..121]), Err(DecodeError::WrongLength));
    assert_eq!(decoder.conceal(&mut out), Ok(()));
}

#[test]
fn a_speaker_may_change_everything_in_the_middle() {
    let spoken = clip(3);
    let mut decoder = OpusDecoder::new().unwrap();
    let mut out = [0; MAX_PACKET_SAMPLES];
    let mut heard = Vec::new();
    let mut at = 0;
    // Each setting comes after each other one: another encoder's packets, as after a change of codec settings.
    let mut encoders: Vec<OpusEncoder> =
        configs().into_iter().map(|config| OpusEncoder::new(config).unwrap()).collect();
    let count = encoders.len();
    for turn in 0..count * count {
        let encoder = &mut encoders[(turn + turn / count) % count];
        let config = encoder.config();
        let samples = config.frame_length.samples();
        let pcm: Vec<i16> = spoken.iter().cycle().skip(at).take(samples).copied().collect();
        let pcm: Vec<i16> = pcm.iter().flat_map(|&sample| vec![sample; config.channels.count()]).collect();
        assert_eq!(decoder.decode(&encode_one(encoder, &pcm), &mut out), Ok(samples), "{config:?}");
        heard.extend_from_slice(&out[..samples]);
        at += samples;
    }
    let said: Vec<i16> = spoken.iter().cycle().take(at).copied().collect();
    assert!(energy(&heard) > energy(&said) / 10.0 && energy(&heard) < energy(&said) * 4.0);
}

#[test]
fn an_encoder_changes_frame_length_from_frame_to_frame() {
    let spoken = clip(4);
    let mut encoder =
        OpusEncoder::new(EncoderConfig { expected_loss_percent: 10, ..EncoderConfig::default() }).unwrap();
    let mut decoder = OpusDecoder::new().unwrap();
    let mut out = [0; MAX_PACKET_SAMPLES];
    let (mut heard, mut rest) = (Vec::new(), &spoken[..]);
    for turn in 0.. {
        let length = FrameLength::ALL[turn * 7 % 11 % 4];
        encoder.set_frame_length(length).unwrap();
        let Some((pcm, later)) = rest.split_at_checked(length.samples()) else { break };
        let frame = encode_one(&mut encoder, pcm);
        if turn % 16 == 15 {
            decoder.decode_fec(&frame, &mut out[..length.samples()]).unwrap();
        } else {
            assert_eq!(decoder.decode(&frame, &mut out), Ok(length.samples()));
        }
        heard.extend_from_slice(&out[..length.samples()]);
        rest = later;
    }
    let delay = encoder.lookahead();
    let likeness = correlation(&spoken[..heard.len() - delay], &heard[delay..]);
    assert!(likeness > 0.75, "{likeness}");
}

#[test]
fn full_scale_sound_goes_through() {
    let square: Vec<i16> = (0..48_000).map(|n| if n / 60 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    for config in configs() {
        let mut encoder = OpusEncoder::new(config).unwrap();
        let mut decoder = OpusDecoder::new().unwrap();
        let mut out = [0; MAX_PACKET_SAMPLES];
        for pcm in square.chunks_exact(config.frame_samples()) {
            decoder.decode(&encode_one(&mut encoder, pcm), &mut out).unwrap();
        }
        assert!(energy(&out[..480]) / 480.0 > 1e6, "{config:?}");
    }
}

proptest! {
    #[test]
    fn random_bytes_leave_a_decoder_usable(
        packets in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..400)), 1..8),
        stereo: bool,
    ) {
        let channels = if stereo { Channels::Stereo } else { Channels::Mono };
        let mut decoder = OpusDecoder::with_channels(channels).unwrap();
        let mut out = [0; 2 * MAX_PACKET_SAMPLES];
        for (call, packet) in &packets {
            let room = usize::from(*call) * 45 / 120 * 120;
            match call % 5 {
                0 => _ = decoder.recover(packet, call / 5, &mut out[..room]),
                1 => _ = decoder.conceal(&mut out[..room]),
                2 => _ = decoder.decode(packet, &mut out[..room]),
                3 => prop_assert!(decoder.redundancy(packet) <= 416),
                _ => {
                    let samples = decoder.decode(packet, &mut out);
                    prop_assert!(samples.is_err() || samples == packet_samples(packet));
                }
            }
        }
        let mut encoder = OpusEncoder::new(EncoderConfig::default()).unwrap();
        prop_assert_eq!(decoder.decode(&encode_one(&mut encoder, &[0; FRAME]), &mut out), Ok(FRAME));
    }
}

/// Speech, silence, music, stereo, all lengths, with what redundancy there is.
fn configs() -> Vec<EncoderConfig> {
    let voice = EncoderConfig { expected_loss_percent: 20, ..EncoderConfig::default() };
    let mut configs: Vec<_> = FrameLength::ALL.map(|frame_length| EncoderConfig { frame_length, ..voice }).into();
    configs.push(EncoderConfig { fec: false, dred_ms: 400, ..voice });
    configs.push(EncoderConfig { dtx: true, ..EncoderConfig::of(Quality::Low) });
    configs.push(EncoderConfig { channels: Channels::Stereo, bitrate: 64_000, ..EncoderConfig::of(Quality::Studio) });
    configs.push(EncoderConfig { application: Application::Audio, bitrate: 128_000, ..voice });
    configs
}

/// A stream that plays well, for putting something bad into.
struct Good {
    frames: Vec<Vec<u8>>,
    samples: usize,
    decoder: OpusDecoder,
    /// What the frames after the bad one sound like without it, in pieces of a frame.
    clean: Vec<i16>,
}

/// The frame after which the bad packet comes, and how many of the next ones the decoder has to find back.
const BAD_AT: usize = 59;
const RECOVERY: usize = 12;

impl Good {
    fn new(config: EncoderConfig) -> Self {
        let frames = encode(config);
        let samples = config.frame_length.samples();
        let mut good = Self { frames, samples, decoder: OpusDecoder::new().unwrap(), clean: Vec::new() };
        good.clean = good.play(|_, _| ());
        good
    }

    /// Does something bad in the middle, and checks that the sound some frames later is what it should be.
    fn after(&mut self, bad: impl FnOnce(&mut OpusDecoder, &mut [i16])) {
        let heard = self.play(bad);
        let likeness = correlation(&self.clean, &heard);
        assert!(likeness > 0.7 || energy(&self.clean) < 1e5, "{likeness}");
    }

    /// As [`Self::after`], but only checks that the next packet decodes.
    fn after_a_few(&mut self, bad: impl FnOnce(&mut OpusDecoder, &mut [i16])) {
        let mut out = [0; MAX_PACKET_SAMPLES];
        bad(&mut self.decoder, &mut out);
        assert_eq!(self.decoder.decode(&self.frames[40], &mut out), Ok(self.samples));
    }

    fn play(&mut self, bad: impl FnOnce(&mut OpusDecoder, &mut [i16])) -> Vec<i16> {
        let mut out = [0; MAX_PACKET_SAMPLES];
        let first = BAD_AT.min(self.frames.len() - RECOVERY - 2);
        self.decoder.reset();
        self.frames[first - 8..=first].iter().for_each(|frame| _ = self.decoder.decode(frame, &mut out).unwrap());
        bad(&mut self.decoder, &mut out);
        let mut heard = Vec::new();
        for frame in &self.frames[first + 1..][..RECOVERY] {
            assert_eq!(self.decoder.decode(frame, &mut out), Ok(self.samples));
            heard.extend_from_slice(&out[..self.samples]);
        }
        heard.split_off(RECOVERY / 3 * self.samples)
    }
}

#[test]
fn silence_left_out_is_concealed_as_silence() {
    let config = EncoderConfig { dtx: true, ..EncoderConfig::default() };
    let mut encoder = OpusEncoder::new(config).unwrap();
    let mut decoder = OpusDecoder::new().unwrap();
    let mut out = [0; FRAME];
    let mut left_out = 0;
    for _ in 0..200 {
        let frame = encode_one(&mut encoder, &[0; FRAME]);
        if is_dtx(&frame) {
            left_out += 1;
            decoder.conceal(&mut out).unwrap();
        } else {
            decoder.decode(&frame, &mut out).unwrap();
        }
        assert!(energy(&out) / (FRAME as f64) < 100.0);
    }
    assert!(left_out > 100, "{left_out}");
}
