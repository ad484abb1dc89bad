//! Runs the built command in a folder of its own.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

/// An empty folder for one test, removed when the test is over.
pub(crate) struct Folder(pub(crate) PathBuf);

#[allow(dead_code)] // Each file of tests uses a part of it.
impl Folder {
    pub(crate) fn new(test: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    /// Writes a file into the folder.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.join(name), bytes).expect("a file of the test");
    }

    /// Runs the command in the folder.
    pub(crate) fn consonance(&self, arguments: &[&str]) -> Output {
        self.consonance_in(&[], arguments)
    }

    /// Runs the command in the folder with these variables of the environment.
    pub(crate) fn consonance_in(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_consonance"));
        command.envs(variables.iter().copied()).args(arguments).current_dir(&self.0);
        command.output().expect("the command starts")
    }

    /// Names in the folder, sorted, hidden ones too.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("the test's folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
