//! A server that lets browsers in, a client as a browser has it, and somebody who joins over UDP: each on real sockets of this machine.
#![expect(clippy::disallowed_methods, reason = "real sockets, and so a real clock")]

mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpStream, UdpSocket},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use adapter_webrtc::{Client as Transport, ClientEvent as TransportEvent};
use common::Folder;
use voice_audio::{EncoderConfig, OpusEncoder};
use voice_core::{
    ChannelOptions, ChannelSlot, Client, ClientConfig, ClientStorage, PeerLink, PersonSlot, RoomSlot, RoomUse, Sound,
    Source, SpeakerSlot, State, TalkTo, client_storage_vec,
};

type Core =
    Client<ClientStorage<Vec<PersonSlot>, Vec<RoomSlot>, Vec<ChannelSlot>, Vec<SpeakerSlot>, Vec<PeerLink>, Vec<u8>>>;

const FRAME: Duration = Duration::from_millis(20);

fn program(home: &Folder, who: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_consonance"));
    command.env("CONSONANCE_HOME", home.0.join(who)).stdin(Stdio::null());
    command
}

/// A server for both, and where it is for each.
struct Server {
    child: Child,
    udp: String,
    web: String,
}

impl Server {
    fn start(home: &Folder) -> Self {
        let mut command = program(home, "server");
        command.args(["serve", "--listen", "127.0.0.1:0", "--web", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut said = |wanted: &str| {
            let mut line = String::new();
            while !line.contains(wanted) {
                line.clear();
                assert!(lines.read_line(&mut line).expect("a line") > 0, "it says {wanted}");
            }
            line.trim().to_owned()
        };
        let udp = said("listening on").rsplit(' ').next().expect("an address").to_owned();
        let web = said("browsers: POST http://").replace("browsers: POST http://", "");
        let web = web.split('/').next().expect("an address").to_owned();
        // What else it says is read and forgotten, so that it never waits for a reader.
        std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        Self { child, udp, web }
    }

    /// The status and the body of the answer to a request with this head and body.
    fn ask(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.web).expect("the server answers");
        stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n{body}").as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    fn offer(&self, sdp: &str) -> (u16, String) {
        let length = sdp.len();
        let head =
            format!("POST /offer HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\nContent-Length: {length}");
        self.ask(&head, sdp)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a page does: the core's client over a connection of a browser.
struct Page {
    core: Core,
    socket: UdpSocket,
    transport: Option<Transport>,
    attempt: Option<u32>,
    begin: Instant,
    heard: usize,
}

impl Page {
    fn open(name: &str) -> Self {
        let config = ClientConfig::new(name).expect("a name");
        let mut core = Client::new(config, 7, client_storage_vec!(people: 64, speakers: 4));
        let room = core.use_room(voice_core::Instant::from_us(0), "Lobby", RoomUse::Both).expect("a room");
        let lobby = TalkTo::Room(room);
        core.open_channel(voice_core::Instant::from_us(0), lobby, ChannelOptions::DEFAULT).expect("a channel");
        core.connect(voice_core::Instant::from_us(0));
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(1))).expect("a time-out");
        Self { core, socket, transport: None, attempt: None, begin: Instant::now(), heard: 0 }
    }

    fn now(&self) -> voice_core::Instant {
        voice_core::Instant::from_us(self.begin.elapsed().as_micros() as u64)
    }

    /// In, due, out.
    fn turn(&mut self, server: &Server) {
        let mut buffer = [0; 2_048];
        while let Ok((len, from)) = self.socket.recv_from(&mut buffer) {
            if let Some(transport) = &mut self.transport {
                transport.handle_datagram(Instant::now(), from, &buffer[..len]);
            }
        }
        let now = self.now();
        self.core.handle_timeout(now);
        self.follow_wish(server);
        self.take_events(now);
        self.send(now);
        while self.core.poll_event().is_some() {}
    }

    fn take_events(&mut self, now: voice_core::Instant) {
        let Some(transport) = &mut self.transport else { return };
        transport.handle_timeout(Instant::now());
        while let Some(event) = transport.poll_event() {
            match event {
                TransportEvent::Up => self.core.handle_connected(now),
                TransportEvent::Down => self.core.handle_disconnected(now),
                TransportEvent::Packet(delivery, packet) => {
                    self.core.handle_packet(now, Source::Server, delivery, &packet);
                }
            }
        }
    }

    fn send(&mut self, now: voice_core::Instant) {
        let Some(transport) = &mut self.transport else { return };
        let mut packet = [0; 1_200];
        while let Some(transmit) = self.core.poll_transmit(now, &mut packet) {
            transport.send(Instant::now(), transmit.delivery, &packet[..transmit.len]);
        }
        let mut datagram = Vec::new();
        while let Some(to) = transport.poll_transmit(&mut datagram) {
            self.socket.send_to(&datagram, to).expect("it is sent");
        }
    }

    fn follow_wish(&mut self, server: &Server) {
        if self.core.transport_wanted() == self.attempt {
            return;
        }
        self.attempt = self.core.transport_wanted();
        self.transport = self.attempt.map(|_| {
            let address = self.socket.local_addr().expect("an address");
            let (mut transport, offer) = Transport::new(Instant::now(), address).expect("an offer");
            let (status, answer) = server.offer(&offer);
            assert_eq!(status, 200, "{answer}");
            transport.accept_answer(Instant::now(), &answer).expect("an answer");
            transport
        });
    }

    /// Listens to whoever speaks, for one frame's time.
    fn listen(&mut self, now: voice_core::Instant) {
        let speakers: Vec<_> = self.core.speakers().collect();
        for speaker in speakers {
            let frame = self.core.next_frame(now, Duration::ZERO, speaker);
            self.heard += usize::from(matches!(frame.sound, Sound::Play(_)));
        }
    }

    /// Goes on until it is so, at most so many seconds; in each frame's time `each` is done.
    fn go_on(&mut self, server: &Server, seconds: u64, mut each: impl FnMut(&mut Self) -> bool) -> bool {
        let (end, mut next) = (Instant::now() + Duration::from_secs(seconds), Instant::now());
        while Instant::now() < end {
            self.turn(server);
            if Instant::now() >= next {
                next += FRAME;
                if each(self) {
                    return true;
                }
            }
        }
        false
    }
}

fn clip(number: u32) -> String {
    format!("{}/../clips/voice-{number}.wav", env!("CARGO_MANIFEST_DIR"))
}

fn frames(number: u32) -> Vec<Vec<u8>> {
    let pcm = voice_audio::read_wav(&fs::read(clip(number)).expect("a clip")).expect("a WAV file");
    let mut encoder = OpusEncoder::new(EncoderConfig::default()).expect("the default settings");
    let samples = encoder.config().frame_samples();
    let mut frame = [0; 240];
    pcm.chunks_exact(samples)
        .map(|pcm| {
            let len = encoder.encode(pcm, &mut frame).expect("a frame");
            frame[..len].to_vec()
        })
        .collect()
}

#[test]
fn a_browser_and_somebody_over_udp_hear_each_other() {
    let home = Folder::new("web-talk");
    let server = Server::start(&home);
    let record = home.0.join("heard");
    let mut join = program(&home, "joined");
    join.args(["join", &server.udp, "--name", "Joined", "--seconds", "12", "--say", &clip(1)]);
    join.args(["--record", record.to_str().expect("a path in UTF-8")]);
    let joined = join.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
    let mut page = Page::open("Page");
    let in_company = |page: &Page| page.core.roster().any(|person| person.name() == "Joined");
    let begun = page.go_on(&server, 8, |page| page.core.state() == State::Connected && in_company(page));
    assert!(begun, "{:?}", page.core.state());
    let (frames, mut said) = (frames(2), 0);
    page.go_on(&server, 14, |page| {
        let now = page.now();
        page.listen(now);
        if said < frames.len() && page.core.send_frame(now, &frames[said]).is_ok() {
            said += 1;
        }
        !in_company(page)
    });
    let output = joined.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout);
    let number = |after: &str, before: &str| -> usize {
        let part = text.split(before).next().and_then(|part| part.rsplit(after).next());
        part.and_then(|part| part.trim().parse().ok()).unwrap_or_else(|| panic!("{text}"))
    };
    let (out, came) = (number("\n", " voice packets out"), number("out,", " in;"));
    assert!(out > 100 && page.heard * 10 > out * 8, "said {out}, the page heard {}", page.heard);
    assert!(said > 100 && came * 10 > said * 8, "the page said {said}, {came} came");
    let heard = voice_audio::read_wav(&fs::read(record.join("heard.wav")).expect("a recording")).expect("a WAV file");
    assert!(
        heard.chunks(960).filter(|part| voice_audio::rms(part) > 300).count() > 50,
        "as speech, not only as packets"
    );
}

#[test]
fn what_is_no_offer_is_refused_with_a_status_that_says_why() {
    let home = Folder::new("web-offers");
    let server = Server::start(&home);
    let (_, offer) = Transport::new(Instant::now(), "127.0.0.1:9".parse().expect("an address")).expect("an offer");
    let sdp = "Host: x\r\nContent-Type: application/sdp";
    let long = "x".repeat(17_000);
    let cases = [
        ("GET / HTTP/1.1\r\nHost: x".to_owned(), "", 404),
        ("GET /offer HTTP/1.1\r\nHost: x".to_owned(), "", 405),
        ("POST /offer HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 4".to_owned(), "v=0\n", 415),
        (format!("POST /offer HTTP/1.1\r\n{sdp}\r\nContent-Length: 17000"), &long, 413),
        (format!("POST /offer HTTP/1.1\r\n{sdp}\r\nContent-Length: 4"), "v=0\n", 400),
        (format!("POST /offer HTTP/1.1\r\n{sdp}\r\nContent-Length: {}", offer.len()), &offer, 200),
    ];
    for (head, body, wanted) in cases {
        let (status, text) = server.ask(&head, body);
        assert_eq!(status, wanted, "{head}: {text}");
        assert!(!text.trim().is_empty());
    }
    // More than an address may have: it is told to wait, and the server goes on.
    let statuses: Vec<u16> = (0..80).map(|_| server.offer(&offer).0).collect();
    assert!(statuses.contains(&429) && statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    let (_, answer) = server.offer(&offer);
    assert!(!answer.is_empty());
}
