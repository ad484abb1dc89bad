// Ten people speak at once to the page for people, for 20 s; LOAD_SECONDS=600 makes it ten minutes.
import assert from "node:assert/strict";
import { launch } from "./harness/browser.mjs";
import { Native, Server, whyNoProgram } from "./harness/consonance.mjs";
import { activate, enter } from "./harness/page.mjs";
import { babble } from "./harness/speech.mjs";
import { browserTest, figure, inTime, until } from "./harness/test.mjs";

const SECONDS = Number(process.env.LOAD_SECONDS ?? 20);
const SPEAKERS = 10;
const LONGEST_TASK_MS = 50;
/** Of a core. */
const SPARED = 0.5;

browserTest("while ten people speak the page is not held up, has half a core to spare, and never runs dry", async (t) => {
  const server = await Server.start(t);
  for (let number = 1; number <= SPEAKERS; number++) {
    const say = Array(Math.ceil(SECONDS / 5) + 16).fill(babble(number).file);
    Native.start(t, server, { name: `Udo ${number}`, say, seconds: SECONDS + 120 });
  }
  const chromium = await launch(t, { microphone: babble().file });
  const anna = await enter(chromium, server, { name: "Anna" });
  await activate(anna, "open");
  // Not quite all: each has short pauses.
  await until("nearly all of them sound", async () => (await sounding(anna)) > 0.8 * SPEAKERS, 90);
  await anna.listen(2);
  const before = await cost(chromium, anna);
  const speakers = await meanSounding(anna);
  const after = await cost(chromium, anna);
  const cores = report(before, after);
  figure("speakers on the average, and share of real time that the audio thread works", `${speakers.toFixed(1)}, ${after.load.toFixed(2)}`);
  const longTasks = await anna.longTasks(before.at);
  await inTime(() => {
    assert.ok(speakers > 0.8 * SPEAKERS, `${speakers} speakers on the average`);
    assert.deepEqual(longTasks.filter((ms) => ms > LONGEST_TASK_MS), [], "long tasks, ms");
    assert.equal(after.underruns - before.underruns, 0, "underruns of the playout");
    assert.equal(after.dry - before.dry, 0, "underruns of the loudspeaker");
    assert.ok(cores <= 1 - SPARED, `${cores.toFixed(2)} of a core`);
  });
}, [whyNoProgram], SECONDS + 220);

const sounding = ({ page }) => page.evaluate(() => document.querySelectorAll("#people > .sounding").length);

/** How many sound, looked at each second. */
async function meanSounding(person) {
  let sum = 0;
  for (let second = 0; second < SECONDS; second++) {
    await person.page.waitForTimeout(1_000);
    sum += await sounding(person);
  }
  return sum / SECONDS;
}

/** What the page has used until now: processor time by kind of process, s, and blocks that came too late. */
async function cost({ browser }, { page }) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const used = {};
  for (const { type, cpuTime } of processInfo) used[type] = (used[type] ?? 0) + cpuTime;
  const inside = await page.evaluate(async () => {
    const { app } = await import("/page/app.js");
    const { load, underruns } = await app.voice.stats();
    const dry = window.consonanceTests.ear.context.playbackStats?.underrunEvents ?? 0;
    return { load, underruns, dry, at: performance.now() };
  });
  return { used, ...inside };
}

/** Prints shares of a core by kind of process, and gives that of the page's own. */
function report(before, after) {
  const seconds = (after.at - before.at) / 1_000;
  const share = (kind) => (after.used[kind] - (before.used[kind] ?? 0)) / seconds;
  figure(`of a core over ${seconds.toFixed(0)} s, ten people speaking`, Object.keys(after.used).map((kind) => `${kind} ${share(kind).toFixed(2)}`).join(", "));
  figure("underruns of playout and loudspeaker", `${after.underruns - before.underruns}, ${after.dry - before.dry}`);
  return share("renderer");
}
