//! What has come in from one speaker: sequence numbers extended to 64 bit, what was seen already, jitter and loss.

use core::time::Duration;

use crate::types::{DropReason, FrameLength, Instant};

/// How far behind the newest packet one is still told from a duplicate, in packets.
const WINDOW: u64 = 64;
/// Over this span loss is measured.
const LOSS_SPAN: Duration = Duration::from_secs(1);
/// After this long without a packet a jump of the sequence number isn't loss: the speaker talked to others meanwhile.
const PAUSE: Duration = Duration::from_millis(400);
/// After this long any sequence number begins anew. Longer than a packet can live, so that no old one is taken for a new one.
const FORGET_AFTER: Duration = Duration::from_secs(30);
/// Media time may advance by this many frames less than the sequence number: an end follows its last frame at once.
const MEDIA_SLACK: u8 = 8;
/// Where extended numbers start, so that packets before the first one have numbers too.
const ORIGIN: u64 = 1 << 32;

/// Where a packet belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    /// Extended sequence number.
    pub(super) sequence: u64,
    /// Extended media time in frame lengths; wraps.
    pub(super) media: u32,
    /// Whether no packet with a higher number came before.
    pub(super) newest: bool,
    /// Whether a pause was before it.
    pub(super) pause: bool,
    /// Numbers between this one and the newest before it: 0 after a pause.
    pub(super) missing: u16,
}

#[derive(Debug, Clone, Copy)]
struct Newest {
    sequence: u64,
    media: u32,
    at: Instant,
}

impl Newest {
    /// The number as packets carry it.
    fn number(&self) -> u16 {
        let [.., high, low] = self.sequence.to_be_bytes();
        u16::from_be_bytes([high, low])
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Reception {
    newest: Option<Newest>,
    /// Bit i: `newest.sequence - i` was seen.
    seen: u64,
    /// RFC 3550's estimate, µs times 16.
    jitter: u32,
    received: u32,
    expected: u32,
    loss_from: Instant,
    loss_received: u32,
    loss_expected: u32,
    loss: u8,
    /// So many numbers before `resumed` are in no count: what was sent to others, or before the first packet. Who comes from there is counted then.
    uncounted: u8,
    /// The number with which the speaker went on after the last pause.
    resumed: u16,
}

impl Reception {
    pub(super) const EMPTY: Self = Self {
        newest: None,
        seen: 0,
        jitter: 0,
        received: 0,
        expected: 0,
        loss_from: Instant::ORIGIN,
        loss_received: 0,
        loss_expected: 0,
        loss: 0,
        uncounted: 0,
        resumed: 0,
    };

    /// Takes note of a packet; refused are duplicates and those too old to tell.
    pub(super) fn accept(
        &mut self,
        now: Instant,
        frame: FrameLength,
        mark: bool,
        (sequence, media): (u16, u8),
    ) -> Result<Placed, DropReason> {
        let Some(newest) = self.newest else {
            return Ok(self.begin(now, ORIGIN | u64::from(sequence), u32::from(media)));
        };
        let ahead = sequence.wrapping_sub(newest.number());
        match i16::from_ne_bytes(ahead.to_ne_bytes()) {
            1.. => Ok(self.advance(now, frame, mark, newest, (ahead, media))),
            behind => {
                let behind = u64::from(behind.unsigned_abs());
                if behind >= WINDOW && now.since(newest.at) >= FORGET_AFTER {
                    return Ok(self.advance(now, frame, true, newest, (ahead, media)));
                }
                self.accept_older(newest, behind, media)
            }
        }
    }

    /// When the newest packet came in.
    pub(super) fn heard_at(&self) -> Option<Instant> {
        self.newest.map(|newest| newest.at)
    }

    /// The number of the newest packet.
    pub(super) fn newest(&self) -> Option<u16> {
        self.newest.map(|newest| newest.number())
    }

    pub(super) fn received(&self) -> u32 {
        self.received
    }

    pub(super) fn lost(&self) -> u32 {
        self.expected.saturating_sub(self.received)
    }

    /// Loss of the last whole second in which packets came, in 1/255.
    pub(super) fn loss(&self) -> u8 {
        self.loss
    }

    pub(super) fn jitter_us(&self) -> u32 {
        self.jitter >> 4
    }

    fn begin(&mut self, now: Instant, sequence: u64, media: u32) -> Placed {
        self.loss_from = now;
        let placed = self.set_newest(now, sequence, media, 1, true);
        self.leave_out(u16::MAX);
        placed
    }

    fn advance(
        &mut self,
        now: Instant,
        frame: FrameLength,
        mark: bool,
        newest: Newest,
        (ahead, media): (u16, u8),
    ) -> Placed {
        let sequence = newest.sequence.wrapping_add(u64::from(ahead));
        let media = newest.media.wrapping_add(media_step(u32::from(ahead), low(media, newest.media)));
        let pause = mark || now.since(newest.at) >= PAUSE;
        self.roll_loss(now);
        if !pause {
            self.measure_jitter(now, frame, newest, media);
        }
        self.seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or(0);
        let placed = self.set_newest(now, sequence, media, if pause { 1 } else { ahead }, pause);
        if pause {
            self.leave_out(ahead.saturating_sub(1));
        } else if self.since_resumed(sequence) >= WINDOW {
            self.uncounted = 0;
        }
        placed
    }

    /// The newest packet goes on after a pause, and so many numbers before it are not expected.
    fn leave_out(&mut self, numbers: u16) {
        self.resumed = self.newest().unwrap_or(0);
        self.uncounted = u8::try_from(numbers).unwrap_or(u8::MAX);
    }

    /// Packets from the pause to this one; those before it are far above.
    fn since_resumed(&self, sequence: u64) -> u64 {
        let [.., high, low] = sequence.to_be_bytes();
        u16::from_be_bytes([high, low]).wrapping_sub(self.resumed).into()
    }

    fn accept_older(&mut self, newest: Newest, behind: u64, media: u8) -> Result<Placed, DropReason> {
        if behind >= WINDOW {
            return Err(DropReason::Late);
        }
        let bit = 1u64 << behind;
        if self.seen & bit != 0 {
            return Err(DropReason::Duplicate);
        }
        self.seen |= bit;
        self.count_received();
        let sequence = newest.sequence.wrapping_sub(behind);
        if self.is_uncounted(sequence) {
            self.count_expected(1);
        }
        let steps = u32::try_from(behind).unwrap_or(0);
        let back = low_of(newest.media).wrapping_sub(media);
        Ok(Placed {
            sequence,
            media: newest.media.wrapping_sub(media_step(steps, back)),
            newest: false,
            pause: false,
            missing: 0,
        })
    }

    fn set_newest(&mut self, at: Instant, sequence: u64, media: u32, expected: u16, pause: bool) -> Placed {
        self.newest = Some(Newest { sequence, media, at });
        self.seen |= 1;
        self.count_expected(expected);
        self.count_received();
        Placed { sequence, media, newest: true, pause, missing: expected.saturating_sub(1) }
    }

    fn is_uncounted(&self, sequence: u64) -> bool {
        let before = u64::from(u16::MAX) + 1 - self.since_resumed(sequence);
        (1..=u64::from(self.uncounted)).contains(&before)
    }

    fn count_expected(&mut self, packets: u16) {
        self.expected = self.expected.saturating_add(packets.into());
        self.loss_expected = self.loss_expected.saturating_add(packets.into());
    }

    fn count_received(&mut self) {
        self.received = self.received.saturating_add(1);
        self.loss_received = self.loss_received.saturating_add(1);
    }

    /// RFC 3550, 6.4.1 and A.8, in microseconds.
    fn measure_jitter(&mut self, now: Instant, frame: FrameLength, newest: Newest, media: u32) {
        let sent = u64::from(media.wrapping_sub(newest.media)).saturating_mul(frame.us());
        let came = now.as_us().saturating_sub(newest.at.as_us());
        // A difference of over 16 s is no jitter, and would overflow.
        let difference = u32::try_from(sent.abs_diff(came)).unwrap_or(u32::MAX).min(1 << 24);
        self.jitter = self.jitter.saturating_add(difference).saturating_sub(self.jitter.saturating_add(8) >> 4);
    }

    fn roll_loss(&mut self, now: Instant) {
        if now.since(self.loss_from) < LOSS_SPAN {
            return;
        }
        let missing = self.loss_expected.saturating_sub(self.loss_received);
        let share = missing.saturating_mul(255) / self.loss_expected.max(1);
        self.loss = u8::try_from(share).unwrap_or(u8::MAX);
        self.loss_from = now;
        self.loss_expected = 0;
        self.loss_received = 0;
    }
}

/// Frame lengths between two packets that are `steps` packets apart, when the low byte of the difference is `low`:
/// the smallest that fits, since every packet takes a frame length; a little less is possible.
fn media_step(steps: u32, low: u8) -> u32 {
    let excess = low.wrapping_sub(low_of(steps));
    if excess > u8::MAX - MEDIA_SLACK {
        return steps.saturating_sub(u32::from(excess.wrapping_neg()));
    }
    steps.saturating_add(u32::from(excess))
}

fn low(media: u8, newest: u32) -> u8 {
    media.wrapping_sub(low_of(newest))
}

fn low_of(media: u32) -> u8 {
    let [.., low] = media.to_be_bytes();
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(reception: &mut Reception, ms: u64, sequence: u16, media: u8) -> Result<Placed, DropReason> {
        let now = Instant::from_ms(ms);
        reception.accept(now, FrameLength::Ms20, false, (sequence, media))
    }

    #[test]
    fn sequence_numbers_grow_on_past_16_bits() {
        let mut reception = Reception::EMPTY;
        let before = accept(&mut reception, 0, 65_535, 255).unwrap();
        let after = accept(&mut reception, 20, 0, 0).unwrap();
        assert_eq!(after.sequence, before.sequence + 1);
        assert_eq!(after.media, before.media + 1);
    }

    #[test]
    fn a_number_is_taken_once_in_any_order() {
        let mut reception = Reception::EMPTY;
        accept(&mut reception, 0, 10, 10).unwrap();
        accept(&mut reception, 40, 12, 12).unwrap();
        let older = accept(&mut reception, 41, 11, 11).unwrap();
        assert!(!older.newest);
        assert_eq!(accept(&mut reception, 42, 11, 11), Err(DropReason::Duplicate));
        assert_eq!(accept(&mut reception, 42, 12, 12), Err(DropReason::Duplicate));
    }

    #[test]
    fn a_number_more_than_63_behind_is_late() {
        let mut reception = Reception::EMPTY;
        accept(&mut reception, 0, 100, 100).unwrap();
        assert!(accept(&mut reception, 1, 37, 37).is_ok());
        assert_eq!(accept(&mut reception, 2, 36, 36), Err(DropReason::Late));
    }

    #[test]
    fn silence_and_loss_give_the_right_media_time() {
        let mut reception = Reception::EMPTY;
        let first = accept(&mut reception, 0, 1, 250).unwrap();
        let silence = accept(&mut reception, 1_000, 2, 44).unwrap();
        assert_eq!(silence.media - first.media, 50);
        let loss = accept(&mut reception, 1_100, 7, 49).unwrap();
        assert_eq!(loss.media - silence.media, 5);
        let between = accept(&mut reception, 1_110, 5, 47).unwrap();
        assert_eq!(loss.media - between.media, 2);
        let end_at_once = accept(&mut reception, 1_111, 8, 49).unwrap();
        assert_eq!(end_at_once.media, loss.media);
    }

    #[test]
    fn packets_at_an_even_pace_have_no_jitter_and_uneven_ones_do() {
        let mut even = Reception::EMPTY;
        let mut uneven = Reception::EMPTY;
        for i in 0..100u8 {
            let at = u64::from(i) * 20;
            accept(&mut even, at, i.into(), i).unwrap();
            accept(&mut uneven, at + u64::from(i % 2) * 8, i.into(), i).unwrap();
        }
        assert_eq!(even.jitter_us(), 0);
        assert!((7_500..=8_000).contains(&uneven.jitter_us()));
    }

    #[test]
    fn one_lost_packet_in_five_is_51_of_255() {
        let mut reception = Reception::EMPTY;
        for i in (0..120u8).filter(|i| i % 5 != 3) {
            accept(&mut reception, u64::from(i) * 20, i.into(), i).unwrap();
        }
        assert_eq!(reception.loss(), 51);
        assert_eq!(reception.lost(), 24);
    }

    #[test]
    fn numbers_used_for_others_during_a_pause_are_no_loss() {
        let mut reception = Reception::EMPTY;
        accept(&mut reception, 0, 1, 1).unwrap();
        accept(&mut reception, 500, 20, 26).unwrap();
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn packets_that_come_before_the_first_one_or_out_of_a_pause_hide_no_loss() {
        let mut reception = Reception::EMPTY;
        accept(&mut reception, 0, 11, 11).unwrap();
        accept(&mut reception, 1, 10, 10).unwrap();
        accept(&mut reception, 60, 13, 13).unwrap();
        assert_eq!((reception.received(), reception.lost()), (3, 1));
        accept(&mut reception, 1_000, 20, 60).unwrap();
        accept(&mut reception, 1_001, 19, 59).unwrap();
        accept(&mut reception, 1_002, 12, 12).unwrap();
        assert_eq!((reception.received(), reception.lost()), (6, 0));
        accept(&mut reception, 1_040, 22, 62).unwrap();
        assert_eq!((reception.received(), reception.lost()), (7, 1));
    }

    #[test]
    fn after_half_a_minute_any_number_begins_anew() {
        let mut reception = Reception::EMPTY;
        accept(&mut reception, 0, 1_000, 0).unwrap();
        assert!(accept(&mut reception, 29_000, 5, 0).is_err());
        assert!(accept(&mut reception, 30_000, 5, 0).unwrap().newest);
    }
}
