//! WAV files as bytes: a person's recording in, what a listener heard out.

use std::error::Error;
use std::fmt;
use std::io::Cursor;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::SAMPLE_RATE;
use crate::resample::{RATES, to_48k};

/// The longest recording that is read, in seconds: at 96 kHz it takes about half a gigabyte of memory while it is read.
pub const MAX_WAV_SECONDS: u32 = 300;

const FULL_SCALE: f64 = 32_768.0;

/// Reads a WAV file as mono 16-bit PCM at 48 kHz.
///
/// Takes mono and stereo (averaged), 8 to 96 kHz, integers of 8, 16, 24 and 32 bit and 32-bit floats. A file that ends before the
/// length it states, as recorders write into a pipe, is taken up to its end.
pub fn read_wav(bytes: &[u8]) -> Result<Vec<i16>, WavReadError> {
    check_tags(bytes)?;
    let reader = WavReader::new(bytes).map_err(WavReadError::from_header)?;
    let WavSpec { channels, sample_rate, .. } = reader.spec();
    if !(1..=2).contains(&channels) {
        return Err(WavReadError::Channels(channels));
    }
    if !RATES.contains(&sample_rate) {
        return Err(WavReadError::SampleRate(sample_rate));
    }
    let pcm = read_mono(reader)?;
    to_48k(&pcm, sample_rate).map_err(|_| WavReadError::SampleRate(sample_rate))
}

/// Writes mono 16-bit PCM at 48 kHz as a WAV file: the same samples always give the same bytes.
pub fn write_wav(pcm: &[i16]) -> Result<Vec<u8>, WavWriteError> {
    write(pcm).map_err(|_| WavWriteError)
}

/// Why a WAV file was not read. The text says how to mend it; the caller adds which file it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WavReadError {
    /// The file has no bytes.
    Empty,
    /// The file is not a WAV file.
    NotWav,
    /// The file begins like a WAV file, but its header is cut off or contradicts itself.
    Damaged,
    /// The samples are compressed, or of an unusual width.
    Encoding,
    /// The number of channels is not 1 or 2.
    Channels(u16),
    /// The sample rate is outside 8 to 96 kHz.
    SampleRate(u32),
    /// The header is sound, but no sample follows.
    NoSamples,
    /// The recording is longer than [`MAX_WAV_SECONDS`].
    TooLong,
}

impl WavReadError {
    fn from_header(error: hound::Error) -> Self {
        match error {
            hound::Error::Unsupported | hound::Error::TooWide => Self::Encoding,
            _ => Self::Damaged,
        }
    }
}

impl fmt::Display for WavReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MEND: &str = "save it as a 16-bit PCM WAV file";
        match self {
            Self::Empty => write!(f, "the file is empty; record it again"),
            Self::NotWav => write!(f, "not a WAV file; {MEND}"),
            Self::Damaged => write!(f, "the WAV header is damaged; {MEND}"),
            Self::Encoding => write!(f, "the samples are in an unsupported encoding; {MEND}"),
            Self::Channels(n) => {
                write!(f, "{n} channels are not supported; save it as mono or stereo")
            }
            Self::SampleRate(hertz) => {
                write!(
                    f,
                    "a sample rate of {hertz} Hz is not supported; save it at {} to {} Hz",
                    RATES.start(),
                    RATES.end()
                )
            }
            Self::NoSamples => write!(f, "the WAV file holds no sound; record it again"),
            Self::TooLong => write!(f, "longer than {MAX_WAV_SECONDS} seconds; cut it to a shorter clip"),
        }
    }
}

impl Error for WavReadError {}

/// The PCM is too long for a WAV file: its size must fit 32 bit, about 12 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WavWriteError;

impl fmt::Display for WavWriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too much sound for one WAV file; write several of at most 12 hours each")
    }
}

impl Error for WavWriteError {}

fn check_tags(bytes: &[u8]) -> Result<(), WavReadError> {
    match bytes {
        [] => Err(WavReadError::Empty),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Ok(()),
        _ => Err(WavReadError::NotWav),
    }
}

/// Reads all samples on the scale of 16 bit and averages the channels.
fn read_mono(mut reader: WavReader<&[u8]>) -> Result<Vec<f64>, WavReadError> {
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = reader.spec();
    let limit = sample_rate as usize * MAX_WAV_SECONDS as usize;
    let mono = match (sample_format, bits_per_sample) {
        (SampleFormat::Int, 8 | 16 | 24 | 32) => {
            let scale = FULL_SCALE / f64::from(1u32 << (bits_per_sample - 1));
            let samples = reader.samples::<i32>().map(|s| s.map(|s| f64::from(s) * scale));
            average(samples, channels, limit)?
        }
        (SampleFormat::Float, 32) => {
            let samples = reader.samples::<f32>().map(|s| s.map(from_float));
            average(samples, channels, limit)?
        }
        _ => return Err(WavReadError::Encoding),
    };
    if mono.is_empty() {
        return Err(WavReadError::NoSamples);
    }
    Ok(mono)
}

/// Averages the channels up to the end of the bytes, which may come before the end that the header states.
fn average(
    samples: impl Iterator<Item = hound::Result<f64>>,
    channels: u16,
    limit: usize,
) -> Result<Vec<f64>, WavReadError> {
    let mut mono = Vec::new();
    let (mut sum, mut summed) = (0.0, 0);
    for sample in samples {
        match sample {
            Ok(sample) => (sum, summed) = (sum + sample, summed + 1),
            Err(hound::Error::IoError(_)) => break,
            Err(_) => return Err(WavReadError::Encoding),
        }
        if summed == channels {
            if mono.len() == limit {
                return Err(WavReadError::TooLong);
            }
            mono.push(sum / f64::from(channels));
            (sum, summed) = (0.0, 0);
        }
    }
    Ok(mono)
}

/// A float sample, full scale 1.0; what is no number is silence.
fn from_float(sample: f32) -> f64 {
    if sample.is_nan() {
        return 0.0;
    }
    (f64::from(sample) * FULL_SCALE).clamp(-FULL_SCALE, FULL_SCALE)
}

fn write(pcm: &[i16]) -> hound::Result<Vec<u8>> {
    let spec = WavSpec { channels: 1, sample_rate: SAMPLE_RATE, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let samples = u32::try_from(pcm.len()).map_err(|_| hound::Error::TooWide)?;
    if samples > (u32::MAX - 44) / 2 {
        return Err(hound::Error::TooWide);
    }
    let mut bytes = Vec::new();
    let mut writer = WavWriter::new(Cursor::new(&mut bytes), spec)?;
    for &sample in pcm {
        writer.write_sample(sample)?;
    }
    writer.finalize()?;
    Ok(bytes)
}
