/** Names and texts come from strangers: they may be endless, invisible, or turn the line around. Nothing here trusts them. */

/** Controls, and what turns or hides text (bidi controls, zero-width spaces); joiners stay, since writing in Persian and emoji need them. */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u00ad\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
const UNSEEN_IN_TEXT = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u180e\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]/g;
/** Marks piled on one letter reach into other lines. */
const PILES = /(\p{M}{3})\p{M}+/gu;

const encoder = new TextEncoder();
const segmenter = "Segmenter" in Intl ? new Intl.Segmenter() : null;

/** @param {string} text */
export const bytesOf = (text) => encoder.encode(text).length;

/**
 * What may be shown of a name.
 * @param {string} name
 */
export function cleanName(name) {
  const clean = name.replace(UNSEEN, "").replace(PILES, "$1").replace(/\s+/g, " ").trim();
  return /[^\s\u200c\u200d\u2800\u3164\u115f\u1160\uffa0]/.test(clean) ? clean : "(no name)";
}

/**
 * What may be shown of a text; lines stay, but no more than one empty one.
 * @param {string} text
 */
export function cleanText(text) {
  return text.replace(UNSEEN_IN_TEXT, "").replace(PILES, "$1").replace(/\n{3,}/g, "\n\n").trim();
}

/**
 * One or two letters for a portrait.
 * @param {string} name
 */
export function initials(name) {
  const words = cleanName(name).split(/[\s_.-]+/).filter((word) => /[\p{L}\p{N}\p{Emoji}]/u.test(word));
  const chosen = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return chosen.map(firstLetter).join("").toLocaleUpperCase() || "?";
}

/** @param {string | undefined} word */
function firstLetter(word = "") {
  const letters = segmenter ? [...segmenter.segment(word)].map((part) => part.segment) : [...word];
  return letters.find((letter) => /[\p{L}\p{N}\p{Emoji}]/u.test(letter)) ?? "";
}

/**
 * The same of eight tints for the same name, everywhere.
 * @param {string} name
 */
export function tint(name) {
  let sum = 7;
  for (const byte of encoder.encode(name)) sum = ((sum ^ byte) * 40_503) % 65_536;
  return `tint-${sum >> 13}`;
}

/**
 * Names as they are shown, by id; of equal ones each but the first gets its number.
 * @param {readonly { id: number, name: string }[]} people
 * @returns {Map<number, string>}
 */
export function distinctNames(people) {
  const seen = new Set();
  return new Map(people.map(({ id, name }) => {
    const clean = cleanName(name);
    const shown = seen.has(clean) ? `${clean} #${id}` : clean;
    seen.add(clean);
    return [id, shown];
  }));
}

/**
 * @param {readonly string[]} names
 * @param {number} [most]
 */
export function listed(names, most = 4) {
  const some = names.length > most ? [...names.slice(0, most - 1), `${names.length - most + 1} others`] : names;
  return some.length > 1 ? `${some.slice(0, -1).join(", ")} and ${some[some.length - 1]}` : some[0] ?? "";
}
