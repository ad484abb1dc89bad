/**
 * Sound: an AudioContext at 48 kHz, and the engine in its audio thread. Browsers keep it silent until somebody clicks, and again after a call or sleep:
 * it is woken whenever there is a chance.
 */

/** @typedef {import("./protocol.js").Setup} Setup */
/** @typedef {import("./protocol.js").ToWorklet} ToWorklet */
/** @typedef {import("./protocol.js").FromWorklet} FromWorklet */
/** @typedef {import("../consonance.js").State["sound"]} SoundState */

/** What may be a person's wish to hear. */
const GESTURES = ["pointerdown", "keydown", "touchend"];

export class Sound {
  /**
   * @param {URL} base Where `processor.js`, `encoder.js` and `consonance.wasm` are.
   * @param {(message: FromWorklet) => void} told
   * @param {(state: SoundState) => void} changed
   */
  constructor(base, told, changed) {
    this.base = base;
    this.told = told;
    this.changed = changed;
    // Now, since only in the handler of a click sound may begin at once.
    this.context = new AudioContext({ sampleRate: 48_000, latencyHint: "interactive" });
    this.output = this.context.createGain();
    this.output.connect(this.context.destination);
    /** @type {AudioWorkletNode | null} */
    this.node = null;
    /** @type {Worker | null} */
    this.encoder = null;
    this.wake = () => {
      if (this.context.state !== "running" && this.context.state !== "closed") this.context.resume().catch(() => {});
    };
    this.context.onstatechange = () => changed(this.state);
    for (const gesture of GESTURES) addEventListener(gesture, this.wake);
    document.addEventListener("visibilitychange", this.wake);
    this.wake();
  }

  /** @returns {SoundState} */
  get state() {
    if (this.context.state === "closed") return "none";
    return this.context.state === "running" ? "running" : "suspended";
  }

  /** Loads the engine. @param {Omit<Setup, "wasm">} setup */
  async load(setup) {
    const [answer] = await Promise.all([
      fetch(new URL("consonance.wasm", this.base)),
      this.context.audioWorklet.addModule(new URL("processor.js", this.base)),
    ]);
    if (!answer.ok) throw new Error(`consonance.wasm: the server answers ${answer.status}; it belongs beside processor.js`);
    const wasm = await answer.arrayBuffer();
    const node = new AudioWorkletNode(this.context, "consonance", {
      numberOfInputs: 1,
      outputChannelCount: [2],
      channelCount: 1,
      channelCountMode: "explicit",
      processorOptions: { ...setup, wasm },
    });
    node.port.onmessage = ({ data }) => this.told(data);
    node.connect(this.output);
    this.node = node;
    return node;
  }

  /** Starts what encodes, where the browser can. @param {(why: string) => void} failed It has been given up. */
  startEncoder(failed) {
    if (this.encoder || !this.node || !("AudioEncoder" in globalThis)) return;
    this.encoder = new Worker(new URL("encoder.js", this.base));
    const { port1, port2 } = new MessageChannel();
    this.encoder.onmessage = ({ data }) => failed(data.failed);
    this.encoder.onerror = ({ message }) => failed(message || "encoder.js doesn't load");
    this.encoder.postMessage({ port: port1 }, [port1]);
    this.post({ type: "encoder", port: port2 }, [port2]);
  }

  /** @param {ToWorklet} message @param {Transferable[]} [transfer] */
  post(message, transfer = []) {
    this.node?.port.postMessage(message, transfer);
  }

  /** @param {string} deviceId @returns {Promise<boolean>} */
  async use(deviceId) {
    // Not everywhere, and TypeScript's library doesn't know it yet.
    const context = /** @type {AudioContext & { setSinkId?: (id: string) => Promise<void> }} */ (this.context);
    if (!context.setSinkId) return false;
    try {
      await context.setSinkId(deviceId);
      return true;
    } catch {
      return false;
    }
  }

  async close() {
    for (const gesture of GESTURES) removeEventListener(gesture, this.wake);
    document.removeEventListener("visibilitychange", this.wake);
    this.post({ type: "end" });
    if (this.node) this.node.port.onmessage = null;
    this.encoder?.terminate();
    if (this.context.state !== "closed") await this.context.close();
  }
}
