/** What this browser remembers for one person. Where storage isn't allowed, it is remembered until the page is closed. */

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

/** @param {Partial<Settings>} changes */
export function remember(changes) {
  Object.assign(settings, changes);
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
  const { [name]: known, ...others } = settings.people;
  const entries = Object.entries(others).slice(-(PEOPLE - 1));
  settings.people = Object.fromEntries([...entries, [name, { ...known, ...changes }]]);
  write();
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let pending;

/** A slider that is dragged changes things many times a second; storage is slow. */
function write() {
  clearTimeout(pending);
  pending = setTimeout(flush, 300);
}

function flush() {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Private windows and full disks: the page works without.
  }
}

addEventListener("pagehide", flush);

/** Takes only what has the kind that is expected: the storage may be of another version, or somebody's experiment. */
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
