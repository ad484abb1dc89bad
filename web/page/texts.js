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

/** @typedef {{ key: string, words: string, to: { room: string } | { person: number } }} Target */

/** @type {Map<string, Target>} */
let targets = new Map();
const choice = new KeyedList(select("text-to"), (/** @type {Target} */ { key }) => key, ({ key }) => {
  const root = make("option", { value: key });
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
  onView(() => {
    if (!isOpen("texts")) return;
    countUnread(0);
    clearToasts();
  });
}

/** @param {State} state */
export function updateTargets({ rooms, people }) {
  const list = [
    ...rooms.map(({ name }) => ({ key: `room ${name}`, words: `all in ${cleanName(name)}`, to: { room: name } })),
    ...people.map(({ id }) => ({ key: `person ${id}`, words: `${nameOf(id)} alone`, to: { person: id } })),
  ];
  targets = new Map(list.map((target) => [target.key, target]));
  choice.update(list);
}

/**
 * Opens the texts with somebody as the one to write to.
 * @param {number} id
 */
export function writeTo(id) {
  open("texts");
  select("text-to").value = `person ${id}`;
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
}

/** @param {HTMLTextAreaElement} field */
async function send(field) {
  const target = targets.get(select("text-to").value);
  const text = field.value.trim();
  if (!text) return;
  if (!target || !app.voice) return complain("There is nobody to write to.");
  if (bytesOf(text) > TEXT_BYTES) return complain("This is too long: send it in two parts.");
  field.value = "";
  const problem = await app.voice.sendText(target.to, text);
  if (problem === null) return add("mine", "You", `to ${target.words}`, cleanText(text));
  // What was typed meanwhile is worth more than the old text at its place.
  if (!field.value) field.value = text;
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
