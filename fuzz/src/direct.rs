use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use adapter_udp::{Direct, DirectConfig, DirectEvent};
use voice_core::{ClientId, PathId, SessionId};

use crate::{
    input::Input,
    wire::{address, begin},
};

const ENDS: usize = 3;
/// From one machine to another.
const WAY: Duration = Duration::from_millis(20);
/// Through the server.
const SERVER_WAY: Duration = Duration::from_millis(50);
/// What is under way at once; what comes then is lost.
const MOST_UNDER_WAY: usize = 2_000;
/// Bytes that a machine of nobody's may get of one client in a minute.
const MOST_TO_NOBODY: usize = 60 * 33;
/// What works again is found again within that time: exchanges that never led to anything come ever more seldom.
const HEALED_AFTER: Duration = Duration::from_secs(1_800);
/// Most turns of a run of the clock: more, and something never rests.
const MOST_TURNS: usize = 100_000;

/// Lets three clients look for direct paths and talk on them, while datagrams and what is said through the server are lost, repeated, bent and made up,
/// and addresses change.
///
/// A packet is heard at most once, as it was said, by whom it was for, on a path that is there and of whom it is; machines that never answer get little;
/// and when the faults are over, everybody reaches everybody.
///
/// Keys are random, so an input that fails by the luck of a bent bit need not fail again.
pub fn direct(data: &[u8]) {
    let mut input = Input::new(data);
    let mut stage = Stage::new();
    input.steps(|input| stage.step(input));
    stage.recover();
}

struct End {
    direct: Direct,
    address: SocketAddr,
    /// Paths that are there, and to whom.
    paths: BTreeMap<PathId, ClientId>,
    /// Bytes to machines that are nobody's.
    to_nobody: BTreeMap<IpAddr, usize>,
}

struct Datagram {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

struct Message {
    from: usize,
    to: usize,
    bytes: Vec<u8>,
}

struct Stage {
    began: Instant,
    now: Instant,
    ends: Vec<End>,
    datagrams: VecDeque<(Instant, Datagram)>,
    messages: VecDeque<(Instant, Message)>,
    /// Of 256: how many of either are lost.
    loss: u8,
    lost: u8,
    /// The last datagrams and messages, to be repeated.
    caught: VecDeque<Datagram>,
    read: VecDeque<Message>,
    /// Packets that were said, by speaker and listener, and those of them that were heard.
    said: BTreeMap<(usize, usize), usize>,
    heard: BTreeSet<(usize, usize, usize)>,
}

fn client(number: usize) -> ClientId {
    ClientId::new(u16::try_from(number + 1).expect("few clients")).expect("not 0")
}

fn number(client: ClientId) -> usize {
    usize::from(client.get()) - 1
}

fn packet(from: usize, to: usize, at: usize) -> Vec<u8> {
    let [from, to] = [from, to].map(|end| end.to_le_bytes()[0]);
    let at = u16::try_from(at).expect("a short run").to_be_bytes();
    let filling = usize::from(at[1]) * 3 % 200;
    [from, to, at[0], at[1]].into_iter().chain(std::iter::repeat_n(at[1], filling)).collect()
}

impl Stage {
    fn new() -> Self {
        let now = begin();
        let end = |at: usize| End {
            direct: Direct::new(DirectConfig::DEFAULT),
            address: address(at.to_le_bytes()[0] + 1, 5_000),
            paths: BTreeMap::new(),
            to_nobody: BTreeMap::new(),
        };
        let mut stage = Self {
            began: now,
            now,
            ends: (0..ENDS).map(end).collect(),
            datagrams: VecDeque::new(),
            messages: VecDeque::new(),
            loss: 0,
            lost: 0,
            caught: VecDeque::new(),
            read: VecDeque::new(),
            said: BTreeMap::new(),
            heard: BTreeSet::new(),
        };
        (0..ENDS).for_each(|at| stage.begin_session(at, 1));
        stage
    }

    fn begin_session(&mut self, at: usize, session: u32) {
        let Self { now, ends, .. } = self;
        let End { direct, address, .. } = &mut ends[at];
        direct.set_session(*now, SessionId::new(session).map(|session| (session, client(at))));
        direct.set_local(*now, &[*address]);
        direct.set_wanted(*now, &[0, 1, 2].map(client));
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let at = input.below(ENDS);
        match input.below(12) {
            0..=2 => (0..=input.below(8)).for_each(|_| self.say(at, input.below(ENDS))),
            3..=4 => self.run(Duration::from_millis(20 * u64::from(input.byte()))),
            5 => self.run(Duration::from_millis(500 * u64::from(input.byte()))),
            6 => self.loss = input.byte(),
            7 => self.repeat_datagram(input),
            8 => self.repeat_message(input),
            9 => self.make_up(input),
            10 => self.change_address(at, input),
            _ => self.odd_call(at, input),
        }
        self.flush();
    }

    fn say(&mut self, from: usize, to: usize) {
        let Some((path, _)) = self.ends[from].paths.iter().find(|(_, other)| **other == client(to)) else { return };
        let said = self.said.entry((from, to)).or_default();
        if self.ends[from].direct.send(*path, &packet(from, to, *said)).is_ok() {
            *said += 1;
        }
    }

    fn repeat_datagram(&mut self, input: &mut Input<'_>) {
        let back = input.below(32);
        let Some(caught) = self.caught.get(back) else { return };
        let from = if input.flag() { self.anywhere(input) } else { caught.from };
        let datagram = Datagram { from, to: caught.to, bytes: input.bent(&caught.bytes) };
        self.datagrams.push_back((self.now + WAY, datagram));
    }

    fn repeat_message(&mut self, input: &mut Input<'_>) {
        let back = input.below(32);
        let Some(Message { from, to, bytes }) = self.read.get(back) else { return };
        // Whoever takes part may write to anybody what it has read, in its own name.
        let (from, to) = if input.flag() { (input.below(ENDS), input.below(ENDS)) } else { (*from, *to) };
        let message = Message { from, to, bytes: input.bent(bytes) };
        self.messages.push_back((self.now + SERVER_WAY, message));
    }

    fn make_up(&mut self, input: &mut Input<'_>) {
        let (from, to) = (input.below(ENDS), input.below(ENDS));
        if input.flag() {
            let message = Message { from, to, bytes: input.packet().to_vec() };
            return self.messages.push_back((self.now + SERVER_WAY, message));
        }
        let (from, to) = (self.anywhere(input), self.ends[to].address);
        self.datagrams.push_back((self.now + WAY, Datagram { from, to, bytes: input.packet().to_vec() }));
    }

    /// Somebody's address, or nobody's.
    fn anywhere(&self, input: &mut Input<'_>) -> SocketAddr {
        let number = input.below(8);
        self.ends.get(number).map_or(address(100 + number.to_le_bytes()[0], 1_000), |end| end.address)
    }

    fn change_address(&mut self, at: usize, input: &mut Input<'_>) {
        let (now, nobodys) = (self.now, address(110 + at.to_le_bytes()[0], 2_000));
        let End { direct, address, .. } = &mut self.ends[at];
        match input.below(4) {
            0 => address.set_port(5_000 + u16::from(input.byte())),
            1 => direct.set_local(now, &[nobodys, *address]),
            2 => direct.set_local(now, &[*address]),
            _ => direct.set_outside(now, if input.flag() { nobodys } else { *address }),
        }
    }

    fn odd_call(&mut self, at: usize, input: &mut Input<'_>) {
        let now = self.now;
        match input.below(4) {
            0 => self.ends[at].direct.handle_timeout(now),
            1 => self.begin_session(at, 1 + u32::from(input.flag())),
            2 => {
                let wanted: Vec<_> = (0..input.below(4)).map(|_| client(input.below(ENDS))).collect();
                self.ends[at].direct.set_wanted(now, &wanted);
            }
            _ => self.ends[at].direct.set_session(now, None),
        }
    }

    /// Time passes; whatever is due happens at its time.
    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        for _ in 0..MOST_TURNS {
            self.flush();
            let due = self.ends.iter().filter_map(|end| end.direct.poll_timeout());
            let datagram = self.datagrams.front().map(|(at, _)| *at);
            let message = self.messages.front().map(|(at, _)| *at);
            let Some(next) = due.chain(datagram).chain(message).min().filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            self.deliver();
            for end in &mut self.ends {
                end.direct.handle_timeout(self.now);
            }
        }
        panic!("the paths never rest");
    }

    fn deliver(&mut self) {
        let now = self.now;
        while let Some((_, message)) = self.messages.pop_front_if(|(at, _)| *at <= now) {
            self.ends[message.to].direct.handle_rendezvous(now, client(message.from), &message.bytes);
        }
        while let Some((_, mut datagram)) = self.datagrams.pop_front_if(|(at, _)| *at <= now) {
            if let Some(end) = self.ends.iter_mut().find(|end| end.address == datagram.to) {
                end.direct.handle_datagram(now, datagram.from, &mut datagram.bytes);
            }
        }
    }

    /// Takes what all have to say.
    fn flush(&mut self) {
        let mut buffer = Vec::new();
        for at in 0..ENDS {
            while let Some(event) = self.ends[at].direct.poll_event() {
                self.on_event(at, event);
            }
            while let Some(transmit) = self.ends[at].direct.poll_transmit(&mut buffer) {
                assert!((1..=1_200).contains(&buffer.len()), "a datagram of {} bytes", buffer.len());
                self.send(at, transmit.to, &buffer);
            }
        }
    }

    fn on_event(&mut self, at: usize, event: DirectEvent) {
        let end = &mut self.ends[at];
        match event {
            DirectEvent::Rendezvous(to, bytes) => {
                assert!(bytes.len() <= 1_000 && to != client(at));
                self.write(Message { from: at, to: number(to), bytes });
            }
            DirectEvent::AskAddress => end.direct.set_outside(self.now, end.address),
            DirectEvent::Available(client, path) => {
                assert!(end.paths.insert(path, client).is_none(), "a path comes twice");
            }
            DirectEvent::Lost(path) => assert!(end.paths.remove(&path).is_some(), "a path goes that wasn't there"),
            DirectEvent::Packet(path, bytes) => {
                let speaker = number(*end.paths.get(&path).expect("a packet of a path that isn't there"));
                let index = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
                assert!(self.said.get(&(speaker, at)).is_some_and(|said| index < *said), "nobody said that: {bytes:?}");
                assert_eq!(*bytes, packet(speaker, at, index), "a packet was changed");
                assert!(self.heard.insert((speaker, at, index)), "a packet is heard twice");
            }
            _ => {}
        }
    }

    fn write(&mut self, message: Message) {
        if self.is_lost() || self.messages.len() >= MOST_UNDER_WAY {
            return;
        }
        self.read.push_front(Message { bytes: message.bytes.clone(), ..message });
        self.read.truncate(32);
        self.messages.push_back((self.now + SERVER_WAY, message));
    }

    fn send(&mut self, at: usize, to: SocketAddr, bytes: &[u8]) {
        let from = self.ends[at].address;
        if self.ends.iter().all(|end| end.address.ip() != to.ip()) {
            let got = self.ends[at].to_nobody.entry(to.ip()).or_default();
            *got += bytes.len();
            let minutes = (self.now - self.began).as_secs() / 60 + 2;
            let most = MOST_TO_NOBODY * usize::try_from(minutes).expect("a short run");
            assert!(*got <= most, "{to}, who never answers, gets {got} bytes");
        }
        self.caught.push_front(Datagram { from, to, bytes: bytes.to_vec() });
        self.caught.truncate(32);
        if !self.is_lost() && self.datagrams.len() < MOST_UNDER_WAY {
            self.datagrams.push_back((self.now + WAY, Datagram { from, to, bytes: bytes.to_vec() }));
        }
    }

    /// By turns, as many of 256 as the input says.
    fn is_lost(&mut self) -> bool {
        let (sum, is_lost) = self.lost.overflowing_add(self.loss);
        self.lost = sum;
        is_lost
    }

    /// The faults are over: everybody hears everybody on a direct path.
    fn recover(&mut self) {
        self.loss = 0;
        for at in 0..ENDS {
            let (now, address) = (self.now, self.ends[at].address);
            self.begin_session(at, 3);
            self.ends[at].direct.set_outside(now, address);
        }
        let end = self.now + HEALED_AFTER;
        let all = (0..ENDS).flat_map(|from| (0..ENDS).map(move |to| (from, to))).filter(|(from, to)| from != to);
        let all: Vec<(usize, usize)> = all.collect();
        loop {
            let before: BTreeMap<_, _> = all.iter().map(|pair| (*pair, self.said.get(pair).copied())).collect();
            all.iter().for_each(|(from, to)| self.say(*from, *to));
            self.run(Duration::from_secs(1));
            let is_new = |(from, to, index): &(usize, usize, usize)| Some(*index) >= before[&(*from, *to)];
            let heard: BTreeSet<_> =
                self.heard.iter().filter(|heard| is_new(heard)).map(|(from, to, _)| (*from, *to)).collect();
            if heard.len() == all.len() {
                return;
            }
            assert!(self.now < end, "direct are only {heard:?}");
        }
    }
}
