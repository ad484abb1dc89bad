//! Results that appear all at once or not at all: they are written to a folder beside the one asked for, which then takes its
//! place.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use crate::fail::Fail;

/// A file of a result: its name, with `/` before it the folder that it lies in, and its bytes.
pub(crate) type File = (String, Vec<u8>);

/// A place where a folder of results can be put.
pub(crate) struct OutDir {
    /// The option that names it.
    option: &'static str,
    wanted: PathBuf,
}

impl OutDir {
    /// Looks whether results can be put there, so that an unusable place is found before the work is done. A folder that exists
    /// must be empty or hold nothing but what `is_result` knows as the files of an earlier result.
    pub(crate) fn find(option: &'static str, wanted: &Path, is_result: fn(&str) -> bool) -> Result<Self, Fail> {
        let out = Self { option, wanted: wanted.to_owned() };
        if wanted.symlink_metadata().is_ok() {
            out.check_replaceable(wanted, is_result)?;
        }
        // Trying is the only sure test. The draft is removed again, so that an interrupted run leaves nothing behind.
        drop(out.begin()?);
        Ok(out)
    }

    /// Writes all files and puts them in place of what was there.
    pub(crate) fn publish(&self, files: &[File]) -> Result<(), Fail> {
        let draft = self.begin()?;
        for (name, bytes) in files {
            let path = draft.path.join(name);
            let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
            folder.and_then(|()| fs::write(path, bytes)).map_err(|error| self.fail(&error))?;
        }
        self.put(draft)
    }

    /// Makes an empty folder for files that come one by one.
    pub(crate) fn begin(&self) -> Result<Draft, Fail> {
        let path = self.beside("draft")?;
        let made = path.ancestors().take_while(|folder| is_missing(folder)).last().map(Path::to_owned);
        let draft = Draft { path, made };
        fs::create_dir_all(&draft.path).map_err(|error| self.fail(&error))?;
        Ok(draft)
    }

    /// Puts it in place of what was there.
    pub(crate) fn put(&self, mut draft: Draft) -> Result<(), Fail> {
        self.replace(&draft.path)?;
        draft.made = None;
        Ok(())
    }

    fn replace(&self, draft: &Path) -> Result<(), Fail> {
        let wanted = &self.wanted;
        let failed = |error| self.fail(&error);
        if wanted.symlink_metadata().is_err() {
            return fs::rename(draft, wanted).map_err(failed);
        }
        let old = self.beside("old")?;
        fs::rename(wanted, &old).map_err(failed)?;
        if let Err(error) = fs::rename(draft, wanted) {
            // What was there comes back; there is nothing more to be done if that fails too.
            let _ = fs::rename(&old, wanted);
            return Err(failed(error));
        }
        fs::remove_dir_all(&old).map_err(failed)
    }

    /// A name next to the folder asked for, so that a rename needs no copy.
    fn beside(&self, what: &str) -> Result<PathBuf, Fail> {
        let Self { option, wanted } = self;
        let name = wanted.file_name().ok_or_else(|| {
            let what = format!("{option} {}: not a folder's name", wanted.display());
            Fail::new(what, format!("name a folder, for example {option} demo"))
        })?;
        let mut draft = OsString::from(".");
        draft.push(name);
        draft.push(format!(".{what}-{}", std::process::id()));
        Ok(wanted.with_file_name(draft))
    }

    fn check_replaceable(&self, folder: &Path, is_result: fn(&str) -> bool) -> Result<(), Fail> {
        let Self { option, wanted } = self;
        for entry in fs::read_dir(folder).map_err(|error| self.fail(&error))? {
            let entry = entry.map_err(|error| self.fail(&error))?;
            let path = entry.path();
            // A link to a folder is no folder of ours.
            if folder == wanted && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.check_replaceable(&path, is_result)?;
                continue;
            }
            let name = path.strip_prefix(wanted).unwrap_or(&path);
            if !name.to_str().is_some_and(|name| is_result(&name.replace('\\', "/"))) {
                return Err(Fail::new(
                    format!("{option} {}: holds {}, which is no earlier result", wanted.display(), name.display()),
                    "name another folder, or empty it",
                ));
            }
        }
        Ok(())
    }

    /// Why nothing, or no more, can be written there.
    pub(crate) fn fail(&self, error: &io::Error) -> Fail {
        let cure = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "name a folder on a disk with more room",
            _ => "name a folder that you may write to",
        };
        Fail::new(format!("{} {}: can't be written ({error})", self.option, self.wanted.display()), cure)
    }
}

/// A folder under way; dropped, it leaves nothing behind.
pub(crate) struct Draft {
    path: PathBuf,
    /// The outermost folder that had to be made for it.
    made: Option<PathBuf>,
}

impl Draft {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(made) = &self.made {
            let _ = fs::remove_dir_all(made);
        }
    }
}

fn is_missing(folder: &Path) -> bool {
    !folder.as_os_str().is_empty() && !folder.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(test: &str) -> PathBuf {
        let place = std::env::temp_dir().join(format!("consonance-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        place
    }

    #[test]
    fn looking_for_a_place_makes_nothing() {
        let place = place("find");
        assert!(OutDir::find("--out", &place.join("a/b"), |_| true).is_ok());
        assert!(!place.exists());
    }

    #[test]
    fn results_take_the_place_of_earlier_ones() {
        let place = place("publish");
        let out = OutDir::find("--out", &place.join("a/b"), |_| true).expect("a usable place");
        out.publish(&[("one".into(), b"1".to_vec()), ("two".into(), b"2".to_vec())]).expect("published");
        out.publish(&[("two".into(), b"3".to_vec())]).expect("published again");
        assert_eq!(fs::read(place.join("a/b/two")).expect("a file"), b"3");
        assert!(!place.join("a/b/one").exists());
        assert_eq!(fs::read_dir(place.join("a")).expect("a folder").count(), 1);
        fs::remove_dir_all(&place).expect("removed");
    }

    #[test]
    fn folders_of_a_result_are_looked_into() {
        let (place, is_result) = (place("folders"), (|name| name == "in/one") as fn(&str) -> bool);
        let out = OutDir::find("--out", &place, is_result).expect("a usable place");
        out.publish(&[("in/one".into(), b"1".to_vec())]).expect("published");
        assert!(OutDir::find("--out", &place, is_result).is_ok());
        fs::write(place.join("in/other"), b"mine").expect("a file");
        assert!(OutDir::find("--out", &place, is_result).err().is_some_and(|fail| fail.to_string().contains("other")));
        fs::remove_dir_all(&place).expect("removed");
    }
}
