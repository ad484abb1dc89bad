// The page for people, with the real binding and a real server behind it. What it shows in each state is tested with a mock in page/.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { launch } from "./harness/browser.mjs";
import { Native, Server, whyNoProgram } from "./harness/consonance.mjs";
import { activate, enter, join, row, speaks } from "./harness/page.mjs";
import { shareAbove } from "./harness/sound.mjs";
import { babble } from "./harness/speech.mjs";
import { browserTest, figure, inTime } from "./harness/test.mjs";

const SHOWN_MS = 100;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Anna with a microphone, and Bert who listens, both on the page. */
async function two(t) {
  const server = await Server.start(t);
  const anna = await enter(await launch(t, { microphone: babble().file }), server, { name: "Anna" });
  const bert = await enter(await launch(t), server, { name: "Bert", listen: true });
  await row(bert, "Anna").waitFor();
  return { server, anna, bert };
}

async function soundShare(person) {
  await person.listen(1);
  return shareAbove((await person.listen(2)).mono(), -60);
}

browserTest("the space bar is push-to-talk, and who speaks is seen when they are heard", async (t) => {
  const { anna, bert } = await two(t);
  await activate(anna, "push");
  await speaks(bert, "Anna", false);
  assert.equal(await soundShare(bert), 0);
  const since = await watchForSpeaking(bert);
  await anna.page.keyboard.down("Space");
  await speaks(bert, "Anna");
  assert.ok((await soundShare(bert)) > 0.5, "held");
  const [shown, heard] = await bert.page.evaluate((since) => [window.shownAt, window.consonanceTests.firstSound(-60, since)], since);
  figure("shown as speaking after being heard, ms", Math.round(shown - heard));
  await inTime(() => assert.ok(shown - heard <= SHOWN_MS, `shown ${Math.round(shown - heard)} ms after being heard`));
  await anna.page.keyboard.up("Space");
  await speaks(bert, "Anna", false);
  assert.equal(await soundShare(bert), 0);
}, [whyNoProgram]);

/** Notes when somebody is shown as speaking next. */
function watchForSpeaking({ page }) {
  return page.evaluate(() => {
    const watch = new MutationObserver(() => {
      if (!document.querySelector("#people > .speaking, #people > .sounding")) return;
      window.shownAt = performance.now();
      watch.disconnect();
    });
    watch.observe(document.querySelector("#people"), { subtree: true, attributes: true, attributeFilter: ["class"] });
    return performance.now();
  });
}

browserTest("mute and deafen on the page are silence", async (t) => {
  const { anna, bert } = await two(t);
  await activate(anna, "open");
  await speaks(bert, "Anna");
  await anna.page.click("#mute");
  await speaks(bert, "Anna", false);
  assert.equal(await soundShare(bert), 0);
  await anna.page.click("#mute");
  await speaks(bert, "Anna");
  await bert.page.click("#deafen");
  assert.equal(await soundShare(bert), 0);
  await bert.page.click("#deafen");
  assert.ok((await soundShare(bert)) > 0.5, "hears again");
  assert.deepEqual([...anna.complaints, ...bert.complaints], []);
}, [whyNoProgram]);

browserTest("where the microphone is denied one listens, and can talk once it is allowed", async (t) => {
  const server = await Server.start(t);
  Native.start(t, server, { name: "Udo", say: Array(20).fill(babble().file) });
  const chromium = await launch(t);
  const { origin } = new URL(server.url);
  const permit = await permissions(chromium, origin);
  await permit("denied");
  const anna = await enter(chromium, server, { name: "Anna" });
  await anna.page.waitForSelector("[data-bar=denied]");
  await speaks(anna, "Udo");
  assert.ok((await soundShare(anna)) > 0.5, "listens");
  await permit("granted");
  // Where the browser tells of the change, the page needs no click.
  await anna.page.click("[data-bar=denied] button:not(.icon)", { timeout: 3_000 }).catch(() => {});
  await anna.page.waitForSelector("[data-bar=denied]", { state: "detached" });
  await activate(anna, "open");
  const bert = await enter(await launch(t), server, { name: "Bert", listen: true });
  await speaks(bert, "Anna");
}, [whyNoProgram]);

/** Sets what the browser's person has said to being asked for the microphone. */
async function permissions({ browser, context }, origin) {
  const page = await context.newPage();
  const { targetInfo } = await (await context.newCDPSession(page)).send("Target.getTargetInfo");
  await page.close();
  const session = await browser.newBrowserCDPSession();
  const { browserContextId } = targetInfo;
  return (setting) => session.send("Browser.setPermission", { permission: { name: "microphone" }, setting, origin, browserContextId });
}

browserTest("a second tab of the same person is told, talks under a name of its own, and is gone when it is closed", async (t) => {
  const server = await Server.start(t);
  const chromium = await launch(t, { microphone: babble().file });
  const first = await enter(chromium, server, { name: "Anna" });
  const second = await chromium.open(`${server.url}#room=Lobby`);
  await second.page.waitForFunction(() => document.querySelector("#name").value === "Anna 2");
  await join(second, { name: "Anna 2" });
  await second.page.waitForSelector("[data-bar=tab]");
  await activate(second, "open");
  await speaks(first, "Anna 2");
  await activate(first, "open");
  await speaks(second, "Anna");
  await second.page.close({ runBeforeUnload: true });
  await row(first, "Anna 2").waitFor({ state: "detached" });
}, [whyNoProgram]);

browserTest("texts go to and fro", async (t) => {
  const { anna, bert } = await two(t);
  for (const [from, to, words] of [[anna, bert, "Hello <b>Bert</b>"], [bert, anna, "Grüße 🙂"]]) {
    await from.page.click("#tab-texts");
    await from.page.fill("#text", words);
    await from.page.press("#text", "Enter");
    await to.page.click("#tab-texts");
    await to.page.locator("#log", { hasText: words }).waitFor();
  }
}, [whyNoProgram]);

/** What axe finds and calls serious or critical. */
async function seriousFaults({ page }) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => (await window.axe.run()).violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes.map((node) => node.target.join(" ")) })));
  return found.filter(({ impact }) => impact === "serious" || impact === "critical");
}

for (const [size, viewport] of [["wide", { width: 1280, height: 800 }], ["narrow", { width: 390, height: 844 }]]) {
  browserTest(`axe finds no serious fault on the ${size} page while people talk`, async (t) => {
    const server = await Server.start(t);
    Native.start(t, server, { name: "Udo", say: Array(20).fill(babble().file) });
    const anna = await enter(await launch(t, { microphone: babble().file, context: { viewport } }), server, { name: "Anna" });
    await speaks(anna, "Udo");
    assert.deepEqual(await seriousFaults(anna), []);
    assert.equal(await anna.page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, "nothing scrolls sideways");
  }, [whyNoProgram]);
}

browserTest("the operator's page shows who is there, and axe finds no serious fault on it", async (t) => {
  const server = await Server.start(t);
  const chromium = await launch(t);
  await enter(chromium, server, { name: "Anna", listen: true });
  const operator = await chromium.open(`http://${server.http}/status`);
  await operator.page.locator("body", { hasText: "Anna" }).waitFor();
  assert.deepEqual(await seriousFaults(operator), []);
  assert.deepEqual(operator.complaints, []);
}, [whyNoProgram]);

browserTest("the page keeps to its own security policy, and complains of nothing", async (t) => {
  const server = await Server.start(t);
  const anna = await enter(await launch(t, { microphone: babble().file, ears: false }), server, { name: "Anna" });
  const bert = await enter(await launch(t, { ears: false }), server, { name: "Bert", listen: true });
  await activate(anna, "open");
  await speaks(bert, "Anna");
  assert.deepEqual([...anna.complaints, ...bert.complaints], []);
}, [whyNoProgram]);
