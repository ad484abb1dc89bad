// The page in Firefox, as it comes from a server that was told nothing.
import assert from "node:assert/strict";
import { Native, Server, whyNoProgram } from "./harness/consonance.mjs";
import { launchFirefox, whyNoFirefox } from "./harness/firefox.mjs";
import { level, levels } from "./harness/sound.mjs";
import { babble } from "./harness/speech.mjs";
import { browserTest, until } from "./harness/test.mjs";

/** So long its microphone has to be heard, which hums without a pause. */
const HUM_MS = 5_000;

browserTest("Firefox and somebody by UDP hear each other", async (t) => {
  const server = await Server.start(t);
  const native = Native.start(t, server, { name: "Udo", say: Array(30).fill(babble().file), record: true });
  const firefox = await launchFirefox(t);
  await firefox.open(`${server.url}#Lobby`);
  await firefox.evaluate(() => {
    document.querySelector("#name").value = "Fox";
    document.querySelector("#join").click();
  });
  const shown = (what) => firefox.evaluate((what) => document.querySelector(what)?.textContent ?? "", what);
  await until("Firefox is connected", async () => (await shown("#connection-chip")) === "Connected");
  await firefox.evaluate(() => document.querySelector("input[name=activation][value=open]").click());
  await until("Firefox hears Udo", () => firefox.evaluate(() => document.querySelector("#people > .sounding .person-name")?.textContent === "Udo"));
  await until("the page says that it is heard", async () => (await shown("#my-words")).includes("They hear you"));
  await new Promise((later) => setTimeout(later, HUM_MS + 2_000));
  await native.leave();
  const heard = await native.heard();
  const loud = levels(heard.samples).filter((block) => block > -50);
  assert.ok(loud.length > HUM_MS / 10, `${loud.length} blocks of 10 ms with sound, ${level(heard.samples)} dBFS in all`);
}, [whyNoProgram, whyNoFirefox]);
