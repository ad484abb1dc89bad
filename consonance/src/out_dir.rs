//! Results that appear all at once or not at all: they are written to a folder beside the one asked for, which then takes its
//! name.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::fail::Fail;

/// The name of the file that says that a folder was made here, so that a later run may replace it.
const MARK: &str = "summary.json";

pub(crate) struct OutDir {
    wanted: PathBuf,
    draft: PathBuf,
}

impl OutDir {
    /// Makes the draft folder, so that an unusable place is found before the work is done.
    pub(crate) fn create(wanted: &Path) -> Result<Self, Fail> {
        let name = wanted.file_name().ok_or_else(|| {
            Fail::new(format!("--out {}: not a folder's name", wanted.display()), "name a folder, for example --out demo")
        })?;
        if wanted.exists() {
            Self::check_replaceable(wanted)?;
        }
        let mut draft_name = name.to_owned();
        draft_name.push(format!(".draft-{}", std::process::id()));
        let draft = wanted.with_file_name(draft_name);
        fs::create_dir_all(&draft).map_err(|error| Self::fail(wanted, &error))?;
        Ok(Self { wanted: wanted.to_owned(), draft })
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Fail> {
        fs::write(self.draft.join(name), bytes).map_err(|error| Self::fail(&self.wanted, &error))
    }

    /// Puts the draft in the place asked for.
    pub(crate) fn finish(self) -> Result<(), Fail> {
        if self.wanted.exists() {
            fs::remove_dir_all(&self.wanted).map_err(|error| Self::fail(&self.wanted, &error))?;
        }
        fs::rename(&self.draft, &self.wanted).map_err(|error| Self::fail(&self.wanted, &error))
    }

    fn check_replaceable(wanted: &Path) -> Result<(), Fail> {
        let mut entries = fs::read_dir(wanted).map_err(|error| Self::fail(wanted, &error))?;
        if wanted.join(MARK).is_file() || entries.next().is_none() {
            return Ok(());
        }
        Err(Fail::new(
            format!("--out {}: holds other files than an earlier result", wanted.display()),
            "name another folder, or empty it",
        ))
    }

    fn fail(wanted: &Path, error: &io::Error) -> Fail {
        Fail::new(format!("--out {}: can't be written ({error})", wanted.display()), "name a folder that you may write to")
    }
}

impl Drop for OutDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.draft);
    }
}
