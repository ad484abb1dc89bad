//! What `opus-rs` makes of packets, beside what libopus makes of them.

use std::fs;

use super::{RawEncoder, Refusal, Setting, Tuning, libopus, pure};
use crate::{FrameLength, SAMPLE_RATE};

const RATE: i32 = SAMPLE_RATE as i32;

/// How a packet's time is filled.
#[derive(Clone, Copy)]
enum Fill {
    Played,
    Fec,
    Concealed,
}

/// Encoded speech.
struct Speech {
    packets: Vec<Vec<u8>>,
    channels: usize,
    samples: usize,
}

impl Speech {
    fn encode(length: FrameLength, channels: usize, tuning: Tuning, bitrate: i32, fec: i32) -> Self {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../clips/voice-1.wav");
        let pcm = crate::read_wav(&fs::read(file).unwrap()).unwrap();
        let pcm: Vec<i16> =
            pcm[24_000..120_000].iter().flat_map(|&sample| [sample, sample / 2].into_iter().take(channels)).collect();
        let mut encoder = RawEncoder::new(RATE, channels, tuning).unwrap();
        encoder.set(Setting::Bitrate, bitrate).unwrap();
        encoder.set(Setting::InbandFec, fec).unwrap();
        encoder.set(Setting::PacketLossPercent, 20 * fec).unwrap();
        let mut packet = [0; 1_276];
        let packets = pcm.chunks_exact(length.samples() * channels).map(|frame| {
            let bytes = encoder.encode(frame, &mut packet).unwrap();
            packet[..bytes].to_vec()
        });
        Self { packets: packets.collect(), channels, samples: length.samples() }
    }

    /// How far what differs is below what is heard, in dB.
    fn likeness(&self, fill: impl Fn(usize) -> Fill) -> f64 {
        let mut c = libopus::RawDecoder::new(RATE, self.channels).unwrap();
        let mut rust = pure::RawDecoder::new(RATE, self.channels).unwrap();
        let (mut heard, mut compared) = (vec![0; self.samples * self.channels], vec![0; self.samples * self.channels]);
        let (mut signal, mut error) = (0.0, 1.0);
        for (n, packet) in self.packets.iter().enumerate() {
            let (packet, fec) = match fill(n) {
                Fill::Played => (Some(&packet[..]), false),
                Fill::Fec => (self.packets.get(n + 1).map(|next| &next[..]), true),
                Fill::Concealed => (None, false),
            };
            assert_eq!(c.decode(packet, &mut heard, fec), Ok(self.samples));
            assert_eq!(rust.decode(packet, &mut compared, fec), Ok(self.samples));
            for (&heard, &compared) in heard.iter().zip(&compared) {
                signal += f64::from(heard).powi(2);
                error += (f64::from(heard) - f64::from(compared)).powi(2);
            }
        }
        10.0 * f64::log10(signal / error)
    }
}

fn every(nth: usize, fill: Fill) -> impl Fn(usize) -> Fill {
    move |n| if n % nth == 1 { fill } else { Fill::Played }
}

#[test]
fn speech_sounds_as_with_libopus() {
    for length in FrameLength::ALL {
        for (bitrate, fec) in [(6_000, 0), (17_000, 1), (24_000, 0), (48_000, 1)] {
            let likeness = Speech::encode(length, 1, Tuning::Voice, bitrate, fec).likeness(|_| Fill::Played);
            assert!(likeness > 90.0, "{length:?} {bitrate}: {likeness}");
        }
    }
}

#[test]
fn music_and_stereo_sound_as_with_libopus() {
    for (length, channels, bitrate) in
        [(FrameLength::Ms10, 1, 128_000), (FrameLength::Ms20, 2, 24_000), (FrameLength::Ms60, 2, 96_000)]
    {
        let likeness = Speech::encode(length, channels, Tuning::Audio, bitrate, 0).likeness(|_| Fill::Played);
        assert!(likeness > 80.0, "{length:?} {bitrate}: {likeness}");
    }
}

#[test]
fn lost_frames_are_recovered_as_with_libopus() {
    for length in FrameLength::ALL {
        for bitrate in [17_000, 24_000] {
            let speech = Speech::encode(length, 1, Tuning::Voice, bitrate, 1);
            let likeness = speech.likeness(every(4, Fill::Fec));
            assert!(likeness > 30.0, "{length:?} {bitrate}: {likeness}");
        }
    }
}

#[test]
fn lost_frames_are_concealed_as_with_libopus_but_for_music_which_is_guessed_otherwise() {
    for length in FrameLength::ALL {
        for (tuning, bitrate, least) in [(Tuning::Voice, 24_000, 40.0), (Tuning::Audio, 96_000, 0.0)] {
            let likeness = Speech::encode(length, 1, tuning, bitrate, 0).likeness(every(5, Fill::Concealed));
            assert!(likeness > least, "{length:?} {tuning:?}: {likeness}");
        }
    }
}

#[test]
fn a_decoder_that_is_reset_is_a_new_one() {
    let speech = Speech::encode(FrameLength::Ms20, 1, Tuning::Voice, 24_000, 1);
    let mut decoder = pure::RawDecoder::new(RATE, 1).unwrap();
    assert_eq!(decoder.set_complexity(5), Err(Refusal::Unimplemented));
    let mut heard = || {
        let mut out = vec![0; speech.samples];
        let each = speech.packets[40..60].iter().flat_map(|packet| {
            decoder.decode(Some(packet), &mut out, false).unwrap();
            out.clone()
        });
        let all: Vec<i16> = each.collect();
        decoder.reset();
        all
    };
    assert_eq!(heard(), heard());
}
