//! Networks of which traces are made from seeds: everyday ones, each kind of trouble alone, and the simulator's six presets.

use adapter_sim::net::{LinkProfile, Preset, Rng};

use super::trace::{Packet, Trace};

/// How a made network behaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    make: fn(&mut Maker<'_>),
}

/// The packets of one talker under way.
struct Maker<'a> {
    rng: &'a mut Rng,
    sent: Vec<u64>,
    /// Time on the way, µs; `None` if lost.
    transit: Vec<Option<u64>>,
}

/// All kinds of networks of which traces are made.
pub(super) const KINDS: [Kind; 16] = [
    Kind { name: "clean", about: "20 ms, always", make: |m| m.every(|_, _| 20_000) },
    Kind {
        name: "home-wifi",
        about: "15 ms, jitter of 25 ms at the 95th percentile, 1 % random loss",
        make: |m| {
            m.every(|_, rng| 15_000 + tail(rng, 8_300));
            m.lose(10_000);
        },
    },
    Kind {
        name: "busy-wifi",
        about: "15 ms, jitter of 25 ms at the 95th percentile, a stall of 80 to 150 ms every 2.5 s or so, 2 % loss in bursts",
        make: |m| {
            m.every(|_, rng| 15_000 + tail(rng, 8_300));
            m.stalls(2_500_000, 80_000, 150_000);
            m.lose_in_bursts(20_000, 3);
        },
    },
    Kind {
        name: "lte-spikes",
        about: "40 ms, jitter of 25 ms at the 95th percentile, 200 ms for half a second every 6 s, 3 % loss in bursts",
        make: |m| {
            m.every(|at, rng| {
                let spike = if at % 6_000_000 >= 3_000_000 && at % 6_000_000 < 3_500_000 { 160_000 } else { 0 };
                40_000 + tail(rng, 8_300) + spike
            });
            m.lose_in_bursts(30_000, 3);
        },
    },
    Kind {
        name: "loss-20",
        about: "20 ms, up to 5 ms of jitter, 20 % random loss",
        make: |m| {
            m.every(|_, rng| 20_000 + rng.below(5_000));
            m.lose(200_000);
        },
    },
    Kind {
        name: "bursts-10",
        about: "20 ms, up to 5 ms of jitter, 10 % loss in bursts of five",
        make: |m| {
            m.every(|_, rng| 20_000 + rng.below(5_000));
            m.lose_in_bursts(100_000, 5);
        },
    },
    Kind {
        name: "step",
        about: "20 ms, 120 ms in the middle third, up to 5 ms of jitter",
        make: |m| {
            let third = m.sent.last().copied().unwrap_or(0) / 3;
            m.every(move |at, rng| if at / third.max(1) == 1 { 120_000 } else { 20_000 } + rng.below(5_000));
        },
    },
    Kind {
        name: "drift-slow",
        about: "20 ms, up to 5 ms of jitter, the talker's clock 200 ppm slow",
        make: |m| {
            m.drift(200);
            m.every(|_, rng| 20_000 + rng.below(5_000));
        },
    },
    Kind {
        name: "drift-fast",
        about: "20 ms, up to 5 ms of jitter, the talker's clock 300 ppm fast",
        make: |m| {
            m.drift(-300);
            m.every(|_, rng| 20_000 + rng.below(5_000));
        },
    },
    Kind {
        name: "stalls",
        about: "20 ms, up to 5 ms of jitter, everything of 150 ms arrives at once every 4 s or so",
        make: |m| {
            m.every(|_, rng| 20_000 + rng.below(5_000));
            m.stalls(4_000_000, 150_000, 150_000);
        },
    },
    Kind { name: "preset-lan", about: "the preset lan", make: |m| m.preset(&Preset::LAN) },
    Kind { name: "preset-home-wifi", about: "the preset home-wifi", make: |m| m.preset(&Preset::HOME_WIFI) },
    Kind { name: "preset-busy-wifi", about: "the preset busy-wifi", make: |m| m.preset(&Preset::BUSY_WIFI) },
    Kind { name: "preset-lte", about: "the preset lte", make: |m| m.preset(&Preset::LTE) },
    Kind { name: "preset-satellite", about: "the preset satellite", make: |m| m.preset(&Preset::SATELLITE) },
    Kind { name: "preset-lossy", about: "the preset lossy", make: |m| m.preset(&Preset::LOSSY) },
];

impl Kind {
    /// Makes a trace of so many frames.
    pub(super) fn make(&self, seed: u64, frame_ms: u32, frames: usize) -> Trace {
        let mut rng = Rng::new(seed);
        let sent = (0..frames as u64).map(|frame| frame * u64::from(frame_ms) * 1_000).collect();
        let mut maker = Maker { rng: &mut rng, sent, transit: vec![Some(0); frames] };
        (self.make)(&mut maker);
        let packets = maker.sent.iter().zip(&maker.transit);
        let packets = packets.map(|(&sent_us, transit)| Packet { sent_us, arrived_us: transit.map(|t| sent_us + t) });
        Trace { name: self.name.to_owned(), about: self.about.to_owned(), frame_ms, packets: packets.collect() }
    }
}

impl Maker<'_> {
    /// Gives every packet its time on the way; none overtakes another.
    fn every(&mut self, transit: impl Fn(u64, &mut Rng) -> u64) {
        let mut last = 0;
        for (&sent, slot) in self.sent.iter().zip(&mut self.transit) {
            let arrives = (sent + transit(sent, self.rng)).max(last);
            last = arrives;
            *slot = Some(arrives - sent);
        }
    }

    /// The talker's frames come so many millionths later each; negative: earlier.
    fn drift(&mut self, ppm: i64) {
        for sent in &mut self.sent {
            *sent = sent.saturating_add_signed(i64::try_from(*sent).unwrap_or(0) * ppm / 1_000_000);
        }
    }

    /// Every so often nothing arrives for a while, and then all at once.
    fn stalls(&mut self, every: u64, shortest: u64, longest: u64) {
        let mut begins = self.rng.between(every / 2, every);
        while begins < self.sent.last().copied().unwrap_or(0) {
            let ends = begins + self.rng.between(shortest, longest);
            for (&sent, slot) in self.sent.iter().zip(&mut self.transit) {
                if let Some(transit) = slot.as_mut().filter(|transit| (begins..ends).contains(&(sent + **transit))) {
                    *transit = ends - sent;
                }
            }
            begins += self.rng.between(every / 2, every * 3 / 2).max(ends - begins);
        }
    }

    /// Loses packets one by one, so many in a million.
    fn lose(&mut self, ppm: u32) {
        for slot in &mut self.transit {
            if self.rng.chance(ppm) {
                *slot = None;
            }
        }
    }

    /// Loses so many in a million, in bursts of this mean length (Gilbert).
    fn lose_in_bursts(&mut self, ppm: u32, length: u32) {
        let (leave, mut bad) = (1_000_000 / length, false);
        let enter = u32::try_from(u64::from(ppm) * u64::from(leave) / u64::from(1_000_000 - ppm)).unwrap_or(0);
        for slot in &mut self.transit {
            bad = if bad { !self.rng.chance(leave) } else { self.rng.chance(enter) };
            if bad {
                *slot = None;
            }
        }
    }

    /// Up one link of a preset and down another, as the simulator passes packets.
    fn preset(&mut self, preset: &Preset) {
        for link in [preset.up, preset.down] {
            self.link(&link);
        }
    }

    fn link(&mut self, link: &LinkProfile) {
        let (mut last, mut bad) = (0, false);
        for (&sent, slot) in self.sent.iter().zip(&mut self.transit) {
            let Some(transit) = *slot else { continue };
            bad = if bad { !self.rng.chance(link.burst_end_ppm) } else { self.rng.chance(link.burst_begin_ppm) };
            if self.rng.chance(link.loss_ppm) || (bad && self.rng.chance(link.burst_loss_ppm)) {
                *slot = None;
                continue;
            }
            let came = sent + transit + link.delay_us + self.rng.mostly_small(link.jitter_us);
            if self.rng.chance(link.reorder_ppm) {
                *slot = Some(came + self.rng.below((3 * link.jitter_us).max(5_000)) - sent);
            } else {
                last = came.max(last);
                *slot = Some(last - sent);
            }
        }
    }
}

/// An exponential tail of this mean, cut at ten times the mean.
fn tail(rng: &mut Rng, mean_us: u64) -> u64 {
    let uniform = (rng.below(1 << 32) + 1) as f64 / (1_u64 << 32) as f64;
    (-uniform.ln() * mean_us as f64).min(mean_us as f64 * 10.0) as u64
}
