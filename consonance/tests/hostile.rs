//! People of ill will among browsers: what they do on the channels, with offers and with HTTP, while two others talk. On real sockets of this machine.
#![expect(clippy::disallowed_methods, reason = "real sockets, and so a real clock")]

mod browser;
mod process;

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use adapter_webrtc::{Client as Transport, ClientEvent};
use browser::{Page, frames};
use process::{Answer, Folder, Server, ask};
use voice_core::{
    Delivery::{self, Reliable, Unreliable},
    State,
};

/// How long two talk while others attack.
const TALK: u64 = 12;

/// What came of a talk at one end.
#[derive(Debug, Clone, Copy)]
struct Heard {
    received: u32,
    lost: u32,
}

/// Two people in browsers who talk with each other.
struct Talk {
    begun: Arc<Barrier>,
    ends: Vec<JoinHandle<Heard>>,
}

impl Talk {
    fn begin(web: &str) -> Self {
        let begun = Arc::new(Barrier::new(3));
        let end = |name: &'static str| {
            let (web, begun) = (web.to_owned(), begun.clone());
            thread::spawn(move || talk(&web, name, &begun))
        };
        let talk = Self { ends: vec![end("Scout"), end("Medic")], begun };
        talk.begun.wait();
        talk
    }

    /// The share of the voice that each missed.
    fn losses(self) -> Vec<f64> {
        let share = |heard: Heard| f64::from(heard.lost) / f64::from((heard.lost + heard.received).max(1));
        let ends = self.ends.into_iter().map(|end| end.join().expect("it talks to the end"));
        ends.inspect(|heard| assert!(u64::from(heard.received) > TALK * 50 / 2, "{heard:?}")).map(share).collect()
    }
}

fn talk(web: &str, name: &str, begun: &Barrier) -> Heard {
    let mut page = Page::open(name);
    let met = page.go_on(web, 20, |page| page.core.state() == State::Connected && page.core.roster().next().is_some());
    assert!(met, "{:?}", page.core.state());
    begun.wait();
    let frames = frames(1);
    let mut next = frames.iter().cycle();
    page.go_on(web, TALK, |page| {
        let now = page.now();
        page.listen(now);
        let _ = page.core.send_frame(now, next.next().expect("there is no end"));
        page.core.state() != State::Connected
    });
    assert_eq!(page.core.state(), State::Connected, "nobody is thrown out for what others do");
    let other = page.core.speakers().next().expect("the other speaks");
    let stats = page.core.speaker_stats(other).expect("the other was heard");
    Heard { received: stats.received, lost: stats.lost }
}

/// A connection that is used as no page would.
struct Attacker {
    transport: Transport,
    socket: UdpSocket,
    is_up: bool,
    is_down: bool,
}

impl Attacker {
    fn connect(web: &str, from: u32) -> Option<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(1))).expect("a time-out");
        let address = socket.local_addr().expect("an address");
        let (mut transport, offer) = Transport::new(Instant::now(), address).expect("an offer");
        let answer = offer_from(web, from, &offer);
        (answer.status == 200).then_some(())?;
        transport.accept_answer(Instant::now(), &answer.text()).expect("an answer");
        let mut attacker = Self { transport, socket, is_up: false, is_down: false };
        let until = Instant::now() + Duration::from_secs(10);
        while !attacker.is_up && Instant::now() < until {
            attacker.turn();
        }
        attacker.is_up.then_some(attacker)
    }

    fn turn(&mut self) {
        let mut buffer = [0; 2_048];
        while let Ok((len, from)) = self.socket.recv_from(&mut buffer) {
            self.transport.handle_datagram(Instant::now(), from, &buffer[..len]);
        }
        self.transport.handle_timeout(Instant::now());
        while let Some(event) = self.transport.poll_event() {
            self.is_up |= event == ClientEvent::Up;
            self.is_down |= event == ClientEvent::Down;
        }
        let mut datagram = Vec::new();
        while let Some(to) = self.transport.poll_transmit(&mut datagram) {
            let _ = self.socket.send_to(&datagram, to);
        }
    }

    fn send(&mut self, delivery: Delivery, is_binary: bool, message: &[u8]) -> bool {
        self.transport.send_message(Instant::now(), delivery, is_binary, message)
    }

    /// Whether the server ends the connection within some seconds.
    fn is_thrown_out(&mut self) -> bool {
        let until = Instant::now() + Duration::from_secs(5);
        while !self.is_down && Instant::now() < until {
            self.turn();
        }
        self.is_down
    }
}

/// An offer in the name of an address of one's own choice, as a proxy on this machine would pass it on.
fn offer_from(web: &str, from: u32, offer: &str) -> Answer {
    let from = SocketAddr::from(((from | 0x0a00_0000).to_be_bytes(), 0)).ip();
    ask(web, "POST /offer", &["Content-Type: application/sdp", &format!("X-Forwarded-For: {from}")], offer)
}

/// Memory of the server's own, MiB, where the kernel tells.
fn memory(server: &Server) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB"))?;
    kib.trim().parse::<u64>().ok().map(|kib| kib / 1_024)
}

/// A machine that is busy with other tests loses a frame now and then, for which nobody here is to blame.
fn assert_heard(what: &str, losses: &[f64]) {
    println!("{what}: losses {losses:.4?}");
    assert!(losses.iter().all(|loss| *loss < 0.05), "{what}: {losses:?}");
}

#[test]
fn garbage_and_floods_on_both_channels_leave_the_others_talking() {
    let home = Folder::new("hostile-channels");
    let server = Server::start(&home, "127.0.0.1:0", &["--web", "127.0.0.1:0", "--log", "error"]);
    let web = server.web();
    let before = memory(&server);
    let talk = Talk::begin(&web);
    let over = Arc::new(AtomicBool::new(false));
    // Messages of the greatest size as fast as they go, as voice that isn't any and as packets of the lane that aren't any.
    let floods: Vec<_> = [(1, Unreliable, 2_048), (2, Unreliable, 1), (3, Reliable, 1_200)]
        .map(|(from, delivery, size)| {
            let (web, over) = (web.clone(), over.clone());
            thread::spawn(move || {
                let mut sent = 0_u32;
                let mut attacker = Attacker::connect(&web, from);
                while !over.load(Ordering::Relaxed) {
                    let Some(one) = attacker.as_mut().filter(|one| !one.is_down) else {
                        // Thrown out: once more.
                        attacker = Attacker::connect(&web, from);
                        continue;
                    };
                    for _ in 0..64 {
                        sent += u32::from(one.send(delivery, true, &vec![sent as u8; size]));
                    }
                    one.turn();
                }
                sent
            })
        })
        .into();
    let mut thrown_out = 0;
    for (number, (delivery, is_binary, message)) in
        [(Reliable, true, vec![7; 1_201]), (Reliable, false, b"hello".to_vec()), (Unreliable, true, vec![0xFF; 2_049])]
            .into_iter()
            .enumerate()
    {
        let mut attacker = Attacker::connect(&web, 10 + number as u32).expect("a connection");
        if attacker.send(delivery, is_binary, &message) {
            thrown_out += u32::from(attacker.is_thrown_out());
        }
    }
    let losses = talk.losses();
    over.store(true, Ordering::Relaxed);
    let sent: Vec<u32> = floods.into_iter().map(|flood| flood.join().expect("it floods")).collect();
    let after = memory(&server);
    println!("{sent:?} messages sent, {thrown_out} thrown out, memory {before:?} to {after:?} MiB");
    assert!(sent.iter().all(|sent| *sent > 100), "{sent:?}: it is a flood");
    assert!(thrown_out >= 2, "{thrown_out}: who breaks a rule of the lane is at an end");
    assert!(after.is_none_or(|after| after < 200), "{after:?} MiB");
    assert_heard("floods on the channels", &losses);
}

#[test]
fn a_thousand_offers_at_once_that_nobody_follows_leave_the_others_talking() {
    let home = Folder::new("hostile-offers");
    let server = Server::start(&home, "127.0.0.1:0", &["--web", "127.0.0.1:0", "--log", "error"]);
    let web = server.web();
    let talk = Talk::begin(&web);
    let (_, offer) = Transport::new(Instant::now(), "127.0.0.1:9".parse().expect("an address")).expect("an offer");
    let begin = Instant::now();
    let senders: Vec<_> = (0..20_u32)
        .map(|sender| {
            let (web, offer) = (web.clone(), offer.clone());
            thread::spawn(move || -> Vec<u16> {
                (0..50).map(|number| offer_from(&web, 1_000 + sender * 50 + number, &offer).status).collect()
            })
        })
        .collect();
    let mut statuses: Vec<u16> = senders.into_iter().flat_map(|sender| sender.join().expect("it offers")).collect();
    let took = begin.elapsed();
    let peak = memory(&server);
    statuses.sort_unstable();
    let answered = statuses.iter().filter(|status| **status == 200).count();
    println!("1,000 offers in {took:?}: {answered} answered; memory {peak:?} MiB");
    assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
    // 256 may be unfinished; those that were forgotten meanwhile make room for others.
    assert!((200..=256 * (1 + took.as_secs() as usize / 10)).contains(&answered), "{answered} in {took:?}");
    // Who isn't told no gets in when they are forgotten, after 10 s.
    let refused = offer_from(&web, 5_000, &offer).status;
    assert!([200, 503].contains(&refused), "{refused}");
    assert_heard("a thousand offers", &talk.losses());
    assert!(peak.is_none_or(|peak| peak < 200), "{peak:?} MiB");
    let late = (0..40).find_map(|_| {
        thread::sleep(Duration::from_millis(500));
        Attacker::connect(&web, 6_000)
    });
    assert!(late.is_some(), "there is room again");
}
