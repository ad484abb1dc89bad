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
const HEADER_BYTES: u64 = 44;

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
        let mixed = Track::begin(draft.path().join(MIXED)).map_err(|error| out.fail(&error))?;
        Ok(Self { out, draft, mixed, alone: BTreeMap::new(), samples: 0, over: None })
    }

    /// Takes what follows of all together.
    pub(crate) fn hear(&mut self, block: &[i16]) {
        let (at, end) = (self.samples, self.samples + block.len() as u64);
        if end > MOST_SAMPLES && self.over.is_none() {
            let full = "--record: 12 hours are recorded, and a WAV file holds no more";
            self.end(Fail::new(full, "join again with another folder"));
        }
        self.write(|recording| {
            recording.mixed.put(at, block)?;
            recording.samples = end;
            Ok(())
        });
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
        let Self { out, draft, mixed, alone, samples, mut over } = self;
        let named = alone.into_iter().map(|(id, track)| {
            let name: String = name_of(id).chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
            (format!("{name}-{id}.wav"), track)
        });
        for (name, track) in [(MIXED.to_owned(), mixed)].into_iter().chain(named) {
            if let Err(error) = track.finish(samples, &draft.path().join(name)) {
                over.get_or_insert_with(|| out.fail(&error));
            }
        }
        out.put(draft)?;
        over.map_or(Ok(()), Err)
    }

    /// A disk that is full ends the recording, not the talk.
    fn write(&mut self, write: impl FnOnce(&mut Self) -> io::Result<()>) {
        if self.over.is_some() {
            return;
        }
        if let Err(error) = write(self) {
            self.end(self.out.fail(&error));
        }
    }

    fn end(&mut self, why: Fail) {
        complain!("nothing more is recorded: {why}");
        self.over = Some(why);
    }
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
            self.file.seek(SeekFrom::Start(HEADER_BYTES + 2 * at))?;
        }
        for sample in block {
            self.file.write_all(&sample.to_le_bytes())?;
        }
        self.at = at + block.len() as u64;
        Ok(())
    }

    /// Gives the file its length and its name, also when its last samples find no room.
    fn finish(mut self, samples: u64, name: &Path) -> io::Result<()> {
        let written = self.file.flush();
        let (mut file, _) = self.file.into_parts();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header(samples))?;
        file.set_len(HEADER_BYTES + 2 * samples)?;
        fs::rename(&self.path, name)?;
        written
    }
}

/// The header of a file of so many samples; while their number isn't known, of the longest one.
fn header(samples: u64) -> Vec<u8> {
    let mut header = voice_audio::write_wav(&[]).unwrap_or_default();
    let data = 2 * samples.min(MOST_SAMPLES);
    // Of the whole after the first 8 bytes, and, last in the header, of the samples. Both are below 2^32.
    for (at, bytes) in [(4, HEADER_BYTES - 8 + data), (40, data)] {
        header[at..at + 4].copy_from_slice(&(bytes as u32).to_le_bytes());
    }
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
            let out = OutDir::find("--record", &self.0.join("heard"), |_| true).expect("a usable place");
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
    fn a_disk_that_fails_ends_the_recording_and_what_was_heard_is_kept() {
        let place = Place::new("full");
        let mut recording = place.begin();
        recording.hear(&[5; 48_000]);
        // From here on nothing can be written there.
        recording.mixed.file.flush().expect("written");
        let path = recording.mixed.path.clone();
        let whole =
            std::mem::replace(&mut recording.mixed.file, BufWriter::new(fs::File::open(&path).expect("a file")));
        for _ in 0..2 {
            recording.hear(&[6; 48_000]);
        }
        assert!(recording.over.is_some());
        recording.mixed.file = whole;
        let fail = recording.finish(|_| unreachable!()).expect_err("it ended early").to_string();
        assert!(fail.contains("--record") && fail.contains("heard: can't be written"), "{fail}");
        assert_eq!(place.samples("heard.wav"), vec![5; 48_000]);
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
