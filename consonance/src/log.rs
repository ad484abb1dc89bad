//! The log of a server: a line for each thing that happens, on stderr. What programs read (address, fingerprint) is printed to stdout instead.
//!
//! A thread of its own writes, so that a terminal that was halted or a pipe that nobody reads never holds up a frame: lines that find no place are
//! counted and left out. What came from the network is given as a field, never as part of the message: fields are quoted and escaped, so that a name
//! can't begin a line or steer a terminal.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use clap::ValueEnum;
use serde::Deserialize;
use tracing_subscriber::{filter::LevelFilter, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// Lines that may wait to be written; more are left out.
const WAITING: usize = 1_024;
/// How long the end of the program waits for the last lines.
const PATIENCE: Duration = Duration::from_millis(500);

/// How much is told, each with all that stand before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Nothing.
    Off,
    /// What the server can't do.
    Error,
    /// What somebody should look at, such as wrong passwords.
    Warn,
    /// Who comes and goes.
    #[default]
    Info,
    /// Connections too, before anybody joins by them.
    Debug,
}

impl Level {
    const fn filter(self) -> LevelFilter {
        match self {
            Self::Off => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
        }
    }
}

/// Writes what is left when it is dropped.
pub(crate) struct Log(SyncSender<Word>);

enum Word {
    Line(Vec<u8>),
    /// All before it is written, and this is told so.
    Flush(SyncSender<()>),
}

/// Begins the log of this process. Libraries have no voice in it.
pub(crate) fn start(level: Level) -> Log {
    let (queue, words) = sync_channel(WAITING);
    let lost = Arc::new(AtomicU64::new(0));
    let line = Line { queue: queue.clone(), lost: lost.clone() };
    std::thread::spawn(move || write_all(&words, &lost, &mut io::stderr()));
    let format = tracing_subscriber::fmt::layer().with_target(false).with_writer(move || line.clone());
    let ours = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level.filter());
    // It fails where the process has a log already, which then goes on.
    let _ = tracing_subscriber::registry().with(format).with(ours).try_init();
    Log(queue)
}

impl Drop for Log {
    fn drop(&mut self) {
        let (done, written) = sync_channel(1);
        if self.0.try_send(Word::Flush(done)).is_ok() {
            let _ = written.recv_timeout(PATIENCE);
        }
    }
}

/// Takes one line, whole, in one call, as the formatter gives it.
#[derive(Clone)]
struct Line {
    queue: SyncSender<Word>,
    lost: Arc<AtomicU64>,
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Word::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A log that can't be written is no reason to stop a server.
fn write_all(words: &Receiver<Word>, lost: &AtomicU64, to: &mut impl Write) {
    for word in words {
        match word {
            Word::Line(line) => _ = to.write_all(&line),
            Word::Flush(done) => _ = done.try_send(()),
        }
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(to, "{lost} lines are missing here: the log was read too slowly");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_nobody_reads_holds_nothing_up_and_says_later_how_much_is_missing() {
        let (queue, words) = sync_channel(2);
        let lost = Arc::new(AtomicU64::new(0));
        let mut line = Line { queue, lost: lost.clone() };
        for n in 0..5 {
            line.write_all(format!("{n}\n").as_bytes()).unwrap();
        }
        drop(line);
        let mut written = Vec::new();
        write_all(&words, &lost, &mut written);
        let written = String::from_utf8(written).unwrap();
        assert!(written.starts_with("0\n") && written.ends_with("\n1\n") && !written.contains("2\n"), "{written}");
        assert!(written.contains("lines are missing"), "{written}");
    }
}
