//! The wait of a loop with several sockets.

use std::{io, time::Duration};

use super::adapter::Adapter;

/// Waits until something comes to any of the adapters, at most so long.
#[cfg(unix)]
pub(super) fn until_readable(adapters: &[Box<dyn Adapter>], most: Duration) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let mut sources = Vec::with_capacity(4);
    adapters.iter().for_each(|adapter| adapter.watch(&mut sources));
    let mut watched: Vec<_> = sources.into_iter().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    let most = Timespec { tv_sec: most.as_secs() as i64, tv_nsec: most.subsec_nanos().into() };
    match poll(&mut watched, Some(&most)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits until something comes to any of the adapters, at most so long. Where sockets can't be waited for together, each has its turn, and the others
/// are looked at soon enough.
#[cfg(not(unix))]
pub(super) fn until_readable(adapters: &[Box<dyn Adapter>], most: Duration) -> io::Result<()> {
    let most = if adapters.len() > 1 { most.min(Duration::from_millis(1)) } else { most };
    adapters.iter().try_for_each(|adapter| adapter.wait(most))
}
