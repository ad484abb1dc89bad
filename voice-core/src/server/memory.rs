//! The memory of a server: tables that the embedder provides, as arrays in a static or as vectors.

use super::tables::{Connection, PendingJoin, Post, Room, Seat};
use crate::types::ConnectionId;

/// Words of 64 bits that a server with these tables needs.
pub const fn server_words(clients: usize, rooms: usize, posts: usize) -> usize {
    words_for(clients) * (rooms + clients + 2 + posts)
}

const fn words_for(clients: usize) -> usize {
    clients.div_ceil(64)
}

/// The tables of a server. Make them with [`server_storage!`](crate::server_storage) or
/// [`server_storage_vec!`](crate::server_storage_vec), or field by field.
///
/// If lengths don't fit together, the server uses what does.
#[derive(Debug, Clone)]
pub struct ServerStorage<S, R, W, C, P, J, I> {
    /// [`Seat`]s: as many clients as can be in the session, at most 16,384.
    pub seats: S,
    /// [`Room`]s, at most 16,384.
    pub rooms: R,
    /// Bit sets: [`server_words`] of the other tables' lengths.
    pub words: W,
    /// [`Connection`]s: one for each client, and some for those that join or leave.
    pub connections: C,
    /// [`Post`]s: texts and rendezvous on their way at once.
    pub posts: P,
    /// [`PendingJoin`]s: joins that wait for the embedder at once; may be empty if all are accepted.
    pub pending: J,
    /// Twice as many [`ConnectionId`]s as there are seats.
    pub recipients: I,
}

/// Where a server keeps its tables; implemented by [`ServerStorage`].
pub trait ServerMemory {
    /// The tables, to change.
    #[doc(hidden)]
    fn tables_mut(&mut self) -> TablesMut<'_>;
    /// The tables, to look at: seats, rooms, pending joins.
    #[doc(hidden)]
    fn tables(&self) -> Tables<'_>;
}

/// Slices of all tables.
#[doc(hidden)]
pub struct TablesMut<'a> {
    pub(super) seats: &'a mut [Seat],
    pub(super) rooms: &'a mut [Room],
    pub(super) connections: &'a mut [Connection],
    pub(super) posts: &'a mut [Post],
    pub(super) pending: &'a mut [PendingJoin],
    pub(super) bits: Bits<'a>,
    pub(super) recipients: &'a mut [ConnectionId],
    pub(super) connection_of: &'a mut [ConnectionId],
}

/// The bit sets, a bit for each seat.
#[doc(hidden)]
pub(super) struct Bits<'a> {
    /// Words of one set.
    pub(super) width: usize,
    /// Who listens to each room.
    pub(super) members: &'a mut [u64],
    /// Who blocks each seat.
    pub(super) blockers: &'a mut [u64],
    /// Who hears at all: has a connection and is not deafened.
    pub(super) hears: &'a mut [u64],
    /// Who is left in a fan-out.
    pub(super) remaining: &'a mut [u64],
    /// Who still gets each post.
    pub(super) posts: &'a mut [u64],
}

/// Slices of the tables that can be looked at from outside.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Tables<'a> {
    pub(super) seats: &'a [Seat],
    pub(super) rooms: &'a [Room],
    pub(super) pending: &'a [PendingJoin],
    pub(super) connections: &'a [Connection],
}

const MOST: usize = 16_384;

impl<S, R, W, C, P, J, I> ServerMemory for ServerStorage<S, R, W, C, P, J, I>
where
    S: AsRef<[Seat]> + AsMut<[Seat]>,
    R: AsRef<[Room]> + AsMut<[Room]>,
    W: AsMut<[u64]>,
    C: AsRef<[Connection]> + AsMut<[Connection]>,
    P: AsMut<[Post]>,
    J: AsRef<[PendingJoin]> + AsMut<[PendingJoin]>,
    I: AsMut<[ConnectionId]>,
{
    fn tables_mut(&mut self) -> TablesMut<'_> {
        fit(
            self.seats.as_mut(),
            self.rooms.as_mut(),
            self.words.as_mut(),
            self.connections.as_mut(),
            self.posts.as_mut(),
            self.pending.as_mut(),
            self.recipients.as_mut(),
        )
    }

    fn tables(&self) -> Tables<'_> {
        Tables {
            seats: self.seats.as_ref(),
            rooms: self.rooms.as_ref(),
            pending: self.pending.as_ref(),
            connections: self.connections.as_ref(),
        }
    }
}

fn fit<'a>(
    seats: &'a mut [Seat],
    rooms: &'a mut [Room],
    words: &'a mut [u64],
    connections: &'a mut [Connection],
    posts: &'a mut [Post],
    pending: &'a mut [PendingJoin],
    recipients: &'a mut [ConnectionId],
) -> TablesMut<'a> {
    let rooms_used = rooms.len().min(MOST);
    let posts_used = posts.len().min(usize::from(u16::MAX - 1));
    let mut clients = seats.len().min(recipients.len() / 2).min(MOST);
    while clients > 0 && server_words(clients, rooms_used, posts_used) > words.len() {
        clients -= 1;
    }
    let width = words_for(clients);
    let (members, words) = words.split_at_mut(width * rooms_used * usize::from(clients > 0));
    let (blockers, words) = words.split_at_mut(width * clients);
    let (hears, words) = words.split_at_mut(width);
    let (remaining, words) = words.split_at_mut(width);
    let (post_bits, _) = words.split_at_mut(width * posts_used);
    let (recipients, rest) = recipients.split_at_mut(clients);
    let open = connections.len().min(MOST);
    TablesMut {
        seats: seats.get_mut(..clients).unwrap_or_default(),
        rooms: rooms.get_mut(..rooms_used).unwrap_or_default(),
        connections: connections.get_mut(..open).unwrap_or_default(),
        posts: posts.get_mut(..posts_used).unwrap_or_default(),
        pending,
        bits: Bits { width, members, blockers, hears, remaining, posts: post_bits },
        recipients,
        connection_of: rest.get_mut(..clients).unwrap_or_default(),
    }
}

impl Bits<'_> {
    pub(super) fn room(&mut self, index: usize) -> &mut [u64] {
        self.members.get_mut(index * self.width..(index + 1) * self.width).unwrap_or_default()
    }

    pub(super) fn blockers_of(&mut self, seat: usize) -> &mut [u64] {
        self.blockers.get_mut(seat * self.width..(seat + 1) * self.width).unwrap_or_default()
    }

    pub(super) fn post(&mut self, index: usize) -> &mut [u64] {
        self.posts.get_mut(index * self.width..(index + 1) * self.width).unwrap_or_default()
    }
}

pub(super) fn set_bit(words: &mut [u64], at: usize, on: bool) {
    if let Some(word) = words.get_mut(at / 64) {
        *word = *word & !(1 << (at % 64)) | u64::from(on) << (at % 64);
    }
}

pub(super) fn has_bit(words: &[u64], at: usize) -> bool {
    words.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 != 0)
}

/// Makes the tables of a server as arrays, for a `static` or a small server on the stack.
///
/// ```
/// use voice_core::{Server, ServerConfig, server_storage};
///
/// let server = Server::new(ServerConfig::DEFAULT, 1, server_storage!(clients: 16, rooms: 8));
/// # let _ = server;
/// ```
#[macro_export]
macro_rules! server_storage {
    (clients: $clients:expr, rooms: $rooms:expr) => {
        $crate::ServerStorage {
            seats: [const { $crate::Seat::EMPTY }; $clients],
            rooms: [const { $crate::Room::EMPTY }; $rooms],
            words: [0_u64; $crate::server_words($clients, $rooms, 32)],
            connections: [const { $crate::Connection::EMPTY }; $clients + $clients / 4 + 8],
            posts: [const { $crate::Post::EMPTY }; 32],
            pending: [const { $crate::PendingJoin::EMPTY }; 8],
            recipients: [$crate::ConnectionId::new(0, 0); 2 * $clients],
        }
    };
}

/// Makes the tables of a server as vectors; the crate that uses it needs `std` or `alloc`'s `vec!`.
#[macro_export]
macro_rules! server_storage_vec {
    (clients: $clients:expr, rooms: $rooms:expr) => {{
        let (clients, rooms): (usize, usize) = ($clients, $rooms);
        $crate::ServerStorage {
            seats: vec![$crate::Seat::EMPTY; clients],
            rooms: vec![$crate::Room::EMPTY; rooms],
            words: vec![0_u64; $crate::server_words(clients, rooms, 32)],
            connections: vec![$crate::Connection::EMPTY; clients + clients / 4 + 8],
            posts: vec![$crate::Post::EMPTY; 32],
            pending: vec![$crate::PendingJoin::EMPTY; 8],
            recipients: vec![$crate::ConnectionId::new(0, 0); 2 * clients],
        }
    }};
}
