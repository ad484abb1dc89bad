/**
 * What this browser remembers for one person. Other tabs write there too, so each writes only what it has changed itself. Where storage isn't allowed, it is
 * remembered until the page is closed.
 */

import { app } from "./app.js";

const KEY = "consonance";
/** People whose volume and place are remembered; who was met longest ago is forgotten first. */
const PEOPLE = 200;

/**
 * @typedef {{ volume?: number, muted?: boolean, place?: [number, number] }} Remembered
 * @typedef {typeof DEFAULTS} Settings
 */

const DEFAULTS = {
  name: "",
  room: "Lobby",
  /** @type {"push" | "voice" | "open"} */
  activation: "voice",
  threshold: -60,
  key: { code: "Space", label: "Space" },
  microphone: "",
  loudspeaker: "",
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
  /** @type {Record<string, Remembered>} by name */
  people: {},
};

/** @type {Settings} */
export const settings = { ...DEFAULTS, ...read() };

/** What this tab has changed and not yet written. @type {Partial<Omit<Settings, "people">>} */
let changed = {};
/** The same of people. @type {Map<string, Remembered>} */
const changedPeople = new Map();

/** @param {Partial<Omit<Settings, "people">>} changes */
export function remember(changes) {
  Object.assign(settings, changes);
  Object.assign(changed, changes);
  write();
}

/**
 * What is remembered of somebody.
 * @param {string} name
 * @returns {Remembered}
 */
export function remembered(name) {
  return Object.hasOwn(settings.people, name) ? settings.people[name] ?? {} : {};
}

/**
 * @param {string} name
 * @param {Remembered} changes
 */
export function rememberPerson(name, changes) {
  settings.people = withPerson(settings.people, name, changes);
  changedPeople.set(name, { ...changedPeople.get(name), ...changes });
  write();
}

/**
 * @param {Settings["people"]} people
 * @param {string} name
 * @param {Remembered} changes
 */
function withPerson(people, name, changes) {
  const { [name]: known, ...others } = people;
  return Object.fromEntries([...Object.entries(others).slice(-(PEOPLE - 1)), [name, { ...known, ...changes }]]);
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let pending;

/** A slider that is dragged changes things many times a second; storage is slow. */
function write() {
  clearTimeout(pending);
  pending = setTimeout(flush, 300);
}

function flush() {
  if (!changedPeople.size && !Object.keys(changed).length) return;
  const all = merged();
  try {
    localStorage.setItem(KEY, JSON.stringify(all));
  } catch {
    // Private windows and full disks: the page works without.
    return;
  }
  changed = {};
  changedPeople.clear();
}

/** What is stored, with what this tab has changed. */
function merged() {
  const stored = read();
  let people = stored.people ?? {};
  for (const [name, changes] of changedPeople) people = withPerson(people, name, changes);
  return { ...stored, ...changed, people };
}

addEventListener("pagehide", flush);
addEventListener("storage", ({ key }) => key === KEY && follow());

/** Another tab has changed something. Within a talk only what is of people holds at once: one's own voice mustn't go out otherwise all of a sudden. */
function follow() {
  const all = merged();
  if (app.voice) return void (settings.people = all.people);
  Object.assign(settings, all);
  document.dispatchEvent(new Event("settings"));
}

/**
 * Takes only what has the kind that is expected: the storage may be of another version, or somebody's experiment.
 * @returns {Partial<Settings>}
 */
function read() {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return Object.fromEntries(Object.entries(DEFAULTS).filter(([key, value]) => fits(key, stored[key], value)).map(([key]) => [key, stored[key]]));
  } catch {
    return {};
  }
}

/**
 * @param {string} key
 * @param {unknown} stored
 * @param {unknown} usual
 */
function fits(key, stored, usual) {
  if (stored === null || typeof stored !== typeof usual || Array.isArray(stored)) return false;
  if (key === "activation") return ["push", "voice", "open"].includes(String(stored));
  if (key === "threshold") return Number(stored) >= -100 && Number(stored) <= 0;
  if (key === "key") return typeof Object(stored).code === "string" && typeof Object(stored).label === "string";
  if (key === "people") return Object.values(Object(stored)).every((entry) => entry !== null && typeof entry === "object");
  return true;
}
