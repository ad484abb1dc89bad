//! From what listeners report to what the encoder should do. A state machine of integers: summaries and times go in, advice comes out.
//!
//! Two troubles are told apart. Packets that are lost or late while the delay stands still are the weather: more redundancy, the same rate.
//! A delay that has grown means that a queue is filling: less rate, whatever the loss. The rate that is stepped is the whole one, with the
//! headers of packets, because below some 12 kbit/s longer frames save more than a lower bitrate does. docs/ADAPTATION.md shows what it does
//! on a link that is too narrow.

use core::time::Duration;

use crate::{
    types::{FrameLength, Instant},
    wire::Summary,
};

/// Bytes of a packet besides the payload: 12 B of voice header, 28 B of IPv4 and UDP. An adapter's encryption adds some more.
const HEADER_BYTES: u32 = 40;
/// A queue has grown from 48 ms on, in the steps of 4 ms of a summary: less may be how the speakers' packets happen to meet at a slow link.
const CONGESTED: u8 = 12;
/// From 144 ms on, the queue runs over or soon will.
const FLOODED: u8 = 36;
/// Up to 24 ms, the network has room.
const CALM: u8 = 6;
/// In 256ths, what a step down keeps of the rate: while the queue grows, and when nothing more is heard from listeners.
const KEEP_OF_GROWTH: u32 = 224;
const KEEP_OF_SILENCE: u32 = 192;
/// Until the effect of a step down can be seen: the report of a whole second, that of the summary, and what is under way.
const SETTLE: Duration = Duration::from_secs(3);
/// Between steps up; up to a half more is added, so that those who share a link don't climb together.
const CLIMB: Duration = Duration::from_secs(2);
/// How long the rate at which a queue grew isn't tried again, at first; doubled with each further step down at or below
/// it, up to 80 s; up to a half more is added. Longer is calmer, and keeps speakers down for longer when the trouble is over.
const HOLD: Duration = Duration::from_secs(20);
const MOST_DOUBLINGS: u8 = 2;
/// How long loss is remembered before the memory of it is halved: bursts come again.
const LOSS_MEMORY: Duration = Duration::from_secs(5);
/// Nothing was heard from listeners who had reported, though frames were sent all the time: nothing may get through at all.
const SILENCE: Duration = Duration::from_secs(5);
/// A gap between frames that is a pause: nobody reports of silence.
const PAUSE: Duration = Duration::from_millis(500);
/// From this loss on (2 %) in-band FEC pays; below 12 kbit/s Opus has no bits for it.
const FEC_LOSS: u8 = 5;
const FEC_BITRATE: u32 = 12_000;
/// DRED in ms by loss (1/255): 2, 5 and 10 %. Below 16 kbit/s it takes too much from the voice.
const DRED_BY_LOSS: [(u8, u16); 3] = [(26, 1_000), (13, 500), (5, 200)];
const DRED_BITRATE: u32 = 16_000;
/// Loss that encoders are told of at most, percent: beyond, redundancy eats the voice.
const MOST_LOSS_PERCENT: u8 = 30;

/// What the encoder can do, and what it should do without trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncoderLimits {
    /// Without trouble, bit/s.
    pub most_bitrate: u32,
    /// At which speech is still intelligible, bit/s.
    pub least_bitrate: u32,
    /// Without trouble.
    pub shortest_frame: FrameLength,
    /// In trouble.
    pub longest_frame: FrameLength,
    /// Whether the encoder has DRED.
    pub dred: bool,
}

/// What the encoder should do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncoderAdvice {
    /// Of the payload, bit/s.
    pub bitrate: u32,
    /// Packets that don't come in time, to tell the encoder, 0 to 30.
    pub expected_loss_percent: u8,
    /// Whether in-band FEC pays.
    pub fec: bool,
    /// How long frames should be: [`Client::set_frame_length`](crate::Client::set_frame_length) when the encoder has followed.
    pub frame_length: FrameLength,
    /// How far back DRED should reach, ms; 0 is off.
    pub dred_ms: u16,
}

/// Follows the network on behalf of a speaker: steps down when delay grows, climbs back slowly, and asks for redundancy when packets get lost.
///
/// A [`Client`](crate::Client) has one, and shows its advice by [`Client::encoder_advice`](crate::Client::encoder_advice).
#[derive(Debug, Clone)]
pub struct Adaptation {
    limits: EncoderLimits,
    phase: u32,
    /// With headers, bit/s.
    rate: u32,
    frame: FrameLength,
    /// Growth in the last summary.
    growth: u8,
    /// Lost and late, 1/255, falling slowly.
    loss: u8,
    /// How often the same limit was found again.
    doublings: u8,
    /// The rate at which a queue grew.
    ceiling: Option<u32>,
    ceiling_until: Instant,
    settled_at: Instant,
    climb_at: Instant,
    loss_at: Instant,
    /// The last summary; `None` before the first.
    summary_at: Option<Instant>,
    frame_at: Instant,
}

impl Adaptation {
    /// Begins without trouble. `seed` chooses the moments at which it climbs. Limits that contradict each other give way to the least bitrate and the
    /// shortest frame.
    pub fn new(limits: EncoderLimits, seed: u64) -> Self {
        let limits = EncoderLimits {
            most_bitrate: limits.most_bitrate.max(limits.least_bitrate),
            longest_frame: limits.longest_frame.max(limits.shortest_frame),
            ..limits
        };
        let [a, b, c, d, ..] = seed.to_le_bytes();
        let mut adaptation = Self {
            limits,
            phase: u32::from_le_bytes([a, b, c, d]),
            rate: 0,
            frame: limits.shortest_frame,
            growth: 0,
            loss: 0,
            doublings: 0,
            ceiling: None,
            ceiling_until: Instant::ORIGIN,
            settled_at: Instant::ORIGIN,
            climb_at: Instant::ORIGIN,
            loss_at: Instant::ORIGIN,
            summary_at: None,
            frame_at: Instant::ORIGIN,
        };
        adaptation.rate = adaptation.cap();
        adaptation
    }

    /// What the encoder should do now.
    pub fn advice(&self) -> EncoderAdvice {
        let EncoderLimits { least_bitrate, most_bitrate, dred, .. } = self.limits;
        let bitrate = self.rate.saturating_sub(header_rate(self.frame)).clamp(least_bitrate, most_bitrate);
        let percent = (u16::from(self.loss) * 100).div_ceil(255);
        let dred = dred && bitrate >= DRED_BITRATE;
        let dred_ms = DRED_BY_LOSS.iter().find(|(loss, _)| dred && self.loss >= *loss).map_or(0, |(_, ms)| *ms);
        EncoderAdvice {
            bitrate,
            expected_loss_percent: u8::try_from(percent).unwrap_or(u8::MAX).min(MOST_LOSS_PERCENT),
            fec: self.loss >= FEC_LOSS && bitrate >= FEC_BITRATE,
            frame_length: self.frame,
            dred_ms,
        }
    }

    /// Takes a summary of the listeners' reports.
    pub fn handle_summary(&mut self, now: Instant, summary: &Summary) {
        let hearing = &summary.hearing;
        self.summary_at = Some(now);
        self.remember_loss(now, hearing.loss.saturating_add(hearing.late));
        let before = core::mem::replace(&mut self.growth, hearing.growth);
        if self.growth <= CONGESTED {
            return self.climb(now);
        }
        self.put_off_climbing(now, CLIMB);
        let flooded = self.growth >= FLOODED;
        // A little growth has to be there twice, and a queue that drains needs no more than time.
        let lasts = before <= self.growth && (flooded || before > CONGESTED);
        if now >= self.settled_at && lasts {
            self.step_down(now, if flooded { keep_of_flood(hearing.loss) } else { KEEP_OF_GROWTH });
        }
    }

    /// Notes that a frame is sent. Listeners who reported before and say nothing any more, though there is something to hear, may hear nothing:
    /// every 5 s of this is a step down. After a pause the wait begins anew, and what was learnt before it holds.
    pub fn handle_frame(&mut self, now: Instant) {
        let paused = now.since(self.frame_at) > PAUSE;
        self.frame_at = now;
        let Some(summary_at) = self.summary_at else { return };
        if paused {
            self.summary_at = Some(now);
        } else if now.since(summary_at) >= SILENCE {
            self.summary_at = Some(now);
            self.step_down(now, KEEP_OF_SILENCE);
        }
    }

    fn remember_loss(&mut self, now: Instant, loss: u8) {
        if loss >= self.loss {
            (self.loss, self.loss_at) = (loss, now);
        } else if now.since(self.loss_at) >= LOSS_MEMORY {
            (self.loss, self.loss_at) = (loss.max(self.loss / 2), now);
        }
    }

    /// Keeps `keep` / 256 of the rate.
    fn step_down(&mut self, now: Instant, keep: u32) {
        let known = self.ceiling.is_some_and(|ceiling| self.rate <= ceiling.saturating_add(ceiling / 4));
        self.doublings = if known { (self.doublings + 1).min(MOST_DOUBLINGS) } else { 0 };
        if self.rate > self.floor() {
            self.ceiling = Some(self.rate);
        }
        self.settled_at = now.after(SETTLE);
        let hold = self.spread(HOLD * (1 << self.doublings));
        self.ceiling_until = now.after(hold);
        self.put_off_climbing(now, SETTLE);
        self.set_rate(scaled(self.rate, keep));
    }

    fn climb(&mut self, now: Instant) {
        if now < self.climb_at || self.growth > CALM || self.rate >= self.cap() {
            return;
        }
        let most = match self.ceiling {
            Some(ceiling) if now < self.ceiling_until => scaled(ceiling, 240),
            Some(ceiling) if self.rate > ceiling.saturating_add(ceiling / 4) => {
                (self.ceiling, self.doublings) = (None, 0);
                self.cap()
            }
            _ => self.cap(),
        };
        self.put_off_climbing(now, CLIMB);
        self.set_rate(most.min(self.rate.saturating_add(self.rate / 16)).max(self.rate));
    }

    fn put_off_climbing(&mut self, now: Instant, by: Duration) {
        let by = self.spread(by);
        self.climb_at = now.after(by);
    }

    /// Up to a half more, drawn (the generator is that of Numerical Recipes: only phases depend on it).
    fn spread(&mut self, span: Duration) -> Duration {
        self.phase = self.phase.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        span + span / 2 * (self.phase >> 24) / 256
    }

    fn set_rate(&mut self, rate: u32) {
        self.rate = rate.clamp(self.floor(), self.cap());
        while self.frame < self.limits.longest_frame && self.rate < self.needed(self.frame) {
            self.frame = longer(self.frame);
        }
        while self.frame > self.limits.shortest_frame && self.rate >= self.regained(shorter(self.frame)) {
            self.frame = shorter(self.frame);
        }
    }

    fn floor(&self) -> u32 {
        self.limits.least_bitrate.saturating_add(header_rate(self.limits.longest_frame))
    }

    fn cap(&self) -> u32 {
        self.limits.most_bitrate.saturating_add(header_rate(self.limits.shortest_frame))
    }

    /// The least rate for frames of this length: three quarters of what headers take are left for the voice. An encoder that never uses so much
    /// keeps the length until a quarter of its bitrate is gone.
    fn needed(&self, frame: FrameLength) -> u32 {
        let header = header_rate(frame);
        header.saturating_add((header / 4 * 3).min(self.limits.most_bitrate / 4 * 3))
    }

    /// The rate at which frames become this short again: an eighth more, so that they don't change to and fro.
    fn regained(&self, frame: FrameLength) -> u32 {
        let needed = self.needed(frame);
        needed.saturating_add(needed / 8).min(header_rate(frame).saturating_add(self.limits.most_bitrate))
    }
}

/// What headers take, bit/s.
fn header_rate(frame: FrameLength) -> u32 {
    HEADER_BYTES * 8_000 / u32::from(frame.ms())
}

/// Of a rate that overran the queue, what arrived, less an eighth to empty it; three quarters at most, and a half at least.
fn keep_of_flood(loss: u8) -> u32 {
    let arrived = u32::from(u8::MAX - loss);
    (arrived - arrived / 8).clamp(128, 192)
}

fn scaled(rate: u32, of_256: u32) -> u32 {
    rate / 256 * of_256 + rate % 256 * of_256 / 256
}

const fn longer(frame: FrameLength) -> FrameLength {
    match frame {
        FrameLength::Ms10 => FrameLength::Ms20,
        FrameLength::Ms20 => FrameLength::Ms40,
        FrameLength::Ms40 | FrameLength::Ms60 => FrameLength::Ms60,
    }
}

const fn shorter(frame: FrameLength) -> FrameLength {
    match frame {
        FrameLength::Ms10 | FrameLength::Ms20 => FrameLength::Ms10,
        FrameLength::Ms40 => FrameLength::Ms20,
        FrameLength::Ms60 => FrameLength::Ms40,
    }
}
