// The wasm imports nothing, does what processor.js asks of it, and no number or byte that it is given makes it trap.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

const path = process.env.CONSONANCE_WASM ?? new URL("../consonance.wasm", import.meta.url);
const module = await WebAssembly.compile(await readFile(path));

/** An instance, and what processor.js does with its buffers. */
function instance() {
  const engine = new WebAssembly.Instance(module).exports;
  const bytes = (at, len) => new Uint8Array(engine.memory.buffer, at, len);
  return {
    engine,
    write: (text) => {
      const encoded = typeof text === "string" ? new TextEncoder().encode(text) : text;
      bytes(engine.input(), 4096).set(encoded.subarray(0, 4096));
      return encoded.length;
    },
    read: (len) => bytes(engine.output(), len).slice(),
    text: (len) => new TextDecoder().decode(bytes(engine.output(), len)),
  };
}

/** Equal numbers in every run. */
function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
}

const START = 1.7e15;

function joining() {
  const made = instance();
  const { engine, write } = made;
  assert.equal(engine.create(1, 2, write("Scout"), 0, 24_000), 1);
  engine.connect(START);
  return made;
}

test("the module imports nothing", () => {
  const imports = WebAssembly.Module.imports(module).map(({ module, name, kind }) => `${module}.${name} (${kind})`);
  assert.deepEqual(imports, []);
});

test("a client asks for a connection, says hello, and tells its state", () => {
  const { engine, text, read } = joining();
  assert.equal(engine.transport_wanted(), 1);
  engine.transport_up(START + 10_000);
  const due = engine.turn(START + 10_000);
  assert.equal(due & 3, 3, "messages and tidings");
  const len = engine.poll_message(START + 10_000);
  assert.ok(len !== 0 && read(Math.abs(len)).length === Math.abs(len));
  const state = JSON.parse(text(engine.poll_tiding()));
  assert.deepEqual([state.kind, state.status, state.reason, state.me.name], ["state", "joining", "transport-up", "Scout"]);
  assert.equal(engine.poll_tiding(), 0);
  assert.equal(JSON.parse(text(engine.stats())).rttMs, null);
});

test("an attempt that nobody answers is given up, and another one begun", () => {
  const { engine } = joining();
  const attempts = new Set();
  for (let second = 0; second < 120; second++) {
    engine.turn(START + second * 1e6);
    attempts.add(engine.transport_wanted());
  }
  assert.ok(attempts.has(-1) && attempts.has(1) && attempts.has(2) && attempts.size > 4, [...attempts].join());
});

test("a microphone's sound comes out as frames of 20 ms while one hears oneself", () => {
  const { engine } = joining();
  engine.set_activation(2);
  engine.set_hear_self(1);
  const microphone = new Float32Array(engine.memory.buffer, engine.microphone(), 128);
  let frames = 0;
  for (let block = 0; block < 375; block++) {
    microphone.forEach((_, at) => (microphone[at] = Math.sin((block * 128 + at) / 10) / 4));
    engine.render(START + block * 2_667, block * 128, 128);
    engine.take_microphone(128);
    for (let frame = engine.next_frame(); frame !== 0; frame = engine.next_frame()) {
      assert.equal(frame >>> 3, 960);
      assert.equal(frame & 7, 2, "for oneself alone: nobody else is there");
      frames++;
    }
  }
  assert.ok(frames >= 48 && frames <= 50, `${frames} frames in a second`);
});

test("no number and no byte makes it trap", () => {
  const next = random(7);
  const numbers = [() => next(), () => -next(), () => next() % 70, () => NaN, () => Infinity, () => -0.5, () => START + next(), () => 2 ** 60];
  for (const begin of [instance, joining]) {
    const { engine, write } = begin();
    const calls = Object.entries(engine).filter(([, value]) => typeof value === "function");
    for (let round = 0; round < 400; round++) {
      for (const [name, call] of calls) {
        // Once is enough, and a second of sound.
        if (name === "create" && round % 40 !== 1) continue;
        write(Uint8Array.from({ length: next() % 300 }, () => next() >>> 24));
        const args = Array.from({ length: call.length }, () => numbers[next() % numbers.length]());
        assert.doesNotThrow(() => call(...args), `${name}(${args.join(", ")})`);
      }
    }
  }
});

test("garbage from the server changes nothing", () => {
  const { engine, write } = joining();
  engine.transport_up(START);
  const next = random(3);
  for (let round = 0; round < 20_000; round++) {
    const len = write(Uint8Array.from({ length: next() % 60 }, () => next() >>> 24));
    engine.receive(START + round, round & 1, len);
  }
  engine.turn(START + 20_000);
  assert.equal(engine.transport_wanted(), 1);
});
