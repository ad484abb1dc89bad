//! A client that wants an answer again and again, and notes how long each takes: whether a server is there for those who want something of it, whatever voice
//! comes. It writes a text to a room in which nobody else is, and is told so, by the lane: that costs the server little, and concerns nobody else.

use std::time::Duration;

use voice_core::{ClientEvent, Instant, RoomHandle, TalkTo};

use super::figures::Delays;
use crate::net_client::Core;

const EVERY: Duration = Duration::from_millis(100);

/// Asks, and waits for the answer.
#[derive(Default)]
pub(super) struct Asker {
    asked: Option<Instant>,
    next: Instant,
    answers: Delays,
}

impl Asker {
    /// Asks if it is time to; nothing is asked while an answer is waited for.
    pub(super) fn turn(&mut self, now: Instant, core: &mut Core, room: RoomHandle) {
        if self.asked.is_none() && now >= self.next && core.send_text(now, TalkTo::Room(room), "anybody?").is_ok() {
            (self.asked, self.next) = (Some(now), now.after(EVERY));
        }
    }

    pub(super) fn event(&mut self, now: Instant, event: ClientEvent) {
        if let ClientEvent::TextRefused { .. } = event
            && let Some(asked) = self.asked.take()
        {
            self.answers.note(now.since(asked).as_micros() as u64);
        }
    }

    /// How long nothing will be due.
    pub(super) fn until(&self, now: Instant, most: Duration) -> Duration {
        if self.asked.is_some() { most } else { most.min(self.next.since(now)) }
    }

    /// The answers since the last call; one that is waited for counts as long as it has been.
    pub(super) fn take(&mut self, now: Instant) -> Delays {
        let mut answers = std::mem::take(&mut self.answers);
        if let Some(asked) = self.asked.filter(|asked| now.since(*asked) > EVERY) {
            answers.note(now.since(asked).as_micros() as u64);
        }
        answers
    }
}
