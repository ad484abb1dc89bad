// Takes the pictures of the page for README and docs: a real server, real people. Run by tools/web-test --screenshots.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { launch } from "./harness/browser.mjs";
import { Native, Server } from "./harness/consonance.mjs";
import { activate, enter, row, speaks } from "./harness/page.mjs";
import { root } from "./harness/places.mjs";
import { babble } from "./harness/speech.mjs";

const FOLDER = join(root, "docs/images");
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

const ends = [];
const t = { after: (end) => ends.unshift(end) };

/** Two who speak, one who has muted herself, and one who just listens. */
async function company(server) {
  const say = (number) => Array(20).fill(babble(number).file);
  Native.start(t, server, { name: "Medic", room: "Harbour", say: say(1) });
  Native.start(t, server, { name: "Engineer", room: "Harbour", say: say(4) });
  Native.start(t, server, { name: "Lookout", room: "Harbour" });
  const navigator = await enter(await launch(t), server, { name: "Navigator", room: "Harbour", listen: true });
  await navigator.page.click("#mute");
  return navigator;
}

async function picture(server, name, viewport, colorScheme) {
  const chromium = await launch(t, { microphone: babble().file, context: { viewport, colorScheme, deviceScaleFactor: 1 } });
  const scout = await enter(chromium, server, { name: "Scout", room: "Harbour" });
  await activate(scout, "open");
  await Promise.all(["Medic", "Engineer"].map((who) => speaks(scout, who)));
  await Promise.all(["Lookout", "Navigator"].map((who) => row(scout, who).waitFor()));
  return { scout, take: () => scout.page.screenshot({ path: join(FOLDER, `page-${name}.png`), animations: "disabled" }) };
}

async function write(person, text) {
  await person.page.click("#tab-texts");
  await person.page.fill("#text", text);
  await person.page.press("#text", "Enter");
}

try {
  mkdirSync(FOLDER, { recursive: true });
  const server = await Server.start(t);
  const navigator = await company(server);
  for (const [name, viewport] of Object.entries(SIZES)) {
    const { scout, take } = await picture(server, name, viewport, name === "phone" ? "dark" : "light");
    await write(navigator, "Two sails to the north. Do we wait for the tide?");
    await write(scout, "I see them. Wait.");
    await scout.page.locator("#log", { hasText: "I see them" }).waitFor();
    // Wide pages show the people all the time.
    if (await scout.page.isVisible("#tab-people")) await scout.page.click("#tab-people");
    await Promise.all(["Medic", "Engineer"].map((who) => speaks(scout, who)));
    await scout.page.evaluate(() => document.activeElement.blur());
    await take();
    await scout.page.click("#leave-all");
    await row(navigator, "Scout").waitFor({ state: "detached" });
  }
} finally {
  for (const end of ends) await end();
}
console.log(`docs/images: ${Object.keys(SIZES).map((name) => `page-${name}.png`).join(", ")}`);
