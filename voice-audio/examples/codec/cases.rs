//! The ways to fill gaps that are compared.

use std::{fs, path::Path};

use voice_audio::{
    EncoderConfig, MAX_FRAME_BYTES, OpusDecoder, OpusEncoder, Quality, Recovery, codec_version, write_wav,
};

use crate::{
    Outcome,
    loss::{Loss, PATTERNS},
    read,
};

/// What needs libopus 1.6 is left out with 1.3.
const DEEP: bool = cfg!(feature = "opus16");

/// How speech is sent, and how its gaps are filled.
struct Case {
    name: &'static str,
    bitrate: u32,
    fec: bool,
    dred_ms: u16,
    /// The decoder's complexity.
    deep: bool,
    /// How many frames later a packet may come and still help: the delay that it costs.
    wait: usize,
    /// The encoder is told of at least this loss, in percent.
    told: u8,
}

const PLC: Case = Case { name: "PLC", bitrate: 24_000, fec: false, dred_ms: 0, deep: false, wait: 0, told: 0 };
const DRED: Case = Case { name: "DRED, waits 5", dred_ms: 200, wait: 5, deep: true, ..PLC };
const BOTH: Case = Case { name: "48 kbit/s: FEC and DRED, waits 5", bitrate: 48_000, fec: true, ..DRED };

const CASES: [Case; 18] = [
    PLC,
    Case { name: "deep PLC", deep: true, ..PLC },
    Case { name: "FEC", fec: true, wait: 1, ..PLC },
    Case { name: "FEC, deep PLC", fec: true, wait: 1, deep: true, ..PLC },
    Case { name: "DRED, waits 1 frame", wait: 1, ..DRED },
    Case { name: "DRED, waits 3", wait: 3, ..DRED },
    DRED,
    Case { name: "DRED for 20 %, waits 5", told: 20, ..DRED },
    Case { name: "DRED for 30 %, waits 5", told: 30, ..DRED },
    Case { name: "32 kbit/s: FEC, deep PLC", bitrate: 32_000, fec: true, wait: 1, deep: true, ..PLC },
    Case { name: "32 kbit/s: DRED, waits 5", bitrate: 32_000, ..DRED },
    Case { name: "32 kbit/s: DRED for 20 %, waits 5", bitrate: 32_000, told: 20, ..DRED },
    Case { name: "40 kbit/s: FEC, deep PLC", bitrate: 40_000, fec: true, wait: 1, deep: true, ..PLC },
    Case { name: "40 kbit/s: FEC and DRED for 20 %, waits 5", bitrate: 40_000, told: 20, ..BOTH },
    Case { name: "48 kbit/s: FEC", bitrate: 48_000, fec: true, wait: 1, ..PLC },
    Case { name: "48 kbit/s: FEC, deep PLC", bitrate: 48_000, fec: true, wait: 1, deep: true, ..PLC },
    BOTH,
    Case { name: "48 kbit/s: FEC and DRED for 20 %, waits 5", told: 20, ..BOTH },
];

/// Frames of the speech, and how many went how.
struct Heard {
    pcm: Vec<i16>,
    fec: usize,
    dred: usize,
    concealed: usize,
}

/// Writes `OUT/CLIP/reference.wav` and `OUT/CLIP/NUMBER.wav`, aligned with it, and prints the list of them.
pub(crate) fn measure(out: &Path, speech: &[&str]) -> Outcome {
    for (number, file) in (1..).zip(speech) {
        let pcm = read(file)?;
        let folder = out.join(number.to_string());
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        save(&folder.join("reference.wav"), &pcm)?;
        for (case, row) in CASES.iter().zip(0..).filter(|(case, _)| DEEP || !case.deep) {
            for (loss, column) in PATTERNS.into_iter().zip(0..) {
                let path = folder.join(format!("{row}-{column}.wav"));
                one(case, loss, &pcm, number, &path)?;
            }
        }
    }
    Ok(())
}

fn one(case: &Case, loss: Loss, pcm: &[i16], seed: u64, path: &Path) -> Outcome {
    let (frames, delay) = encode(case, loss, pcm)?;
    let lost = loss.lost(frames.len(), seed);
    let heard = decode(case, &frames, &lost)?;
    save(path, &heard.pcm[delay..])?;
    let bytes: usize = frames.iter().map(Vec::len).sum();
    let rate = bytes as f64 * 0.4 / frames.len() as f64;
    let gone = lost.iter().filter(|lost| **lost).count();
    println!(
        "{}\t{}\t{}\t{}\t{rate:.1}\t{}\t{gone}\t{}\t{}\t{}",
        codec_version(),
        case.name,
        loss.name,
        path.display(),
        frames.len(),
        heard.fec,
        heard.dred,
        heard.concealed
    );
    Ok(())
}

/// Encodes with the loss known, as a listener would have reported it.
fn encode(case: &Case, loss: Loss, pcm: &[i16]) -> Result<(Vec<Vec<u8>>, usize), String> {
    let config = EncoderConfig {
        bitrate: case.bitrate,
        fec: case.fec,
        dred_ms: case.dred_ms,
        expected_loss_percent: loss.percent.max(case.told),
        ..EncoderConfig::of(Quality::High)
    };
    let mut encoder = OpusEncoder::new(config).map_err(|error| error.to_string())?;
    let mut payload = [0; MAX_FRAME_BYTES];
    let frames = pcm.chunks_exact(config.frame_samples()).map(|frame| {
        let len = encoder.encode(frame, &mut payload).map_err(|error| error.to_string())?;
        Ok(payload[..len].to_vec())
    });
    let frames = frames.collect::<Result<_, String>>()?;
    Ok((frames, encoder.lookahead()))
}

fn decode(case: &Case, frames: &[Vec<u8>], lost: &[bool]) -> Result<Heard, String> {
    let mut decoder = OpusDecoder::new().map_err(|error| error.to_string())?;
    decoder.set_complexity(if case.deep { 5 } else { 0 }).map_err(|error| error.to_string())?;
    let mut heard = Heard { pcm: vec![0; frames.len() * 960], fec: 0, dred: 0, concealed: 0 };
    for (at, out) in heard.pcm.chunks_exact_mut(960).enumerate() {
        let next = (1..=case.wait).find(|back| lost.get(at + back) == Some(&false));
        let filled = match next {
            _ if !lost[at] => {
                decoder.decode(&frames[at], out).map_err(|error| error.to_string())?;
                continue;
            }
            Some(back) => {
                let back_frames = u8::try_from(back).map_err(|error| error.to_string())?;
                decoder.recover(&frames[at + back], back_frames, out).map_err(|error| error.to_string())?
            }
            None => decoder.conceal(out).map(|()| Recovery::Concealed).map_err(|error| error.to_string())?,
        };
        match filled {
            Recovery::Fec => heard.fec += 1,
            Recovery::Dred => heard.dred += 1,
            Recovery::Concealed => heard.concealed += 1,
        }
    }
    Ok(heard)
}

fn save(path: &Path, pcm: &[i16]) -> Outcome {
    let bytes = write_wav(pcm).map_err(|error| error.to_string())?;
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}
