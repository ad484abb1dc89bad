/** Microphone, loudspeaker, and how one's voice goes out. */

import { app } from "./app.js";
import { toast } from "./announce.js";
import { button, input, KeyedList, make, part, select, setText, show } from "./dom.js";
import { learnKey } from "./hold.js";
import { remember, settings } from "./settings.js";
import { isOpen, onView } from "./tabs.js";

/** @import { MicrophoneOptions, Priority, State } from "../consonance.js" */

const SWITCHES = /** @type {const} */ (["echoCancellation", "noiseSuppression", "autoGainControl"]);

/** @typedef {{ id: string, label: string }} Device */

const lists = { microphone: deviceList("microphone"), loudspeaker: deviceList("loudspeaker") };

/** @param {"microphone" | "loudspeaker"} kind */
function deviceList(kind) {
  return new KeyedList(select(kind), (/** @type {Device} */ { id }) => id, ({ id }) => {
    const root = make("option", { value: id });
    return { root, update: ({ label }) => setText(root, label) };
  });
}

export function setUpSound() {
  for (const name of SWITCHES) setUpSwitch(name);
  select("microphone").addEventListener("change", () => {
    remember({ microphone: select("microphone").value });
    void takeMicrophone();
  });
  select("loudspeaker").addEventListener("change", () => {
    remember({ loudspeaker: select("loudspeaker").value });
    void playOn(settings.loudspeaker);
  });
  input("hear-self").addEventListener("change", () => app.voice?.setHearSelf(input("hear-self").checked));
  onView(endTest);
  button("drop-microphone").addEventListener("click", () => app.voice?.dropMicrophone());
  select("priority").addEventListener("change", () => app.voice?.setPriority(/** @type {Priority} */ (select("priority").value)));
  setUpKey();
  showSettings();
  document.addEventListener("settings", showSettings);
  show(part("loudspeaker-field"), canChooseLoudspeaker());
  show(part("loudspeaker-hint"), !canChooseLoudspeaker());
  navigator.mediaDevices?.addEventListener?.("devicechange", listDevices);
}

function showSettings() {
  for (const name of SWITCHES) input(name).checked = settings[name];
  setText(button("talk-key"), settings.key.label);
}

/**
 * Whether it would help to ask for the microphone.
 * @param {State["microphone"]} microphone
 */
export const canTake = (microphone) => ["off", "denied", "missing", "busy"].includes(microphone);

/** Takes the microphone with what is chosen; `state.microphone` says what came of it. */
export async function takeMicrophone() {
  /** @type {MicrophoneOptions} */
  const options = Object.fromEntries(SWITCHES.map((name) => [name, settings[name]]));
  if (settings.microphone) options.deviceId = settings.microphone;
  const came = await app.voice?.useMicrophone(options);
  if (came !== app.state?.microphone && app.state && hasMicrophone(app.state.microphone)) toast("That microphone can't be had: perhaps another program has it. You keep yours.");
  await listDevices();
}

/** @param {State["microphone"]} microphone */
const hasMicrophone = (microphone) => microphone === "on" || microphone === "paused";

/** Where it plays as far as is known; nothing: the usual one. */
let playsOn = "";

/** The chosen one, from the start. */
export async function takeLoudspeaker() {
  if (settings.loudspeaker) await playOn(settings.loudspeaker);
}

/** @param {string} id */
async function playOn(id) {
  if (canChooseLoudspeaker() && await app.voice?.useLoudspeaker(id)) playsOn = id;
}

/** @param {State} state */
export function updateSound({ me, microphone }) {
  show(button("drop-microphone"), hasMicrophone(microphone));
  setText(part("meter-words"), microphone === "on" ? "Speak: it should reach the middle." : "The microphone isn't in use.");
  if (document.activeElement !== select("priority")) select("priority").value = me.priority;
}

export function forgetSound() {
  playsOn = "";
  input("hear-self").checked = false;
}

/** Nobody wants to hear themselves for longer than they look at it. */
function endTest() {
  if (isOpen("sound") || !input("hear-self").checked) return;
  input("hear-self").checked = false;
  app.voice?.setHearSelf(false);
}

/** @param {typeof SWITCHES[number]} name */
function setUpSwitch(name) {
  const box = input(name);
  box.addEventListener("change", () => {
    remember({ [name]: box.checked });
    if (app.state && hasMicrophone(app.state.microphone)) void takeMicrophone();
  });
}

function setUpKey() {
  const key = button("talk-key");
  key.addEventListener("click", async () => {
    setText(key, "Press a key…");
    await learnKey();
    setText(part("key-hint"), `${settings.key.label} it is. It works while you don't type anywhere.`);
    document.dispatchEvent(new Event("settings"));
  });
}

const canChooseLoudspeaker = () => typeof AudioContext === "function" && "setSinkId" in AudioContext.prototype;

/** Names come only once the microphone has been allowed. */
async function listDevices() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
  fill("microphone", devices.filter(({ kind }) => kind === "audioinput"));
  fill("loudspeaker", devices.filter(({ kind }) => kind === "audiooutput"));
  // Not every browser finds another one by itself for one that was pulled out.
  const wanted = select("loudspeaker").value;
  if (app.voice && wanted !== playsOn) await playOn(wanted);
}

/**
 * @param {"microphone" | "loudspeaker"} kind
 * @param {readonly MediaDeviceInfo[]} devices
 */
function fill(kind, devices) {
  const named = devices.filter(({ deviceId }) => deviceId && deviceId !== "default").map(({ deviceId, label }, index) => ({ id: deviceId, label: label || `${kind} ${index + 1}` }));
  lists[kind].update([{ id: "", label: "The usual one of this device" }, ...named]);
  const wanted = settings[kind];
  select(kind).value = named.some(({ id }) => id === wanted) ? wanted : "";
}
