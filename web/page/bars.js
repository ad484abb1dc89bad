/** What stands between a person and the talk, in bars at the top, each with what can be done about it. */

import { missing } from "../consonance.js";
import { app, isConnected } from "./app.js";
import { icon, KeyedList, make, part, setText, show } from "./dom.js";
import { others } from "./other-tabs.js";
import { takeMicrophone } from "./sound.js";
import { reconnectingWords } from "./words.js";

/**
 * @import { MicrophoneState, State } from "../consonance.js"
 * @typedef {{ key: string, tone: "bad" | "mild", text: string, action?: string, act?: () => void, dismiss?: boolean }} Bar
 */

/** @type {Set<string>} what one has read */
const dismissed = new Set();
const list = new KeyedList(part("bars"), (/** @type {Bar} */ { key }) => key, barRow);

/** @param {State | null} state null at the door */
export function updateBars(state) {
  const bars = state ? barsFor(state) : [];
  const keys = new Set(bars.map(({ key }) => key));
  // A thing that comes again is told again.
  for (const key of dismissed) if (!keys.has(key)) dismissed.delete(key);
  list.update(bars.filter(({ key }) => !dismissed.has(key)));
}

/**
 * @param {State} state
 * @returns {Bar[]}
 */
function barsFor(state) {
  /** @type {(Bar | null)[]} */
  const bars = [reconnectingBar(state), soundBar(state), isConnected() ? microphoneBar(state.microphone) : null, otherTabBar(state)];
  return bars.filter((bar) => bar !== null);
}

/** @param {State} state @returns {Bar | null} */
function reconnectingBar({ status, reason }) {
  if (!isConnected()) return { key: "reconnecting", tone: "bad", text: reconnectingWords(reason) + (app.trouble && ` ${app.trouble}.`) };
  if (status === "degraded") return { key: "degraded", tone: "bad", text: "Hardly anything arrives from the server. Perhaps your network is weak here." };
  return null;
}

/** @param {State} state @returns {Bar | null} */
function soundBar({ sound }) {
  if (sound === "suspended") return { key: "sound", tone: "bad", text: "Your browser keeps the page silent until you click.", action: "Click to hear", act: () => void app.voice?.start() };
  if (sound === "none") return { key: "sound", tone: "mild", text: lacking("You can't hear the others here", missing().listen), dismiss: true };
  return null;
}

/**
 * @param {string} words
 * @param {readonly string[]} needs
 */
const lacking = (words, needs) => (needs.length ? `${words}: this browser lacks ${needs.join(", and ")}.` : `${words}.`);

/** @param {MicrophoneState} microphone @returns {Bar | null} */
function microphoneBar(microphone) {
  const act = () => void takeMicrophone();
  switch (microphone) {
    case "asking": return { key: "asking", tone: "mild", text: "Your browser asks whether this page may use the microphone. Allow it, and they hear you; you hear them already." };
    case "denied": return { key: "denied", tone: "bad", text: "The microphone is denied, so you only listen. To talk, allow it at the sign beside the address, and then:", action: "Try the microphone again", act, dismiss: true };
    case "missing": return { key: "missing", tone: "bad", text: "There is no microphone, so you only listen. Plug one in, and then:", action: "Try again", act, dismiss: true };
    case "busy": return { key: "busy", tone: "bad", text: "Another program has the microphone. Close it, and then:", action: "Try again", act, dismiss: true };
    case "paused": return { key: "paused", tone: "mild", text: "Your microphone is paused by this device or the browser, perhaps for a call. It comes back by itself." };
    case "unsupported": return { key: "unsupported", tone: "bad", text: lacking("You can listen here, but not talk", missing().talk), dismiss: true };
    case "off": return { key: "off", tone: "mild", text: "You only listen.", action: "Talk too", act, dismiss: true };
    default: return null;
  }
}

/** @param {State} state @returns {Bar | null} */
function otherTabBar({ me }) {
  if (!others().length) return null;
  const text = "You are here in another tab too. Use headphones or mute one of them, or it will whistle.";
  return me.muted ? { key: "tab", tone: "mild", text, dismiss: true } : { key: "tab", tone: "mild", text, action: "Mute this one", act: () => app.voice?.setMuted(true), dismiss: true };
}

/** @param {Bar} bar */
function barRow({ key, tone }) {
  const words = make("p");
  const action = make("button", { type: "button" });
  const close = make("button", { type: "button", class: "icon", "aria-label": "Hide this" }, [icon("close")]);
  /** @type {(() => void) | undefined} */
  let act;
  action.addEventListener("click", () => act?.());
  close.addEventListener("click", () => {
    dismissed.add(key);
    updateBars(app.state);
  });
  const root = make("div", { class: `bar ${tone}`, role: tone === "bad" ? "alert" : "status", "data-bar": key }, [words, action, close]);
  return {
    root,
    /** @param {Bar} bar */
    update(bar) {
      act = bar.act;
      setText(words, bar.text);
      setText(action, bar.action ?? "");
      show(action, Boolean(bar.action));
      show(close, Boolean(bar.dismiss));
    },
  };
}
