//! What fills a hole that loss has made, and how long it is.

use super::{Pace, Phase, Playout, PlayoutConfig, Pulled, SOON_US, Sound};

/// A decoder conceals in steps of this, µs.
const STEP_OF_DECODERS_US: u32 = 2_500;
/// Concealed in a row at most, µs: more than that sounds worse than silence.
const CONCEAL_LIMIT_US: u32 = 100_000;
/// Off the target by less than this, the delay isn't changed in a hole, µs: the same jitter would soon change it back.
const IN_A_HOLE_US: i32 = 20_000;

impl Playout {
    /// How much is still to be filled before the first frame that waits, some before it being lost, µs. If the delay is about right, it is what they leave
    /// of their places, so that speech goes on in its time; otherwise so much that the delay gets right.
    pub(super) fn hole_us(&self, ahead: i32, early: i32) -> i32 {
        let places = ahead.saturating_add(self.left_out.into()).saturating_mul(self.frame_us().cast_signed());
        let left = places.saturating_sub(i32::try_from(self.filled_us).unwrap_or(i32::MAX));
        if left.saturating_sub(early).saturating_abs() < IN_A_HOLE_US { left } else { early }
    }

    /// Fills the hole before the frame that waits next, whose payload this is. The last of the `missing` frames are recovered from it, as many as it may bring
    /// back and the hole has room for; what is longer is concealed first.
    pub(super) fn fill<'m>(
        &mut self,
        config: &PlayoutConfig,
        missing: u64,
        hole_us: u32,
        packet: &'m [u8],
    ) -> Pulled<'m> {
        let frame_us = self.frame_us();
        self.phase = Phase::Running;
        let held = if packet.is_empty() { 0 } else { config.redundancy };
        let room = (hole_us + frame_us / 2) / frame_us;
        let back = missing.min(room.into()).min(held.into());
        let concealed_us = hole_us.saturating_sub(frame_us * u32::try_from(back).unwrap_or(0));
        match u8::try_from(back) {
            Ok(back @ 1..) if concealed_us < SOON_US.unsigned_abs() => {
                let left_out = missing - u64::from(back);
                self.pass(self.next.wrapping_add(left_out));
                self.media = self.media.wrapping_add(u32::try_from(left_out).unwrap_or(0)).wrapping_add(1);
                (self.filled_us, self.left_out) = (0, 0);
                self.counts.recovered = self.counts.recovered.saturating_add(1);
                Pulled { sound: Sound::Recover { packet, back }, length_us: frame_us, pace: Pace::Steady }
            }
            _ => {
                let pulled = self.conceal_for(concealed_us.min(frame_us).next_multiple_of(STEP_OF_DECODERS_US));
                self.leave_places(missing, hole_us.saturating_sub(pulled.length_us));
                pulled
            }
        }
    }

    /// Gives up so many of the missing frames that the others' places are what is still to be filled, µs, or a little more.
    fn leave_places(&mut self, missing: u64, still_us: u32) {
        let frame_us = self.frame_us();
        let frames = u32::try_from(missing).unwrap_or(u32::MAX).min(still_us.div_ceil(frame_us));
        let left_out = missing - u64::from(frames);
        if left_out > 0 {
            self.pass(self.next.wrapping_add(left_out - 1));
            self.media = self.media.wrapping_add(u32::try_from(left_out).unwrap_or(0));
            self.left_out = self.left_out.saturating_add(u16::try_from(left_out).unwrap_or(u16::MAX));
        }
    }

    /// Conceals so much, or as much as may still be concealed in a row; silence after that.
    pub(super) fn conceal_for<'m>(&mut self, length_us: u32) -> Pulled<'m> {
        let left_us = CONCEAL_LIMIT_US.saturating_sub(self.filled_us);
        let silent = left_us < STEP_OF_DECODERS_US;
        let length_us = if silent { length_us } else { length_us.min(left_us) };
        self.filled_us = self.filled_us.saturating_add(length_us);
        if silent {
            return self.silence_for(length_us);
        }
        self.counts.concealed_us = self.counts.concealed_us.saturating_add(length_us.into());
        Pulled { sound: Sound::Conceal, length_us, pace: Pace::Steady }
    }
}
