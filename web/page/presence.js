/** Who is in one's rooms, and who has come and gone since the last state. */

import { app, isConnected } from "./app.js";
import { distinctNames } from "./names.js";

/** @import { Person, State } from "../consonance.js" */

/** @returns {{ all: Map<number, Person>, here: Map<number, Person>, mine: Set<number | null>, settled: boolean }} */
const nobody = () => ({ all: new Map(), here: new Map(), mine: new Set(), settled: false });

/** The last view; `here` and my rooms as they last were with all their numbers, which the server gives a moment after joining, and after reconnecting. */
let known = nobody();

/**
 * Those who are in one of my rooms; as long as that can't be known, those too who were.
 * @param {Pick<State, "people" | "rooms">} state
 */
export function peopleHere({ people, rooms }) {
  const mine = new Set(rooms.map(({ id }) => id));
  return people.filter((person) => isIn(person, mine) || (mine.has(null) && known.here.has(person.id)));
}

/**
 * What has changed; names are drawn anew with it.
 * @param {State} state
 * @returns {{ met: Person[], lost: Person[], came: string[], left: string[] }} on the server, and in my rooms, apart from what comes of my own going
 */
export function whoChanged(state) {
  const before = known;
  const all = byId(state.people);
  const here = byId(peopleHere(state));
  const mine = new Set(state.rooms.map(({ id }) => id));
  const settled = isConnected() && !mine.has(null);
  known = settled ? { all, here, mine, settled } : { ...before, all, settled };
  const met = without(all, before.all);
  const lost = without(before.all, all);
  const shared = new Set(settled && before.settled ? [...mine].filter((room) => before.mine.has(room)) : []);
  const left = without(before.here, here).filter((person) => isIn(person, shared)).map(nameNow);
  if (met.length || lost.length) app.names = distinctNames(state.people);
  const came = without(here, before.here).filter((person) => isIn(person, shared)).map(nameNow);
  return { met, lost, came, left };
}

export function forgetEverybody() {
  known = nobody();
  app.names = new Map();
}

/** @param {readonly Person[]} people */
const byId = (people) => new Map(people.map((person) => [person.id, person]));

/**
 * @param {Person} person
 * @param {ReadonlySet<number | null>} rooms
 */
const isIn = (person, rooms) => person.rooms.some((room) => rooms.has(room));

/** @param {Person} person */
const nameNow = ({ id, name }) => app.names.get(id) ?? name;

/**
 * @param {Map<number, Person>} some
 * @param {Map<number, Person>} others
 */
const without = (some, others) => [...some.values()].filter(({ id }) => !others.has(id));
