/** Texts to a room or to one person, with who came and went between them. */

import { app, nameOf } from "./app.js";
import { clearToasts, tell, toast } from "./announce.js";
import { KeyedList, make, need, part, select, setText, show } from "./dom.js";
import { bytesOf, cleanName, cleanText } from "./names.js";
import { isOpen, onView, open } from "./tabs.js";
import { titleUnread } from "./title.js";

/** @import { State, Text } from "../consonance.js" */

const TEXT_BYTES = 2_000;
const KEPT = 500;

/** @typedef {{ key: string, words: string, gone: string, to: { room: string } | { person: number } }} Target */

/** Ids are given again, to others. @param {{ id: number, name: string }} person */
const personKey = ({ id, name }) => `person ${id} ${name}`;

/** @type {Map<string, Target>} */
let targets = new Map();
/** To whom it goes. Once somebody has been chosen or something is typed, it goes to nobody else: it may not be for them. @type {Target | undefined} */
let chosen;
let isMyChoice = false;
const choice = new KeyedList(select("text-to"), (/** @type {Pick<Target, "key" | "words">} */ { key }) => key, ({ key }) => {
  const root = make("option", { value: key, disabled: key ? undefined : "" });
  return { root, update: ({ words }) => setText(root, words) };
});

let unread = 0;

export function setUpTexts() {
  const text = need("text", HTMLTextAreaElement);
  const form = need("write", HTMLFormElement);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send(text);
  });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  text.addEventListener("input", () => show(part("text-problem"), false));
  select("text-to").addEventListener("change", () => choose(select("text-to").value));
  onView(() => {
    if (!isOpen("texts")) return;
    countUnread(0);
    clearToasts();
  });
}

/** @param {State} state */
export function updateTargets({ rooms, people }) {
  const list = [
    ...rooms.map(({ name }) => ({ key: `room ${name}`, words: `all in ${cleanName(name)}`, gone: `You aren't in ${cleanName(name)} any more`, to: { room: name } })),
    ...people.map(({ id, name }) => ({ key: personKey({ id, name }), words: `${nameOf(id)} alone`, gone: `${nameOf(id)} has left`, to: { person: id } })),
  ];
  targets = new Map(list.map((target) => [target.key, target]));
  if (!isMyChoice && !need("text", HTMLTextAreaElement).value) chosen = list[0];
  chosen = targets.get(chosen?.key ?? "") ?? chosen;
  showTargets();
}

/** One who has gone stays to be seen until another one is chosen. */
function showTargets() {
  const isGone = chosen && !targets.has(chosen.key);
  choice.update([...(isGone ? [{ key: "", words: chosen?.gone ?? "" }] : []), ...targets.values()]);
  const value = isGone ? "" : chosen?.key ?? "";
  if (select("text-to").value !== value) select("text-to").value = value;
}

/**
 * @param {string} key
 * @param {Target} [gone] who has it, if nobody has any more
 */
function choose(key, gone) {
  chosen = targets.get(key) ?? gone;
  isMyChoice = true;
  show(part("text-problem"), false);
  showTargets();
}

/**
 * Opens the texts with somebody as the one to write to.
 * @param {number} id
 * @param {string} name
 */
export function writeTo(id, name) {
  open("texts");
  choose(personKey({ id, name }));
  part("text").focus();
}

/** @param {Text} text */
export function receive({ from, name, room, text }) {
  const words = cleanText(text);
  const who = nameOf(from, cleanName(name));
  const where = room === null ? "to you alone" : roomName(room);
  add("theirs", who, where, words);
  if (isOpen("texts")) return;
  countUnread(unread + 1);
  toast(`${who}: ${words.length > 90 ? `${words.slice(0, 90)}…` : words}`);
}

/** @param {string} words */
export function note(words) {
  append(make("p", { class: "note", text: words }));
}

export function forgetTexts() {
  part("log").replaceChildren();
  countUnread(0);
  // What is typed still isn't for others when one comes back.
  isMyChoice = Boolean(need("text", HTMLTextAreaElement).value);
}

/** @param {HTMLTextAreaElement} field */
async function send(field) {
  const target = targets.get(chosen?.key ?? "");
  const text = field.value.trim();
  if (!text) return;
  if (chosen && !target) return complain(`${chosen.gone}, so this wasn't sent. Choose to whom it goes.`);
  if (!target || !app.voice) return complain("There is nobody to write to.");
  if (bytesOf(text) > TEXT_BYTES) return complain("This is too long: send it in two parts.");
  field.value = "";
  const problem = await app.voice.sendText(target.to, text);
  if (problem === null) return add("mine", "You", `to ${target.words}`, cleanText(text));
  // What was typed meanwhile is worth more than the old text at its place.
  if (!field.value) {
    field.value = text;
    choose(target.key, target);
  }
  complain(`It wasn't sent: ${problem}.`);
}

/** @param {string} words */
function complain(words) {
  const problem = part("text-problem");
  setText(problem, words);
  show(problem, true);
}

/** @param {number} room */
function roomName(room) {
  const rooms = app.state?.rooms ?? [];
  const name = rooms.find(({ id }) => id === room)?.name;
  return rooms.length > 1 && name ? `in ${cleanName(name)}` : "";
}

/**
 * @param {"mine" | "theirs"} side
 * @param {string} who
 * @param {string} where
 * @param {string} words
 */
function add(side, who, where, words) {
  const time = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const head = make("p", { class: "text-head" }, [make("bdi", { class: "text-who", text: who }), make("span", { text: where }), make("time", { text: time })]);
  append(make("article", { class: `text ${side}` }, [head, make("p", { class: "text-words", dir: "auto" }, withLinks(words))]));
  if (side === "mine") tell("Sent");
}

/**
 * Addresses become links, which tell the other site nothing of this page.
 * @param {string} words
 */
function withLinks(words) {
  return words.split(/(https?:\/\/[^\s<>"]+[^\s<>".,:;!?)\]}'])/).map((piece, index) => {
    return index % 2 ? make("a", { href: piece, text: piece, target: "_blank", rel: "noopener noreferrer nofollow" }) : document.createTextNode(piece);
  });
}

/** @param {HTMLElement} entry */
function append(entry) {
  const log = part("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  log.append(entry);
  while (log.children.length > KEPT) log.firstElementChild?.remove();
  if (atEnd || entry.classList.contains("mine")) log.scrollTop = log.scrollHeight;
}

/** @param {number} count */
function countUnread(count) {
  unread = count;
  titleUnread(count);
  const badge = part("unread");
  show(badge, count > 0);
  setText(part("unread-count"), count > 99 ? "99+" : `${count}`);
}
