//! Network namespaces and what connects them.

use std::{
    fs::{self, File},
    io,
    os::fd::AsRawFd,
    process::Command,
    thread,
};

use nix::{
    sched::{CloneFlags, setns, unshare},
    unistd::{getgid, getuid},
};

/// A network of its own: interfaces, addresses and ports are apart from all others'. It is gone with the last process in it.
pub(crate) struct Space(File);

impl Space {
    /// A new one, with nothing but its loopback.
    pub(crate) fn new() -> io::Result<Self> {
        let file = apart(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net")
        })?;
        let space = Self(file);
        space.ip("link set lo up")?;
        Ok(space)
    }

    /// Does something in it: sockets that are made and processes that are started there stay there.
    pub(crate) fn inside<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        apart(|| {
            setns(&self.0, CloneFlags::CLONE_NEWNET).expect("a namespace that was entered before");
            what()
        })
    }

    /// Runs `ip` in it.
    pub(crate) fn ip(&self, arguments: &str) -> io::Result<()> {
        let output = self.inside(|| Command::new("ip").args(arguments.split(' ')).output())?;
        let said = String::from_utf8_lossy(&output.stderr);
        output.status.success().then_some(()).ok_or_else(|| io::Error::other(format!("ip {arguments}: {said}")))
    }

    /// Connects interface `name` of this one with interface `other_name` of another by a wire.
    pub(crate) fn wire(&self, name: &str, other: &Self, other_name: &str) -> io::Result<()> {
        let there = format!("/proc/{}/fd/{}", std::process::id(), other.0.as_raw_fd());
        self.ip(&format!(
            "link add {name} address {MAC_TEXT} type veth peer name {other_name} address {MAC_TEXT} netns {there}"
        ))?;
        for (space, name) in [(self, name), (other, other_name)] {
            // Without ARP whatever is on the wire is for the other end; IPv6 would only chatter.
            space.ip(&format!("link set {name} arp off addrgenmode none"))?;
            space.ip(&format!("link set {name} up"))?;
        }
        Ok(())
    }
}

/// Both ends of a wire have the same, so that each takes what the other sends.
pub(crate) const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const MAC_TEXT: &str = "02:00:00:00:00:01";

/// A thread may be in another namespace than the rest of the program.
fn apart<T: Send>(what: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(what).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Gets the right to make namespaces, by being root in one of the user's own if need be. To be called before the first thread begins.
///
/// # Errors
/// Why it isn't allowed here, and what to do.
pub(crate) fn permit() -> Result<(), String> {
    let (user, group) = (getuid(), getgid());
    if !user.is_root() {
        unshare(CloneFlags::CLONE_NEWUSER)
            .map_err(|error| format!("no user namespace may be made ({error}): run as root, or permit them"))?;
        fs::write("/proc/self/setgroups", "deny")
            .and_then(|()| fs::write("/proc/self/uid_map", format!("0 {user} 1")))
            .and_then(|()| fs::write("/proc/self/gid_map", format!("0 {group} 1")))
            .map_err(|error| format!("a user namespace that can't be used ({error}): run as root"))?;
    }
    Command::new("ip").arg("-V").output().map_err(|_| "the command ip is missing: install iproute2".to_owned())?;
    let try_it = || {
        let (one, other) = (Space::new()?, Space::new()?);
        one.wire("one", &other, "other")
    };
    try_it().map_err(|error| format!("no network namespaces can be made and connected ({error}): run as root"))
}
