//! What a listener has pulled and not heard yet.

use voice_core::{ClientId, Instant};

/// Until when there is sound of whom.
#[derive(Default)]
pub(crate) struct Ear(Vec<(ClientId, Instant)>);

impl Ear {
    /// Until when there is sound of a speaker: not before `now`.
    pub(crate) fn until(&mut self, speaker: ClientId, now: Instant) -> &mut Instant {
        let at = self.0.iter().position(|(id, _)| *id == speaker).unwrap_or_else(|| {
            self.0.retain(|(_, until)| *until > now);
            self.0.push((speaker, now));
            self.0.len() - 1
        });
        let until = &mut self.0[at].1;
        *until = (*until).max(now);
        until
    }
}
