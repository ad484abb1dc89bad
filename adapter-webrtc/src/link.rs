//! One connection: ICE, DTLS, SCTP and two data channels of it, all by str0m, and the packets that its lane doesn't take yet.

use std::{collections::VecDeque, net::SocketAddr, time::Duration, time::Instant};

use adapter_kit::Source;
use str0m::{
    Event as RtcEvent, IceConnectionState, Input, Output, Rtc,
    channel::{ChannelConfig, ChannelData, ChannelId, Reliability},
    net::{DatagramSend, Protocol, Receive},
};

/// SCTP stream of the unreliable and unordered channel. It is below the lane's since streams open in their order: when the lane is open, all is.
pub const VOICE: u16 = 0;
/// SCTP stream of the reliable and ordered channel.
pub const LANE: u16 = 1;

/// Most bytes of a packet.
pub(crate) const LONGEST: usize = 1_200;
/// Most bytes of a datagram, before IP and UDP.
const MTU: usize = 1_200;
/// Bytes of packets in one unreliable message, each with its length: with what SCTP (40 B) and DTLS (48 B) add, one datagram.
pub(crate) const ROOM: usize = MTU - 88;
/// Bytes of a message from a browser: a packet with its length, and then some.
const LONGEST_MESSAGE: u32 = 2_048;
/// Unreliable bytes under way. With more, what comes next would only wait for a network that is full.
const VOICE_BUFFER: usize = 32 * 1_024;
/// Bytes under way in both channels: whatever voice takes, half of it is the lane's.
const BUFFER: usize = 2 * VOICE_BUFFER + LONGEST_MESSAGE as usize;
/// Packets that wait for room on the lane: what the core sends without an acknowledgement, and as much again for what it says while it closes.
const MOST_WAITING: usize = 128;
/// How old the time may be that str0m was told last before something is sent: its timers begin with it.
const STALE: Duration = Duration::from_millis(2);
/// Addresses that a browser may come from while it has one connection.
const MOST_ADDRESSES: usize = 32;

/// The two channels, as both ends have to make them.
pub fn channels() -> [ChannelConfig; 2] {
    let unreliable = ChannelConfig {
        label: "voice".to_owned(),
        ordered: false,
        reliability: Reliability::MaxRetransmits { retransmits: 0 },
        negotiated: Some(VOICE),
        protocol: String::new(),
    };
    let reliable = ChannelConfig {
        label: "lane".to_owned(),
        ordered: true,
        reliability: Reliability::Reliable,
        negotiated: Some(LANE),
        protocol: String::new(),
    };
    [unreliable, reliable]
}

/// What a link has to tell.
pub(crate) enum Happened {
    /// Both channels are open.
    Up,
    /// A packet on the lane.
    Reliable(Vec<u8>),
    /// A message on the unreliable channel.
    Unreliable(Vec<u8>),
    /// An unreliable message that can't be.
    Malformed,
    /// A datagram to send.
    Datagram(SocketAddr, DatagramSend),
}

pub(crate) struct Link {
    rtc: Rtc,
    voice: ChannelId,
    lane: ChannelId,
    /// Packets that the lane didn't take yet.
    waiting: VecDeque<Box<[u8]>>,
    /// The time that str0m knows.
    told_at: Instant,
    voice_is_open: bool,
    pub(crate) is_up: bool,
    /// It has to go.
    pub(crate) is_over: bool,
    /// It goes since the other end has broken a rule, and that end is told.
    pub(crate) is_breach: bool,
    pub(crate) fragment: String,
    pub(crate) source: Source,
    /// Where it was heard from.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Where it is sent to.
    pub(crate) peer: Option<SocketAddr>,
    /// When it is given up if it isn't up by then.
    pub(crate) until: Instant,
    /// Since when unreliable packets wait since the channel takes none.
    pub(crate) held_since: Option<Instant>,
}

impl Link {
    /// A connection with an answer that the browser will get.
    pub(crate) fn new(now: Instant, mut rtc: Rtc, source: Source, until: Instant) -> Self {
        let [voice, lane] = channels().map(|config| rtc.direct_api().create_data_channel(config));
        let fragment = rtc.direct_api().local_ice_credentials().ufrag;
        Self {
            rtc,
            voice,
            lane,
            waiting: VecDeque::new(),
            told_at: now,
            voice_is_open: false,
            is_up: false,
            is_over: false,
            is_breach: false,
            fragment,
            source,
            addresses: Vec::new(),
            peer: None,
            until,
            held_since: None,
        }
    }

    /// The settings of every connection, but for its certificate.
    pub(crate) fn config() -> str0m::RtcConfig {
        Rtc::builder()
            .set_ice_lite(true)
            .clear_codecs()
            .clear_extension_map()
            .set_mtu(MTU..=usize::MAX)
            .set_sctp_max_message_size(LONGEST_MESSAGE)
            .set_sctp_max_buffered_amount(BUFFER)
    }

    /// Takes a datagram that came to `to`; false if it isn't of this connection. [`Link::drain`] follows.
    pub(crate) fn receive(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, datagram: &[u8]) -> bool {
        let Ok(receive) = Receive::new(Protocol::Udp, from, to, datagram) else { return false };
        let input = Input::Receive(now, receive);
        // Of a STUN request this checks that it was made by who knows the password of this connection.
        if !self.rtc.accepts(&input) {
            return false;
        }
        self.told_at = now;
        // An error is of this datagram, which anybody can have made up; what ends a connection shows in `is_alive`.
        let taken = self.rtc.handle_input(input).is_ok();
        taken || !self.rtc.is_alive()
    }

    /// Whether it may come from one address more. What str0m keeps for each isn't forgotten.
    pub(crate) fn may_move_to(&self, address: SocketAddr) -> bool {
        self.addresses.contains(&address) || self.addresses.len() < MOST_ADDRESSES
    }

    /// Tells what time it is. [`Link::drain`] follows.
    pub(crate) fn tell_time(&mut self, now: Instant) {
        self.told_at = now;
        if self.rtc.handle_input(Input::Timeout(now)).is_err() {
            self.is_over = true;
        }
    }

    /// Whether str0m's time is too old for something to be sent by it.
    pub(crate) fn is_behind(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.told_at) >= STALE
    }

    /// Takes all that str0m has to say, and writes what waits for the lane as far as there is room. Gives when it has to be told the time.
    pub(crate) fn drain(&mut self, mut tell: impl FnMut(Happened)) -> Instant {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(transmit)) => {
                    // STUN is answered to where it came from; the rest goes to where the browser wants it.
                    if transmit.contents.first().is_some_and(|first| *first >= 20) {
                        self.peer = Some(transmit.destination);
                    }
                    tell(Happened::Datagram(transmit.destination, transmit.contents));
                }
                Ok(Output::Event(event)) => self.on_event(event, &mut tell),
                Ok(Output::Timeout(at)) => {
                    if !self.write_next() {
                        self.is_over |= !self.rtc.is_alive();
                        return at;
                    }
                }
                Err(_) => {
                    self.is_over = true;
                    return self.told_at;
                }
            }
        }
    }

    fn on_event(&mut self, event: RtcEvent, tell: &mut impl FnMut(Happened)) {
        match event {
            RtcEvent::ChannelOpen(id, _) if id == self.voice => self.voice_is_open = true,
            RtcEvent::ChannelOpen(id, _) if id == self.lane && self.voice_is_open => {
                self.is_up = true;
                tell(Happened::Up);
            }
            RtcEvent::ChannelData(data) if self.is_up => self.on_data(data, tell),
            // Unreliable, and before the other channel was open: lost.
            RtcEvent::ChannelData(data) if data.id == self.voice => {}
            // There are no other channels, and none of the two is closed alone.
            RtcEvent::ChannelOpen(..) | RtcEvent::ChannelClose(_) | RtcEvent::ChannelData(_) => self.end_for_breach(),
            // Nobody has asked for 15 s: whoever is there doesn't consent to be sent to any more (RFC 7675).
            RtcEvent::IceConnectionStateChange(IceConnectionState::Disconnected) | RtcEvent::Closed => {
                self.is_over = true;
            }
            _ => {}
        }
    }

    fn on_data(&mut self, data: ChannelData, tell: &mut impl FnMut(Happened)) {
        let fits = data.binary && (1..=LONGEST).contains(&data.data.len());
        if data.id == self.voice {
            // Several packets may share it, as far as it came through at all.
            tell(if data.binary { Happened::Unreliable(data.data) } else { Happened::Malformed });
        } else if data.id == self.lane && fits {
            tell(Happened::Reliable(data.data));
        } else {
            // A lane with a packet that can't be is at an end.
            self.end_for_breach();
        }
    }

    const fn end_for_breach(&mut self) {
        (self.is_over, self.is_breach) = (true, true);
    }

    /// Puts a packet by for the lane; false if too many wait or it is too long. [`Link::drain`] follows.
    pub(crate) fn send_reliable(&mut self, packet: &[u8]) -> bool {
        let taken = (1..=LONGEST).contains(&packet.len()) && self.waiting.len() < MOST_WAITING;
        if taken {
            self.waiting.push_back(packet.into());
        }
        taken
    }

    fn write_next(&mut self) -> bool {
        let Some(next) = self.waiting.front() else { return false };
        let Some(mut channel) = self.rtc.channel(self.lane) else { return false };
        match channel.write(true, next) {
            Ok(true) => {
                self.waiting.pop_front();
                true
            }
            // Full: when something is acknowledged, it is tried again.
            Ok(false) => false,
            Err(_) => {
                self.is_over = true;
                false
            }
        }
    }

    /// Whether the unreliable channel takes a message now.
    pub(crate) fn has_room(&mut self) -> bool {
        self.rtc.channel(self.voice).is_some_and(|mut channel| channel.buffered_amount() < VOICE_BUFFER)
    }

    /// Sends an unreliable message; false if the channel doesn't take it. [`Link::drain`] follows.
    pub(crate) fn send_unreliable(&mut self, message: &[u8]) -> bool {
        self.rtc.channel(self.voice).is_some_and(|mut channel| matches!(channel.write(true, message), Ok(true)))
    }

    /// Says goodbye, as far as that takes no answer. [`Link::drain`] follows.
    pub(crate) fn close(&mut self) {
        let _ = self.rtc.close();
    }
}
