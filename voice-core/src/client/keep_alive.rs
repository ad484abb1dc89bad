//! Pings: each second while there is talk, seldom while a client is idle, and what silence means. Section 4.1 of docs/PROTOCOL.md.

use core::time::Duration;

use super::{
    State, StateReason,
    engine::{ClientState, Engine, Link},
    receive::stamp_of,
    voice_in::used,
};
use crate::{
    types::Instant,
    wire::{
        Packet, Ping,
        limits::{CLIENT_TIMEOUT, DEGRADED_AFTER, IDLE_AFTER, IDLE_PING_INTERVAL, PING_INTERVAL},
    },
};

impl Engine<'_> {
    pub(super) fn write_ping(&mut self, now: Instant, out: &mut [u8]) -> Option<usize> {
        self.s.link.ping_at.filter(|at| *at <= now)?;
        let session = self.s.seat?.session;
        let loss = used(self.t.speakers).map(|slot| slot.playout.stats().loss).max().unwrap_or(0);
        let link = &mut self.s.link;
        let ms = |us: u32| u16::try_from(us.div_ceil(1_000)).unwrap_or(u16::MAX);
        let ping = Ping {
            session,
            stamp: stamp_of(now),
            next: link.in_next,
            rtt_ms: ms(link.rtt_us),
            loss,
            jitter_ms: ms(link.jitter_us),
            idle: link.is_idle(now),
        };
        let len = Packet::Ping(ping).encode(out)?;
        link.pinged = Some(ping.stamp);
        link.asked_at = link.asked_at.or(link.ping_at);
        link.ping_at = Some(now.after(PING_INTERVAL));
        (link.in_acked, link.ack) = (link.in_next, false);
        Some(len)
    }

    /// Notes a sign of life from the server.
    pub(super) fn heard(&mut self, now: Instant) {
        (self.s.link.heard_at, self.s.link.asked_at) = (now, None);
        if self.s.state == State::Degraded {
            self.enter(State::Connected, StateReason::HeardAgain);
        }
    }

    /// Notes voice that came. Many may hear the same first frame after a pause: they don't all ping at once.
    pub(super) fn voice_came(&mut self, now: Instant) {
        if self.s.link.is_idle(now) {
            self.ping_soon(now);
        }
        self.s.link.lively_until = now.after(IDLE_AFTER);
    }

    /// Notes voice that goes out: after a pause the server has to show that it is there.
    pub(super) fn voice_went(&mut self, now: Instant) {
        if self.s.link.is_idle(now) {
            self.ping_within(now, Duration::ZERO);
        }
        self.s.link.lively_until = now.after(IDLE_AFTER);
    }

    /// Within a second, at any time of it.
    pub(super) fn ping_soon(&mut self, now: Instant) {
        if self.s.link.ping_at.is_some_and(|at| at > now.after(PING_INTERVAL)) {
            let second = u64::try_from(PING_INTERVAL.as_micros()).unwrap_or(0);
            let wait = Duration::from_micros(self.s.rng.below(second));
            self.ping_within(now, wait);
        }
    }

    pub(super) fn ping_within(&mut self, now: Instant, span: Duration) {
        let link = &mut self.s.link;
        link.ping_at = link.ping_at.map(|at| at.min(now.after(span)));
        self.s.pending |= span.is_zero();
    }

    /// Reconnects, or says how it is, after a long silence.
    pub(super) fn silence_timeout(&mut self, now: Instant) {
        let silent = self.s.link.silent_since(now).map_or(Duration::ZERO, |since| now.since(since));
        if silent >= CLIENT_TIMEOUT {
            self.retry(now, StateReason::Silence);
        } else if self.s.link.stalled_at().is_some_and(|at| at <= now) {
            self.on_broken_lane(now);
        } else if silent >= DEGRADED_AFTER && self.s.state == State::Connected {
            self.enter(State::Degraded, StateReason::Silence);
        }
    }
}

impl Link {
    fn is_idle(&self, now: Instant) -> bool {
        self.lively_until <= now
    }

    /// The newest Ping was answered: who is idle, and owes no acknowledgement and waits for none, has time for the next one.
    pub(super) fn rest(&mut self, now: Instant) {
        if self.is_idle(now) && self.in_next == self.in_acked && self.out_next == self.out_acked {
            self.ping_at = self.ping_at.map(|_| now.after(IDLE_PING_INTERVAL));
        }
    }

    /// Silence begins when the server was last heard, but not before it can have been missed: a PING_INTERVAL before the first Ping was due since then. Who wakes
    /// from a sleep finds one that was due long ago.
    fn silent_since(&self, now: Instant) -> Option<Instant> {
        let due = self.asked_at.or_else(|| self.ping_at.filter(|at| *at <= now))?;
        Some(due.before(PING_INTERVAL).max(self.heard_at))
    }
}

impl ClientState {
    /// When silence changes the state.
    pub(super) fn silence_due(&self) -> Option<Instant> {
        let since = self.link.silent_since(self.now)?;
        match self.state {
            State::Connected => Some(since.after(DEGRADED_AFTER)),
            State::Degraded => Some(since.after(CLIENT_TIMEOUT)),
            _ => None,
        }
    }
}
