//! The program as processes of a test: servers and people who join them, and what is asked of servers over HTTP.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

/// A folder that is gone at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("consonance-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn program(home: &Folder, who: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_consonance"));
    command.env("CONSONANCE_HOME", home.at(who)).stdin(Stdio::null());
    command
}

/// A server on a port that the system chose, or on one it had before.
pub(crate) struct Server {
    child: Child,
    log: Arc<Mutex<String>>,
    said: Arc<Mutex<String>>,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(home: &Folder, address: &str, more: &[&str]) -> Self {
        let mut command = program(home, "server");
        command.args(["serve", "--listen", address]).args(more);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
        let (log, said) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(String::new())));
        let (stderr, kept) = (BufReader::new(child.stderr.take().expect("piped")), log.clone());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                eprintln!("{line}");
                kept.lock().expect("the log").push_str(&(line + "\n"));
            }
        });
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("the server says where it listens");
        let address = line.trim().rsplit(' ').next().expect("an address").to_owned();
        assert!(line.contains("listening on 127.0.0.1:"), "{line}");
        // What else it says is read at once, so that it never waits for a reader.
        let kept = said.clone();
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                kept.lock().expect("what it said").push_str(&(line + "\n"));
            }
        });
        Self { child, log, said, address }
    }

    /// The rest of the line that begins with these words, as soon as it is said.
    pub(crate) fn says(&self, words: &str) -> String {
        for _ in 0..200 {
            let said = self.said.lock().expect("what it said").clone();
            if let Some(rest) = said.split_inclusive('\n').find_map(|line| line.strip_prefix(words)?.strip_suffix('\n'))
            {
                return rest.to_owned();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("it says {words:?}, and not: {}", self.said.lock().expect("what it said"))
    }

    /// Whether it has said so by now.
    pub(crate) fn has_said(&self, words: &str) -> bool {
        self.said.lock().expect("what it said").contains(words)
    }

    /// Address and port for browsers.
    pub(crate) fn web(&self) -> String {
        self.says("open http://").split('/').next().expect("an address").to_owned()
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to its log so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a server answers to a request with this head.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// All that came of a connection.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value, in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Asks over HTTP at an address: a request line without its version, more lines of the head, and a body.
pub(crate) fn ask(address: &str, what: &str, head: &[&str], body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).expect("the server answers");
    stream.write_all(request(address, what, head, body).as_bytes()).expect("a request");
    let mut answer = Vec::new();
    // A server that doesn't want the body hangs up on the rest of it.
    let _ = stream.read_to_end(&mut answer);
    Answer::of(&answer)
}

/// The request that [`ask`] sends.
pub(crate) fn request(address: &str, what: &str, head: &[&str], body: &str) -> String {
    let host =
        if head.iter().any(|line| line.starts_with("Host:")) { String::new() } else { format!("Host: {address}\r\n") };
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let more: String = head.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{what} HTTP/1.1\r\n{host}{more}{length}Connection: close\r\n\r\n{body}")
}

pub(crate) fn join(home: &Folder, who: &str, server: &str, more: &[&str]) -> Child {
    let mut command = program(home, who);
    command.args(["join", server, "--no-sound", "--name", who]).args(more);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs")
}

pub(crate) fn end(child: Child) -> (Output, String) {
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output, text)
}
