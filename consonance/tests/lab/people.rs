//! A server and those who join it: the real program, in a namespace.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize, atomic::Ordering},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{carried, now, sound, space::Space};

/// The server's port.
pub(crate) const PORT: u16 = 7757;
const HTTP: &str = "127.0.0.1:7758";

/// A folder for a test's keys and recordings, gone at the end. Each test has one.
pub(crate) struct Home(PathBuf);

impl Home {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        carried::begin();
        let name = format!("lab-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program that runs in a namespace, and what it has said when.
struct Running {
    child: Child,
    said: Arc<Mutex<Vec<(Instant, String)>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    fn start(space: &Space, home: &Home, who: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_consonance"));
        command.env("CONSONANCE_HOME", home.0.join(who)).args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = space.inside(|| command.spawn()).expect("the program runs");
        carried::watch(child.id());
        let said = Arc::new(Mutex::new(Vec::new()));
        let out: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("piped")), Box::new(child.stderr.take().expect("piped"))];
        let readers = out.map(|out| {
            let said = Arc::clone(&said);
            thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    said.lock().unwrap_or_else(PoisonError::into_inner).push((now(), line));
                }
            })
        });
        Self { child, said, readers: readers.into() }
    }

    fn lines(&self) -> Vec<(Instant, String)> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn wait_for(&self, text: &str, since: Instant, most: Duration) -> Option<Instant> {
        let until = now() + most;
        loop {
            if let Some((at, _)) = self.lines().iter().find(|(at, line)| *at >= since && line.contains(text)) {
                return Some(*at);
            }
            if now() >= until {
                return None;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn end(&mut self) {
        self.child.wait().expect("it ends");
        self.readers.drain(..).for_each(|reader| reader.join().expect("a reader of lines"));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) struct Server<'s> {
    space: &'s Space,
    running: Running,
}

impl<'s> Server<'s> {
    /// Starts one at all addresses of the namespace, and waits until it listens.
    pub(crate) fn start(space: &'s Space, home: &Home) -> Self {
        let listen = format!("0.0.0.0:{PORT}");
        let running = Running::start(space, home, "server", &["serve", "--listen", &listen, "--http", HTTP]);
        let begin = now();
        running.wait_for("join with", begin, Duration::from_secs(20)).expect("the server says how to join");
        Self { space, running }
    }

    /// Ends it without a word.
    pub(crate) fn kill(mut self) {
        self.running.child.kill().expect("it runs");
        self.running.end();
    }

    /// A figure of `/metrics`, such as `clients` or `datagrams_dropped_total{reason="forged"}`.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let page = self.space.inside(|| {
            let mut stream = TcpStream::connect(HTTP).expect("the server answers");
            stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("a request");
            let mut page = String::new();
            stream.read_to_string(&mut page).expect("an answer");
            page
        });
        let line = page.lines().find_map(|line| line.strip_prefix("consonance_")?.strip_prefix(name));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("no {name} in {page}"))
    }

    /// All datagrams that its transport has dropped for a reason.
    pub(crate) fn dropped(&self, reason: &str) -> u64 {
        self.metric(&format!("datagrams_dropped_total{{reason=\"{reason}\"}}"))
    }

    /// The page of metrics is written once a second.
    pub(crate) fn wait_for_metrics(&self) {
        thread::sleep(Duration::from_millis(1_200));
    }

    /// For how long its loop has had a processor, and for how long it has waited for one, s.
    pub(crate) fn processor(&self) -> [f64; 2] {
        carried::processor(self.running.child.id()).expect("the account of the server")
    }

    /// Resident memory that is its own, KiB.
    pub(crate) fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.running.child.id());
        let text = fs::read_to_string(path).expect("the account of the server");
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).expect("its memory")
    }
}

/// Somebody who has joined.
pub(crate) struct Person {
    running: Running,
    name: String,
    record: PathBuf,
}

/// What somebody does.
#[derive(Clone, Copy)]
pub(crate) struct Does<'a> {
    pub(crate) room: &'a str,
    /// A clip, and how often it is said; 0 is a listener.
    pub(crate) clip: u32,
    pub(crate) times: usize,
    /// Leaves after so long, s.
    pub(crate) seconds: u64,
    /// Straight to the other, where networks allow it. What the server counts and sheds is seen only without.
    pub(crate) direct: bool,
}

impl Person {
    pub(crate) fn join(space: &Space, home: &Home, name: &str, server: Ipv4Addr, does: Does<'_>) -> Self {
        let record = home.0.join(format!("{name}-heard"));
        let (server, seconds) = (format!("{server}:{PORT}"), does.seconds.to_string());
        let folder = record.to_str().expect("a path in UTF-8");
        let mut arguments = vec!["join", &server, "--name", name, "--room", does.room];
        arguments.extend(["--seconds", &seconds, "--record", folder]);
        if !does.direct {
            arguments.push("--no-direct");
        }
        let clip = sound::clip(does.clip);
        if does.times > 0 {
            arguments.push("--say");
            arguments.extend(std::iter::repeat_n(&*clip, does.times));
        }
        Self { running: Running::start(space, home, name, &arguments), name: name.to_owned(), record }
    }

    /// When it first said so, after a time; at most so long is waited.
    pub(crate) fn says(&self, text: &str, since: Instant, most: Duration) -> Option<Instant> {
        self.running.wait_for(text, since, most)
    }

    /// Waits until it is in the session.
    pub(crate) fn is_in(&self) {
        let begin = now() - Duration::from_secs(60);
        let found = self.says("connected to", begin, Duration::from_secs(30));
        assert!(found.is_some(), "{} isn't in:\n{}", self.name, self.output());
    }

    /// How often it said so.
    pub(crate) fn said(&self, text: &str) -> usize {
        self.running.lines().iter().filter(|(_, line)| line.contains(text)).count()
    }

    /// All that it said.
    pub(crate) fn output(&self) -> String {
        self.running.lines().iter().fold(String::new(), |all, (_, line)| all + line + "\n")
    }

    /// Waits until it has left.
    pub(crate) fn end(&mut self) {
        self.running.end();
    }

    /// Makes it leave now, as somebody who pulls the plug.
    pub(crate) fn interrupt(&self) {
        let _ = kill(Pid::from_raw(self.running.child.id() as i32), Signal::SIGKILL);
    }

    /// How many packets of somebody it has missed, after it has left.
    pub(crate) fn lost(&self, of: &str) -> u64 {
        let output = self.output();
        let mut lines =
            output.lines().filter_map(|line| line.strip_prefix(of)?.strip_prefix(": ")?.split_once(" lost, "));
        let words = lines.find_map(|(before, _)| before.rsplit(' ').next()?.parse().ok());
        words.unwrap_or_else(|| panic!("no word of how {of} came through:\n{output}"))
    }

    /// What it heard of somebody, after it has left.
    pub(crate) fn heard(&self, of: &str) -> Vec<i16> {
        let mut files = fs::read_dir(&self.record).unwrap_or_else(|error| panic!("{error}:\n{}", self.output()));
        let found = files.find_map(|entry| {
            let path = entry.ok()?.path();
            path.file_name()?.to_str()?.starts_with(&format!("{of}-")).then_some(path)
        });
        sound::samples(found.unwrap_or_else(|| panic!("{} heard nothing of {of}:\n{}", self.name, self.output())))
    }
}
