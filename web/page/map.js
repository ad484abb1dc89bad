/** The map: people are dragged about on it, or moved by arrow keys, and are heard from there. Metres, x to the right, y ahead. */

import { app, nameOf } from "./app.js";
import { tell } from "./announce.js";
import { button, inside, KeyedList, make, part, setText, show } from "./dom.js";
import { cleanName, initials, tint } from "./names.js";
import { peopleHere } from "./presence.js";
import { remembered, rememberPerson } from "./settings.js";

/**
 * @import { Levels, Person, State } from "../consonance.js"
 * @import { Row } from "./dom.js"
 * @typedef {readonly [number, number]} Place
 */

/** Half of the map's side; index.html draws it with a margin of half a metre. */
const EDGE = 10;
const SIDE = 2 * (EDGE + 0.5);
/** As loud as sent up to the innermost ring, and still to be heard in a corner. */
const SPACE = { near: 3, far: 18 };
const STEP = { small: 0.5, big: 2 };

/** @type {Map<number, Place>} */
const places = new Map();
const tokens = new KeyedList(part("map-tokens"), keyOf, token);

/** @param {Person} person */
function keyOf(person) {
  return person.id;
}

export function setUpMap() {
  button("map-circle").addEventListener("click", seatInCircle);
  button("map-clear").addEventListener("click", () => {
    for (const { id, name } of app.state?.people ?? []) place(id, name, null);
  });
}

/** @param {State} state */
export function updateMap(state) {
  tokens.update(peopleHere(state));
  titleTray();
}

function titleTray() {
  show(part("map-tray-title"), [...tokens.rows.keys()].some((id) => !places.has(/** @type {number} */ (id))));
}

/** @param {Levels} levels */
export function lightMap({ people }) {
  for (const [id, { root }] of tokens.rows) root.classList.toggle("sounding", people.has(/** @type {number} */ (id)));
}

export function prepareSpace() {
  places.clear();
  app.voice?.setSpace(SPACE.near, SPACE.far);
}

/**
 * Puts somebody who has come where they were the last time.
 * @param {Person} person
 */
export function seat({ id, name }) {
  const { place: known } = remembered(name);
  if (Array.isArray(known) && known.length === 2 && known.every(Number.isFinite)) place(id, name, known);
}

/** @param {number} id */
export const unseat = (id) => places.delete(id);

/** The map without a map: some places by name. @type {readonly [string, Place | null][]} */
const NAMED = [["the middle", null], ["the left", [-4, 0]], ["ahead on the left", [-3, 3]], ["ahead", [0, 4]], ["ahead on the right", [3, 3]], ["the right", [4, 0]], ["behind", [0, -4]], ["far ahead", [0, 9]]];

/**
 * Fills a list to choose somebody's place from; gives what brings it up to date.
 * @param {HTMLSelectElement} list
 * @param {number} id
 * @param {string} name
 */
export function fromChoice(list, id, name) {
  const own = make("option", { value: "own", text: "where they are on the map", hidden: "" });
  list.append(...NAMED.map(([words], index) => make("option", { value: String(index), text: words })), own);
  list.addEventListener("change", () => place(id, name, NAMED[Number(list.value)]?.[1] ?? null));
  return () => {
    const at = NAMED.findIndex(([, where]) => String(where) === String(places.get(id) ?? null));
    const value = at < 0 ? "own" : String(at);
    if (document.activeElement !== list && list.value !== value) list.value = value;
  };
}

/**
 * @param {Person} person
 * @returns {Row<Person>}
 */
function token({ id, name }) {
  const label = make("bdi", { class: "token-name" });
  const root = make("button", { type: "button", class: "token", "data-keep": "" }, [make("span", { class: `avatar ${tint(name)}`, "aria-hidden": "true", "data-initials": initials(name) }), label, make("span", { class: "unseen" })]);
  root.addEventListener("keydown", (event) => onKey(event, id, name));
  draggable(root, id, name);
  putToken(root, places.get(id) ?? null);
  return {
    root,
    update(person) {
      setText(label, nameOf(id, cleanName(name)));
      sayWhere(root, places.get(id));
      root.classList.toggle("speaking", person.audible);
      root.classList.toggle("away", person.reconnecting);
    },
  };
}

/**
 * @param {HTMLElement} root
 * @param {number} id
 * @param {string} name
 */
function draggable(root, id, name) {
  /** @type {Place | undefined} */
  let before;
  let dragging = false;
  root.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    root.setPointerCapture(event.pointerId);
    before = places.get(id);
    dragging = true;
  });
  root.addEventListener("pointermove", (event) => {
    if (!dragging) return;
    root.classList.add("dragged");
    place(id, name, placeAt(event), false);
  });
  root.addEventListener("pointercancel", () => {
    dragging = false;
    root.classList.remove("dragged");
    place(id, name, before ?? null);
  });
  root.addEventListener("pointerup", (event) => {
    if (dragging && root.classList.contains("dragged")) place(id, name, onFloor(event) ? placeAt(event) : null);
    dragging = false;
    root.classList.remove("dragged");
  });
}

/** @param {PointerEvent} event */
function onFloor({ clientX, clientY }) {
  const floor = inside(part("map"), ".map-floor", SVGElement).getBoundingClientRect();
  return clientX >= floor.left && clientX <= floor.right && clientY >= floor.top && clientY <= floor.bottom;
}

/**
 * @param {PointerEvent} event
 * @returns {Place}
 */
function placeAt({ clientX, clientY }) {
  const floor = inside(part("map"), ".map-floor", SVGElement).getBoundingClientRect();
  return [((clientX - floor.left) / floor.width - 0.5) * SIDE, (0.5 - (clientY - floor.top) / floor.height) * SIDE];
}

/**
 * @param {KeyboardEvent} event
 * @param {number} id
 * @param {string} name
 */
function onKey(event, id, name) {
  if (event.key === "Delete" || event.key === "Backspace") return place(id, name, null), announce(id);
  const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  if (!direction) return;
  event.preventDefault();
  const [x = 0, y = 0] = direction;
  const from = places.get(id);
  // The first step leads out of the middle, onto the inner ring.
  const step = from ? (event.shiftKey ? STEP.big : STEP.small) : SPACE.near;
  place(id, name, [(from?.[0] ?? 0) + x * step, (from?.[1] ?? 0) + y * step]);
  announce(id);
}

/** @param {number} id */
const announce = (id) => tell(`${nameOf(id)}: ${whereabouts(places.get(id))}`);

/**
 * Moves somebody for the eye and the ear; null takes them off the map.
 * @param {number} id
 * @param {string} name
 * @param {Place | null} wanted
 * @param {boolean} [keep] for the next time too
 */
function place(id, name, wanted, keep = true) {
  /** @type {[number, number] | null} */
  const where = wanted && [clamp(wanted[0]), clamp(wanted[1])];
  if (where) places.set(id, where);
  else places.delete(id);
  app.voice?.setPersonPosition(id, where);
  if (keep) rememberPerson(name, { place: where ?? undefined });
  const root = tokens.rows.get(id)?.root;
  if (root) putToken(root, where);
  if (root) sayWhere(root, where ?? undefined);
  titleTray();
}

/** @param {number} metres */
const clamp = (metres) => Math.round(Math.min(EDGE, Math.max(-EDGE, metres)) * 100) / 100;

/**
 * @param {HTMLElement} root
 * @param {Place | null} where
 */
function putToken(root, where) {
  root.classList.toggle("placed", where !== null);
  root.style.setProperty("--x", String((where?.[0] ?? 0) / SIDE + 0.5));
  root.style.setProperty("--y", String(0.5 - (where?.[1] ?? 0) / SIDE));
}

/**
 * @param {HTMLElement} root
 * @param {Place | undefined} where
 */
function sayWhere(root, where) {
  setText(inside(root, ".unseen", HTMLElement), `, ${whereabouts(where)}`);
}

function seatInCircle() {
  const people = app.state ? peopleHere(app.state) : [];
  people.forEach(({ id, name }, index) => {
    // From the left over the front to the right: behind one's back voices are hard to tell apart.
    const angle = Math.PI * (people.length > 1 ? 1 - index / (people.length - 1) : 0.5);
    place(id, name, [Math.cos(angle) * 5, Math.sin(angle) * 5]);
  });
}

/** @param {Place | undefined} where */
function whereabouts(where) {
  if (!where) return "not on the map";
  const [x, y] = where;
  const distance = Math.hypot(x, y);
  if (distance < 0.5) return "where you are";
  const along = Math.abs(y) > distance / 3 ? (y > 0 ? "ahead" : "behind") : "";
  const across = Math.abs(x) > distance / 3 ? (x > 0 ? "to the right" : "to the left") : "";
  return `${distance.toFixed(1)} metres ${[along, across].filter(Boolean).join(" ")}`;
}
