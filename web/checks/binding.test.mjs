// The binding's parts by themselves, with a browser that does what a test says. What a real one does is tested in web/tests.
import assert from "node:assert/strict";
import test from "node:test";

import { Connections } from "../parts/connection.js";
import { Engine } from "../parts/engine.js";
import { Microphone } from "../parts/microphone.js";
import { missing } from "../parts/missing.js";
import { Texts } from "../parts/texts.js";

const settle = () => new Promise((done) => setImmediate(done));

class Channel {
  readyState = "connecting";
  bufferedAmount = 0;
  sent = [];
  send(bytes) {
    if (this.full) throw new Error("full");
    this.sent.push(bytes);
  }
  open() {
    this.readyState = "open";
    this.onopen();
  }
}

class Peer {
  static all = [];
  connectionState = "new";
  channels = {};
  localDescription = { sdp: "offer" };
  constructor() {
    Peer.all.push(this);
  }
  createDataChannel(label, { id }) {
    return (this.channels[label] = Object.assign(new Channel(), { id }));
  }
  async setLocalDescription() {}
  async setRemoteDescription({ sdp }) {
    if (sdp !== "answer") throw new DOMException("no SDP", "OperationError");
  }
  close() {
    this.closed = true;
  }
}

/** Connections of a page, with what they told; `answer` is what the server says to an offer. */
function connections(answer = () => new Response("answer")) {
  Peer.all = [];
  const told = [];
  globalThis.RTCPeerConnection = Peer;
  globalThis.fetch = async (url, request) => {
    told.push("offer");
    return answer(url, request);
  };
  const owner = new Connections(new URL("http://server/offer"), {}, {
    up: () => told.push("up"),
    down: () => told.push("down"),
    message: (lane, bytes) => told.push([lane, bytes]),
    trouble: (words) => told.push(words),
  });
  return { owner, told };
}

async function opened() {
  const { owner, told } = connections();
  owner.want(1);
  await settle();
  const [peer] = Peer.all;
  peer.channels.voice.open();
  peer.channels.lane.open();
  return { owner, told, peer, ...peer.channels };
}

/** A message of the voice channel: a packet with this first byte. */
const message = (first, len = 60) => Uint8Array.of(len, first, ...new Array(len - 1).fill(0)).buffer;
const VOICE = 0x80, PING = 0x41;

test("a connection is up when both channels are open, and given up without a word", async () => {
  const { owner, told, peer } = await opened();
  assert.deepEqual(told, ["offer", "up"]);
  owner.want(-1);
  assert.ok(peer.closed);
  assert.deepEqual(told, ["offer", "up"]);
});

test("whatever ends a connection is told once", async () => {
  for (const end of [
    ({ lane }) => lane.onclose(),
    ({ peer }) => ((peer.connectionState = "failed"), peer.onconnectionstatechange()),
    ({ owner, lane }) => ((lane.full = true), owner.send(true, message(1))),
    ({ owner }) => owner.abandon(),
  ]) {
    const all = await opened();
    end(all);
    all.voice.onclose?.();
    all.owner.abandon();
    assert.deepEqual(all.told, ["offer", "up", "down"], String(end));
  }
});

test("a server that is busy is asked again when it said, and its trouble told once", async (t) => {
  t.mock.timers.enable({ apis: ["Date", "setTimeout"] });
  const { owner, told } = connections(() => new Response("busy\n", { status: 503, headers: { "Retry-After": "3" } }));
  owner.want(1);
  await settle();
  assert.deepEqual(told, ["offer", "The server takes no connection now: busy", "down"]);
  owner.want(2);
  t.mock.timers.tick(2_900);
  await settle();
  assert.equal(told.length, 3);
  t.mock.timers.tick(200);
  await settle();
  assert.deepEqual(told.slice(3), ["offer", "down"]);
});

test("a channel that doesn't open after the answer is given up", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { owner, told } = connections();
  owner.want(1);
  await settle();
  t.mock.timers.tick(4_900);
  assert.deepEqual(told, ["offer"]);
  t.mock.timers.tick(200);
  assert.deepEqual(told, ["offer", "down"]);
});

test("an answer that is none is told", async () => {
  const { owner, told } = connections(() => new Response("<html>"));
  owner.want(1);
  await settle();
  assert.match(told[1], /http:\/\/server\/offer answers is no answer to an offer/);
  assert.equal(told[2], "down");
});

test("voice that waits for long is left out, a burst and what isn't voice are not", async (t) => {
  const { owner, voice } = await opened();
  let now = 1_000;
  t.mock.method(performance, "now", () => now);
  const send = (bytes, waiting) => {
    voice.bufferedAmount = waiting;
    const before = voice.sent.length;
    owner.send(false, bytes);
    return voice.sent.length > before;
  };
  assert.ok(send(message(VOICE), 0));
  assert.ok(send(message(VOICE), 500), "a pre-roll comes at once");
  now += 200;
  assert.ok(!send(message(VOICE), 500));
  assert.ok(!send(Uint8Array.of(0x81, 0x2c, VOICE).buffer, 500), "with a length of two bytes");
  assert.ok(send(message(PING), 500));
  assert.ok(send(message(VOICE), 100), "less than 100 ms wait");
  assert.ok(send(message(VOICE), 0));
});

test("wishes are told again to every engine, and the last one about a thing holds", () => {
  const engine = new Engine();
  const told = [];
  engine.wish("muted", "set_muted", [1]);
  engine.wish("room Lobby", "join", [5]);
  engine.wish("muted", "set_muted", [0]);
  engine.call("whisper", [7, 1]);
  engine.forget("nothing");
  for (let round = 0; round < 2; round++) engine.attach(({ name, args }) => told.push([name, ...args]));
  const wanted = [["join", 5], ["set_muted", 0]];
  assert.deepEqual(told, [...wanted, ...wanted]);
});

test("an engine that goes answers what it was asked", async () => {
  const engine = new Engine();
  assert.equal(await engine.ask("join", []), undefined);
  const posted = [];
  engine.attach((message) => posted.push(message));
  const [first, second] = [engine.ask("a", []), engine.ask("b", [])];
  engine.answer(posted[0].reply, -3);
  engine.attach(null);
  assert.deepEqual([await first, await second], [-3, undefined]);
});

test("a text is sent unless it is said why not", async (t) => {
  const engine = new Engine();
  const texts = new Texts(engine);
  assert.equal(await texts.send({ room: "Lobby" }, "x"), "not connected");
  let number = 4;
  engine.attach(({ reply }) => setImmediate(() => engine.answer(reply, number)));
  texts.rttMs = -300;
  assert.equal(await texts.send({ room: "Lobby" }, "x"), null);
  texts.rttMs = 1_000;
  const refused = texts.send({ person: 7 }, "x");
  setTimeout(() => texts.settle(4, "nobody was there to read it"), 20);
  assert.equal(await refused, "nobody was there to read it");
  number = -2;
  assert.equal(await texts.send({ person: 7 }, ""), "a text has 1 to 2,000 bytes");
});

/** A microphone, and a browser that answers requests for one as told. */
function microphone(answers, sampleRate = 44_100, others = []) {
  const states = [];
  const track = (deviceId) => ({ muted: false, stop() { this.stopped = true; }, getSettings: () => ({ deviceId, groupId: "a", sampleRate }) });
  const asked = [];
  globalThis.AudioEncoder = class {};
  const mediaDevices = {
    getUserMedia: async ({ audio }) => {
      asked.push(audio);
      const answer = answers.shift();
      if (typeof answer === "string") throw new DOMException("", answer);
      await answer?.wait;
      const one = track(audio.deviceId?.exact ?? "default");
      return { getAudioTracks: () => [one], getTracks: () => [one] };
    },
    addEventListener() {},
    removeEventListener() {},
    enumerateDevices: async () => [{ kind: "audioinput", deviceId: "default", groupId: "b" }, ...others],
  };
  Object.defineProperty(globalThis, "navigator", { value: { mediaDevices }, configurable: true });
  return { made: new Microphone((state) => states.push(state)), states, asked };
}

test("what came of asking for a microphone is said in a word", async () => {
  for (const [error, state] of [["NotAllowedError", "denied"], ["NotFoundError", "missing"], ["NotReadableError", "busy"], ["Surprise", "busy"]]) {
    const { made, states } = microphone([error]);
    assert.equal(await made.use({}), state);
    assert.deepEqual(states, ["asking", state]);
  }
});

test("a microphone whose device goes away is replaced by the usual one", async () => {
  const { made, states, asked } = microphone([undefined, undefined]);
  await made.use({ deviceId: "headset", noiseSuppression: false });
  made.stream.getAudioTracks()[0].onended();
  await settle();
  assert.deepEqual(asked.map(({ deviceId, noiseSuppression }) => [deviceId?.exact, noiseSuppression]), [["headset", false], [undefined, false]]);
  assert.deepEqual(states, ["asking", "on"]);
  made.drop();
  assert.equal(made.state, "off");
});

test("another usual microphone is followed", async () => {
  const { made, asked } = microphone([undefined, undefined]);
  await made.use({});
  await made.look();
  assert.equal(asked.length, 2);
});

const devicesIn = (asked) => asked.map(({ deviceId }) => deviceId?.exact);

test("a microphone that isn't plugged in is replaced by the usual one, and taken when it comes", async () => {
  for (const error of ["OverconstrainedError", "NotFoundError"]) {
    const plugged = [];
    const { made, asked } = microphone([error, undefined, undefined], 44_100, plugged);
    assert.equal(await made.use({ deviceId: "headset" }), "on");
    assert.deepEqual(devicesIn(asked), ["headset", undefined]);
    await made.look();
    assert.equal(asked.length, 2);
    plugged.push({ kind: "audioinput", deviceId: "headset", groupId: "c" });
    await made.look();
    await settle();
    await made.look();
    assert.deepEqual(devicesIn(asked), ["headset", undefined, "headset"]);
  }
  const { made, states } = microphone(["OverconstrainedError", "NotFoundError"]);
  assert.equal(await made.use({ deviceId: "headset" }), "missing");
  assert.deepEqual(states, ["asking", "missing"]);
});

test("a microphone is kept until another one is there", async () => {
  const { made, states } = microphone([undefined, "NotReadableError", undefined]);
  await made.use({});
  const [first] = made.stream.getTracks();
  assert.equal(await made.use({ deviceId: "busy one" }), "busy");
  assert.ok(!first.stopped);
  assert.equal(await made.use({ deviceId: "free one" }), "on");
  assert.ok(first.stopped);
  assert.deepEqual(states, ["asking", "on"]);
});

test("what is being said ends when the system or the browser mutes the microphone, which comes back by itself", async () => {
  const { made, states } = microphone([undefined], 48_000);
  const { sound, told } = audioThread();
  made.connect(sound);
  await made.use({});
  const [track] = made.stream.getTracks();
  track.muted = true;
  track.onmute();
  assert.deepEqual(told, [["microphone", true], ["microphone", false]]);
  made.connect(sound);
  assert.equal(told.length, 2, "nor is it handed over while it is muted");
  track.muted = false;
  track.onunmute();
  assert.deepEqual(told.slice(2), [["microphone", true]]);
  assert.deepEqual(states, ["asking", "on", "paused", "on"]);
});

test("of two requests the last one counts, however they are answered", async () => {
  let release;
  const { made } = microphone([{ wait: new Promise((done) => (release = done)) }, undefined]);
  const first = made.use({ deviceId: "slow" });
  await made.use({ deviceId: "quick" });
  const kept = made.stream;
  release();
  await first;
  assert.equal(made.stream, kept);
  assert.ok(!kept.getTracks()[0].stopped);
});

/** An audio thread, and workers, that note what is done with them. */
function audioThread() {
  const [told, blocks, workers] = [[], [], []];
  globalThis.Worker = class {
    constructor(url) {
      this.url = url;
      workers.push(this);
    }
    postMessage(message, transfer) {
      Object.assign(this, { message, transfer });
    }
    terminate() {
      this.over = true;
    }
  };
  globalThis.MediaStreamTrackProcessor = class {
    readable = new ReadableStream();
  };
  const source = { connect: () => blocks.push("on"), disconnect: () => blocks.push("off") };
  const sound = { base: new URL("https://game.example/voice/"), node: {}, context: { createMediaStreamSource: () => source } };
  return { sound: { ...sound, post: ({ type, port }) => told.push([type, port !== null]) }, told, blocks, workers };
}

test("a microphone's sound goes to the audio thread by a worker, until it is dropped", async () => {
  const { made } = microphone([undefined], 48_000);
  const { sound, told, blocks, workers } = audioThread();
  made.connect(sound);
  await made.use({});
  assert.equal(workers[0].url.href, "https://game.example/voice/capture.js");
  assert.deepEqual(workers[0].transfer, [workers[0].message.track, workers[0].message.port]);
  assert.deepEqual(told, [["microphone", true]]);
  made.drop();
  assert.ok(workers[0].over);
  assert.deepEqual([told, blocks], [[["microphone", true], ["microphone", false]], []]);
});

test("it comes with the blocks where the worker can't take it, from the beginning or from another device on", async () => {
  const other = microphone([undefined], 44_100);
  const { sound, blocks, workers } = audioThread();
  other.made.connect(sound);
  await other.made.use({});
  assert.deepEqual([blocks, workers], [["on"], []]);

  const { made } = microphone([undefined], 48_000);
  const thread = audioThread();
  made.connect(thread.sound);
  await made.use({});
  thread.workers[0].onmessage({ data: "unfit" });
  assert.ok(thread.workers[0].over);
  assert.deepEqual([thread.told.at(-1), thread.blocks], [["microphone", false], ["on"]]);
  made.drop();
  thread.workers[0].onmessage({ data: "unfit" });
  assert.deepEqual(thread.blocks, ["on", "off"], "what comes too late changes nothing");
});

const ADVICE = 24_000 | 5 << 17 | 1 << 22 | 60 << 23;

/** The worker that encodes, and what it did: encoders made, with what each was told, and what it said to the page. */
async function encoder() {
  const [made, told, packets] = [[], [], []];
  globalThis.AudioData = class {
    close() {}
  };
  globalThis.AudioEncoder = class {
    frames = 0;
    constructor({ output, error }) {
      Object.assign(this, { output, error });
      made.push(this);
    }
    configure(config) {
      this.config = config;
    }
    encode() {
      this.frames++;
    }
  };
  globalThis.self = { postMessage: (message) => told.push(message) };
  await import(`../encoder.js?${Math.random()}`);
  const port = { postMessage: (message) => packets.push(message) };
  globalThis.self.onmessage({ data: { port } });
  return { made, told, packets, say: (data) => port.onmessage({ data }), frame: () => port.onmessage({ data: { pcm: new ArrayBuffer(1_920), flags: 1 } }) };
}

test("an encoder that fails is replaced by another one that is told the same, and that by one that is asked for less", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { made, told, packets, say, frame } = await encoder();
  say({ advice: ADVICE });
  frame();
  made[0].error(new Error("died"));
  frame();
  assert.equal(packets.filter(({ spare }) => spare).length, 2, "buffers come back without an encoder, too");
  t.mock.timers.tick(100);
  assert.deepEqual(made[1].config, made[0].config);
  assert.equal(made[1].config.opus.frameDuration, 60_000);
  made[1].error(new Error("died"));
  t.mock.timers.tick(1_000);
  assert.deepEqual(made[2].config, { codec: "opus", sampleRate: 48_000, numberOfChannels: 1, bitrate: 24_000 });
  frame();
  made[2].output({ byteLength: 3, copyTo() {} });
  assert.deepEqual([made[2].frames, packets.at(-1).flags, packets.at(-1).packet.byteLength], [1, 1, 3], "a packet for each 20 ms");
  assert.deepEqual(told, []);
});

test("an encoder is given up after four failures in a row, but not of one that has worked for long", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const { made, told, say } = await encoder();
  say({ advice: ADVICE });
  for (const wait of [100, 1_000, 5_000]) {
    made.at(-1).error(new Error("died"));
    t.mock.timers.tick(wait - 1);
    const { length } = made;
    say({ advice: ADVICE });
    t.mock.timers.tick(1);
    assert.equal(made.length, length + 1, "not before it is time");
  }
  now += 60_000;
  made.at(-1).error(new Error("died"));
  t.mock.timers.tick(100);
  for (const wait of [1_000, 5_000, 0]) {
    made.at(-1).error(new Error("died"));
    t.mock.timers.tick(wait);
  }
  assert.deepEqual(told, [{ failed: "died" }]);
  assert.equal(made.length, 7);
});

/** A voice in a browser that has everything, and what it said; what fails there is told by the node and the workers. */
async function voice(t) {
  microphone([undefined, undefined]);
  const all = { contexts: 0, node: null, workers: audioThread().workers, states: [], notices: [] };
  const listeners = { addEventListener() {}, removeEventListener() {} };
  Object.assign(globalThis, {
    isSecureContext: true,
    RTCPeerConnection: Peer,
    fetch: async () => new Response("wasm"),
    document: { baseURI: "https://game.example/", ...listeners },
    ...listeners,
    AudioContext: class {
      state = "running";
      audioWorklet = { addModule: async () => {} };
      constructor() {
        all.contexts++;
      }
      createGain = () => ({ connect() {} });
      createMediaStreamSource = () => ({ connect() {}, disconnect() {} });
      async close() {}
    },
    AudioWorkletNode: class {
      port = { postMessage() {} };
      constructor() {
        all.node = this;
      }
      connect() {}
    },
  });
  const { Voice } = await import("../consonance.js");
  const voice = new Voice({ name: "Anna" });
  voice.addEventListener("state", ({ detail: { status, reason } }) => all.states.push(`${status} ${reason}`));
  voice.addEventListener("notice", ({ detail }) => all.notices.push(detail));
  await voice.start();
  await voice.useMicrophone();
  t.after(() => voice.stop());
  return Object.assign(all, { voice });
}

test("an audio thread that fails at once ends the attempt with a reason, and one that fails later is started again", async (t) => {
  const first = await voice(t);
  await first.node.onprocessorerror();
  assert.equal(first.states.at(-1), "disconnected audio-failed");
  assert.equal(first.contexts, 1);

  const later = await voice(t);
  const { now } = Date;
  t.mock.method(Date, "now", () => now() + 60_000);
  await later.node.onprocessorerror();
  assert.equal(later.contexts, 2);
  assert.ok(!later.states.includes("disconnected audio-failed"));
  assert.equal(later.voice.state.microphone, "on");
});

test("a voice that is stopped while it starts again stays so", async (t) => {
  const all = await voice(t);
  const { now } = Date;
  t.mock.method(Date, "now", () => now() + 60_000);
  const again = all.node.onprocessorerror();
  all.voice.stop();
  await again;
  assert.equal(all.contexts, 1);
  assert.equal(all.voice.state.microphone, "off");
});

test("without an encoder one listens, and what is missing is said, until one begins anew", async (t) => {
  for (const fails of [(worker) => worker.onmessage({ data: { failed: "died" } }), (worker) => worker.onerror({ message: "" })]) {
    const { voice: mute, workers, notices } = await voice(t);
    fails(workers[0]);
    assert.equal(mute.state.microphone, "unsupported");
    assert.equal(await mute.useMicrophone(), "unsupported");
    assert.deepEqual(missing().talk, ["an encoder for Opus that works"]);
    assert.match(notices[0], /stopped encoding/);
    await mute.stop();
    assert.deepEqual(missing().talk, []);
  }
});
