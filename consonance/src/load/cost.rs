//! What a process costs, by the kernel's own account.

use std::fs;

use crate::fail::Fail;

/// Another process of this machine.
pub(super) struct Process(u32);

impl Process {
    /// A process that runs, and whose account can be read: Linux only.
    pub(super) fn find(pid: u32) -> Result<Self, Fail> {
        let process = Self(pid);
        let found = process.busy().map(|_| process);
        found.ok_or_else(|| {
            Fail::new(
                format!("--pid {pid}: no process whose account can be read"),
                "give the pid of the server on this machine (Linux only)",
            )
        })
    }

    /// Time on a processor of all its threads, ns.
    pub(super) fn busy(&self) -> Option<u64> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.0)).ok()?;
        let of = |thread: fs::DirEntry| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        threads.filter_map(|thread| of(thread.ok()?)).reduce(|a, b| a + b)
    }

    /// Memory that is its own, bytes.
    pub(super) fn memory(&self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1_024)
    }
}
