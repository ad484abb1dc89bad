/** Who is in one's rooms, and who has come and gone since the last state. */

import { app } from "./app.js";
import { distinctNames } from "./names.js";

/** @import { Person, State } from "../consonance.js" */

/**
 * Those who are in one of my rooms, and who whisper to me from elsewhere.
 * @param {Pick<State, "people" | "rooms">} state
 */
export function peopleHere({ people, rooms }) {
  const mine = new Set(rooms.map((room) => room.id));
  return people.filter((person) => person.whispering || person.rooms.some((id) => mine.has(id)));
}

/** The last view. @type {{ all: Map<number, Person>, here: Map<number, Person>, settled: boolean }} */
let known = { all: new Map(), here: new Map(), settled: false };

/**
 * What has changed; names are drawn anew with it.
 * @param {State} state
 * @returns {{ met: Person[], lost: Person[], came: string[], left: string[] }} on the server, and in my rooms; of the latter nothing the first time, since then one has come oneself
 */
export function whoChanged(state) {
  const all = byId(state.people);
  const here = byId(peopleHere(state));
  const before = known;
  const settled = state.rooms.every(({ id }) => id !== null);
  known = { all, here, settled };
  const met = without(all, before.all);
  const lost = without(before.all, all);
  const left = before.settled ? without(before.here, here).map(nameNow) : [];
  if (met.length || lost.length) app.names = distinctNames(state.people);
  const came = before.settled ? without(here, before.here).map(nameNow) : [];
  return { met, lost, came, left };
}

export function forgetEverybody() {
  known = { all: new Map(), here: new Map(), settled: false };
  app.names = new Map();
}

/** @param {readonly Person[]} people */
const byId = (people) => new Map(people.map((person) => [person.id, person]));

/** @param {Person} person */
const nameNow = ({ id, name }) => app.names.get(id) ?? name;

/**
 * @param {Map<number, Person>} some
 * @param {Map<number, Person>} others
 */
const without = (some, others) => [...some.values()].filter(({ id }) => !others.has(id));
