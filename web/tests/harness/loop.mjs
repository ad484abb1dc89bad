/**
 * A page that plays its microphone back: what Chromium alone does to sound.
 */
import { UNTOUCHED } from "./bare.mjs";
import { launch } from "./browser.mjs";
import { sentence } from "./speech.mjs";
import { serve } from "./static.mjs";

const page = (audio) => `<!doctype html><title>Loop</title><button>Go</button><script>
document.querySelector("button").onclick = async () => {
  const context = new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
  const stream = await navigator.mediaDevices.getUserMedia({ audio: ${JSON.stringify(audio)} });
  const gain = context.createGain();
  context.createMediaStreamSource(stream).connect(gain).connect(context.destination);
  window.setVolume = (volume) => { gain.gain.value = volume; };
  window.latency = () => [context.baseLatency, context.outputLatency];
  // In a task of the page's own: what the debugger runs, new browsers don't count.
  window.block = (ms) => setTimeout(() => { const end = performance.now() + ms; while (performance.now() < end); });
};
</script>`;

/** Somebody on a page that plays the microphone back, with the speech that it has for one. */
export async function loop(t, microphone = UNTOUCHED) {
  const speech = sentence(1);
  const { open } = await launch(t, { microphone: speech.file, mouth: true });
  const person = await open(await serve(t, { "/": ["text/html", page(microphone)] }));
  await person.page.click("button");
  await person.page.waitForFunction(() => window.consonanceTests.ear && window.setVolume);
  return { speech, person };
}
