//! What a server, and the other ends of direct paths, say to a client: right in every field unless a test bends it.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};
use voice_core::{
    CodecSettings, Delivery, Priority, RoomUse, Secret, SessionId, State,
    wire::{
        CloseReason, Greeting, Hearing, Lane, Packet, PathAck, PersonFlags, RefuseReason, RoomCloseReason,
        RosterWriter, Summary, TextRefuseReason, VoiceHeader, Welcome,
    },
};

use super::{To, client_id, packet_bytes, room_id, to, voice_bytes};

pub(crate) const ME: u16 = 1;
pub(crate) const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// A packet that a server or the other end of a path may send, but for what the session says.
#[derive(Debug, Clone)]
pub(crate) enum Tell {
    Welcome(bool),
    Refused(u8),
    RoomGranted(u16, u8),
    RoomClosed(u8, u8),
    Roster { first: bool, last: bool, people: Vec<(u16, u8)>, gone: Vec<u16> },
    Audience(bool, u16),
    Text { from: u16, to: To, last: bool, len: usize, byte: u8 },
    TextRefused(u8),
    Pair(u16),
    PairGone(u16),
    Rendezvous(u16, usize),
    Closed(u8),
    Pong,
    LaneAck,
    Summary(u8, u8),
    Phase(u16),
    WrongSession,
    Voice { speaker: u16, to: Vec<To>, step: u16, len: usize },
    Greet(u16, bool),
    PathAck(u16),
}

pub(crate) fn tell() -> impl Strategy<Value = Tell> {
    let ids = || 1..6_u16;
    let text = (ids(), to(), any::<bool>(), prop_oneof![Just(1_000), 1..1_001_usize], any::<u8>());
    prop_oneof![
        2 => any::<bool>().prop_map(Tell::Welcome),
        1 => any::<u8>().prop_map(Tell::Refused),
        4 => (ids(), 0..4_u8).prop_map(|(room, name)| Tell::RoomGranted(room, name)),
        1 => (0..4_u8, 0..4_u8).prop_map(|(reason, name)| Tell::RoomClosed(reason, name)),
        3 => (any::<bool>(), any::<bool>(), vec((ids(), any::<u8>()), 0..5), vec(ids(), 0..3))
            .prop_map(|(first, last, people, gone)| Tell::Roster { first, last, people, gone }),
        1 => (any::<bool>(), any::<u16>()).prop_map(|(heard, sequence)| Tell::Audience(heard, sequence)),
        3 => text.prop_map(|(from, to, last, len, byte)| Tell::Text { from, to, last, len, byte }),
        1 => any::<u8>().prop_map(Tell::TextRefused),
        3 => ids().prop_map(Tell::Pair),
        1 => ids().prop_map(Tell::PairGone),
        1 => (ids(), 1..1_001_usize).prop_map(|(from, len)| Tell::Rendezvous(from, len)),
        1 => any::<u8>().prop_map(Tell::Closed),
        2 => Just(Tell::Pong),
        2 => Just(Tell::LaneAck),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(loss, growth)| Tell::Summary(loss, growth)),
        1 => (1..20_000_u16).prop_map(Tell::Phase),
        1 => Just(Tell::WrongSession),
        6 => (ids(), vec(to(), 1..5), 0..70_u16, prop_oneof![Just(40), 1..1_001_usize])
            .prop_map(|(speaker, to, step, len)| Tell::Voice { speaker, to, step, len }),
        5 => (ids(), any::<bool>()).prop_map(|(from, ack)| Tell::Greet(from, ack)),
        2 => ids().prop_map(Tell::PathAck),
    ]
}

/// What a server, and the ends of direct paths, know of their client.
pub(crate) struct Script {
    pub(crate) session: SessionId,
    nonce: u32,
    stamp: u32,
    pub(crate) out_next: u16,
    in_next: u16,
    acked: u16,
    sequence: u16,
    secrets: BTreeMap<u16, Secret>,
    /// The last greeting that came to each client.
    greeted: BTreeMap<u16, Greeting>,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self {
            session: SessionId::new(0x1234_5678).expect("not 0"),
            nonce: 0,
            stamp: 0,
            out_next: 0,
            in_next: 0,
            acked: 0,
            sequence: 0,
            secrets: BTreeMap::new(),
            greeted: BTreeMap::new(),
        }
    }

    pub(crate) fn write(&mut self, tell: &Tell) -> Vec<u8> {
        let (session, lane) = (self.session, Lane { session: self.session, number: self.out_next });
        match tell {
            Tell::Voice { speaker, to, step, len } => return self.voice(*speaker, to, *step, *len),
            Tell::Roster { first, last, people, gone } => return roster(lane, *first, *last, people, gone),
            Tell::Text { from, to, last, len, byte } => {
                let bytes = vec![*byte; if *last { *len } else { 1_000 }];
                let (from, target) = (client_id(*from), to.target());
                return packet_bytes(&Packet::Text { lane, from, last: *last, target, bytes: &bytes });
            }
            Tell::Rendezvous(from, len) => {
                return packet_bytes(&Packet::Rendezvous { lane, from: client_id(*from), bytes: &vec![4; *len] });
            }
            _ => {}
        }
        packet_bytes(&match *tell {
            Tell::Welcome(resumed) => Packet::Welcome(self.welcome(resumed)),
            Tell::Refused(reason) => {
                let reason = RefuseReason::from_number(reason).unwrap_or(RefuseReason::Busy);
                Packet::Refused { nonce: self.nonce, reason }
            }
            Tell::RoomGranted(room, name) => {
                let name = NAMES[usize::from(name)];
                Packet::RoomGranted { lane, room: room_id(room), room_use: RoomUse::Both, name }
            }
            Tell::RoomClosed(reason, name) => {
                let reason = RoomCloseReason::from_number(1 + reason).expect("1 to 4");
                Packet::RoomClosed { lane, reason, name: NAMES[usize::from(name)] }
            }
            Tell::Audience(heard, sequence) => Packet::Audience { lane, heard, sequence },
            Tell::TextRefused(reason) => {
                let reason = TextRefuseReason::from_number(1 + reason % 5).expect("1 to 5");
                Packet::TextRefused { lane, number: 1, reason }
            }
            Tell::Pair(client) => Packet::Pair { lane, client: client_id(client), secret: self.draw_secret(client) },
            Tell::PairGone(client) => Packet::PairGone { lane, client: client_id(client) },
            Tell::Closed(reason) => {
                let reason = CloseReason::from_number(reason).unwrap_or(CloseReason::Flood);
                Packet::Closed { lane, reason }
            }
            Tell::Pong => Packet::Pong { session, stamp: self.stamp, next: self.in_next },
            Tell::LaneAck => Packet::LaneAck { session, next: self.in_next },
            Tell::Summary(loss, growth) => {
                let hearing = Hearing { loss, growth, ..Hearing::default() };
                Packet::Summary(Summary { session, listeners: 3, hearing })
            }
            Tell::Phase(later_us) => Packet::Phase { session, sequence: self.sequence, later_us },
            Tell::WrongSession => Packet::WrongSession { ours: session, theirs: session.get() },
            Tell::Greet(from, ack) => self.greeting(from, ack),
            Tell::PathAck(from) => {
                let (sender, receiver) = (client_id(from), client_id(ME));
                Packet::PathAck(PathAck { session, sender, receiver, sequence: self.sequence, received: 5 })
            }
            Tell::Voice { .. } | Tell::Roster { .. } | Tell::Text { .. } | Tell::Rendezvous(..) => unreachable!(),
        })
    }

    fn welcome(&self, resumed: bool) -> Welcome {
        let (session, nonce, client) = (self.session, self.nonce, client_id(ME));
        let secret = Secret::from_bytes([9; 16]);
        Welcome { session, nonce, version: 1, features: 3, client, resumed, secret, grace_s: 30, max_rooms: 32 }
    }

    fn draw_secret(&mut self, client: u16) -> Secret {
        let secret = Secret::from_bytes([self.out_next.to_le_bytes()[0]; 16]);
        self.secrets.insert(client, secret);
        secret
    }

    fn greeting(&self, from: u16, ack: bool) -> Packet<'static> {
        let secret = self.secrets.get(&from).copied().unwrap_or(Secret::from_bytes([0; 16]));
        let nonce = self.greeted.get(&from).map_or(7, |greeting| greeting.nonce);
        let greeting = Greeting::new(ack, self.session, client_id(from), client_id(ME), nonce, &secret);
        if ack { Packet::GreetAck(greeting) } else { Packet::Greet(greeting) }
    }

    fn voice(&self, speaker: u16, to: &[To], step: u16, len: usize) -> Vec<u8> {
        let sequence = self.sequence.wrapping_add(step).wrapping_sub(2);
        let [_, media_time] = sequence.to_be_bytes();
        let (tag, speaker) = (self.session.tag(), client_id(speaker));
        let header = VoiceHeader {
            mark: step > 9,
            end: step == 8,
            tag,
            speaker,
            sequence,
            media_time,
            frame_length: voice_core::FrameLength::Ms20,
        };
        voice_bytes(header, to, None, &vec![5; len])
    }

    pub(crate) fn window_is_full(&self) -> bool {
        self.in_next.wrapping_sub(self.acked) >= 64
    }

    pub(crate) fn breaks_lane(&self, bytes: &[u8]) -> bool {
        let lane = Packet::decode(bytes).ok().and_then(|packet| packet.lane());
        lane.is_some_and(|lane| lane.number != self.out_next)
    }

    /// `told` is the client's session: what names another doesn't count.
    pub(crate) fn note_told(&mut self, bytes: &[u8], delivery: Delivery, state: State, told: Option<SessionId>) {
        let Ok(packet) = Packet::decode(bytes) else { return };
        match packet {
            Packet::Welcome(welcome)
                if delivery == Delivery::Reliable && welcome.nonce == self.nonce && state == State::Joining =>
            {
                self.out_next = 1;
            }
            Packet::Voice(voice) => self.sequence = voice.header.sequence.wrapping_add(1),
            Packet::Pong { session, next, .. } | Packet::LaneAck { session, next }
                if delivery == Delivery::Unreliable
                    && told == Some(session)
                    && next.wrapping_sub(self.acked) <= self.in_next.wrapping_sub(self.acked) =>
            {
                self.acked = next;
            }
            _ => {}
        }
        let counts = delivery == Delivery::Reliable && matches!(packet.kind() as u8, 0x23..=0x2C);
        if counts && packet.lane().is_some_and(|lane| lane.session == self.session && lane.number == self.out_next) {
            self.out_next = self.out_next.wrapping_add(1);
        }
    }

    pub(crate) fn note_said(&mut self, packet: &Packet<'_>) {
        match packet {
            Packet::Hello(hello) => {
                self.nonce = hello.nonce;
                (self.in_next, self.acked) = (1, 1);
            }
            Packet::Ping(ping) => self.stamp = ping.stamp,
            Packet::Greet(greeting) => _ = self.greeted.insert(greeting.receiver.get(), *greeting),
            _ => {}
        }
        if let Some(lane) = packet.lane() {
            assert_eq!(lane.number, self.in_next, "{:?} out of order", packet.kind());
            self.in_next = self.in_next.wrapping_add(1);
            assert!(self.in_next.wrapping_sub(self.acked) <= 64, "more on its way than the window");
        }
    }
}

fn roster(lane: Lane, first: bool, last: bool, people: &[(u16, u8)], gone: &[u16]) -> Vec<u8> {
    let mut out = [0; 1_200];
    let mut page = RosterWriter::new(&mut out);
    for (client, bits) in people {
        let rooms = (1..6).filter(|room| bits >> (room + 2) & 1 != 0).map(room_id);
        let (codec, priority) = (CodecSettings::DEFAULT, Priority::Medium);
        assert!(page.push_present(client_id(*client), flags(*bits), &codec, priority, "somebody", rooms));
    }
    assert!(gone.iter().all(|client| page.push_gone(client_id(*client))));
    let len = page.finish(lane, first, last).expect("a small page");
    out[..len].to_vec()
}

fn flags(bits: u8) -> PersonFlags {
    let bit = |at: u8| bits >> at & 1 != 0;
    PersonFlags { muted: bit(0), deafened: bit(1), server_muted: bit(2), reconnecting: bit(3) }
}
