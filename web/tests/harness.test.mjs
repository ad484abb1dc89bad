// The measuring itself, on a page that plays its microphone back: without it no score and no delay below would mean anything.
import assert from "node:assert/strict";
import { loop } from "./harness/loop.mjs";
import { pesqOf, whyNoScores } from "./harness/pesq.mjs";
import { delays, loudestSecond, quantile, shareAbove } from "./harness/sound.mjs";
import { browserTest, figure, inTime, until } from "./harness/test.mjs";

browserTest("what isn't changed is heard as it was said", async (t, machine) => {
  const { speech, person } = await loop(t);
  const recording = await person.listen(40);
  const score = await pesqOf("a microphone played back", speech.samples, recording, machine, 100);
  await inTime(() => assert.ok(score > 4.4, `PESQ-WB ${score}`));
}, [whyNoScores]);

browserTest("from mouth to ear the playback's own delay is measured", async (t) => {
  const { person } = await loop(t);
  await person.listen(8);
  const [said, heard] = [await person.said(), await person.heard()];
  const ms = delays(said, heard);
  figure("mouth to ear of a microphone played back, p50 and p95, ms", `${quantile(ms, 0.5).toFixed(1)}, ${quantile(ms, 0.95).toFixed(1)}`);
  figure("latency that the context states, ms", JSON.stringify(await person.page.evaluate(() => window.latency().map((s) => s * 1000))));
  assert.ok(ms.length >= 4, `${ms.length} half seconds were found again`);
  await inTime(() => {
    assert.ok(quantile(ms, 0.5) > 2 && quantile(ms, 0.5) < 80, `${ms}`);
    // Sound comes and goes in pieces of 10 ms, of which one may slip.
    assert.ok(quantile(ms, 0.95) - quantile(ms, 0.05) < 15, `${ms}`);
  });
});

browserTest("silence is silence, half volume is 6 dB less, and a blocked main thread is seen", async (t) => {
  const { person } = await loop(t);
  const full = loudestSecond((await person.listen(7)).mono());
  await person.page.evaluate(() => window.setVolume(0.5));
  const half = loudestSecond((await person.listen(7)).mono());
  await person.page.evaluate(() => window.setVolume(0));
  await person.listen(0.5);
  assert.ok(Math.abs(full - half - 6) < 1, `${full} and ${half} dBFS`);
  assert.equal(shareAbove((await person.listen(3)).mono(), -80), 0);
  await person.page.evaluate(() => window.block(120));
  await until("the task of 120 ms is told", async () => (await person.longTasks()).some((ms) => ms >= 119), 5);
});
