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

/// Classes of lateness: 16 of 5 ms, then 16 of 20 ms.
const CLASSES: usize = 32;
const FINE: u32 = 16;
const FINE_US: u32 = 5_000;
const COARSE_US: u32 = 20_000;
/// The lateness at which the last class ends: nothing later is waited for.
const MAX_LATENESS_US: u32 = FINE * FINE_US + (CLASSES as u32 - FINE) * COARSE_US;
/// One unit of the histograms, µs.
const UNIT_US: u32 = 250;
/// When this much time has been recorded, an eighth is forgotten: about ten seconds are remembered. In units.
const MEMORY: u32 = 40_000;
/// A beginning without evidence counts as this much time without lateness, in units.
const PRIOR: u64 = 8_000;
/// The span of one of the minima, µs. All four together are the window.
const MINIMUM_SPAN_US: u32 = 500_000;
/// The envelope falls by one part in so many of the time that passes.
const FALL: u32 = 3;
/// Time without packets longer than this is a pause, µs.
const LONGEST_STEP_US: u64 = 1_000_000;
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
    envelope: u32,
    /// How long the envelope was in each class.
    held: [u16; CLASSES],
    /// How much time could not be heard at a delay below the class's end.
    gaps: [u16; CLASSES],
    target: u32,
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
        envelope: 0,
        held: [0; CLASSES],
        gaps: [0; CLASSES],
        target: 0,
    };

    /// The delay to be kept above the smallest transit, µs.
    pub(super) fn target_us(&self, config: &PlayoutConfig) -> u32 {
        self.target.clamp(config.min_delay_us(), config.max_delay_us())
    }

    /// How long after the earliest possible time this media time would be played at `at`, µs; negative if that time is still to come.
    pub(super) fn lateness(&self, at: Instant, frame: FrameLength, media: u32) -> i32 {
        self.transit(at, frame, media).saturating_sub(self.base)
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
        let transit = self.transit(now, frame, media);
        if self.reference.is_none() {
            self.reference = Some((now.as_us(), media));
        }
        self.follow_minimum(passed, transit);
        let lateness = u32::try_from(transit.saturating_sub(self.base)).unwrap_or(0);
        let frame_us = frame.us_u32();
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
        self.forget();
        self.target = self.cheapest(config);
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
        let above = above.wrapping_add(turn / 2).rem_euclid(turn) - turn / 2;
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
            if self.risen >= FINE_US {
                self.move_down();
            }
        }
    }

    fn move_down(&mut self) {
        let by = self.risen;
        self.risen = 0;
        let (held, gaps) = (self.held, self.gaps);
        self.held = [0; CLASSES];
        self.gaps = [0; CLASSES];
        for (class, (held, gaps)) in held.into_iter().zip(gaps).enumerate() {
            let middle = (class_start(class) + class_start(class + 1)) / 2;
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
        self.gap(lateness, frame_us);
    }

    /// So much time can't be heard below this delay.
    fn gap(&mut self, delay: u32, span: u32) {
        if let Some(below) = delay.checked_sub(1).filter(|_| delay <= MAX_LATENESS_US) {
            add(&mut self.gaps, class_of(below), span);
        }
    }

    fn forget(&mut self) {
        let total: u32 = self.held.iter().copied().map(u32::from).sum();
        if total > MEMORY {
            let all = self.held.iter_mut().chain(&mut self.gaps);
            all.for_each(|count| *count -= *count / 8);
        }
    }

    /// The delay with the least sum of mean delay and concealed time, each class's start being tried.
    fn cheapest(&self, config: &PlayoutConfig) -> u32 {
        let total = self.held.iter().copied().map(u64::from).sum::<u64>() + PRIOR;
        let worth = u64::from(config.concealment_worth_us());
        let (mut above, mut area, mut gaps) = (0_u64, 0_u64, 0_u64);
        let (mut best, mut best_cost) = (MAX_LATENESS_US, u64::from(MAX_LATENESS_US) * total);
        for (class, (&held, &gap)) in self.held.iter().zip(&self.gaps).enumerate().rev() {
            let (start, end) = (class_start(class), class_start(class + 1));
            above += u64::from(held);
            area += u64::from(held) * u64::from((start + end) / 2);
            gaps += u64::from(gap);
            let cost = u64::from(start) * (total - above) + area + worth * gaps;
            if cost < best_cost {
                (best, best_cost) = (start, cost);
            }
        }
        best
    }
}

fn class_of(us: u32) -> usize {
    let class = match us / FINE_US {
        fine if fine < FINE => fine,
        _ => FINE + (us - FINE * FINE_US) / COARSE_US,
    };
    (class as usize).min(CLASSES - 1)
}

fn class_start(class: usize) -> u32 {
    let class = u32::try_from(class).unwrap_or(u32::MAX);
    match class {
        0..FINE => class * FINE_US,
        _ => FINE * FINE_US + (class - FINE) * COARSE_US,
    }
}

/// Adds a span, µs, to a class.
fn add(histogram: &mut [u16; CLASSES], class: usize, us: u32) {
    if let Some(count) = histogram.get_mut(class) {
        let units = u16::try_from((us + UNIT_US / 2) / UNIT_US).unwrap_or(u16::MAX);
        *count = count.saturating_add(units);
    }
}
