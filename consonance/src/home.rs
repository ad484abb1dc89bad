//! What is kept between runs: the own identity, and the keys of the servers that were met.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
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
            write(&path, identity.to_pem())?;
            Ok(identity)
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

    /// Keeps a fingerprint that was seen for the first time.
    pub(crate) fn keep(&mut self, server: &str, fingerprint: Fingerprint) -> Result<(), Fail> {
        self.lines.push((server.to_owned(), fingerprint));
        let text: String = self.lines.iter().map(|(name, print)| format!("{name} {print}\n")).collect();
        write(&self.path, &text)
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Fail {
    Fail::new(
        format!("{}: can't be read ({error})", path.display()),
        "make it readable, or name another folder by CONSONANCE_HOME",
    )
}

/// Writes a file that only the user may read, whole or not at all.
fn write(path: &Path, text: &str) -> Result<(), Fail> {
    let draft = path.with_extension("new");
    let put = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&draft)?.write_all(text.as_bytes())?;
        fs::rename(&draft, path)
    };
    put().map_err(|error| {
        Fail::new(
            format!("{}: can't be written ({error})", path.display()),
            "name a folder that can by CONSONANCE_HOME",
        )
    })
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
        fs::write(folder.join("known-servers"), "nonsense\n").unwrap();
        assert!(KnownServers::read(&folder).is_err_and(|fail| fail.to_string().contains("line 1")));
        fs::remove_dir_all(folder).unwrap();
    }
}
