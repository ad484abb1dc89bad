/**
 * What people say in the tests: files for the fake microphone, which says them again and again.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { clip, sounds } from "./places.mjs";
import { RATE, readWav, writeWav } from "./wav.mjs";

/** A clip and a pause of 0.6 s: `{ file, samples }`. */
export function sentence(number) {
  return write(`sentence-${number}`, Int16Array.from([...readWav(clip(number)), ...new Int16Array(0.6 * RATE)]));
}

/** Six clips at once and at other times, so that no 100 ms are silent; each `number` is another. */
export function babble(number = 0) {
  const clips = [1, 2, 3, 4, 5, 6].map((number) => readWav(clip(number)));
  const length = 5 * RATE;
  const mixed = Int16Array.from({ length }, (_, n) => {
    const sum = clips.reduce((sum, samples, at) => sum + samples[(n + at * (17_777 + 1_000 * number)) % samples.length], 0);
    return Math.max(-32_768, Math.min(32_767, sum / 2));
  });
  return write(`babble-${number}`, mixed);
}

function write(name, samples) {
  mkdirSync(sounds, { recursive: true });
  const file = join(sounds, `${name}.wav`);
  writeWav(file, samples);
  return { file, samples };
}
