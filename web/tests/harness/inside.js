// Put into every page before its own scripts: listens at the mouth (what the microphone gives) and at the ear (what goes to the loudspeaker), and
// notes long tasks and requests. The page knows nothing of it. Times are those of `performance.now()`, ms, made comparable between pages by adding
// `performance.timeOrigin`: all browsers of a test run on one machine, with one clock.
(() => {
  const KEEP_S = 90;
  const RATE = 48_000;
  const tests = { ear: null, mouth: null, longTasks: [], offers: [], contexts: [] };
  window.consonanceTests = tests;

  class Ear {
    constructor(context) {
      this.context = context;
      this.pieces = [];
      this.offsets = [];
      setInterval(() => this.compareClocks(), 50);
    }

    compareClocks() {
      const { contextTime, performanceTime } = this.context.getOutputTimestamp();
      if (contextTime === 0 || this.context.state !== "running") return;
      this.offsets.push({ at: performance.now(), offset: performanceTime - contextTime * 1000 });
      if (this.offsets.length > KEEP_S * 20) this.offsets.shift();
    }

    /** When a piece sounds at the loudspeaker, ms. The two clocks go apart when the machine is too busy to play, so only comparisons near by count. */
    soundsAt({ time, at }) {
      const last = this.offsets.findLastIndex((compared) => compared.at <= at);
      const near = this.offsets.slice(Math.max(0, last - 2), last + 3).map(({ offset }) => offset);
      return time * 1000 + (near.sort((a, b) => a - b)[near.length >> 1] ?? 0);
    }

    take({ time, sound }) {
      this.pieces.push({ time, sound, at: performance.now() });
      if (this.pieces.length * 2048 > KEEP_S * RATE) this.pieces.shift();
    }
  }

  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...rest) {
    if (to instanceof AudioDestinationNode && !(this.context instanceof OfflineAudioContext)) listenAt(this);
    return connect.call(this, to, ...rest);
  };

  const taps = new WeakMap();
  const recorder = URL.createObjectURL(new Blob([window.consonanceRecorder], { type: "text/javascript" }));

  async function listenAt(node) {
    const { context } = node;
    if (!taps.has(context)) taps.set(context, addTap(context));
    const tap = await taps.get(context);
    if (tap) connect.call(node, tap);
  }

  async function addTap(context) {
    await context.audioWorklet.addModule(recorder);
    const tap = new AudioWorkletNode(context, "test-recorder", { numberOfOutputs: 1, outputChannelCount: [1] });
    const ear = new Ear(context);
    tests.ear = ear;
    tests.contexts.push(context);
    tap.port.onmessage = ({ data }) => ear.take(data);
    connect.call(tap, context.destination); // silent, but it has to be pulled
    return tap;
  }

  const getUserMedia = MediaDevices.prototype.getUserMedia;
  MediaDevices.prototype.getUserMedia = async function (constraints) {
    const stream = await getUserMedia.call(this, constraints);
    const [track] = stream.getAudioTracks();
    if (track && window.consonanceMouth) listenAtMouth(track);
    return stream;
  };

  async function listenAtMouth(track) {
    const mouth = { pieces: [], begin: Infinity };
    tests.mouth = mouth;
    const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 100 }).readable.getReader();
    for (let got = await reader.read(); !got.done; got = await reader.read()) {
      const { numberOfFrames, timestamp, duration, sampleRate } = got.value;
      mouth.rate = sampleRate;
      const sound = new Float32Array(numberOfFrames);
      got.value.copyTo(sound, { planeIndex: 0, format: "f32-planar" });
      got.value.close();
      mouth.pieces.push({ timestamp, sound: Int16Array.from(sound, (sample) => Math.max(-1, Math.min(1, sample)) * 32767) });
      // The stamps are of another clock. No piece can come before it was spoken; the one that came soonest of all tells how the clocks stand.
      mouth.begin = Math.min(mouth.begin, performance.now() - (timestamp - mouth.pieces[0].timestamp + duration) / 1000);
    }
  }

  /** What was heard since a moment of `performance.now()`: base64 of 16-bit stereo, and when each piece of 2,048 samples sounded, in ms since 1970. */
  tests.heard = (since = 0) => {
    const { ear } = tests;
    if (!ear) return null;
    const pieces = ear.pieces.filter((piece) => piece.at >= since);
    const times = pieces.map((piece) => performance.timeOrigin + ear.soundsAt(piece));
    return { times, rate: ear.context.sampleRate, sound: encode(pieces.map((piece) => piece.sound)) };
  };

  tests.said = () => {
    const { mouth } = tests;
    return mouth && { times: [performance.timeOrigin + mouth.begin], rate: RATE, sound: encode([resampled(inTime(mouth), mouth.rate)]) };
  };

  /** The pieces, each where its stamp has it: the browser leaves some out when it is busy. */
  function inTime({ pieces, rate }) {
    const place = ({ timestamp }) => Math.round(((timestamp - pieces[0].timestamp) * rate) / 1e6);
    const last = pieces.at(-1);
    const samples = new Int16Array(place(last) + last.sound.length);
    for (const piece of pieces) samples.set(piece.sound, place(piece));
    return samples;
  }

  /** At 48 kHz, between samples by straight lines: good enough to be found again, not to be scored. */
  function resampled(samples, rate) {
    return Int16Array.from({ length: Math.floor((samples.length * RATE) / rate) }, (_, n) => {
      const [at, part] = [Math.floor((n * rate) / RATE), ((n * rate) / RATE) % 1];
      return samples[at] * (1 - part) + (samples[at + 1] ?? 0) * part;
    });
  }

  /** The first moment after `since` at which the ear had sound above `threshold` dBFS in 5 ms, ms of `performance.now()`; null if there was none. */
  tests.firstSound = (threshold, since = 0) => {
    const { ear } = tests;
    for (const piece of ear?.pieces ?? []) {
      if (piece.at < since) continue;
      for (let at = 0; at + 480 <= piece.sound.length; at += 480) {
        const energy = piece.sound.subarray(at, at + 480).reduce((sum, sample) => sum + sample * sample, 0) / 480;
        if (10 * Math.log10(energy / 32768 ** 2) > threshold) return ear.soundsAt(piece) + (at / 2 / RATE) * 1000;
      }
    }
    return null;
  };

  function encode(pieces) {
    const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
    let at = 0;
    for (const piece of pieces) {
      bytes.set(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength), at);
      at += piece.byteLength;
    }
    let text = "";
    for (let n = 0; n < bytes.length; n += 0x8000) text += String.fromCharCode(...bytes.subarray(n, n + 0x8000));
    return btoa(text);
  }

  const fetched = window.fetch;
  window.fetch = function (what, options) {
    if (options?.method === "POST") tests.offers.push(performance.now());
    return fetched.call(this, what, options);
  };

  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) tests.longTasks.push({ startTime, duration });
  }).observe({ type: "longtask", buffered: true });
})();
