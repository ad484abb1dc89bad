/** What a browser lacks, in words for people. */

/** @returns {import("../consonance.js").Missing} */
export function missing() {
  return { listen: lacking(LISTEN), talk: lacking(TALK) };
}

/** @typedef {readonly [there: () => boolean, words: string]} Need */

/** @type {readonly Need[]} */
const LISTEN = [
  [() => globalThis.isSecureContext, "a page that came by https, or from this machine"],
  [() => "WebAssembly" in globalThis, "WebAssembly"],
  [() => "AudioWorkletNode" in globalThis, "AudioWorklet, which browsers have since 2021"],
  [() => "RTCPeerConnection" in globalThis, "WebRTC, which some people switch off"],
];

/** @type {readonly Need[]} */
const TALK = [
  [() => Boolean(globalThis.navigator?.mediaDevices?.getUserMedia), "access to microphones"],
  [() => "AudioEncoder" in globalThis, "WebCodecs with audio: Chrome and Edge 94, Firefox 130, Safari 26, or later"],
];

/** @param {readonly Need[]} needs */
const lacking = (needs) => needs.filter(([there]) => !there()).map(([, words]) => words);
