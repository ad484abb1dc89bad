//! The names that the page knows things by: those of `consonance.d.ts`.

use voice_core::{
    Priority, State, StateReason,
    wire::{CloseReason, RefuseReason, RoomCloseReason, TextRefuseReason},
};

/// What `consonance serve` refuses with: a wrong password, or too many of them.
const WRONG_PASSWORD: u8 = 128;
const TOO_MANY_TRIES: u8 = 129;

pub(crate) const fn status(state: State) -> &'static str {
    match state {
        State::Disconnected => "disconnected",
        State::Connecting => "connecting",
        State::Joining => "joining",
        State::Connected => "connected",
        State::Degraded => "degraded",
        State::Reconnecting => "reconnecting",
    }
}

pub(crate) const fn reason(reason: StateReason) -> &'static str {
    match reason {
        StateReason::NotStarted => "not-started",
        StateReason::Wanted => "wanted",
        StateReason::TransportUp => "transport-up",
        StateReason::TransportDown => "transport-down",
        StateReason::NoAnswer => "no-answer",
        StateReason::Joined => "joined",
        StateReason::Resumed => "resumed",
        StateReason::Silence => "silence",
        StateReason::HeardAgain => "heard-again",
        StateReason::LaneBroken => "lane-broken",
        StateReason::WrongSession => "wrong-session",
        StateReason::Refused(reason) => refused(reason),
        StateReason::Closed(reason) => closed(reason),
        _ => "closed",
    }
}

const fn refused(reason: RefuseReason) -> &'static str {
    match reason {
        RefuseReason::Version => "refused-version",
        RefuseReason::Full | RefuseReason::Busy => "refused-full",
        RefuseReason::Banned => "banned",
        RefuseReason::Embedder(WRONG_PASSWORD) => "refused-password",
        RefuseReason::Embedder(TOO_MANY_TRIES) => "refused-tries",
        RefuseReason::NotAdmitted | RefuseReason::Embedder(_) => "refused",
    }
}

const fn closed(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Kicked => "kicked",
        CloseReason::Banned => "banned",
        CloseReason::ServerStopping => "server-stopped",
        CloseReason::LaneBroken | CloseReason::LaneStalled | CloseReason::Flood => "lane-broken",
        CloseReason::Replaced | CloseReason::Left | CloseReason::Embedder(_) => "closed",
    }
}

pub(crate) const fn priority(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::None | Priority::Default => "default",
        Priority::Medium => "medium",
        Priority::High => "high",
    }
}

/// Why a text was not sent on, as the end of a sentence.
pub(crate) const fn text_refused(reason: TextRefuseReason) -> &'static str {
    match reason {
        TextRefuseReason::NobodyThere => "nobody was there to read it",
        TextRefuseReason::RateLimited => "too many texts; wait a moment",
        TextRefuseReason::StoreFull => "the server has too much to pass on; try again",
        TextRefuseReason::UnknownTarget => "that room or person isn't there any more",
        TextRefuseReason::BadText => "the server takes no such text",
    }
}

/// Why a room is used no longer, as the end of a sentence.
pub(crate) const fn room_closed(reason: RoomCloseReason) -> &'static str {
    match reason {
        RoomCloseReason::NoRoomFree => "the server has no room free",
        RoomCloseReason::TooMany => "the server allows no more rooms at once",
        RoomCloseReason::Removed => "the server took you out of it",
        RoomCloseReason::NotPermitted => "you may not be in it",
    }
}
