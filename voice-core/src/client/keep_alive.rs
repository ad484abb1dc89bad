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
        let session = self.s.seat.filter(|_| self.s.link.ping_at <= now)?.session;
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
        link.asked_at = link.silent_since();
        link.ping_at = now.after(PING_INTERVAL);
        (link.in_acked, link.ack) = (link.in_next, false);
        Some(len)
    }

    /// Notes a sign of life from the server. A Ping that was due before is due only now: nothing is missed yet.
    pub(super) fn heard(&mut self, now: Instant) {
        let link = &mut self.s.link;
        (link.asked_at, link.ping_at) = (Instant::NEVER, link.ping_at.max(now));
        if self.s.state == State::Degraded {
            self.enter(State::Connected, StateReason::HeardAgain);
        }
    }

    /// Notes voice. Who speaks after a pause has to know at once that the server is there; many may hear the same first frame, and don't all ping together.
    pub(super) fn note_voice(&mut self, now: Instant, is_own: bool) {
        if self.s.link.is_idle(now) {
            if is_own { self.ping_within(now, Duration::ZERO) } else { self.ping_soon(now) }
        }
        self.s.link.lively_until = now.after(IDLE_AFTER);
    }

    /// Within PING_INTERVAL, at any time of it.
    pub(super) fn ping_soon(&mut self, now: Instant) {
        if self.s.link.ping_at > now.after(PING_INTERVAL) {
            let wait = self.s.rng.below(PING_INTERVAL.as_micros() as u64);
            self.ping_within(now, Duration::from_micros(wait));
        }
    }

    pub(super) fn ping_within(&mut self, now: Instant, span: Duration) {
        self.s.link.ping_at = self.s.link.ping_at.min(now.after(span));
    }

    /// Reconnects, or says how it is, after a long silence.
    pub(super) fn silence_timeout(&mut self, now: Instant) {
        let silent = now.since(self.s.link.silent_since());
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
            self.ping_at = now.after(IDLE_PING_INTERVAL);
        }
    }

    /// Silence begins with the first Ping that was due since something was last heard: who asks nothing misses nothing. That may be a time to come, or, for who
    /// wakes from a sleep, long ago.
    fn silent_since(&self) -> Instant {
        self.asked_at.min(self.ping_at)
    }
}

impl ClientState {
    /// When silence changes the state.
    pub(super) fn silence_due(&self) -> Option<Instant> {
        let since = self.link.silent_since();
        match self.state {
            State::Connected => Some(since.after(DEGRADED_AFTER)),
            State::Degraded => Some(since.after(CLIENT_TIMEOUT)),
            _ => None,
        }
    }
}
