/** What a browser lacks, in words for people. */

/** @returns {import("../consonance.js").Missing} */
export function missing() {
  return { listen: lacking(LISTEN), talk: lacking(TALK) };
}

let encoderFails = false;

/** What shows only while one talks. @param {boolean} fails */
export function noteEncoder(fails) {
  encoderFails = fails;
}

/** A function of one vector instruction: consonance.wasm has many. */
const SIMD = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11,
);

/** @typedef {readonly [there: () => boolean, words: string]} Need */

/** @type {readonly Need[]} */
const LISTEN = [
  [() => globalThis.isSecureContext, "a page that came by https, or from this machine"],
  [() => "WebAssembly" in globalThis && WebAssembly.validate(SIMD), "WebAssembly with vectors, which browsers have since 2023"],
  [() => "AudioWorkletNode" in globalThis, "AudioWorklet, which browsers have since 2021"],
  [() => "RTCPeerConnection" in globalThis, "WebRTC, which some people switch off"],
];

/** @type {readonly Need[]} */
const TALK = [
  [() => Boolean(globalThis.navigator?.mediaDevices?.getUserMedia), "access to microphones"],
  [() => "AudioEncoder" in globalThis, "WebCodecs with audio: Chrome and Edge 94, Firefox 130, Safari 26, or later"],
  [() => !encoderFails, "an encoder for Opus that works"],
];

/** @param {readonly Need[]} needs */
const lacking = (needs) => needs.filter(([there]) => !there()).map(([, words]) => words);
