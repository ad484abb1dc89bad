//! The entries of a client's tables.

use core::time::Duration;

use heapless::Vec;

use super::{heard::Heard, reports::Arrivals};
use crate::{
    playout::Playout,
    storage::name::Name,
    types::{ChannelOptions, ClientId, CodecSettings, Instant, Priority, RoomId, RoomUse, Volume},
    wire::{PersonFlags, limits::MAX_ROOMS_PER_CLIENT},
};

/// What is known of a person of the session, and how the embedder wants to hear it. What every frame looks at is at the front.
#[derive(Debug, Clone)]
#[repr(C)]
pub struct PersonSlot {
    /// 0 while free.
    pub(super) id: u16,
    pub(super) priority: Priority,
    pub(super) volume: Volume,
    pub(super) blocked: bool,
    /// The server hasn't been told of `blocked` yet.
    pub(super) tell_blocked: bool,
    /// The server was told that it is blocked, at some time: it may still believe so.
    pub(super) told_blocked: bool,
    /// The sweep that last named it.
    pub(super) sweep: u8,
    pub(super) flags: PersonFlags,
    pub(super) codec: CodecSettings,
    pub(super) name: Name,
    /// The number of its newest voice packet when another speaker took its slot: stragglers up to it must not begin anew.
    /// In bytes it fits where there was padding.
    pub(super) gave_way: Option<[u8; 2]>,
    pub(super) rooms: Vec<RoomId, MAX_ROOMS_PER_CLIENT>,
}

impl PersonSlot {
    /// A free one.
    pub const EMPTY: Self = Self {
        id: 0,
        flags: PersonFlags::NONE,
        codec: CodecSettings::DEFAULT,
        priority: Priority::None,
        name: Name::EMPTY,
        gave_way: None,
        rooms: Vec::new(),
        sweep: 0,
        volume: Volume::FULL,
        blocked: false,
        tell_blocked: false,
        told_blocked: false,
    };
}

/// A room that the embedder wants to use.
#[derive(Debug, Clone)]
pub struct RoomSlot {
    pub(super) used: bool,
    pub(super) generation: u16,
    pub(super) name: Name,
    pub(super) room_use: RoomUse,
    pub(super) id: Option<RoomId>,
    pub(super) telling: Telling,
}

impl RoomSlot {
    /// A free one.
    pub const EMPTY: Self = Self {
        used: false,
        generation: 0,
        name: Name::EMPTY,
        room_use: RoomUse::Both,
        id: None,
        telling: Telling::Done,
    };
}

/// How far the server has been told of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// It knows, and has answered.
    Done,
    /// It is still to be told.
    Untold,
    /// It was asked and hasn't answered; of a room that was left meanwhile, too.
    Asked,
    /// The same, and there is more to be told then.
    AskedUntold,
}

impl Telling {
    pub(super) const fn is_asked(self) -> bool {
        matches!(self, Self::Asked | Self::AskedUntold)
    }

    /// There is something to be told.
    pub(super) const fn changed(self) -> Self {
        if self.is_asked() { Self::AskedUntold } else { Self::Untold }
    }

    /// The answer has come, or never will.
    pub(super) const fn answered(self) -> Self {
        match self {
            Self::Done | Self::Asked => Self::Done,
            Self::Untold | Self::AskedUntold => Self::Untold,
        }
    }
}

/// An open channel.
#[derive(Debug, Clone, Copy)]
pub struct ChannelSlot {
    pub(super) line: Option<Line>,
    pub(super) generation: u16,
    pub(super) options: ChannelOptions,
}

/// Whom an open channel reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// The room in this slot.
    Room(u16),
    Client(ClientId),
}

impl ChannelSlot {
    /// A free one.
    pub const EMPTY: Self = Self { line: None, generation: 0, options: ChannelOptions::DEFAULT };
}

/// After the newest packet of a speaker all that waits has been pulled, if anybody pulls: it waits for at most a second.
const UNPULLED_LIMIT: Duration = Duration::from_secs(2);

/// A person that is heard.
#[derive(Debug, Clone)]
pub struct SpeakerSlot {
    pub(super) client: Option<ClientId>,
    pub(super) wishes: Wishes,
    pub(super) playout: Playout,
    pub(super) heard: Heard,
    pub(super) arrivals: Arrivals,
    /// How many lost frames before it a packet brings back, if the listener has said so.
    pub(super) redundancy: Option<u8>,
}

impl SpeakerSlot {
    /// A free one.
    pub const EMPTY: Self = Self {
        client: None,
        wishes: Wishes::NONE,
        playout: Playout::NEW,
        heard: Heard::NOTHING,
        arrivals: Arrivals::NONE,
        redundancy: None,
    };

    /// Its priority while there is something to be heard of it.
    pub(super) fn standing(&self) -> Option<Priority> {
        self.playout.is_active().then(|| self.heard.merged().priority)
    }

    /// Its priority while it speaks or something is to be heard of it.
    pub(super) fn standing_or_talking(&self) -> Option<Priority> {
        (self.playout.is_active() || self.playout.is_talking()).then(|| self.heard.merged().priority)
    }

    /// When its talkspurt ends if nothing more comes, or what is left of it is given up if nobody pulls.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let unpulled = || self.playout.heard_at().filter(|_| self.playout.is_active());
        self.playout.poll_timeout().or_else(|| Some(unpulled()?.after(UNPULLED_LIMIT)))
    }

    /// `true` if the talkspurt ended now. What isn't pulled for so long is given up: it would keep the slot, and silence others, for ever.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        let stopped = self.playout.handle_timeout(now);
        if self.poll_timeout().is_some_and(|due| due <= now) {
            self.playout.silence();
        }
        stopped
    }

    /// Takes over what is known of the person.
    pub(super) fn know(&mut self, person: Option<&PersonSlot>) {
        self.wishes = Wishes::about(person);
        self.heard.set_own_default(person.map_or(Priority::None, |person| person.priority));
    }
}

/// How a person is to be heard. A copy of what the roster says lies at each speaker, so that packets and frames need not look there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wishes {
    pub(super) blocked: bool,
    pub(super) server_muted: bool,
    pub(super) volume: Volume,
}

impl Wishes {
    /// Nothing is known of the person: the roster may learn of somebody only after the first packets.
    const NONE: Self = Self { blocked: false, server_muted: false, volume: Volume::FULL };

    pub(super) fn about(person: Option<&PersonSlot>) -> Self {
        person.map_or(Self::NONE, |person| Self {
            blocked: person.blocked,
            server_muted: person.flags.server_muted,
            volume: person.volume,
        })
    }
}
