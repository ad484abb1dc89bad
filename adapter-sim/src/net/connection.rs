//! Connections between a client and a server: opening, the two lanes, datagrams, closing.

use bytes::Bytes;

use super::{
    Break, Due, EndpointId, Load, NetEvent, Network, Rebind, Travelling,
    lane::{DEAD_AFTER, LaneIn, LaneOut},
};

const SYN_EVERY: u64 = 500_000;

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
    const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Opening { since: u64 },
    Open,
    Closed,
}

#[derive(Debug)]
struct End {
    endpoint: EndpointId,
    state: State,
    out: LaneOut,
    into: LaneIn,
    timer_at: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Connection {
    ends: [End; 2],
    client_address: u32,
}

impl Connection {
    fn end(&mut self, side: Side) -> &mut End {
        &mut self.ends[side as usize]
    }

    pub(super) fn forget(&mut self, endpoint: EndpointId) {
        for end in self.ends.iter_mut().filter(|end| end.endpoint == endpoint) {
            end.close();
        }
    }
}

impl End {
    fn close(&mut self) {
        self.state = State::Closed;
        self.out = LaneOut::default();
        self.into = LaneIn::default();
    }
}

impl Network {
    /// Opens a connection from a client's machine to a server's. [`NetEvent::Up`] or [`NetEvent::Down`] tells how it went.
    pub fn connect(&mut self, client: EndpointId, server: EndpointId) -> ConnId {
        let id = ConnId(u32::try_from(self.connections.len()).expect("fewer than 2^32 connections"));
        let end =
            |endpoint, state| End { endpoint, state, out: LaneOut::default(), into: LaneIn::default(), timer_at: None };
        let ends = [end(client, State::Opening { since: self.now }), end(server, State::Idle)];
        let client_address = self.endpoint(client).address;
        self.connections.push(Connection { ends, client_address });
        self.transfer(id, Side::Server, Load::Syn);
        self.schedule(self.now + SYN_EVERY, Due::Connect(id));
        id
    }

    /// Closes one end; the other learns of it if the word gets through, else by silence.
    pub fn close(&mut self, id: ConnId, side: Side) {
        let end = self.connections[id.index()].end(side);
        if end.state != State::Closed {
            end.close();
            self.transfer(id, side.other(), Load::Reset);
        }
    }

    /// Sends from one end to the other. False if the end is not open.
    pub fn send(&mut self, id: ConnId, from: Side, reliable: bool, bytes: Bytes) -> bool {
        let end = self.connections[id.index()].end(from);
        if end.state != State::Open {
            return false;
        }
        if reliable {
            end.out.push(bytes);
            self.pump(id, from);
        } else {
            self.transfer(id, from.other(), Load::Datagram(bytes));
        }
        true
    }

    /// Whether an end is open.
    pub fn is_open(&self, id: ConnId, side: Side) -> bool {
        self.connections[id.index()].ends[side as usize].state == State::Open
    }

    /// Messages of an end's lane that the other hasn't acknowledged.
    pub fn queued(&self, id: ConnId, side: Side) -> usize {
        self.connections[id.index()].ends[side as usize].out.queued()
    }

    /// The machines at the client's and the server's end.
    pub fn ends(&self, id: ConnId) -> (EndpointId, EndpointId) {
        let [client, server] = &self.connections[id.index()].ends;
        (client.endpoint, server.endpoint)
    }

    /// Breaks the promise of the lane that ends at `at`, for its next message.
    pub fn break_lane(&mut self, id: ConnId, at: Side, how: Break) {
        self.faults.lanes_broken += 1;
        self.connections[id.index()].end(at).into.break_next(how);
    }

    pub(super) fn arrive_at_connection(&mut self, id: ConnId, at: Side, from: EndpointId, load: Load) {
        if at == Side::Server && !self.knows_address(id, from, &load) {
            self.faults.wrong_address += 1;
            return;
        }
        match load {
            Load::Syn => self.on_syn(id, at),
            Load::SynAck => self.on_syn_ack(id, at),
            Load::Reset => self.on_down(id, at),
            Load::Message { number, bytes } => self.on_message(id, at, number, bytes),
            Load::Ack { next } => self.on_ack(id, at, next),
            Load::Datagram(bytes) => {
                if self.is_open(id, at) {
                    self.events.push_back(NetEvent::Packet { conn: id, at, reliable: false, bytes });
                }
            }
        }
    }

    fn knows_address(&mut self, id: ConnId, from: EndpointId, load: &Load) -> bool {
        let address = self.endpoint(from).address;
        let rebind = self.rebind;
        let connection = &mut self.connections[id.index()];
        if connection.client_address == address {
            return true;
        }
        let follows = rebind == Rebind::Migrate && !matches!(load, Load::Syn);
        if follows {
            connection.client_address = address;
        }
        follows
    }

    fn on_syn(&mut self, id: ConnId, at: Side) {
        let end = self.connections[id.index()].end(at);
        match end.state {
            State::Idle => {
                end.state = State::Open;
                self.events.push_back(NetEvent::Up(id, at));
                self.transfer(id, at.other(), Load::SynAck);
            }
            State::Open => self.transfer(id, at.other(), Load::SynAck),
            State::Opening { .. } | State::Closed => self.transfer(id, at.other(), Load::Reset),
        }
    }

    fn on_syn_ack(&mut self, id: ConnId, at: Side) {
        let end = self.connections[id.index()].end(at);
        if matches!(end.state, State::Opening { .. }) {
            end.state = State::Open;
            self.events.push_back(NetEvent::Up(id, at));
        }
    }

    fn on_down(&mut self, id: ConnId, at: Side) {
        let end = self.connections[id.index()].end(at);
        let was = end.state;
        end.close();
        if !matches!(was, State::Closed | State::Idle) {
            self.events.push_back(NetEvent::Down(id, at));
        }
    }

    fn on_message(&mut self, id: ConnId, at: Side, number: u64, bytes: Bytes) {
        let Self { connections, events, .. } = self;
        let end = connections[id.index()].end(at);
        match end.state {
            State::Open => {}
            State::Closed => return self.transfer(id, at.other(), Load::Reset),
            State::Idle | State::Opening { .. } => return,
        }
        end.into.take(number, bytes, |bytes| {
            events.push_back(NetEvent::Packet { conn: id, at, reliable: true, bytes });
        });
        let next = end.into.next();
        self.transfer(id, at.other(), Load::Ack { next });
    }

    fn on_ack(&mut self, id: ConnId, at: Side, next: u64) {
        let now = self.now;
        let end = self.connections[id.index()].end(at);
        if end.state != State::Open {
            return;
        }
        if let Some((number, bytes)) = end.out.acknowledged(now, next) {
            self.transfer(id, at.other(), Load::Message { number, bytes });
        }
        self.pump(id, at);
    }

    pub(super) fn on_lane_timer(&mut self, id: ConnId, side: Side) {
        let now = self.now;
        let end = self.connections[id.index()].end(side);
        end.timer_at = None;
        if end.state != State::Open {
            return;
        }
        if end.out.deadline.is_some_and(|deadline| deadline <= now) {
            match end.out.timed_out(now) {
                Ok(Some((number, bytes))) => self.transfer(id, side.other(), Load::Message { number, bytes }),
                Ok(None) => {}
                Err(()) => return self.on_down(id, side),
            }
        }
        self.set_timer(id, side);
    }

    pub(super) fn on_connect_timer(&mut self, id: ConnId) {
        let now = self.now;
        let State::Opening { since } = self.connections[id.index()].end(Side::Client).state else {
            return;
        };
        if now >= since + DEAD_AFTER {
            self.on_down(id, Side::Client);
        } else {
            self.transfer(id, Side::Server, Load::Syn);
            self.schedule(now + SYN_EVERY, Due::Connect(id));
        }
    }

    /// Sends what the lane's window allows.
    fn pump(&mut self, id: ConnId, from: Side) {
        let now = self.now;
        while let Some((number, bytes)) = self.connections[id.index()].end(from).out.fresh(now) {
            self.transfer(id, from.other(), Load::Message { number, bytes });
        }
        self.set_timer(id, from);
    }

    fn set_timer(&mut self, id: ConnId, side: Side) {
        let end = self.connections[id.index()].end(side);
        if let Some(deadline) = end.out.deadline
            && end.timer_at.is_none_or(|at| deadline < at)
        {
            end.timer_at = Some(deadline);
            self.schedule(deadline, Due::LaneTimer(id, side));
        }
    }

    fn transfer(&mut self, id: ConnId, to: Side, load: Load) {
        let connection = &mut self.connections[id.index()];
        let (from, target) = (connection.end(to.other()).endpoint, connection.end(to).endpoint);
        let address = match to {
            Side::Client => connection.client_address,
            Side::Server => self.endpoint(target).address,
        };
        self.launch(Travelling { from, to: target, address, conn: Some((id, to)), load, damaged: false });
    }
}
