//! The speech that people in the demonstration speak: the user's own, or the clips that come along.

use std::{fs, path::PathBuf};

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

/// One recording, 48 kHz mono.
pub(crate) struct Clip {
    pub(crate) name: String,
    pub(crate) pcm: Vec<i16>,
}

/// Reads the user's recordings, or the clips that come along if there are none.
pub(crate) fn load(files: &[PathBuf]) -> Result<Vec<Clip>, Fail> {
    if files.is_empty() {
        return CLIPS.iter().map(|(name, bytes)| parse(name, bytes)).collect();
    }
    files.iter().map(read).collect()
}

fn read(file: &PathBuf) -> Result<Clip, Fail> {
    let shown = file.display().to_string();
    let bytes = fs::read(file).map_err(|error| {
        Fail::new(format!("--speech {shown}: can't be read ({error})"), "name a WAV file that exists")
    })?;
    parse(&shown, &bytes)
}

fn parse(name: &str, bytes: &[u8]) -> Result<Clip, Fail> {
    let cure = "give a WAV file, mono or stereo, 8 to 96 kHz";
    let pcm = voice_audio::read_wav(bytes).map_err(|error| Fail::new(format!("--speech {name}: {error}"), cure))?;
    Ok(Clip { name: name.to_owned(), pcm })
}
