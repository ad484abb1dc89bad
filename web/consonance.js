/**
 * Voice in a web page: brings the engine in the audio thread together with the browser's connection, microphone and loudspeaker. The types, and what
 * everything means, are in `consonance.d.ts`; the order of things is in README.md.
 */

import { Connections } from "./parts/connection.js";
import { Engine, utf8 } from "./parts/engine.js";
import { Microphone } from "./parts/microphone.js";
import { missing, noteEncoder } from "./parts/missing.js";
import { Sound } from "./parts/sound.js";
import { Texts } from "./parts/texts.js";

export { missing };

/** @typedef {import("./consonance.js").State} State */

/** The core's timers are looked at so often while no sound runs, ms. */
const TICK_MS = 100;
/** Ticks that are apart by so much tell of sleep, ms: browsers slow them down to a second in the background. */
const SLEPT_MS = 10_000;
/** An audio thread that fails so soon fails always, ms. */
const TOO_SOON_MS = 10_000;
/** How long leaving may take, ms. */
const GOODBYE_MS = 500;

const ACTIVATIONS = ["push", "voice", "open"];
const PRIORITIES = ["", "low", "default", "medium", "high"];

const decoder = new TextDecoder();

/** @param {ArrayBuffer} bytes */
const parse = (bytes) => JSON.parse(decoder.decode(bytes));

/** @typedef {import("./consonance.js").Voice} Described */

/** @implements {Described} */
export class Voice extends EventTarget {
  /** @type {State} */
  #state;
  #options;
  #base;
  #engine = new Engine();
  #texts = new Texts(this.#engine);
  #connections;
  #microphone = new Microphone((microphone) => this.#change({ microphone }));
  /** @type {Sound | null} */
  #sound = null;
  /** @type {Promise<void> | null} */
  #starting = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #ticking;
  /** Nobody has stopped it. */
  #isWanted = false;
  #tickedAt = 0;
  #startedAt = 0;
  #gone = () => {};
  /** What is used from `start` on; the usual one if nothing is said. */
  #loudspeaker = "";
  #farewell = new ArrayBuffer(0);
  /** The others needn't wonder whether somebody comes back who has closed the page. */
  #onPageHide = () => {
    if (this.#farewell.byteLength > 0) this.#connections.send(true, this.#farewell);
  };
  #onOnline = () => this.#comeBack();

  /** @param {import("./consonance.js").Options} options */
  constructor(options) {
    super();
    const name = utf8(options.name).length;
    if (name < 1 || name > 64) throw new RangeError("a name has 1 to 64 bytes");
    if (utf8(options.password ?? "").length > 512) throw new RangeError("a password has at most 512 bytes");
    this.#options = options;
    this.#base = new URL(options.base ?? ".", options.base ? document.baseURI : import.meta.url);
    this.#connections = new Connections(
      new URL(options.server ?? "/offer", document.baseURI),
      { iceServers: options.iceServers ?? [] },
      {
        up: () => this.#engine.call("transport_up", []),
        down: () => this.#engine.call("transport_down", []),
        // Stamped now: how long the audio thread is busy must not look like a slow network.
        message: (lane, bytes) => this.#sound?.post({ type: "packet", lane, at: Date.now() * 1_000, bytes }, [bytes]),
        trouble: (words) => this.#tell("notice", words),
      },
    );
    this.#state = begin(options.name);
    for (const room of options.rooms ?? []) this.join(room);
  }

  get state() {
    return this.#state;
  }

  get context() {
    return this.#sound?.context ?? null;
  }

  get output() {
    return this.#sound?.output ?? null;
  }

  start() {
    if (this.#starting) {
      this.#sound?.wake();
      return this.#starting;
    }
    const { listen } = missing();
    if (listen.length > 0) return Promise.reject(new Error(`this browser lacks ${listen.join(", and ")}`));
    this.#isWanted = true;
    this.#sound = new Sound(this.#base, (message) => this.#onMessage(message), (sound) => this.#change({ sound }));
    this.#starting = this.#load(this.#sound).catch(async (error) => {
      await this.stop();
      throw error;
    });
    return this.#starting;
  }

  /** @param {Sound} sound */
  async #load(sound) {
    const { name, password = "", bitrate = 24_000 } = this.#options;
    this.#connections.bitrate = bitrate;
    const [high, low] = crypto.getRandomValues(new Uint32Array(2));
    const node = await sound.load({ name: utf8(name), password: utf8(password), bitrate, seed: [high, low] });
    if (this.#sound !== sound) return;
    node.onprocessorerror = () => this.#onProcessorError(sound);
    sound.startEncoder((why) => this.#onEncoderFailed(why));
    this.#engine.attach((message, transfer) => sound.post(message, transfer));
    this.#engine.call("connect", []);
    this.#microphone.connect(sound);
    if (this.#loudspeaker) sound.use(this.#loudspeaker);
    this.#tickedAt = this.#startedAt = Date.now();
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
    addEventListener("online", this.#onOnline);
    addEventListener("pagehide", this.#onPageHide);
    this.#change({ sound: sound.state });
  }

  stop() {
    this.#isWanted = false;
    return this.#end();
  }

  async #end() {
    const sound = this.#sound;
    if (!sound) return;
    if (this.#engine.post && this.#connections.current) {
      const gone = new Promise((done) => (this.#gone = () => done(undefined)));
      this.#engine.call("disconnect", []);
      await Promise.race([gone, new Promise((done) => setTimeout(done, GOODBYE_MS))]);
    }
    clearInterval(this.#ticking);
    removeEventListener("online", this.#onOnline);
    removeEventListener("pagehide", this.#onPageHide);
    this.#sound = this.#starting = null;
    this.#engine.attach(null);
    this.#connections.want(-1);
    this.#microphone.connect(null);
    this.#microphone.drop();
    // The next one may do better.
    noteEncoder(false);
    await sound.close();
    const { reason, me } = this.#state;
    this.#change({ ...begin(me.name), reason: reason === "not-started" ? reason : "wanted", me: { ...me, id: null, speaking: false } });
  }

  useMicrophone(options = {}) {
    return this.#microphone.use(options);
  }

  dropMicrophone() {
    this.#microphone.drop();
  }

  /** @param {string} deviceId */
  async useLoudspeaker(deviceId) {
    this.#loudspeaker = deviceId;
    return this.#sound ? this.#sound.use(deviceId) : "setSinkId" in (globalThis.AudioContext?.prototype ?? {});
  }

  /** @param {boolean} on */
  setHearSelf(on) {
    this.#engine.wish("hear-self", "set_hear_self", [Number(on)]);
  }

  /** @param {string} room */
  join(room) {
    const name = utf8(room);
    this.#engine.wish(`room ${room}`, "join", [name.length], name);
  }

  /** @param {string} room */
  leave(room) {
    const name = utf8(room);
    this.#engine.forget(`room ${room}`);
    this.#engine.forget(`talk ${room}`);
    this.#engine.call("leave", [name.length], name);
  }

  /** @param {string} room @param {boolean} on */
  setTalkingTo(room, on) {
    const name = utf8(room);
    this.#engine.wish(`talk ${room}`, "talk_to", [name.length, Number(on)], name);
  }

  /** @param {number} person @param {boolean} on */
  whisper(person, on) {
    this.#engine.call("whisper", [person, Number(on)]);
  }

  /** @param {import("./consonance.js").Activation} activation */
  setActivation(activation) {
    this.#engine.wish("activation", "set_activation", [ACTIVATIONS.indexOf(activation)]);
    this.#assume({ activation });
  }

  /** @param {number} threshold */
  setThreshold(threshold) {
    this.#engine.wish("threshold", "set_threshold", [threshold]);
    this.#assume({ threshold });
  }

  /** @param {boolean} on */
  setTalking(on) {
    this.#engine.call("set_talking", [Number(on)]);
  }

  /** @param {boolean} on */
  setMuted(on) {
    this.#engine.wish("muted", "set_muted", [Number(on)]);
    this.#assume({ muted: on });
  }

  /** @param {boolean} on */
  setDeafened(on) {
    this.#engine.wish("deafened", "set_deafened", [Number(on)]);
    this.#assume({ deafened: on });
  }

  /** @param {import("./consonance.js").Priority} priority */
  setPriority(priority) {
    this.#engine.wish("priority", "set_priority", [PRIORITIES.indexOf(priority)]);
    this.#assume({ priority });
  }

  /** @param {number} person @param {boolean} on */
  setPersonMuted(person, on) {
    this.#engine.call("set_person_muted", [person, Number(on)]);
  }

  /** @param {number} person @param {number} percent */
  setPersonVolume(person, percent) {
    this.#engine.call("set_person_volume", [person, Math.max(0, Math.round(percent))]);
  }

  /** @param {number} person @param {readonly [x: number, y: number] | null} position */
  setPersonPosition(person, position) {
    if (position) this.#engine.call("place_person", [person, ...position]);
    else this.#engine.call("unplace_person", [person]);
  }

  /** @param {number} near @param {number} far */
  setSpace(near, far) {
    this.#engine.wish("space", "set_space", [near, far]);
  }

  /** @param {{ room: string } | { person: number }} to @param {string} text */
  sendText(to, text) {
    return this.#texts.send(to, text);
  }

  /** @returns {Promise<import("./consonance.js").Stats>} */
  async stats() {
    const [answer, path] = await Promise.all([this.#engine.stats(), this.#connections.current?.path() ?? null]);
    const known = answer ? parse(answer.bytes) : NOTHING_KNOWN;
    if (known.rttMs) this.#texts.rttMs = known.rttMs;
    return { ...known, load: answer?.load ?? 0, path };
  }

  /** @param {import("./parts/protocol.js").FromWorklet} message */
  #onMessage(message) {
    switch (message.type) {
      case "send":
        return this.#connections.send(message.lane, message.bytes);
      case "farewell":
        return void (this.#farewell = message.bytes);
      case "levels":
        return this.#tell("levels", levels(message.values));
      case "tiding":
        return this.#onTiding(parse(message.bytes));
      case "transport":
        if (message.attempt < 0) this.#gone();
        return this.#connections.want(message.attempt);
      case "reply":
        return this.#engine.answer(message.reply, message.value);
      case "stats":
        return this.#engine.answer(message.reply, message);
    }
  }

  /** @param {import("./parts/protocol.js").Tiding} tiding */
  #onTiding(tiding) {
    switch (tiding.kind) {
      case "state": {
        const { kind, ...state } = tiding;
        return this.#change(state);
      }
      case "text": {
        const { kind, ...text } = tiding;
        return this.#tell("text", text);
      }
      case "notice":
        return this.#tell("notice", tiding.text);
      case "refused":
        return this.#texts.settle(tiding.number, tiding.why);
    }
  }

  /** One listens from now on. @param {string} why */
  #onEncoderFailed(why) {
    noteEncoder(true);
    this.#tell("notice", `The browser stopped encoding your voice: ${why}`);
    this.#microphone.giveUp();
  }

  /** Audio threads that fail stay silent for ever: all begins anew. @param {Sound} sound */
  async #onProcessorError(sound) {
    if (sound !== this.#sound) return;
    const { options } = this.#microphone;
    const again = Date.now() - this.#startedAt > TOO_SOON_MS;
    if (again) this.#tell("notice", "The audio thread failed; starting again.");
    await this.#end();
    if (!this.#isWanted) return;
    const started = again && (await this.start().then(() => true, () => false));
    if (!started) return this.#change({ reason: "audio-failed" });
    if (options && this.#isWanted) await this.useMicrophone(options);
  }

  #tick() {
    const now = Date.now();
    // Nothing of the connection has survived a sleep that the server has noticed, and some networks take minutes to say so.
    if (now - this.#tickedAt > SLEPT_MS) this.#comeBack();
    this.#tickedAt = now;
    this.#sound?.post({ type: "tick" });
  }

  /** The network is another one, or the machine was away: begins a new connection at once. */
  #comeBack() {
    this.#connections.abandon();
    this.#engine.call("network_back", []);
  }

  /** Before there is an engine to say so. @param {Partial<State["me"]>} me */
  #assume(me) {
    if (!this.#engine.post) this.#change({ me: { ...this.#state.me, ...me } });
  }

  /** @param {Partial<State>} changes */
  #change(changes) {
    this.#state = Object.freeze({ ...this.#state, ...changes });
    this.#tell("state", this.#state);
  }

  /** @param {string} type @param {unknown} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @param {string} name @returns {State} */
function begin(name) {
  return {
    status: "disconnected",
    reason: "not-started",
    me: {
      id: null, name, speaking: false, muted: false, deafened: false, serverMuted: false, nobodyHears: false,
      priority: "default", activation: "voice", threshold: -60, whisperingTo: [],
    },
    rooms: [],
    people: [],
    microphone: "off",
    sound: "none",
  };
}

const NOTHING_KNOWN = {
  rttMs: null, rttVariationMs: 0, bytesIn: 0, bytesOut: 0, bitrate: 0, frameMs: 20, reportedLoss: 0, underruns: 0, drops: {}, people: [],
};

/** @param {Float32Array} values @returns {import("./consonance.js").Levels} */
function levels([microphone, open, ...rest]) {
  const people = new Map();
  for (let at = 0; at + 1 < rest.length; at += 2) people.set(rest[at], rest[at + 1]);
  return { microphone, open: open !== 0, people };
}
