//! The speech that people in the demonstration speak: the user's own, or the clips that come along.

use std::{fs, path::Path};

use crate::fail::Fail;

/// The clips of `clips/`, made with espeak-ng and free for any use.
const CLIPS: [(&str, &[u8]); 8] = [
    ("voice-1", include_bytes!("../../clips/voice-1.wav")),
    ("voice-2", include_bytes!("../../clips/voice-2.wav")),
    ("voice-3", include_bytes!("../../clips/voice-3.wav")),
    ("voice-4", include_bytes!("../../clips/voice-4.wav")),
    ("voice-5", include_bytes!("../../clips/voice-5.wav")),
    ("voice-6", include_bytes!("../../clips/voice-6.wav")),
    ("voice-7", include_bytes!("../../clips/voice-7.wav")),
    ("voice-8", include_bytes!("../../clips/voice-8.wav")),
];

/// Below this root mean square, 63 dB below full scale, a recording's loudest 20 ms are silence.
const SILENCE_RMS: u16 = 24;
const SAMPLES_OF_20_MS: usize = 960;

/// One recording with something to hear, 48 kHz mono.
pub(crate) struct Clip {
    /// Its file's name without folders.
    pub(crate) name: String,
    pub(crate) pcm: Vec<i16>,
}

/// Reads the user's recordings, or the clips that come along if there are none.
pub(crate) fn load<P: AsRef<Path>>(files: &[P]) -> Result<Vec<Clip>, Fail> {
    if files.is_empty() {
        return CLIPS.iter().map(|(name, bytes)| parse(name, name, bytes)).collect();
    }
    files.iter().map(|file| read(file.as_ref())).collect()
}

fn read(file: &Path) -> Result<Clip, Fail> {
    let shown = file.display().to_string();
    let bytes = fs::read(file).map_err(|error| {
        Fail::new(format!("--speech {shown}: can't be read ({error})"), "name a WAV file that you may read")
    })?;
    let name = file.file_name().map_or(shown.clone(), |name| name.display().to_string());
    parse(&name, &shown, &bytes)
}

fn parse(name: &str, shown: &str, bytes: &[u8]) -> Result<Clip, Fail> {
    let pcm = voice_audio::read_wav(bytes)
        .map_err(|error| Fail::new(format!("--speech {shown}: can't be used as speech"), error))?;
    let loudest = pcm.chunks(SAMPLES_OF_20_MS).map(voice_audio::rms).max().unwrap_or(0);
    if loudest < SILENCE_RMS {
        return Err(Fail::new(
            format!("--speech {shown}: holds only silence"),
            "record it again, closer to the microphone",
        ));
    }
    Ok(Clip { name: name.to_owned(), pcm })
}
