// Lids are closed, tabs are left and devices unplugged; the talk goes on.
import assert from "node:assert/strict";
import { connected, hears, meets, misses, state, talk } from "./harness/bare.mjs";
import { launch } from "./harness/browser.mjs";
import { Server, whyNoProgram } from "./harness/consonance.mjs";
import { Lid, whyNoLid } from "./harness/lid.mjs";
import { Pulse, whyNoPulse } from "./harness/pulse.mjs";
import { level, shareAbove } from "./harness/sound.mjs";
import { babble } from "./harness/speech.mjs";
import { browserTest, figure, until } from "./harness/test.mjs";

/** Longer than the server waits before it says that somebody is away, and shorter than it keeps the seat (PROTOCOL.md, 8). */
const CLOSED_MS = 20_000;
/** A browser has a tab's clocks tick once a second when it has been hidden for 10 s. */
const HIDDEN_MS = 20_000;

const percent = (share) => `${(100 * share).toFixed(1)} %`;

const share = async (person, seconds) => shareAbove((await person.listen(seconds)).mono(), -50);

browserTest("after its lid was closed for 20 s a page is back at its seat by itself, heard and hearing", async (t) => {
  const server = await Server.start(t);
  const microphone = babble().file;
  const lid = new Lid();
  const bert = await talk(await launch(t, { microphone }), server, { name: "Bert" });
  const anna = await talk(await launch(t, { microphone, flags: [lid.flag] }), server, { name: "Anna" });
  const id = await meets(bert, "Anna");
  await Promise.all([hears(anna), hears(bert)]);
  let opened;
  lid.close();
  try {
    const since = Date.now();
    await misses(bert, id);
    await bert.page.waitForTimeout(Math.max(0, since + CLOSED_MS - Date.now()));
  } finally {
    lid.open();
    opened = Date.now();
  }
  await connected(anna, 20);
  await Promise.all([hears(anna), hears(bert)]);
  figure("after the lid was opened Anna hears and is heard again, ms", Date.now() - opened);
  assert.equal((await state(anna)).me.id, id, "her seat was kept");
  for (const person of [anna, bert]) await until("sound in more than half of two seconds", async () => (await share(person, 2)) > 0.5, 10);
}, [whyNoProgram, whyNoLid]);

browserTest("a page in a hidden tab is heard and hears without a gap", async (t) => {
  const server = await Server.start(t);
  const microphone = babble().file;
  const bert = await talk(await launch(t, { microphone }), server, { name: "Bert" });
  const browser = await launch(t, { microphone, hiding: true });
  const anna = await talk(browser, server, { name: "Anna" });
  await Promise.all([hears(anna), hears(bert)]);
  const shares = () => Promise.all([share(anna, 5), share(bert, 5)]);
  const shown = await shares();
  await anna.hide();
  await anna.page.waitForTimeout(HIDDEN_MS);
  const hidden = await shares();
  figure("share of 5 s with sound in her tab and from it", `${shown.map(percent)} shown, ${hidden.map(percent)} hidden`);
  assert.equal(await anna.page.evaluate(() => document.visibilityState), "hidden");
  // The speech has no silence of 100 ms.
  for (const share of hidden) assert.ok(share > 0.9, `sound in ${percent(share)}`);
}, [whyNoProgram]);

browserTest("when microphone and loudspeaker are unplugged a page goes on with others, and takes the usual microphone again", async (t) => {
  const server = await Server.start(t);
  const { file } = babble();
  const pulse = await Pulse.start(t);
  pulse.loudspeaker("television");
  pulse.microphone("desk", file, 50);
  const unplug = [pulse.loudspeaker("headphones"), pulse.microphone("headset", file, 100)];
  const bert = await talk(await launch(t, { microphone: file }), server, { name: "Bert" });
  const anna = await talk(await launch(t, { pulse }), server, { name: "Anna" });
  await Promise.all([hears(anna), hears(bert)]);
  // The desk's microphone is 18 dB less loud than the headset's.
  const annaBetween = (least, most, why) =>
    until(why, async () => {
      const loudness = level((await bert.listen(1)).mono());
      return loudness > least && loudness < most;
    }, 15);
  const bertBy = (loudspeaker) => until(`Bert is heard by the ${loudspeaker}`, () => shareAbove(pulse.played(loudspeaker, 2), -50) > 0.9, 15);
  await annaBetween(-28, -12, "Anna is heard by her headset");
  await bertBy("headphones");
  unplug.forEach((device) => device());
  await annaBetween(-46, -31, "Anna is heard by the microphone on her desk");
  await bertBy("television");
  pulse.microphone("headset", file, 100);
  await annaBetween(-28, -12, "Anna is heard by her headset again");
  assert.equal((await state(anna)).microphone, "on");
}, [whyNoProgram, whyNoPulse]);
