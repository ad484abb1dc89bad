/** A microphone's track, handed to the audio thread without the detour through the loudspeaker's clock, where the browser can: Chromium does. */

/** Hertz: what the engine takes. */
const RATE = 48_000;
/** Pieces of 10 ms that may wait for a worker that is late. */
const PIECES = 20;

/**
 * @param {MediaStreamTrack} track
 * @param {import("./sound.js").Sound} sound
 * @param {() => void} unfit Another device has come in its place, and this way can't take its sound.
 * @returns {(() => void) | null} What ends it; null where it can't be done.
 */
export function handDirectly(track, sound, unfit) {
  // TypeScript's library doesn't know it yet.
  const { MediaStreamTrackProcessor, Worker } = /** @type {any} */ (globalThis);
  if (!MediaStreamTrackProcessor || track.getSettings().sampleRate !== RATE) return null;
  let over = false;
  try {
    const { readable } = new MediaStreamTrackProcessor({ track, maxBufferSize: PIECES });
    const worker = new Worker(new URL("capture.js", sound.base));
    const { port1, port2 } = new MessageChannel();
    worker.onmessage = () => !over && unfit();
    worker.postMessage({ track: readable, port: port1 }, [readable, port1]);
    sound.post({ type: "microphone", port: port2 }, [port2]);
    return () => {
      over = true;
      worker.terminate();
      sound.post({ type: "microphone", port: null });
    };
  } catch {
    return null;
  }
}
