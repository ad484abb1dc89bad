/** The bar at the foot: who speaks, whether the others hear me, and what decides it. */

import { app, nameOf } from "./app.js";
import { button, input, inside, part, press, setAttribute, setText, show } from "./dom.js";
import { hold, holdable, letGo } from "./hold.js";
import { cleanName, initials, listed, tint } from "./names.js";
import { remember, settings } from "./settings.js";
import { canTake, takeMicrophone } from "./sound.js";
import { myWords } from "./words.js";

/** @import { Activation, Levels, State } from "../consonance.js" */

/** The range of the meters and of the threshold on them, dBFS. */
const METER = { from: -80, to: -5 };

const meters = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-meter]"));
const modes = /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("input[name=activation]"));
let gateOpen = false;

export function setUpTalk() {
  holdable(button("hold"), (on) => hold("button", on));
  button("mute").addEventListener("click", () => app.voice?.setMuted(!app.state?.me.muted));
  button("deafen").addEventListener("click", () => app.voice?.setDeafened(!app.state?.me.deafened));
  button("take-microphone").addEventListener("click", () => void takeMicrophone());
  button("stop-whisper").addEventListener("click", () => {
    for (const id of app.state?.me.whisperingTo ?? []) app.voice?.whisper(id, false);
  });
  for (const mode of modes) mode.addEventListener("change", () => choose(/** @type {Activation} */ (mode.value)));
  const threshold = input("threshold");
  threshold.addEventListener("input", () => {
    remember({ threshold: threshold.valueAsNumber });
    app.voice?.setThreshold(threshold.valueAsNumber);
    sayThreshold();
  });
  document.addEventListener("settings", showSettings);
  showSettings();
}

function showSettings() {
  showActivation();
  input("threshold").value = String(settings.threshold);
  setText(part("hold-key"), `or the key: ${settings.key.label}`);
  sayThreshold();
}

/** What has been chosen: a state that was under way then would show the choice of before for a moment. */
function showActivation() {
  const { activation } = settings;
  for (const mode of modes) mode.checked = mode.value === activation;
  show(part("hold"), activation === "push");
  show(part("gate"), activation !== "push");
  part("gate").classList.toggle("idle", activation === "open");
  show(input("threshold"), activation === "voice");
}

/** Tells a new session how one's voice is sent. */
export function prepareTalk() {
  gateOpen = false;
  app.voice?.setActivation(settings.activation);
  app.voice?.setThreshold(settings.threshold);
}

/** @param {State} state */
export function updateTalk(state) {
  const { me, people, microphone } = state;
  toggle("mute", me.muted, "mic");
  toggle("deafen", me.deafened, "ear");
  const speaking = people.filter(({ audible }) => audible).map(({ id }) => nameOf(id));
  setText(part("who-speaks"), speaking.length ? `${listed(speaking)} ${speaking.length > 1 ? "are" : "is"} speaking` : "Nobody else is speaking");
  part("who-speaks").classList.toggle("lively", speaking.length > 0);
  show(button("stop-whisper"), me.whisperingTo.length > 0);
  show(button("take-microphone"), canTake(microphone));
  sayMine(state);
}

/**
 * @param {State["me"]} me
 * @param {boolean} speaking
 */
function drawMe({ name, muted, deafened, serverMuted }, speaking) {
  const avatar = inside(part("me"), ".avatar", HTMLElement);
  setAttribute(avatar, "class", `avatar ${tint(name)}`);
  setAttribute(avatar, "data-initials", initials(name));
  setText(part("my-name"), cleanName(name));
  const words = [serverMuted ? "muted by the server" : muted ? "muted" : "", deafened ? "hearing nobody" : "", speaking ? "speaking" : ""].filter(Boolean);
  setText(part("my-state"), words.join(", ") || "listening");
}

/** @param {Levels} levels */
export function updateMeters({ microphone, open }) {
  const share = Math.min(1, Math.max(0, (microphone - METER.from) / (METER.to - METER.from)));
  for (const meter of meters) meter.style.setProperty("--level", share.toFixed(3));
  inside(part("me"), ".avatar", HTMLElement).style.setProperty("--level", share.toFixed(1));
  if (open === gateOpen) return;
  gateOpen = open;
  if (app.state) sayMine(app.state);
}

/** @param {State} state */
function sayMine(state) {
  const words = myWords(state, gateOpen, settings.key.label, app.names);
  drawMe(state.me, words.heard);
  setText(part("my-words"), words.text);
  part("me").classList.toggle("speaking", words.heard);
  part("talk").classList.toggle("heard", words.heard);
  part("talk").classList.toggle("blocked", words.blocked);
}

/**
 * @param {"mute" | "deafen"} id
 * @param {boolean} on
 * @param {string} symbol
 */
function toggle(id, on, symbol) {
  press(button(id), on);
  setAttribute(inside(button(id), "use", SVGUseElement), "href", `#i-${symbol}${on ? "-off" : ""}`);
}

/** @param {Activation} activation */
function choose(activation) {
  letGo();
  remember({ activation });
  showActivation();
  app.voice?.setActivation(activation);
}

function sayThreshold() {
  setText(part("gate-words"), "Sounds that reach the handle are sent.");
  setAttribute(input("threshold"), "aria-valuetext", `${settings.threshold} decibels`);
}
