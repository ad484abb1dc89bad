//! What a listener hears of a trace by the product's own playout, and what is noted about it.

use core::time::Duration;

use voice_audio::{EncoderConfig, MAX_FRAME_BYTES, OpusDecoder, OpusEncoder, Recovery, listen::RemoteVoice};
use voice_core::{
    EncoderAdvice, Instant,
    playout::{Incoming, Playout, PlayoutConfig, Pulled, Sound, SpeakerStats, playout_bytes},
};

use super::trace::Trace;

/// The loudspeaker takes this many samples at a time: 10 ms.
const BLOCK: usize = 480;
const BLOCK_US: u64 = 10_000;
/// Bytes of a packet's number in front of its payload, by which it is known again: packets of silence are all alike.
const NUMBER: usize = 4;
/// Frames that may wait.
const FRAMES: usize = 32;
/// What still comes so long after the last packet was sent is heard, µs.
const AFTERMATH_US: u64 = 1_000_000;
/// FEC is always made for at least this loss, as talkers don't know beforehand.
const LEAST_EXPECTED_LOSS_PERCENT: u8 = 10;
/// How far back DRED may reach, ms.
const DRED_MS: u16 = 200;

/// What packets carry against loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redundancy {
    /// In-band FEC: a copy of the frame before.
    Fec,
    /// A picture of the past, where the linked libopus has it.
    Dred,
}

/// How speech is encoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Protection {
    /// kbit/s.
    pub(super) kbit: u16,
    pub(super) redundancy: Redundancy,
}

impl Protection {
    /// What a talker sets who knows the trace's loss.
    fn config(self, trace: &Trace) -> EncoderConfig {
        let advice = EncoderAdvice {
            bitrate: u32::from(self.kbit) * 1_000,
            expected_loss_percent: trace.loss_percent().max(LEAST_EXPECTED_LOSS_PERCENT),
            fec: true,
            frame_length: voice_core::FrameLength::from_ms(trace.frame_ms as u8)
                .expect("a trace has one of the lengths"),
            dred_ms: if self.redundancy == Redundancy::Dred { DRED_MS } else { 0 },
        };
        EncoderConfig { complexity: 10, ..EncoderConfig::default() }.advised(&advice)
    }

    /// As it is without any option.
    #[cfg(test)]
    pub(super) const USUAL: Self = Self { kbit: 24, redundancy: Redundancy::Fec };
}

impl Redundancy {
    /// A few words for the reader of a table.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Fec => "in-band FEC",
            Self::Dred => "DRED",
        }
    }
}

/// A talker's frames, and what they sound like when none is lost.
pub(super) struct Speech {
    pub(super) packets: Vec<Vec<u8>>,
    /// 48 kHz mono.
    pub(super) whole: Vec<i16>,
    /// What was encoded, as late as it comes out of a decoder.
    pub(super) original: Vec<i16>,
}

/// One point of a curve of delays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// When it was heard, µs.
    pub(super) at_us: u64,
    /// From sending to hearing, µs.
    pub(super) delay_us: u64,
}

/// Sound that came from no packet of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hole {
    pub(super) at_us: u64,
    pub(super) length_us: u64,
    /// Filled from the copy in a later packet; otherwise concealed or silent.
    pub(super) recovered: bool,
}

/// What was heard, and how it came about.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// 48 kHz mono, from time 0 of the trace on.
    pub(super) pcm: Vec<i16>,
    /// For each frame the sample of `pcm` with which it begins, if it was played or recovered.
    pub(super) places: Vec<Option<usize>>,
    /// Delays of the frames played.
    pub(super) curve: Vec<Point>,
    /// What the adaptive playout aimed at, at the same times.
    pub(super) targets: Vec<Point>,
    pub(super) holes: Vec<Hole>,
    pub(super) recovered: u32,
    pub(super) late: u32,
    pub(super) stretched_us: u64,
    pub(super) shortened_us: u64,
}

impl Speech {
    /// Encodes a track in the trace's frames, with redundancy for the trace's loss; a track too short begins anew.
    pub(super) fn encode(track: &[i16], trace: &Trace, protection: Protection) -> Self {
        let config = protection.config(trace);
        let mut encoder = OpusEncoder::new(config).expect("settings within their ranges");
        let mut decoder = OpusDecoder::new().expect("memory for a decoder");
        let (mut packets, mut whole, mut original) = (Vec::new(), Vec::new(), vec![0; encoder.lookahead()]);
        let mut bytes = [0; MAX_FRAME_BYTES];
        let samples_each = config.frame_samples();
        let mut samples = track.iter().copied().cycle();
        for _ in &trace.packets {
            let mut frame: Vec<i16> = samples.by_ref().take(samples_each).collect();
            original.extend(&frame);
            let len = encoder.encode(&frame, &mut bytes).expect("a whole frame");
            packets.push(bytes[..len].to_vec());
            decoder.decode(&bytes[..len], &mut frame).expect("what was encoded just now");
            whole.extend(frame);
        }
        original.truncate(whole.len());
        Self { packets, whole, original }
    }
}

impl Heard {
    pub(super) fn mean_delay_ms(&self) -> f64 {
        let sum: u64 = self.curve.iter().map(|point| point.delay_us).sum();
        sum as f64 / self.curve.len().max(1) as f64 / 1_000.0
    }

    /// The sound from which the mean delay has been taken, as long as what was spoken.
    pub(super) fn aligned(&self, samples: usize) -> Vec<i16> {
        let lead = (self.mean_delay_ms() * 48.0).round() as usize;
        self.pcm.iter().copied().skip(lead).chain(core::iter::repeat(0)).take(samples).collect()
    }

    pub(super) fn concealed_us(&self) -> u64 {
        self.holes.iter().filter(|hole| !hole.recovered).map(|hole| hole.length_us).sum()
    }

    /// The longest time in one piece without anything from a packet, µs.
    pub(super) fn longest_gap_us(&self) -> u64 {
        let (mut longest, mut length, mut end) = (0, 0, 0);
        for hole in self.holes.iter().filter(|hole| !hole.recovered) {
            // Times are rounded to samples: a microsecond more or less is no sound between.
            length = if hole.at_us <= end + 50 { length + hole.length_us } else { hole.length_us };
            end = hole.at_us + hole.length_us;
            longest = length.max(longest);
        }
        longest
    }

    /// Forgets the silence around everything: it is no hole.
    pub(super) fn trim(&mut self) {
        let [first, last] = [self.curve.first(), self.curve.last()].map(|point| point.map_or(0, |point| point.at_us));
        self.holes.retain(|hole| (first..=last).contains(&hole.at_us));
    }
}

/// Plays a trace by the product's own playout.
pub(super) fn adaptive(config: PlayoutConfig, trace: &Trace, speech: &Speech) -> Heard {
    let config = PlayoutConfig { frame_bytes: (NUMBER + MAX_FRAME_BYTES) as u16, ..config };
    let mut playout = Playout::NEW;
    let frame_length = voice_core::FrameLength::from_ms(trace.frame_ms as u8).expect("a trace has one of the lengths");
    let mut memory = vec![0; playout_bytes(config.frame_bytes.into(), FRAMES)];
    let mut voice = RemoteVoice::new().expect("memory for a decoder");
    let mut arrivals = arrivals(trace).into_iter().peekable();
    let mut heard = Heard { places: vec![None; trace.packets.len()], ..Heard::default() };
    let mut block = [0; BLOCK];
    let end = trace.packets.last().map_or(0, |packet| packet.sent_us) + AFTERMATH_US;
    for now in (0..end).step_by(BLOCK_US as usize) {
        while let Some((at, n)) = arrivals.next_if(|(at, _)| *at <= now) {
            let payload = [&(n as u32).to_be_bytes(), &speech.packets[n][..]].concat();
            let incoming = Incoming {
                sequence: n as u16,
                media_time: n as u8,
                frame_length,
                mark: n == 0,
                end: n + 1 == trace.packets.len(),
                payload: &payload,
            };
            let config = config.reaching(Some(voice.redundancy()));
            playout.insert(Instant::from_us(at), &config, &mut memory, &incoming);
        }
        while voice.queued() < BLOCK {
            let queued = Duration::from_micros(voice.queued_us().into());
            let place = heard.pcm.len() + voice.queued();
            // As a client does that is told what the listener finds.
            let config = config.reaching(Some(voice.redundancy()));
            let pulled = playout.next_frame(Instant::from_us(now), queued, &config, &memory);
            let filled = voice.push(without_number(pulled.sound), pulled.length_us, pulled.pace);
            let recovered = filled.is_some_and(|filled| filled != Recovery::Concealed);
            note(&mut heard, &pulled, place, trace, &playout.stats(), recovered);
        }
        voice.read(&mut block);
        heard.pcm.extend(block);
    }
    heard.late = playout.stats().late;
    heard.stretched_us = voice.stretched() * 1_000 / 48;
    heard.shortened_us = voice.shortened() * 1_000 / 48;
    heard.trim();
    heard
}

/// Arrivals and the numbers of their packets, in the order of time.
fn arrivals(trace: &Trace) -> Vec<(u64, usize)> {
    let arrivals = trace.packets.iter().enumerate().filter_map(|(n, packet)| Some((packet.arrived_us?, n)));
    let mut arrivals: Vec<(u64, usize)> = arrivals.collect();
    arrivals.sort_unstable();
    arrivals
}

/// Writes down what will be heard from this sample on.
fn note(heard: &mut Heard, pulled: &Pulled<'_>, place: usize, trace: &Trace, stats: &SpeakerStats, recovered: bool) {
    let at_us = place as u64 * 1_000 / 48;
    let mut hole = |recovered| heard.holes.push(Hole { at_us, length_us: pulled.length_us.into(), recovered });
    match pulled.sound {
        Sound::Play(packet) => {
            let n = number(packet);
            let delay_us = at_us.saturating_sub(trace.packets[n].sent_us);
            heard.places[n] = Some(place);
            heard.curve.push(Point { at_us, delay_us });
            // Both are counted from the shortest way: what counts is how far they are apart.
            let target_us = (delay_us + u64::from(stats.target_us)).saturating_sub(stats.delay_us.into());
            heard.targets.push(Point { at_us, delay_us: target_us });
        }
        Sound::Recover { packet, back } if recovered => {
            hole(true);
            heard.recovered += 1;
            if let Some(n) = number(packet).checked_sub(back.into()) {
                heard.places[n] = Some(place);
            }
        }
        _ => hole(false),
    }
}

/// The sound as the decoder takes it.
fn without_number(sound: Sound<'_>) -> Sound<'_> {
    match sound {
        Sound::Play(packet) => Sound::Play(&packet[NUMBER..]),
        Sound::Recover { packet, back } => Sound::Recover { packet: &packet[NUMBER..], back },
        other => other,
    }
}

fn number(packet: &[u8]) -> usize {
    packet.first_chunk().map_or(0, |number| u32::from_be_bytes(*number) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hole(at_ms: u64, length_ms: u64, recovered: bool) -> Hole {
        Hole { at_us: at_ms * 1_000, length_us: length_ms * 1_000, recovered }
    }

    #[test]
    fn holes_side_by_side_are_one_gap() {
        let holes = vec![hole(0, 30, false), hole(100, 20, false), hole(120, 20, false), hole(140, 20, true)];
        let heard = Heard { holes, ..Heard::default() };
        assert_eq!(heard.longest_gap_us(), 40_000);
        assert_eq!(heard.concealed_us(), 70_000);
    }

    #[test]
    fn silence_before_the_first_frame_and_after_the_last_is_no_hole() {
        let curve = [50_000, 90_000].map(|at_us| Point { at_us, delay_us: 0 }).to_vec();
        let holes = vec![hole(0, 50, false), hole(70, 20, false), hole(110, 900, false)];
        let mut heard = Heard { curve, holes, ..Heard::default() };
        heard.trim();
        assert_eq!(heard.holes, [hole(70, 20, false)]);
    }

    #[test]
    fn on_a_clean_network_every_frame_is_played_in_its_place() {
        let trace = super::super::kinds::KINDS[0].make(1, 20, 100);
        let track: Vec<i16> = (0..48_000).map(|n| (n % 200 * 60 - 6_000) as i16).collect();
        let speech = Speech::encode(&track, &trace, Protection::USUAL);
        let heard = adaptive(PlayoutConfig::DEFAULT, &trace, &speech);
        assert!(heard.places.iter().all(Option::is_some));
        assert_eq!((heard.holes.len(), heard.late, heard.recovered), (0, 0, 0));
        assert!(heard.mean_delay_ms() < 100.0, "{}", heard.mean_delay_ms());
    }
}
