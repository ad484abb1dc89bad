//! Packets drawn from the fuzzer's bytes.

use voice_core::{
    ChannelOptions, ClientId, CodecSettings, Delivery, FrameLength, Priority, RoomId, RoomUse, Secret, SessionId,
    Target, Volume,
    wire::{
        Channel, CloseReason, Greeting, Hearing, Hello, Lane, Packet, PathAck, PersonFlags, Ping, RefuseReason, Report,
        ReportEntry, Resume, RoomCloseReason, RosterWriter, StateFlags, Summary, TextRefuseReason, VERSION,
        VoiceHeader, Welcome, limits::MAX_PACKET_BYTES,
    },
};

use crate::{input::Input, session::Tap};

const FRAME_LENGTHS: [FrameLength; 4] = [FrameLength::Ms10, FrameLength::Ms20, FrameLength::Ms40, FrameLength::Ms60];

/// Draws packets.
pub(crate) struct Draw<'d, 'a> {
    input: &'d mut Input<'a>,
    /// What every packet claims to belong to; drawn too if `None`.
    lane: Option<Lane>,
    /// The largest id of a client or room.
    most_id: u16,
}

/// The parts of a voice packet.
pub(crate) struct VoiceParts<'a> {
    pub(crate) header: VoiceHeader,
    pub(crate) channels: Vec<Channel>,
    pub(crate) relay: Option<(bool, Vec<ClientId>)>,
    pub(crate) payload: &'a [u8],
}

impl VoiceParts<'_> {
    /// Writes the packet; `None` if the parts make none.
    pub(crate) fn write(&self, out: &mut [u8]) -> Option<usize> {
        let relay = self.relay.as_ref().map(|(only, clients)| (*only, clients.as_slice()));
        let start = self.header.write(out, &self.channels, relay)?;
        out.get_mut(start..start + self.payload.len())?.copy_from_slice(self.payload);
        Some(start + self.payload.len())
    }
}

impl<'d, 'a> Draw<'d, 'a> {
    /// Of any session, with any ids.
    pub(crate) fn any(input: &'d mut Input<'a>) -> Self {
        Self { input, lane: None, most_id: u16::MAX }
    }

    /// Mostly of this session and with the number that comes next on the lane; with ids that may exist.
    fn fitting(input: &'d mut Input<'a>, session: SessionId, next: u16) -> Self {
        let lane = match input.below(16) {
            14 => Lane { session: SessionId::new(session.get() ^ 1).unwrap_or(session), number: next },
            15 => Lane { session, number: next.wrapping_add(1) },
            _ => Lane { session, number: next },
        };
        Self { input, lane: Some(lane), most_id: 8 }
    }

    /// Any packet, written.
    fn write(&mut self, out: &mut [u8; MAX_PACKET_BYTES]) -> Option<(Delivery, usize)> {
        match self.input.below(32) {
            28 => Some((Delivery::Unreliable, self.report(out)?)),
            29 | 30 => Some((Delivery::Unreliable, self.voice().write(out)?)),
            31 => Some((Delivery::Reliable, self.roster(out).1?)),
            which => {
                let mut written = None;
                self.control(which, |packet| written = packet.encode(out).map(|len| (packet.delivery(), len)));
                written
            }
        }
    }

    /// The control packet of this number, below 28.
    pub(crate) fn control(&mut self, which: usize, mut give: impl FnMut(&Packet<'_>)) {
        let name = self.text(70);
        let bytes = self.input.packet();
        let (lane, client, room) = (self.lane(), self.client(), self.room());
        let (number, flag) = (self.input.u16(), self.input.flag());
        give(&match which {
            0 => return self.hello(&name, bytes, give),
            1 => Packet::UseRoom { lane, room_use: self.room_use(), name: &name },
            2 => Packet::LeaveRoom { lane, room },
            3 => Packet::SetState { lane, flags: self.state_flags(), priority: self.priority() },
            4 => Packet::SetBlock { lane, client, blocked: flag },
            5 => Packet::SendText { lane, number, last: flag, target: self.target(), bytes },
            6 => Packet::PairRequest { lane, client },
            7 => Packet::SendRendezvous { lane, to: client, bytes },
            8 if flag => Packet::RosterRequest { lane },
            8 => Packet::Leave { lane },
            9 => return self.welcome(flag, give),
            10 => Packet::Refused { nonce: self.input.u32(), reason: self.reason(RefuseReason::from_number) },
            11 => Packet::RoomGranted { lane, room, room_use: self.room_use(), name: &name },
            12 => Packet::RoomClosed { lane, reason: self.reason(RoomCloseReason::from_number), name: &name },
            13 => Packet::Audience { lane, heard: flag, sequence: number },
            14 => Packet::Text { lane, from: client, last: flag, target: self.target(), bytes },
            15 => Packet::TextRefused { lane, number, reason: self.reason(TextRefuseReason::from_number) },
            16 => Packet::Pair { lane, client, secret: self.secret() },
            17 => Packet::PairGone { lane, client },
            18 => Packet::Rendezvous { lane, from: client, bytes },
            19 => Packet::Closed { lane, reason: self.reason(CloseReason::from_number) },
            20 => Packet::Ping(Ping {
                session: lane.session,
                stamp: self.input.u32(),
                next: number,
                rtt_ms: self.input.u16(),
                loss: self.input.byte(),
                jitter_ms: self.input.u16(),
                idle: flag,
            }),
            21 => Packet::Pong { session: lane.session, stamp: self.input.u32(), next: number },
            22 if flag => {
                Packet::Phase { session: lane.session, sequence: number, later_us: 1 + self.input.u16() % 19_999 }
            }
            22 => Packet::LaneAck { session: lane.session, next: number },
            23 if flag => Packet::Summary(Summary {
                session: lane.session,
                listeners: 1 + self.input.byte() % 64,
                hearing: self.hearing(),
            }),
            23 => Packet::WrongSession { ours: lane.session, theirs: self.input.u32() },
            24 | 25 => {
                let greeting =
                    Greeting::new(flag, lane.session, client, self.client(), self.input.u64(), &self.secret());
                if flag { Packet::GreetAck(greeting) } else { Packet::Greet(greeting) }
            }
            _ => Packet::PathAck(PathAck {
                session: lane.session,
                sender: client,
                receiver: self.client(),
                sequence: number,
                received: self.input.u32(),
            }),
        });
    }

    fn hello(&mut self, name: &str, credential: &[u8], mut give: impl FnMut(&Packet<'_>)) {
        let resume =
            self.input.flag().then(|| Resume { session: self.session(), client: self.client(), secret: self.secret() });
        give(&Packet::Hello(Hello {
            version: VERSION,
            features: self.input.u32(),
            nonce: self.input.u32(),
            codec: self.codec(),
            flags: self.state_flags(),
            priority: self.priority(),
            resume,
            name,
            credential,
        }));
    }

    fn welcome(&mut self, resumed: bool, mut give: impl FnMut(&Packet<'_>)) {
        give(&Packet::Welcome(Welcome {
            session: self.session(),
            nonce: self.input.u32(),
            version: VERSION,
            features: self.input.u32(),
            client: self.client(),
            resumed,
            secret: self.secret(),
            grace_s: self.input.u16(),
            max_rooms: self.input.byte(),
        }));
    }

    /// The parts of a voice packet.
    pub(crate) fn voice(&mut self) -> VoiceParts<'a> {
        let tag = self.input.u16();
        let header = VoiceHeader {
            mark: self.input.flag(),
            end: self.input.flag(),
            tag: self.lane.map_or(tag, |lane| lane.session.tag()),
            speaker: self.client(),
            sequence: self.input.u16(),
            media_time: self.input.byte(),
            // Of a number that is drawn anyhow, so that inputs kept from before mean what they meant.
            frame_length: FRAME_LENGTHS[usize::from(tag % 4)],
        };
        let channels = (0..self.input.below(10)).map(|_| self.channel()).collect();
        let listed = (0..self.input.below(34)).map(|_| self.client()).collect();
        let relay = self.input.flag().then(|| (self.input.flag(), listed));
        VoiceParts { header, channels, relay, payload: self.input.packet() }
    }

    /// A page of the roster, written: whom it names, and its length unless it can't be finished.
    pub(crate) fn roster(&mut self, out: &mut [u8]) -> (Vec<ClientId>, Option<usize>) {
        let mut page = RosterWriter::new(out);
        let mut pushed = Vec::new();
        for _ in 0..self.input.below(20) {
            let (id, name) = (self.client(), self.text(70));
            let rooms: Vec<RoomId> = (0..self.input.below(34)).map(|_| self.room()).collect();
            let flags =
                PersonFlags { muted: self.input.flag(), server_muted: self.input.flag(), ..PersonFlags::default() };
            let done = match self.input.flag() {
                true => page.push_present(id, flags, &self.codec(), self.priority(), &name, rooms.iter().copied()),
                false => page.push_gone(id),
            };
            if done {
                pushed.push(id);
            }
        }
        let lane = self.lane();
        let (first, last) = (self.input.flag(), self.input.flag());
        (pushed, page.finish(lane, first, last))
    }

    fn text(&mut self, most: usize) -> String {
        let len = self.input.below(most + 1);
        String::from_utf8_lossy(self.input.bytes(len)).into_owned()
    }

    fn channel(&mut self) -> Channel {
        let volume = Volume::new(self.input.byte()).unwrap_or(Volume::FULL);
        let options = ChannelOptions { positional: self.input.flag(), priority: self.priority(), volume };
        Channel { target: self.target(), options }
    }

    fn session(&mut self) -> SessionId {
        let drawn = SessionId::new(self.input.u32().max(1)).expect("not 0");
        self.lane.map_or(drawn, |lane| lane.session)
    }

    fn lane(&mut self) -> Lane {
        match self.lane {
            Some(lane) => lane,
            None => Lane { session: self.session(), number: self.input.u16() },
        }
    }

    fn client(&mut self) -> ClientId {
        ClientId::new(self.id()).expect("not 0")
    }

    fn room(&mut self) -> RoomId {
        RoomId::new(self.id()).expect("not 0")
    }

    fn target(&mut self) -> Target {
        if self.input.flag() { Target::Room(self.room()) } else { Target::Client(self.client()) }
    }

    fn secret(&mut self) -> Secret {
        let mut secret = [0; 16];
        let bytes = self.input.bytes(16);
        secret[..bytes.len()].copy_from_slice(bytes);
        Secret::from_bytes(secret)
    }

    fn priority(&mut self) -> Priority {
        Priority::from_number(self.input.byte() % 5).expect("below 5")
    }

    fn room_use(&mut self) -> RoomUse {
        RoomUse::from_number(1 + self.input.byte() % 3).expect("1 to 3")
    }

    fn state_flags(&mut self) -> StateFlags {
        StateFlags { muted: self.input.flag(), deafened: self.input.flag() }
    }

    fn codec(&mut self) -> CodecSettings {
        let frame_length = FRAME_LENGTHS[self.input.below(4)];
        CodecSettings { codec: self.input.byte(), frame_length, bitrate: self.input.u32() }
    }

    fn hearing(&mut self) -> Hearing {
        let (loss, late) = (self.input.byte(), self.input.byte());
        let (jitter_ms, delay, growth) = (self.input.byte(), self.input.byte(), self.input.byte());
        Hearing { loss, late: late.min(u8::MAX - loss), jitter_ms, delay, growth }
    }

    /// A listener's report, written; `None` unless it can be.
    pub(crate) fn report(&mut self, out: &mut [u8]) -> Option<usize> {
        let mut entries: Vec<ReportEntry> = (0..self.input.below(18))
            .map(|_| ReportEntry { speaker: self.client(), hearing: self.hearing() })
            .collect();
        entries.sort_by_key(|entry| entry.speaker);
        entries.dedup_by_key(|entry| entry.speaker);
        Report::write(out, self.lane().session, &entries)
    }

    fn reason<T>(&mut self, from: fn(u8) -> Option<T>) -> T {
        from(self.input.byte()).or_else(|| from(1)).expect("there is a reason 1")
    }

    fn id(&mut self) -> u16 {
        1 + self.input.u16() % self.most_id
    }
}

/// Any packet for one end of a connection: raw, the last one with bytes changed, or one that fits the session; and how it travels.
pub(crate) fn packet_after(input: &mut Input<'_>, session: SessionId, tap: &Tap) -> Option<(Delivery, Vec<u8>)> {
    let delivery = if input.flag() { Delivery::Reliable } else { Delivery::Unreliable };
    match input.below(5) {
        0 => Some((delivery, input.packet().to_vec())),
        1 => Some((delivery, input.bent(&tap.last))),
        2 => {
            let mut packet = input.packet().to_vec();
            address(&mut packet, session, tap.next);
            Some((delivery, packet))
        }
        _ => {
            let mut out = [0; MAX_PACKET_BYTES];
            let (delivery, len) = Draw::fitting(input, session, tap.next).write(&mut out)?;
            Some((delivery, out[..len].to_vec()))
        }
    }
}

/// Gives a packet that may be of any session the lane that it needs to be looked at.
fn address(packet: &mut [u8], session: SessionId, next: u16) {
    let [a, b, c, d] = session.get().to_be_bytes();
    let [high, low] = next.to_be_bytes();
    match packet {
        [0x80..=0xFF, tag_high, tag_low, ..] => (*tag_high, *tag_low) = (c, d),
        [0x01 | 0x21 | 0x22, ..] => {}
        [0x00..=0x3F, rest @ ..] if rest.len() >= 6 => rest[..6].copy_from_slice(&[a, b, c, d, high, low]),
        [_, rest @ ..] if rest.len() >= 4 => rest[..4].copy_from_slice(&[a, b, c, d]),
        _ => {}
    }
}
