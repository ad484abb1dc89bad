/** What the tests of the page share: one browser for a file, a page of its own for each test, and the mock behind it. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, test } from "node:test";
import { chromium } from "playwright-core";
import { serve } from "./serve.mjs";

const PROGRAM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const why = existsSync(PROGRAM) ? false : `${PROGRAM} is missing: install Chromium, or name another one in CHROMIUM`;

export const WIDE = { width: 1280, height: 800 };
export const PHONE = { width: 360, height: 740 };

const server = why ? null : await serve();
const browser = why ? null : await chromium.launch({ executablePath: PROGRAM, args: FLAGS });
after(async () => {
  await browser?.close();
  server?.close();
});

/**
 * A test on the page with the mock. Whatever the page asks of another place, and whatever it complains of, fails the test.
 * @param {string} name a sentence
 * @param {(page: import("playwright-core").Page & { joins(plan?: object): Promise<void>, calls(name?: string): Promise<unknown[][]>, mock(method: string, ...args: unknown[]): Promise<void>, beside(path?: string, plan?: object): Promise<any> }, t: import("node:test").TestContext) => Promise<void>} body
 * @param {{ viewport?: object, colorScheme?: "light" | "dark", reducedMotion?: "reduce", path?: string, plan?: object, touch?: boolean }} [options]
 */
export function pageTest(name, body, { viewport = WIDE, colorScheme = "light", reducedMotion, path = "", plan = {}, touch = false } = {}) {
  test(name, { skip: why, timeout: 120_000 }, async (t) => {
    const context = await browser.newContext({ viewport, colorScheme, reducedMotion, hasTouch: touch, isMobile: touch });
    t.after(() => context.close());
    const complaints = [];
    await context.route((url) => !url.href.startsWith(server.url), (route) => (complaints.push(`asked for ${route.request().url()}`), route.abort()));
    await body(await openPage(context, path, plan, complaints), t);
    assert.deepEqual(complaints, []);
  });
}

async function openPage(context, path, plan, complaints) {
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.addInitScript((plan) => { globalThis.mockPlan = plan; }, plan);
  await page.goto(server.url + path);
  await page.waitForFunction(() => globalThis.mock);
  return Object.assign(page, {
    joins: () => joins(page),
    calls: (name) => page.evaluate((name) => mock.calls.filter((call) => !name || call[0] === name), name),
    mock: (method, ...args) => page.evaluate(([method, args]) => void mock[method](...args), [method, args]),
    beside: (otherPath = path, otherPlan = plan) => openPage(context, otherPath, otherPlan, complaints),
  });
}

async function joins(page) {
  if (!(await page.inputValue("#name"))) await page.fill("#name", "Birk");
  await page.click("#join");
  await page.waitForSelector("#talk-room:not([hidden])");
}

/** Waits until an element's text is such. */
export async function reads(page, selector, expected) {
  const locator = page.locator(selector);
  const fits = (text) => (expected instanceof RegExp ? expected.test(text) : text === expected);
  let text = "";
  for (let round = 0; round < 60; round++) {
    text = (await locator.textContent()) ?? "";
    if (fits(text)) return;
    await page.waitForTimeout(50);
  }
  assert.fail(`${selector} reads ${JSON.stringify(text)}, not ${expected}`);
}
