//! WAV files of every usual kind, and of none.

#![cfg(feature = "wav")]

mod common;

use common::{clip, correlation};
use proptest::prelude::*;
use voice_audio::{SAMPLE_RATE, WavReadError, read_wav, write_wav};

const PCM: u16 = 1;
const FLOAT: u16 = 3;

#[test]
fn what_is_written_reads_back_the_same() {
    let pcm: Vec<i16> = vec![0, 1, -1, i16::MAX, i16::MIN];
    assert_eq!(read_wav(&write_wav(&pcm).unwrap()), Ok(pcm));
}

#[test]
fn a_written_file_is_these_bytes() {
    let bytes = write_wav(&[1, -2]).unwrap();
    assert_eq!(bytes, file(PCM, 1, SAMPLE_RATE, 16, &[1, 0, 0xFE, 0xFF]));
}

#[test]
fn every_usual_width_is_read() {
    let samples = [0, 16_384, -16_384, i16::MIN];
    let of = |format, bits, data: Vec<u8>| read_wav(&file(format, 1, SAMPLE_RATE, bits, &data)).unwrap();
    assert_eq!(of(PCM, 8, samples.iter().map(|s| (s >> 8) as u8 ^ 0x80).collect()), samples);
    assert_eq!(of(PCM, 16, samples.iter().flat_map(|s| s.to_le_bytes()).collect()), samples);
    let wide = |s: &i16| (i32::from(*s) << 16).to_le_bytes();
    assert_eq!(of(PCM, 24, samples.iter().flat_map(|s| wide(s)[1..].to_vec()).collect()), samples);
    assert_eq!(of(PCM, 32, samples.iter().flat_map(wide).collect()), samples);
    let float = |s: &i16| (f32::from(*s) / 32_768.0).to_le_bytes();
    assert_eq!(of(FLOAT, 32, samples.iter().flat_map(float).collect()), samples);
}

#[test]
fn floats_beyond_full_scale_are_limited_and_numbers_that_are_none_are_silence() {
    let data: Vec<u8> =
        [1.5f32, -9e30, f32::NAN, f32::INFINITY, f32::NEG_INFINITY].iter().flat_map(|s| s.to_le_bytes()).collect();
    let heard = read_wav(&file(FLOAT, 1, SAMPLE_RATE, 32, &data)).unwrap();
    assert_eq!(heard, [i16::MAX, i16::MIN, 0, i16::MAX, i16::MIN]);
}

#[test]
fn stereo_is_averaged() {
    let data: Vec<u8> = [100i16, 300, -50, 50].iter().flat_map(|s| s.to_le_bytes()).collect();
    assert_eq!(read_wav(&file(PCM, 2, SAMPLE_RATE, 16, &data)), Ok(vec![200, 0]));
}

#[test]
fn every_usual_rate_becomes_48_khz() {
    for rate in [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000] {
        let data = vec![0; rate as usize * 2];
        let heard = read_wav(&file(PCM, 1, rate, 16, &data)).unwrap();
        assert_eq!(heard.len(), 48_000, "{rate} Hz");
    }
}

#[test]
fn the_clips_are_speech_of_a_few_seconds_each_and_all_differ() {
    let clips: Vec<Vec<i16>> = (1..=8).map(clip).collect();
    for (number, clip) in clips.iter().enumerate() {
        assert!((120_000..=288_000).contains(&clip.len()), "{}", clip.len());
        let (loudest, other) = (clip.iter().map(|s| s.unsigned_abs()).max(), &clips[(number + 1) % 8]);
        assert!((20_000..30_000).contains(&loudest.unwrap()));
        assert!(correlation(&clip[..120_000], &other[..120_000]).abs() < 0.2);
    }
}

#[test]
fn a_file_cut_off_in_its_sound_is_taken_up_to_there() {
    let whole = write_wav(&[5; 100]).unwrap();
    assert_eq!(read_wav(&whole[..whole.len() - 51]), Ok(vec![5; 74]));
}

#[test]
fn what_is_not_speech_is_refused_with_its_reason() {
    let sound = [0; 8];
    assert_eq!(read_wav(&[]), Err(WavReadError::Empty));
    assert_eq!(read_wav(b"ID3 an mp3 file, say"), Err(WavReadError::NotWav));
    assert_eq!(read_wav(b"RIFF"), Err(WavReadError::NotWav));
    assert_eq!(read_wav(b"RIFF\0\0\0\0WAVEfmt "), Err(WavReadError::Damaged));
    assert_eq!(read_wav(&file(PCM, 1, SAMPLE_RATE, 16, &[])), Err(WavReadError::NoSamples));
    assert_eq!(read_wav(&file(2, 1, SAMPLE_RATE, 16, &sound)), Err(WavReadError::Encoding));
    assert_eq!(read_wav(&file(PCM, 4, SAMPLE_RATE, 16, &sound)), Err(WavReadError::Channels(4)));
    assert_eq!(read_wav(&file(PCM, 1, 4_000, 16, &sound)), Err(WavReadError::SampleRate(4_000)));
    assert_eq!(read_wav(&file(PCM, 1, 192_000, 16, &sound)), Err(WavReadError::SampleRate(192_000)));
    let long = vec![128; 8_000 * 301];
    assert_eq!(read_wav(&file(PCM, 1, 8_000, 8, &long)), Err(WavReadError::TooLong));
}

proptest! {
    #[test]
    fn random_bytes_never_crash_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_wav(&bytes);
        let mut tagged = b"RIFF\0\0\0\0WAVE".to_vec();
        tagged.extend(bytes);
        let _ = read_wav(&tagged);
    }

    #[test]
    fn a_damaged_header_never_crashes_the_reader(damage in prop::collection::vec((0usize..84, any::<u8>()), 1..6), extensible: bool) {
        let mut bytes = if extensible { extensible_file(&[7; 16]) } else { file(PCM, 2, 44_100, 16, &[7; 40]) };
        for (at, value) in damage {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        let _ = read_wav(&bytes);
    }
}

#[test]
fn the_extensible_header_is_read() {
    assert_eq!(read_wav(&extensible_file(&[0, 0, 0, 16])), Ok(vec![4_096]));
}

fn file(format: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    chunks(&fmt(format, channels, rate, bits), data)
}

/// 32-bit integers at 48 kHz, described the long way.
fn extensible_file(data: &[u8]) -> Vec<u8> {
    let mut fmt = fmt(0xFFFE, 1, SAMPLE_RATE, 32);
    fmt.extend([22, 0, 32, 0, 4, 0, 0, 0]);
    fmt.extend(b"\x01\0\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71");
    chunks(&fmt, data)
}

fn fmt(format: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let align = channels * bits / 8;
    let mut fmt = Vec::new();
    fmt.extend(format.to_le_bytes());
    fmt.extend(channels.to_le_bytes());
    fmt.extend(rate.to_le_bytes());
    fmt.extend((rate * u32::from(align)).to_le_bytes());
    fmt.extend(align.to_le_bytes());
    fmt.extend(bits.to_le_bytes());
    fmt
}

fn chunks(fmt: &[u8], data: &[u8]) -> Vec<u8> {
    let size = |n: usize| (n as u32).to_le_bytes();
    let mut bytes = b"RIFF".to_vec();
    bytes.extend(size(20 + fmt.len() + data.len()));
    bytes.extend(b"WAVEfmt ");
    bytes.extend(size(fmt.len()));
    bytes.extend(fmt);
    bytes.extend(b"data");
    bytes.extend(size(data.len()));
    bytes.extend(data);
    bytes
}
