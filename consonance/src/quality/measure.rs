//! Every trace is played by every playout with every track of speech, and measured; a few at a time, each thread with a Python of its own.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use voice_core::playout::PlayoutConfig;

use super::{
    fixed::{fixed, in_hindsight},
    kinds::Kind,
    render::{Heard, Protection, Speech, adaptive},
    scores::{Environment, Scorer, Scores},
    trace::Trace,
    unwarp::unwarp,
};
use crate::fail::Fail;

const FRAME_MS_OF_MADE: u32 = 20;
const RATE: usize = 48_000;
/// Of each track so much is spoken in a made trace, s.
const TRACK_S: usize = 20;

/// How frames are played. One per row of every table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Player {
    /// The product's playout.
    Ours,
    /// A buffer of a fixed delay.
    Fixed { delay_ms: u64, fec: bool },
    /// A buffer with FEC of the smallest fixed delay beyond which a longer one brings nothing.
    Hindsight,
}

impl Player {
    pub(super) const ALL: [Self; 6] = [
        Self::Ours,
        Self::Fixed { delay_ms: 60, fec: false },
        Self::Fixed { delay_ms: 60, fec: true },
        Self::Fixed { delay_ms: 120, fec: false },
        Self::Fixed { delay_ms: 120, fec: true },
        Self::Hindsight,
    ];

    /// A word for tables, JSON and file names.
    pub(super) fn name(self) -> String {
        match self {
            Self::Ours => "ours".into(),
            Self::Fixed { delay_ms, fec } => format!("fixed-{delay_ms}{}", if fec { "-fec" } else { "" }),
            Self::Hindsight => "hindsight".into(),
        }
    }

    fn play(self, playout: PlayoutConfig, trace: &Trace, speech: &Speech) -> Heard {
        match self {
            Self::Ours => adaptive(playout, trace, speech),
            Self::Fixed { delay_ms, fec } => fixed(delay_ms * 1_000, fec, trace, speech),
            Self::Hindsight => fixed(in_hindsight(trace), true, trace, speech),
        }
    }
}

/// Where a trace comes from.
pub(super) enum Network {
    /// Made anew for each track of speech.
    Made(&'static Kind, u64),
    /// The same for all.
    Recorded(Trace),
}

impl Network {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Made(kind, _) => kind.name,
            Self::Recorded(trace) => &trace.name,
        }
    }

    /// How long it is, s, if it was recorded.
    pub(super) fn recorded_s(&self) -> u64 {
        match self {
            Self::Made(..) => 0,
            Self::Recorded(trace) => trace.packets.len() as u64 * trace.frame_us() / 1_000_000,
        }
    }

    /// The trace for a track of so many samples.
    fn trace(&self, track: usize, samples: usize) -> Trace {
        match self {
            Self::Made(kind, seed) => {
                let seed = seed.wrapping_mul(1_000).wrapping_add(track as u64);
                kind.make(seed, FRAME_MS_OF_MADE, samples * 1_000 / RATE / FRAME_MS_OF_MADE as usize)
            }
            Self::Recorded(trace) => trace.clone(),
        }
    }
}

/// How it is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Method {
    pub(super) protection: Protection,
    /// The settings of ours.
    pub(super) playout: PlayoutConfig,
    /// What the codec takes away without any loss counts too.
    pub(super) with_codec: bool,
}

impl Method {
    /// What sound is compared with.
    fn reference(self, speech: &Speech) -> &[i16] {
        if self.with_codec { &speech.original } else { &speech.whole }
    }
}

/// What is measured of one playout of one trace. Shares are of the time spoken or of the packets sent, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Figures {
    pub(super) scores: Scores,
    /// From sending to playing.
    pub(super) delay_ms: f64,
    pub(super) concealed: f64,
    pub(super) recovered: f64,
    pub(super) late: f64,
    pub(super) stretched: f64,
    pub(super) shortened: f64,
    pub(super) longest_gap_ms: f64,
}

/// The first track of a trace, to be seen and heard.
pub(super) struct Example {
    pub(super) trace: Trace,
    /// In the order of [`Player::ALL`]; their sound has been taken.
    pub(super) heard: Vec<Heard>,
    /// WAV files: what was spoken, then what was heard in the same order.
    pub(super) sounds: Vec<Vec<u8>>,
}

/// A trace with all playouts.
pub(super) struct Outcome {
    /// Of the first track.
    pub(super) example: Example,
    /// Medians over the tracks, in the order of [`Player::ALL`].
    pub(super) figures: Vec<Figures>,
    /// Means over the tracks.
    pub(super) transit_ms: f64,
    pub(super) loss: f64,
}

/// One track through one trace.
struct Run {
    figures: Vec<Figures>,
    transit_ms: f64,
    loss: f64,
    example: Option<Example>,
}

/// Cuts the clips to so many tracks of 20 s: each begins with another clip and goes on with those that follow.
pub(super) fn tracks(clips: &[&[i16]], count: usize) -> Vec<Vec<i16>> {
    let track = |track: usize| {
        let first = if clips.len() >= count { track * clips.len() / count } else { track };
        let clips = clips.iter().cycle().skip(first % clips.len());
        clips.flat_map(|clip| clip.iter().copied()).take(TRACK_S * RATE).collect()
    };
    (0..count).map(track).collect()
}

/// Measures everything; without an environment there are no scores. `progress` is told when a trace is done.
pub(super) fn all(
    networks: &[Network],
    tracks: &[Vec<i16>],
    method: Method,
    environment: Option<&Environment>,
    progress: impl Fn(usize, &str) + Sync,
) -> Result<Vec<Outcome>, Fail> {
    let jobs = networks.len() * tracks.len();
    let next = AtomicUsize::new(0);
    let runs: Mutex<Vec<Option<Run>>> = Mutex::new((0..jobs).map(|_| None).collect());
    let work = || -> Result<(), Fail> {
        let mut scorer = environment.map(Scorer::start).transpose()?;
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            if job >= jobs {
                return Ok(());
            }
            let (network, track) = (job / tracks.len(), job % tracks.len());
            let run = run(&networks[network], track, &tracks[track], method, scorer.as_mut())
                .inspect_err(|_| next.store(jobs, Ordering::Relaxed))?;
            let mut runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
            runs[job] = Some(run);
            let of_network = network * tracks.len()..(network + 1) * tracks.len();
            if runs[of_network].iter().all(Option::is_some) {
                progress(
                    runs.chunks(tracks.len()).filter(|runs| runs.iter().all(Option::is_some)).count(),
                    networks[network].name(),
                );
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(jobs);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    let runs = runs.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten();
    let runs: Vec<Run> = runs.collect();
    let mut runs = runs.into_iter();
    Ok(networks.iter().filter_map(|_| outcome(runs.by_ref().take(tracks.len()).collect())).collect())
}

fn run(network: &Network, track: usize, pcm: &[i16], method: Method, scorer: Option<&mut Scorer>) -> Result<Run, Fail> {
    let trace = network.trace(track, pcm.len());
    let speech = Speech::encode(pcm, &trace, method.protection);
    let mut heard: Vec<Heard> = Player::ALL.iter().map(|player| player.play(method.playout, &trace, &speech)).collect();
    let mut figures: Vec<Figures> = heard.iter().map(|heard| figures(heard, &trace)).collect();
    if let Some(scorer) = scorer {
        let scores = score(scorer, &trace, method.reference(&speech), &heard)?;
        figures.iter_mut().zip(scores).for_each(|(figures, scores)| figures.scores = scores);
    }
    let (transit_ms, loss) = (trace.mean_transit_ms(), trace.loss());
    let example = (track == 0).then(|| {
        let mut sounds = vec![wav(&speech.whole)];
        sounds.extend(heard.iter_mut().map(|heard| wav(&core::mem::take(&mut heard.pcm))));
        Example { trace, heard, sounds }
    });
    Ok(Run { figures, transit_ms, loss, example })
}

fn wav(pcm: &[i16]) -> Vec<u8> {
    voice_audio::write_wav(pcm).expect("two minutes fit into a WAV file")
}

/// Scores each playout; where several sound the same, once.
fn score(scorer: &mut Scorer, trace: &Trace, spoken: &[i16], heard: &[Heard]) -> Result<Vec<Scores>, Fail> {
    let frame = trace.frame_us() as usize * RATE / 1_000_000;
    let (mut sounds, mut places) = (Vec::new(), Vec::new());
    for heard in heard {
        let sound = [heard.aligned(spoken.len()), unwarp(&heard.pcm, &heard.places, frame)];
        let same = sounds.iter().position(|other| *other == sound);
        places.push(same.unwrap_or(sounds.len()));
        if same.is_none() {
            sounds.push(sound);
        }
    }
    let scores = scorer.score(spoken, &sounds)?;
    Ok(places.into_iter().filter_map(|place| scores.get(place).copied()).collect())
}

fn figures(heard: &Heard, trace: &Trace) -> Figures {
    let packets = trace.packets.len() as f64;
    let spoken_us = packets * trace.frame_us() as f64;
    Figures {
        scores: Scores::default(),
        delay_ms: heard.mean_delay_ms(),
        concealed: heard.concealed_us() as f64 / spoken_us,
        recovered: f64::from(heard.recovered) / packets,
        late: f64::from(heard.late) / packets,
        stretched: heard.stretched_us as f64 / spoken_us,
        shortened: heard.shortened_us as f64 / spoken_us,
        longest_gap_ms: heard.longest_gap_us() as f64 / 1_000.0,
    }
}

fn outcome(mut runs: Vec<Run>) -> Option<Outcome> {
    let example = runs.first_mut()?.example.take()?;
    let mean = |of: fn(&Run) -> f64| runs.iter().map(of).sum::<f64>() / runs.len() as f64;
    let (transit_ms, loss) = (mean(|run| run.transit_ms), mean(|run| run.loss));
    let figures = (0..Player::ALL.len()).map(|player| medians(&runs, player)).collect();
    Some(Outcome { example, figures, transit_ms, loss })
}

fn medians(runs: &[Run], player: usize) -> Figures {
    let of = |value: fn(&Figures) -> Option<f64>| median(runs.iter().filter_map(|run| value(&run.figures[player])));
    let plain = |value: fn(&Figures) -> Option<f64>| of(value).unwrap_or(0.0);
    Figures {
        scores: Scores { pesq: of(|figures| figures.scores.pesq), stoi: of(|figures| figures.scores.stoi) },
        delay_ms: plain(|figures| Some(figures.delay_ms)),
        concealed: plain(|figures| Some(figures.concealed)),
        recovered: plain(|figures| Some(figures.recovered)),
        late: plain(|figures| Some(figures.late)),
        stretched: plain(|figures| Some(figures.stretched)),
        shortened: plain(|figures| Some(figures.shortened)),
        longest_gap_ms: plain(|figures| Some(figures.longest_gap_ms)),
    }
}

/// The middle one, or the mean of the two in the middle.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { (values[middle - 1] + upper) / 2.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([].into_iter()), None);
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 100.0].into_iter()), Some(3.0));
    }

    #[test]
    fn tracks_last_20_s_and_begin_with_different_clips() {
        let clips: Vec<Vec<i16>> = (0..8).map(|clip| vec![clip; 5 * RATE]).collect();
        let clips: Vec<&[i16]> = clips.iter().map(Vec::as_slice).collect();
        let four = tracks(&clips, 4);
        assert_eq!(four.iter().map(|track| track[0]).collect::<Vec<_>>(), [0, 2, 4, 6]);
        assert_eq!(four[3][10 * RATE], 0, "after the last clip comes the first");
        assert!(tracks(&clips[..1], 3).iter().all(|track| track.len() == TRACK_S * RATE));
    }
}
