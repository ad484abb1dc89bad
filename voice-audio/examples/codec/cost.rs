//! One thing done often, in a function that `callgrind --toggle-collect` knows by name.

use std::hint::black_box;

use voice_audio::{EncoderConfig, MAX_FRAME_BYTES, OpusDecoder, OpusEncoder, Quality};

use crate::Outcome;

const FRAMES: usize = 250;
const BURST: u8 = 5;

/// Does what `WHAT` says to frames of 20 ms, and prints how often: `encode/COMPLEXITY`, `encode-dred/COMPLEXITY`, `decode`,
/// `conceal/COMPLEXITY`, `fec`, `dred`, `reach`.
pub(crate) fn count(what: &str, pcm: &[i16]) -> Outcome {
    let (what, level) = what.split_once('/').unwrap_or((what, "10"));
    let level: u8 = level.parse().map_err(|_| format!("not a complexity: {level}"))?;
    let config = EncoderConfig { expected_loss_percent: 20, ..EncoderConfig::of(Quality::High) };
    let deep = EncoderConfig { fec: false, dred_ms: 200, ..config };
    match what {
        "encode" => _ = encode(EncoderConfig { complexity: level, ..config }, pcm)?,
        "encode-dred" => _ = encode(EncoderConfig { complexity: level, ..deep }, pcm)?,
        "decode" | "conceal" | "fec" => decode(what, level, &encode(config, pcm)?)?,
        "dred" | "reach" => decode(what, level, &encode(deep, pcm)?)?,
        _ => return Err(format!("nothing to count by the name of {what}")),
    }
    println!("{}", calls(what));
    Ok(())
}

/// How many frames go through the functions that are counted.
fn calls(what: &str) -> usize {
    let gaps = FRAMES / 10;
    match what {
        "conceal" | "dred" => gaps * usize::from(BURST),
        "fec" => gaps,
        _ => FRAMES,
    }
}

fn encode(config: EncoderConfig, pcm: &[i16]) -> Result<Vec<Vec<u8>>, String> {
    let mut encoder = OpusEncoder::new(config).map_err(|error| error.to_string())?;
    let mut out = [0; MAX_FRAME_BYTES];
    let frames = pcm.chunks_exact(config.frame_samples()).cycle().take(FRAMES);
    Ok(frames.map(|frame| measured_encode(&mut encoder, frame, &mut out)).collect())
}

#[inline(never)]
fn measured_encode(encoder: &mut OpusEncoder, frame: &[i16], out: &mut [u8]) -> Vec<u8> {
    let len = black_box(encoder).encode(frame, out).unwrap_or(0);
    out[..len].to_vec()
}

/// Decodes all, and before every tenth frame fills as many as a burst has; what is named is what `measured_decode` does.
fn decode(what: &str, level: u8, frames: &[Vec<u8>]) -> Outcome {
    let mut decoder = OpusDecoder::new().map_err(|error| error.to_string())?;
    decoder.set_complexity(level).map_err(|error| error.to_string())?;
    let mut out = [0; 960];
    for (number, frame) in frames.iter().enumerate() {
        if what == "reach" {
            measured_decode(&mut decoder, |decoder| {
                decoder.redundancy(frame);
            });
        } else if what != "decode" && number % 10 == 9 {
            fill(what, &mut decoder, frame, &mut out);
        }
        if what == "decode" {
            measured_decode(&mut decoder, |decoder| _ = decoder.decode(frame, &mut out));
        } else {
            _ = decoder.decode(frame, &mut out);
        }
    }
    Ok(())
}

fn fill(what: &str, decoder: &mut OpusDecoder, frame: &[u8], out: &mut [i16]) {
    match what {
        "conceal" => (0..BURST).for_each(|_| measured_decode(decoder, |decoder| _ = decoder.conceal(out))),
        "fec" => measured_decode(decoder, |decoder| _ = decoder.recover(frame, 1, out)),
        _ => {
            (1..=BURST).rev().for_each(|back| measured_decode(decoder, |decoder| _ = decoder.recover(frame, back, out)))
        }
    }
}

#[inline(never)]
fn measured_decode(decoder: &mut OpusDecoder, work: impl FnOnce(&mut OpusDecoder)) {
    work(black_box(decoder));
}
