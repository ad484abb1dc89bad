//! A browser with its page, as far as the server sees it: the core's client, two data channels, offers over HTTP. On a real socket, with a real clock.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    fs,
    net::UdpSocket,
    time::{Duration, Instant},
};

use adapter_webrtc::Client as Transport;
use voice_audio::{EncoderConfig, OpusEncoder};
use voice_core::{
    ChannelOptions, ChannelSlot, Client, ClientConfig, ClientStorage, PeerLink, PersonSlot, RoomSlot, RoomUse, Sound,
    SpeakerSlot, TalkTo, client_storage_vec,
};

use crate::process::{Answer, ask};

type Core =
    Client<ClientStorage<Vec<PersonSlot>, Vec<RoomSlot>, Vec<ChannelSlot>, Vec<SpeakerSlot>, Vec<PeerLink>, Vec<u8>>>;

const FRAME: Duration = Duration::from_millis(20);

/// What a server at this address answers to an offer.
pub(crate) fn post(web: &str, offer: &str) -> Answer {
    ask(web, "POST /offer", &["Content-Type: application/sdp"], offer)
}

/// What a page does: the core's client over a connection of a browser.
pub(crate) struct Page {
    pub(crate) core: Core,
    socket: UdpSocket,
    pub(crate) transport: Option<Transport>,
    attempt: Option<u32>,
    begin: Instant,
    pub(crate) heard: usize,
    /// No datagram of its own comes or goes.
    pub(crate) is_cut: bool,
}

impl Page {
    pub(crate) fn open(name: &str) -> Self {
        let config = ClientConfig::new(name).expect("a name");
        let mut core = Client::new(config, 7, client_storage_vec!(people: 64, speakers: 4));
        let room = core.use_room(voice_core::Instant::from_us(0), "Lobby", RoomUse::Both).expect("a room");
        let lobby = TalkTo::Room(room);
        core.open_channel(voice_core::Instant::from_us(0), lobby, ChannelOptions::DEFAULT).expect("a channel");
        core.connect(voice_core::Instant::from_us(0));
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(1))).expect("a time-out");
        Self { core, socket, transport: None, attempt: None, begin: Instant::now(), heard: 0, is_cut: false }
    }

    pub(crate) fn now(&self) -> voice_core::Instant {
        voice_core::Instant::from_us(self.begin.elapsed().as_micros() as u64)
    }

    /// In, due, out.
    pub(crate) fn turn(&mut self, web: &str) {
        let mut buffer = [0; 2_048];
        while let Ok((len, from)) = self.socket.recv_from(&mut buffer) {
            if let Some(transport) = self.transport.as_mut().filter(|_| !self.is_cut) {
                transport.handle_datagram(Instant::now(), from, &buffer[..len]);
            }
        }
        let now = self.now();
        self.core.handle_timeout(now);
        self.follow_wish(web);
        self.exchange(now);
        while self.core.poll_event().is_some() {}
    }

    fn exchange(&mut self, now: voice_core::Instant) {
        let Some(transport) = &mut self.transport else { return };
        transport.drive(Instant::now(), now, &mut self.core, |_| {});
        let mut datagram = Vec::new();
        while let Some(to) = transport.poll_transmit(&mut datagram) {
            if !self.is_cut {
                self.socket.send_to(&datagram, to).expect("it is sent");
            }
        }
    }

    fn follow_wish(&mut self, web: &str) {
        if self.core.transport_wanted() == self.attempt {
            return;
        }
        self.attempt = self.core.transport_wanted();
        self.transport = self.attempt.map(|_| {
            let address = self.socket.local_addr().expect("an address");
            let (mut transport, offer) = Transport::new(Instant::now(), address).expect("an offer");
            let answer = post(web, &offer);
            assert_eq!(answer.status, 200, "{}", answer.text());
            transport.accept_answer(Instant::now(), &answer.text()).expect("an answer");
            transport
        });
    }

    /// Listens to whoever speaks, for one frame's time.
    pub(crate) fn listen(&mut self, now: voice_core::Instant) {
        let speakers: Vec<_> = self.core.speakers().collect();
        for speaker in speakers {
            let frame = self.core.next_frame(now, Duration::ZERO, speaker);
            self.heard += usize::from(matches!(frame.sound, Sound::Play(_)));
        }
    }

    /// Goes on until it is so, at most so many seconds; in each frame's time `each` is done.
    pub(crate) fn go_on(&mut self, web: &str, seconds: u64, mut each: impl FnMut(&mut Self) -> bool) -> bool {
        let (end, mut next) = (Instant::now() + Duration::from_secs(seconds), Instant::now());
        while Instant::now() < end {
            self.turn(web);
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

pub(crate) fn clip(number: u32) -> String {
    format!("{}/../clips/voice-{number}.wav", env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn frames(number: u32) -> Vec<Vec<u8>> {
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
