//! PESQ and STOI, scored by Python packages in an environment of their own, which is made on first use.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::fail::Fail;

/// What is installed, one a line. A change makes the environment anew. `tools/web-test` uses the same.
const PACKAGES: &str = include_str!("packages.txt");
const SCRIPT: &str = include_str!("scores.py");
/// Names another folder for what is kept between runs.
const CACHE_VARIABLE: &str = "CONSONANCE_CACHE";
const WITHOUT: &str = "or give --no-scores for everything but PESQ and STOI";

/// PESQ-WB and STOI of one sound, where they could be scored.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Scores {
    pub(super) pesq: Option<f64>,
    pub(super) stoi: Option<f64>,
}

/// A Python in which the packages are.
pub(super) struct Environment {
    folder: PathBuf,
    python: PathBuf,
}

impl Environment {
    /// Finds the environment, or makes it: about half a minute.
    pub(super) fn prepare() -> Result<Self, Fail> {
        let folder = cache()?.join("quality-scores");
        let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
        let complete = folder.join("complete");
        if fs::read_to_string(&complete).is_ok_and(|packages| packages == PACKAGES) {
            return Ok(Self { folder, python });
        }
        say!("Making a Python environment for PESQ and STOI in {}, once", folder.display());
        let unwritable = |error| {
            Fail::new(
                format!("{}: can't be written ({error})", folder.display()),
                format!("set {CACHE_VARIABLE} to a folder that can, {WITHOUT}"),
            )
        };
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(unwritable)?;
        }
        let made = make(&folder, &python).and_then(|()| fs::write(&complete, PACKAGES).map_err(unwritable));
        if made.is_err() {
            let _ = fs::remove_dir_all(&folder);
            // Only if it is empty, as when it was made for this.
            let _ = folder.parent().map(fs::remove_dir);
        }
        made.map(|()| Self { folder, python })
    }
}

fn make(folder: &Path, python: &Path) -> Result<(), Fail> {
    let system = if cfg!(windows) { "python" } else { "python3" };
    let venv = Command::new(system).args(["-m", "venv"]).arg(folder).output();
    let cure = format!("install Python 3.9 or later with its venv and pip modules, {WITHOUT}");
    let venv = venv.map_err(|error| Fail::new(format!("scores: {system} can't be started ({error})"), &cure))?;
    if !venv.status.success() {
        let said = [venv.stderr, venv.stdout].concat();
        return Err(Fail::new(format!("scores: {system} -m venv failed ({})", reason(&said)), cure));
    }
    say!("Installing {}", PACKAGES.lines().collect::<Vec<_>>().join(", "));
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"];
    let pip = Command::new(python).args(install).args(PACKAGES.lines()).output();
    let pip = pip.map_err(|error| Fail::new(format!("scores: pip can't be started ({error})"), cure))?;
    if !pip.status.success() {
        return Err(Fail::new(
            format!("scores: pip failed ({})", reason(&pip.stderr)),
            format!(
                "see that the package index can be reached and that there are a C compiler and Python's headers, {WITHOUT}"
            ),
        ));
    }
    Ok(())
}

/// The first line that calls itself an error, or the last one.
fn reason(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines.clone().find(|line| line.to_lowercase().starts_with("error"));
    error.or_else(|| lines.next_back()).unwrap_or("without a word").to_owned()
}

/// Where things are kept between runs: below cargo's target folder if the program lies there, or else in the user's cache.
fn cache() -> Result<PathBuf, Fail> {
    let of = |variable| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let program = std::env::current_exe().unwrap_or_default();
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()).map(Path::to_owned);
    let cached = || {
        Some(
            of("XDG_CACHE_HOME")
                .or_else(|| of("LOCALAPPDATA"))
                .or_else(|| Some(of("HOME")?.join(".cache")))?
                .join("consonance"),
        )
    };
    of(CACHE_VARIABLE).or(target).or_else(cached).ok_or_else(|| {
        Fail::new("scores: no place for a Python environment", format!("set {CACHE_VARIABLE} to a folder, {WITHOUT}"))
    })
}

/// A running Python that scores.
pub(super) struct Scorer {
    folder: PathBuf,
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Scorer {
    pub(super) fn start(environment: &Environment) -> Result<Self, Fail> {
        let mut child = Command::new(&environment.python)
            .args(["-W", "ignore", "-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| broken(&environment.folder, &error.to_string()))?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(broken(&environment.folder, "no pipes"));
        };
        Ok(Self { folder: environment.folder.clone(), child, requests, answers: BufReader::new(answers) })
    }

    /// Scores sounds against what was spoken: what was heard, and the same unwarped, each as long as `spoken`.
    pub(super) fn score(&mut self, spoken: &[i16], sounds: &[[Vec<i16>; 2]]) -> Result<Vec<Scores>, Fail> {
        let answer = self.ask(spoken, sounds);
        let scores = answer.as_ref().ok().and_then(|line| parse(line)).filter(|scores| scores.len() == sounds.len());
        scores.ok_or_else(|| self.explain())
    }

    fn ask(&mut self, spoken: &[i16], sounds: &[[Vec<i16>; 2]]) -> std::io::Result<String> {
        writeln!(self.requests, "{}", json!({ "samples": spoken.len(), "sounds": sounds.len() }))?;
        self.requests.write_all(&bytes(spoken))?;
        for sound in sounds.iter().flatten() {
            self.requests.write_all(&bytes(sound))?;
        }
        self.requests.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line)
    }

    /// What it said last, when it gave no answer.
    fn explain(&mut self) -> Fail {
        let _ = self.child.kill();
        let mut said = String::new();
        if let Some(mut errors) = self.child.stderr.take() {
            let _ = errors.read_to_string(&mut said);
        }
        broken(&self.folder, said.lines().last().unwrap_or("it ended without a word"))
    }
}

impl Drop for Scorer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn broken(folder: &Path, why: &str) -> Fail {
    Fail::new(
        format!("scores: Python gave none ({why})"),
        format!("remove {} so that it is made anew, {WITHOUT}", folder.display()),
    )
}

fn bytes(pcm: &[i16]) -> Vec<u8> {
    pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

fn parse(line: &str) -> Option<Vec<Scores>> {
    let json: Value = serde_json::from_str(line).ok()?;
    let scores = json.as_array()?.iter().map(|pair| Scores { pesq: pair[0].as_f64(), stoi: pair[1].as_f64() });
    Some(scores.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_lines_the_error_is_shown() {
        assert_eq!(reason(b"WARNING: retrying\nERROR: no such package\nhint: none\n"), "ERROR: no such package");
        assert_eq!(reason(b"Traceback\n\nModuleNotFoundError\n"), "ModuleNotFoundError");
        assert_eq!(reason(b""), "without a word");
    }

    #[test]
    fn answers_are_scores_or_nothing() {
        let [silent, good] = [(None, None), (Some(4.5), Some(0.9))].map(|(pesq, stoi)| Scores { pesq, stoi });
        assert_eq!(parse("[[null, null], [4.5, 0.9]]\n"), Some(vec![silent, good]));
        assert_eq!(parse(""), None);
        assert_eq!(parse("Traceback"), None);
    }
}
