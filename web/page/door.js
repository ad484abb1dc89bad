/** The door: name and room before one is in, and the reason when one isn't let in. */

import { button, input, make, need, part, setText, show } from "./dom.js";
import { roomsIn } from "./links.js";
import { bytesOf, cleanName } from "./names.js";
import { freeName, others } from "./other-tabs.js";
import { roomProblem } from "./rooms.js";
import { remember, settings } from "./settings.js";
import { titlePlace } from "./title.js";

/** @import { Missing } from "../consonance.js" */

/**
 * @typedef {{ name: string, rooms: string[], password: string, talk: boolean }} Wish
 * @typedef {{ enter(wish: Wish): void, giveUp(): void }} Handlers
 */

const NAME_BYTES = 64;

/** Rooms of the link, as long as the field still says so: their names may have commas. */
let linked = { text: "", rooms: /** @type {string[]} */ ([]) };

/** @param {Handlers} handlers */
export function setUpDoor({ enter, giveUp }) {
  input("name").value ||= settings.name;
  fillRoom();
  need("join-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    tryTo(enter, true);
  });
  button("listen-only").addEventListener("click", () => tryTo(enter, false));
  button("give-up").addEventListener("click", giveUp);
  addEventListener("hashchange", fillRoom);
  (input("name").value ? button("join") : input("name")).focus({ preventScroll: true });
}

/** @param {Missing} what the browser lacks */
export function showMissing({ listen, talk }) {
  const words = listen.length ? ["To hear the others, this browser lacks:", ...listen] : talk.length ? ["You can listen here, but to talk this browser lacks:", ...talk] : [];
  part("door-missing").replaceChildren(...words.map((text) => make("li", { text })));
  show(part("door-missing"), words.length > 0);
}

/** @param {string | null} words */
export function showProblem(words) {
  setText(part("door-problem"), words ?? "");
  show(part("door-problem"), words !== null);
}

/** The server has said that it wants one. */
export function askPassword() {
  const again = !part("password-field").hidden;
  show(part("password-field"), true);
  showProblem(again ? "That isn't the password. Ask whoever runs the server." : "This server wants a password. Ask whoever runs it.");
  input("password").select();
}

/**
 * What is being waited for, or null.
 * @param {string | null} words
 */
export function showProgress(words) {
  show(part("door-progress"), words !== null);
  setText(part("door-status"), words ?? "");
  for (const id of ["join", "listen-only"]) button(id).disabled = words !== null;
}

/** One is here in another tab: two of the same name would puzzle the others. */
export function suggestName() {
  const field = input("name");
  const names = others();
  const taken = names.includes(field.value.trim());
  if (taken) field.value = freeName(field.value.trim());
  setText(part("name-hint"), names.length ? `You are here in another tab as ${cleanName(names[0] ?? "")}, so take another name in this one. Use headphones.` : "The others see it.");
}

/** @param {boolean} visible */
export function showDoor(visible) {
  show(part("door"), visible);
  if (visible) titlePlace("");
  if (visible) fillRoom();
}

function fillRoom() {
  const rooms = roomsIn(location);
  linked = { text: rooms.join(", "), rooms };
  input("room").value = linked.text || settings.room;
}

/**
 * @param {(wish: Wish) => void} enter
 * @param {boolean} talk
 */
function tryTo(enter, talk) {
  const name = input("name").value.trim();
  const rooms = chosenRooms();
  const problem = nameProblem(name) ?? rooms.map(roomProblem).find((words) => words !== null) ?? (rooms.length ? null : "Type the name of a room.");
  for (const [id, wrong] of /** @type {const} */ ([["name", nameProblem(name) !== null], ["room", problem !== null && nameProblem(name) === null]])) {
    input(id).setAttribute("aria-invalid", String(wrong));
    if (wrong) input(id).focus();
  }
  showProblem(problem);
  if (problem) return;
  // The name of a second tab isn't the one to offer the next time.
  remember(others().length ? { room: rooms[0] ?? "" } : { name, room: rooms[0] ?? "" });
  enter({ name, rooms, password: input("password").value, talk });
}

function chosenRooms() {
  const text = input("room").value.trim();
  const rooms = text === linked.text ? linked.rooms : text.split(",").map((room) => room.trim());
  return [...new Set(rooms.filter(Boolean))];
}

/** @param {string} name */
function nameProblem(name) {
  if (!name) return "Say your name: the others want to know who you are.";
  if (cleanName(name) === "(no name)") return "Nobody could see this name. Use letters.";
  return bytesOf(name) > NAME_BYTES ? "This name is too long." : null;
}
