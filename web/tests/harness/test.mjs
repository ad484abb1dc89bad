/**
 * The tests' own words around `node:test`: a test that can't run says loudly why, and nothing waits for a time, only for something to be true.
 */
import { test } from "node:test";
import { whyNoBrowser } from "./browser.mjs";
import { Machine } from "./machine.mjs";

/** A test in a browser, which is told what the machine does meanwhile; `needs` are functions that say why it can't run here, or null. After so many seconds it has failed. */
export function browserTest(name, body, needs = [], seconds = 240) {
  test(name, { timeout: seconds * 1_000 }, async (t) => {
    for (const why of [whyNoBrowser, ...needs].map((need) => need()).filter(Boolean)) return skip(t, name, why);
    const machine = new Machine(t);
    try {
      await body(t, machine);
    } catch (error) {
      const excuse = error.needsTime && machine.excuse();
      if (!excuse) throw error;
      skip(t, name, `${excuse}; ${error.message}`);
    }
  });
}

/** What is asserted in here holds only on a machine that isn't busy with something else; there it counts. */
export async function inTime(assertions) {
  try {
    await assertions();
  } catch (error) {
    throw Object.assign(error, { needsTime: true });
  }
}

function skip(t, name, why) {
  console.log(`SKIPPED: ${name}: ${why}`);
  t.skip(why);
}

/** A figure for the one who reads the test's output. */
export function figure(what, value) {
  console.log(`figure: ${what}: ${value}`);
}

/** Waits until `condition` gives something truthy, and returns it. */
export async function until(what, condition, seconds = 30) {
  const end = Date.now() + seconds * 1_000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((later) => setTimeout(later, 100));
  }
}
