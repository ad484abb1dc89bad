/** Who is here and who speaks, and what one can do about each. */

import { app, isConnected, nameOf } from "./app.js";
import { toast } from "./announce.js";
import { copyOf, inside, KeyedList, part, press, setAttribute, setText, show } from "./dom.js";
import { hold, holdable } from "./hold.js";
import { fromChoice } from "./map.js";
import { cleanName, initials, tint } from "./names.js";
import { peopleHere } from "./presence.js";
import { remembered, rememberPerson } from "./settings.js";
import { writeTo } from "./texts.js";
import { briefly, hearing } from "./words.js";

/**
 * @import { Levels, Person, State } from "../consonance.js"
 * @import { Row } from "./dom.js"
 */

/** Quieter than this the ring is thinnest, from the other on thickest. */
const RING_DB = { from: -55, to: -15 };
/** Nobody sees more sizes of a ring; and what stays as it is needn't be drawn, twenty times a second for each who speaks. */
const RING_SIZES = 6;

const here = new KeyedList(part("people"), keyOf, personRow);
const elsewhere = new KeyedList(part("elsewhere-people"), keyOf, personRow);

/** @param {Person} person */
function keyOf(person) {
  return person.id;
}

/** @param {State} state */
export function updatePeople(state) {
  const near = peopleHere(state);
  const nearIds = new Set(near.map(keyOf));
  const far = state.people.filter((person) => !nearIds.has(person.id));
  here.update(near);
  elsewhere.update(far);
  setText(part("people-count"), String(near.length + 1));
  setText(part("elsewhere-count"), String(far.length));
  show(part("alone"), !near.length);
  show(part("elsewhere"), far.length > 0);
}

/** @type {Set<number>} whose ring is lit */
let lit = new Set();

/** @param {Levels} levels */
export function updateRings({ people }) {
  for (const id of lit) if (!people.has(id)) ring(id, null);
  for (const [id, level] of people) ring(id, level);
  lit = new Set(people.keys());
}

/**
 * @param {number} id
 * @param {number | null} level dBFS
 */
function ring(id, level) {
  const root = (here.rows.get(id) ?? elsewhere.rows.get(id))?.root;
  if (!root) return;
  root.classList.toggle("sounding", level !== null);
  if (level === null) return;
  const share = Math.min(1, Math.max(0, (level - RING_DB.from) / (RING_DB.to - RING_DB.from)));
  inside(root, ".avatar", HTMLElement).style.setProperty("--level", (Math.round(share * RING_SIZES) / RING_SIZES).toFixed(2));
}

/**
 * @param {Person} person
 * @returns {Row<Person>}
 */
function personRow({ id, name }) {
  const root = copyOf("person-row");
  const avatar = inside(root, ".avatar", HTMLElement);
  const shownName = inside(root, ".person-name", HTMLElement);
  const words = inside(root, ".person-state", HTMLElement);
  const more = inside(root, ".person-more", HTMLButtonElement);
  const tools = toolsOnDemand(root, more, id, name);
  avatar.classList.add(tint(name));
  avatar.dataset.initials = initials(name);
  return {
    root,
    update(person) {
      setText(shownName, nameOf(id, cleanName(name)));
      setAttribute(shownName, "title", nameOf(id, cleanName(name)));
      setText(words, wordsBeside(person));
      setAttribute(more, "aria-label", `What you can do about ${nameOf(id)}`);
      // The server tells that they speak before their voice is due, and also while this page is kept silent.
      root.classList.toggle("speaking", person.audible || (person.speaking && person.unheard === null));
      root.classList.toggle("unheard", person.speaking && !person.audible && person.unheard !== null);
      root.classList.toggle("away", person.reconnecting);
      tools.update(person);
    },
    dispose: tools.dispose,
  };
}

/** @param {Person} person */
function wordsBeside(person) {
  const whispered = whisperedTo(person.id) ? "you whisper to them" : "";
  return [briefly(person), whispered, roomWords(person)].filter(Boolean).join(" · ");
}

/**
 * In which of my rooms they are, where I am in several.
 * @param {Person} person
 */
function roomWords(person) {
  const rooms = app.state?.rooms ?? [];
  if (rooms.length < 2) return "";
  return rooms.filter(({ id }) => id !== null && person.rooms.includes(id)).map((room) => cleanName(room.name)).join(", ");
}

/**
 * What opens under a name, made only for those who are opened: there may be hundreds.
 * @param {HTMLElement} root
 * @param {HTMLButtonElement} more
 * @param {number} id
 * @param {string} name
 */
function toolsOnDemand(root, more, id, name) {
  /** @type {Person | undefined} */
  let last;
  /** @type {Row<Person> | undefined} */
  let tools;
  more.addEventListener("click", () => {
    if (!tools) {
      tools = personTools(id, name);
      tools.root.id = `person-${id}`;
      more.setAttribute("aria-controls", tools.root.id);
      root.append(tools.root);
    }
    const open = more.getAttribute("aria-expanded") !== "true";
    setAttribute(more, "aria-expanded", String(open));
    root.classList.toggle("opened", open);
    show(tools.root, open);
    if (last) tools.update(last);
  });
  return {
    /** @param {Person} person */
    update(person) {
      last = person;
      if (tools && !tools.root.hidden) tools.update(person);
    },
    dispose: () => tools?.dispose?.(),
  };
}

/**
 * @param {number} id
 * @param {string} name
 * @returns {Row<Person>}
 */
function personTools(id, name) {
  const root = copyOf("person-tools");
  const why = inside(root, ".person-why", HTMLElement);
  const mute = inside(root, "[data-do=mute]", HTMLButtonElement);
  const whisper = inside(root, "[data-do=whisper]", HTMLButtonElement);
  const volume = volumeSlider(root, id, name);
  const from = fromChoice(inside(root, ".from select", HTMLSelectElement), id, name);
  mute.addEventListener("click", () => setMuted(id, name, mute.getAttribute("aria-pressed") !== "true"));
  whisper.addEventListener("click", () => app.voice?.whisper(id, whisper.getAttribute("aria-pressed") !== "true"));
  const holding = holdToWhisper(inside(root, "[data-do=hold]", HTMLButtonElement), id);
  inside(root, "[data-do=text]", HTMLButtonElement).addEventListener("click", () => writeTo(id, name));
  return {
    root,
    update(person) {
      setText(why, hearing(person));
      press(mute, person.mutedHere);
      press(whisper, whisperedTo(id));
      holding.look();
      volume(person);
      from();
    },
    dispose: holding.cut,
  };
}

/**
 * @param {HTMLElement} root
 * @param {number} id
 * @param {string} name
 */
function volumeSlider(root, id, name) {
  const slider = inside(root, ".volume input", HTMLInputElement);
  const shown = inside(root, ".volume output", HTMLOutputElement);
  slider.addEventListener("input", () => {
    app.voice?.setPersonVolume(id, slider.valueAsNumber);
    rememberPerson(name, { volume: slider.valueAsNumber });
  });
  return (/** @type {Person} */ { volume }) => {
    // While it is dragged the state still tells the last value but one.
    if (document.activeElement !== slider && slider.valueAsNumber !== volume) slider.value = String(volume);
    setText(shown, `${Math.round(volume)} %`);
    setAttribute(slider, "aria-valuetext", `${Math.round(volume)} percent`);
  };
}

/**
 * @param {number} id
 * @param {string} name
 * @param {boolean} muted
 */
function setMuted(id, name, muted) {
  app.voice?.setPersonMuted(id, muted);
  rememberPerson(name, { muted });
}

/** @param {number} id */
const whisperedTo = (id) => app.state?.me.whisperingTo.includes(id) ?? false;

/**
 * Whispers while a button is held, and then as before.
 * @param {HTMLButtonElement} button
 * @param {number} id
 */
function holdToWhisper(button, id) {
  let before = false;
  /** The state, a moment later, tells of the whisper; when it doesn't any more, they are gone, or the session is. */
  let begun = false;
  const end = holdable(button, (on) => {
    if (on) before = whisperedTo(id);
    begun = on && before;
    if (on) app.voice?.whisper(id, true);
    hold(`whisper ${id}`, on);
    if (!on && !before) app.voice?.whisper(id, false);
    if (on && !isConnected()) cut();
  });
  const cut = () => {
    if (end()) toast("Your whisper doesn't reach them any more, and nobody hears the rest. Let go before you go on.");
  };
  return {
    cut,
    look() {
      if (begun && !whisperedTo(id)) cut();
      begun ||= button.classList.contains("held") && whisperedTo(id);
    },
  };
}

/**
 * Treats somebody who has come as the last time.
 * @param {Person} person
 */
export function welcome({ id, name }) {
  const { volume, muted } = remembered(name);
  if (typeof volume === "number") app.voice?.setPersonVolume(id, volume);
  if (muted === true) app.voice?.setPersonMuted(id, true);
}

