//! Results that appear all at once or not at all: they are written to a folder beside the one asked for, which then takes its
//! place.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use crate::fail::Fail;

/// A folder of results under way; dropped before [`OutDir::finish`], it leaves nothing behind.
pub(crate) struct OutDir {
    wanted: PathBuf,
    draft: PathBuf,
    /// The outermost folder that had to be made to hold the draft.
    made: Option<PathBuf>,
}

impl OutDir {
    /// Makes the draft folder, so that an unusable place is found before the work is done. A folder that exists must be empty or
    /// hold nothing but what `is_result` knows as the files of an earlier result.
    pub(crate) fn create(wanted: &Path, is_result: fn(&str) -> bool) -> Result<Self, Fail> {
        let draft = beside(wanted, "draft")?;
        if wanted.symlink_metadata().is_ok() {
            check_replaceable(wanted, is_result)?;
        }
        let made = draft.ancestors().take_while(|folder| is_missing(folder)).last().map(Path::to_owned);
        let out = Self { wanted: wanted.to_owned(), draft, made };
        fs::create_dir_all(&out.draft).map_err(|error| fail(wanted, &error))?;
        Ok(out)
    }

    /// Writes one file into the draft.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Fail> {
        fs::write(self.draft.join(name), bytes).map_err(|error| fail(&self.wanted, &error))
    }

    /// Puts the draft in the place asked for.
    pub(crate) fn finish(mut self) -> Result<(), Fail> {
        let old = beside(&self.wanted, "old")?;
        let replaces = self.wanted.symlink_metadata().is_ok();
        if replaces {
            fs::rename(&self.wanted, &old).map_err(|error| fail(&self.wanted, &error))?;
        }
        if let Err(error) = fs::rename(&self.draft, &self.wanted) {
            if replaces {
                let _ = fs::rename(&old, &self.wanted);
            }
            return Err(fail(&self.wanted, &error));
        }
        self.made = None;
        if replaces {
            fs::remove_dir_all(&old).map_err(|error| fail(&old, &error))?;
        }
        Ok(())
    }
}

impl Drop for OutDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.made.as_ref().unwrap_or(&self.draft));
    }
}

/// A name next to the folder asked for, so that a rename needs no copy.
fn beside(wanted: &Path, what: &str) -> Result<PathBuf, Fail> {
    let name = wanted.file_name().ok_or_else(|| {
        Fail::new(format!("--out {}: not a folder's name", wanted.display()), "name a folder, for example --out demo")
    })?;
    let mut draft = OsString::from(".");
    draft.push(name);
    draft.push(format!(".{what}-{}", std::process::id()));
    Ok(wanted.with_file_name(draft))
}

fn is_missing(folder: &Path) -> bool {
    !folder.as_os_str().is_empty() && !folder.exists()
}

fn check_replaceable(wanted: &Path, is_result: fn(&str) -> bool) -> Result<(), Fail> {
    for entry in fs::read_dir(wanted).map_err(|error| fail(wanted, &error))? {
        let name = entry.map_err(|error| fail(wanted, &error))?.file_name();
        if !name.to_str().is_some_and(is_result) {
            return Err(Fail::new(
                format!("--out {}: holds {}, which is no earlier result", wanted.display(), name.display()),
                "name another folder, or empty it",
            ));
        }
    }
    Ok(())
}

fn fail(wanted: &Path, error: &io::Error) -> Fail {
    Fail::new(format!("--out {}: can't be written ({error})", wanted.display()), "name a folder that you may write to")
}
