/** Push-to-talk: whatever is held, one's voice goes out as long as anything is. */

import { app } from "./app.js";
import { remember, settings } from "./settings.js";

/** @type {Set<string>} */
const holders = new Set();

/**
 * @param {string} what
 * @param {boolean} on
 */
export function hold(what, on) {
  const before = holders.size;
  if (on) holders.add(what);
  else holders.delete(what);
  if (Boolean(before) !== holders.size > 0) app.voice?.setTalking(holders.size > 0);
}

export function letGo() {
  for (const what of holders) hold(what, false);
}

/**
 * Makes a button tell when it is held, by pointer or key. A screen reader's plain activation has no end, so it holds until the next one.
 * @param {HTMLButtonElement} button
 * @param {(on: boolean) => void} tell
 * @returns {() => boolean} ends it though it is still held, since whoever was meant is gone; false: it wasn't held
 */
export function holdable(button, tell) {
  let held = false;
  /** The press, which ends wherever it ends: a button that has been taken out of the page hears nothing of it. */
  let press = new AbortController();
  /** @param {boolean} on */
  const set = (on) => {
    if (held === on) return;
    held = on;
    button.classList.toggle("held", on);
    tell(on);
  };
  const end = () => {
    press.abort();
    set(false);
  };
  /**
   * @param {readonly string[]} ends
   * @param {(event: Event) => boolean} isOurs
   */
  const begin = (ends, isOurs) => {
    press.abort();
    press = new AbortController();
    for (const name of ends) addEventListener(name, (event) => isOurs(event) && end(), { signal: press.signal });
    addEventListener("blur", end, { signal: press.signal });
    set(true);
  };
  button.addEventListener("pointerdown", ({ button: which, pointerId }) => {
    if (which !== 0) return;
    button.setPointerCapture(pointerId);
    begin(["pointerup", "pointercancel"], (event) => event instanceof PointerEvent && event.pointerId === pointerId);
  });
  for (const name of ["lostpointercapture", "blur"]) button.addEventListener(name, () => held && end());
  button.addEventListener("keydown", (event) => {
    if (!isPress(event)) return;
    event.preventDefault();
    if (!held && !event.repeat) begin(["keyup"], (event) => event instanceof KeyboardEvent && isPress(event));
  });
  button.addEventListener("keyup", (event) => isPress(event) && event.preventDefault());
  button.addEventListener("click", ({ detail }) => detail === 0 && (held ? end() : begin([], () => false)));
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  return () => {
    if (!held) return false;
    hush(press.signal);
    set(false);
    return true;
  };
}

/**
 * What is still being said wasn't meant for anybody else: nothing is sent until what is held has been let go, and is pressed anew.
 * @param {AbortSignal} press
 */
function hush(press) {
  letGo();
  const { voice } = app;
  if (settings.activation === "push") return;
  // A mute would be told to all.
  voice?.setActivation("push");
  press.addEventListener("abort", () => voice === app.voice && voice?.setActivation(settings.activation));
}

/** @param {KeyboardEvent} event */
const isPress = ({ code }) => code === "Space" || code === "Enter" || code === "NumpadEnter";

/** The key that is held while talking, wherever the focus is, as long as nothing there wants it. */
export function listenForKey() {
  addEventListener("keydown", (event) => {
    if (event.code !== settings.key.code || settings.activation !== "push" || !app.voice || wanted(event)) return;
    event.preventDefault();
    if (!event.repeat) hold("key", true);
  });
  addEventListener("keyup", (event) => event.code === settings.key.code && hold("key", false));
  // The end of the press goes to another window, or to none.
  addEventListener("blur", letGo);
  addEventListener("pointerup", giveBackFocus);
}

/**
 * Whether what has the focus does something with the key itself, or the key belongs to a shortcut.
 * @param {KeyboardEvent} event
 */
function wanted(event) {
  const { target, code } = event;
  if (event.isComposing || (/^Key|^Digit|^Space|^Enter/.test(code) && (event.ctrlKey || event.metaKey || event.altKey))) return true;
  if (!(target instanceof Element)) return false;
  if (target.matches("textarea, select, input:not([type=range], [type=checkbox], [type=radio])")) return true;
  if (isPress(event)) return target.matches("button, a, input:not([type=range])");
  return /^Arrow|^Home|^End|^Page|^Delete|^Backspace|^Tab|^Escape/.test(code) && target.matches("input, button, .log");
}

/**
 * After a click by pointer the space bar talks again, instead of clicking once more. Who uses the keyboard keeps the focus.
 * @param {PointerEvent} event
 */
function giveBackFocus(event) {
  const { target } = event;
  if (!(target instanceof Element) || !target.closest("#talk-room :is(button, input, label)")) return;
  setTimeout(() => {
    const { activeElement } = document;
    if (settings.activation !== "push" || !(activeElement instanceof HTMLElement)) return;
    if (activeElement.matches("button:not([data-keep]), input:is([type=checkbox], [type=radio], [type=range])")) activeElement.blur();
  });
}

/**
 * Waits for the next key and makes it the one; Escape and Tab leave it as it is.
 * @returns {Promise<void>}
 */
export function learnKey() {
  return new Promise((learned) => {
    addEventListener("keydown", (event) => {
      if (event.code === "Tab" || event.code === "Escape" || !event.code) return learned();
      event.preventDefault();
      event.stopPropagation();
      remember({ key: { code: event.code, label: keyLabel(event) } });
      learned();
    }, { once: true, capture: true });
  });
}

/** @param {KeyboardEvent} event */
function keyLabel({ key, code }) {
  if (code === "Space") return "Space";
  if (key.length === 1) return key.toLocaleUpperCase();
  return code.replace(/^Key|^Digit/, "").replace(/(Left|Right)$/, (side) => ` ${side.toLowerCase()}`);
}
