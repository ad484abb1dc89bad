//! Limits of memory on a microcontroller. Compiling this for a 32-bit target is the test: a type over its limit is an error.
#![no_std]
#![forbid(unsafe_code)]

use core::mem::size_of;

use voice_core::{
    ChannelSlot, Client, ClientStorage, Connection, ConnectionId, PeerLink, PendingJoin, PersonSlot, Post, Room,
    RoomSlot, Seat, Server, ServerStorage, SpeakerSlot, playout_bytes, server_words,
};

/// A client's object and tables that fit 8 KiB, for a device that hears four people at once.
///
/// Opus at 24 kbit/s makes frames of 60 B; five of 80 B hold 100 ms for each speaker, so its `frame_bytes` is 80. Texts of up to
/// 700 B are taken in, longer ones dropped and counted, and a line can be sent. Frames sent on the direct path aren't kept.
pub struct SmallClient {
    /// The object; its tables are slices of the fields below.
    pub client: Client<Slices>,
    /// People known by name: the four speakers, and this client itself.
    pub roster: [PersonSlot; 5],
    /// Rooms used at once.
    pub rooms: [RoomSlot; 2],
    /// Channels open at once.
    pub channels: [ChannelSlot; 2],
    /// People heard at once.
    pub speakers: [SpeakerSlot; 4],
    /// Direct paths.
    pub peers: [PeerLink; 1],
    /// Frames that wait.
    pub frames: [u8; 4 * playout_bytes(80, 5)],
    /// Texts that wait to be read: not the longest.
    pub inbox: [u8; 624],
    /// Texts that wait to be sent: one of a line's length.
    pub outbox: [u8; 160],
    /// Voice that waits to be sent: two packets.
    pub voice: [u8; 176],
    /// A short token to be let in.
    pub credential: [u8; 32],
}

/// The same with tables in which nobody has to be left out: all four speakers by name and some more, the longest text both ways, two direct
/// paths and the frames of the last 200 ms that went to them alone.
pub struct RoomyClient {
    /// The object; its tables are slices of the fields below.
    pub client: Client<Slices>,
    /// People known by name.
    pub roster: [PersonSlot; 8],
    /// Rooms used at once.
    pub rooms: [RoomSlot; 4],
    /// Channels open at once.
    pub channels: [ChannelSlot; 4],
    /// People heard at once.
    pub speakers: [SpeakerSlot; 4],
    /// Direct paths.
    pub peers: [PeerLink; 2],
    /// Frames that wait.
    pub frames: [u8; 4 * playout_bytes(80, 5)],
    /// Texts that wait to be read.
    pub inbox: [u8; 2_004],
    /// Texts that wait to be sent.
    pub outbox: [u8; 2_004],
    /// Voice that waits to be sent: two packets for each path and the server.
    pub voice: [u8; 3 * 176],
    /// Frames that went to direct paths alone.
    pub retained: [u8; 10 * 88],
    /// The longest credential.
    pub credential: [u8; 512],
}

type Slices = ClientStorage<
    &'static mut [PersonSlot],
    &'static mut [RoomSlot],
    &'static mut [ChannelSlot],
    &'static mut [SpeakerSlot],
    &'static mut [PeerLink],
    &'static mut [u8],
>;

/// A server in a static, for 64 clients and 16 rooms.
pub type SmallServer = Server<
    ServerStorage<
        [Seat; 64],
        [Room; 16],
        [u64; server_words(64, 16, 2)],
        [Connection; 72],
        [Post; 2],
        [PendingJoin; 1],
        [ConnectionId; 128],
    >,
>;

/// Fails to compile when `T` takes more than `LIMIT` bytes.
const fn at_most<T, const LIMIT: usize>() {
    assert!(size_of::<T>() <= LIMIT, "a type is over its limit of memory");
}

// Sizes mean something only where a pointer has four bytes; on the host, for clippy, nothing is claimed.
#[cfg(target_pointer_width = "32")]
const _: () = {
    at_most::<SmallClient, 8_192>();
    // What is reached, to be lowered with every byte saved: 1,832 B are the object, 1,248 the roster, 2,304 speakers (192 of each speaker's 576 are what its
    // playout knows of the network), 320 paths, 288 rooms, 40 channels; the rest is bytes to wait in, and the credential.
    at_most::<RoomyClient, 13_960>();
    at_most::<SmallServer, { 64 * 2_048 }>();
};

#[cfg(not(target_pointer_width = "32"))]
const _: () = at_most::<(), 0>();
