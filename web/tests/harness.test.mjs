// The measuring itself, on a page that plays its microphone back: without it no score and no delay below would mean anything.
import assert from "node:assert/strict";
import { launch } from "./harness/browser.mjs";
import { pesq, whyNoScores } from "./harness/pesq.mjs";
import { delays, heardRounds, loudestSecond, quantile, shareAbove } from "./harness/sound.mjs";
import { sentence } from "./harness/speech.mjs";
import { serve } from "./harness/static.mjs";
import { browserTest, figure, inTime } from "./harness/test.mjs";

const LOOP = `<!doctype html><title>Loop</title><button>Go</button><script>
document.querySelector("button").onclick = async () => {
  const context = new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio });
  const gain = context.createGain();
  context.createMediaStreamSource(stream).connect(gain).connect(context.destination);
  window.setVolume = (volume) => { gain.gain.value = volume; };
  window.latency = () => [context.baseLatency, context.outputLatency];
  window.block = (ms) => { const end = performance.now() + ms; while (performance.now() < end); };
};
</script>`;

async function loop(t) {
  const speech = sentence(1);
  const { open } = await launch(t, { microphone: speech.file, mouth: true });
  const person = await open(await serve(t, { "/": ["text/html", LOOP] }));
  await person.page.click("button");
  await person.page.waitForFunction(() => window.consonanceTests.ear && window.setVolume);
  return { speech, person };
}

browserTest("what isn't changed is heard as it was said", async (t) => {
  const { speech, person } = await loop(t);
  const recording = await person.listen(13);
  const rounds = heardRounds(speech.samples, recording.mono());
  const scores = await pesq(speech.samples, rounds);
  figure("PESQ-WB of a microphone played back", scores.map((score) => score.toFixed(2)).join(", "));
  await inTime(() => {
    assert.equal(recording.gaps, 0);
    assert.ok(scores.length >= 1 && Math.min(...scores) > 4.4, `scores: ${scores}`);
  });
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
  assert.ok((await person.longTasks()).some((ms) => ms >= 119), `${await person.longTasks()} ms`);
});
