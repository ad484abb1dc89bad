//! What a listener hears of a trace: by the product's own playout, or by a buffer of a fixed delay.

use core::time::Duration;

use voice_audio::{
    EncoderConfig, FrameLength, MAX_FRAME_BYTES, OpusDecoder, OpusEncoder,
    listen::{self, RemoteVoice},
};
use voice_core::{
    Instant,
    playout::{Incoming, Pace, Playout, PlayoutConfig, Sound, playout_bytes},
};

use super::trace::Trace;

/// The loudspeaker takes this many samples at a time: 10 ms.
const BLOCK: usize = 480;
const BLOCK_US: u64 = 10_000;
/// Bytes of a packet's number in front of its payload.
const NUMBER: usize = 4;
/// Frames that may wait.
const FRAMES: usize = 32;

/// A talker's frames, and what they sound like when none is lost.
pub(super) struct Speech {
    pub(super) packets: Vec<Vec<u8>>,
    pub(super) whole: Vec<i16>,
}

/// How frames are played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Player {
    /// The product's playout.
    Adaptive(PlayoutConfig),
    /// So long after the first packet came, µs, whether lost frames are recovered from in-band FEC.
    Fixed { delay_us: u64, fec: bool },
}

/// One point of a delay curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// When it was heard, µs.
    pub(super) at_us: u64,
    /// From sending to hearing, µs.
    pub(super) delay_us: u64,
}

/// What was heard, and how it came about.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// 48 kHz mono, from time 0 of the trace on.
    pub(super) pcm: Vec<i16>,
    pub(super) curve: Vec<Point>,
    /// Targets of the adaptive playout over time.
    pub(super) targets: Vec<Point>,
    pub(super) played: u32,
    pub(super) recovered: u32,
    pub(super) late: u32,
    pub(super) concealed_us: u64,
    pub(super) stretched_us: u64,
    pub(super) shortened_us: u64,
    /// The longest time without sound from a packet while there was speech, µs.
    pub(super) longest_gap_us: u64,
}

impl Heard {
    pub(super) fn mean_delay_ms(&self) -> f64 {
        let sum: u64 = self.curve.iter().map(|point| point.delay_us).sum();
        sum as f64 / self.curve.len().max(1) as f64 / 1_000.0
    }
}

impl Speech {
    /// Encodes speech in frames as long as the trace's.
    pub(super) fn encode(pcm: &[i16], frame_length: FrameLength, expected_loss_percent: u8) -> Self {
        let config = EncoderConfig { frame_length, expected_loss_percent, ..EncoderConfig::default() };
        let mut encoder = OpusEncoder::new(config).expect("settings within their ranges");
        let mut decoder = OpusDecoder::new().expect("memory for a decoder");
        let (mut packets, mut whole) = (Vec::new(), Vec::new());
        let mut bytes = [0; MAX_FRAME_BYTES];
        for frame in pcm.chunks_exact(frame_length.samples()) {
            let len = encoder.encode(frame, &mut bytes).expect("a whole frame");
            packets.push(bytes[..len].to_vec());
            let mut decoded = vec![0; frame.len()];
            decoder.decode(&bytes[..len], &mut decoded).expect("what was encoded just now");
            whole.extend(decoded);
        }
        Self { packets, whole }
    }
}

/// Plays a trace.
pub(super) fn play(player: Player, trace: &Trace, speech: &Speech) -> Heard {
    match player {
        Player::Adaptive(config) => adaptive(config, trace, speech),
        Player::Fixed { delay_us, fec } => fixed(delay_us, fec, trace, speech),
    }
}

fn adaptive(config: PlayoutConfig, trace: &Trace, speech: &Speech) -> Heard {
    let mut playout = Playout::NEW;
    let frame_length = voice_core::FrameLength::from_ms(trace.frame_ms as u8).expect("a frame length of the protocol");
    let mut memory = vec![0; playout_bytes(config.frame_bytes.into(), FRAMES)];
    let mut voice = RemoteVoice::new().expect("memory for a decoder");
    let mut arrivals: Vec<(u64, usize)> =
        trace.packets.iter().enumerate().filter_map(|(n, packet)| Some((packet.arrived_us?, n))).collect();
    arrivals.sort_unstable();
    let mut arrivals = arrivals.into_iter().peekable();
    let (mut heard, mut block) = (Heard::default(), [0; BLOCK]);
    let end = trace.packets.last().map_or(0, |packet| packet.sent_us) + 1_000_000;
    for now in (0..end).step_by(BLOCK_US as usize) {
        while let Some((at, n)) = arrivals.next_if(|(at, _)| *at <= now) {
            // Each with its number in front, by which it is known again: packets of silence are all alike.
            let payload = [&(n as u32).to_be_bytes(), &speech.packets[n][..]].concat();
            let incoming = Incoming {
                sequence: n as u16,
                media_time: n as u8,
                frame_length,
                mark: n == 0,
                end: n + 1 == trace.packets.len(),
                payload: &payload,
            };
            playout.insert(Instant::from_us(at), &config, &mut memory, &incoming);
        }
        while voice.queued() < BLOCK {
            let at = now + u64::from(voice.queued_us());
            let pulled = playout.next_frame(
                Instant::from_us(now),
                Duration::from_micros(voice.queued_us().into()),
                &config,
                &memory,
            );
            let sound = match pulled.sound {
                Sound::Play(packet) => listen::Sound::Play(&packet[NUMBER..]),
                Sound::Recover { packet, back } => listen::Sound::Recover { packet: &packet[NUMBER..], back },
                Sound::Silence => listen::Sound::Silence,
                _ => listen::Sound::Conceal,
            };
            if let Sound::Play(packet) = pulled.sound {
                let sent = trace.packets[number(packet)].sent_us;
                heard.curve.push(Point { at_us: at, delay_us: at.saturating_sub(sent) });
                heard.targets.push(Point { at_us: at, delay_us: playout.stats().target_us.into() });
            }
            let pace = match pulled.pace {
                Pace::Steady => listen::Pace::Steady,
                Pace::Stretch(us) => listen::Pace::Stretch(us),
                Pace::Shorten(us) => listen::Pace::Shorten(us),
            };
            voice.push(sound, pulled.length_us, pace);
        }
        voice.read(&mut block);
        heard.pcm.extend(block);
    }
    let stats = playout.stats();
    heard.played = stats.played;
    heard.recovered = stats.recovered;
    heard.late = stats.late;
    heard.concealed_us = u64::from(stats.concealed_ms) * 1_000;
    heard.stretched_us = voice.stretched() * 1_000 / 48;
    heard.shortened_us = voice.shortened() * 1_000 / 48;
    heard
}

fn number(packet: &[u8]) -> usize {
    packet.first_chunk().map_or(0, |number| u32::from_be_bytes(*number) as usize)
}

/// The classic: every frame has its time, fixed by the first packet; what isn't there then is recovered or concealed.
fn fixed(delay_us: u64, fec: bool, trace: &Trace, speech: &Speech) -> Heard {
    let frame_us = u64::from(trace.frame_ms) * 1_000;
    let mut heard = Heard::default();
    let Some(first) = trace.packets.iter().position(|packet| packet.arrived_us.is_some()) else { return heard };
    let origin = trace.packets[first].arrived_us.unwrap_or(0) + delay_us - first as u64 * frame_us;
    let mut decoder = OpusDecoder::new().expect("memory for a decoder");
    heard.pcm.resize(usize::try_from(origin * 48 / 1_000).unwrap_or(0), 0);
    let mut frame = vec![0; frame_us as usize * 48 / 1_000];
    for (n, packet) in trace.packets.iter().enumerate() {
        let at = origin + n as u64 * frame_us;
        let in_time =
            |n: usize| trace.packets.get(n).and_then(|packet| packet.arrived_us).is_some_and(|arrived| arrived <= at);
        if in_time(n) {
            decoder.decode(&speech.packets[n], &mut frame).expect("what was encoded");
            heard.played += 1;
            heard.curve.push(Point { at_us: at, delay_us: at.saturating_sub(packet.sent_us) });
        } else if fec && in_time(n + 1) {
            decoder.decode_fec(&speech.packets[n + 1], &mut frame).expect("what was encoded");
            heard.recovered += 1;
        } else {
            decoder.conceal(&mut frame).expect("a whole frame");
            heard.concealed_us += frame_us;
        }
        heard.late += u32::from(packet.arrived_us.is_some() && !in_time(n));
        heard.pcm.extend(&frame);
    }
    heard
}
