/**
 * What is measured in sound: loudness, where speech stands in a recording, and how late one recording is beside another.
 */
import { lowpass, RATE } from "./wav.mjs";

const BLOCK = RATE / 100;
/** Correlation works at 8 kHz: enough for speech, and 36 times cheaper. */
const COARSE = 6;

/** Level of samples, dBFS; -100 if there is nothing. */
export function level(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const rms = Math.sqrt(sum / Math.max(1, samples.length)) / 32_768;
  return Math.max(-100, 20 * Math.log10(rms));
}

/** Levels of blocks of 10 ms, dBFS. */
export function levels(samples) {
  const out = [];
  for (let at = 0; at + BLOCK <= samples.length; at += BLOCK) out.push(level(samples.subarray(at, at + BLOCK)));
  return out;
}

/** Share of blocks of 10 ms that are louder than `threshold`, dBFS. */
export function shareAbove(samples, threshold) {
  const all = levels(samples);
  return all.filter((block) => block > threshold).length / Math.max(1, all.length);
}

/** Blocks of 10 ms in a row that are not louder than `threshold`, dBFS, at most. */
export function longestBelow(samples, threshold) {
  let [longest, now] = [0, 0];
  for (const block of levels(samples)) {
    now = block > threshold ? 0 : now + 1;
    longest = Math.max(longest, now);
  }
  return longest;
}

/** Level of the loudest second, dBFS. */
export function loudestSecond(samples) {
  let best = -100;
  for (let at = 0; at + RATE <= samples.length; at += RATE / 4) best = Math.max(best, level(samples.subarray(at, at + RATE)));
  return best;
}

/** The pieces of a recording in which a spoken loop was heard whole: where each begins, and its samples, as many as `spoken` has. */
export function heardRounds(spoken, recording) {
  const [speech, heard] = [decimate(spoken), decimate(recording)];
  const begin = loudest(speech, RATE / COARSE);
  const probe = speech.subarray(begin, begin + RATE / COARSE);
  const pieces = [];
  for (let from = 0; from + speech.length <= heard.length; ) {
    const { lag, match } = bestLag(probe, heard, from + begin, Math.min(from + begin + speech.length, heard.length - probe.length));
    const start = (lag - begin) * COARSE;
    if (match > 0.5 && start + spoken.length <= recording.length) pieces.push({ start, samples: recording.slice(start, start + spoken.length) });
    from = lag - begin + Math.floor(speech.length / 2);
  }
  return pieces;
}

/**
 * How much later `heard` has what `said` has, ms, for each half second of speech in it that is found again within a second.
 *
 * @param {import("./person.mjs").Recording} said
 * @param {import("./person.mjs").Recording} heard
 */
export function delays(said, heard) {
  const [early, late] = [decimate(said.mono()), decimate(heard.mono())];
  const window = RATE / COARSE / 2;
  const found = [];
  for (let at = 0; at + window <= early.length; at += window) {
    const piece = early.subarray(at, at + window);
    const from = Math.floor(heard.sampleAt(said.timeAt(at * COARSE)) / COARSE);
    const to = Math.min(from + RATE / COARSE, late.length - window);
    if (energy(piece) / window < 1e-5 || from < 0 || to <= from) continue;
    const { lag, match } = bestLag(piece, late, from, to);
    if (match > 0.7) found.push(heard.timeAt(lag * COARSE) - said.timeAt(at * COARSE));
  }
  return found;
}

/** The value below which so much of all lies; `share` from 0 to 1. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

/** Filtered, and one sample for six; full scale is 1. */
function decimate(samples) {
  const taps = lowpass(61, 3_400 / RATE);
  const out = new Float32Array(Math.floor(samples.length / COARSE));
  for (let n = 0; n < out.length; n++) {
    let sum = 0;
    for (let k = 0; k < taps.length; k++) sum += taps[k] * (samples[n * COARSE + k - 30] ?? 0);
    out[n] = sum / 32_768;
  }
  return out;
}

/** Where in `heard`, from `from` to before `to`, `piece` is found best, and how alike it is there, 0 to 1. */
function bestLag(piece, heard, from, to) {
  const own = energy(piece);
  let there = energy(heard.subarray(from, from + piece.length));
  let best = { lag: from, match: 0 };
  for (let lag = from; lag < to; lag++) {
    let sum = 0;
    for (let n = 0; n < piece.length; n++) sum += piece[n] * heard[lag + n];
    const match = sum / Math.sqrt(Math.max(1e-9, own * there));
    if (match > best.match) best = { lag, match };
    there += (heard[lag + piece.length] ?? 0) ** 2 - heard[lag] ** 2;
  }
  return best;
}

/** Where the loudest piece of so many samples begins. */
function loudest(samples, length) {
  let best = { at: 0, energy: -1 };
  for (let at = 0; at + length <= samples.length; at += length / 20) {
    const here = energy(samples.subarray(at, at + length));
    if (here > best.energy) best = { at, energy: here };
  }
  return best.at;
}

function energy(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return sum;
}
