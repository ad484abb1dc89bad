use std::collections::VecDeque;

use super::{
    ConnId, EndpointId, FaultCounts, Link, NatKind, NetEvent, Preset, Rng, Trace,
    connection::Connections,
    endpoint::{Address, Endpoint},
    event::{Due, Fan, NETWORK, Packet},
    faults::Blocks,
    link::AllTerms,
    nat::Contacts,
    slab::Slab,
    timeline::Timeline,
};

/// The end of time, µs: about 100 days, so that sums don't overflow.
const LAST: u64 = 1 << 43;

/// Machines, links and what is under way.
#[derive(Debug)]
pub struct Network {
    pub(super) now: u64,
    pub(super) rng: Rng,
    pub(super) terms: AllTerms,
    pub(super) endpoints: Vec<Endpoint>,
    /// By machine.
    pub(super) uplinks: Vec<Link>,
    pub(super) connections: Connections,
    pub(super) due: Timeline<Due>,
    pub(super) packets: Slab<Packet>,
    pub(super) fans: Slab<Fan>,
    /// Kept for their memory.
    pub(super) spare_lists: Vec<Vec<(ConnId, Address)>>,
    pub(super) blocks: Blocks,
    pub(super) contacts: Contacts,
    pub(super) events: VecDeque<NetEvent>,
    pub(super) faults: FaultCounts,
    pub(super) deliver_damaged: bool,
    trace: Trace,
}

impl Network {
    /// An empty network at time 0.
    pub fn new(seed: u64) -> Self {
        Self {
            now: 0,
            rng: Rng::new(seed),
            terms: AllTerms::default(),
            endpoints: Vec::new(),
            uplinks: Vec::new(),
            connections: Connections::default(),
            due: Timeline::new(),
            packets: Slab::new(),
            fans: Slab::new(),
            spare_lists: Vec::new(),
            blocks: Blocks::default(),
            contacts: Contacts::default(),
            events: VecDeque::new(),
            faults: FaultCounts::default(),
            deliver_damaged: false,
            trace: Trace::new(),
        }
    }

    /// Adds a machine, at most 65,536.
    pub fn add(&mut self, preset: &Preset, nat: NatKind) -> EndpointId {
        self.uplinks.push(Link::new(preset.up, &mut self.terms));
        self.endpoints.push(Endpoint::new(Link::new(preset.down, &mut self.terms), nat));
        EndpointId(u16::try_from(self.endpoints.len() - 1).expect("at most 65,536 machines"))
    }

    /// True time, µs.
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// When something happens next, µs; not always something that reaches a machine.
    pub fn next_at(&self) -> Option<u64> {
        if self.events.is_empty() { self.due.next_at() } else { Some(self.now) }
    }

    /// Lets time pass up to `until`, or to the first thing that reaches a machine, whichever is earlier. Time ends at 2^43 µs.
    pub fn poll(&mut self, until: u64) -> Option<NetEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                self.note(&event);
                return Some(event);
            }
            let until = until.min(LAST);
            let Some((at, due)) = self.due.pop(until) else {
                self.now = self.now.max(until);
                return None;
            };
            self.now = self.now.max(at);
            match due {
                Due::Wake(token) => return Some(NetEvent::Wake(token)),
                Due::Arrival(number) => {
                    if let Some(packet) = self.packets.take(number)
                        && let Some(event) = self.arrive(packet)
                    {
                        self.note(&event);
                        return Some(event);
                    }
                }
                Due::Downlink(number) => {
                    if let Some(packet) = self.packets.take(number) {
                        self.enter_downlink(packet);
                    }
                }
                Due::Fan(number) => self.spread(number),
                Due::LaneTimer(conn, side) => self.on_lane_timer(conn, side),
                Due::Connect(conn) => self.on_connect_timer(conn),
            }
        }
    }

    /// Asks for [`NetEvent::Wake`] with this token at a true time, µs; one that has passed is taken as now. Whoever is woken at a time is so
    /// after all that reaches machines then, and those of a lower rank, 1 to 3, come first.
    pub fn wake(&mut self, at: u64, rank: u8, token: u64) {
        self.due.push(at.max(self.now), rank.clamp(NETWORK + 1, 3), Due::Wake(token));
    }

    /// How often each fault struck.
    pub const fn faults(&self) -> &FaultCounts {
        &self.faults
    }

    /// The fingerprint of all that reached machines, and when.
    pub const fn trace(&self) -> Trace {
        self.trace
    }

    /// Mixes a number of the caller's into the fingerprint.
    pub fn trace_number(&mut self, number: u64) {
        self.trace.number(number);
    }

    /// Gives a machine other links. What waits or is under way keeps the time it was given.
    pub fn set_preset(&mut self, endpoint: EndpointId, preset: &Preset) {
        self.uplinks[endpoint.index()].set_profile(preset.up, &mut self.terms);
        self.endpoints[endpoint.index()].down.set_profile(preset.down, &mut self.terms);
    }

    /// Gives a machine another NAT.
    pub fn set_nat(&mut self, endpoint: EndpointId, nat: NatKind) {
        self.endpoint_mut(endpoint).nat = nat;
    }

    /// Whether damaged datagrams are delivered as they are, with one bit turned over. Otherwise, and always on the lane, a checksum
    /// catches them.
    pub const fn set_deliver_damaged(&mut self, deliver: bool) {
        self.deliver_damaged = deliver;
    }

    /// Lets a machine's clock run fast (or slow, below 0) from now on, in millionths, at most 100,000. It doesn't jump.
    pub fn set_drift(&mut self, endpoint: EndpointId, ppm: i32) {
        let now = self.now;
        self.endpoint_mut(endpoint).clock.set_drift(now, ppm);
    }

    /// A machine's own clock at true time `at`, µs, which is not before its last change of drift.
    pub fn local(&self, endpoint: EndpointId, at: u64) -> u64 {
        self.endpoint(endpoint).clock.local(at)
    }

    /// The first true time, since its last change of drift, at which a machine's own clock shows `local` or more, µs.
    pub fn true_time(&self, endpoint: EndpointId, local: u64) -> u64 {
        self.endpoint(endpoint).clock.true_time(local)
    }

    fn note(&mut self, event: &NetEvent) {
        let (kind, who, bytes) = match event {
            NetEvent::Wake(_) => return,
            NetEvent::Up(conn, side) => (1, conn.number(*side), None),
            NetEvent::Down(conn, side) => (2, conn.number(*side), None),
            NetEvent::Packet { conn, at, reliable, bytes } => (3 + u64::from(*reliable), conn.number(*at), Some(bytes)),
            NetEvent::Direct { from, to, bytes } => (5, u64::from(from.0) << 16 | u64::from(to.0), Some(bytes)),
        };
        self.trace.number(self.now);
        self.trace.number(kind << 56 | who);
        if let Some(bytes) = bytes {
            self.trace.number(bytes.fingerprint());
        }
    }

    pub(super) fn endpoint(&self, id: EndpointId) -> &Endpoint {
        &self.endpoints[id.index()]
    }

    pub(super) fn endpoint_mut(&mut self, id: EndpointId) -> &mut Endpoint {
        &mut self.endpoints[id.index()]
    }
}
