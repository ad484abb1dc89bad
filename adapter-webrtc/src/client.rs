//! An end as a browser has it, for tests and for load: offers, and talks over the two channels. People talk through their browsers.

use std::{
    collections::VecDeque,
    fmt,
    net::SocketAddr,
    time::{Duration, Instant},
};

use str0m::{
    Candidate, Event as RtcEvent, IceConnectionState, Input, Output, Rtc,
    change::{SdpAnswer, SdpPendingOffer},
    channel::ChannelId,
    net::{DatagramSend, Protocol, Receive},
};
use voice_core::{ClientMemory, Delivery, Route, Source};

use crate::link::channels;

/// Something that happened to a [`Client`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientEvent {
    /// Both channels are open.
    Up,
    /// A packet came in.
    Packet(Delivery, Vec<u8>),
    /// The connection is no more.
    Down,
}

/// Nothing can be offered or agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoConnection(String);

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoConnection {}

/// One connection of a client to a server. Sans-IO like the [`Endpoint`](crate::Endpoint).
pub struct Client {
    rtc: Rtc,
    address: SocketAddr,
    pending: Option<SdpPendingOffer>,
    voice: ChannelId,
    lane: ChannelId,
    open: usize,
    told_at: Instant,
    due: Instant,
    is_over: bool,
    out: VecDeque<(SocketAddr, DatagramSend)>,
    events: VecDeque<ClientEvent>,
}

impl Client {
    /// A client with a socket at this address, and its offer in SDP.
    ///
    /// # Errors
    /// [`NoConnection`]: the address can't be one of a socket.
    pub fn new(now: Instant, address: SocketAddr) -> Result<(Self, String), NoConnection> {
        let mut rtc = Rtc::builder().clear_codecs().build(now);
        let candidate = Candidate::host(address, "udp").map_err(|error| NoConnection(error.to_string()))?;
        rtc.add_local_candidate(candidate);
        let mut change = rtc.sdp_api();
        let [voice, lane] = channels().map(|config| change.add_channel_with_config(config));
        let (offer, pending) = change.apply().ok_or_else(|| NoConnection("nothing to offer".to_owned()))?;
        let (out, events) = (VecDeque::new(), VecDeque::new());
        let pending = Some(pending);
        let mut client =
            Self { rtc, address, pending, voice, lane, open: 0, told_at: now, due: now, is_over: false, out, events };
        client.drain();
        Ok((client, offer.to_sdp_string()))
    }

    /// Takes the server's answer.
    ///
    /// # Errors
    /// [`NoConnection`]: it is none, or doesn't go with the offer.
    pub fn accept_answer(&mut self, now: Instant, sdp: &str) -> Result<(), NoConnection> {
        let answer = SdpAnswer::from_sdp_string(sdp).map_err(|error| NoConnection(error.to_string()))?;
        let pending = self.pending.take().ok_or_else(|| NoConnection("it has an answer already".to_owned()))?;
        let taken = self.rtc.sdp_api().accept_answer(pending, answer);
        taken.map_err(|error| NoConnection(error.to_string()))?;
        self.drain();
        self.handle_timeout(now);
        Ok(())
    }

    /// Takes a datagram that came in.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let Ok(receive) = Receive::new(Protocol::Udp, from, self.address, datagram) else { return };
        self.told_at = now;
        if self.rtc.handle_input(Input::Receive(now, receive)).is_ok() || self.rtc.is_alive() {
            self.drain();
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.told_at = now;
        if self.rtc.handle_input(Input::Timeout(now)).is_ok() {
            self.drain();
        }
    }

    /// When something is due.
    pub const fn poll_timeout(&self) -> Instant {
        self.due
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// The next datagram to send; it replaces what is in `out`. Gives where it goes.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> Option<SocketAddr> {
        let (to, bytes) = self.out.pop_front()?;
        out.clear();
        out.extend_from_slice(&bytes);
        Some(to)
    }

    /// Sends a packet; false if the channel doesn't take it.
    pub fn send(&mut self, now: Instant, delivery: Delivery, packet: &[u8]) -> bool {
        match delivery {
            Delivery::Reliable => self.send_message(now, delivery, true, packet),
            Delivery::Unreliable if packet.is_empty() => false,
            Delivery::Unreliable => {
                let mut message = Vec::with_capacity(packet.len() + 2);
                adapter_kit::pack(packet, &mut message);
                self.send_message(now, delivery, true, &message)
            }
        }
    }

    /// Sends a message as it is, as a page of somebody's own might; false if the channel doesn't take it.
    pub fn send_message(&mut self, now: Instant, delivery: Delivery, is_binary: bool, message: &[u8]) -> bool {
        if now.saturating_duration_since(self.told_at) >= Duration::from_millis(2) {
            self.handle_timeout(now);
        }
        let id = if delivery == Delivery::Reliable { self.lane } else { self.voice };
        let taken =
            self.rtc.channel(id).is_some_and(|mut channel| matches!(channel.write(is_binary, message), Ok(true)));
        self.drain();
        taken
    }

    /// Does what is due, and lets a client of the core and this connection exchange what they have for each other. `core_now` is the same time on the
    /// core's clock. `seen` gets each unreliable packet that came in, before the client does.
    pub fn drive<M: ClientMemory>(
        &mut self,
        now: Instant,
        core_now: voice_core::Instant,
        core: &mut voice_core::Client<M>,
        mut seen: impl FnMut(&[u8]),
    ) {
        if self.due <= now {
            self.handle_timeout(now);
        }
        while let Some(event) = self.poll_event() {
            match event {
                ClientEvent::Up => core.handle_connected(core_now),
                ClientEvent::Down => core.handle_disconnected(core_now),
                ClientEvent::Packet(delivery, packet) => {
                    if delivery == Delivery::Unreliable {
                        seen(&packet);
                    }
                    core.handle_packet(core_now, Source::Server, delivery, &packet);
                }
            }
        }
        let mut packet = [0; 1_200];
        while let Some(transmit) = core.poll_transmit(core_now, &mut packet) {
            let taken = transmit.to == Route::Server && self.send(now, transmit.delivery, &packet[..transmit.len]);
            if !taken && transmit.delivery == Delivery::Reliable {
                // A lane that takes no more is at an end: a gap in it would be worse.
                self.close();
            }
        }
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        let _ = self.rtc.close();
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(transmit)) => self.out.push_back((transmit.destination, transmit.contents)),
                Ok(Output::Event(event)) => self.on_event(event),
                Ok(Output::Timeout(at)) => {
                    self.due = at;
                    break;
                }
                Err(_) => return self.end(),
            }
        }
        if !self.rtc.is_alive() {
            self.end();
        }
    }

    fn on_event(&mut self, event: RtcEvent) {
        match event {
            RtcEvent::ChannelOpen(..) => {
                self.open += 1;
                if self.open == 2 {
                    self.events.push_back(ClientEvent::Up);
                }
            }
            RtcEvent::ChannelData(data) if data.id == self.lane => {
                self.events.push_back(ClientEvent::Packet(Delivery::Reliable, data.data));
            }
            RtcEvent::ChannelData(data) => {
                let packet = |packet: &[u8]| ClientEvent::Packet(Delivery::Unreliable, packet.to_vec());
                self.events.extend(adapter_kit::packets(&data.data).map(packet));
            }
            RtcEvent::IceConnectionStateChange(IceConnectionState::Disconnected)
            | RtcEvent::ChannelClose(_)
            | RtcEvent::Closed => self.end(),
            _ => {}
        }
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.is_over, true) {
            self.events.push_back(ClientEvent::Down);
        }
    }
}
