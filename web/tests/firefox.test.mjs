// The page in Firefox, as it comes from a server that was told nothing.
import assert from "node:assert/strict";
import { Native, Server, whyNoProgram } from "./harness/consonance.mjs";
import { launchFirefox, whyNoFirefox } from "./harness/firefox.mjs";
import { level, levels } from "./harness/sound.mjs";
import { babble } from "./harness/speech.mjs";
import { browserTest, until } from "./harness/test.mjs";

browserTest("Firefox and somebody by UDP hear each other", async (t) => {
  const server = await Server.start(t);
  const native = Native.start(t, server, { name: "Udo", say: Array(12).fill(babble().file), record: true, seconds: 40 });
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
  const heard = await native.heard();
  const loud = levels(heard.samples).filter((block) => block > -50);
  // Its microphone hums, without a pause.
  assert.ok(loud.length > 500, `${loud.length} blocks of 10 ms with sound, ${level(heard.samples)} dBFS in all`);
}, [whyNoProgram, whyNoFirefox]);
