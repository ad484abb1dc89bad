//! One remote voice: decoded, concealed, stretched and shortened as its playout says, and kept until it is heard.

use voice_core::{Pace, Sound};

use super::{buffer::Buffer, reach::Reach, stretch};
use crate::{MAX_PACKET_SAMPLES, OpusDecoder, Recovery, SAMPLE_RATE, SetupError};

/// Sound that may wait: 200 ms, more than the longest packet and its stretching.
const CAPACITY: usize = 9_600;
/// Samples over which sound fades into silence and back: 2.5 ms.
const FADE: usize = 120;

/// From this much silence on it is a pause between words, and not one of a consonant: 120 ms.
const PAUSE: usize = 5_760;

/// A voice that is heard: mono, 48 kHz.
#[derive(Debug)]
pub struct RemoteVoice {
    decoder: OpusDecoder,
    buffer: Buffer,
    /// Whether the newest sound is silence.
    silent: bool,
    /// Mean square of its loudest frames lately.
    level: f64,
    /// Samples that it has been silent for, as far as it is speech.
    quiet_for: usize,
    /// Samples in a row of which the playout has asked that they be shorter.
    asked: usize,
    reach: Reach,
    stretched: u64,
    shortened: u64,
    errors: u64,
    /// Frames recovered by in-band FEC and by DRED.
    recovered: [u64; 2],
}

impl RemoteVoice {
    /// A voice of which nothing was heard. All its memory is taken here.
    pub fn new() -> Result<Self, SetupError> {
        Ok(Self {
            decoder: OpusDecoder::new()?,
            buffer: Buffer::new(CAPACITY),
            silent: true,
            level: 0.0,
            quiet_for: 0,
            asked: 0,
            reach: Reach::NEW,
            stretched: 0,
            shortened: 0,
            errors: 0,
            recovered: [0; 2],
        })
    }

    /// Forgets all that was heard and waits, for another speaker. Counts go on.
    pub fn reset(&mut self) {
        self.decoder.reset();
        self.buffer.clear();
        self.silent = true;
        (self.level, self.quiet_for, self.asked) = (0.0, 0, 0);
        self.reach = Reach::NEW;
    }

    /// Samples that wait to be heard. As long as they are fewer than the next [`read`](Self::read) needs, more is to be pushed.
    pub fn queued(&self) -> usize {
        self.buffer.waiting()
    }

    /// The same in microseconds: what the playout wants to know.
    pub fn queued_us(&self) -> u32 {
        u32::try_from(self.queued() as u64 * 1_000_000 / u64::from(SAMPLE_RATE)).unwrap_or(u32::MAX)
    }

    /// Samples by which sound has been made longer.
    pub fn stretched(&self) -> u64 {
        self.stretched
    }

    /// Samples by which sound has been made shorter.
    pub fn shortened(&self) -> u64 {
        self.shortened
    }

    /// Packets that were no Opus; each was concealed.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// Lost frames that were filled by in-band FEC or DRED; 0 for [`Recovery::Concealed`], which is the playout's to count.
    pub fn recovered(&self, by: Recovery) -> u64 {
        match by {
            Recovery::Fec => self.recovered[0],
            Recovery::Dred => self.recovered[1],
            Recovery::Concealed => 0,
        }
    }

    /// How many lost frames before it a packet of this speaker brings back, as packets of the last second have it: 1 for in-band FEC and
    /// for packets without any redundancy, more with DRED. For `Client::set_speaker_redundancy`.
    pub fn redundancy(&self) -> u8 {
        self.reach.frames()
    }

    /// Takes what is to be heard next. `length_us` is how much sound is missing or silent: 2.5 to 120 ms; for a packet, its own length counts.
    /// Returns what a lost frame was filled with; `None` for a packet that was played and for silence.
    pub fn push(&mut self, sound: Sound<'_>, length_us: u32, pace: Pace) -> Option<Recovery> {
        // A decoder conceals whole steps of 2.5 ms.
        let samples = samples_of(length_us).next_multiple_of(FADE);
        let filled = match sound {
            Sound::Play(packet) => self.play(packet, samples),
            Sound::Recover { packet, back } => Some(self.recover(packet, back, samples)),
            Sound::Silence => {
                self.be_silent(samples);
                return None;
            }
            _ => Some(self.conceal(samples)),
        };
        self.silent = false;
        let quiet = self.follow_level(samples);
        self.asked = if matches!(pace, Pace::Shorten(_)) { self.asked + samples } else { 0 };
        let asked = self.asked;
        match pace {
            Pace::Steady => {}
            Pace::Stretch(us) => self.stretched += self.splice(stretch::stretch, samples_of(us), quiet),
            Pace::Shorten(us) => {
                let shorten = |buffer: &mut Buffer, most, quiet| stretch::shorten(buffer, most, asked, quiet);
                self.shortened += self.splice(shorten, samples_of(us), quiet);
            }
        }
        filled
    }

    /// Moves sound out to be heard; what hasn't been pushed is silent. Returns how many samples there were.
    pub fn read(&mut self, out: &mut [i16]) -> usize {
        self.buffer.read(out)
    }

    /// Follows how loud the voice is when it is loud. In a pause, says below which mean square sound counts as silence; otherwise 0.
    fn follow_level(&mut self, samples: usize) -> f64 {
        let newest = self.buffer.tail(samples);
        let energy: i64 = newest.iter().map(|&sample| i64::from(sample) * i64::from(sample)).sum();
        let mean = energy as f64 / newest.len().max(1) as f64;
        self.level = mean.max(self.level * 0.998);
        let quiet = (self.level / 1_000.0).max(1_000.0);
        self.quiet_for = if mean < quiet { self.quiet_for + samples } else { 0 };
        if self.quiet_for >= PAUSE { quiet } else { 0.0 }
    }

    /// Splices once, or in a pause as often as there is something to be made up.
    fn splice(&mut self, splice: impl Fn(&mut Buffer, usize, f64) -> usize, most: usize, quiet: f64) -> u64 {
        let mut left = most;
        loop {
            let done = splice(&mut self.buffer, left, quiet);
            left -= done;
            if done == 0 || quiet == 0.0 {
                return (most - left) as u64;
            }
        }
    }

    fn play(&mut self, packet: &[u8], samples: usize) -> Option<Recovery> {
        let (decoder, fade_in) = (&mut self.decoder, self.silent);
        self.reach.follow(|| decoder.redundancy(packet));
        let mut decoded = Ok(0);
        self.buffer.append(MAX_PACKET_SAMPLES, |out| {
            decoded = decoder.decode(packet, out);
            let count = decoded.unwrap_or(0);
            if fade_in {
                fade(&mut out[..count.min(FADE)], false);
            }
            count
        });
        decoded.is_err().then(|| self.conceal_bad(samples))
    }

    fn recover(&mut self, packet: &[u8], back: u8, samples: usize) -> Recovery {
        let decoder = &mut self.decoder;
        let mut recovered = Ok(Recovery::Concealed);
        self.buffer.append(samples, |out| {
            recovered = decoder.recover(packet, back, out);
            if recovered.is_ok() { out.len() } else { 0 }
        });
        let Ok(filled) = recovered else { return self.conceal_bad(samples) };
        match filled {
            Recovery::Fec => self.recovered[0] += 1,
            Recovery::Dred => self.recovered[1] += 1,
            Recovery::Concealed => {}
        }
        filled
    }

    fn conceal_bad(&mut self, samples: usize) -> Recovery {
        self.errors += 1;
        self.conceal(samples)
    }

    fn conceal(&mut self, samples: usize) -> Recovery {
        let decoder = &mut self.decoder;
        self.buffer.append(samples, |out| {
            if decoder.conceal(out).is_err() {
                out.fill(0);
            }
            out.len()
        });
        Recovery::Concealed
    }

    fn be_silent(&mut self, samples: usize) {
        let mut left = samples;
        if !self.silent {
            self.silent = true;
            self.conceal(FADE);
            fade(self.buffer.tail(FADE), true);
            left = left.saturating_sub(FADE);
        }
        self.buffer.append(left, |out| {
            out.fill(0);
            out.len()
        });
    }
}

/// From full to nothing, or from nothing to full.
fn fade(samples: &mut [i16], out: bool) {
    let len = samples.len() as i32;
    for (i, sample) in samples.iter_mut().enumerate() {
        let level = if out { len - i as i32 } else { i as i32 };
        *sample = (i32::from(*sample) * level / len) as i16;
    }
}

/// At most 120 ms.
fn samples_of(us: u32) -> usize {
    us.min(120_000) as usize * (SAMPLE_RATE as usize / 1_000) / 1_000
}
