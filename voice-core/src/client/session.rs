//! Connecting, joining, staying, coming back: the state chart of section 4 of docs/PROTOCOL.md.

use core::time::Duration;

use super::{
    State, StateReason,
    engine::{ClientState, Engine, Link, Seat},
    events::ClientEvent,
};
use crate::{
    storage::packet_ring::RingState,
    types::{DropReason, Instant},
    wire::{
        CloseReason, RefuseReason, Welcome,
        limits::{CONNECT_TIMEOUT, IDLE_AFTER, JOIN_TIMEOUT, ROSTER_REQUEST_INTERVAL},
    },
};

const BACKOFF_FIRST_US: u64 = 250_000;
const BACKOFF_MOST_US: u64 = 8_000_000;
/// Connected for this long, a client begins its back-off anew.
const STEADY_AFTER: Duration = Duration::from_secs(10);
/// How long a client that leaves waits for the server's word that it has heard.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

impl Engine<'_> {
    pub(super) fn connect(&mut self, now: Instant) {
        if self.s.wanted {
            return;
        }
        self.s.wanted = true;
        self.s.attempts_in_a_row = 0;
        self.begin_attempt(now, StateReason::Wanted);
    }

    pub(super) fn disconnect(&mut self, now: Instant) {
        let joined = self.s.is_joined();
        self.s.wanted = false;
        self.s.resumes = false;
        self.end_session();
        self.s.link.say_leave = joined;
        self.s.pending = true;
        self.enter(State::Disconnected, StateReason::Wanted);
        self.s.phase_until = joined.then(|| now.after(LEAVE_TIMEOUT));
        if !joined {
            self.s.seat = None;
        }
    }

    pub(super) fn transport_up(&mut self, now: Instant) {
        if self.s.state != State::Connecting {
            return;
        }
        self.s.link = Link { nonce: self.s.rng.next_u32(), say_hello: true, ..Link::NEW };
        self.s.pending = true;
        self.enter(State::Joining, StateReason::TransportUp);
        self.s.phase_until = Some(now.after(JOIN_TIMEOUT));
    }

    pub(super) fn transport_down(&mut self, now: Instant) {
        match self.s.state {
            State::Disconnected => self.finish_leaving(),
            State::Reconnecting => {}
            _ => self.retry(now, StateReason::TransportDown),
        }
    }

    pub(super) fn network_back(&mut self, now: Instant) {
        if self.s.state == State::Reconnecting {
            self.s.attempts_in_a_row = 0;
            self.s.phase_until = Some(now);
        } else if self.s.is_joined() {
            self.ping_within(now, Duration::ZERO);
        }
    }

    pub(super) fn on_welcome(&mut self, now: Instant, welcome: &Welcome) {
        if self.s.state != State::Joining || welcome.nonce != self.s.link.nonce {
            return self.drop(DropReason::StaleAnswer);
        }
        let seat = Seat { session: welcome.session, id: welcome.client, secret: welcome.secret };
        if !welcome.resumed {
            self.forget_seat();
        }
        if self.s.roster_of.replace(welcome.session) != Some(welcome.session) {
            self.forget_people();
        }
        self.s.seat = Some(seat);
        self.s.resumes = true;
        self.s.features = welcome.features;
        let link = &mut self.s.link;
        (link.out_next, link.out_acked, link.in_next, link.in_acked) = (1, 1, 1, 1);
        (link.ping_at, link.asked_at) = (now, Instant::NEVER);
        link.lively_until = now.after(IDLE_AFTER);
        self.s.connected_at = now;
        self.s.phase_until = None;
        self.ask_audience();
        self.declare_everything();
        self.direct().ask_again(now);
        self.s.pending = true;
        let reason = if welcome.resumed { StateReason::Resumed } else { StateReason::Joined };
        self.enter(State::Connected, reason);
    }

    pub(super) fn on_refused(&mut self, now: Instant, nonce: u32, reason: RefuseReason) {
        if self.s.state != State::Joining || nonce != self.s.link.nonce {
            return self.drop(DropReason::StaleAnswer);
        }
        match reason {
            RefuseReason::Full | RefuseReason::Busy => self.retry(now, StateReason::Refused(reason)),
            _ => self.give_up(StateReason::Refused(reason)),
        }
    }

    pub(super) fn on_closed(&mut self, now: Instant, reason: CloseReason) {
        if !self.s.wanted {
            return self.finish_leaving();
        }
        match reason {
            CloseReason::Kicked | CloseReason::Banned | CloseReason::Left | CloseReason::Embedder(_) => {
                self.give_up(StateReason::Closed(reason));
            }
            // As "replaced" too: another connection has the seat, and taking it back would go on for ever.
            _ => {
                self.s.resumes = false;
                self.retry(now, StateReason::Closed(reason));
            }
        }
    }

    /// The lane broke its promise: a clean start.
    pub(super) fn on_broken_lane(&mut self, now: Instant) {
        self.drop(DropReason::LaneBroken);
        if !self.s.wanted {
            return self.finish_leaving();
        }
        self.s.resumes = false;
        self.retry(now, StateReason::LaneBroken);
    }

    pub(super) fn on_wrong_session(&mut self, now: Instant, theirs: u32) {
        let ours = self.s.seat.map(|seat| seat.session.get());
        if !self.s.is_joined() || ours != Some(theirs) {
            return self.drop(DropReason::StaleAnswer);
        }
        self.retry(now, StateReason::WrongSession);
    }

    pub(super) fn session_timeout(&mut self, now: Instant) {
        if self.s.phase_until.is_some_and(|until| until <= now) {
            self.s.phase_until = None;
            match self.s.state {
                State::Connecting | State::Joining => self.retry(now, StateReason::NoAnswer),
                State::Reconnecting => self.begin_attempt(now, self.s.reason),
                State::Disconnected => self.finish_leaving(),
                State::Connected | State::Degraded => {}
            }
        }
        if self.s.is_joined() {
            self.silence_timeout(now);
        }
        let due = [Some(self.s.link.ping_at), self.s.roster_request_due(), self.s.report_at];
        if due.into_iter().flatten().any(|at| at <= now) {
            self.s.pending = true;
        }
    }

    fn begin_attempt(&mut self, now: Instant, reason: StateReason) {
        self.s.attempt = self.s.attempt.wrapping_add(1);
        self.s.link = Link::NEW;
        self.enter(State::Connecting, reason);
        self.s.phase_until = Some(now.after(CONNECT_TIMEOUT));
    }

    /// Gives the transport up and waits out the back-off.
    pub(super) fn retry(&mut self, now: Instant, reason: StateReason) {
        if self.s.is_joined() && now.since(self.s.connected_at) >= STEADY_AFTER {
            self.s.attempts_in_a_row = 0;
        }
        let doublings = self.s.attempts_in_a_row.min(6);
        self.s.attempts_in_a_row = self.s.attempts_in_a_row.saturating_add(1);
        let wait = (BACKOFF_FIRST_US << doublings).min(BACKOFF_MOST_US);
        let wait = wait + self.s.rng.below(wait / 2);
        self.end_session();
        self.enter(State::Reconnecting, reason);
        self.s.phase_until = Some(now.after(Duration::from_micros(wait)));
    }

    fn give_up(&mut self, reason: StateReason) {
        self.s.wanted = false;
        self.s.resumes = false;
        self.end_session();
        self.s.seat = None;
        self.s.phase_until = None;
        self.enter(State::Disconnected, reason);
    }

    fn finish_leaving(&mut self) {
        self.s.link.say_leave = false;
        self.s.phase_until = None;
        self.s.seat = None;
    }

    /// What lived on the connection dies with it.
    fn end_session(&mut self) {
        self.s.link.ping_at = Instant::NEVER;
        self.s.report_at = None;
        self.s.link.say_hello = false;
        self.s.voice.ring = RingState::EMPTY;
        self.s.voice.retained = RingState::EMPTY;
        self.s.voice.talking = false;
        self.s.outbox_sent = 0;
        self.abort_incoming_text();
        self.t.rooms.iter_mut().for_each(|room| room.telling = room.telling.answered());
    }

    /// The session is another one: ids of before mean nothing.
    fn forget_people(&mut self) {
        self.forget_everybody();
        self.close_client_channels();
    }

    /// The seat is a fresh one. In the session of before the others are who they were, and so are the wishes about them.
    fn forget_seat(&mut self) {
        self.direct().clear();
        self.s.outbox = RingState::EMPTY;
        self.s.voice.sequence = 0;
        (self.s.voice.later_us, self.s.voice.moved_at) = (0, 0);
        if core::mem::take(&mut self.s.server_muted) {
            self.s.event(ClientEvent::ServerMuted(false));
        }
    }

    pub(super) fn enter(&mut self, state: State, reason: StateReason) {
        self.s.reason = reason;
        if self.s.state != state {
            self.s.state = state;
            self.s.event(ClientEvent::StateChanged(state));
        }
    }
}

impl ClientState {
    pub(super) fn session_due(&self) -> Option<Instant> {
        let ping = Instant::earlier(Some(self.link.ping_at), self.report_at).filter(|_| self.is_joined());
        let asks = Instant::earlier(self.roster_request_due(), self.link.stalled_at()).filter(|_| self.is_joined());
        Instant::earlier(Instant::earlier(self.phase_until, self.silence_due()), Instant::earlier(ping, asks))
    }

    /// When the server is to be asked for the whole roster.
    pub(super) fn roster_request_due(&self) -> Option<Instant> {
        let earliest = self.asked_roster_at.map_or(Instant::ORIGIN, |at| at.after(ROSTER_REQUEST_INTERVAL));
        (self.ask_roster && !self.link.is_full()).then_some(earliest)
    }
}
