/** The network: how the connection is, and how each person is heard over it. */

import { app, nameOf } from "./app.js";
import { KeyedList, make, part, setText, show } from "./dom.js";
import { plot } from "./plots.js";
import { isOpen, onView } from "./tabs.js";
import { hearing } from "./words.js";

/** @import { Person, PersonStats, Stats } from "../consonance.js" */

const EVERY_MS = 1_000;

const percent = (/** @type {number} */ share) => `${share < 0.1 && share > 0 ? (share * 100).toFixed(1) : Math.round(share * 100)} %`;
const ms = (/** @type {number} */ value) => `${Math.round(value)} ms`;

const plots = {
  rtt: plot("Round trip", ms, 60),
  loss: plot("Lost", percent, 0.05),
  jitter: plot("Jitter", ms, 20),
  playout: plot("Waiting here", ms, 60),
};

/** @typedef {{ person: Person, stats: PersonStats | undefined }} Heard */

const people = new KeyedList(part("line-people"), (/** @type {Heard} */ { person }) => person.id, personLine);
const facts = new KeyedList(part("line-facts"), (/** @type {readonly [string, string]} */ [name]) => name, fact);

export function setUpLine() {
  part("plots").append(...Object.values(plots).map(({ root }) => root));
  setInterval(measure, EVERY_MS);
  onView(() => void measure());
}

export function forgetLine() {
  for (const each of Object.values(plots)) each.clear();
}

let measuring = false;

async function measure() {
  const { voice } = app;
  if (!voice || measuring) return;
  measuring = true;
  const stats = await voice.stats().catch(() => null);
  measuring = false;
  if (!stats || voice !== app.voice) return;
  plots.rtt.add(stats.rttMs);
  plots.loss.add(worst(stats, "loss"));
  plots.jitter.add(worst(stats, "jitterMs"));
  plots.playout.add(worst(stats, "playoutMs"));
  if (isOpen("line") && !document.hidden) paint(stats);
}

/**
 * What the one who is heard worst has.
 * @param {Stats} stats
 * @param {"loss" | "jitterMs" | "playoutMs"} what
 */
function worst({ people }, what) {
  return people.length ? Math.max(...people.map((person) => person[what])) : null;
}

/** @param {Stats} stats */
function paint(stats) {
  for (const each of Object.values(plots)) each.paint();
  setText(part("line-words"), verdict(stats));
  facts.update(factsOf(stats));
  const byId = new Map(stats.people.map((person) => [person.id, person]));
  const heard = (app.state?.people ?? []).map((person) => ({ person, stats: byId.get(person.id) }));
  people.update(heard);
  show(part("line-nobody"), !heard.length);
}

/** @param {Stats} stats */
function verdict(stats) {
  const { status } = app.state ?? {};
  if (status === "reconnecting") return "There is no connection just now. It is being made anew.";
  if (status === "degraded") return "Hardly anything arrives from the server just now.";
  if (stats.underruns > 0 && stats.load > 0.7) return "This device is too busy to play without gaps. Close what you don't need.";
  const loss = Math.max(worst(stats, "loss") ?? 0, stats.reportedLoss);
  if (loss > 0.1) return "Much is lost on the way: words may be missing. A cable or a place nearer to the wireless router helps.";
  if ((stats.rttMs ?? 0) > 300) return "The way to the server is long: you will talk into each other's words.";
  if (loss > 0.02 || (worst(stats, "jitterMs") ?? 0) > 40) return "The network is uneven. It is made up for by waiting a little longer.";
  return "The connection is good.";
}

/**
 * @param {Stats} stats
 * @returns {[string, string][]}
 */
function factsOf(stats) {
  const path = stats.path;
  return [
    ["Way to the server", path ? (path.relayed ? "through a relay" : "direct") : "not known yet"],
    ["Addresses", path ? `${path.local} to ${path.remote}` : "–"],
    ["Lost of your voice", percent(stats.reportedLoss)],
    ["Sent", `${Math.round(stats.bitrate / 1000)} kbit/s in pieces of ${ms(stats.frameMs)}`],
    ["In and out so far", `${mebibytes(stats.bytesIn)} in, ${mebibytes(stats.bytesOut)} out`],
    ["Gaps in the sound", String(stats.underruns)],
    ["Work of the sound", percent(stats.load)],
    ["Packets not used", Object.entries(stats.drops).map(([reason, count]) => `${count} ${reason.replaceAll("_", " ")}`).join(", ") || "none"],
  ];
}

/** @param {number} bytes */
const mebibytes = (bytes) => (bytes < 1_048_576 ? `${Math.round(bytes / 1024)} KiB` : `${(bytes / 1_048_576).toFixed(1)} MiB`);

/** @param {readonly [string, string]} first */
function fact([name]) {
  const value = make("dd");
  const root = make("div", {}, [make("dt", { text: name }), value]);
  return { root, update: (/** @type {readonly [string, string]} */ [, words]) => setText(value, words) };
}

function personLine() {
  const name = make("bdi", { class: "person-name" });
  const why = make("p");
  const figures = make("p", { class: "hint" });
  const root = make("li", {}, [name, why, figures]);
  return {
    root,
    /** @param {Heard} heard */
    update({ person, stats }) {
      setText(name, nameOf(person.id));
      setText(why, hearing(person));
      setText(figures, stats ? figuresOf(stats) : "No voice has come from them yet.");
    },
  };
}

/** @param {PersonStats} stats */
function figuresOf({ loss, lost, late, recovered, jitterMs, playoutMs, direct }) {
  const way = direct ? "straight from them" : "over the server";
  return `${ms(playoutMs)} waiting here, ${ms(jitterMs)} jitter, ${percent(loss)} lost, ${way}. Since they came: ${lost} lost, ${recovered} of them mended, ${late} late.`;
}
