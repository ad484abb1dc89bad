//! How much delay a speaker's sound needs: learnt from when its packets come.
//!
//! A packet's *lateness* is its transit time above the smallest of the last two seconds. A listener who plays at once and waits
//! for whatever is late would be behind by the *envelope* of that lateness: it rises with each later packet, during which nothing can be
//! heard, and falls as fast as sound may be shortened. Two histograms over lateness hold how long the envelope stayed where, and how much time
//! nothing could be heard between which delays. From them follows, for any target delay, what it would have cost in mean delay and in
//! concealed time; the target is the cheapest. What was seen is forgotten over about ten seconds.
//!
//! The windowed minimum follows clock drift and changes of route; when it rises, what was recorded against the old one moves down with it.

use super::PlayoutConfig;
use crate::types::{FrameLength, Instant};

/// Classes of lateness: 16 of 5 ms, then 32 of 10 ms.
const CLASSES: usize = 48;
const FINE: u32 = 16;
const FINE_US: u32 = 5_000;
const COARSE_US: u32 = 10_000;
/// The lateness at which the last class ends: nothing later is waited for.
const MAX_LATENESS_US: u32 = FINE * FINE_US + (CLASSES as u32 - FINE) * COARSE_US;
/// One unit of the histograms, µs.
const UNIT_US: u32 = 250;
/// When this much time has been recorded, an eighth is forgotten: about ten seconds are remembered. In units.
const MEMORY: u32 = 40_000;
/// A beginning without evidence counts as this much time without lateness, in units.
const PRIOR: u64 = 8_000;
/// Without a hole the target is reckoned so often, µs.
const RECKON_AFTER_US: u32 = 200_000;
/// The target falls when a shorter delay has been better for so long, µs.
const FALL_AFTER_US: u32 = 2_000_000;
/// The usual first delay, µs.
const PRIOR_DELAY_US: u32 = 40_000;
/// The usual lateness, µs, before anything is known.
const PRIOR_SCALE_US: u32 = 2_000;
/// The span of one of the minima, µs. All four together are the window.
const MINIMUM_SPAN_US: u32 = 500_000;
/// The envelope falls by one part in so many of the time that passes.
const FALL: u32 = 20;
/// A hole is never shorter, µs.
const SHORTEST_GAP_US: u32 = 10_000;
/// Time without packets longer than this is a pause, µs.
const LONGEST_STEP_US: u64 = 1_000_000;
/// The smallest transit is no further from that of the reference, µs: transit times must fit in 32 bits.
const FARTHEST_US: u32 = 1 << 30;
/// No minimum yet.
const NONE: i32 = i32::MAX;

/// What a packet tells besides when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The first after a pause.
    Begin,
    /// It has a higher number than all before; so many between were skipped.
    Next {
        /// Numbers between that haven't come.
        missing: u16,
    },
    /// It was overtaken.
    Overtaken,
}

/// The delay model of one speaker.
#[derive(Debug, Clone)]
pub(super) struct Delay {
    /// Transit times are relative to that of this packet: arrival, µs, and media time.
    reference: Option<(u64, u32)>,
    /// Smallest transit of each span of the window, µs.
    minima: [i32; 4],
    /// Time in the newest span, µs.
    in_span: u32,
    /// Smallest of the window, µs.
    base: i32,
    /// By how much the minimum has risen since the histograms were moved, µs.
    risen: u32,
    /// When the newest packet came, µs.
    last: u64,
    /// That of the newest packet, µs.
    lateness: u32,
    /// The usual lateness, µs: how quickly what is seldom gets seldomer.
    scale: u32,
    envelope: u32,
    /// How long the envelope was in each class.
    held: [u16; CLASSES],
    /// How much time could not be heard at a delay below the class's end.
    gaps: [u16; CLASSES],
    target: u32,
    /// Time since the target was reckoned, µs, and whether there has been a hole at it since.
    unreckoned: u32,
    gap_came: bool,
    /// How long all has been cheaper than the target, µs, and the most that was cheapest in that time.
    below_for: u32,
    highest: u32,
}

impl Delay {
    pub(super) const NEW: Self = Self {
        reference: None,
        minima: [NONE; 4],
        in_span: 0,
        base: 0,
        risen: 0,
        last: 0,
        lateness: 0,
        scale: PRIOR_SCALE_US,
        envelope: 0,
        held: [0; CLASSES],
        gaps: [0; CLASSES],
        target: PRIOR_DELAY_US,
        unreckoned: 0,
        gap_came: false,
        below_for: FALL_AFTER_US / 2,
        highest: 0,
    };

    /// The delay to be kept above the smallest transit, µs.
    pub(super) fn target_us(&self, config: &PlayoutConfig) -> u32 {
        self.target.clamp(config.min_delay_us(), config.max_delay_us())
    }

    /// How long after the earliest possible time this media time would be played at `at`, µs; negative if that time is still to come.
    pub(super) fn lateness(&self, at: Instant, frame: FrameLength, media: u32) -> i32 {
        self.transit(at, frame, media).saturating_sub(self.base)
    }

    /// Whether there is anything to compare media time with.
    pub(super) const fn has_begun(&self) -> bool {
        self.reference.is_some()
    }

    /// Media time begins anew, as when the frame length changes. What was learnt of the network stays.
    pub(super) fn restart(&mut self) {
        self.reference = None;
        (self.minima, self.in_span, self.base, self.lateness) = ([NONE; 4], 0, 0, 0);
    }

    /// Learns from a packet.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        frame: FrameLength,
        media: u32,
        arrival: Arrival,
        config: &PlayoutConfig,
    ) {
        let passed = self.pass_time(now, arrival);
        if self.base.unsigned_abs() > FARTHEST_US {
            self.move_reference();
        }
        let transit = self.transit(now, frame, media);
        if self.reference.is_none() {
            self.reference = Some((now.as_us(), media));
        }
        self.follow_minimum(passed, transit);
        let lateness = u32::try_from(transit.saturating_sub(self.base)).unwrap_or(0);
        let frame_us = frame.us_u32();
        self.follow_scale(transit);
        match arrival {
            Arrival::Begin => self.envelope = lateness.min(MAX_LATENESS_US),
            Arrival::Next { missing } => {
                self.rise(lateness, frame_us);
                for back in 1..=missing.min(config.redundancy.into()) {
                    let needed = lateness.saturating_add(frame_us.saturating_mul(back.into()));
                    self.gap(needed, frame_us / 4 * 3);
                }
            }
            Arrival::Overtaken => self.gap(lateness, frame_us / 4),
        }
        if arrival != Arrival::Overtaken {
            self.lateness = lateness.min(MAX_LATENESS_US);
        }
        self.unreckoned = self.unreckoned.saturating_add(passed);
        if self.gap_came || self.unreckoned >= RECKON_AFTER_US {
            self.forget();
            let cheapest = self.cheapest(config);
            self.follow_cheapest(self.unreckoned, cheapest);
            (self.gap_came, self.unreckoned) = (false, 0);
        }
    }

    /// The target rises at once, and falls to what was the most for a while.
    fn follow_cheapest(&mut self, passed: u32, cheapest: u32) {
        self.highest = self.highest.max(cheapest);
        self.below_for = self.below_for.saturating_add(passed);
        if cheapest >= self.target {
            (self.target, self.highest, self.below_for) = (cheapest, 0, 0);
        } else if self.below_for >= FALL_AFTER_US {
            if self.target - self.highest > 10_000 + self.target / 8 {
                self.target = self.highest;
            }
            (self.highest, self.below_for) = (0, 0);
        }
    }

    /// The time since the last packet, unless it was a pause.
    fn pass_time(&mut self, now: Instant, arrival: Arrival) -> u32 {
        let passed = now.as_us().saturating_sub(self.last);
        self.last = now.as_us();
        if self.reference.is_none() || arrival == Arrival::Begin || passed > LONGEST_STEP_US {
            return 0;
        }
        let passed = u32::try_from(passed).unwrap_or(0);
        add(&mut self.held, class_of(self.envelope), passed);
        // What comes late and alone leaves nothing to be shortened.
        self.envelope = self.envelope.saturating_sub(passed / FALL).max(self.lateness);
        passed
    }

    /// Arrival minus media time, relative to the reference. Media time is known modulo 256 frame lengths, and so is this:
    /// the value nearest to the smallest.
    fn transit(&self, at: Instant, frame: FrameLength, media: u32) -> i32 {
        let Some((reference_at, reference_media)) = self.reference else { return 0 };
        let turn = i64::from(frame.us_u32()) * 256;
        let came = i64::from_ne_bytes(at.as_us().wrapping_sub(reference_at).to_ne_bytes());
        let sent = i64::from(media.wrapping_sub(reference_media)).wrapping_mul(i64::from(frame.us_u32()));
        let above = came.wrapping_sub(sent).wrapping_sub(i64::from(self.base));
        // A division takes long, and hardly any packet needs it.
        let above = if (-turn / 2..turn / 2).contains(&above) {
            above
        } else {
            above.wrapping_add(turn / 2).rem_euclid(turn) - turn / 2
        };
        i32::try_from(above).unwrap_or(0).saturating_add(self.base)
    }

    fn follow_minimum(&mut self, passed: u32, transit: i32) {
        self.in_span = self.in_span.saturating_add(passed);
        if self.in_span >= MINIMUM_SPAN_US {
            self.in_span = 0;
            let [a, b, c, _] = self.minima;
            self.minima = [NONE, a, b, c];
        }
        let [newest, ..] = &mut self.minima;
        *newest = transit.min(*newest);
        let base = self.minima.into_iter().min().unwrap_or(transit);
        let (fallen, risen) = (self.base.saturating_sub(base), base.saturating_sub(self.base));
        self.base = base;
        self.envelope = self.envelope.saturating_add(u32::try_from(fallen).unwrap_or(0)).min(MAX_LATENESS_US);
        if let Ok(risen @ 1..) = u32::try_from(risen) {
            self.envelope = self.envelope.saturating_sub(risen);
            self.lateness = self.lateness.saturating_sub(risen);
            self.risen = self.risen.saturating_add(risen);
            self.target = self.target.saturating_sub(risen);
            self.highest = self.highest.saturating_sub(risen);
            if self.risen >= FINE_US {
                self.move_down();
            }
        }
    }

    /// Clocks that have drifted apart for weeks, or a speaker whose media time leaps: transit times count from the smallest.
    fn move_reference(&mut self) {
        let base = core::mem::take(&mut self.base);
        if let Some((at, _)) = &mut self.reference {
            *at = at.wrapping_add_signed(base.into());
        }
        for minimum in self.minima.iter_mut().filter(|minimum| **minimum != NONE) {
            *minimum = minimum.saturating_sub(base);
        }
    }

    fn move_down(&mut self) {
        let by = self.risen;
        self.risen = 0;
        let (held, gaps) = (self.held, self.gaps);
        self.held = [0; CLASSES];
        self.gaps = [0; CLASSES];
        for (class, (held, gaps)) in held.into_iter().zip(gaps).enumerate() {
            let middle = middle(class);
            add(&mut self.held, class_of(middle.saturating_sub(by)), u32::from(held) * UNIT_US);
            if let Some(left) = middle.checked_sub(by) {
                add(&mut self.gaps, class_of(left), u32::from(gaps) * UNIT_US);
            }
        }
    }

    /// Later than the envelope: the time between couldn't be heard at any delay there, and never less than a frame.
    fn rise(&mut self, lateness: u32, frame_us: u32) {
        let lateness = lateness.min(MAX_LATENESS_US);
        if lateness <= self.envelope {
            return;
        }
        let last = lateness.saturating_sub(frame_us);
        while self.envelope < last {
            let class = class_of(self.envelope);
            let end = class_start(class + 1).min(last);
            add(&mut self.gaps, class, end - self.envelope);
            self.envelope = end;
        }
        self.envelope = lateness;
        self.gap(lateness, SHORTEST_GAP_US);
    }

    /// So much time can't be heard below this delay.
    fn gap(&mut self, delay: u32, span: u32) {
        if let Some(below) = delay.checked_sub(1).filter(|_| delay <= MAX_LATENESS_US) {
            add(&mut self.gaps, class_of(below), span);
            self.gap_came |= delay > self.target;
        }
    }

    fn forget(&mut self) {
        let total: u32 = self.held.iter().copied().map(u32::from).sum();
        if total > MEMORY {
            let all = self.held.iter_mut().chain(&mut self.gaps);
            all.for_each(|count| *count -= *count / 8);
        }
    }

    /// Follows the usual lateness over about a second, above the smallest transit of the last half to one second. A stall or a step moves it
    /// little: they aren't usual.
    fn follow_scale(&mut self, transit: i32) {
        let [newest, before, ..] = self.minima;
        let lateness = u32::try_from(transit.saturating_sub(newest.min(before))).unwrap_or(0);
        let lateness = lateness.min(2 * self.scale + 2_000);
        self.scale = self.scale - self.scale / 32 + lateness / 32;
    }

    /// The delay with the least sum of mean delay and concealed time, each class's start being tried.
    ///
    /// What was never seen isn't impossible: beyond the largest lateness seen, gaps get seldomer by the class as an
    /// exponential distribution of the usual lateness would have it.
    fn cheapest(&self, config: &PlayoutConfig) -> u32 {
        let worth = u64::from(config.concealment_worth_us());
        let (rarer_fine, rarer_coarse) = (rarer(self.scale, FINE_US), rarer(self.scale, COARSE_US));
        // Time held below the class; time held from there on, by how long a delay; and what can't be heard at the class's delay.
        let mut below = PRIOR;
        let mut area: u64 =
            self.held.iter().zip(MIDDLES).map(|(&held, middle)| u64::from(held) * u64::from(middle)).sum();
        let mut gaps: u64 = self.gaps.iter().copied().map(u64::from).sum();
        let (mut best, mut best_cost, mut tail) = (0, u64::MAX, 0_u64);
        for (class, (&held, &gap)) in self.held.iter().zip(&self.gaps).enumerate() {
            let start = class_start(class);
            let delay_cost = u64::from(start) * below + area;
            // A longer delay never costs less of it.
            if delay_cost >= best_cost {
                break;
            }
            tail = (gaps << 16).max((tail * if class <= FINE as usize { rarer_fine } else { rarer_coarse }) >> 16);
            let cost = delay_cost + ((worth * tail) >> 16);
            if cost < best_cost {
                (best, best_cost) = (start, cost);
            }
            below += u64::from(held);
            area -= u64::from(held) * u64::from(middle(class));
            gaps -= u64::from(gap);
        }
        best
    }
}

/// By how much an exponential distribution of this mean falls over a width, times 65,536: 1 / (1 + x + x²/2) for e^-x.
fn rarer(mean: u32, width: u32) -> u64 {
    let (m, w) = (u64::from(mean) + 1, u64::from(width));
    ((m * m) << 16) / (m * m + m * w + w * w / 2)
}

fn class_of(us: u32) -> usize {
    let class = match us / FINE_US {
        fine if fine < FINE => fine,
        _ => FINE + (us - FINE * FINE_US) / COARSE_US,
    };
    (class as usize).min(CLASSES - 1)
}

const fn class_start(class: usize) -> u32 {
    let class = class as u32;
    match class {
        0..FINE => class * FINE_US,
        _ => FINE * FINE_US + (class - FINE) * COARSE_US,
    }
}

const fn middle(class: usize) -> u32 {
    (class_start(class) + class_start(class + 1)) / 2
}

/// The middles of the classes, µs.
const MIDDLES: [u32; CLASSES] = {
    let mut middles = [0; CLASSES];
    let mut class = 0;
    while class < CLASSES {
        middles[class] = middle(class);
        class += 1;
    }
    middles
};

/// Adds a span, µs, to a class.
fn add(histogram: &mut [u16; CLASSES], class: usize, us: u32) {
    if let Some(count) = histogram.get_mut(class) {
        let units = u16::try_from((us + UNIT_US / 2) / UNIT_US).unwrap_or(u16::MAX);
        *count = count.saturating_add(units);
    }
}
