//! What is heard, written down while it is heard: `heard.wav`, and a file for each speaker, all of the same length.
//!
//! Nothing of it stays in memory. Silence is a hole in the file, which takes no room on most disks. A program that is killed leaves its draft beside the folder asked for, with
//! files that players read to their end.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs,
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use voice_core::ClientId;

use crate::{
    fail::Fail,
    out_dir::{Draft, OutDir},
};

const MIXED: &str = "heard.wav";
/// Speakers who get a file of their own, at most: a process may have 1,024 files open, and needs some for other things.
const MOST_SPEAKERS: usize = 256;
/// What a WAV file holds, in samples of 2 bytes: its sizes have 32 bits. 12 hours.
const MOST_SAMPLES: u64 = 12 * 3_600 * 48_000;

/// A recording under way.
pub(crate) struct Recording {
    out: OutDir,
    draft: Draft,
    mixed: Track,
    alone: BTreeMap<ClientId, Track>,
    /// Samples of each file.
    samples: u64,
    /// Why nothing more is recorded.
    over: Option<Fail>,
}

impl Recording {
    pub(crate) fn begin(out: OutDir) -> Result<Self, Fail> {
        let draft = out.begin()?;
        let mixed = Track::begin(draft.path().join(MIXED)).map_err(|error| failed(draft.path(), &error))?;
        Ok(Self { out, draft, mixed, alone: BTreeMap::new(), samples: 0, over: None })
    }

    /// Takes what follows of all together.
    pub(crate) fn hear(&mut self, block: &[i16]) {
        let at = self.samples;
        self.samples = (at + block.len() as u64).min(MOST_SAMPLES);
        if self.samples == MOST_SAMPLES && self.over.is_none() {
            self.end(Fail::new(
                "--record: 12 hours are recorded, and a WAV file holds no more",
                "join again with another folder",
            ));
        }
        self.write(|recording| recording.mixed.put(at, block));
    }

    /// Takes what a speaker says from sample `at` on; before [`hear`](Self::hear) does.
    pub(crate) fn hear_alone(&mut self, speaker: ClientId, at: u64, block: &[i16]) {
        self.write(|recording| {
            let known = recording.alone.len();
            let track = match recording.alone.entry(speaker) {
                Entry::Occupied(track) => track.into_mut(),
                Entry::Vacant(_) if known == MOST_SPEAKERS => return Ok(()),
                Entry::Vacant(place) => {
                    place.insert(Track::begin(recording.draft.path().join(format!("{speaker}.wav")))?)
                }
            };
            track.put(at, block)
        });
    }

    /// Puts the recording in its place, with the speakers' names on their files, also one that ended early: then that is the failure.
    pub(crate) fn finish(self, name_of: impl Fn(ClientId) -> String) -> Result<(), Fail> {
        let Self { out, draft, mixed, alone, samples, over } = self;
        let folder = draft.path().to_owned();
        let whole = || -> io::Result<()> {
            mixed.finish(samples, &folder.join(MIXED))?;
            for (id, track) in alone {
                let name: String = name_of(id).chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
                track.finish(samples, &folder.join(format!("{name}-{id}.wav")))?;
            }
            Ok(())
        };
        whole().map_err(|error| failed(&folder, &error))?;
        out.put(draft)?;
        over.map_or(Ok(()), Err)
    }

    /// A disk that is full ends the recording, not the talk.
    fn write(&mut self, write: impl FnOnce(&mut Self) -> io::Result<()>) {
        if self.over.is_some() {
            return;
        }
        if let Err(error) = write(self) {
            self.end(failed(self.draft.path(), &error));
        }
    }

    fn end(&mut self, why: Fail) {
        eprintln!("nothing more is recorded: {why}");
        self.over = Some(why);
    }
}

fn failed(folder: &Path, error: &io::Error) -> Fail {
    Fail::new(
        format!("--record: {} can't be written ({error})", folder.display()),
        "name a folder on a disk with more room",
    )
}

/// A WAV file that grows.
struct Track {
    path: PathBuf,
    file: BufWriter<fs::File>,
    /// Where the file is, in samples.
    at: u64,
}

impl Track {
    fn begin(path: PathBuf) -> io::Result<Self> {
        let mut file = BufWriter::new(fs::File::create(&path)?);
        file.write_all(&header(u64::MAX))?;
        Ok(Self { path, file, at: 0 })
    }

    fn put(&mut self, at: u64, block: &[i16]) -> io::Result<()> {
        if at != self.at {
            self.file.seek(SeekFrom::Start(header(0).len() as u64 + 2 * at))?;
        }
        for sample in block {
            self.file.write_all(&sample.to_le_bytes())?;
        }
        self.at = at + block.len() as u64;
        Ok(())
    }

    /// Gives the file its length and its name.
    fn finish(mut self, samples: u64, name: &Path) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header(samples))?;
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.set_len(header(0).len() as u64 + 2 * samples)?;
        fs::rename(&self.path, name)
    }
}

/// The header of a file of so many samples; while their number isn't known, of the longest one.
fn header(samples: u64) -> Vec<u8> {
    let mut header = voice_audio::write_wav(&[]).unwrap_or_default();
    let data = u32::try_from(2 * samples.min(MOST_SAMPLES)).unwrap_or(u32::MAX);
    let riff = data.saturating_add(header.len() as u32 - 8);
    // Of the whole after the first 8 bytes, and, last in the header, of the samples.
    header[4..8].copy_from_slice(&riff.to_le_bytes());
    let end = header.len();
    header[end - 4..].copy_from_slice(&data.to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place(PathBuf);

    impl Place {
        fn new(test: &str) -> Self {
            let place = std::env::temp_dir().join(format!("consonance-recording-{test}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&place);
            fs::create_dir_all(&place).expect("a folder");
            Self(place)
        }

        fn begin(&self) -> Recording {
            let out = OutDir::find(&self.0.join("heard"), |_| true).expect("a usable place");
            Recording::begin(out).expect("a draft")
        }

        fn samples(&self, name: &str) -> Vec<i16> {
            voice_audio::read_wav(&fs::read(self.0.join("heard").join(name)).expect("a file")).expect("a WAV file")
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn all_files_are_equally_long_and_who_says_nothing_is_silent() {
        let place = Place::new("length");
        let mut recording = place.begin();
        let (early, late) = (ClientId::new(1).expect("an id"), ClientId::new(2).expect("an id"));
        for n in 0..100_u64 {
            if n < 10 {
                recording.hear_alone(early, n * 480, &[100; 480]);
            }
            if n == 50 || n == 60 {
                recording.hear_alone(late, n * 480 + 120, &[-7; 120]);
            }
            recording.hear(&[n as i16; 480]);
        }
        recording.finish(|id| if id == early { "A/b".into() } else { "C".into() }).expect("recorded");
        let mixed: Vec<i16> = (0..100).flat_map(|n| [n; 480]).collect();
        assert_eq!(place.samples("heard.wav"), mixed);
        assert_eq!(place.samples("A-b-1.wav"), [vec![100; 4_800], vec![0; 43_200]].concat());
        let mut alone = vec![0; 48_000];
        alone[50 * 480 + 120..][..120].fill(-7);
        alone[60 * 480 + 120..][..120].fill(-7);
        assert_eq!(place.samples("C-2.wav"), alone);
    }

    #[test]
    fn what_a_killed_program_leaves_can_be_played() {
        let place = Place::new("killed");
        let mut recording = place.begin();
        for _ in 0..100 {
            recording.hear(&[5; 480]);
        }
        recording.mixed.file.flush().expect("written");
        let left = fs::read(&recording.mixed.path).expect("a file");
        assert_eq!(voice_audio::read_wav(&left).expect("a WAV file"), vec![5; 48_000]);
    }

    #[test]
    fn a_recording_that_is_given_up_leaves_nothing() {
        let place = Place::new("nothing");
        place.begin().hear(&[5; 480]);
        assert_eq!(fs::read_dir(&place.0).expect("the folder").count(), 0);
    }

    #[test]
    fn so_many_speakers_get_a_file_and_the_others_are_heard_in_the_mix() {
        let place = Place::new("many");
        let mut recording = place.begin();
        for id in 1..=MOST_SPEAKERS as u16 + 3 {
            recording.hear_alone(ClientId::new(id).expect("an id"), 0, &[1; 120]);
        }
        recording.hear(&[1; 120]);
        recording.finish(|id| format!("p{id}")).expect("recorded");
        assert_eq!(fs::read_dir(place.0.join("heard")).expect("the folder").count(), MOST_SPEAKERS + 1);
    }
}
