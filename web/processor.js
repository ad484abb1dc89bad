/**
 * The audio thread's side: an AudioWorklet node that holds the whole client in wasm. The loudspeaker's clock drives what is heard: each block asks the core
 * for it, and sends what is due. What the microphone gives comes as it is, or with the blocks. The page only relays bytes, and ticks it while sound is
 * suspended.
 *
 * Time is `Date.now()`: the one clock that page and worklet share; web/src/clock.rs says what is done about its faults.
 */

const FRAME_BYTES = 2 * 960;
/** Exports that want to be told the time first. */
const TIMED = new Set([
  "connect", "disconnect", "transport_up", "transport_down", "network_back", "join", "leave", "whisper", "set_muted", "set_deafened", "set_priority",
  "set_person_muted", "write_to_room", "write_to_person",
]);
/** What `turn` says there is to fetch. */
const MESSAGES = 1, TIDINGS = 2, LEVELS = 4;
/** Over so many blocks the share of time is measured that they take: 4 s. */
const LOAD_BLOCKS = 1500;

const now = () => Date.now() * 1000;

class Processor extends AudioWorkletProcessor {
  /** @param {{ processorOptions: import("./parts/protocol.js").Setup }} options */
  constructor({ processorOptions: setup }) {
    super();
    const module = new WebAssembly.Module(setup.wasm);
    /** @type {import("./parts/protocol.js").Exports} */
    // @ts-ignore: the exports are what web/src/abi.rs says.
    this.engine = new WebAssembly.Instance(module).exports;
    this.attempt = -1;
    this.advice = 0;
    this.running = true;
    /** @type {MessagePort | null} */
    this.encoder = null;
    /** By which the microphone's sound comes, if not with the blocks. @type {MessagePort | null} */
    this.microphone = null;
    /** Buffers that came back from the encoder, to be used again. @type {ArrayBuffer[]} */
    this.spare = [];
    this.load = { blocks: 0, busy: 0, since: Date.now(), share: 0 };
    this.views = views(this.engine);
    this.write(setup.name, setup.password);
    const made = this.engine.create(setup.seed[0], setup.seed[1], setup.name.length, setup.password.length, setup.bitrate);
    if (!made) throw new RangeError("a name has 1 to 64 bytes, and a password at most 512");
    this.port.onmessage = ({ data }) => this.onMessage(data);
  }

  /** The buffers; memory that has grown is another one. */
  get buffers() {
    if (this.engine.memory.buffer !== this.views.memory) this.views = views(this.engine);
    return this.views;
  }

  /** Left and right for blocks of this length; kept, so that a block makes no garbage. @param {number} samples */
  block(samples) {
    const { blocks, left, right } = this.buffers;
    let block = blocks.get(samples);
    if (!block) {
      block = [left, right].map((buffer) => buffer.subarray(0, samples));
      blocks.set(samples, block);
    }
    return block;
  }

  /** @param {Float32Array[][]} inputs @param {Float32Array[][]} outputs */
  process(inputs, outputs) {
    const begin = Date.now();
    const time = now();
    const [output] = outputs;
    const samples = output[0].length;
    this.engine.render(time, currentFrame, samples);
    const [left, right] = this.block(samples);
    output[0].set(left);
    output[1]?.set(right);
    if (!this.microphone) this.hear(inputs[0]?.[0]);
    this.turn(time);
    this.measure(begin);
    return this.running;
  }

  /** A clock of whole milliseconds is right on average. @param {number} begin */
  measure(begin) {
    const { load } = this;
    const end = Date.now();
    load.busy += end - begin;
    if (++load.blocks < LOAD_BLOCKS) return;
    load.share = load.busy / Math.max(1, end - load.since);
    Object.assign(load, { blocks: 0, busy: 0, since: end });
  }

  /** The microphone's sound comes by this port from now on. @param {MessagePort | null} port */
  listenTo(port) {
    if (this.microphone) this.microphone.onmessage = null;
    this.microphone = port;
    // What was said before is over.
    this.hear();
    if (port) port.onmessage = ({ data }) => this.onSpoken(port, data);
  }

  /** @param {MessagePort} port @param {ArrayBuffer} sound */
  onSpoken(port, sound) {
    const samples = new Float32Array(sound);
    const { length: most } = this.buffers.microphone;
    for (let at = 0; at < samples.length; at += most) this.hear(samples.subarray(at, at + most));
    port.postMessage(sound, [sound]);
    this.turn(now());
  }

  /** Takes what the microphone gave; nothing: there is none. @param {Float32Array} [spoken] */
  hear(spoken) {
    if (spoken) this.buffers.microphone.set(spoken);
    this.engine.take_microphone(spoken?.length ?? 0);
    this.encode();
  }

  /** Hands over what the microphone has for the encoder. */
  encode() {
    for (;;) {
      const frame = this.engine.next_frame();
      if (frame === 0) return;
      if (!this.encoder) continue;
      const samples = frame >>> 3;
      const buffer = this.spare.pop() ?? new ArrayBuffer(FRAME_BYTES);
      new Int16Array(buffer).set(this.buffers.pcm.subarray(0, samples));
      this.encoder.postMessage({ pcm: buffer, flags: frame & 7 }, [buffer]);
    }
  }

  /** Does what is due and passes on what there is. @param {number} time */
  turn(time) {
    const { engine } = this;
    const due = engine.turn(time);
    if (due & MESSAGES) this.sendMessages(time);
    if (due & TIDINGS) this.sendTidings();
    if (due & LEVELS) this.port.postMessage({ type: "levels", values: this.levels() });
    const attempt = engine.transport_wanted();
    if (attempt !== this.attempt) {
      this.attempt = attempt;
      this.port.postMessage({ type: "transport", attempt });
    }
    const advice = engine.encoder_advice();
    if (advice !== this.advice && this.encoder) {
      this.advice = advice;
      this.encoder.postMessage({ advice });
    }
  }

  /** @param {number} time */
  sendMessages(time) {
    for (let laneMoved = false; ; ) {
      const len = this.engine.poll_message(time);
      if (len === 0) return laneMoved && this.sendFarewell();
      laneMoved ||= len < 0;
      const bytes = this.read(Math.abs(len));
      this.port.postMessage({ type: "send", lane: len < 0, bytes }, [bytes]);
    }
  }

  /** A page that is closed has no time to ask for it. */
  sendFarewell() {
    const bytes = this.read(this.engine.farewell());
    this.port.postMessage({ type: "farewell", bytes }, [bytes]);
  }

  sendTidings() {
    for (;;) {
      const len = this.engine.poll_tiding();
      if (len === 0) return;
      const bytes = this.read(len);
      this.port.postMessage({ type: "tiding", bytes }, [bytes]);
    }
  }

  levels() {
    const numbers = this.engine.levels();
    return this.buffers.levels.slice(0, numbers);
  }

  /** A copy of what came out. @param {number} len @returns {ArrayBuffer} */
  read(len) {
    const at = this.engine.output();
    return this.buffers.bytes.slice(at, at + len).buffer;
  }

  /** Writes what goes in, one after the other. @param {...Uint8Array} parts */
  write(...parts) {
    const { input } = this.buffers;
    let at = 0;
    for (const part of parts) {
      const fits = part.subarray(0, input.length - at);
      input.set(fits, at);
      at += fits.length;
    }
  }

  /** @param {import("./parts/protocol.js").ToWorklet} message */
  onMessage(message) {
    switch (message.type) {
      case "packet":
        this.write(new Uint8Array(message.bytes));
        this.engine.receive(message.at, message.lane ? 1 : 0, message.bytes.byteLength);
        break;
      case "call":
        this.call(message);
        break;
      case "encoder":
        this.encoder = message.port;
        this.advice = 0;
        this.encoder.onmessage = ({ data }) => this.onEncoded(data);
        break;
      case "microphone":
        this.listenTo(message.port);
        break;
      case "stats":
        this.sendStats(message.reply);
        break;
      case "end":
        this.running = false;
        break;
    }
    this.turn(now());
  }

  /** @param {import("./parts/protocol.js").Call} call */
  call({ name, args, bytes, reply }) {
    if (bytes) this.write(bytes);
    /** @type {(...args: number[]) => number} */
    const call = /** @type {any} */ (this.engine)[name];
    const value = TIMED.has(name) ? call(now(), ...args) : call(...args);
    if (reply !== undefined) this.port.postMessage({ type: "reply", reply, value });
  }

  /** @param {number} reply */
  sendStats(reply) {
    const bytes = this.read(this.engine.stats());
    this.port.postMessage({ type: "stats", reply, bytes, load: this.load.share }, [bytes]);
  }

  /** @param {import("./parts/protocol.js").FromEncoder} message */
  onEncoded({ packet, flags, spare }) {
    if (spare) this.spare.push(spare);
    if (!packet) return;
    const time = now();
    this.write(new Uint8Array(packet));
    this.engine.take_encoded(time, flags, packet.byteLength);
    this.turn(time);
  }
}

/** Views into wasm's memory. @param {import("./parts/protocol.js").Exports} engine */
function views({ memory: { buffer: memory }, input, microphone, left, right, pcm, levels_buffer }) {
  return {
    memory,
    bytes: new Uint8Array(memory),
    input: new Uint8Array(memory, input(), 4096),
    microphone: new Float32Array(memory, microphone(), 1024),
    left: new Float32Array(memory, left(), 1024),
    right: new Float32Array(memory, right(), 1024),
    pcm: new Int16Array(memory, pcm(), 2880),
    levels: new Float32Array(memory, levels_buffer(), 130),
    /** Parts of the buffers that are as long as a block. @type {Map<number, Float32Array[]>} */
    blocks: new Map(),
  };
}

registerProcessor("consonance", Processor);
