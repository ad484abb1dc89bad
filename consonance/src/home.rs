//! What is kept between runs: the own identity, and the keys of the servers that were met.

use std::{
    env, fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use adapter_udp::{Fingerprint, Identity};

use crate::fail::Fail;

/// The folder: `CONSONANCE_HOME`, or `consonance` in the user's folder for configuration.
pub(crate) fn folder() -> Result<PathBuf, Fail> {
    let named = env::var_os("CONSONANCE_HOME").map(PathBuf::from);
    let usual = || {
        let base = env::var_os("XDG_CONFIG_HOME").or_else(|| env::var_os("APPDATA")).map(PathBuf::from);
        let base = base.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
        base.map(|base| base.join("consonance"))
    };
    named.or_else(usual).ok_or_else(|| {
        Fail::new("there is no folder for keys: neither HOME nor XDG_CONFIG_HOME is set", "name one by CONSONANCE_HOME")
    })
}

/// The identity in a file of the folder; made at the first use.
pub(crate) fn identity(folder: &Path, file: &str) -> Result<Identity, Fail> {
    let path = folder.join(file);
    match fs::read_to_string(&path) {
        Ok(text) => Identity::from_pem(&text).map_err(|error| {
            Fail::new(format!("{}: {error}", path.display()), "move the file away to get a new identity")
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let identity = Identity::generate()
                .map_err(|error| Fail::new(format!("no identity can be made: {error}"), "try again"))?;
            make(&path, identity.to_pem())?;
            // Another process may have been quicker: its identity is this user's then.
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
            Identity::from_pem(&text).map_err(|error| Fail::new(format!("{}: {error}", path.display()), "start again"))
        }
        Err(error) => Err(unreadable(&path, &error)),
    }
}

/// The fingerprints of servers, by the address that was typed: one line each, as `ADDRESS FINGERPRINT`.
pub(crate) struct KnownServers {
    path: PathBuf,
    lines: Vec<(String, Fingerprint)>,
}

impl KnownServers {
    pub(crate) fn read(folder: &Path) -> Result<Self, Fail> {
        let path = folder.join("known-servers");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(unreadable(&path, &error)),
        };
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let entry =
                line.trim().split_once(' ').and_then(|(name, print)| Some((name.into(), print.trim().parse().ok()?)));
            let entry = entry.ok_or_else(|| {
                let place = format!("{}, line {}: not 'ADDRESS FINGERPRINT'", path.display(), number + 1);
                Fail::new(place, "mend or remove the line")
            })?;
            lines.push(entry);
        }
        Ok(Self { path, lines })
    }

    /// Where they are kept.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn get(&self, server: &str) -> Option<Fingerprint> {
        self.lines.iter().find(|(name, _)| name == server).map(|(_, print)| *print)
    }

    /// Keeps a fingerprint that was seen for the first time. Others may keep theirs at the same time, so a line is added and nothing else is touched.
    pub(crate) fn keep(&mut self, server: &str, fingerprint: Fingerprint) -> Result<(), Fail> {
        self.lines.push((server.to_owned(), fingerprint));
        let put = || {
            fs::create_dir_all(self.path.parent().unwrap_or(Path::new(".")))?;
            let mut file = private().read(true).append(true).create(true).open(&self.path)?;
            // Somebody's editor may have left the last line without an end.
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            let begin = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            file.write_all(format!("{begin}{server} {fingerprint}\n").as_bytes())?;
            file.sync_all()
        };
        put().map_err(|error| unwritable(&self.path, &error))
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Fail {
    Fail::new(
        format!("{}: can't be read ({error})", path.display()),
        "make it readable, or name another folder by CONSONANCE_HOME",
    )
}

fn unwritable(path: &Path, error: &io::Error) -> Fail {
    Fail::new(format!("{}: can't be written ({error})", path.display()), "name a folder that can by CONSONANCE_HOME")
}

/// For files that only the user may read.
fn private() -> fs::OpenOptions {
    #[allow(unused_mut)]
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a file that only the user may read, whole or not at all, unless there is one.
fn make(path: &Path, text: &str) -> Result<(), Fail> {
    static DRAFTS: AtomicU32 = AtomicU32::new(0);
    let (process, number) = (std::process::id(), DRAFTS.fetch_add(1, Ordering::Relaxed));
    let draft = path.with_extension(format!("new-{process}-{number}"));
    let put = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let mut file = private().write(true).create(true).truncate(true).open(&draft)?;
        file.write_all(text.as_bytes())?;
        // The name must not outlive a loss of power without what it names.
        file.sync_all()?;
        match fs::hard_link(&draft, path) {
            Ok(()) => fs::remove_file(&draft),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::remove_file(&draft),
            // Not every file system has links.
            Err(_) => fs::rename(&draft, path),
        }
    };
    put().map_err(|error| unwritable(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_and_a_known_server_are_there_again_at_the_next_run() {
        let folder = env::temp_dir().join(format!("consonance-home-{}", std::process::id()));
        let first = identity(&folder, "client.pem").unwrap();
        assert_eq!(identity(&folder, "client.pem").unwrap().fingerprint(), first.fingerprint());
        let mut known = KnownServers::read(&folder).unwrap();
        assert_eq!(known.get("localhost:7757"), None);
        known.keep("localhost:7757", first.fingerprint()).unwrap();
        assert_eq!(KnownServers::read(&folder).unwrap().get("localhost:7757"), Some(first.fingerprint()));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no draft is left");
        fs::write(folder.join("known-servers"), "nonsense\n").unwrap();
        assert!(KnownServers::read(&folder).is_err_and(|fail| fail.to_string().contains("line 1")));
        fs::remove_dir_all(folder).unwrap();
    }
    #[test]
    fn who_meets_servers_at_the_same_time_as_others_loses_none_of_theirs() {
        let folder = env::temp_dir().join(format!("consonance-met-{}", std::process::id()));
        let print = Identity::generate().unwrap().fingerprint();
        let mut both = [KnownServers::read(&folder).unwrap(), KnownServers::read(&folder).unwrap()];
        both[0].keep("one", print).unwrap();
        both[1].keep("two", print).unwrap();
        fs::write(folder.join("known-servers"), fs::read_to_string(folder.join("known-servers")).unwrap().trim_end())
            .unwrap();
        both[0].keep("three", print).unwrap();
        let known = KnownServers::read(&folder).unwrap();
        assert!(["one", "two", "three"].iter().all(|name| known.get(name) == Some(print)));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn of_two_who_begin_at_the_same_time_both_have_the_same_identity() {
        let folder = env::temp_dir().join(format!("consonance-first-{}", std::process::id()));
        let make = || identity(&folder, "client.pem").unwrap().fingerprint();
        let all: Vec<Fingerprint> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(all.iter().all(|print| *print == all[0]));
        fs::remove_dir_all(folder).unwrap();
    }
}
