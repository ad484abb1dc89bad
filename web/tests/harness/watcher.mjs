// Wants nothing but to be woken every other millisecond, and says when it wasn't: from when on, ms since 1970, and for how many ms. machine.mjs starts one for each processor.
const TURN_MS = 2;
const WORTH_SAYING_MS = 5;
const never = new Int32Array(new SharedArrayBuffer(4));

for (let due = performance.now() + TURN_MS; ; due = performance.now() + TURN_MS) {
  Atomics.wait(never, 0, 0, TURN_MS);
  const late = performance.now() - due;
  if (late > WORTH_SAYING_MS) process.stdout.write(`${performance.timeOrigin + due} ${late}\n`);
}
