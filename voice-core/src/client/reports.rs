//! What this client reports of the speakers it hears, and what others report of it: docs/PROTOCOL.md, section 5.1.

use heapless::Vec;

use super::{
    engine::{ClientState, Engine},
    events::ClientEvent,
};
use crate::{
    playout::SpeakerStats,
    storage::sort::sort_short,
    types::{ClientId, FrameLength, Instant},
    wire::{
        FEATURE_REPORTS, Hearing, Report, ReportEntry, Summary,
        limits::{MAX_REPORT_ENTRIES, REPORT_INTERVAL},
    },
};

/// The least delay is remembered for one to two of these, ms. Clocks that drift by 300 ppm are 9 ms apart after two.
const MEMORY_MS: u32 = 15_000;
/// After so long without a packet the delay begins anew: media time, which counts 256 frame lengths, no longer tells how long it was.
const FORGET_MS: u32 = 10_000;

/// The same for the round trip to the server, ms. It has no drift, and a new route is a new beginning after twice this.
const ROUND_TRIP_MEMORY_MS: u32 = 60_000;

/// Round trips to the server: how much longer they are than the shortest.
///
/// A queue before this client's own link delays all voice that is relayed. Who begins to speak when the queue is full already has never been heard
/// without it, so its packets alone would tell of nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoundTrips {
    /// The last three, ms.
    last: [u16; 3],
    least: u16,
    least_before: u16,
    memory_from_ms: u32,
}

impl RoundTrips {
    pub(super) const NONE: Self = Self { last: [0; 3], least: u16::MAX, least_before: u16::MAX, memory_from_ms: 0 };

    pub(super) fn note(&mut self, now: Instant, rtt_us: u32) {
        let (at_ms, rtt) = (low32(now.as_us() / 1_000), u16::try_from(rtt_us / 1_000).unwrap_or(u16::MAX));
        let [a, b, _] = self.last;
        self.last = [rtt, a, b];
        if self.least == u16::MAX {
            (self.last, self.memory_from_ms) = ([rtt; 3], at_ms);
        }
        if at_ms.wrapping_sub(self.memory_from_ms) >= ROUND_TRIP_MEMORY_MS {
            (self.least_before, self.least, self.memory_from_ms) = (self.least, rtt, at_ms);
        }
        self.least = self.least.min(rtt);
    }

    /// By how much three in a row are longer, ms: one or two may have met a moment's trouble.
    fn growth_ms(&self) -> u32 {
        let recent = self.last.iter().copied().min().unwrap_or(0);
        recent.saturating_sub(self.least.min(self.least_before)).into()
    }
}

/// How one speaker's packets come in: the one-way delay but for a constant, and where the counts stood at the last report.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrivals {
    /// When the newest packet came; wraps after 49 days, far above what is compared.
    at_ms: u32,
    memory_from_ms: u32,
    /// Arrival less media time of the newest packet, ms, from any origin.
    offset: i16,
    /// The least of it since the last report, in this memory, and in the memory before.
    recent: i16,
    least: i16,
    least_before: i16,
    received: u16,
    lost: u16,
    late: u16,
    media_time: u8,
    begun: bool,
    direct: bool,
}

impl Arrivals {
    pub(super) const NONE: Self = Self {
        at_ms: 0,
        memory_from_ms: 0,
        offset: 0,
        recent: 0,
        least: 0,
        least_before: 0,
        received: 0,
        lost: 0,
        late: 0,
        media_time: 0,
        begun: false,
        direct: false,
    };

    /// Notes the newest packet of the speaker.
    pub(super) fn note(&mut self, now: Instant, media_time: u8, frame: FrameLength, direct: bool) {
        let at_ms = low32(now.as_us() / 1_000);
        let gap = at_ms.wrapping_sub(self.at_ms);
        if !self.begun || self.direct != direct || gap > FORGET_MS {
            (self.offset, self.recent, self.least, self.least_before) = (0, 0, 0, 0);
            (self.begun, self.direct, self.memory_from_ms) = (true, direct, at_ms);
        } else {
            let later = later_by(gap, media_time.wrapping_sub(self.media_time), frame);
            self.offset = self.offset.saturating_add(later);
        }
        (self.at_ms, self.media_time) = (at_ms, media_time);
        self.recent = self.recent.min(self.offset);
        self.least = self.least.min(self.offset);
        if at_ms.wrapping_sub(self.memory_from_ms) >= MEMORY_MS {
            self.begin_memory(at_ms);
        }
    }

    /// The memory becomes that of before, and the origin, so that numbers stay small however long it goes on.
    fn begin_memory(&mut self, at_ms: u32) {
        let origin = self.least;
        self.offset = self.offset.saturating_sub(origin);
        self.recent = self.recent.saturating_sub(origin);
        (self.least, self.least_before, self.memory_from_ms) = (self.offset, 0, at_ms);
    }

    /// What there is to report since the last time, if a packet came; `queue_ms` is what is known of a queue that all relayed voice has to pass.
    fn report_entry(&mut self, speaker: ClientId, stats: &SpeakerStats, queue_ms: u32) -> Option<ReportEntry> {
        let received = low16(stats.received).wrapping_sub(self.received);
        if received == 0 {
            return None;
        }
        // Less than before when some came late after all.
        let lost = i16::from_ne_bytes(low16(stats.lost).wrapping_sub(self.lost).to_ne_bytes()).max(0).unsigned_abs();
        let late = low16(stats.late).wrapping_sub(self.late);
        let sent = u32::from(received) + u32::from(lost);
        let share = |part: u16| u8::try_from((u32::from(part) * 255 + sent / 2) / sent).unwrap_or(u8::MAX);
        // The newest, should all packets since then have been overtaken ones.
        let recent = self.recent.min(self.offset);
        let growth = i32::from(recent) - i32::from(self.least.min(self.least_before));
        let growth = u32::try_from(growth).unwrap_or(0).max(if self.direct { 0 } else { queue_ms });
        (self.received, self.lost, self.late) = (low16(stats.received), low16(stats.lost), low16(stats.late));
        self.recent = i16::MAX;
        let loss = share(lost);
        let hearing = Hearing {
            loss,
            late: share(late).min(u8::MAX - loss),
            jitter_ms: u8::try_from(stats.jitter_us / 1_000).unwrap_or(u8::MAX),
            delay: Hearing::steps(stats.delay_us / 1_000),
            growth: Hearing::steps(growth),
        };
        Some(ReportEntry { speaker, hearing })
    }
}

/// By how much longer a packet was under way than the one before, ms: `gap` after it, with media time `steps` frame lengths on, modulo 256.
fn later_by(gap: u32, steps: u8, frame: FrameLength) -> i16 {
    let (frame, steps) = (i32::from(frame.ms()), i32::from(steps));
    let period = 256 * frame;
    let later = (i32::try_from(gap).unwrap_or(0) - steps * frame).rem_euclid(period);
    i16::try_from(if later > period / 2 { later - period } else { later }).unwrap_or(0)
}

fn low32(wide: u64) -> u32 {
    let [.., a, b, c, d] = wide.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

fn low16(wide: u32) -> u16 {
    let [.., high, low] = wide.to_be_bytes();
    u16::from_be_bytes([high, low])
}

impl Engine<'_> {
    /// Voice came in: there will be something to report.
    pub(super) fn plan_report(&mut self, now: Instant) {
        if self.s.report_at.is_none() && self.s.features & FEATURE_REPORTS != 0 {
            // Not all listeners at once.
            let interval = u64::try_from(REPORT_INTERVAL.as_micros()).unwrap_or(u64::MAX);
            let wait = interval / 2 + self.s.rng.below(interval / 2);
            self.s.report_at = Some(now.after(core::time::Duration::from_micros(wait)));
        }
    }

    pub(super) fn write_report(&mut self, now: Instant, out: &mut [u8]) -> Option<usize> {
        self.s.report_at.filter(|at| *at <= now)?;
        let session = self.s.seat?.session;
        // While it talks itself, the queue may be its own doing, before its uplink.
        let link = &self.s.link;
        let steady = link.round_trips.growth_ms().saturating_sub(link.jitter_us / 1_000);
        let queue_ms = if self.s.voice.talking { 0 } else { steady };
        let slots = self.t.speakers.len();
        let from = usize::from(self.s.report_from);
        let mut entries: Vec<ReportEntry, MAX_REPORT_ENTRIES> = Vec::new();
        for at in (from..slots).chain(0..from.min(slots)) {
            if entries.is_full() {
                self.s.report_from = u16::try_from(at).unwrap_or(0);
                break;
            }
            let Some(slot) = self.t.speakers.get_mut(at) else { break };
            let Some(client) = slot.client else { continue };
            _ = slot.arrivals.report_entry(client, &slot.playout.stats(), queue_ms).map(|entry| entries.push(entry));
        }
        self.s.report_at = (!entries.is_empty()).then(|| now.after(REPORT_INTERVAL));
        sort_short(&mut entries, |entry| entry.speaker);
        Report::write(out, session, &entries)
    }

    pub(super) fn on_summary(&mut self, now: Instant, summary: &Summary) {
        self.heard(now);
        self.s.summary = Some(*summary);
        self.s.adapt(|adaptation| adaptation.handle_summary(now, summary));
    }
}

impl ClientState {
    /// Lets the adaptation do something, and tells if its advice is another then.
    pub(super) fn adapt(&mut self, what: impl FnOnce(&mut super::Adaptation)) {
        let before = self.adaptation.advice();
        what(&mut self.adaptation);
        if self.adaptation.advice() != before {
            self.event(ClientEvent::AdviceChanged);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    const SPEAKER: ClientId = const { ClientId::new(7).unwrap() };

    /// A frame of 20 ms every 20 ms by the speaker's clock; the listener's runs by `ppm` faster, and each packet takes `extra` ms longer.
    fn growths(ms: u64, ppm: u64, extra: impl Fn(u64) -> u64) -> Vec<u8> {
        let (mut arrivals, mut stats) = (Arrivals::NONE, SpeakerStats::default());
        let mut reports = Vec::new();
        for n in 0..ms / 20 {
            let at = 1_000_000 + n * (20_000 + ppm / 50) + extra(n * 20) * 1_000;
            arrivals.note(Instant::from_us(at), (n % 256) as u8, FrameLength::Ms20, false);
            stats.received += 1;
            if n % 50 == 49 {
                reports.push(arrivals.report_entry(SPEAKER, &stats, 0).unwrap().hearing.growth);
            }
        }
        reports
    }

    #[test]
    fn an_even_delay_does_not_grow_and_neither_does_one_that_shakes() {
        assert!(growths(60_000, 0, |_| 0).iter().all(|growth| *growth == 0));
        assert!(growths(60_000, 0, |ms| ms / 20 * 7_919 % 40).iter().all(|growth| *growth <= 1));
    }

    #[test]
    fn clocks_that_drift_apart_by_300_ppm_stay_below_three_steps_for_hours() {
        let growths = growths(4 * 3_600_000, 300, |_| 0);
        assert!(growths.iter().all(|growth| *growth < 3), "{:?}", growths.iter().max());
    }

    #[test]
    fn a_queue_is_seen_within_a_second_and_forgotten_after_half_a_minute() {
        let growths = growths(60_000, 0, |ms| if ms >= 10_000 { 200 } else { 0 });
        assert_eq!(growths[9], 0);
        assert_eq!(growths[10..25], [50; 15]);
        assert_eq!(growths[45..], [0; 15]);
    }

    #[test]
    fn a_stall_of_half_a_second_is_no_queue() {
        let stall = |ms: u64| if (10_200..10_700).contains(&ms) { 10_700 - ms } else { 0 };
        assert!(growths(20_000, 0, stall).iter().all(|growth| *growth == 0));
    }

    #[test]
    fn a_pause_of_any_length_and_another_way_do_not_look_like_a_queue() {
        let mut arrivals = Arrivals::NONE;
        let stats = SpeakerStats { received: 1, ..SpeakerStats::default() };
        arrivals.note(Instant::from_ms(1_000), 250, FrameLength::Ms20, false);
        // 300 frame lengths are 44 modulo 256.
        arrivals.note(Instant::from_ms(7_000), 250_u8.wrapping_add(44), FrameLength::Ms20, false);
        assert_eq!(arrivals.report_entry(SPEAKER, &stats, 0).unwrap().hearing.growth, 0);
        for (at, media_time, direct) in [(3_607_013, 9, false), (3_607_133, 10, true)] {
            arrivals.note(Instant::from_ms(at), media_time, FrameLength::Ms20, direct);
            let stats = SpeakerStats { received: stats.received + u32::try_from(at).unwrap(), ..stats };
            assert_eq!(arrivals.report_entry(SPEAKER, &stats, 0).unwrap().hearing.growth, 0);
        }
    }

    #[test]
    fn longer_frames_go_on_where_shorter_ones_ended() {
        let (mut arrivals, mut at) = (Arrivals::NONE, 0);
        for n in 0..100_u8 {
            let frame = if n < 50 { FrameLength::Ms20 } else { FrameLength::Ms60 };
            at += u64::from(frame.ms());
            arrivals.note(Instant::from_ms(at), n, frame, false);
        }
        let stats = SpeakerStats { received: 100, ..SpeakerStats::default() };
        assert_eq!(arrivals.report_entry(SPEAKER, &stats, 0).unwrap().hearing.growth, 0);
    }

    #[test]
    fn shares_are_of_what_was_sent_since_the_last_report() {
        let mut arrivals = Arrivals::NONE;
        let mut entry = |received, lost, late, delay_ms: u32| {
            let delay_us = delay_ms * 1_000;
            let stats = SpeakerStats { received, lost, late, delay_us, jitter_us: 12_900, ..SpeakerStats::default() };
            arrivals.report_entry(SPEAKER, &stats, 0).map(|entry| entry.hearing)
        };
        let first = entry(40, 10, 5, 63).unwrap();
        assert_eq!((first.loss, first.late, first.jitter_ms, first.delay), (51, 26, 12, 15));
        assert_eq!(entry(40, 30, 5, 60), None, "nothing came");
        let second = entry(70, 40, 5, 5_000).unwrap();
        assert_eq!((second.loss, second.late, second.delay), (128, 0, 255));
        let third = entry(90, 35, 25, 60).unwrap();
        assert_eq!((third.loss, third.late), (0, 255), "some of the lost came late");
    }

    #[test]
    fn a_round_trip_has_grown_when_three_in_a_row_are_longer() {
        let mut trips = RoundTrips::NONE;
        assert_eq!(trips.growth_ms(), 0);
        for (second, rtt_ms, growth) in
            [(0, 40, 0), (1, 340, 0), (2, 340, 0), (3, 340, 300), (4, 50, 10), (70, 340, 10)]
        {
            trips.note(Instant::from_ms(second * 1_000), rtt_ms * 1_000);
            assert_eq!(trips.growth_ms(), growth, "{second}");
        }
        for second in 71..200 {
            trips.note(Instant::from_ms(second * 1_000), 340_000);
        }
        assert_eq!(trips.growth_ms(), 0, "another route by now");
    }
}
