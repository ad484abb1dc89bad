//! The entries of the server's tables.

use heapless::Vec;

use super::reports::Reports;
use crate::{
    storage::{
        list::{Link, List},
        name::Name,
        rate::Bucket,
    },
    types::{
        ClientId, CodecSettings, ConnectionId, FrameLength, Identity, Instant, Priority, RoomId, RoomUse, Secret,
        SessionId, Target,
    },
    wire::{
        CloseReason, PersonFlags, RefuseReason, RoomCloseReason, TextRefuseReason,
        limits::{
            LANE_WINDOW, MAX_CHANNELS, MAX_CREDENTIAL_BYTES, MAX_ROOMS_PER_CLIENT, MAX_TEXT_BYTES, MAX_UNANSWERED_ROOMS,
        },
    },
};

/// A client's place in the session, kept for the grace period when its connection is lost.
#[derive(Clone)]
pub struct Seat {
    /// 0 while free.
    pub(super) id: u16,
    /// The id that the next client of this seat gets.
    pub(super) next_id: u16,
    pub(super) connection: Option<ConnectionId>,
    pub(super) identity: Identity,
    pub(super) name: Name,
    pub(super) codec: CodecSettings,
    pub(super) priority: Priority,
    pub(super) flags: PersonFlags,
    pub(super) secret: Secret,
    /// Ascending by room.
    pub(super) rooms: Vec<RoomEntry, MAX_ROOMS_PER_CLIENT, u8>,
    /// The lane's number behind the last word of a room that it was taken out of: acknowledged up to there, it knows of all that it was told of.
    pub(super) removals_end: Option<u16>,
    /// Where the last change of this seat stands in the journal.
    pub(super) changed_at: u64,
    /// The journal's entry at every position that is this seat's index modulo the number of seats: the id that changed.
    pub(super) journal: u16,
    pub(super) voice: VoiceState,
    pub(super) rates: Rates,
    pub(super) tell: Tell,
    /// The number of a text that was refused before its last part: the rest of it is passed over.
    pub(super) skipped_text: Option<u16>,
    pub(super) lost_at: Instant,
    /// Whether the client has shown that it got its Welcome.
    pub(super) known: bool,
    pub(super) report: LinkReport,
    /// Free list or grace list.
    pub(super) link: Link,
    pub(super) talking_link: Link,
    pub(super) unheard_link: Link,
    /// In the list of its room's speakers.
    pub(super) room_link: Link,
    pub(super) phase: Phase,
    /// What both sides offered.
    pub(super) features: u32,
    pub(super) reports: Reports,
}

impl Seat {
    /// A free one.
    pub const EMPTY: Self = Self {
        id: 0,
        next_id: 0,
        connection: None,
        identity: Identity(0),
        name: Name::EMPTY,
        codec: CodecSettings::DEFAULT,
        priority: Priority::None,
        flags: PersonFlags::NONE,
        secret: Secret::ZERO,
        rooms: Vec::new(),
        removals_end: None,
        changed_at: 0,
        journal: 0,
        voice: VoiceState::EMPTY,
        rates: Rates::FULL,
        tell: Tell::NOTHING,
        skipped_text: None,
        lost_at: Instant::ORIGIN,
        known: false,
        report: LinkReport { rtt_ms: 0, loss: 0, jitter_ms: 0 },
        link: Link::FREE,
        talking_link: Link::FREE,
        unheard_link: Link::FREE,
        room_link: Link::FREE,
        phase: Phase::NONE,
        features: 0,
        reports: Reports::NONE,
    };

    pub(super) fn client(&self) -> Option<ClientId> {
        ClientId::new(self.id)
    }

    /// Its entry of a room that it uses.
    pub(super) fn room_entry(&mut self, room: RoomId) -> Option<&mut RoomEntry> {
        self.rooms.iter_mut().find(|entry| entry.room == room && entry.is_used())
    }
}

/// A room that a client uses, or was taken out of without knowing yet. As long as there is an entry, there is the room with its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoomEntry {
    pub(super) room: RoomId,
    pub(super) room_use: RoomUse,
    pub(super) standing: RoomStanding,
}

/// How a client stands to a room, and whether it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RoomStanding {
    /// Uses it, and is still to be told.
    Granted,
    /// Uses it, and was told.
    Used,
    /// Was taken out, and is still to be told.
    Removed,
    /// Was taken out and told, and hasn't acknowledged it.
    RemovedTold,
}

impl RoomEntry {
    pub(super) const fn is_used(&self) -> bool {
        matches!(self.standing, RoomStanding::Granted | RoomStanding::Used)
    }

    pub(super) const fn is_untold(&self) -> bool {
        matches!(self.standing, RoomStanding::Granted | RoomStanding::Removed)
    }

    /// What was told has to be told again.
    pub(super) const fn tell_again(&mut self) {
        self.standing = if self.is_used() { RoomStanding::Granted } else { RoomStanding::Removed };
    }
}

/// When a speaker's frames arrive, beside those of the others of its room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phase {
    /// The place of the room that it speaks to.
    pub(super) room: Option<u16>,
    pub(super) frame_length: FrameLength,
    /// Frames of the talkspurt; saturates.
    pub(super) frames: u8,
    /// How long after the room's point they arrive in the mean, or before it, µs.
    pub(super) off_us: i32,
    /// Mean distance from there, µs.
    pub(super) jitter_us: u32,
    pub(super) hinted_at: Option<Instant>,
    /// The newest sequence number, and by how much it should send later, µs.
    pub(super) tell: Option<(u16, u16)>,
}

impl Phase {
    pub(super) const NONE: Self = Self {
        room: None,
        frame_length: FrameLength::Ms20,
        frames: 0,
        off_us: 0,
        jitter_us: 0,
        hinted_at: None,
        tell: None,
    };
}

/// What a client says of its own link, in its Pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkReport {
    /// Round-trip time, ms; 0 unknown.
    pub rtt_ms: u16,
    /// Loss of voice from the server in the last second, in 1/255.
    pub loss: u8,
    /// Jitter, ms.
    pub jitter_ms: u16,
}

/// A speaker's stream as the server sees it.
#[derive(Debug, Clone)]
pub(super) struct VoiceState {
    pub(super) started: bool,
    pub(super) newest: u16,
    /// Bit n: the packet n before the newest came.
    pub(super) seen: u64,
    pub(super) last_at: Instant,
    /// Whom the last packet was for.
    pub(super) targets: Vec<Target, MAX_CHANNELS, u8>,
}

impl VoiceState {
    pub(super) const EMPTY: Self =
        Self { started: false, newest: 0, seen: 0, last_at: Instant::ORIGIN, targets: Vec::new() };
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Rates {
    pub(super) voice: Bucket,
    pub(super) reliable: Bucket,
    pub(super) text: Bucket,
    pub(super) rendezvous: Bucket,
    pub(super) pair: Bucket,
    pub(super) roster: Bucket,
}

impl Rates {
    pub(super) const FULL: Self = Self {
        voice: Bucket::FULL,
        reliable: Bucket::FULL,
        text: Bucket::FULL,
        rendezvous: Bucket::FULL,
        pair: Bucket::FULL,
        roster: Bucket::FULL,
    };
}

/// What a client has to be told reliably, apart from rooms, posts and the roster.
#[derive(Debug, Clone)]
pub(super) struct Tell {
    /// Whether somebody hears, and the newest packet when that was so.
    pub(super) audience: Option<(bool, u16)>,
    /// Refused UseRooms.
    pub(super) rooms_closed: Vec<(RoomCloseReason, Name), MAX_UNANSWERED_ROOMS, u8>,
    pub(super) texts_refused: Vec<TextsRefused, 8, u8>,
    /// `None` for a secret that is void.
    pub(super) pairs: Vec<(ClientId, Option<Secret>), 16, u8>,
}

/// Refused texts in a row, so that a burst of them takes one place.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextsRefused {
    pub(super) first: u16,
    pub(super) count: u16,
    pub(super) reason: TextRefuseReason,
}

impl Tell {
    pub(super) const NOTHING: Self =
        Self { audience: None, rooms_closed: Vec::new(), texts_refused: Vec::new(), pairs: Vec::new() };
}

/// A room.
#[derive(Clone)]
pub struct Room {
    /// 0 while free.
    pub(super) id: u16,
    pub(super) next_id: u16,
    pub(super) name: Name,
    /// Of the name, to find it sooner.
    pub(super) hash: u32,
    pub(super) users: u16,
    /// Clients that were taken out and don't know yet: they keep the place, but to everybody else it is no room without users.
    pub(super) removed: u16,
    pub(super) listeners: u16,
    /// Words of the bit set between which all members are.
    pub(super) span: (u16, u16),
    /// Who speaks to it, from the longest unheard on.
    pub(super) speakers: List,
}

impl Room {
    /// A free one.
    pub const EMPTY: Self = Self {
        id: 0,
        next_id: 0,
        name: Name::EMPTY,
        hash: 0,
        users: 0,
        removed: 0,
        listeners: 0,
        span: (u16::MAX, 0),
        speakers: List::EMPTY,
    };
}

/// A transport connection.
#[derive(Clone)]
pub struct Connection {
    pub(super) open: bool,
    /// The adapter is still to be told to close it.
    pub(super) untold: bool,
    pub(super) generation: u16,
    pub(super) seat: Option<u16>,
    pub(super) heard_at: Instant,
    /// Its client said that it is idle, and has more time.
    pub(super) idle: bool,
    pub(super) lane: Lanes,
    pub(super) answers: Answers,
    pub(super) roster: Cursor,
    /// A text of which the first part was sent: nothing else may go on the lane before the second.
    pub(super) half_sent: Option<u16>,
    pub(super) wrong_rate: Bucket,
    pub(super) hello_rate: Bucket,
    pub(super) work_link: Link,
    /// In the list of those heard, or of those that have not said hello.
    pub(super) timer_link: Link,
}

impl Connection {
    /// A free one.
    pub const EMPTY: Self = Self {
        open: false,
        untold: false,
        generation: 0,
        seat: None,
        heard_at: Instant::ORIGIN,
        idle: false,
        lane: Lanes::NEW,
        answers: Answers::NONE,
        roster: Cursor::NOWHERE,
        half_sent: None,
        wrong_rate: Bucket::FULL,
        hello_rate: Bucket::FULL,
        work_link: Link::FREE,
        timer_link: Link::FREE,
    };
}

/// Both reliable lanes of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lanes {
    pub(super) out_next: u16,
    pub(super) out_acked: u16,
    pub(super) progress_at: Instant,
    pub(super) in_next: u16,
    pub(super) in_acked: u16,
}

impl Lanes {
    pub(super) const NEW: Self =
        Self { out_next: 0, out_acked: 0, progress_at: Instant::ORIGIN, in_next: 0, in_acked: 0 };

    pub(super) const fn in_flight(&self) -> u16 {
        self.out_next.wrapping_sub(self.out_acked)
    }

    /// Whether both parts of a text fit into the window: one that has begun never waits for acknowledgements.
    pub(super) const fn takes_posts(&self) -> bool {
        self.in_flight() + 2 <= LANE_WINDOW
    }
}

/// What a connection has to be answered, whether it has a seat or not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answers {
    /// Join nonce, and whether the seat is a resumed one.
    pub(super) welcome: Option<(u32, bool)>,
    pub(super) refused: Option<(u32, RefuseReason)>,
    pub(super) pong: Option<u32>,
    pub(super) ack: bool,
    pub(super) wrong_session: Option<u32>,
    /// With the session that was closed: another may have begun.
    pub(super) closing: Option<(CloseReason, SessionId)>,
    /// Closed was sent, or the connection waits to be closed by the adapter.
    pub(super) closed: bool,
}

impl Answers {
    pub(super) const NONE: Self = Self {
        welcome: None,
        refused: None,
        pong: None,
        ack: false,
        wrong_session: None,
        closing: None,
        closed: false,
    };
}

/// How far a client has been told the roster.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor {
    /// Position in the journal.
    pub(super) at: u64,
    /// Next seat of a sweep over all seats.
    pub(super) sweep: Option<u16>,
}

impl Cursor {
    pub(super) const NOWHERE: Self = Self { at: 0, sweep: None };
}

/// A text or rendezvous on its way.
#[derive(Clone)]
pub struct Post {
    pub(super) state: PostState,
    pub(super) from: u16,
    pub(super) number: u16,
    pub(super) target: Option<Target>,
    pub(super) order: u64,
    pub(super) begun: Instant,
    pub(super) left: u16,
    /// Somebody has got it, or its first part.
    pub(super) reached: bool,
    pub(super) len: u16,
    pub(super) bytes: [u8; MAX_TEXT_BYTES],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PostState {
    Free,
    /// The first part is there.
    Begun,
    Whole,
}

impl Post {
    /// A free one.
    pub const EMPTY: Self = Self {
        state: PostState::Free,
        from: 0,
        number: 0,
        target: None,
        order: 0,
        begun: Instant::ORIGIN,
        left: 0,
        reached: false,
        len: 0,
        bytes: [0; MAX_TEXT_BYTES],
    };
}

/// A join that waits for the embedder.
#[derive(Clone)]
pub struct PendingJoin {
    pub(super) connection: Option<ConnectionId>,
    pub(super) joining: Joining,
    pub(super) credential_len: u16,
    pub(super) credential: [u8; MAX_CREDENTIAL_BYTES],
}

/// What a Hello said, but for its credential and its wish to resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Joining {
    pub(super) nonce: u32,
    pub(super) codec: CodecSettings,
    pub(super) flags: PersonFlags,
    pub(super) priority: Priority,
    pub(super) name: Name,
    pub(super) features: u32,
}

impl PendingJoin {
    /// A free one.
    pub const EMPTY: Self = Self {
        connection: None,
        joining: Joining {
            nonce: 0,
            codec: CodecSettings::DEFAULT,
            flags: PersonFlags::NONE,
            priority: Priority::None,
            name: Name::EMPTY,
            features: 0,
        },
        credential_len: 0,
        credential: [0; MAX_CREDENTIAL_BYTES],
    };

    pub(super) fn credential(&self) -> &[u8] {
        self.credential.get(..usize::from(self.credential_len)).unwrap_or_default()
    }
}
