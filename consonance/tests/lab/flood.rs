//! Senders who mean harm.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    os::fd::OwnedFd,
    thread::sleep,
    time::Duration,
};

use adapter_udp::{Config, Endpoint, Event, Identity, Trust};

use crate::{
    net::{open, receive, transmit},
    now,
    packet::Datagram,
    people::PORT,
    space::Space,
    talk::SERVER,
};

/// Where they are: on a wire of their own to the server, so that only the server has their work.
const HERE: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 1);

/// What came and went.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flood {
    pub(crate) sent: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) answers: u64,
    pub(crate) bytes_back: u64,
    pub(crate) seconds: f64,
}

impl Flood {
    pub(crate) fn per_second(&self) -> f64 {
        self.sent as f64 / self.seconds
    }
}

/// Connects a namespace to the server's by a wire; all addresses from 10.66.0.0 to 10.66.255.255 seem to be there.
pub(crate) fn attach(space: &Space, server: &Space) -> io::Result<()> {
    server.wire("eth1", space, "eth0")?;
    server.ip("route add 10.66.0.0/16 dev eth1")?;
    space.ip(&format!("address add {HERE}/32 dev eth0"))?;
    space.ip("route add default dev eth0")
}

/// Sends bytes that mean nothing, at a rate per second as far as the machine makes it.
pub(crate) fn garbage(space: &Space, per_second: u64, span: Duration) -> Flood {
    let socket = space.inside(|| UdpSocket::bind((HERE, 0))).expect("a socket");
    socket.connect((SERVER, PORT)).expect("a route");
    socket.set_nonblocking(true).expect("a socket");
    let kinds: Vec<Vec<u8>> = (0..1_000).map(nonsense).collect();
    let mut flood = Flood::default();
    let mut buffer = [0; 2_048];
    paced(per_second, span, &mut flood, |number, flood| {
        let bytes = &kinds[number as usize % kinds.len()];
        if socket.send(bytes).is_ok() {
            (flood.sent, flood.bytes_sent) = (flood.sent + 1, flood.bytes_sent + bytes.len() as u64);
        }
        while let Ok(len) = socket.recv(&mut buffer) {
            (flood.answers, flood.bytes_back) = (flood.answers + 1, flood.bytes_back + len as u64);
        }
    });
    flood
}

/// All first bytes, and lengths from 1 to 1,400 of which most are short.
fn nonsense(number: u32) -> Vec<u8> {
    let len = if number.is_multiple_of(10) { 1_200 + number % 200 } else { 1 + number * 7 % 120 };
    (0..len).map(|at| (number.wrapping_add(at.wrapping_mul(at)).wrapping_mul(2_654_435_761) >> 16) as u8).collect()
}

/// Sends the first datagrams of clients that don't exist, each from another address.
pub(crate) fn handshakes(space: &Space, per_second: u64, span: Duration) -> Flood {
    let port: OwnedFd = space.inside(|| open("eth0")).expect("a socket for the wire");
    let beginnings = beginnings(2_000);
    let mut flood = Flood::default();
    paced(per_second, span, &mut flood, |number, flood| {
        let bytes = beginnings[number as usize % beginnings.len()].clone();
        let [_, _, high, low] = (number as u32).to_be_bytes();
        let from = SocketAddrV4::new(Ipv4Addr::new(10, 66, high, low), 1_024 + (number % 60_000) as u16);
        let datagram = Datagram { from, to: SocketAddrV4::new(SERVER, PORT), bytes };
        if transmit(&port, &datagram) {
            (flood.sent, flood.bytes_sent) = (flood.sent + 1, flood.bytes_sent + datagram.bytes.len() as u64);
        }
        while let Some(answer) = receive(&port) {
            (flood.answers, flood.bytes_back) = (flood.answers + 1, flood.bytes_back + answer.bytes.len() as u64);
        }
    });
    flood
}

/// Makes links from one address, so many a second, and says nothing on them. What is answered are those that come up.
pub(crate) fn silent_links(space: &Space, per_second: u64, span: Duration) -> Flood {
    let socket = space.inside(|| UdpSocket::bind((HERE, 0))).expect("a socket");
    socket.set_nonblocking(true).expect("a socket");
    let config = Config { links: 10_000, ..Config::DEFAULT };
    let mut endpoint = Endpoint::client(config, Identity::generate().expect("random numbers"));
    let (mut flood, mut due) = (Flood::default(), 0);
    let turn = |endpoint: &mut Endpoint, flood: &mut Flood| {
        let (mut came, mut out) = ([0; 2_048], Vec::new());
        while let Ok((len, from)) = socket.recv_from(&mut came) {
            endpoint.handle_datagram(now(), from, &mut came[..len]);
        }
        endpoint.handle_timeout(now());
        while let Some(event) = endpoint.poll_event() {
            flood.answers += u64::from(matches!(event, Event::Up(..)));
        }
        while let Some(transmit) = endpoint.poll_transmit(now(), &mut out) {
            let _ = socket.send_to(&out, transmit.to);
        }
    };
    let begin = now();
    while begin.elapsed() < span {
        due = due.max((begin.elapsed().as_secs_f64() * per_second as f64) as u64);
        while flood.sent < due {
            flood.sent += 1;
            let _ = endpoint.connect(now(), (SERVER, PORT).into(), Trust::FirstUse);
            turn(&mut endpoint, &mut flood);
        }
        turn(&mut endpoint, &mut flood);
        sleep(Duration::from_micros(500));
    }
    flood.seconds = begin.elapsed().as_secs_f64();
    flood
}

/// Each is a real one, with keys and connection ids of its own.
fn beginnings(count: usize) -> Vec<Vec<u8>> {
    let config = Config { links: count, ..Config::DEFAULT };
    let mut endpoint = Endpoint::client(config, Identity::generate().expect("random numbers"));
    let now = now();
    let begun = (0..count).map(|_| {
        endpoint.connect(now, (SERVER, PORT).into(), Trust::FirstUse).expect("a free link");
        let mut datagram = Vec::new();
        endpoint.poll_transmit(now, &mut datagram).expect("what a handshake begins with");
        datagram
    });
    begun.collect()
}

/// Calls `send` so often a second with a number that rises, and catches up after it was late. Then waits a little for answers.
fn paced(per_second: u64, span: Duration, flood: &mut Flood, mut send: impl FnMut(u64, &mut Flood)) {
    let (begin, mut number) = (now(), 0);
    while begin.elapsed() < span {
        let due = (begin.elapsed().as_secs_f64() * per_second as f64) as u64;
        // A machine that can't keep up isn't asked for more and more at once.
        number = number.max(due.saturating_sub(per_second / 50));
        while number < due {
            send(number, flood);
            number += 1;
        }
        sleep(Duration::from_micros(500));
    }
    flood.seconds = begin.elapsed().as_secs_f64();
}
