//! How a listener wants to hear: all speakers alike.

use core::time::Duration;

/// Bounds of the delay, and what a listener prefers between early and whole.
///
/// The delay is that above the smallest transit time seen lately: what the network needs at best comes on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayoutConfig {
    /// The shortest delay aimed at; where it begins. At most 1 s counts.
    pub min_delay: Duration,
    /// The longest delay aimed at; at least `min_delay` counts. Equal bounds give a fixed delay.
    pub max_delay: Duration,
    /// The latency/quality preference: the delay, ms, that one percent of the speech is worth which would have to be concealed. 0
    /// keeps the shortest delay whatever happens; above 1,000 counts as 1,000.
    pub concealment_worth_ms: u16,
    /// How many lost frames before it a packet may bring back: 0 without redundancy, 1 with in-band FEC, more with DRED. For so many frames the
    /// playout waits where it pays, so more than packets hold costs delay and brings nothing: what the packets of a speaker are found to hold
    /// is better said by [`Client::set_speaker_redundancy`](crate::Client::set_speaker_redundancy).
    pub redundancy: u8,
    /// Bytes of the longest payload that is kept.
    pub frame_bytes: u16,
}

impl PlayoutConfig {
    /// From 15 to 300 ms; 100 ms for each percent of concealment; in-band FEC; payloads of up to 240 bytes.
    pub const DEFAULT: Self = Self {
        min_delay: Duration::from_millis(15),
        max_delay: Duration::from_millis(300),
        concealment_worth_ms: 100,
        redundancy: 1,
        frame_bytes: 240,
    };

    /// The same for packets that bring back so many frames; `None` leaves it as it is.
    #[must_use]
    pub const fn reaching(self, frames: Option<u8>) -> Self {
        match frames {
            Some(redundancy) => Self { redundancy, ..self },
            None => self,
        }
    }

    pub(super) fn min_delay_us(&self) -> u32 {
        us(self.min_delay)
    }

    pub(super) fn max_delay_us(&self) -> u32 {
        us(self.max_delay).max(self.min_delay_us())
    }

    /// What concealing all the time would be worth, µs.
    pub(super) fn concealment_worth_us(&self) -> u32 {
        u32::from(self.concealment_worth_ms.min(1_000)) * 100_000
    }
}

impl Default for PlayoutConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

fn us(span: Duration) -> u32 {
    u32::try_from(span.as_micros()).unwrap_or(u32::MAX).min(1_000_000)
}
