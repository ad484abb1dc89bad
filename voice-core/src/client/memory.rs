//! The memory of a client: tables that the embedder provides, as arrays or as vectors.

use super::{
    direct::PeerLink,
    tables::{ChannelSlot, PersonSlot, RoomSlot, SpeakerSlot},
};

/// The tables of a client. Make them with [`client_storage_vec!`](crate::client_storage_vec), or
/// field by field: without an allocator, of mutable slices.
#[derive(Debug, Clone)]
pub struct ClientStorage<R, U, C, S, P, B> {
    /// [`PersonSlot`]s: people of the session. Those beyond are not known by name, and are heard all the same.
    pub roster: R,
    /// [`RoomSlot`]s: rooms used at once, at most 32.
    pub rooms: U,
    /// [`ChannelSlot`]s: channels open at once, at most 8.
    pub channels: C,
    /// [`SpeakerSlot`]s: people heard at once. One more is heard when another has fallen silent.
    pub speakers: S,
    /// [`PeerLink`](crate::PeerLink)s: direct paths at once. Where there is room, those stay known whose path is gone.
    pub peers: P,
    /// Frames that wait to be played: [`playout_bytes`](crate::playout_bytes) for each speaker.
    pub frames: B,
    /// Texts and rendezvous that wait to be read: 2,004 bytes at least to hold the longest.
    pub inbox: B,
    /// Texts and rendezvous that wait to be sent.
    pub outbox: B,
    /// Voice packets that wait to be sent: about 1,200 bytes for each direct path and the server.
    pub voice: B,
    /// The last voice packets that went to direct paths alone, in case they don't arrive: 4 KiB or less; may be empty.
    pub retained: B,
    /// What the embedder of the server wants to see: [`Client::set_credential`](crate::Client::set_credential) copies it here. At most 512 bytes
    /// are used; may be empty.
    pub credential: B,
}

/// Where a client keeps its tables; implemented by [`ClientStorage`].
pub trait ClientMemory {
    /// The tables, to change.
    #[doc(hidden)]
    fn tables_mut(&mut self) -> ClientTablesMut<'_>;
    /// The tables, to look at.
    #[doc(hidden)]
    fn tables(&self) -> ClientTables<'_>;
}

/// Slices of all tables.
#[doc(hidden)]
pub struct ClientTablesMut<'a> {
    pub(super) roster: &'a mut [PersonSlot],
    pub(super) rooms: &'a mut [RoomSlot],
    pub(super) channels: &'a mut [ChannelSlot],
    pub(super) speakers: &'a mut [SpeakerSlot],
    pub(super) peers: &'a mut [PeerLink],
    pub(super) frames: &'a mut [u8],
    pub(super) inbox: &'a mut [u8],
    pub(super) outbox: &'a mut [u8],
    pub(super) voice: &'a mut [u8],
    pub(super) retained: &'a mut [u8],
    pub(super) credential: &'a mut [u8],
}

/// Slices of the tables that can be looked at from outside.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct ClientTables<'a> {
    pub(super) roster: &'a [PersonSlot],
    pub(super) rooms: &'a [RoomSlot],
    pub(super) speakers: &'a [SpeakerSlot],
}

impl<R, U, C, S, P, B> ClientMemory for ClientStorage<R, U, C, S, P, B>
where
    R: AsRef<[PersonSlot]> + AsMut<[PersonSlot]>,
    U: AsRef<[RoomSlot]> + AsMut<[RoomSlot]>,
    C: AsRef<[ChannelSlot]> + AsMut<[ChannelSlot]>,
    S: AsRef<[SpeakerSlot]> + AsMut<[SpeakerSlot]>,
    P: AsMut<[PeerLink]>,
    B: AsMut<[u8]>,
{
    fn tables_mut(&mut self) -> ClientTablesMut<'_> {
        ClientTablesMut {
            roster: self.roster.as_mut(),
            rooms: self.rooms.as_mut(),
            channels: self.channels.as_mut(),
            speakers: self.speakers.as_mut(),
            peers: self.peers.as_mut(),
            frames: self.frames.as_mut(),
            inbox: self.inbox.as_mut(),
            outbox: self.outbox.as_mut(),
            voice: self.voice.as_mut(),
            retained: self.retained.as_mut(),
            credential: self.credential.as_mut(),
        }
    }

    fn tables(&self) -> ClientTables<'_> {
        ClientTables { roster: self.roster.as_ref(), rooms: self.rooms.as_ref(), speakers: self.speakers.as_ref() }
    }
}

/// Makes the tables of a client as vectors; the crate that uses it needs `std` or `alloc`'s `vec!`. Frames of up to 240 bytes, 16
/// waiting for each speaker.
///
/// ```
/// use voice_core::{Client, ClientConfig, client_storage_vec};
///
/// let config = ClientConfig::new("Scout").unwrap();
/// let client = Client::new(config, 1, client_storage_vec!(people: 64, speakers: 8));
/// # let _ = client;
/// ```
#[macro_export]
macro_rules! client_storage_vec {
    (people: $people:expr, speakers: $speakers:expr) => {
        $crate::ClientStorage {
            roster: vec![$crate::PersonSlot::EMPTY; $people],
            rooms: vec![$crate::RoomSlot::EMPTY; 32],
            channels: vec![$crate::ChannelSlot::EMPTY; 8],
            speakers: vec![$crate::SpeakerSlot::EMPTY; $speakers],
            peers: vec![$crate::PeerLink::EMPTY; 32],
            frames: vec![0_u8; $speakers * $crate::playout_bytes(240, 16)],
            inbox: vec![0_u8; 16_384],
            outbox: vec![0_u8; 16_384],
            voice: vec![0_u8; 8_192],
            retained: vec![0_u8; 4_096],
            credential: vec![0_u8; 512],
        }
    };
}
