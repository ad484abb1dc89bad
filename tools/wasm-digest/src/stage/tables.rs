//! Tables of fixed size for everybody here.

use voice_core::{
    ChannelSlot, Client, ClientConfig, ClientStorage, Connection, ConnectionId, PeerLink, PendingJoin, PersonSlot,
    Post, Room, RoomSlot, Seat, Server, ServerConfig, ServerStorage, SpeakerSlot, playout_bytes, server_storage,
    server_words,
};

const SEATS: usize = 6;
const ROOMS: usize = 4;
const CONNECTIONS: usize = SEATS + SEATS / 4 + 8;
const FRAMES: usize = 4 * playout_bytes(240, 6);

pub(crate) type ServerTables = ServerStorage<
    [Seat; SEATS],
    [Room; ROOMS],
    [u64; server_words(SEATS, ROOMS, 32)],
    [Connection; CONNECTIONS],
    [Post; 32],
    [PendingJoin; 8],
    [ConnectionId; 2 * SEATS],
>;
pub(crate) type SmallServer = Server<ServerTables>;

pub(crate) const fn new_server(config: ServerConfig, seed: u64) -> SmallServer {
    Server::new(config, seed, server_storage!(clients: SEATS, rooms: ROOMS))
}

pub(crate) type ClientTables<'a> = ClientStorage<
    &'a mut [PersonSlot],
    &'a mut [RoomSlot],
    &'a mut [ChannelSlot],
    &'a mut [SpeakerSlot],
    &'a mut [PeerLink],
    &'a mut [u8],
>;
pub(crate) type SmallClient<'a> = Client<ClientTables<'a>>;

/// The tables of a client.
pub(crate) struct Memory {
    roster: [PersonSlot; 8],
    rooms: [RoomSlot; 4],
    channels: [ChannelSlot; 4],
    speakers: [SpeakerSlot; 4],
    peers: [PeerLink; 2],
    frames: [u8; FRAMES],
    inbox: [u8; 3_000],
    outbox: [u8; 3_000],
    voice: [u8; 1_400],
    retained: [u8; 600],
    credential: [u8; 16],
}

impl Memory {
    pub(crate) const EMPTY: Self = Self {
        roster: [const { PersonSlot::EMPTY }; 8],
        rooms: [const { RoomSlot::EMPTY }; 4],
        channels: [ChannelSlot::EMPTY; 4],
        speakers: [const { SpeakerSlot::EMPTY }; 4],
        peers: [PeerLink::EMPTY; 2],
        frames: [0; FRAMES],
        inbox: [0; 3_000],
        outbox: [0; 3_000],
        voice: [0; 1_400],
        retained: [0; 600],
        credential: [0; 16],
    };

    pub(crate) fn client(&mut self, name: &str, seed: u64) -> SmallClient<'_> {
        let mut config = ClientConfig::new(name).unwrap_or_else(|| unreachable!("a short name"));
        config.uplink_bits_per_second = Some(200_000);
        let storage = ClientStorage {
            roster: &mut self.roster[..],
            rooms: &mut self.rooms[..],
            channels: &mut self.channels[..],
            speakers: &mut self.speakers[..],
            peers: &mut self.peers[..],
            frames: &mut self.frames[..],
            inbox: &mut self.inbox[..],
            outbox: &mut self.outbox[..],
            voice: &mut self.voice[..],
            retained: &mut self.retained[..],
            credential: &mut self.credential[..],
        };
        let mut client = Client::new(config, seed, storage);
        client.set_credential(b"let me in").unwrap_or_else(|_| unreachable!("it is short"));
        client
    }
}
