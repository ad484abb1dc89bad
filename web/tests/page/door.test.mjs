// The way in, and what becomes of those who aren't let in.
import assert from "node:assert/strict";
import { pageTest, reads } from "./harness.mjs";

const shown = (page, selector) => page.locator(selector).isVisible();

pageTest("a link carries the room, and joining needs only a name", async (page) => {
  assert.equal(await page.inputValue("#room"), "Lobby & café");
  await page.joins();
  const [[, options]] = await page.calls("new");
  assert.deepEqual(options, { name: "Birk", rooms: ["Lobby & café"] });
  assert.equal(new URL(page.url()).hash, "#room=Lobby%20%26%20caf%C3%A9");
}, { path: "#room=Lobby%20%26%20caf%C3%A9" });

pageTest("a link may name several rooms, in the query too", async (page) => {
  await page.joins();
  const [[, options]] = await page.calls("new");
  assert.deepEqual(options.rooms, ["Lobby", "Cave, deep"]);
  assert.equal(new URL(page.url()).search, "");
}, { path: "?room=Lobby&room=Cave,%20deep" });

pageTest("the first paint waits for nothing but the page and its style", async (page) => {
  const kinds = await page.evaluate(() => performance.getEntriesByType("resource").filter((entry) => entry.renderBlockingStatus === "blocking").map((entry) => new URL(entry.name).pathname));
  assert.deepEqual(kinds, ["/page/page.css"]);
  assert.deepEqual(await page.calls(), []);
});

pageTest("name and room are remembered for the next time", async (page) => {
  await page.fill("#name", "Birk");
  await page.fill("#room", "Cave");
  await page.joins();
  await page.click("#leave-all");
  await page.waitForTimeout(400);
  const again = await page.beside("", {});
  assert.equal(await again.inputValue("#name"), "Birk");
  assert.equal(await again.inputValue("#room"), "Cave");
});

const WRITTEN_MS = 400;

pageTest("a tab that is closed leaves what others have changed since", async (page) => {
  await page.fill("#name", "Birk");
  await page.joins();
  await page.waitForTimeout(WRITTEN_MS);
  const second = await page.beside("", {});
  await second.joins();
  await second.focus("#threshold");
  await second.keyboard.press("ArrowRight");
  await second.waitForTimeout(WRITTEN_MS);
  await page.check("[value=push]");
  await page.evaluate(() => dispatchEvent(new Event("pagehide")));
  const third = await page.beside("", {});
  await third.joins();
  assert.equal(await third.inputValue("#threshold"), "-59");
  assert.equal(await third.isChecked("[value=push]"), true);
});

pageTest("what another tab changes holds at the door, and within a talk only for what is known of people", async (page) => {
  const people = [{ id: 2, name: "Anna" }];
  const talking = await page.beside("", { people: [] });
  await talking.fill("#name", "Cleo");
  await talking.joins();
  const changing = await page.beside("", { people });
  await changing.fill("#name", "Dora");
  await changing.joins();
  await changing.check("[value=push]");
  await changing.focus("#threshold");
  await changing.click(".person-more >> nth=0");
  await changing.getByRole("button", { name: "Mute for me" }).click();
  await changing.waitForTimeout(WRITTEN_MS);
  await page.joins();
  assert.equal(await page.isChecked("[value=push]"), true);
  await talking.mock("people", people);
  assert.deepEqual(await talking.calls("setPersonMuted"), [["setPersonMuted", 2, true]]);
  assert.equal(await talking.isChecked("[value=voice]"), true);
  await talking.keyboard.press("Space");
  assert.deepEqual(await talking.calls("setTalking"), []);
});

pageTest("the page works where storage is forbidden", async (page) => {
  await page.addInitScript(() => Object.defineProperty(window, "localStorage", { get() { throw new DOMException("no", "SecurityError"); } }));
  await page.reload();
  await page.joins();
});

pageTest("nobody gets in without a name, and the field says so", async (page) => {
  await page.click("#join");
  await reads(page, "#door-problem", /name/);
  assert.equal(await page.getAttribute("#name", "aria-invalid"), "true");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "name");
  await page.fill("#name", "\u200b\u202e");
  await page.click("#join");
  await reads(page, "#door-problem", /Nobody could see/);
  await page.fill("#name", "é".repeat(40));
  await page.click("#join");
  await reads(page, "#door-problem", /too long/);
  assert.deepEqual(await page.calls("new"), []);
});

pageTest("the password is asked only once the server wants one", async (page) => {
  assert.equal(await shown(page, "#password"), false);
  await page.fill("#name", "Birk");
  await page.click("#join");
  await page.waitForSelector("#password:visible");
  await reads(page, "#door-problem", /wants a password/);
  assert.equal(await page.evaluate(() => document.activeElement?.id), "password");
  await page.fill("#password", "guess");
  await page.keyboard.press("Enter");
  await reads(page, "#door-problem", /isn't the password/);
  await page.fill("#password", "sesame");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#talk-room:not([hidden])");
  assert.ok(!(await page.evaluate(() => JSON.stringify(localStorage))).includes("sesame"));
}, { plan: { refuse: "refused-password" } });

pageTest("a server that doesn't let one in says so, and one can try again", async (page) => {
  await page.fill("#name", "Birk");
  await page.click("#join");
  await reads(page, "#door-problem", /Too many wrong passwords/);
  assert.equal(await page.isEnabled("#join"), true);
  assert.equal((await page.calls("stop")).length, 1);
}, { plan: { refuse: "refused-tries" } });

pageTest("who is kicked is back at the door with the reason", async (page) => {
  await page.joins();
  await page.mock("state", { status: "disconnected", reason: "kicked" });
  await reads(page, "#door-problem", /removed/);
  await page.joins();
  assert.equal((await page.calls("new")).length, 2);
});

pageTest("who has no sound for good is back at the door with the reason", async (page) => {
  await page.joins();
  await page.mock("state", { status: "disconnected", reason: "audio-failed" });
  await reads(page, "#door-problem", /can't keep the sound going/);
  assert.equal(await page.isEnabled("#join"), true);
});

pageTest("a server that doesn't answer can be given up", async (page) => {
  await page.evaluate(() => { mock.plan.refuse = null; });
  await page.fill("#name", "Birk");
  await page.evaluate(() => { Promise.resolve = () => new Promise(() => {}); });
  await page.click("#join");
  await page.mock("state", { status: "connecting", reason: "no-answer" });
  await reads(page, "#door-status", /doesn't answer/);
  await page.mock("state", { status: "connecting", reason: "refused-full" });
  await reads(page, "#door-status", /full/);
  await page.click("#give-up");
  assert.equal(await page.isEnabled("#join"), true);
  assert.equal(await shown(page, "#door-progress"), false);
});

pageTest("who closes the page says goodbye, and who stays after all is back at the door", async (page) => {
  await page.joins();
  await page.evaluate(() => dispatchEvent(new Event("beforeunload")));
  assert.equal((await page.calls("stop")).length, 1);
  await page.waitForSelector("#door:not([hidden])");
  await reads(page, "#door-problem", /about to close/);
});

pageTest("a second tab is told so, gets another name, and both work", async (page) => {
  await page.joins();
  const second = await page.beside("", {});
  await reads(second, "#name-hint", /another tab as Birk/);
  await page.waitForTimeout(400);
  await second.fill("#name", "Birk");
  await second.evaluate(() => new BroadcastChannel("consonance"));
  const third = await page.beside("", {});
  await third.waitForFunction(() => document.querySelector("#name").value === "Birk 2");
  await third.joins();
  await page.waitForSelector('[data-bar="tab"]');
  await third.waitForSelector('[data-bar="tab"]');
  await page.getByRole("button", { name: "Mute this one" }).click();
  assert.deepEqual(await page.calls("setMuted"), [["setMuted", true]]);
  await third.click("#leave-all");
  await page.waitForSelector('[data-bar="tab"]', { state: "detached" });
});

pageTest("a page whose parts are kept away says that it didn't start", async (page) => {
  await page.route("**/page/words.js", (route) => route.fulfill({ contentType: "text/javascript", body: "" }));
  const errors = [];
  page.removeAllListeners("pageerror");
  page.on("pageerror", (error) => errors.push(error.message));
  await page.reload();
  await reads(page, "#door-problem", /didn't start/);
  assert.equal(errors.length, 1);
});

pageTest("what the browser lacks is said before joining", async (page) => {
  await reads(page, "#door-missing", /to talk this browser lacks:an encoder/);
}, { plan: { missing: { listen: [], talk: ["an encoder for voice"] } } });
