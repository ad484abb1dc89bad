/**
 * WAV files, 16 bit PCM: read, written, and brought from the clips' 16 kHz to the 48 kHz of a microphone.
 */
import { readFileSync, writeFileSync } from "node:fs";

export const RATE = 48_000;

/** Reads a WAV file of 16 or 48 kHz, mono or more, as the first channel's samples at 48 kHz. */
export function readWav(file) {
  const bytes = readFileSync(file);
  const { channels, rate } = format(chunk(bytes, "fmt "));
  const data = chunk(bytes, "data");
  const samples = new Int16Array(Math.floor(data.length / 2 / channels));
  for (let n = 0; n < samples.length; n++) samples[n] = data.readInt16LE(2 * n * channels);
  if (rate === RATE) return samples;
  if (rate * 3 === RATE) return upsample3(samples);
  throw new Error(`${file}: ${rate} Hz; 16,000 and 48,000 Hz are known here`);
}

/** Writes samples as a WAV file of 48 kHz: interleaved if there is more than one channel. */
export function writeWav(file, samples, channels = 1) {
  const bytes = Buffer.alloc(44 + samples.length * 2);
  bytes.write("RIFF", 0, "latin1");
  bytes.writeUInt32LE(36 + samples.length * 2, 4);
  bytes.write("WAVEfmt ", 8, "latin1");
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(channels, 22);
  bytes.writeUInt32LE(RATE, 24);
  bytes.writeUInt32LE(RATE * channels * 2, 28);
  bytes.writeUInt16LE(channels * 2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write("data", 36, "latin1");
  bytes.writeUInt32LE(samples.length * 2, 40);
  for (let n = 0; n < samples.length; n++) bytes.writeInt16LE(samples[n], 44 + 2 * n);
  writeFileSync(file, bytes);
}

function format(bytes) {
  return { channels: bytes.readUInt16LE(2), rate: bytes.readUInt32LE(4) };
}

function chunk(bytes, name) {
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at + 4);
    if (bytes.toString("latin1", at, at + 4) === name) return bytes.subarray(at + 8, at + 8 + length);
    at += 8 + length + (length & 1);
  }
  throw new Error(`a WAV file without "${name}"`);
}

/** Three samples for one, by a windowed sinc that ends just below the old half rate. */
function upsample3(samples) {
  const taps = lowpass(16 * 6 + 1, 7_600 / RATE);
  const middle = (taps.length - 1) / 2;
  const out = new Int16Array(samples.length * 3);
  for (let n = 0; n < out.length; n++) {
    let sum = 0;
    for (let k = ((n + middle) % 3); k < taps.length; k += 3) sum += taps[k] * (samples[(n + middle - k) / 3] ?? 0);
    out[n] = Math.max(-32_768, Math.min(32_767, Math.round(sum * 3)));
  }
  return out;
}

/** A low-pass filter of unit gain with a Hann window; `cutoff` as a share of the sampling rate. */
export function lowpass(length, cutoff) {
  const middle = (length - 1) / 2;
  const taps = Array.from({ length }, (_, n) => {
    const x = n - middle;
    const sinc = x === 0 ? 2 * cutoff : Math.sin(2 * Math.PI * cutoff * x) / (Math.PI * x);
    return sinc * (0.5 + 0.5 * Math.cos((Math.PI * x) / (middle + 1)));
  });
  const gain = taps.reduce((sum, tap) => sum + tap, 0);
  return taps.map((tap) => tap / gain);
}
