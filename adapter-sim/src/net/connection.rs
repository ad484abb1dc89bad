//! Connections between a client and a server: opening, the two lanes, datagrams, closing.

use super::{
    Break, EndpointId, NetEvent, Network, PacketBytes,
    endpoint::Address,
    event::{Due, Fan, Load, NETWORK, Packet},
    lane::{Ack, LaneIn, LaneOut},
};

const SYN_EVERY: u64 = 500_000;
/// A lane that gets nothing acknowledged for this long is down, unless told otherwise, µs.
const DEAD_AFTER: u64 = 12_000_000;

/// A connection: every one has a number of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub(super) u32);

impl ConnId {
    /// A dense number, for arrays.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    pub(super) const fn number(self, side: Side) -> u64 {
        (self.0 as u64) << 1 | side as u64
    }
}

/// An end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Who opened it.
    Client,
    /// Who was called.
    Server,
}

impl Side {
    /// The other end.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What a change of a client's address does to its connections. Those of a machine that was called die by its change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rebind {
    /// The server follows, as QUIC does, with the first packet from the new address.
    #[default]
    Migrate,
    /// The connection is dead, as with TCP.
    Break,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Opening,
    Open,
    /// Sends nothing new, and closes when all is acknowledged.
    Finishing,
    Closed,
}

/// What a datagram needs of a connection; the lanes lie apart.
#[derive(Debug)]
struct Connection {
    endpoints: [EndpointId; 2],
    addresses: [Address; 2],
    states: [State; 2],
}

/// The lanes of one end.
#[derive(Debug, Default)]
struct Lanes {
    out: LaneOut,
    into: LaneIn,
    timer_at: Option<u64>,
}

/// All connections that ever were.
#[derive(Debug)]
pub(super) struct Connections {
    all: Vec<Connection>,
    lanes: Vec<[Lanes; 2]>,
    opened_at: Vec<u64>,
    rebind: Rebind,
    dead_after: u64,
}

impl Default for Connections {
    fn default() -> Self {
        let (all, lanes, opened_at) = (Vec::new(), Vec::new(), Vec::new());
        Self { all, lanes, opened_at, rebind: Rebind::Migrate, dead_after: DEAD_AFTER }
    }
}

impl Connections {
    pub(super) fn endpoint(&self, id: ConnId, side: Side) -> EndpointId {
        self.all[id.index()].endpoints[side as usize]
    }

    /// Closes every end at a machine.
    pub(super) fn forget(&mut self, endpoint: EndpointId) {
        for index in 0..self.all.len() {
            for side in [Side::Client, Side::Server] {
                if self.all[index].endpoints[side as usize] == endpoint {
                    self.close(ConnId(index as u32), side);
                }
            }
        }
    }

    /// Takes back all breaks that wait for a message to strike.
    pub(super) fn mend_lanes(&mut self) {
        self.lanes.iter_mut().flatten().for_each(|lanes| lanes.into.mend());
    }

    fn state(&self, id: ConnId, side: Side) -> State {
        self.all[id.index()].states[side as usize]
    }

    fn set_state(&mut self, id: ConnId, side: Side, state: State) {
        self.all[id.index()].states[side as usize] = state;
    }

    fn is_open(&self, id: ConnId, side: Side) -> bool {
        matches!(self.state(id, side), State::Open | State::Finishing)
    }

    fn lanes(&mut self, id: ConnId, side: Side) -> &mut Lanes {
        &mut self.lanes[id.index()][side as usize]
    }

    fn out(&mut self, id: ConnId, side: Side) -> &mut LaneOut {
        &mut self.lanes(id, side).out
    }

    /// Closes an end and gives up what it had queued; what it was.
    fn close(&mut self, id: ConnId, side: Side) -> State {
        let was = self.state(id, side);
        if was != State::Closed {
            self.set_state(id, side, State::Closed);
            *self.lanes(id, side) = Lanes::default();
        }
        was
    }

    /// Whether an end takes packets of its other end from this address; it may follow to it.
    fn takes_from(&mut self, id: ConnId, at: Side, source: Address) -> bool {
        let idle = self.state(id, at) == State::Idle;
        let known = &mut self.all[id.index()].addresses[at.other() as usize];
        if *known == source {
            return true;
        }
        let follows = at == Side::Server && (idle || self.rebind == Rebind::Migrate);
        if follows {
            // A late packet from an older address is taken, but doesn't lead back there.
            *known = source.max(*known);
        }
        follows
    }
}

impl Network {
    /// Opens a connection from a client's machine to a server's. [`NetEvent::Up`] or [`NetEvent::Down`] tells how it went.
    pub fn connect(&mut self, client: EndpointId, server: EndpointId) -> ConnId {
        let id = ConnId(u32::try_from(self.connections.all.len()).expect("fewer than 2^32 connections"));
        let endpoints = [client, server];
        let addresses = endpoints.map(|endpoint| self.endpoint(endpoint).address);
        self.connections.all.push(Connection { endpoints, addresses, states: [State::Opening, State::Idle] });
        self.connections.lanes.push(Default::default());
        self.connections.opened_at.push(self.now);
        self.transfer(id, Side::Server, Load::Syn);
        self.due.push(self.now + SYN_EVERY, NETWORK, Due::Connect(id));
        id
    }

    /// Closes one end at once, and gives up what it had queued; the other learns of it if the word gets through, else when it
    /// sends.
    pub fn close(&mut self, id: ConnId, side: Side) {
        if self.connections.close(id, side) != State::Closed {
            self.transfer(id, side.other(), Load::Reset);
        }
    }

    /// Closes one end as soon as the other has all that was sent on the lane. Until then it takes in, but sends nothing new.
    pub fn finish(&mut self, id: ConnId, side: Side) {
        match self.connections.state(id, side) {
            State::Open => self.connections.set_state(id, side, State::Finishing),
            State::Idle | State::Opening => self.close(id, side),
            State::Finishing | State::Closed => {}
        }
        self.close_if_finished(id, side);
    }

    /// Sends from one end to the other. False if the end is not open, or for the lane: if [`LANE_QUEUE_MESSAGES`] wait there, or
    /// the message is longer than [`LANE_MESSAGE_BYTES`].
    ///
    /// [`LANE_QUEUE_MESSAGES`]: super::LANE_QUEUE_MESSAGES
    /// [`LANE_MESSAGE_BYTES`]: super::LANE_MESSAGE_BYTES
    pub fn send(&mut self, id: ConnId, from: Side, reliable: bool, bytes: PacketBytes) -> bool {
        if self.connections.state(id, from) != State::Open {
            return false;
        }
        if !reliable {
            self.transfer(id, from.other(), Load::Datagram(bytes));
            return true;
        }
        let taken = self.connections.out(id, from).push(bytes);
        if taken {
            self.pump(id, from);
        } else {
            self.faults.lane_full += 1;
        }
        taken
    }

    /// Sends a datagram from one end of each of these connections to the other; ends that are not open send nothing. It is the same as
    /// [`Network::send`] for each, and costs less.
    pub fn send_to_all(&mut self, ids: impl IntoIterator<Item = ConnId>, from: Side, bytes: &PacketBytes) {
        let mut fan: Option<Fan> = None;
        for id in ids {
            if self.connections.state(id, from) != State::Open {
                continue;
            }
            let Connection { endpoints, addresses, .. } = &self.connections.all[id.index()];
            let (sender, target) = (endpoints[from as usize], addresses[from.other() as usize]);
            if let Some(other) = fan.take_if(|fan| fan.from != sender) {
                self.launch_fan(other);
            }
            let fan = fan.get_or_insert_with(|| Fan {
                from: sender,
                source: self.endpoints[sender.index()].address,
                side: from.other(),
                bytes: PacketBytes::clone(bytes),
                to: self.spare_lists.pop().unwrap_or_default(),
            });
            fan.to.push((id, target));
        }
        if let Some(fan) = fan {
            self.launch_fan(fan);
        }
    }

    /// Whether an end is open.
    pub fn is_open(&self, id: ConnId, side: Side) -> bool {
        self.connections.is_open(id, side)
    }

    /// Messages of an end's lane that the other hasn't acknowledged, at most [`LANE_QUEUE_MESSAGES`].
    ///
    /// [`LANE_QUEUE_MESSAGES`]: super::LANE_QUEUE_MESSAGES
    pub fn queued(&self, id: ConnId, side: Side) -> usize {
        self.connections.lanes[id.index()][side as usize].out.queued()
    }

    /// The machines at the client's and the server's end.
    pub fn ends(&self, id: ConnId) -> (EndpointId, EndpointId) {
        let [client, server] = self.connections.all[id.index()].endpoints;
        (client, server)
    }

    /// Breaks the promise of the lane that ends at `at`, for its next message.
    pub fn break_lane(&mut self, id: ConnId, at: Side, how: Break) {
        self.connections.lanes(id, at).into.break_next(how);
    }

    /// What a change of address does to connections from now on; at first they migrate.
    pub const fn set_rebind(&mut self, rebind: Rebind) {
        self.connections.rebind = rebind;
    }

    /// How long an end waits for anything to be acknowledged, or for an answer to its opening, before it is down, µs; at first
    /// 12 s. An end that has nothing unacknowledged notices nothing.
    pub const fn set_dead_after(&mut self, dead_after_us: u64) {
        self.connections.dead_after = dead_after_us;
    }

    pub(super) fn arrive_at_connection(
        &mut self,
        id: ConnId,
        at: Side,
        source: Address,
        load: Load,
    ) -> Option<NetEvent> {
        if !self.connections.takes_from(id, at, source) {
            self.faults.wrong_address += 1;
            return None;
        }
        match load {
            Load::Datagram(bytes) if self.connections.is_open(id, at) => {
                return Some(NetEvent::Packet { conn: id, at, reliable: false, bytes });
            }
            Load::Syn => self.on_syn(id, at),
            Load::SynAck => self.on_syn_ack(id, at),
            Load::Reset => self.on_down(id, at),
            Load::Message { .. } | Load::Ack(_) | Load::Datagram(_) => self.on_data(id, at, load),
        }
        None
    }

    fn on_data(&mut self, id: ConnId, at: Side, load: Load) {
        match (self.connections.state(id, at), load) {
            (State::Open | State::Finishing, Load::Message { number, bytes }) => self.on_message(id, at, number, bytes),
            (State::Open | State::Finishing, Load::Ack(ack)) => self.on_ack(id, at, ack),
            (State::Closed, _) => self.transfer(id, at.other(), Load::Reset),
            _ => {}
        }
    }

    fn on_syn(&mut self, id: ConnId, at: Side) {
        match self.connections.state(id, at) {
            State::Idle => {
                self.connections.set_state(id, at, State::Open);
                self.events.push_back(NetEvent::Up(id, at));
                self.transfer(id, at.other(), Load::SynAck);
            }
            State::Open | State::Finishing => self.transfer(id, at.other(), Load::SynAck),
            State::Opening | State::Closed => self.transfer(id, at.other(), Load::Reset),
        }
    }

    fn on_syn_ack(&mut self, id: ConnId, at: Side) {
        match self.connections.state(id, at) {
            State::Opening => {
                self.connections.set_state(id, at, State::Open);
                self.events.push_back(NetEvent::Up(id, at));
            }
            // Closed while it opened: the other end would never know.
            State::Closed => self.transfer(id, at.other(), Load::Reset),
            State::Idle | State::Open | State::Finishing => {}
        }
    }

    fn on_down(&mut self, id: ConnId, at: Side) {
        if !matches!(self.connections.close(id, at), State::Closed | State::Idle) {
            self.events.push_back(NetEvent::Down(id, at));
        }
    }

    fn on_message(&mut self, id: ConnId, at: Side, number: u64, bytes: PacketBytes) {
        let Self { connections, events, faults, .. } = self;
        let into = &mut connections.lanes(id, at).into;
        let broke = into.take(number, bytes, |bytes| {
            events.push_back(NetEvent::Packet { conn: id, at, reliable: true, bytes });
        });
        faults.lanes_broken += u64::from(broke);
        let ack = into.ack();
        self.transfer(id, at.other(), Load::Ack(ack));
    }

    fn on_ack(&mut self, id: ConnId, at: Side, ack: Ack) {
        let now = self.now;
        self.connections.out(id, at).acknowledged(now, ack);
        self.pump(id, at);
        self.close_if_finished(id, at);
    }

    pub(super) fn on_lane_timer(&mut self, id: ConnId, side: Side) {
        let (now, dead_after) = (self.now, self.connections.dead_after);
        let lanes = self.connections.lanes(id, side);
        // An older timer of a deadline that was brought forward, or of an end that has closed.
        if lanes.timer_at != Some(now) {
            return;
        }
        lanes.timer_at = None;
        if lanes.out.deadline.is_some_and(|deadline| deadline <= now) && lanes.out.timed_out(now, dead_after).is_err() {
            return self.on_down(id, side);
        }
        self.pump(id, side);
    }

    pub(super) fn on_connect_timer(&mut self, id: ConnId) {
        if self.connections.state(id, Side::Client) != State::Opening {
            return;
        }
        if self.now >= self.connections.opened_at[id.index()] + self.connections.dead_after {
            self.on_down(id, Side::Client);
        } else {
            self.transfer(id, Side::Server, Load::Syn);
            self.due.push(self.now + SYN_EVERY, NETWORK, Due::Connect(id));
        }
    }

    fn close_if_finished(&mut self, id: ConnId, side: Side) {
        if self.connections.state(id, side) == State::Finishing && self.queued(id, side) == 0 {
            self.close(id, side);
        }
    }

    /// Sends what the lane's window allows.
    fn pump(&mut self, id: ConnId, from: Side) {
        let now = self.now;
        while let Some((number, bytes)) = self.connections.out(id, from).next_to_send(now) {
            self.transfer(id, from.other(), Load::Message { number, bytes });
        }
        self.set_timer(id, from);
    }

    fn set_timer(&mut self, id: ConnId, side: Side) {
        let lanes = self.connections.lanes(id, side);
        if let Some(deadline) = lanes.out.deadline
            && lanes.timer_at.is_none_or(|at| deadline < at)
        {
            lanes.timer_at = Some(deadline);
            self.due.push(deadline, NETWORK, Due::LaneTimer(id, side));
        }
    }

    fn transfer(&mut self, id: ConnId, to: Side, load: Load) {
        let connection = &self.connections.all[id.index()];
        let (from, receiver) = (connection.endpoints[to.other() as usize], connection.endpoints[to as usize]);
        let target = connection.addresses[to as usize];
        let source = self.endpoint(from).address;
        self.launch(Packet { from, to: receiver, source, target, conn: Some((id, to)), damaged: false, load });
    }
}
