//! Memory of tables and objects on this machine, as lines of `name<TAB>bytes<TAB>limit or nothing`.

use std::mem::{size_of, size_of_val};

use voice_core::{
    ChannelSlot, Client, ClientStorage, Connection, PeerLink, PendingJoin, PersonSlot, Post, Room, RoomSlot, Seat,
    Server, SpeakerSlot, playout_bytes, server_storage_vec,
};

use crate::crowd::Storage;

/// A figure of memory.
pub struct Size {
    /// Of what.
    pub what: String,
    /// How much.
    pub bytes: usize,
    /// What it may be at most, if anything is promised.
    pub limit: Option<usize>,
}

const CLIENTS: usize = 4_096;
const ROOMS: usize = 1_024;

type SmallStorage<'a> = ClientStorage<
    &'a mut [PersonSlot],
    &'a mut [RoomSlot],
    &'a mut [ChannelSlot],
    &'a mut [SpeakerSlot],
    &'a mut [PeerLink],
    &'a mut [u8],
>;

/// A client that hears four others, on a microcontroller: the tables of `tools/thumb-size`, which checks the limit of 8 KiB where a pointer has
/// four bytes.
mod small {
    pub(super) const PEOPLE: usize = 5;
    pub(super) const ROOMS: usize = 2;
    pub(super) const CHANNELS: usize = 2;
    pub(super) const SPEAKERS: usize = 4;
    /// 20 ms at 24 kbit/s are 60 B; five frames are 100 ms.
    pub(super) const FRAME: (usize, usize) = (80, 5);
    pub(super) const PEERS: usize = 1;
    pub(super) const INBOX: usize = 624;
    pub(super) const OUTBOX: usize = 160;
    pub(super) const VOICE: usize = 176;
    pub(super) const CREDENTIAL: usize = 32;
}

/// Sizes in the order of the table.
pub fn sizes() -> Vec<Size> {
    let mut sizes = server_sizes();
    sizes.extend(client_sizes());
    sizes
}

fn server_sizes() -> Vec<Size> {
    let storage = server_storage_vec!(clients: CLIENTS, rooms: ROOMS);
    let tables = [
        size_of_val(&storage.seats[..]),
        size_of_val(&storage.rooms[..]),
        size_of_val(&storage.words[..]),
        size_of_val(&storage.connections[..]),
        size_of_val(&storage.posts[..]),
        size_of_val(&storage.pending[..]),
        size_of_val(&storage.recipients[..]),
    ];
    let [seats, rooms, words, connections, posts, pending, recipients] = tables;
    let state = size_of::<Server<Storage>>();
    let all = state + tables.iter().sum::<usize>();
    let crowd = |what: &str| format!("server for 4,096 clients and 1,024 rooms: {what}");
    vec![
        size("`Seat`", size_of::<Seat>()),
        size("`Connection`", size_of::<Connection>()),
        size("`Room`", size_of::<Room>()),
        size("`Post`", size_of::<Post>()),
        size("`PendingJoin`", size_of::<PendingJoin>()),
        size("`Server` without its tables", state),
        size(&crowd("seats"), seats),
        size(&crowd("bit sets"), words),
        size(&crowd("connections (a quarter more than seats, and 8)"), connections),
        size(&crowd("rooms"), rooms),
        size(&crowd("posts"), posts),
        size(&crowd("pending joins"), pending),
        size(&crowd("recipients"), recipients),
        size(&crowd("all"), all),
        Size { what: crowd("all, per client"), bytes: all.div_ceil(CLIENTS), limit: Some(2_048) },
    ]
}

fn client_sizes() -> Vec<Size> {
    let (frame_bytes, waiting) = small::FRAME;
    let frames = small::SPEAKERS * playout_bytes(frame_bytes, waiting);
    let state = size_of::<Client<SmallStorage<'_>>>();
    let slots = small::PEOPLE * size_of::<PersonSlot>()
        + small::ROOMS * size_of::<RoomSlot>()
        + small::CHANNELS * size_of::<ChannelSlot>()
        + small::SPEAKERS * size_of::<SpeakerSlot>()
        + small::PEERS * size_of::<PeerLink>();
    let all = state + slots + frames + small::INBOX + small::OUTBOX + small::VOICE + small::CREDENTIAL;
    vec![
        size("`PersonSlot`", size_of::<PersonSlot>()),
        size("`RoomSlot`", size_of::<RoomSlot>()),
        size("`ChannelSlot`", size_of::<ChannelSlot>()),
        size("`SpeakerSlot`", size_of::<SpeakerSlot>()),
        size("`PeerLink`", size_of::<PeerLink>()),
        size("`Client` without its tables", state),
        size("client for 4 remote speakers: people, rooms, channels, speakers, a path", slots),
        size("client for 4 remote speakers: frames", frames),
        size("client for 4 remote speakers: all, 64 bit", all),
    ]
}

fn size(what: &str, bytes: usize) -> Size {
    Size { what: what.to_owned(), bytes, limit: None }
}
