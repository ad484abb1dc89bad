// For everybody: screen readers, keyboards, small screens, light and dark.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { pageTest, PHONE, WIDE } from "./harness.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PAGE = fileURLToPath(new URL("../../page/", import.meta.url));
const people = [
  { id: 2, name: "Anna", audible: true, speaking: true }, { id: 3, name: "Ben", muted: true, unheard: "muted-themselves" }, { id: 4, name: "Cem", speaking: true, unheard: "lost" },
  { id: 5, name: "Dagmar with a very long name that has no end but this one at last", reconnecting: true }, { id: 9, name: "Scout", rooms: [7], unheard: "not-in-my-room" },
];
const VIEWS = ["people", "texts", "map", "sound", "line"];

/** Colours that fade in or out would be measured half-way. */
const faults = (page) => page.evaluate(async () => {
  const { violations } = await globalThis.axe.run({ resultTypes: ["violations"] });
  return violations.map(({ id, impact, nodes }) => `${id} (${impact}): ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
});

async function inspect(page, where, found) {
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(AXE);
  for (const fault of await faults(page)) found.push(`${where}: ${fault}`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (over > 0) found.push(`${where}: ${over} px too wide`);
}

async function walkThrough(page) {
  const found = [];
  await inspect(page, "door", found);
  await page.click("#join");
  await inspect(page, "door without a name", found);
  await page.joins();
  await page.click("#people > li:first-child .person-more");
  await page.mock("text", { from: 2, name: "Anna", room: 1, text: "Hello" });
  await page.mock("levels", -30, true, { 2: -30 });
  for (const view of VIEWS) {
    if (!(await page.isVisible(`#tab-${view}`))) continue;
    await page.click(`#tab-${view}`);
    if (view === "map") await page.click("#map-circle");
    await inspect(page, view, found);
  }
  await page.mock("state", { status: "reconnecting", reason: "transport-down", sound: "suspended" });
  await page.check("[value=push]");
  await page.click("#mute");
  await inspect(page, "reconnecting", found);
  assert.deepEqual(found, []);
}

for (const [size, viewport] of [["wide", WIDE], ["narrow", PHONE]]) {
  for (const colorScheme of ["light", "dark"]) {
    pageTest(`no fault is found on a ${size} ${colorScheme} page, nor does it scroll sideways`, walkThrough, { viewport, colorScheme, plan: { people }, touch: viewport === PHONE });
  }
}

pageTest("everything to touch is 44 px high on a phone", async (page) => {
  await page.joins();
  const small = [];
  for (const view of VIEWS) {
    await page.click(`#tab-${view}`);
    small.push(...await page.evaluate(() => [...document.querySelectorAll("button, select, input:not([type=checkbox], [type=radio], [type=range]), textarea, label.switch, summary")]
      .filter((element) => element.checkVisibility()).filter((element) => element.getBoundingClientRect().height < 43.5).map((element) => `${element.id || element.className}: ${element.getBoundingClientRect().height}`)));
  }
  assert.deepEqual(small, []);
}, { viewport: PHONE, touch: true, plan: { people } });

pageTest("the views are reached by arrow keys, and everything by the tab key with a focus that shows", async (page) => {
  await page.joins();
  await page.focus("#tab-texts");
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "tab-map");
  assert.equal(await page.isVisible("#map-view"), true);
  const seen = new Set();
  for (let step = 0; step < 40; step++) {
    await page.keyboard.press("Tab");
    const [id, outline] = await page.evaluate(() => {
      const element = document.activeElement;
      const shown = element?.matches("input[type=radio]") ? element.nextElementSibling : element;
      return [element?.id || element?.className || "", shown ? getComputedStyle(shown).outlineWidth : ""];
    });
    if (id) assert.equal(outline, "3px", `the focus on ${id} doesn't show`);
    seen.add(id);
  }
  for (const id of ["copy-link", "leave-all", "more-room", "mute", "deafen", "threshold", "map-circle"]) assert.ok(seen.has(id), `${id} isn't reached`);
}, { plan: { people: people.slice(0, 2) } });

pageTest("nothing moves for those who don't want it", async (page) => {
  await page.joins();
  await page.mock("levels", -20, true, { 2: -10 });
  const transform = await page.evaluate(() => getComputedStyle(document.querySelector("#people .avatar"), "::after").transform);
  assert.equal(transform, "none");
}, { plan: { people }, reducedMotion: "reduce" });

pageTest("two hundred people, ten of whom speak, are drawn without holding up the page", async (page) => {
  await page.joins();
  const times = await page.evaluate(async () => {
    const crowd = Array.from({ length: 200 }, (_, index) => ({ id: index + 1, name: `Person ${index}` }));
    const times = [];
    mock.people(crowd);
    for (let round = 0; round < 60; round++) {
      const speaking = new Set(Array.from({ length: 10 }, (_, index) => (round * 7 + index) % 200));
      const begin = performance.now();
      mock.people(crowd.map((person, index) => ({ ...person, audible: speaking.has(index), speaking: speaking.has(index) })));
      mock.levels(-30, true, Object.fromEntries([...speaking].map((index) => [index + 1, -20 - (index % 20)])));
      document.body.getBoundingClientRect();
      times.push(performance.now() - begin);
      await new Promise((next) => setTimeout(next, 5));
    }
    return times.sort((one, other) => one - other);
  });
  const median = times[30];
  console.log(`  an update takes ${median.toFixed(1)} ms at the median, ${times.at(-1).toFixed(1)} ms at most`);
  // The longest may be another program's turn on the processor.
  assert.ok(median < 50, `${median} ms`);
});

test("the page is at most 48 KB on the wire", () => {
  const bytes = readdirSync(PAGE).map((name) => gzipSync(readFileSync(PAGE + name), { level: 9 }).length).reduce((sum, size) => sum + size);
  console.log(`  ${bytes} B gzipped`);
  assert.ok(bytes <= 48_000, `${bytes} B`);
});

test("every part of the page is asked for at once", () => {
  const html = readFileSync(`${PAGE}index.html`, "utf8");
  const ahead = [...html.matchAll(/<link rel="modulepreload" href="page\/([\w-]+\.js)">/g)].map(([, name]) => name);
  assert.deepEqual([...ahead, "check.js", "main.js"].sort(), readdirSync(PAGE).filter((name) => name.endsWith(".js")).sort());
});

test("no script and no style stands in the page itself", () => {
  const html = readFileSync(`${PAGE}index.html`, "utf8");
  assert.doesNotMatch(html, /\sstyle=|<style|\son\w+=|<script(?![^>]*\ssrc=)/);
  assert.doesNotMatch(html + readFileSync(`${PAGE}page.css`, "utf8"), /https?:|url\(/);
});
