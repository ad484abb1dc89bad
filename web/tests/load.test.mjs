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
/** Of a core, at most: what is wanted is half of one, which PERFORMANCE.md has; a machine may be slower by half. */
const MOST_CORES = 0.75;
/** In which the playout looks for underruns: web/src/sound_clock.rs. */
const WINDOW_MS = 2_000;

browserTest("while ten people speak the page is not held up, leaves the machine time, and never runs dry", async (t, machine) => {
  const server = await Server.start(t);
  for (let number = 1; number <= SPEAKERS; number++) {
    const say = Array(Math.ceil(SECONDS / 5) + 16).fill(babble(number).file);
    Native.start(t, server, { name: `Udo ${number}`, say, seconds: SECONDS + 120 });
  }
  // Nobody records: that costs, too.
  const chromium = await launch(t, { microphone: babble().file, ears: false });
  const anna = await enter(chromium, server, { name: "Anna" });
  await activate(anna, "open");
  // Not quite all: each has short pauses.
  await until("nearly all of them sound", async () => (await sounding(anna)) > 0.8 * SPEAKERS, 90);
  await anna.page.evaluate(watchTasks);
  const seconds = [await cost(chromium, anna)];
  for (let second = 0; second < SECONDS; second++) {
    await anna.page.waitForTimeout(1_000);
    seconds.push(await cost(chromium, anna));
  }
  const [before, after] = [seconds[0], seconds.at(-1)];
  const speakers = seconds.reduce((sum, { sounding }) => sum + sounding, 0) / seconds.length;
  const cores = report(before, after);
  figure("speakers on the average, and share of real time that the audio thread works", `${speakers.toFixed(1)}, ${after.load.toFixed(2)}`);
  const dry = drySeconds(seconds, machine);
  const longTasks = (await anna.page.evaluate(() => window.longTasks)).map((task) => ({ ...task, held: machine.paused(task.from, task.from + task.ms) }));
  figure("tasks of the page of more than 50 ms", longTasks.map(({ ms, held }) => `${ms} ms${held ? " (the machine stood still)" : ""}`).join(", ") || "none");
  assert.ok(speakers > 0.8 * SPEAKERS, `${speakers} speakers on the average`);
  await inTime(() => {
    assert.deepEqual(longTasks.filter(({ ms, held }) => ms > LONGEST_TASK_MS && !held), [], "long tasks");
    assert.deepEqual(dry.filter(({ held }) => !held), [], "seconds in which playout or loudspeaker ran dry");
    assert.ok(cores <= MOST_CORES, `${cores.toFixed(2)} of a core`);
  });
}, [whyNoProgram], SECONDS + 220);

const sounding = ({ page }) => page.evaluate(() => document.querySelectorAll("#people > .sounding").length);

/** In the page: notes its long tasks, with the time in ms since 1970. */
function watchTasks() {
  window.longTasks = [];
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) window.longTasks.push({ from: performance.timeOrigin + startTime, ms: duration });
  }).observe({ type: "longtask" });
}

/** The seconds in which a block came too late, and whether the machine stood still then: for the playout's count, which looks at windows of 2 s, before them, too. */
function drySeconds(seconds, machine) {
  const found = { underruns: [], dry: [] };
  const before = { underruns: 2 * WINDOW_MS, dry: 100 };
  for (const [last, second] of seconds.slice(1).entries()) {
    for (const kind of Object.keys(found)) {
      const blocks = second[kind] - seconds[last][kind];
      if (blocks > 0) found[kind].push({ kind, blocks, held: machine.paused(seconds[last].at - before[kind], second.at) });
    }
  }
  const sum = (some) => some.reduce((sum, { blocks }) => sum + blocks, 0);
  const words = Object.values(found).map((all) => `${sum(all)}, of which ${sum(all.filter(({ held }) => held))} while the machine stood still`);
  figure("underruns of the playout, and of the loudspeaker", words.join("; "));
  return Object.values(found).flat();
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
    const dry = app.voice.context.playbackStats?.underrunEvents ?? 0;
    const sounding = document.querySelectorAll("#people > .sounding").length;
    return { load, underruns, dry, sounding, at: Date.now() };
  });
  return { used, ...inside };
}

/** Prints shares of a core by kind of process, and gives that of the page's own. */
function report(before, after) {
  const seconds = (after.at - before.at) / 1_000;
  const share = (kind) => (after.used[kind] - (before.used[kind] ?? 0)) / seconds;
  figure(`of a core over ${seconds.toFixed(0)} s, ten people speaking`, Object.keys(after.used).map((kind) => `${kind} ${share(kind).toFixed(2)}`).join(", "));
  return share("renderer");
}
