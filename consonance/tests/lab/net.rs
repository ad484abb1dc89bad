//! An internet in one thread: hosts hang on wires, and what one sends to another passes the lines of both, with the faults and the address
//! translation that the test gave them. The kernel's netem isn't there everywhere, and can't be told to catch a datagram and send it again.

use std::{
    collections::BTreeMap,
    io,
    net::Ipv4Addr,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{
        AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt, socket,
        sockopt::RcvBufForce,
    },
};

use crate::{nat::Nat, now, packet::Datagram, space::Space};

/// A datagram that is repeated comes again so much later.
const AGAIN_AFTER: Duration = Duration::from_millis(300);

/// What a line does to datagrams, in both directions. Shares are of a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) lost: u32,
    pub(crate) again: u32,
    pub(crate) bent: u32,
    pub(crate) delay: Duration,
    /// Some are as much later as this, and so overtaken.
    pub(crate) late: u32,
    pub(crate) late_by: Duration,
    /// Nothing passes.
    pub(crate) down: bool,
}

/// What happened on a line.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) came: u64,
    pub(crate) lost: u64,
    pub(crate) again: u64,
    pub(crate) bent: u64,
    pub(crate) late: u64,
}

/// How a host hangs on the internet.
pub(crate) struct Line {
    pub(crate) address: Ipv4Addr,
    pub(crate) nat: Option<Nat>,
    pub(crate) faults: Faults,
    pub(crate) counts: Counts,
}

pub(crate) struct Net {
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    _space: Space,
}

impl Net {
    /// Connects hosts, each by its interface `eth0` with its address.
    pub(crate) fn new(hosts: &[(&Space, Ipv4Addr)]) -> io::Result<Self> {
        let space = Space::new()?;
        let (mut ports, mut lines) = (Vec::new(), Vec::new());
        for (number, (host, address)) in hosts.iter().enumerate() {
            let port = format!("port{number}");
            space.wire(&port, host, "eth0")?;
            host.ip(&format!("address add {address}/32 dev eth0"))?;
            host.ip("route add default dev eth0")?;
            ports.push(space.inside(|| open(&port))?);
            let (faults, counts) = (Faults::default(), Counts::default());
            lines.push(Line { address: *address, nat: None, faults, counts });
        }
        let state = Arc::new(Mutex::new(State { lines, due: BTreeMap::new(), taken: 0, random: 1 }));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, asked) = (Arc::clone(&state), Arc::clone(&stop));
        let thread = Some(thread::spawn(move || run(&ports, &shared, &asked)));
        Ok(Self { state, stop, thread, _space: space })
    }

    /// Looks at a host's line or changes it, by its number in the order of [`Net::new`].
    pub(crate) fn line<T>(&self, host: usize, what: impl FnOnce(&mut Line) -> T) -> T {
        what(&mut locked(&self.state).lines[host])
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A socket for all that is on the wire of an interface.
pub(crate) fn open(interface: &str) -> io::Result<OwnedFd> {
    let addresses = nix::ifaddrs::getifaddrs()?;
    let mut links = addresses.filter(|found| found.interface_name == interface).filter_map(|found| found.address);
    let link: LinkAddr = links.find_map(|address| address.as_link_addr().copied()).ok_or(io::ErrorKind::NotFound)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)?;
    bind(fd.as_raw_fd(), &link)?;
    // What is smaller loses more.
    let _ = setsockopt(&fd, RcvBufForce, &(16 << 20));
    Ok(fd)
}

/// The next datagram on the wire, if one is there.
pub(crate) fn receive(port: &OwnedFd) -> Option<Datagram> {
    let mut buffer = [0; 2_048];
    loop {
        let len = recv(port.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT).ok()?;
        if let Some(datagram) = Datagram::read(&buffer[..len]) {
            return Some(datagram);
        }
    }
}

/// Puts a datagram on the wire; false if the kernel takes none now.
pub(crate) fn transmit(port: &OwnedFd, datagram: &Datagram) -> bool {
    send(port.as_raw_fd(), &datagram.frame(), MsgFlags::MSG_DONTWAIT).is_ok()
}

fn run(ports: &[OwnedFd], state: &Mutex<State>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let most = locked(state).until(now()).min(Duration::from_millis(50));
        let mut fds: Vec<PollFd<'_>> = ports.iter().map(|port| PollFd::new(port.as_fd(), PollFlags::POLLIN)).collect();
        let _ = poll(&mut fds, PollTimeout::try_from(most.as_millis() as i32).unwrap_or(PollTimeout::ZERO));
        let mut state = locked(state);
        for (number, port) in ports.iter().enumerate() {
            // Not for ever: what is due must leave.
            for datagram in std::iter::from_fn(|| receive(port)).take(64) {
                state.take(now(), number, datagram);
            }
        }
        while let Some((port, datagram)) = state.next_due(now()) {
            transmit(&ports[port], &datagram);
        }
    }
}

struct State {
    lines: Vec<Line>,
    /// With the host that it goes to.
    due: BTreeMap<(Instant, u64), (usize, Datagram)>,
    taken: u64,
    random: u64,
}

impl State {
    fn until(&self, now: Instant) -> Duration {
        self.due.first_key_value().map_or(Duration::MAX, |((at, _), _)| at.saturating_duration_since(now))
    }

    fn next_due(&mut self, now: Instant) -> Option<(usize, Datagram)> {
        self.due.first_entry().filter(|entry| entry.key().0 <= now).map(|entry| entry.remove())
    }

    /// A host sends.
    fn take(&mut self, now: Instant, from: usize, datagram: Datagram) {
        for (after, mut datagram) in self.pass(from, datagram) {
            if let Some(nat) = &mut self.lines[from].nat {
                datagram.from = nat.out(datagram.from, datagram.to);
            }
            let Some(to) = self.route(&mut datagram) else { continue };
            for (more, datagram) in self.pass(to, datagram) {
                self.taken += 1;
                self.due.insert((now + after + more, self.taken), (to, datagram));
            }
        }
    }

    /// The host that it goes to, whose own address it gets.
    fn route(&self, datagram: &mut Datagram) -> Option<usize> {
        let outside = |line: &Line| line.nat.as_ref().map_or(line.address, Nat::outside);
        let to = self.lines.iter().position(|line| outside(line) == *datagram.to.ip())?;
        if let Some(nat) = &self.lines[to].nat {
            datagram.to = nat.back(datagram.from, datagram.to.port())?;
        }
        Some(to)
    }

    /// What comes out of a line, and how much later.
    fn pass(&mut self, line: usize, datagram: Datagram) -> Vec<(Duration, Datagram)> {
        let faults = self.lines[line].faults;
        let [lost, again, bent, late] = [faults.lost, faults.again, faults.bent, faults.late].map(|of| self.draws(of));
        let mut out = Vec::new();
        let counts = &mut self.lines[line].counts;
        counts.came += 1;
        if lost || faults.down {
            counts.lost += 1;
            return out;
        }
        let after = faults.delay + if late { faults.late_by } else { Duration::ZERO };
        counts.late += u64::from(late);
        counts.again += u64::from(again);
        counts.bent += u64::from(bent);
        if bent {
            // Beside the true one, and before it: after it, its number alone would give it away.
            let mut bent = datagram.clone();
            let bit = self.draw() as usize % (bent.bytes.len() * 8).max(1);
            bent.bytes.get_mut(bit / 8).into_iter().for_each(|byte| *byte ^= 1 << (bit % 8));
            out.push((after, bent));
        }
        if again {
            out.push((after + AGAIN_AFTER, datagram.clone()));
        }
        out.push((after, datagram));
        out
    }

    fn draws(&mut self, of_1000: u32) -> bool {
        self.draw() % 1_000 < of_1000.into()
    }

    /// SplitMix64: the same faults for the same datagrams.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
