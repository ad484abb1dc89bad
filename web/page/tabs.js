/** The views: on narrow screens one at a time, on wide ones the people always and another beside them. */

import { button, part, setAttribute, show } from "./dom.js";

/** @typedef {"people" | "texts" | "map" | "sound" | "line"} View */

/** @type {readonly View[]} */
const VIEWS = ["people", "texts", "map", "sound", "line"];
const wide = matchMedia("(min-width: 56rem)");

/** @type {View} */
let chosen = "people";
/** @type {(() => void)[]} */
const watchers = [];

export function setUpTabs() {
  for (const view of VIEWS) button(`tab-${view}`).addEventListener("click", () => open(view));
  part("tab-people").parentElement?.addEventListener("keydown", onKey);
  wide.addEventListener("change", draw);
  draw();
}

/** @param {View} view */
export function open(view) {
  chosen = view;
  draw();
}

/**
 * Whether people can see it now.
 * @param {View} view
 */
export const isOpen = (view) => view === shown() || (view === "people" && wide.matches);

/** @param {() => void} watcher called when another view is opened */
export const onView = (watcher) => watchers.push(watcher);

/** @returns {View} */
const shown = () => (wide.matches && chosen === "people" ? "texts" : chosen);

function draw() {
  for (const view of VIEWS) {
    const selected = view === shown();
    const tab = button(`tab-${view}`);
    setAttribute(tab, "aria-selected", String(selected));
    tab.tabIndex = selected ? 0 : -1;
    show(part(`${view}-view`), isOpen(view));
  }
  show(part("tab-people"), !wide.matches);
  const people = part("people-view");
  setAttribute(people, "role", wide.matches ? "region" : "tabpanel");
  for (const watcher of watchers) watcher();
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  const tabs = VIEWS.filter((view) => !part(`tab-${view}`).hidden);
  const at = tabs.indexOf(shown());
  const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  const view = tabs[(next + tabs.length) % tabs.length] ?? "people";
  open(view);
  part(`tab-${view}`).focus();
}
