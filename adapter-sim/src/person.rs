//! What a person of the simulator is made of: its link, its clock, and a client with tables of the right size.

use voice_core::{
    ChannelSlot, Client, ClientConfig, ClientStorage, CodecSettings, PeerLink, PersonSlot, RoomSlot, SpeakerSlot,
    playout_bytes,
};

use crate::net::{NatKind, Preset};

/// Frames of one speaker that may wait to be played.
const WAITING_FRAMES: usize = 16;

/// A client with its tables on the heap.
pub type HeapClient = Client<
    ClientStorage<
        Box<[PersonSlot]>,
        Box<[RoomSlot]>,
        Box<[ChannelSlot]>,
        Box<[SpeakerSlot]>,
        Box<[PeerLink]>,
        Box<[u8]>,
    >,
>;

/// A person to be.
#[derive(Debug, Clone)]
pub struct PersonConfig {
    /// Display name.
    pub name: String,
    /// Access link.
    pub preset: Preset,
    /// What lets direct packets in.
    pub nat: NatKind,
    /// How the voice is encoded.
    pub codec: CodecSettings,
    /// Whether the encoder has DRED.
    pub dred: bool,
    /// Whether direct paths are tried to all others who do.
    pub direct: bool,
    /// How fast the clock runs, in millionths.
    pub drift_ppm: i32,
    /// People heard at once.
    pub speakers: usize,
    /// Rooms used at once, at most 32.
    pub rooms: usize,
    /// Direct paths at once.
    pub paths: usize,
    /// Bytes of the longest frame that is taken for playing.
    pub frame_bytes: u16,
    /// Uplink that voice may use, bit/s; `None` for no limit.
    pub uplink_bits_per_second: Option<u32>,
}

impl PersonConfig {
    /// Somebody with this name and link, without direct paths, with an exact clock, who hears 16 at once, and has room for 32 of everything
    /// else.
    pub fn new(name: &str, preset: &Preset) -> Self {
        Self {
            name: name.into(),
            preset: *preset,
            nat: NatKind::Open,
            codec: CodecSettings::DEFAULT,
            dred: false,
            direct: false,
            drift_ppm: 0,
            speakers: 16,
            rooms: 32,
            paths: 32,
            frame_bytes: 240,
            uplink_bits_per_second: None,
        }
    }

    /// A client of this person for a session of at most so many people.
    pub fn new_client(&self, seed: u64, people: usize) -> HeapClient {
        let mut client_config = ClientConfig::new(&self.name).expect("a name of at most 64 bytes");
        client_config.codec = self.codec;
        client_config.dred = self.dred;
        client_config.direct = self.direct;
        client_config.uplink_bits_per_second = self.uplink_bits_per_second;
        client_config.playout.frame_bytes = self.frame_bytes;
        let frames = self.speakers * playout_bytes(self.frame_bytes.into(), WAITING_FRAMES);
        // What every packet needs is asked for in one go, so that it comes to lie together.
        let storage = ClientStorage {
            speakers: vec![SpeakerSlot::EMPTY; self.speakers].into(),
            rooms: vec![RoomSlot::EMPTY; self.rooms].into(),
            frames: vec![0; frames].into(),
            credential: Box::default(),
            channels: vec![ChannelSlot::EMPTY; 8].into(),
            voice: vec![0; 8_192].into(),
            peers: vec![PeerLink::EMPTY; self.paths].into(),
            inbox: vec![0; 16_384].into(),
            outbox: vec![0; 16_384].into(),
            retained: vec![0; 4_096].into(),
            roster: vec![PersonSlot::EMPTY; people].into(),
        };
        Client::new(client_config, seed, storage)
    }
}
