/**
 * Pictures of the page, for the README and for looking at:
 *
 *     node screenshots.mjs DIRECTORY
 */

import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";
import { serve } from "./serve.mjs";

const [directory = "."] = process.argv.slice(2);
const PEOPLE = [
  { id: 2, name: "Anna Berg", speaking: true, audible: true }, { id: 3, name: "Medic", muted: true, unheard: "muted-themselves" }, { id: 4, name: "Scout" },
  { id: 6, name: "Cem Yıldız", reconnecting: true, unheard: "reconnecting" }, { id: 7, name: "Ingrid", speaking: true, audible: true }, { id: 9, name: "Old Tom", rooms: [7], unheard: "not-in-my-room" },
];
const TEXTS = [
  { from: 4, name: "Scout", room: 1, text: "Two of them behind the mill. I wait for you." },
  { from: 2, name: "Anna Berg", room: 1, text: "On my way. Medic, can you hear us?" },
  { from: 3, name: "Medic", room: null, text: "Just for you: my microphone is off, the baby sleeps." },
];

mkdirSync(directory, { recursive: true });
const { url, close } = await serve();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
for (const colorScheme of ["light", "dark"]) {
  await picture("wide", { viewport: { width: 1280, height: 800 }, colorScheme }, "map");
  await picture("narrow", { viewport: { width: 360, height: 740 }, colorScheme, deviceScaleFactor: 2, hasTouch: true, isMobile: true }, "people");
}
await browser.close();
close();

async function picture(name, options, view) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.addInitScript((people) => { globalThis.mockPlan = { people }; }, PEOPLE);
  await page.goto(`${url}#room=Lobby`);
  await page.fill("#name", "Birk");
  await page.screenshot({ path: `${directory}/door-${name}-${options.colorScheme}.png` });
  await page.click("#join");
  await page.evaluate((texts) => texts.forEach(mock.text), TEXTS);
  await page.click("#tab-texts");
  await page.screenshot({ path: `${directory}/texts-${name}-${options.colorScheme}.png` });
  await page.click("#tab-map");
  await page.click("#map-circle");
  await page.click(`#tab-${view}`);
  await page.evaluate(() => mock.levels(-34, true, { 2: -20, 7: -35 }));
  await page.mouse.move(0, 0);
  await page.screenshot({ path: `${directory}/talk-${name}-${options.colorScheme}.png` });
  await context.close();
}
