// Ten people speak at once, for 20 s; LOAD_SECONDS=600 makes it ten minutes.
import assert from "node:assert/strict";
import { stateIs, talk } from "./harness/bare.mjs";
import { launch } from "./harness/browser.mjs";
import { Native, Server, whyNoProgram } from "./harness/consonance.mjs";
import { babble } from "./harness/speech.mjs";
import { browserTest, figure, inTime } from "./harness/test.mjs";

const SECONDS = Number(process.env.LOAD_SECONDS ?? 20);
const LONGEST_TASK_MS = 50;
/** Of a core. */
const SPARED = 0.5;

browserTest("while ten people speak the page is not held up, has half a core to spare, and never runs dry", async (t) => {
  const server = await Server.start(t);
  for (let number = 1; number <= 10; number++) {
    const say = Array(Math.ceil(SECONDS / 5) + 8).fill(babble(number).file);
    Native.start(t, server, { name: `Udo ${number}`, say, seconds: SECONDS + 120 });
  }
  const chromium = await launch(t, { microphone: babble().file });
  const anna = await talk(chromium, server, { name: "Anna" });
  await stateIs(anna, "ten are there and sound", (state) => state.people.length === 10 && state.people.filter((other) => other.audible).length >= 8, null, 60);
  await anna.listen(2);
  const before = await cost(chromium, anna);
  await anna.page.waitForTimeout(SECONDS * 1_000);
  const after = await cost(chromium, anna);
  const cores = report(before, after);
  figure("share of real time that the audio thread works", after.load.toFixed(2));
  const longTasks = await anna.longTasks(before.at);
  await inTime(() => {
    assert.ok(after.packets - before.packets > SECONDS * 10 * 40, "ten people speak all the time");
    assert.deepEqual(longTasks.filter((ms) => ms > LONGEST_TASK_MS), [], "long tasks, ms");
    assert.equal(after.underruns - before.underruns, 0, "underruns of the playout");
    assert.equal(after.dry - before.dry, 0, "underruns of the loudspeaker");
    assert.ok(cores <= 1 - SPARED, `${cores.toFixed(2)} of a core`);
  });
}, [whyNoProgram]);

/** What the page has used until now: processor time by kind of process, s, and blocks that came too late. */
async function cost({ browser }, { page, tell }) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const used = {};
  for (const { type, cpuTime } of processInfo) used[type] = (used[type] ?? 0) + cpuTime;
  const dry = await page.evaluate(() => window.consonanceTests.ear.context.playbackStats?.underrunEvents ?? 0);
  const { people, load, underruns } = await tell("stats");
  const packets = people.reduce((sum, person) => sum + person.received, 0);
  return { at: await page.evaluate(() => performance.now()), used, dry, load, underruns, packets };
}

/** Prints shares of a core by kind of process, and gives that of the page's own. */
function report(before, after) {
  const seconds = (after.at - before.at) / 1_000;
  const share = (kind) => (after.used[kind] - (before.used[kind] ?? 0)) / seconds;
  figure(`of a core over ${seconds.toFixed(0)} s, ten people speaking`, Object.keys(after.used).map((kind) => `${kind} ${share(kind).toFixed(2)}`).join(", "));
  figure("underruns of the loudspeaker", after.dry - before.dry);
  return share("renderer");
}
