use std::sync::LazyLock;

use voice_audio::{
    Application, Channels, DecodeError, EncoderConfig, FrameLength, MAX_FRAME_BYTES, MAX_PACKET_SAMPLES, OpusDecoder,
    OpusEncoder, Quality, is_dtx, packet_samples,
};

use crate::input::Input;

/// No sample of the codec's is likely to be this one; what isn't written keeps it.
const UNTOUCHED: i16 = 0x5A5A;

/// Packets of every kind, for bending: what a fuzzer would take long to find by itself.
static GOOD: LazyLock<Vec<Vec<u8>>> = LazyLock::new(good_packets);

/// Hands a decoder any bytes, in any order with the other calls: an error or sound, nothing written past its end, and it goes on.
pub fn decode_sound(data: &[u8]) {
    let mut input = Input::new(data);
    let channels = if input.flag() { Channels::Stereo } else { Channels::Mono };
    let mut decoder = OpusDecoder::with_channels(channels).expect("memory for a decoder");
    let mut out = vec![UNTOUCHED; MAX_PACKET_SAMPLES * 2];
    for _ in 0..40 {
        if input.is_empty() {
            break;
        }
        step(&mut input, &mut decoder, &mut out);
    }
    let packet = &GOOD[0];
    assert_eq!(decoder.decode(packet, &mut out), packet_samples(packet), "a good packet no longer decodes");
}

fn step(input: &mut Input<'_>, decoder: &mut OpusDecoder, out: &mut [i16]) {
    match input.below(8) {
        0 | 1 => play(decoder, input.packet(), out),
        2 | 3 => play(decoder, &bent(input), out),
        4 => fill(decoder, Some((&bent(input), input.byte())), input.u16(), out),
        5 => fill(decoder, Some((input.packet(), input.byte())), input.u16(), out),
        6 => fill(decoder, None, input.u16(), out),
        _ => match input.byte() {
            0 => decoder.reset(),
            level => _ = decoder.set_complexity(level),
        },
    }
}

fn bent(input: &mut Input<'_>) -> Vec<u8> {
    let packet = &GOOD[input.below(GOOD.len().min(256))];
    let mut packet = input.bent(packet);
    if input.flag() {
        packet.truncate(usize::from(input.byte()));
    }
    packet
}

fn play(decoder: &mut OpusDecoder, packet: &[u8], out: &mut [i16]) {
    let samples = packet_samples(packet);
    assert!(samples.is_err() || samples.is_ok_and(|samples| (1..=MAX_PACKET_SAMPLES).contains(&samples)));
    assert!(decoder.redundancy(packet) <= 1_040 * 2 / 5, "further back than DRED can reach");
    out.fill(UNTOUCHED);
    match decoder.decode(packet, out) {
        Ok(decoded) => {
            assert_eq!(samples, Ok(decoded), "the header announced another length");
            let end = decoded * decoder.channels().count();
            assert!(out[end..].iter().all(|sample| *sample == UNTOUCHED), "written past the end");
        }
        Err(error) => assert_ne!(error, DecodeError::BufferTooSmall, "there was room for the longest packet"),
    }
}

/// Fills a gap of a drawn length, from a packet and how far back it is, or by a guess.
fn fill(decoder: &mut OpusDecoder, from: Option<(&[u8], u8)>, length: u16, out: &mut [i16]) {
    // Every fourth length may be one that nothing can fill.
    let length = if length & 3 == 0 { usize::from(length) } else { usize::from(length >> 2) % 48 * 240 };
    let length = length.min(out.len());
    out.fill(UNTOUCHED);
    let filled = match from {
        Some((packet, back)) => decoder.recover(packet, back, &mut out[..length]).map(drop),
        None => decoder.conceal(&mut out[..length]),
    };
    let whole = length > 0 && length % (120 * decoder.channels().count()) == 0;
    assert!(filled.is_err() || whole, "filled {length} samples");
    assert!(out[length..].iter().all(|sample| *sample == UNTOUCHED), "written past the end");
}

fn good_packets() -> Vec<Vec<u8>> {
    let voice = EncoderConfig { expected_loss_percent: 20, ..EncoderConfig::default() };
    let mut configs: Vec<_> = FrameLength::ALL.map(|frame_length| EncoderConfig { frame_length, ..voice }).into();
    configs.push(EncoderConfig { fec: false, dred_ms: 400, ..voice });
    configs.push(EncoderConfig { dtx: true, ..EncoderConfig::of(Quality::Low) });
    configs.push(EncoderConfig { application: Application::Audio, fec: false, bitrate: 64_000, ..voice });
    configs.push(EncoderConfig { channels: Channels::Stereo, bitrate: 40_000, ..voice });
    configs.push(EncoderConfig { channels: Channels::Stereo, ..EncoderConfig::of(Quality::Studio) });
    configs.into_iter().flat_map(packets_of).collect()
}

/// A few packets from the middle of a buzz that swells and stops.
fn packets_of(config: EncoderConfig) -> Vec<Vec<u8>> {
    let mut encoder = OpusEncoder::new(config).expect("settings in range");
    let mut out = [0; MAX_FRAME_BYTES];
    let packets = (0..40).map(|frame| {
        let level = if frame < 30 { 200 * frame } else { 0 };
        let pcm: Vec<i16> =
            (0..config.frame_samples()).map(|at| if at / 210 % 2 == 0 { level } else { -level }).collect();
        let len = encoder.encode(&pcm, &mut out).expect("a whole frame and room for it");
        out[..len].to_vec()
    });
    packets.skip(20).filter(|packet| !is_dtx(packet)).step_by(5).collect()
}
