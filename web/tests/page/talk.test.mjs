// Whether the others hear me, and what decides it.
import assert from "node:assert/strict";
import { pageTest, reads } from "./harness.mjs";

const bar = (name) => `[data-bar="${name}"]`;
const people = [{ id: 2, name: "Anna" }];
const talking = async (page) => (await page.calls("setTalking")).map(([, on]) => on);

pageTest("push-to-talk works by the space bar, wherever nothing else wants it", async (page) => {
  await page.joins();
  await page.check("[value=push]");
  await page.evaluate(() => { mock.calls.length = 0; });
  await page.keyboard.down("Space");
  await page.keyboard.down("Space");
  await page.keyboard.up("Space");
  assert.deepEqual(await talking(page), [true, false]);
  await page.click("#text");
  await page.keyboard.type("a b");
  assert.equal(await page.inputValue("#text"), "a b");
  assert.deepEqual(await talking(page), [true, false]);
}, { plan: { people } });

pageTest("the space bar still presses a button that is reached by the keyboard", async (page) => {
  await page.joins();
  await page.check("[value=push]");
  await page.focus("#mute");
  await page.keyboard.press("Space");
  assert.deepEqual(await page.calls("setMuted"), [["setMuted", true]]);
  assert.ok(!(await talking(page)).includes(true));
}, { plan: { people } });

pageTest("push-to-talk works by a button that is held, and ends when the window goes", async (page) => {
  await page.joins();
  await page.check("[value=push]");
  await page.evaluate(() => { mock.calls.length = 0; });
  const { x, y } = await page.locator("#hold").boundingBox();
  await page.mouse.move(x + 20, y + 20);
  await page.mouse.down();
  await page.mouse.move(x + 20, y - 300);
  assert.deepEqual(await talking(page), [true]);
  await page.evaluate(() => window.dispatchEvent(new Event("blur")));
  assert.equal((await talking(page)).at(-1), false);
  await page.mouse.up();
}, { plan: { people } });

pageTest("a choice of when one is heard isn't undone by news from before it", async (page) => {
  await page.joins();
  await page.check("[value=push]");
  await page.mock("me", { activation: "voice" });
  assert.ok(await page.isChecked("[value=push]"));
  assert.ok(await page.isVisible("#hold"));
  await page.check("[value=open]");
  await page.mock("me", { activation: "push" });
  assert.ok(await page.isChecked("[value=open]"));
  assert.ok(await page.isHidden("#hold"));
}, { plan: { people } });

pageTest("the key can be changed, and is remembered", async (page) => {
  await page.joins();
  await page.check("[value=push]");
  await page.click("#tab-sound");
  await page.click("#talk-key");
  await page.keyboard.press("v");
  await reads(page, "#talk-key", "V");
  await page.evaluate(() => { mock.calls.length = 0; });
  await page.keyboard.press("v");
  assert.deepEqual(await talking(page), [true, false]);
  await page.waitForTimeout(400);
  const again = await page.beside("", {});
  await again.click("#join");
  await again.click("#tab-sound");
  await reads(again, "#talk-key", "V");
  await reads(again, "#hold-key", /V/);
}, { plan: { people } });

pageTest("the threshold of voice activation is set by a slider on the level", async (page) => {
  await page.joins();
  await page.focus("#threshold");
  await page.keyboard.press("ArrowRight");
  assert.deepEqual((await page.calls("setThreshold")).at(-1), ["setThreshold", -59]);
  await page.mock("levels", -42.5, false, {});
  assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector("#gate [data-meter]")).getPropertyValue("--level")), "0.500");
}, { plan: { people } });

pageTest("one sentence says why the others don't hear me", async (page) => {
  await page.joins();
  await reads(page, "#my-words", "Speak, and they hear you.");
  await page.mock("levels", -20, true, {});
  await reads(page, "#my-words", "They hear you.");
  await page.click("#mute");
  await reads(page, "#my-words", "They can't hear you: you are muted.");
  assert.equal(await page.getAttribute("#mute", "aria-pressed"), "true");
  await page.click("#mute");
  await page.mock("me", { nobodyHears: true });
  await reads(page, "#my-words", "Nobody is there to hear you.");
  await page.mock("me", { nobodyHears: false, serverMuted: true });
  await reads(page, "#my-words", /the server has muted you/);
  await page.mock("me", { serverMuted: false });
  await page.click(".room input[type=checkbox]");
  await reads(page, "#my-words", /none of your rooms/);
  await page.mock("state", { status: "reconnecting", reason: "transport-down" });
  await reads(page, "#my-words", /aren't connected/);
}, { plan: { people } });

pageTest("without a microphone one listens, and there is a way back", async (page) => {
  await page.joins();
  await page.waitForSelector(bar("denied"));
  await reads(page, "#my-words", /the microphone is denied/);
  await page.evaluate(() => { mock.plan.microphone = "on"; });
  await page.getByRole("button", { name: "Try the microphone again" }).click();
  await page.waitForSelector(bar("denied"), { state: "detached" });
  assert.equal((await page.calls("useMicrophone")).length, 2);
}, { plan: { people, microphone: "denied" } });

pageTest("who only wants to listen isn't asked for a microphone", async (page) => {
  await page.fill("#name", "Birk");
  await page.click("#listen-only");
  await page.waitForSelector("#talk-room:not([hidden])");
  assert.deepEqual(await page.calls("useMicrophone"), []);
  assert.equal(await page.isVisible("#take-microphone"), true);
  await page.getByRole("button", { name: "Talk too" }).click();
  assert.equal((await page.calls("useMicrophone")).length, 1);
});

pageTest("a page that the browser keeps silent asks for a click", async (page) => {
  await page.joins();
  await page.getByRole("button", { name: "Click to hear" }).click();
  await page.waitForSelector(bar("sound"), { state: "detached" });
  assert.equal((await page.calls("start")).length, 2);
}, { plan: { sound: "suspended" } });

pageTest("a connection that is lost is said, and so is its return", async (page) => {
  await page.joins();
  await page.mock("state", { status: "reconnecting", reason: "transport-down" });
  await page.waitForSelector(bar("reconnecting"));
  await reads(page, "#connection-chip", "Reconnecting…");
  await page.mock("notice", "The server takes no connection now");
  await page.mock("notice", "The server takes no connection now");
  await reads(page, bar("reconnecting"), /as there is one. The server takes no connection now.$/);
  assert.equal(await page.locator(".toast").count(), 0);
  await page.mock("state", { status: "connected", reason: "resumed" });
  await page.waitForSelector(bar("reconnecting"), { state: "detached" });
  await reads(page, "#connection-chip", "Connected");
});

pageTest("several rooms at once, each with its switch and its way out", async (page) => {
  await page.joins();
  await page.fill("#more-room", "Cave");
  await page.keyboard.press("Enter");
  await reads(page, "#title", "Lobby and Cave");
  assert.equal(new URL(page.url()).hash, "#room=Lobby&room=Cave");
  await page.getByRole("checkbox", { name: "Talk here: Cave" }).uncheck();
  assert.deepEqual(await page.calls("setTalkingTo"), [["setTalkingTo", "Cave", false]]);
  await page.getByRole("button", { name: "Leave Lobby" }).focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "rooms", "the focus stays where it was");
  await reads(page, "#title", "Cave");
  assert.deepEqual(await page.calls("leave"), [["leave", "Lobby"]]);
});

pageTest("deafening, priority and hearing oneself reach the binding", async (page) => {
  await page.joins();
  await page.click("#deafen");
  await page.click("#tab-sound");
  await page.selectOption("#priority", "high");
  await page.click("text=Hear myself");
  await page.click("text=Take out noise");
  assert.deepEqual(await page.calls("setDeafened"), [["setDeafened", true]]);
  assert.deepEqual(await page.calls("setPriority"), [["setPriority", "high"]]);
  await page.click("#tab-map");
  assert.deepEqual(await page.calls("setHearSelf"), [["setHearSelf", true], ["setHearSelf", false]]);
  assert.equal((await page.calls("useMicrophone")).at(-1)[1].noiseSuppression, false);
});

/** What the browser says is plugged in. */
const plugs = (page, devices) => page.evaluate((devices) => {
  navigator.mediaDevices.enumerateDevices = async () => devices;
  navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
}, devices);

const usual = { kind: "audiooutput", deviceId: "default", label: "Default" };
const headset = { kind: "audiooutput", deviceId: "head", label: "Headset" };
const loudspeakers = async (page, count) => {
  await page.waitForFunction((count) => mock.calls.filter(([name]) => name === "useLoudspeaker").length >= count, count);
  return (await page.calls("useLoudspeaker")).map(([, id]) => id);
};

pageTest("the usual loudspeaker can be chosen again", async (page) => {
  await plugs(page, [usual, headset]);
  await page.joins();
  await page.click("#tab-sound");
  await page.selectOption("#loudspeaker", { label: "Headset" });
  await page.selectOption("#loudspeaker", "");
  assert.deepEqual(await loudspeakers(page, 2), ["head", ""]);
});

pageTest("a loudspeaker that is pulled out is replaced by the usual one, and taken again when it comes back", async (page) => {
  await plugs(page, [usual, headset]);
  await page.joins();
  await page.click("#tab-sound");
  await page.selectOption("#loudspeaker", { label: "Headset" });
  await plugs(page, [usual]);
  assert.deepEqual(await loudspeakers(page, 2), ["head", ""]);
  await plugs(page, [usual, headset]);
  assert.deepEqual(await loudspeakers(page, 3), ["head", "", "head"]);
});

pageTest("who can't have another microphone is told that they keep theirs", async (page) => {
  await page.joins();
  await page.evaluate(() => { mock.voice.useMicrophone = async () => "busy"; });
  await page.click("#tab-sound");
  await page.click("text=Take out noise");
  await reads(page, "#toasts", /You keep yours/);
});

pageTest("a microphone that the system pauses is no silence without words", async (page) => {
  await page.joins();
  await page.mock("state", { microphone: "paused" });
  await page.waitForSelector(bar("paused"));
  await reads(page, "#my-words", /paused your microphone/);
  await page.click("#tab-sound");
  assert.equal(await page.isVisible("#drop-microphone"), true);
  await page.mock("state", { microphone: "on" });
  await page.waitForSelector(bar("paused"), { state: "detached" });
}, { plan: { people } });
