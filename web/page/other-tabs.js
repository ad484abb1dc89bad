/** Knows of other tabs of this page in this browser: opening a second one is how many people try it out. */

/** @typedef {{ tab: string, name: string, joined: boolean, ask?: boolean }} Hello */

const EVERY_MS = 5_000;
/** Tabs in the background may tell only once a minute. */
const FORGET_MS = 70_000;

const tab = `${Date.now()}-${Math.random()}`;
const channel = typeof BroadcastChannel === "function" ? new BroadcastChannel("consonance") : null;

/** @type {Map<string, { name: string, at: number }>} those that have joined */
const known = new Map();
/** @type {{ name: string, joined: boolean }} */
let mine = { name: "", joined: false };
let changed = () => {};

/** The names under which one is here in other tabs. */
export const others = () => [...known.values()].map(({ name }) => name);

/** @param {() => void} onChange */
export function watchOtherTabs(onChange) {
  changed = onChange;
  channel?.addEventListener("message", onHello);
  say({ ask: true });
  setInterval(beat, EVERY_MS);
  addEventListener("pagehide", () => say({ joined: false }));
  addEventListener("pageshow", () => say({ ask: true }));
}

/**
 * @param {string} name
 * @param {boolean} joined
 */
export function tellOtherTabs(name, joined) {
  if (mine.name === name && mine.joined === joined) return;
  mine = { name, joined };
  say({});
}

/**
 * A name that no other tab has: "Anna 2" after "Anna".
 * @param {string} name
 */
export function freeName(name) {
  const taken = new Set(others());
  const stem = name.replace(/ \d+$/, "");
  let free = name;
  for (let number = 2; taken.has(free); number++) free = `${stem} ${number}`;
  return free;
}

/** @param {Partial<Hello>} changes */
function say(changes) {
  channel?.postMessage({ tab, ...mine, ...changes });
}

/** @param {MessageEvent<Hello>} event */
function onHello({ data }) {
  const before = others().join();
  if (data.joined) known.set(data.tab, { name: String(data.name), at: Date.now() });
  else known.delete(data.tab);
  if (data.ask && mine.joined) say({});
  if (before !== others().join()) changed();
}

/** A tab that has crashed says no goodbye. */
function beat() {
  if (mine.joined) say({});
  const old = [...known].filter(([, { at }]) => Date.now() - at > FORGET_MS);
  for (const [key] of old) known.delete(key);
  if (old.length) changed();
}
