/**
 * Chromium with a microphone of its own: one process for each person, since the file that it takes for a microphone is a flag of the process.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { Person } from "./person.mjs";

export const PROGRAM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Only loopback is there, and without the flag WebRTC takes that for no network.
  "--allow-loopback-in-peer-connection",
];

/** Whoever asks for a microphone gets one of the machine's. */
const REAL_MICROPHONE = ["--use-fake-ui-for-media-stream"];
/** With these, which playwright gives to every browser, a hidden tab is treated like one that is looked at. */
const HIDDEN_AS_SHOWN = ["--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding"];

/** Why there can't be a browser, or null. */
export function whyNoBrowser() {
  return existsSync(PROGRAM) ? null : `${PROGRAM} is missing: install Chromium, or name another one in CHROMIUM`;
}

/**
 * Starts a browser for a test, which closes it at its end.
 *
 * @param {{
 *   microphone?: string | null,  a WAV file of 48 kHz that is said again and again; null: there is a microphone, but nobody has allowed it
 *   pulse?: Pulse,               a sound server instead, whose usual microphone is taken
 *   program?: string,            another program to start, as one that enters a network namespace
 *   flags?: string[],
 *   context?: object,            options of playwright's context: viewport, colour scheme
 *   hiding?: boolean,            whether hidden tabs get as little as in a usual browser
 *   ears?: boolean,              whether what is heard is recorded, and what it costs
 *   mouth?: boolean,             whether what the microphone gives is recorded, too
 * }} options
 */
export async function launch(t, options = {}) {
  const { microphone = null, pulse, program = PROGRAM, flags = [], context: settings = {}, hiding = false, ears = true, mouth = false } = options;
  const args = [...FLAGS, ...(pulse ? REAL_MICROPHONE : microphoneFlags(microphone)), ...flags];
  const browser = await chromium.launch({ executablePath: program, args, ignoreDefaultArgs: [...(hiding ? HIDDEN_AS_SHOWN : []), ...(pulse ? ["--mute-audio"] : [])], env: pulse?.env });
  t.after(() => browser.close());
  // The page's policy knows nothing of the tests' recorder. That the page keeps to it is tested without one.
  const context = await browser.newContext({ bypassCSP: ears, ...settings });
  if (ears) await context.addInitScript(insideScript(mouth));
  return { browser, context, open: (url) => Person.open(context, url) };
}

function microphoneFlags(file) {
  const fake = ["--use-fake-device-for-media-stream"];
  return file ? [...fake, "--use-fake-ui-for-media-stream", `--use-file-for-fake-audio-capture=${file}`] : fake;
}

function insideScript(mouth) {
  const read = (name) => readFileSync(fileURLToPath(new URL(name, import.meta.url)), "utf8");
  return `window.consonanceMouth = ${mouth}; window.consonanceRecorder = ${JSON.stringify(read("recorder.js"))};\n${read("inside.js")}`;
}
