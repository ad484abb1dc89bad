/** A small live plot, drawn by hand: the last two minutes, one value a second. */

import { draw, make, setAttribute, setText } from "./dom.js";

const SECONDS = 120;
const HEIGHT = 36;

/**
 * @param {string} title
 * @param {(value: number) => string} words how a value reads
 * @param {number} least what the plot's height stands for at least, so that small changes don't look like mountains
 */
export function plot(title, words, least) {
  const line = draw("polyline", { class: "plot-line" });
  const picture = draw("svg", { viewBox: `0 0 ${SECONDS} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, [draw("path", { class: "plot-base", d: `M0 ${HEIGHT - 0.5}H${SECONDS}` }), line]);
  const now = make("b");
  const root = make("div", { class: "plot" }, [make("p", {}, [make("span", { text: title }), now]), picture]);
  /** @type {(number | null)[]} */
  let values = [];
  return {
    root,
    /** @param {number | null} value */
    add(value) {
      values = [...values, value].slice(-SECONDS);
    },
    paint() {
      const known = values.filter((value) => value !== null);
      const top = Math.max(least, ...known) * 1.1;
      setAttribute(line, "points", points(values, top));
      setText(now, lastWords(values, words));
      setAttribute(picture, "aria-label", known.length ? `${title} over two minutes: at most ${words(Math.max(...known))}, now ${lastWords(values, words)}` : `${title}: nothing yet`);
    },
    clear() {
      values = [];
    },
  };
}

/**
 * The newest at the right.
 * @param {readonly (number | null)[]} values
 * @param {number} top
 */
function points(values, top) {
  return values.map((value, index) => `${SECONDS - values.length + index + 1},${(HEIGHT - 1 - ((value ?? 0) / top) * (HEIGHT - 2)).toFixed(1)}`).join(" ");
}

/**
 * @param {readonly (number | null)[]} values
 * @param {(value: number) => string} words
 */
function lastWords(values, words) {
  const last = values[values.length - 1];
  return last === null || last === undefined ? "–" : words(last);
}
