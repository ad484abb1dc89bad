//! Encoding, decoding, recovering and changing settings allocate nothing once encoder and decoder are there.
//!
//! This sees the Rust side; libopus itself calls its allocator in nothing but the functions that create.

#![cfg(feature = "encode")]

#[path = "../../voice-core/tests/armed/mod.rs"]
mod armed;

use armed::armed;
use voice_audio::{
    Channels, EncoderConfig, FrameLength, MAX_FRAME_BYTES, MAX_PACKET_SAMPLES, OpusDecoder, OpusEncoder, Quality,
};

#[test]
fn the_codec_allocates_nothing_after_construction() {
    for channels in [Channels::Mono, Channels::Stereo] {
        let config = EncoderConfig { channels, dtx: true, ..EncoderConfig::default() };
        let mut encoder = OpusEncoder::new(config).unwrap();
        let mut decoder = OpusDecoder::with_channels(channels).unwrap();
        let done = armed(|| converse(&mut encoder, &mut decoder));
        assert!(done > 300, "{done}");
    }
}

/// Speaks while settings change with every frame, and loses a third of it. Returns how many calls went well.
fn converse(encoder: &mut OpusEncoder, decoder: &mut OpusDecoder) -> usize {
    let channels = encoder.config().channels.count();
    let (mut pcm, mut payload) = ([0; 2 * MAX_PACKET_SAMPLES], [0; MAX_FRAME_BYTES]);
    let mut done = 0;
    for turn in 0..200usize {
        change(encoder, turn);
        let samples = encoder.config().frame_length.samples() * channels;
        hum(&mut pcm[..samples], turn);
        let Ok(len) = encoder.encode(&pcm[..samples], &mut payload) else { continue };
        let packet = &payload[..len];
        done += 1 + usize::from(decoder.redundancy(packet) < 500);
        if turn % 3 == 0 {
            done += usize::from(decoder.recover(packet, 3, &mut pcm[..samples]).is_ok());
            done += usize::from(decoder.decode_fec(packet, &mut pcm[..samples]).is_ok());
            done += usize::from(decoder.conceal(&mut pcm[..samples]).is_ok());
        }
        done += usize::from(decoder.decode(packet, &mut pcm).is_ok());
        done += usize::from(decoder.decode(&packet[..len / 2], &mut pcm).is_err());
    }
    encoder.reset();
    decoder.reset();
    done
}

fn change(encoder: &mut OpusEncoder, turn: usize) {
    let number = u8::try_from(turn).unwrap_or(u8::MAX);
    let changed = [
        encoder.set_frame_length(FrameLength::ALL[turn / 8 % 4]),
        encoder.set_bitrate(Quality::ALL[turn / 4 % 4].bitrate() * 2),
        encoder.set_complexity(number % 11),
        encoder.set_fec(turn % 40 < 20, number % 30),
        encoder.set_expected_loss(number % 50),
        encoder.set_dred(u16::from(number % 5) * 100),
        encoder.set_dtx(turn % 50 < 40),
    ];
    assert!(changed.iter().all(Result::is_ok));
}

/// A buzz with a pause in it.
fn hum(pcm: &mut [i16], turn: usize) {
    let level = if turn % 60 < 40 { 6_000 } else { 0 };
    pcm.iter_mut().enumerate().for_each(|(at, sample)| *sample = if at / 200 % 2 == 0 { level } else { -level });
}
